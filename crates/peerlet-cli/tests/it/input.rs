//! Input as people have it: byte order marks, any line ends, other encodings, pipes.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::command::{File, peerlet, root, text};
use crate::secret::Folder;

const SCENARIO: &str = "peers = 3\nfor = \"3s\"\n[stack]\nbootstrap = {}\n";

/// A file of these bytes.
fn file(name: &str, bytes: &[u8]) -> File {
    let file = File::new(name, "");
    std::fs::write(&file.0, bytes).expect("the temporary folder can be written to");
    file
}

/// Runs the command with these bytes in a pipe as its standard input.
fn piped(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_peerlet"))
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut pipe = child.stdin.take().expect("it was asked for");
    // A command that has read enough may have closed it.
    drop(pipe.write_all(input));
    drop(pipe);
    child.wait_with_output().expect("the command ends")
}

/// Whether the scenario with this matrix is fine, and what is said if it is not.
fn checked(keys: &str, bytes: &[u8]) -> Result<(), String> {
    let matrix = file("matrix", bytes);
    let name = matrix.0.display();
    let network =
        format!("[network]\nmodel = \"matrix\"\nfile = \"{name}\"\nunit = \"ms\"\n{keys}\n");
    let scenario = file("scenario.toml", format!("{SCENARIO}{network}").as_bytes());
    let output = peerlet(&["check", &scenario.0.display().to_string()]);
    match output.status.code() {
        Some(0) => Ok(()),
        Some(2) => Err(text(&output.stderr)),
        code => panic!("{code:?}: {}", text(&output.stderr)),
    }
}

#[test]
fn matrices_are_taken_as_people_have_them() {
    for bytes in [
        &b"0,10,20\n10,0,25\n20,25,0\n"[..],
        b"\xef\xbb\xbf0 10 20\n10 0 25\n20 25 0\n",
        b"0 10 20\r10 0 25\r20 25 0",
        b"source;destination;rtt\r\na;b;1\r\nb;a;1\r\na;c;2\r\nc;a;2\r\nb;c;3\r\nc;b;3",
    ] {
        checked("", bytes).unwrap_or_else(|said| panic!("{said}"));
    }
    let edges = b"1 2 10\n1 3 20\n2 3 25\n";
    let said = checked("", edges).unwrap_err();
    assert!(said.contains("form = \"square\" or form = \"edges\""), "{said}");
    assert!(said.contains("7 | file = "), "{said}");
    checked("form = \"edges\"\nmissing = \"mirror\"", edges).unwrap_or_else(|s| panic!("{s}"));
    checked("form = \"square\"", edges).unwrap_or_else(|said| panic!("{said}"));
    let said = checked("", b"0 1\n1 \xe9\n").unwrap_err();
    assert!(said.contains("byte 0xe9 in line 2, column 3 is not UTF-8"), "{said}");
}

