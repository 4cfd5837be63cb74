//! Whether colors go to a stream.

use std::env;
use std::io::IsTerminal;

/// Whether colors go there: to terminals that know them, unless `NO_COLOR` is set; anywhere where
/// `CLICOLOR_FORCE` is.
pub fn has_color(stream: &impl IsTerminal) -> bool {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let is_dumb = set("TERM").is_some_and(|term| term == "dumb");
    let is_forced = set("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    wants_color(set("NO_COLOR").is_some(), is_forced, is_dumb, stream.is_terminal())
}

fn wants_color(no_color: bool, is_forced: bool, is_dumb: bool, is_terminal: bool) -> bool {
    !no_color && (is_forced || is_terminal && !is_dumb)
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
}
