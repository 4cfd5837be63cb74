//! The lines of a table in a text, cut into cells: separators, quotes and comments.

use std::borrow::Cow;

use super::MatrixError;

/// The separator of the cells of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Separator {
    /// Any white space, as much as there is.
    Blanks,
    /// One of this character, with blanks around it or not.
    Character(char),
}

/// One cell of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cell<'a> {
    /// The text, without quotes and the blanks around it.
    pub(super) text: Cow<'a, str>,
    /// The column in the line, in characters from 1.
    column: usize,
}

/// One line that has cells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct TextLine<'a> {
    /// Its number in the file, from 1.
    pub(super) number: usize,
    pub(super) cells: Vec<Cell<'a>>,
}

impl TextLine<'_> {
    /// The error for a cell that should be a number.
    pub(super) fn word(&self, cell: usize) -> MatrixError {
        let Cell { text, column } = &self.cells[cell];
        let word = text.chars().take(40).collect();
        MatrixError::Word { line: self.number, column: *column, word }
    }
}

/// A cell as a number.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Number {
    /// A finite number from 0 on.
    Value(f64),
    /// There is none: the cell is empty or says so, or the number is negative.
    None,
}

/// Words for a number that is not there, in lower case.
const NONES: [&str; 8] = ["", "-", "na", "n/a", "nan", "null", "none", "?"];

impl Cell<'_> {
    /// The number in the cell; `None` when it is no number and does not say that there is none.
    pub(super) fn number(&self) -> Option<Number> {
        match self.text.parse::<f64>() {
            Ok(number) if number.is_infinite() => None,
            Ok(number) if number >= 0.0 => Some(Number::Value(number)),
            Ok(_) => Some(Number::None),
            Err(_) => self.says_none().then_some(Number::None),
        }
    }

    /// Whether it can be in a line of numbers; infinities are refused there, and are no names.
    pub(super) fn is_numeric(&self) -> bool {
        self.text.parse::<f64>().is_ok() || self.says_none()
    }

    /// Whether it can be the number of a host.
    pub(super) fn is_host(&self) -> bool {
        !self.text.is_empty() && self.text.bytes().all(|byte| byte.is_ascii_digit())
    }

    fn says_none(&self) -> bool {
        NONES.iter().any(|none| self.text.eq_ignore_ascii_case(none))
    }
}

/// The lines of a text that have cells, in order. Empty lines and comments have none.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    text: &'a str,
    separator: Separator,
}

impl<'a> Lines<'a> {
    /// The lines of a text, whose first one shows what separates the cells of all.
    pub(super) fn new(text: &'a str) -> Lines<'a> {
        let first = text.lines().find(|line| has_cells(line)).unwrap_or_default();
        Lines { text, separator: separator(first) }
    }

    /// How many lines there are.
    pub(super) fn count(&self) -> usize {
        self.text.lines().filter(|line| has_cells(line)).count()
    }

    /// The lines, cut into at most this many cells each.
    pub(super) fn iter(
        &self,
        cells_max: usize,
    ) -> impl Iterator<Item = Result<TextLine<'a>, MatrixError>> + use<'a> {
        let separator = self.separator;
        let lines = self.text.lines().enumerate().filter(|(_, line)| has_cells(line));
        lines.map(move |(i, line)| cut(line, i + 1, separator, cells_max))
    }
}

/// Whether a line has more than blanks and a comment.
pub(super) fn has_cells(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with('#')
}

/// The separator that a line shows: a semicolon, else a tab, else a comma, else blanks.
fn separator(line: &str) -> Separator {
    let (mut bare, mut is_quoted) = (String::new(), false);
    for c in line.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            '#' if !is_quoted => break,
            c if !is_quoted => bare.push(c),
            _ => {}
        }
    }
    // Tabs may stand for blanks among others: then some of what is between two has several numbers.
    let has_numbers = |cell: &str| {
        let mut words = cell.split_whitespace();
        words.clone().nth(1).is_some() && words.all(|word| word.parse::<f64>().is_ok())
    };
    if bare.contains(';') {
        Separator::Character(';')
    } else if bare.trim().contains('\t') && !bare.split('\t').any(has_numbers) {
        Separator::Character('\t')
    } else if bare.contains(',') {
        Separator::Character(',')
    } else {
        Separator::Blanks
    }
}

