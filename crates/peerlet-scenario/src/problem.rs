//! Problems of a scenario: where, what, and what to do about it.

use std::fmt;
use std::ops::Range;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, MietteError, MietteSpanContents,
    SourceCode, SourceSpan, SpanContents,
};

use crate::printable::printable;
use crate::source::Source;

/// The most problems that are reported at once: more than a screen helps nobody.
pub const PROBLEMS_MAX: usize = 20;

/// One thing wrong with a scenario. Displays as one line, `file:line:column: message`;
/// [`Problem::render`] adds the offending line, a caret and the remedy.
#[derive(Clone, Debug, Diagnostic)]
pub struct Problem {
    name: String,
    message: String,
    #[source_code]
    line: SourceLine,
    #[label]
    caret: SourceSpan,
    #[help]
    help: Option<Box<str>>,
    is_unreadable: bool,
}

impl Problem {
    /// The problem that `message` tells of this range of the source; `help` is the remedy, and may
    /// be empty.
    pub fn new(
        source: &Source,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Problem {
        let text = &*source.text;
        let start = boundary(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find(['\r', '\n']).map_or(text.len(), |length| start + length);
        // The caret stays on its line, and has a column even behind the last character.
        let end = boundary(text, span.end.clamp(start, line_end));
        let (left, right) = window(&text[line_start..line_end], start - line_start);
        let (left, right) = (line_start + left, line_start + right);
        let end = end.min(right);
        let cut = |is_cut: bool| if is_cut { CUT } else { "" };
        let (before, behind) = (cut(left > line_start), cut(right < line_end));
        let mut line = format!("{before}{}{behind}", &text[left..right]);
        if start == line_end {
            line.push(' ');
        }
        let help = help.into();
        // Others wrote all of this, and it may be shown on a terminal.
        let shown = |text: &str| printable(text).into_owned();
        let before = before.len() + shown(&text[left..start]).len();
        let marked = shown(&text[start..end]).len();
        Problem {
            name: shown(&source.name.replace('\n', "\\n")),
            message: shown(&with_short_quotes(&message.into()).replace('\n', "; ")),
            line: SourceLine {
                text: shown(&line),
                number: text[..line_start].matches('\n').count() as u32 + 1,
                column: text[line_start..start].chars().count() as u32 + 1,
            },
            caret: (before, marked.max(1)).into(),
            help: (!help.is_empty()).then(|| shown(&with_short_quotes(&help)).into()),
            is_unreadable: false,
        }
    }

    /// The same problem, marked as one of reading: the scenario may be right, and a file that it
    /// names cannot be read.
    pub fn unreadable(self) -> Problem {
        Problem { is_unreadable: true, ..self }
    }

    /// The location as `file:line:column`; lines and columns (in characters) count from 1.
    pub fn location(&self) -> String {
        format!("{}:{}:{}", self.name, self.line.number, self.line.column)
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The remedy.
    pub fn remedy(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Renders the problem; in color for a terminal, else in plain ASCII.
    pub fn render(&self, color: bool) -> String {
        let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
        let handler =
            GraphicalReportHandler::new_themed(theme).with_wrap_lines(false).with_links(color);
        let mut rendered = String::new();
        let result = handler.render_report(&mut rendered, self);
        result.expect("a line held in memory can be rendered");
        // Editors find the location when the line begins with it, so miette's first line gives way.
        let snippet = rendered.split_once('\n').map_or("", |(_, snippet)| snippet);
        match color {
            true => format!("\x1b[1m{self}\x1b[0m\n{snippet}"),
            false => format!("{self}\n{snippet}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location(), self.message)
    }
}

impl std::error::Error for Problem {}

/// The one line that a problem shows; its number and the problem's column in it count from 1.
#[derive(Clone, Debug)]
struct SourceLine {
    text: String,
    number: u32,
    column: u32,
}

impl SourceCode for SourceLine {
    fn read_span<'a>(
        &'a self,
        _span: &SourceSpan,
        _lines_before: usize,
        _lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let all = (0, self.text.len()).into();
        let number = self.number as usize - 1;
        let line = MietteSpanContents::new(self.text.as_bytes(), all, number, 0, 1);
        Ok(Box::new(line))
    }
}

/// Characters of a line that are shown before the caret, and from it on.
const BEFORE_MAX: usize = 80;
const BEHIND_MAX: usize = 120;
/// Characters of a user's text that a message repeats.
pub const QUOTED_MAX: usize = 200;
/// The mark of an omission.
const CUT: &str = "...";

/// The part of a line that is shown, with a caret at this byte.
fn window(line: &str, caret: usize) -> (usize, usize) {
    let left = line[..caret].char_indices().rev().nth(BEFORE_MAX - 1).map_or(0, |(at, _)| at);
    let right = line[caret..].char_indices().nth(BEHIND_MAX);
    (left, right.map_or(line.len(), |(at, _)| caret + at))
}

/// A message with long quotes of a user's text, which stand in backquotes, cut in their middle.
fn with_short_quotes(message: &str) -> String {
    let mut parts: Vec<String> = message.split('`').map(str::to_owned).collect();
    parts.iter_mut().skip(1).step_by(2).for_each(|quoted| *quoted = shortened(quoted));
    parts.join("`")
}

/// A user's text, cut in its middle where it is longer than [`QUOTED_MAX`].
pub fn shortened(text: &str) -> String {
    let characters = text.chars().count();
    if characters <= QUOTED_MAX {
        return text.to_owned();
    }
    let head: String = text.chars().take(QUOTED_MAX / 2).collect();
    let tail: String = text.chars().skip(characters - QUOTED_MAX / 4).collect();
    format!("{head}{CUT}{tail}")
}

/// The last location at or before this byte where a character begins or the text ends.
fn boundary(text: &str, byte: usize) -> usize {
    let byte = byte.min(text.len());
    (0..=byte).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0)
}

/// The problems of a scenario, [`PROBLEMS_MAX`] at most. Displays as rendered in plain ASCII, and
/// is the same for `Debug`, so that an `unwrap` in a test shows the scenario's lines.
#[derive(Clone)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Whether nothing is wrong but files that cannot be read.
    pub fn are_unreadable(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|problem| problem.is_unreadable)
    }

    /// Renders all problems; in color for a terminal, else in plain ASCII.
    pub fn render(&self, color: bool) -> String {
        let mut rendered: String = self.0.iter().map(|problem| problem.render(color)).collect();
        if self.0.len() == PROBLEMS_MAX {
            rendered.push_str("there may be more; these are the first\n");
        }
        rendered
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Problems {
        Problems(vec![problem])
    }
}

/// The name that was probably meant: the known one nearest in spelling, when a third of the letters
/// or less differ.
///
/// ```
/// use peerlet_scenario::suggest;
/// assert_eq!(suggest("los", &["loss", "model"]), Some("loss"));
/// assert_eq!(suggest("speed", &["loss", "model"]), None);
/// ```
pub fn suggest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&written, &name.to_lowercase());
    let limit = (written.chars().count() / 3).max(1);
    let near = known.iter().map(|name| (distance(name), *name)).filter(|(d, _)| *d <= limit);
    near.min_by_key(|(d, _)| *d).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_problem_is_drawn_with_its_line() {
        let source = Source::new("é.toml", "a = 1\nü = 2 # two\nb = 3\n");
        let problem = Problem::new(&source, 11..12, "`ü` is 2", "make it 3");
        assert_eq!(problem.to_string(), "é.toml:2:5: `ü` is 2");
        expect![[r#"
            é.toml:2:5: `ü` is 2
               ,----
             2 | ü = 2 # two
               :     ^
               `----
              help: make it 3
        "#]]
        .assert_eq(&problem.render(false));
        assert!(problem.render(true).contains("\u{1b}["), "colors are asked for");
    }

    #[test]
    fn an_unwrapped_problem_reads_as_a_drawn_one() {
        let problem = Problem::new(&Source::new("a.toml", "a = 1"), 4..5, "`a` is 1", "make it 2");
        let problems = Problems::from(problem);
        assert_eq!(format!("{problems:?}"), problems.to_string());
    }

    #[test]
    fn no_text_of_others_steers_the_terminal() {
        let source = Source::new("a\x1b[2J\n.toml", "title = \"\x1b[31m\u{9b}\" # \r\x07\nb");
        let problem = Problem::new(&source, 9..14, "no \x1bx", "do \x08y");
        let plain = problem.render(false);
        assert!(!plain.contains(|c: char| c.is_control() && c != '\n'), "{plain:?}");
        expect![[r#"
            a\u{1b}[2J\n.toml:1:10: no \u{1b}x
               ,----
             1 | title = "\u{1b}[31m\u{9b}" # 
               :          ^^^^^^^^^^
               `----
              help: do \u{8}y
        "#]]
        .assert_eq(&plain);
        let location = problem.location();
        assert!(!location.contains(char::is_control), "{location:?}");
    }

    #[test]
    fn long_lines_are_shown_around_the_caret() {
        let text = format!("a = \"{}\" # {}\n", "é".repeat(5_000), "b".repeat(5_000));
        let at = text.find('#').unwrap();
        let said = format!("`{}` is long", "é".repeat(5_000));
        let problem = Problem::new(&Source::new("x", text.as_str()), at..at + 5_000, said, "");
        assert!(problem.location().starts_with("x:1:5008"), "{}", problem.location());
        let rendered = problem.render(false);
        assert!(rendered.chars().count() < 700, "{rendered}");
        let lines: Vec<&str> = rendered.lines().collect();
        let column = |line: &str, mark| line.chars().position(|c| c == mark);
        assert_eq!(column(lines[2], '#'), column(lines[3], '^'), "{rendered}");
        assert!(lines[2].contains(" ...é") && lines[2].ends_with("b..."), "{rendered}");
    }

    #[test]
    fn any_range_can_be_drawn() {
        for text in ["", "\n", "ü", "a\r\nb"] {
            let source = Source::new("x", text);
            for span in [0..0, 0..1, 1..2, 1..100, 50..60] {
                let rendered = Problem::new(&source, span, "wrong", "").render(false);
                assert!(rendered.contains("x:"), "{rendered}");
            }
        }
    }
}