#[test]
fn scenarios_and_event_lines_may_end_their_lines_in_any_way() {
    let listed = |scenario: &[u8], events: &[u8]| {
        let events = file("lines.ev", events);
        let scenario = text(scenario).replace("EVENTS", &events.0.display().to_string());
        let scenario = file("ends.toml", scenario.as_bytes());
        let output = peerlet(&["check", &scenario.0.display().to_string(), "--expand"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let lines = "[events]\nlines = \"\"\"\n1 1 Peer.stop()\n\"\"\"\nfile = \"EVENTS\"\n";
    let scenario = format!("{SCENARIO}{lines}");
    let events = "# two\n0 2 Peer.crash()\n\n1 2 Peer.start()";
    let plain = listed(scenario.as_bytes(), events.as_bytes());
    assert_eq!(plain.lines().count(), 6, "{plain}");
    for end in ["\r\n", "\r"] {
        let [scenario, events] =
            [&*scenario, events].map(|text| format!("\u{feff}{}", text.replace('\n', end)));
        assert_eq!(listed(scenario.as_bytes(), events.as_bytes()), plain);
    }
}

#[test]
fn other_encodings_are_refused_with_their_line() {
    let utf16 = [&[0xff, 0xfe][..], &b"peers = 3".map(|byte| [byte, 0]).concat()].concat();
    for (bytes, said) in [
        (&utf16[..], "the text is UTF-16; save it as UTF-8"),
        (b"peers = 3\r\n# caf\xe9\r\n", "byte 0xe9 in line 2, column 6 is not UTF-8"),
    ] {
        let scenario = file("encoded.toml", bytes);
        let output = peerlet(&["check", &scenario.0.display().to_string()]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
    // The same code, whichever file it is.
    let list = file("encoded.list", &utf16);
    let arguments = ["live", "scenarios/first.toml", "--allow", &list.0.display().to_string()];
    let output = peerlet(&arguments);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("the text is UTF-16; save it as UTF-8"), "{said}");
    let said = checked("", &utf16).unwrap_err();
    assert!(said.contains("the text is UTF-16") && said.contains("save it as UTF-8"), "{said}");
    let events = file("latin1.ev", b"# caf\xe9\n1 1 Peer.stop()\n");
    let scenario = format!("{SCENARIO}[events]\nfile = \"{}\"\n", events.0.display());
    let scenario = file("events.toml", scenario.as_bytes());
    let output = peerlet(&["check", &scenario.0.display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("byte 0xe9 in line 1, column 6 is not UTF-8"), "{said}");
    assert!(said.contains("6 | file = "), "{said}");
}

#[cfg(unix)]
#[test]
fn pipes_are_read_once_and_used_as_often_as_wanted() {
    let network = "[network]\nmodel = \"matrix\"\nfile = \"/dev/stdin\"\nunit = \"ms\"\n";
    let scenario = file("piped.toml", format!("{SCENARIO}{network}").as_bytes());
    let path = scenario.0.display().to_string();
    let square = b"0 10 20\n10 0 25\n20 25 0\n";
    for more in [&[][..], &["--seeds", "1..3"]] {
        let arguments = [&["sim", &path, "-q"], more].concat();
        let output = piped(&arguments, square);
        assert!(output.status.success(), "{more:?}: {}", text(&output.stderr));
    }
    let output = piped(&["sim", &path, "--check-determinism"], square);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("/dev/stdin` is a pipe"), "{}", text(&output.stderr));
    // Event lines and scenarios come out of pipes as well.
    let events = format!("{SCENARIO}[events]\nfile = \"/dev/stdin\"\n");
    let events = file("events.toml", events.as_bytes());
    let arguments = ["check", &events.0.display().to_string(), "--expand"];
    let output = piped(&arguments, b"1 1 Peer.stop()\r2 1 Peer.stop()");
    assert_eq!(text(&output.stdout).lines().count(), 5, "{}", text(&output.stderr));
    let output = piped(&["sim", "/dev/stdin", "--seeds", "1..3", "-q"], SCENARIO.as_bytes());
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// Changes of pairs are in the list that a scenario expands to, and are read again from it.
#[test]
fn changes_of_pairs_are_expanded() {
    let with = |lines: &str| {
        let scenario = format!("{SCENARIO}[events]\nlines = '''\n{lines}'''\n");
        file("pairs.toml", scenario.as_bytes())
    };
    let list = |scenario: &File| {
        let output = peerlet(&["check", &scenario.0.display().to_string(), "--expand"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let scenario = with("1 1 Network.pair_delay(\"2\", 80ms)\n* 2 Network.pairLoss(0, 0.5)\n");
    let expanded = list(&scenario);
    assert!(expanded.contains("1 1s Network.pair_delay(\"2\", 80ms)"), "{expanded}");
    assert!(expanded.contains("0-2 2s Network.pairLoss(\"0\", 0.5)"), "{expanded}");
    assert_eq!(list(&with(&expanded)), expanded);
    let output = peerlet(&["live", &scenario.0.display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("not yet: Network.pair_delay(\"2\", 80ms) in live runs"), "{said}");
}

/// A file without an end, a folder or a socket is refused alike, wherever a file can be named.
#[cfg(unix)]
#[test]
fn other_kinds_of_files_are_refused_alike() {
    let network = "[network]\nmodel = \"matrix\"\nfile = \"FILE\"\nunit = \"ms\"\n";
    let events = "[events]\nfile = \"FILE\"\n";
    for (named, kind) in [("/dev/zero", "device"), ("/", "folder")] {
        let scenario = |keys: &str| {
            let text = format!("{SCENARIO}{}", keys.replace("FILE", named));
            let file = file("kinds.toml", text.as_bytes());
            (file.0.display().to_string(), file)
        };
        let (matrix, _matrix) = scenario(network);
        let (events, _events) = scenario(events);
        let first = "scenarios/first.toml";
        for (arguments, pipe) in [
            (&["check", named][..], true),
            (&["check", &matrix], true),
            (&["check", &events], true),
            (&["live", first, "--allow", named], false),
            (&["live", first, "--key", named], false),
            (&["live", first, "--secret", named], false),
        ] {
            let output = peerlet(arguments);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{arguments:?}: {said}");
            assert!(said.contains(&format!("is a {kind}")), "{arguments:?}: {said}");
            assert!(said.contains("name a regular file"), "{arguments:?}: {said}");
            assert_eq!(said.contains("or a pipe"), pipe, "{arguments:?}: {said}");
        }
    }
}

/// Nobody writes into a pipe that lies in a run folder.
#[cfg(unix)]
#[test]
fn a_pipe_in_a_run_folder_is_not_waited_for() {
    let folder = Folder::new("piped-run");
    let pipe = folder.path("summary.json");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("there is a mkfifo");
    assert!(made.success());
    let folder = folder.path("");
    let output = peerlet(&["compare", &folder, &folder]);
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output.stderr);
    assert!(said.contains("it is a pipe; name a regular file"), "{said}");
}

/// A run folder keeps the content of each pipe, so it can be run again.
#[cfg(unix)]
#[test]
fn files_out_of_pipes_are_kept_in_the_run_folder() {
    let network = "[network]\nmodel = \"matrix\"\nfile = \"PIPE\"\nunit = \"ms\"\n";
    let events = "[events]\nfile = \"PIPE\"\n";
    let digest = |json: &[u8]| -> serde_json::Value {
        serde_json::from_slice::<serde_json::Value>(json).expect("it is JSON")["digest"].clone()
    };
    for (keys, content) in [(network, "0 10 20\n10 0 25\n20 25 0\n"), (events, "1 1 Peer.stop()\n")]
    {
        let folder = Folder::new("kept-pipe");
        let pipe = folder.path("fifo");
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("it runs").success());
        let scenario =
            file("kept.toml", format!("{SCENARIO}{}", keys.replace("PIPE", &pipe)).as_bytes());
        // It is open for one reader, once.
        let writer = Command::new("sh")
            .args(["-c", "printf %s \"$1\" > \"$2\"", "sh", content, &pipe])
            .spawn();
        let mut writer = writer.expect("there is a shell");
        let (path, run) = (scenario.0.display().to_string(), folder.path("run"));
        let output = peerlet(&["sim", &path, "-o", &run, "--json"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(writer.wait().expect("it ends").success());
        let again = peerlet(&["sim", &format!("{run}/scenario.toml"), "--json"]);
        assert!(again.status.success(), "{}", text(&again.stderr));
        assert_eq!(digest(&output.stdout), digest(&again.stdout));
    }
}

#[test]
fn a_run_has_as_many_epochs_as_fit_into_memory() {
    let check = |arguments: &[&str], place: &str, remedy: &str| {
        for command in ["check", "sim", "emulate", "live"] {
            let output = peerlet(&[&[command, "scenarios/first.toml"], arguments].concat());
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{command}: {said}");
            assert!(said.contains(place) && said.contains(remedy), "{command}: {said}");
        }
    };
    check(&["--set", "measure.epoch=1ns"], "command line:1:21: a run of ", "memory; give ");
    let default = ["--for", "60d", "--set", "measure.epoch="];
    check(&default, "command line:1:7: a run of 5184000s", "set measure.epoch to 13s or more");
}
