//! The calls of event lines: `Peer.stop()`, `Peer.Router.setDropMessages(true)`.

use std::fmt;
use std::ops::Range;

use peerlet_core::runtime::{SeatSet, TEXT_ESCAPES, Tampering};
use peerlet_core::{Duration, DurationError, Value};

use crate::problem::suggest;
use crate::refusal::Refusal;

/// The action of an event on a peer or on the network.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// A new life begins.
    Start,
    /// The life ends in order; state is kept.
    Stop,
    /// The life ends at once; state is lost.
    Crash,
    /// A crash, and a start at the same instant.
    Restart,
    /// It handles nothing for so long.
    Pause(Duration),
    /// It tampers with what it sends.
    Tamper(Tampering),
    /// A peerlet is told to do something.
    Command {
        /// The peerlet's name as written; compare it by [`normalize`].
        peerlet: String,
        /// The command's name as written; compare it by [`normalize`].
        name: String,
        /// The arguments, in order.
        arguments: Vec<Value>,
    },
    /// The network between it and others changes.
    Network {
        /// The call's name as written; compare it by [`normalize`].
        name: String,
        /// The others that a cut, its end or a change of pairs names.
        from: Option<SeatSet>,
        /// The other arguments, in order.
        arguments: Vec<Value>,
    },
}

impl Action {
    /// Whether the peer is up after it: `None` for what changes nothing about that.
    pub fn leaves_up(&self) -> Option<bool> {
        match self {
            Action::Start | Action::Restart => Some(true),
            Action::Stop | Action::Crash => Some(false),
            Action::Pause(_)
            | Action::Tamper(_)
            | Action::Command { .. }
            | Action::Network { .. } => None,
        }
    }
}

impl fmt::Display for Action {
    /// Writes the call as an event line has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Start => f.write_str("Peer.start()"),
            Action::Stop => f.write_str("Peer.stop()"),
            Action::Crash => f.write_str("Peer.crash()"),
            Action::Restart => f.write_str("Peer.restart()"),
            Action::Pause(time) => write!(f, "Peer.pause({time})"),
            Action::Tamper(tampering) => write!(f, "Peer.tamper({tampering})"),
            Action::Command { peerlet, name, arguments } => {
                write!(f, "Peer.{peerlet}.{name}(")?;
                write_arguments(f, arguments)
            }
            Action::Network { name, from, arguments } => {
                write!(f, "Network.{name}(")?;
                if let Some(from) = from {
                    write!(f, "\"{from}\"{}", if arguments.is_empty() { "" } else { ", " })?;
                }
                write_arguments(f, arguments)
            }
        }
    }
}

/// Writes arguments and the end of their call.
fn write_arguments(f: &mut fmt::Formatter<'_>, arguments: &[Value]) -> fmt::Result {
    for (i, argument) in arguments.iter().enumerate() {
        write!(f, "{}{argument}", if i > 0 { ", " } else { "" })?;
    }
    f.write_str(")")
}