/// Cuts a line into its cells, up to this many.
fn cut(
    line: &str,
    number: usize,
    separator: Separator,
    cells_max: usize,
) -> Result<TextLine<'_>, MatrixError> {
    let (mut cells, mut at) = (Vec::new(), 0);
    let is_blank = |c: char| c.is_whitespace() && separator != Separator::Character(c);
    let skip = |at: usize| line.len() - line[at..].trim_start_matches(is_blank).len();
    let (mut seen, mut column) = (0, 1);
    while cells.len() < cells_max {
        at = skip(at);
        let rest = &line[at..];
        column += line[seen..at].chars().count();
        seen = at;
        if separator == Separator::Blanks && (rest.is_empty() || rest.starts_with('#')) {
            break;
        }
        let text;
        (text, at) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let wrong = MatrixError::Quote { line: number, column };
                let (text, length) = unquote(quoted).ok_or(wrong)?;
                (text, at + 1 + length)
            }
            None => {
                let ends = |c: char| match separator {
                    _ if c == '#' => true,
                    Separator::Blanks => c.is_whitespace(),
                    Separator::Character(separator) => c == separator,
                };
                let length = rest.find(ends).unwrap_or(rest.len());
                (Cow::Borrowed(rest[..length].trim()), at + length)
            }
        };
        cells.push(Cell { text, column });
        at = skip(at);
        let next = line[at..].chars().next();
        match (separator, next) {
            (_, None | Some('#')) => break,
            (Separator::Blanks, Some(_)) => {}
            (Separator::Character(separator), Some(c)) if c == separator => at += c.len_utf8(),
            // Something behind a quote.
            (Separator::Character(_), Some(_)) => {
                return Err(MatrixError::Quote { line: number, column });
            }
        }
    }
    Ok(TextLine { number, cells })
}

/// The text up to the quote that ends it, and how long it was written; two quotes stand for one.
fn unquote(quoted: &str) -> Option<(Cow<'_, str>, usize)> {
    let mut from = 0;
    loop {
        let end = from + quoted[from..].find('"')?;
        if !quoted[end + 1..].starts_with('"') {
            let text = &quoted[..end];
            let text = match text.contains('"') {
                true => Cow::Owned(text.replace("\"\"", "\"").trim().to_owned()),
                false => Cow::Borrowed(text.trim()),
            };
            return Some((text, end + 1));
        }
        from = end + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_all(text: &str) -> Vec<Vec<String>> {
        let lines = Lines::new(text);
        let texts =
            |line: TextLine<'_>| line.cells.iter().map(|cell| cell.text.to_string()).collect();
        lines.iter(usize::MAX).map(|line| texts(line.unwrap())).collect()
    }

    #[test]
    fn separators_are_found_in_the_first_line() {
        let expected = vec![vec!["a b", "2"], vec!["", "3"]];
        for text in [
            "a b;2\n;3",
            "# a,b\n\n a b , 2 # so\n,3\n",
            "a b\t2\r\n\t3\r\n",
            "\"a b\",\"2\"\n\"\", 3",
        ] {
            assert_eq!(cut_all(text), expected, "{text:?}");
        }
        assert_eq!(cut_all("0 1\t 2\n\t3 4 5"), [["0", "1", "2"], ["3", "4", "5"]]);
        assert_eq!(cut_all("\"a; \"\"b\"\"\" 1"), [["a; \"b\"", "1"]]);
    }

    #[test]
    fn numbers_are_there_or_not() {
        let number = |text: &'static str| Cell { text: text.into(), column: 1 }.number();
        for none in ["", "-", "NA", "n/a", "nan", "NaN", "-1", "-0.5", "null", "?"] {
            assert_eq!(number(none), Some(Number::None), "{none}");
        }
        for (text, value) in [("0", 0.0), ("1e3", 1000.0), ("+2.5", 2.5), ("-0", 0.0)] {
            assert_eq!(number(text), Some(Number::Value(value)));
        }
        for wrong in ["inf", "-inf", "1,5", "10ms", "0x1f", "fast"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn quotes_that_do_not_end_are_refused_at_their_place() {
        for (text, location) in [("1,2\n3, \"4\n", (2, 4)), ("\"1\"2,3", (1, 1))] {
            let lines = Lines::new(text);
            let error = lines.iter(9).find_map(Result::err);
            let Some(MatrixError::Quote { line, column }) = error else { panic!("{error:?}") };
            assert_eq!((line, column), location);
        }
    }
}
