//! JSON that is safe to print.

use peerlet_scenario::is_steering;
use serde::Serialize;

/// A value as one line of JSON. Characters that would steer a terminal are escaped, which any
/// reader of JSON reads as the same.
pub fn json_line(value: &impl Serialize) -> String {
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
    fn json_reads_as_the_same_and_steers_no_terminal() {
        let text = "a\x1b[31m\u{7f}\u{9b}\u{202e}\tü\n";
        let line = json_line(&text);
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        assert_eq!(line, "\"a\\u001b[31m\\u007f\\u009b\\u202e\\tü\\n\"\n");
    }
}
