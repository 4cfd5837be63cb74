//! Every parameter of every model, layer and call on the network, made wrong once: the error is at
//! the key, value or argument that is wrong, and says what to do.

use peerlet::network::{CALLS, LAYERS, MODELS};
use peerlet::prelude::*;
use peerlet::scenario::{Problem, Source};
use peerlet::{Plan, World};

const HEAD: &str = "peers = 20\nfor = \"8s\"\n[stack]\nbootstrap = {}\n\
                    [[group]]\nname = \"east\"\npeers = \"2-4\"\n";

/// The first problem of a scenario with this network and these event lines.
fn problem(network: &str, events: &str) -> Problem {
    let text = format!("{HEAD}[network]\n{network}\n[events]\nlines = '''\n{events}\n'''\n");
    match Plan::new(&Experiment::new("errors"), Source::new("scenario", text), &[], World::Sim) {
        Ok(_) => panic!("nothing is wrong with {network} {events}"),
        Err(problems) => problems.0[0].clone(),
    }
}

/// What the caret of a problem points at.
fn pointed_at(problem: &Problem) -> String {
    let drawing = problem.render(false);
    let lines: Vec<&str> = drawing.lines().collect();
    let place = lines.iter().position(|line| line.contains('^')).expect("there is a caret");
    let from = lines[place].find('^').expect("there is a caret");
    let length = lines[place][from..].trim_end().len();
    lines[place - 1].chars().skip(from).take(length).collect()
}

/// Whether the problem is there and says what to do; how it is drawn, where that is not so.
fn found(network: &str, events: &str, place: &str) -> Result<(), String> {
    let problem = problem(network, events);
    let has_remedy = problem.remedy().is_some() || problem.message().contains("; ");
    match has_remedy && pointed_at(&problem) == place {
        true => Ok(()),
        false => Err(format!("{place} in\n{}", problem.render(false))),
    }
}

fn check(network: &str, events: &str, place: &str) {
    found(network, events, place).unwrap_or_else(|wrong| panic!("{wrong}"));
}

fn model(name: &str, keys: &str) -> String {
    let needed = if name == "matrix" { "file = \"x\"\nunit = \"ms\"\n" } else { "" };
    let key = |line: &str| line.split(" =").next().unwrap_or_default().to_owned();
    let own: Vec<String> = keys.lines().map(key).collect();
    let needed: String = needed
        .lines()
        .filter(|line| !own.contains(&key(line)))
        .map(|line| format!("{line}\n"))
        .collect();
    format!("model = \"{name}\"\n{needed}{keys}")
}

#[test]
fn every_parameter_of_a_wrong_kind_is_pointed_at() {
    for entry in MODELS {
        for parameter in entry.parameters {
            check(&model(entry.name, &format!("{} = true", parameter.name)), "", "true");
        }
        check(&model(entry.name, "bogus = 1"), "", "bogus");
    }
    for layer in LAYERS {
        check(&model("constant", &format!("{} = true", layer.name)), "", "true");
    }
    for call in CALLS {
        let wrong = format!("1 1 Network.{}('?', '?', '?', '?')", call.name);
        let problem = problem("model = \"constant\"", &wrong);
        assert!(wrong.contains(&pointed_at(&problem)), "{}", problem.render(false));
    }
}

#[test]
fn keys_that_are_missing_are_told_at_the_table() {
    check("model = \"matrix\"\nunit = \"ms\"", "", "[network]");
    check("model = \"matrix\"\nfile = \"x\"", "", "[network]");
    check("model = \"regions\"\ndelays = \"x.csv\"", "", "[network]");
    check("", "", "network");
    check("model = \"constant\"\naccess = {}", "", "{}");
    check("model = \"constant\"\nreorder = { by = \"1ms\" }", "", "{ by = \"1ms\" }");
    check("model = \"constant\"\ncorrupt = { bits = 2 }", "", "{ bits = 2 }");
    check("model = \"constant\"\nloss = { gilbert = { mean = 0.1 } }", "", "{ mean = 0.1 }");
    check("model = \"constant\"\njitter = { per = \"pair\" }", "", "{ per = \"pair\" }");
}

