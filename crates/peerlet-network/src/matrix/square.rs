//! Reading squares: a line a row, with the names of rows and columns or without.

use std::collections::BTreeMap;

use super::lines::{Lines, Number, TextLine};
use super::read::{cell, check_rows};
use super::{LatencyTable, MatrixError, NONE, ROWS_MAX, Unit};

/// The shape of a square: its size, and the names beside its numbers.
struct Shape {
    /// How many lines come before the first row.
    before: usize,
    /// The line that names the columns, and their names.
    columns: Option<(usize, Vec<String>)>,
    /// Whether each row begins with its name.
    has_names: bool,
    /// How many rows and columns there are.
    rows: usize,
}

impl LatencyTable {
    /// Reads a square.
    pub(super) fn from_square(lines: &Lines<'_>, unit: Unit) -> Result<LatencyTable, MatrixError> {
        let shape = Shape::of(lines)?;
        let Shape { rows, has_names, .. } = shape;
        check_rows(rows)?;
        let (mut cells, mut names) = (Vec::new(), Vec::new());
        let width = rows + usize::from(has_names);
        let mut count = 0;
        for line in lines.iter(ROWS_MAX + 2).skip(shape.before).take(ROWS_MAX + 1) {
            let line = line?;
            if line.cells.len() != width {
                let (line, cells) = (line.number, line.cells.len());
                return Err(MatrixError::Ragged { line, cells, first: width });
            }
            if has_names {
                names.push((line.number, line.cells[0].text.clone().into_owned()));
            }
            for index in width - rows..width {
                cells.push(round_trip(&line, index, (count, width - rows), unit)?);
            }
            count += 1;
        }
        if count > ROWS_MAX {
            return Err(MatrixError::TooManyRows { rows: count });
        }
        if count != rows {
            return Err(MatrixError::Oblong { lines: count, cells: rows });
        }
        arrange(shape.columns, &names, LatencyTable { rows, cells, names: Vec::new() })
    }
}

/// The number in a cell of a line, whose rows begin at `first`.
fn round_trip(
    line: &TextLine<'_>,
    index: usize,
    (row, first): (usize, usize),
    unit: Unit,
) -> Result<u32, MatrixError> {
    match line.cells[index].number() {
        None => Err(line.word(index)),
        Some(Number::None) => Ok(NONE),
        Some(Number::Value(value)) => cell(value, unit).ok_or(MatrixError::TooLong {
            line: line.number,
            from: row,
            to: index - first,
        }),
    }
}

/// Puts the columns into the order of the rows, by their names, and keeps the names.
fn arrange(
    columns: Option<(usize, Vec<String>)>,
    rows: &[(usize, String)],
    mut table: LatencyTable,
) -> Result<LatencyTable, MatrixError> {
    if let Some((line, columns)) = &columns {
        let mut seen = BTreeMap::new();
        if let Some(name) = columns.iter().find(|name| seen.insert(name.as_str(), ()).is_some()) {
            return Err(MatrixError::Label { line: *line, name: name.clone() });
        }
    }
    let mut indices = BTreeMap::new();
    for (line, name) in rows {
        if indices.insert(name.as_str(), indices.len()).is_some() {
            return Err(MatrixError::Label { line: *line, name: name.clone() });
        }
    }
    match columns {
        None => table.names = rows.iter().map(|(_, name)| name.clone()).collect(),
        Some((_, columns)) if rows.is_empty() => table.names = columns,
        Some((_, columns)) => {
            // Where each row's name stands among the columns.
            let mut order = vec![usize::MAX; table.rows];
            for (column, name) in columns.iter().enumerate() {
                if let Some(row) = indices.get(name.as_str()) {
                    order[*row] = column;
                }
            }
            if let Some(row) = order.iter().position(|column| *column == usize::MAX) {
                let (line, name) = rows[row].clone();
                return Err(MatrixError::Label { line, name });
            }
            if !order.is_sorted() {
                let by_row = |row: &[u32]| order.iter().map(|&c| row[c]).collect::<Vec<u32>>();
                let width = table.rows;
                table.cells = table.cells.chunks(width).flat_map(by_row).collect();
            }
            table.names = rows.iter().map(|(_, name)| name.clone()).collect();
        }
    }
    Ok(table)
}

