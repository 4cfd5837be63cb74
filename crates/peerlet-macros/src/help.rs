//! Help texts out of doc comments.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The first sentence of a doc comment as a help text: on one line, without its full stop, and in
/// lower case at its start unless that is an abbreviation. Empty where there is no comment.
pub(crate) fn of(attributes: &[Attribute]) -> String {
    let texts: Vec<String> = attributes.iter().filter_map(text).collect();
    let lines = texts.iter().flat_map(|text| text.split('\n')).map(bare);
    let lines = lines.skip_while(|line| line.is_empty());
    let paragraph: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    lower_case(first_sentence(&paragraph.join(" ")))
}

/// A line without the blanks around it, and without the star that begins the lines of a block
/// comment.
fn bare(line: &str) -> &str {
    let line = line.trim();
    match line.strip_prefix('*') {
        Some(rest) if rest.is_empty() || rest.starts_with(' ') => rest.trim(),
        _ => line,
    }
}

/// The text of a `#[doc = ".."]`, which is what a doc comment is to a macro: one line, or all lines
/// of a block comment.
fn text(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(meta) = &attribute.meta else { return None };
    match &meta.value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if meta.path.is_ident("doc") => {
            Some(text.value())
        }
        _ => None,
    }
}

/// The text up to its first full stop, without it. A full stop that a small letter follows ends an
/// abbreviation.
fn first_sentence(text: &str) -> &str {
    let ends = text.match_indices('.').map(|(place, _)| place).find(|place| {
        let rest = &text[place + 1..];
        let follows_small = rest.trim_start().starts_with(char::is_lowercase);
        rest.is_empty() || (rest.starts_with(char::is_whitespace) && !follows_small)
    });
    &text[..ends.unwrap_or(text.len())]
}

fn lower_case(sentence: &str) -> String {
    let mut characters = sentence.chars();
    let Some(first) = characters.next() else { return String::new() };
    let rest = characters.as_str();
    if rest.starts_with(|second: char| second.is_uppercase() || second.is_ascii_digit()) {
        return sentence.to_owned();
    }
    first.to_lowercase().chain(rest.chars()).collect()
}

#[cfg(test)]
mod tests {
    use syn::{ItemStruct, parse_quote};

    use super::*;

    fn check(item: ItemStruct, expected: &str) {
        assert_eq!(of(&item.attrs), expected);
    }

    #[test]
    fn the_first_sentence_is_the_help() {
        check(
            parse_quote!(
                #[doc = " Time between two greetings."]
                struct S;
            ),
            "time between two greetings",
        );
        check(
            parse_quote!(
                #[doc = " Hops. 1 to 9; default 3."]
                struct S;
            ),
            "hops",
        );
        check(
            parse_quote!(
                #[doc = ""]
                #[doc = " Hops, e.g. those"]
                #[doc = " of 1.5 s. More."]
                struct S;
            ),
            "hops, e.g. those of 1.5 s",
        );
        check(
            parse_quote!(
                #[doc = " A peer"]
                #[doc = ""]
                #[doc = " more"]
                struct S;
            ),
            "a peer",
        );
    }

    #[test]
    fn a_block_comment_is_read_as_lines_are() {
        check(
            parse_quote!(
                #[doc = "\n     * Hops, at\n     * most 9.\n     *\n     * More.\n     "]
                struct S;
            ),
            "hops, at most 9",
        );
    }

    #[test]
    fn abbreviations_stay_as_they_are() {
        check(
            parse_quote!(
                #[doc = " RTT of a pair."]
                struct S;
            ),
            "RTT of a pair",
        );
        check(
            parse_quote!(
                #[derive(Debug)]
                struct S;
            ),
            "",
        );
        check(
            parse_quote!(
                #[doc(hidden)]
                struct S;
            ),
            "",
        );
    }
}