/// The model, its keys, and the part of them that is wrong.
const WRONG_PARAMETERS: &[(&str, &str, &str)] = &[
    ("constant", "delay = \"soon\"", "\"soon\""),
    ("constant", "delay = \"-1ms\"", "\"-1ms\""),
    ("uniform", "min = \"5s\"", "\"5s\""),
    ("uniform", "max = \"1ms\"", "\"1ms\""),
    ("uniform", "min = \"5s\"\nmax = \"1ms\"", "\"1ms\""),
    ("uniform", "per = \"peer\"", "\"peer\""),
    ("normal", "sd = \"x\"", "\"x\""),
    ("lan", "size = 0", "0"),
    ("lan", "size = -1", "-1"),
    ("lognormal", "sigma = 9", "9"),
    ("lognormal", "sigma = nan", "nan"),
    ("pareto", "shape = 0.9", "0.9"),
    ("pareto", "min = \"1ms\"\nshape = inf", "inf"),
    ("regions", "shares = [0, 0, 0, 0, 0, 0]", "[0, 0, 0, 0, 0, 0]"),
    ("regions", "shares = [1, 2]", "[1, 2]"),
    ("regions", "shares = [1, 2, 3, 4, 5, -6]", "-6"),
    ("regions", "names = [\"a\"]", "[\"a\"]"),
    ("regions", "unit = \"ms\"", "\"ms\""),
    ("regions", "delays = []", "[]"),
    ("regions", "delays = [[\"1ms\", \"2ms\"], [\"1ms\"]]", "[\"1ms\"]"),
    ("regions", "delays = [[\"1ms\", \"far\"], [\"1ms\", \"1ms\"]]", "\"far\""),
    ("regions", "delays = \"none.csv\"\nunit = \"ms\"", "\"none.csv\""),
    ("regions", "names = [\"a\", \"b\"]\ndelays = [[\"1ms\"]]", "[\"a\", \"b\"]"),
    ("regions", "assign = \"rand\"", "\"rand\""),
    ("regions", "assign = \"index\"", "\"index\""),
    ("regions", "assign = { east = \"XX\", \"*\" = \"EU\" }", "\"XX\""),
    ("regions", "assign = { west = \"EU\", \"*\" = \"EU\" }", "\"EU\""),
    ("regions", "assign = { east = 7, \"*\" = 1 }", "7"),
    ("regions", "assign = { east = \"EU\" }", "{ east = \"EU\" }"),
    ("regions", "assign = \"round-robin\"\nshares = [1, 1, 1, 1, 1, 1]", "[1, 1, 1, 1, 1, 1]"),
    ("matrix", "file = \"none.txt\"", "\"none.txt\""),
    ("matrix", "file = \"/\"", "\"/\""),
    ("matrix", "unit = \"mile\"", "\"mile\""),
    ("matrix", "unit = \"0ms\"", "\"0ms\""),
    ("matrix", "form = \"round\"", "\"round\""),
    ("matrix", "missing = \"guess\"", "\"guess\""),
    ("matrix", "assign = \"sorted\"", "\"sorted\""),
    ("matrix", "floor = 3", "3"),
];

