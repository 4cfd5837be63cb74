//! Colors only where they are wanted, and nothing of others' that steers a terminal.

use std::process::{Command, Output};

use crate::command::{File, peerlet, root, text};

const BAD: &str = "peerz = 3\npeers = 5\nfor = \"5s\"\n";
const STEERS: &str = "\x1b[31mred\u{9b}2J\u{202e}\x07";
const SHOWN: &str = "\\u{1b}[31mred\\u{9b}2J\\u{202e}\\u{7}";

fn check_with(variables: &[(&str, &str)], path: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerlet"));
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "TERM"] {
        command.env_remove(name);
    }
    let command = command.args(["check", path]).envs(variables.iter().copied());
    command.current_dir(root()).output().expect("the command runs")
}

#[test]
fn errors_have_colors_only_where_they_are_wanted() {
    let file = File::new("color.toml", BAD);
    let path = file.0.display().to_string();
    let colored = |variables: &[(&str, &str)]| {
        let output = check_with(variables, &path);
        assert_eq!(output.status.code(), Some(2));
        text(&output.stderr).contains('\x1b')
    };
    assert!(!colored(&[]), "it is no terminal");
    assert!(colored(&[("CLICOLOR_FORCE", "1")]));
    assert!(!colored(&[("CLICOLOR_FORCE", "0")]));
    assert!(!colored(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

/// On a terminal that util-linux's `script` makes, where there is one.
#[test]
fn terminals_that_want_no_colors_get_none() {
    let version = Command::new("script").arg("--version").output();
    if !version.is_ok_and(|version| text(&version.stdout).contains("util-linux")) {
        return println!("passed over: there is no script of util-linux (1 case)");
    }
    let file = File::new("terminal.toml", BAD);
    let shown = |variables: &[(&str, &str)]| {
        let command = format!("{} check {}", env!("CARGO_BIN_EXE_peerlet"), file.0.display());
        let mut script = Command::new("script");
        for name in ["NO_COLOR", "CLICOLOR_FORCE"] {
            script.env_remove(name);
        }
        let script = script.args(["-qec", &command, "/dev/null"]).envs(variables.iter().copied());
        let output = script.output().expect("it runs");
        let said = text(&output.stdout);
        assert!(said.contains("unknown key `peerz`"), "{said}");
        said.contains('\x1b')
    };
    assert!(shown(&[("TERM", "xterm")]));
    assert!(!shown(&[("TERM", "xterm"), ("NO_COLOR", "1")]));
    assert!(!shown(&[("TERM", "dumb")]));
}

/// The same of help, of what is wrong with a command line, of logs, results and progress.
#[test]
fn terminals_that_want_no_colors_get_none_from_any_command() {
    let version = Command::new("script").arg("--version").output();
    if !version.is_ok_and(|version| text(&version.stdout).contains("util-linux")) {
        return println!("passed over: there is no script of util-linux (1 case)");
    }
    let scenario = "peers = 3\nfor = \"1s\"\n[stack]\nbootstrap = {}\n";
    let file = File::new("no-color.toml", scenario);
    let path = file.0.display();
    let colored = |arguments: &str, no_color: Option<&str>| {
        let command = format!("{} {arguments}", env!("CARGO_BIN_EXE_peerlet"));
        let mut script = Command::new("script");
        let script = script.args(["-qec", &command, "/dev/null"]).env("TERM", "xterm");
        script.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        let script = script.envs(no_color.map(|value| ("NO_COLOR", value)));
        let shown = text(&script.output().expect("it runs").stdout);
        // Colors, bold and underlined text end with an `m`; others move the cursor.
        let mut steps = shown.split("\x1b[").skip(1);
        steps.any(|step| {
            step.find(|c: char| c.is_ascii_alphabetic())
                .is_some_and(|at| step[at..].starts_with('m'))
        })
    };
    let help = ["--help", "sim --help", "sim --no-such-option"];
    for arguments in help {
        assert!(colored(arguments, None) && colored(arguments, Some("")), "{arguments}");
    }
    let runs = ["sim", "live --shards 1", "emulate"].map(|world| format!("{world} -vv {path}"));
    for arguments in help.into_iter().chain(runs.iter().map(String::as_str)) {
        assert!(!colored(arguments, Some("1")), "{arguments}");
    }
}

/// Whether a text would steer a terminal; none may.
fn steers(text: &str) -> bool {
    text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t') || c == '\u{202e}')
}

#[test]
fn titles_and_names_of_others_are_shown_and_steer_nothing() {
    let title = format!("title = \"{}\"\n", STEERS.escape_unicode());
    let title = title.replace("\\u{", "\\U").replace('}', "");
    let title = pad(&title);
    let scenario = format!("{title}peers = 3\nfor = \"2s\"\n[stack]\nbootstrap = {{}}\n");
    let file = File::new("steers.toml", &scenario);
    let path = file.0.display().to_string();
    for command in [&["check", &path][..], &["sim", &path], &["sim", &path, "--json"]] {
        let output = peerlet(command);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(!steers(&said), "{command:?}: {said:?}");
        let is_json = command.contains(&"--json");
        assert!(is_json || said.contains(SHOWN), "{command:?}: {said}");
        if is_json {
            let json: serde_json::Value = serde_json::from_str(&said).expect("it is JSON");
            assert_eq!(json["scenario"], STEERS);
        }
    }
}

/// TOML's escapes have eight digits.
fn pad(text: &str) -> String {
    let mut parts = text.split("\\U");
    let mut padded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(part.len()).min(4);
        let digits = part[..digits].len();
        padded += &format!("\\U{:0>8}{}", &part[..digits], &part[digits..]);
    }
    padded
}

#[test]
fn errors_show_what_others_wrote_and_steer_nothing() {
    let key = format!("\"pe{STEERS}\" = 3\npeers = 5\n");
    let raw = File::new("raw.toml", &key);
    let named = File::new(&format!("na{STEERS}me.toml"), BAD);
    let [raw, named] = [&raw, &named].map(|file| file.0.display().to_string());
    let unknown = format!("--x{STEERS}");
    let missing = format!("no{STEERS}.toml");
    let stack = format!("stack.x{STEERS}=1");
    for command in [
        &["check", &raw][..],
        &["check", &named],
        &["check", &missing],
        &["check", &unknown],
        &["sim", "scenarios/first.toml", "--set", &stack],
        &["sim", "scenarios/first.toml", "--network", STEERS],
        &["compare", &missing, &missing],
        &["live", "scenarios/first.toml", "--join", &missing, "--for", "1s"],
    ] {
        let output = peerlet(command);
        let said = text(&output.stderr);
        assert!(matches!(output.status.code(), Some(2 | 3)), "{command:?}: {said}");
        assert!(!said.is_empty() && !steers(&said), "{command:?}: {said:?}");
    }
}

#[test]
fn warnings_of_several_seeds_say_of_which() {
    let output = peerlet(&["sim", "scenarios/protopeer.toml", "--for", "10s", "--seeds", "3..4"]);
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    assert!(!lines.is_empty() && lines.len().is_multiple_of(2), "{said}");
    let (three, four) = lines.split_at(lines.len() / 2);
    assert!(three.iter().all(|line| line.starts_with("seed 3: ")), "{said}");
    assert!(four.iter().all(|line| line.starts_with("seed 4: ")), "{said}");
}
