//! The rules of standard output and standard error: colors only where they are wanted, and nothing
//! from others that would steer a terminal.

use std::env;
use std::io::IsTerminal;

use peerlet_scenario::is_steering;
use serde::Serialize;

/// Whether colors go there: to terminals that know them, unless `NO_COLOR` is set; anywhere where
/// `CLICOLOR_FORCE` is.
pub(crate) fn has_color(stream: &impl IsTerminal) -> bool {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let is_dumb = set("TERM").is_some_and(|term| term == "dumb");
    let is_forced = set("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    wants_color(set("NO_COLOR").is_some(), is_forced, is_dumb, stream.is_terminal())
}

fn wants_color(no_color: bool, is_forced: bool, is_dumb: bool, is_terminal: bool) -> bool {
    !no_color && (is_forced || is_terminal && !is_dumb)
}

/// A value as one line of JSON. Characters that would steer a terminal are escaped, which any
/// reader of JSON reads as the same.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("results are plain values");
    let mut line = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        match is_steering(character) {
            true => line += &format!("\\u{:04x}", u32::from(character)),
            false => line.push(character),
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_for_terminals_that_want_them() {
        assert!(wants_color(false, false, false, true));
        assert!(!wants_color(false, false, false, false), "a file");
        assert!(!wants_color(true, true, false, true), "NO_COLOR");
        assert!(!wants_color(false, false, true, true), "a dumb terminal");
        assert!(wants_color(false, true, false, false), "CLICOLOR_FORCE");
    }

    #[test]
    fn json_reads_as_the_same_and_steers_no_terminal() {
        let text = "a\x1b[31m\u{7f}\u{9b}\u{202e}\tü\n";
        let line = json_line(&text);
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        assert_eq!(line, "\"a\\u001b[31m\\u007f\\u009b\\u202e\\tü\\n\"\n");
    }
}
