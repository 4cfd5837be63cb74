//! Text of others, made fit for a terminal.

use std::borrow::Cow;

/// The text with every character that could steer a terminal written out, such as `\u{1b}`:
/// control characters but tabs and line feeds, and those that change the direction of text.
///
/// Titles, names, file names and the words of other processes go through it before they are shown.
///
/// ```
/// use peerlet_scenario::printable;
/// assert_eq!(printable("a plain title"), "a plain title");
/// assert_eq!(printable("red \x1b[31m"), "red \\u{1b}[31m");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_steering) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match is_steering(character) {
            true => shown.extend(character.escape_unicode()),
            false => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal would act on the character instead of showing it.
pub fn is_steering(character: char) -> bool {
    let turns_text = matches!(
        character,
        '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    turns_text || character.is_control() && !matches!(character, '\t' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_steers_a_terminal() {
        for (text, shown) in [
            ("tab\tline\n", "tab\tline\n"),
            ("Zürich 東京 🙂", "Zürich 東京 🙂"),
            ("\r\u{7}\u{7f}", "\\u{d}\\u{7}\\u{7f}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}gnp.exe", "\\u{202e}gnp.exe"),
        ] {
            assert_eq!(printable(text), shown);
        }
        assert!(matches!(printable("plain"), Cow::Borrowed(_)));
    }
}