/// A layer of a network, and the part of it that is wrong.
const WRONG_LAYERS: &[(&str, &str)] = &[
    ("jitter = \"soon\"", "\"soon\""),
    ("jitter = { cauchy = {} }", "cauchy"),
    ("jitter = { uniform = { min = \"5ms\", max = \"1ms\" } }", "\"1ms\""),
    ("jitter = { lognormal = { median = \"5ms\", sigma = 5 } }", "5"),
    ("jitter = { pareto = { min = \"5ms\", shape = 1 } }", "1"),
    ("jitter = { normal = { mean = \"5ms\", sd = \"x\" } }", "\"x\""),
    ("jitter = { exponential = { mean = \"2ms\" }, per = \"peer\" }", "\"peer\""),
    ("reorder = { probability = 1.5 }", "1.5"),
    ("reorder = { probability = 0.1, by = \"x\" }", "\"x\""),
    ("reorder = { probability = 0.1, bye = \"1ms\" }", "bye"),
    ("duplicate = 1.5", "1.5"),
    ("corrupt = { probability = -1 }", "-1"),
    ("corrupt = { probability = 0.1, bits = -1 }", "-1"),
    ("loss = 1.5", "1.5"),
    ("loss = { gilbert = { mean = 0.9, burst = 2 } }", "2"),
    ("loss = { gilbert = { mean = 0.1, burst = 0.5 } }", "0.5"),
    ("loss = { gilbret = {} }", "gilbret"),
    ("loss = { up = 2 }", "2"),
    ("loss = { down = { gilbert = { mean = 2, burst = 3 } } }", "2"),
    ("loss = { links = [{ from = 1, to = 20, loss = 1 }] }", "20"),
    ("loss = { links = [{ from = 1, to = 2, loss = 1 }, { from = 99, to = 2, loss = 1 }] }", "99"),
    ("loss = { links = [{ from = 1, to = 2, loss = 7 }] }", "7"),
    ("access = { up = \"0 Mbit/s\" }", "\"0 Mbit/s\""),
    ("access = { down = \"fast\" }", "\"fast\""),
    ("access = { up = \"1 MB/s\", queue = \"big\" }", "\"big\""),
    ("access = { up = \"1 MB/s\", overhead = -1 }", "-1"),
    ("access = { up = \"1 MB/s\", classes = \"p2p-2006\" }", "\"p2p-2006\""),
    ("access = { classes = \"world\" }", "\"world\""),
    ("access = { classes = [{ share = 0 }] }", "[{ share = 0 }]"),
    ("access = { classes = [{ share = 1, up = \"x\" }] }", "\"x\""),
];

/// A call on the network, and the part of it that is wrong.
const WRONG_CALLS: &[(&str, &str)] = &[
    ("bandwidth(\"0 bit/s\")", "\"0 bit/s\""),
    ("bandwidth('1 MB/s', 5)", "5"),
    ("clog(1)", "1"),
    ("corrupt(0.1, 0)", "0"),
    ("cut(\"10-20\")", "\"10-20\""),
    ("cut(\"0-1\", 'in flight')", "'in flight'"),
    ("cut_in('99')", "'99'"),
    ("cut_out('wst')", "'wst'"),
    ("duplicate(2)", "2"),
    ("heal('99')", "'99'"),
    ("jitter(5)", "5"),
    ("loss(1.5)", "1.5"),
    ("loss(0.9, 2)", "2"),
    ("loss()", "Network.loss()"),
    ("loss_in(-1)", "-1"),
    ("pair_delay()", "Network.pair_delay()"),
    ("pair_delay(20, 80ms)", "20"),
    ("pair_delay(\"7\", 80)", "80"),
    ("pair_delay(\"7\", 'far')", "'far'"),
    ("pair_delay(\"7\", 80ms, 3)", "3"),
    ("pair_loss(\"7\")", "Network.pair_loss(\"7\")"),
    ("pair_loss(\"7\", 1.5)", "1.5"),
    ("release(1)", "1"),
    ("reorder(0.1, 5)", "5"),
    ("slow(0.5)", "0.5"),
    ("slwo(2)", "Network.slwo(2)"),
    ("swizzle()", "Network.swizzle()"),
    ("swizzle(3)", "3"),
];

#[test]
fn wrong_values_are_pointed_at() {
    let parameters =
        WRONG_PARAMETERS.iter().map(|(name, keys, place)| found(&model(name, keys), "", place));
    let layers =
        WRONG_LAYERS.iter().map(|(layer, place)| found(&model("constant", layer), "", place));
    let calls = WRONG_CALLS
        .iter()
        .map(|(call, place)| found("model = \"constant\"", &format!("1 1 Network.{call}"), place));
    let wrong: Vec<String> =
        parameters.chain(layers).chain(calls).filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_parameter_layer_and_call_has_a_wrong_value_here() {
    for entry in MODELS.iter().filter(|entry| !entry.name.ends_with("-like")) {
        let has_one = WRONG_PARAMETERS.iter().any(|(name, ..)| *name == entry.name);
        assert!(has_one, "{}", entry.name);
    }
    for layer in LAYERS {
        let has_one = WRONG_LAYERS.iter().any(|(line, _)| line.starts_with(layer.name));
        assert!(has_one, "{}", layer.name);
    }
    for call in CALLS {
        let begins = |line: &str| line.split('(').next() == Some(call.name);
        assert!(WRONG_CALLS.iter().any(|(line, _)| begins(line)), "{}", call.name);
    }
}