/// A name as names are compared: without regard to case or underscores.
///
/// ```
/// use peerlet_scenario::normalize;
/// assert_eq!(normalize("setDropMessages"), normalize("set_drop_messages"));
/// ```
pub fn normalize(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

/// The calls on peers themselves: how each is written, and what it does.
pub const PEER_CALLS: &[(&str, &str)] = &[
    ("start()", "begins a new life"),
    ("stop()", "ends the life in order: `stop` handlers run, state is kept"),
    ("crash()", "ends the life at once: no handler runs, state is lost"),
    ("restart()", "a crash, and a start at the same instant"),
    ("pause(TIME)", "lets the peer handle nothing for so long"),
    (
        "tamper([HOW, PROBABILITY])",
        "lets it drop, mutate, replay or equivocate what it sends; without arguments ends that",
    ),
];

const CALL_HELP: &str = "write Peer.stop() or Peer.NAME.command(arguments)";

/// Reads a call, which ends with the text or with a comment.
pub(crate) fn parse(text: &str) -> Result<Action, Refusal> {
    let Some(open) = text.find('(') else {
        let end = text.find('#').unwrap_or(text.len());
        let call = text[..end].trim_end();
        return Refusal::new(0..call.len(), format!("`{call}` is no call"), CALL_HELP);
    };
    let path = text[..open].trim_end();
    let names: Vec<&str> = path.split('.').collect();
    let is_name =
        |name: &&str| name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.is_empty();
    if !names.iter().all(is_name) {
        return Refusal::new(0..path.len(), format!("`{path}` is no name to call"), CALL_HELP);
    }
    let (arguments, end) = arguments(text, open)?;
    let rest = text[end..].trim_start();
    if !(rest.is_empty() || rest.starts_with('#')) {
        let at = text.len() - rest.len()..text.len();
        return Refusal::new(
            at,
            "the line goes on after its call",
            "put each call on its own line",
        );
    }
    let peer = normalize(names[0]) == "peer";
    match names.as_slice() {
        [_, name] if peer => lifecycle(name, path, &arguments),
        [_, peerlet, name] if peer => Ok(command(peerlet, name, arguments)),
        [network, name] if normalize(network) == "network" => {
            Ok(Action::Network { name: (*name).to_owned(), from: None, arguments })
        }
        [peerlet, name] => Ok(command(peerlet, name, arguments)),
        _ => Refusal::new(0..path.len(), format!("`{path}` leads to no command"), CALL_HELP),
    }
}

fn command(peerlet: &str, name: &str, arguments: Vec<Value>) -> Action {
    Action::Command { peerlet: peerlet.to_owned(), name: name.to_owned(), arguments }
}

/// A call on the peer itself.
fn lifecycle(name: &str, path: &str, arguments: &[Value]) -> Result<Action, Refusal> {
    let action = match normalize(name).as_str() {
        "start" => Action::Start,
        "stop" => Action::Stop,
        "crash" => Action::Crash,
        "restart" => Action::Restart,
        "pause" => {
            return match arguments {
                [Value::Duration(time)] if *time > Duration::ZERO => Ok(Action::Pause(*time)),
                _ => {
                    let message = format!("`{path}` takes how long, longer than zero");
                    let help = "give it with its unit, as in Peer.pause(3s)";
                    Refusal::new(0..path.len(), message, help)
                }
            };
        }
        "tamper" => return tamper(path, arguments),
        _ => {
            let known: Vec<&str> =
                PEER_CALLS.iter().filter_map(|(call, _)| call.split('(').next()).collect();
            let help = match suggest(name, &known) {
                Some(known) => format!("did you mean Peer.{known}()?"),
                None => "write start, stop, crash, restart, pause or tamper, or Network.CALL()"
                    .to_owned(),
            };
            return Refusal::new(0..path.len(), format!("a peer has no `{name}`"), help);
        }
    };
    if !arguments.is_empty() {
        let message = format!("`{path}` takes no arguments");
        return Refusal::new(0..path.len(), message, format!("write {action}"));
    }
    Ok(action)
}

/// A call that lets a peer tamper with what it sends.
fn tamper(path: &str, arguments: &[Value]) -> Result<Action, Refusal> {
    let tampering = match arguments {
        [] => Some(Tampering::End),
        [Value::Text(how), Value::Float(probability)] => Tampering::read(how, *probability),
        [Value::Text(how), Value::Integer(probability)] => {
            Tampering::read(how, *probability as f64)
        }
        _ => None,
    };
    if let Some(tampering) = tampering {
        return Ok(Action::Tamper(tampering));
    }
    let message = match arguments {
        [Value::Text(how), Value::Float(_) | Value::Integer(_)] => {
            match Tampering::NAMES.contains(&how.as_str()) {
                true => "a probability is a number from 0 to 1".to_owned(),
                false => format!("a peer cannot tamper by `{how}`"),
            }
        }
        _ => format!("`{path}` takes how, and a probability"),
    };
    let ways = Tampering::NAMES.join(", ");
    let help = format!("write Peer.tamper(\"drop\", 0.1), the ways are {ways}");
    Refusal::new(0..path.len(), message, help)
}

/// Where a call ends in a text that begins with it; `None` where it has no arguments' parentheses.
pub(crate) fn end(text: &str) -> Option<usize> {
    arguments(text, text.find('(')?).ok().map(|(_, end)| end)
}

/// The range of an argument, counted from 0, in the text of a call.
pub(crate) fn argument_range(text: &str, argument: usize) -> Option<Range<usize>> {
    let mut ranges = Vec::new();
    arguments_at(text, text.find('(')?, &mut ranges).ok()?;
    ranges.get(argument).cloned()
}

/// Reads the arguments behind the parenthesis at `open`, and says where the call ends.
fn arguments(text: &str, open: usize) -> Result<(Vec<Value>, usize), Refusal> {
    arguments_at(text, open, &mut Vec::new())
}

/// As [`arguments`], and says where each of them is.
fn arguments_at(
    text: &str,
    open: usize,
    ranges: &mut Vec<Range<usize>>,
) -> Result<(Vec<Value>, usize), Refusal> {
    let mut values = Vec::new();
    let mut at = skip_space(text, open + 1);
    if text[at..].starts_with(')') {
        return Ok((values, at + 1));
    }
    loop {
        let (value, end) = match text[at..].chars().next() {
            Some(quote @ ('"' | '\'')) => quoted(text, at, quote)?,
            None | Some(',' | ')') => {
                let help = "separate arguments by commas and end with `)`";
                return Refusal::new(at..at, "an argument is missing", help);
            }
            _ => {
                let length = text[at..].find([',', ')', '#']).unwrap_or(text.len() - at);
                let word = text[at..at + length].trim_end();
                (plain(word).map_err(|refusal| refusal.shift(at))?, at + length)
            }
        };
        values.push(value);
        ranges.push(at..at + text[at..end].trim_end().len());
        at = skip_space(text, end);
        match text[at..].chars().next() {
            Some(',') => at = skip_space(text, at + 1),
            Some(')') => return Ok((values, at + 1)),
            _ => {
                let message = "the arguments do not end here";
                return Refusal::new(
                    at..at,
                    message,
                    "separate arguments by commas and end with `)`",
                );
            }
        }
    }
}

fn skip_space(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start().len()
}

/// Reads an argument that is not quoted.
fn plain(word: &str) -> Result<Value, Refusal> {
    let number = word.strip_prefix(['-', '+']).unwrap_or(word);
    let value = match word {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ if !number.starts_with(|c: char| c.is_ascii_digit() || c == '.') => None,
        _ => {
            let integer = word.parse().map(Value::Integer).ok();
            let float = || word.parse().ok().filter(|x: &f64| x.is_finite()).map(Value::Float);
            let is_whole = number.bytes().all(|byte| byte.is_ascii_digit());
            let duration = || word.parse().map(Value::Duration).ok();
            integer.or_else(|| if is_whole { None } else { float().or_else(duration) })
        }
    };
    let is_seats =
        word.contains('-') && word.bytes().all(|c| c.is_ascii_digit() || b"-,*".contains(&c));
    let help = match word {
        _ if word.ends_with('%') => "a share is a number from 0 to 1, as 0.1; peers are in quotes",
        _ if is_seats => "put peers in quotes, as in Network.cut(\"50-99\")",
        _ => "arguments are numbers, booleans, durations such as 1.5s, and texts in quotes",
    };
    // A duration that is too fine gets words of its own.
    let message = match word.parse::<Duration>() {
        Err(error @ (DurationError::Resolution(_) | DurationError::Range(_))) => error.to_string(),
        _ => format!("`{word}` is no argument"),
    };
    let refusal = || Refusal { at: 0..word.len(), message, help: help.into() };
    value.ok_or_else(refusal)
}

/// Reads the text in quotes at `start`, and says where it ends.
fn quoted(text: &str, start: usize, quote: char) -> Result<(Value, usize), Refusal> {
    let mut value = String::new();
    let mut characters = text[start + 1..].char_indices();
    while let Some((at, character)) = characters.next() {
        let at = start + 1 + at;
        match character {
            _ if character == quote => return Ok((Value::Text(value), at + 1)),
            '\\' => match characters.next().and_then(|(_, escape)| escaped(escape)) {
                Some(character) => value.push(character),
                None => {
                    let help = r#"write \\, \", \', \n, \r or \t"#;
                    return Refusal::new(at..at + 1, "the backslash stands for nothing", help);
                }
            },
            _ => value.push(character),
        }
    }
    let help = format!("close it with {quote}");
    Refusal::new(start..text.len(), "the text does not end", help)
}

fn escaped(escape: char) -> Option<char> {
    let known =
        TEXT_ESCAPES.iter().find(|(name, _)| *name == escape).map(|(_, character)| *character);
    known.or((escape == '\'').then_some('\''))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// The refusal of each text: the part that is wrong in brackets, the reason, the remedy.
    fn refused(texts: &[&str], expected: Expect) {
        let mut said = String::new();
        for text in texts {
            let refusal = parse(text).unwrap_err();
            let wrong = &text[refusal.at];
            said += &format!("{text} [{wrong}] {}\n    {}\n", refusal.message, refusal.help);
        }
        expected.assert_eq(&said);
    }

    #[test]
    fn calls_are_read_and_written() {
        for (text, written) in [
            ("Peer.start()", "Peer.start()"),
            ("peer.STOP( ) # enough", "Peer.stop()"),
            ("Peer.restart()", "Peer.restart()"),
            ("Peer.pause( 1.5s )", "Peer.pause(1.5s)"),
            ("Peer.tamper('mutate', 1)", "Peer.tamper(\"mutate\", 1.0)"),
            ("peer.tamper()", "Peer.tamper()"),
            ("Router.reset()", "Peer.Router.reset()"),
            ("Peer.Router.setDropMessages(true)", "Peer.Router.setDropMessages(true)"),
            ("network.cutOut( \"in-flight\")", "Network.cutOut(\"in-flight\")"),
            ("Network.loss(0.1, 3)", "Network.loss(0.1, 3)"),
            ("R.f(1,-2, +3 ,1.50,-1e3,.5)", "Peer.R.f(1, -2, 3, 1.5, -1000.0, 0.5)"),
            ("R.f(1.5s, 250ms,5m)", "Peer.R.f(1.5s, 250ms, 300s)"),
            (r##"R.f("a, (b)", 'c"#d')"##, r##"Peer.R.f("a, (b)", "c\"#d")"##),
            (r#"R.f("\\ \n \t \' \"")"#, r#"Peer.R.f("\\ \n \t ' \"")"#),
        ] {
            let action = parse(text).unwrap();
            assert_eq!(action.to_string(), written);
            assert_eq!(parse(written).unwrap(), action, "what is written reads as the same");
        }
    }

    #[test]
    fn durations_finer_than_time_are_refused() {
        refused(
            &["Network.jitter(0.4ns)", "Peer.pause(1.5 ns)"],
            expect![[r#"
                Network.jitter(0.4ns) [0.4ns] `0.4ns` is no whole number of nanoseconds; round it
                    arguments are numbers, booleans, durations such as 1.5s, and texts in quotes
                Peer.pause(1.5 ns) [1.5 ns] `1.5 ns` is no whole number of nanoseconds; round it
                    arguments are numbers, booleans, durations such as 1.5s, and texts in quotes
            "#]],
        );
    }

    #[test]
    fn arguments_have_their_place() {
        let text = "Network.loss( 0.1 , 'a,)' ,3s) # (4)";
        let range = |i| argument_range(text, i).map(|range| &text[range]);
        assert_eq!([range(0), range(1), range(2)], [Some("0.1"), Some("'a,)'"), Some("3s")]);
        assert_eq!((range(3), argument_range("Network.loss", 0)), (None, None));
    }

    #[test]
    fn bad_calls_are_refused() {
        refused(
            &[
                "Peer.stop # now",
                "Peer.stp()",
                "Peer.dance()",
                "Peer.stop(3)",
                "Peer.pause()",
                "Peer.pause(0s)",
                "Peer.tamper(\"drop\")",
                "Peer.tamper('steal', 0.1)",
                "Peer.tamper('drop', 2)",
                "stop()",
                "Peer..stop()",
                "a.b.c.d()",
                "R.f() R.g()",
            ],
            expect![[r#"
                Peer.stop # now [Peer.stop] `Peer.stop` is no call
                    write Peer.stop() or Peer.NAME.command(arguments)
                Peer.stp() [Peer.stp] a peer has no `stp`
                    did you mean Peer.stop()?
                Peer.dance() [Peer.dance] a peer has no `dance`
                    write start, stop, crash, restart, pause or tamper, or Network.CALL()
                Peer.stop(3) [Peer.stop] `Peer.stop` takes no arguments
                    write Peer.stop()
                Peer.pause() [Peer.pause] `Peer.pause` takes how long, longer than zero
                    give it with its unit, as in Peer.pause(3s)
                Peer.pause(0s) [Peer.pause] `Peer.pause` takes how long, longer than zero
                    give it with its unit, as in Peer.pause(3s)
                Peer.tamper("drop") [Peer.tamper] `Peer.tamper` takes how, and a probability
                    write Peer.tamper("drop", 0.1), the ways are drop, equivocate, mutate, replay
                Peer.tamper('steal', 0.1) [Peer.tamper] a peer cannot tamper by `steal`
                    write Peer.tamper("drop", 0.1), the ways are drop, equivocate, mutate, replay
                Peer.tamper('drop', 2) [Peer.tamper] a probability is a number from 0 to 1
                    write Peer.tamper("drop", 0.1), the ways are drop, equivocate, mutate, replay
                stop() [stop] `stop` leads to no command
                    write Peer.stop() or Peer.NAME.command(arguments)
                Peer..stop() [Peer..stop] `Peer..stop` is no name to call
                    write Peer.stop() or Peer.NAME.command(arguments)
                a.b.c.d() [a.b.c.d] `a.b.c.d` leads to no command
                    write Peer.stop() or Peer.NAME.command(arguments)
                R.f() R.g() [R.g()] the line goes on after its call
                    put each call on its own line
            "#]],
        );
    }

    #[test]
    fn bad_arguments_are_refused() {
        refused(
            &[
                "R.f(",
                "R.f(1",
                "R.f(1 2)",
                "R.f(1,)",
                "R.f(yes)",
                "R.f(9999999999999999999)",
                "R.f(inf)",
                "R.f(10%)",
                "R.f(50-99)",
                "R.f('x)",
                r#"R.f("\q")"#,
            ],
            expect![[r#"
                R.f( [] an argument is missing
                    separate arguments by commas and end with `)`
                R.f(1 [] the arguments do not end here
                    separate arguments by commas and end with `)`
                R.f(1 2) [1 2] `1 2` is no argument
                    arguments are numbers, booleans, durations such as 1.5s, and texts in quotes
                R.f(1,) [] an argument is missing
                    separate arguments by commas and end with `)`
                R.f(yes) [yes] `yes` is no argument
                    arguments are numbers, booleans, durations such as 1.5s, and texts in quotes
                R.f(9999999999999999999) [9999999999999999999] `9999999999999999999` is no argument
                    arguments are numbers, booleans, durations such as 1.5s, and texts in quotes
                R.f(inf) [inf] `inf` is no argument
                    arguments are numbers, booleans, durations such as 1.5s, and texts in quotes
                R.f(10%) [10%] `10%` is no argument
                    a share is a number from 0 to 1, as 0.1; peers are in quotes
                R.f(50-99) [50-99] `50-99` is no argument
                    put peers in quotes, as in Network.cut("50-99")
                R.f('x) ['x)] the text does not end
                    close it with '
                R.f("\q") [\] the backslash stands for nothing
                    write \\, \", \', \n, \r or \t
            "#]],
        );
    }
}
