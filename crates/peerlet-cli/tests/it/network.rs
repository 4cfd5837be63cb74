//! Networks as scenarios write them: every model and every layer runs, and what cannot be is said.

use expect_test::{Expect, expect};
use serde_json::Value;

use crate::command::{File, peerlet, text};

const HEAD: &str = "peers = 20\nfor = \"8s\"\n";
const STACK: &str = "[stack]\nbootstrap = {}\nneighbors = {}\nrouter = {}\nlookups = {}\n";

/// Runs a scenario with this network; the summary, whose messages balance.
fn run(network: &str, events: &str) -> Value {
    let events = format!("[events]\nlines = '''\n{events}'''\n");
    let file = File::new("network.toml", &format!("{HEAD}[network]\n{network}\n{STACK}{events}"));
    let output = peerlet(&["sim", &file.0.display().to_string(), "--json", "-q"]);
    assert!(output.status.success(), "{network}: {}", text(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let messages = &summary["messages"];
    let count = |name: &str| messages[name].as_u64().unwrap_or_else(|| panic!("{messages}"));
    let dropped = messages["dropped"].as_object().expect("drops have causes").values();
    let dropped: u64 = dropped.map(|count| count.as_u64().expect("a count")).sum();
    let arrived = count("delivered") + dropped + count("in_flight");
    assert_eq!(count("sent") + count("duplicated"), arrived, "{messages}");
    assert!(count("delivered") > 100, "{messages}");
    summary
}

#[test]
fn every_model_and_every_layer_runs() {
    for model in ["normal", "lognormal", "pareto", "regions", "king-like", "world-like"] {
        run(&format!("model = \"{model}\""), "");
    }
    for layer in [
        "jitter = \"5ms\"",
        "jitter = { lognormal = { median = \"2ms\", sigma = 1.0 } }",
        "reorder = { probability = 0.1 }",
        "duplicate = 0.1",
        "corrupt = { probability = 0.1 }",
        "loss = { gilbert = { mean = 0.05, burst = 3 } }",
        "loss = { up = 0.1, down = { gilbert = { mean = 0.05, burst = 3 } } }",
        "loss = { links = [{ from = 1, to = 2, loss = 0.5 }] }",
        "access = { up = \"1 Mbit/s\", down = \"2 Mbit/s\", queue = \"4 KiB\" }",
        "access = { classes = \"p2p-2006\" }",
    ] {
        run(&format!("model = \"constant\"\n{layer}"), "");
    }
}

#[test]
fn a_cut_is_seen_and_healed() {
    let partition = |events: &str| {
        let summary = run("model = \"constant\"", events);
        summary["messages"]["dropped"]["partition"].as_u64().unwrap_or(0)
    };
    let (whole, healed) = (partition(""), partition("0-9 4 Network.cut()\n* 5 Network.heal()\n"));
    let cut = partition("0-9 4 Network.cut()\n");
    assert!(whole == 0 && healed > 0 && cut > healed, "{whole} {healed} {cut}");
}

#[test]
fn others_miss_a_paused_peer() {
    let lost = |events: &str| {
        let summary = run("model = \"constant\"", events);
        summary["measures"]["neighbors/lost"]["sum"].as_f64().expect("it is counted")
    };
    let (whole, paused) = (lost(""), lost("0-9 4 Peer.pause(3500ms)\n"));
    assert!(paused > 3.0 * whole, "{whole} {paused}");
}

/// Checks what is said about a network that cannot be.
fn refuse(network: &str, events: &str, command: &[&str], said: Expect) {
    refuse_with(2, (network, events), command, said);
}

fn refuse_with(code: i32, (network, events): (&str, &str), command: &[&str], said: Expect) {
    let events = format!("[events]\nlines = '''\n{events}'''\n");
    let file = File::new("refused.toml", &format!("{HEAD}[network]\n{network}\n{STACK}{events}"));
    let path = file.0.display().to_string();
    let arguments: Vec<&str> = command.iter().copied().chain([path.as_str()]).collect();
    let output = peerlet(&arguments);
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    said.assert_eq(&text(&output.stderr).replace(&path, "SCENARIO"));
}

#[test]
fn networks_that_cannot_be_are_refused_at_their_place() {
    refuse_with(
        3,
        ("model = \"matrix\"\nfile = \"none.txt\"\nunit = \"ms\"", ""),
        &["check"],
        expect![[r#"
            SCENARIO:5:8: matrix /tmp/none.txt cannot be read (No such file or directory (os error 2))
               ,----
             5 | file = "none.txt"
               :        ^^^^^^^^^^
               `----
              help: check the path
        "#]],
    );
    refuse(
        "model = \"constant\"\naccess = { up = \"0 Mbit/s\" }",
        "",
        &["check"],
        expect![[r#"
            SCENARIO:5:17: at `0 Mbit/s` nothing would ever pass
               ,----
             5 | access = { up = "0 Mbit/s" }
               :                 ^^^^^^^^^^
               `----
              help: give at least 1 bit/s, or leave the limit out
        "#]],
    );
    refuse(
        "model = \"constant\"\nloss = { links = [{ from = 1, to = 20, loss = 1 }] }",
        "",
        &["check"],
        expect![[r#"
            SCENARIO:5:36: there is no seat 20
               ,----
             5 | loss = { links = [{ from = 1, to = 20, loss = 1 }] }
               :                                    ^^
               `----
              help: 20 peers have the seats 0 to 19
        "#]],
    );
}

#[test]
fn parameters_that_make_no_network_are_refused_at_their_place() {
    refuse(
        "model = \"regions\"\nshares = [0, 0, 0, 0, 0, 0]",
        "",
        &["check"],
        expect![[r#"
            SCENARIO:5:10: no region has a share
               ,----
             5 | shares = [0, 0, 0, 0, 0, 0]
               :          ^^^^^^^^^^^^^^^^^^
               `----
              help: give at least one
        "#]],
    );
    refuse(
        "model = \"pareto\"\nshape = 0.9",
        "",
        &["check"],
        expect![[r#"
            SCENARIO:5:9: a shape of 0.9 makes no Pareto distribution with a mean
               ,----
             5 | shape = 0.9
               :         ^^^
               `----
              help: give one above 1 and up to 100, as 2.5
        "#]],
    );
}

#[test]
fn calls_on_the_network_that_cannot_be_are_refused_at_their_place() {
    refuse(
        "model = \"constant\"",
        "0-3 1 Network.cut(\"10-20\")\n",
        &["check"],
        expect![[r#"
            SCENARIO:12:19: there is no seat 20
                ,----
             12 | 0-3 1 Network.cut("10-20")
                :                   ^^^^^^^
                `----
              help: 20 peers have the seats 0 to 19
        "#]],
    );
    refuse(
        "model = \"constant\"",
        "* 1 Network.cut()\n",
        &["check"],
        expect![[r#"
        SCENARIO:12:5: all peers are cut from nobody; name others, as in Network.cut("*")
            ,----
         12 | * 1 Network.cut()
            :     ^^^^^^^^^^^^^
            `----
    "#]],
    );
    refuse(
        "model = \"constant\"",
        "* 1 Network.slwo(3)\n",
        &["check"],
        expect![[r#"
        SCENARIO:12:5: the network has no `slwo`
            ,----
         12 | * 1 Network.slwo(3)
            :     ^^^^^^^^^^^^^^^
            `----
          help: did you mean Network.slow?
    "#]],
    );
}

#[test]
fn live_runs_refuse_by_name_what_they_do_not_do_yet() {
    refuse(
        "model = \"constant\"",
        "1 1 Network.slow(3)\n",
        &["live"],
        expect![[r#"
            SCENARIO:12:5: not yet: Network.slow(3) in live runs
                ,----
             12 | 1 1 Network.slow(3)
                :     ^^^^^^^^^^^^^^^
                `----
              help: name a time, as in Network.jitter(200ms), or run it with `sim` or `emulate`
        "#]],
    );
    refuse(
        "model = \"constant\"",
        "1 1 Network.bandwidth('1 Mbit/s', '2 Mbit/s')\n",
        &["live", "--index", "0-9"],
        expect![[r#"
            SCENARIO:12:5: not yet: Network.bandwidth("1 Mbit/s", "2 Mbit/s") in live runs
                ,----
             12 | 1 1 Network.bandwidth('1 Mbit/s', '2 Mbit/s')
                :     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                `----
              help: leave the second rate out, or run all peers in one process
        "#]],
    );
}

#[test]
fn an_emulation_has_a_socket_for_each_peer() {
    refuse(
        "model = \"constant\"",
        "",
        &["emulate", "--peers", "4097"],
        expect![[r#"
        error: 4097 peers need a socket each, and a process emulates 4096 at most; take fewer peers
    "#]],
    );
}

/// The scenario's network between real sockets: its delays, its losses, and nothing unaccounted.
#[test]
fn an_emulation_is_the_scenarios_network() {
    let head = "peers = 8\nfor = \"2s\"\njoin = \"10ms\"\n\
                [network]\nmodel = \"constant\"\ndelay = \"20ms\"\n";
    let stack = STACK.replace("lookups = {}", "lookups = { rate = \"20/s\", warmup = \"200ms\" }");
    let file = File::new(
        "emulated.toml",
        &format!("{head}{stack}[events]\nlines = '''\n0-3 1 Network.cut()\n'''\n"),
    );
    for transport in ["udp", "quic"] {
        let path = file.0.display().to_string();
        let output = peerlet(&["emulate", &path, "--transport", transport, "--json", "-q"]);
        // A machine with much else to do makes it void, and that is said.
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 5)), "{code:?} {}", text(&output.stderr));
        let summary: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        assert_eq!(summary["world"], "emulate");
        assert_eq!(summary["void"].as_bool().unwrap_or(false), code == Some(5));
        let (packets, datagrams) = (&summary["packets"], &summary["messages"]["datagram"]);
        let count = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{summary}"));
        assert!(count(&packets["dropped"]["partition"]) > 0, "{packets}");
        assert!(count(&datagrams["dropped"]["partition"]) > 0, "{datagrams}");
        assert!(count(&packets["carried"]) > 100, "{packets}");
        assert!(packets["late_p99_us"].as_f64().is_some_and(|late| late > 0.0), "{packets}");
        if transport == "udp" {
            assert_eq!(count(&packets["unaccounted"]), 0, "{packets}");
        }
        let times = &summary["measures"]["lookups/time"];
        assert!(count(&times["count"]) > 20, "{times}");
        assert!(times["max"].as_f64().is_some_and(|time| time >= 0.04), "{times}");
    }
}