impl Shape {
    /// The shape that the lines show.
    fn of(lines: &Lines<'_>) -> Result<Shape, MatrixError> {
        let mut first_two = lines.iter(ROWS_MAX + 2).take(2);
        let Some(first) = first_two.next() else { return Err(MatrixError::Empty) };
        let (first, second) = (first?, first_two.next().transpose()?);
        let (count, width) = (lines.count(), first.cells.len());
        let below = second.as_ref().map_or(0, |line| line.cells.len());
        let bare = Shape { before: 0, columns: None, has_names: false, rows: width };
        // How many rows there are, and nothing else.
        if width == 1 && below > 0 && below + 1 == count && first.cells[0].text.parse() == Ok(below)
        {
            return Ok(Shape { before: 1, rows: below, ..bare });
        }
        let are_words = first.cells.iter().skip(1).filter(|cell| !cell.is_numeric()).count();
        let corner = &first.cells[0];
        // A word among many numbers is a mistake, and no name.
        if 2 * are_words > width - 1 {
            let shape = Shape::named(&first, second.as_ref(), count);
            // A single host is more likely a number that was written wrong.
            return if shape.rows > 1 { Ok(shape) } else { Err(first.word(width - 1)) };
        }
        if are_words > 0 {
            let wrong = first.cells.iter().skip(1).position(|cell| !cell.is_numeric());
            return Err(first.word(1 + wrong.unwrap_or_default()));
        }
        if corner.text.is_empty() && width > 1 {
            return Shape::cornered(lines, &first, bare);
        }
        if !corner.is_numeric() {
            // Columns named by numbers, below the corner's own name; or names of rows only.
            return Ok(match count == width {
                true => Shape::named(&first, second.as_ref(), count),
                false => Shape { has_names: true, rows: width - 1, ..bare },
            });
        }
        Ok(bare)
    }

    /// That of a square whose first line has names, where this many lines have cells.
    fn named(first: &TextLine<'_>, second: Option<&TextLine<'_>>, count: usize) -> Shape {
        let width = first.cells.len();
        let below = second.map_or(0, |line| line.cells.len());
        let is_word = second.is_some_and(|line| !line.cells[0].is_numeric());
        // Rows have names where they are one longer than the square is wide.
        let has_corner = below != width + 1 && (count == width || is_word);
        let columns = first.cells[usize::from(has_corner)..].iter();
        let columns: Vec<String> = columns.map(|cell| cell.text.clone().into_owned()).collect();
        let has_names = has_corner || below == width + 1;
        Shape { before: 1, rows: columns.len(), columns: Some((first.number, columns)), has_names }
    }

    /// That of a square whose first cell is empty and whose first line has numbers besides. They
    /// are names where the first column has the same ones and the diagonal goes on with a number.
    fn cornered(
        lines: &Lines<'_>,
        first: &TextLine<'_>,
        bare: Shape,
    ) -> Result<Shape, MatrixError> {
        let width = first.cells.len();
        let names: Vec<usize> =
            first.cells[1..].iter().map_while(|cell| cell.text.parse().ok()).collect();
        let is_count = |from: usize| names.iter().copied().eq(from..from + width - 1);
        let mut above: Vec<&str> = first.cells[1..].iter().map(|cell| &*cell.text).collect();
        let mut beside = Vec::new();
        let mut is_second_empty = false;
        for (i, line) in lines.iter(2).skip(1).take(ROWS_MAX).enumerate() {
            let line = line?;
            is_second_empty |=
                i == 0 && line.cells.get(1).is_some_and(|cell| cell.number() == Some(Number::None));
            beside.extend(line.cells.into_iter().next().map(|cell| cell.text));
        }
        above.sort_unstable();
        beside.sort_unstable();
        let are_same =
            above.len() == beside.len() && above.iter().zip(&beside).all(|(a, b)| a == b);
        let are_distinct = above.windows(2).all(|pair| pair[0] != pair[1]);
        match are_same && are_distinct {
            false => Ok(bare),
            // Without names, the diagonal would be empty first and then no more.
            true if !is_second_empty => Ok(Shape::named(first, None, width)),
            // Of a symmetric square with an empty diagonal, line and column are the same as well.
            true if !is_count(0) && !is_count(1) => Ok(bare),
            true => Err(MatrixError::Corner { line: first.number }),
        }
    }
}
