//! Files of round trips for fuzzing.

use peerlet_core::runtime::decode_text;

use super::read::decompress;
use super::{Form, LatencyTable, MatrixError, Missing, NONE, Unit, Wanted};

/// The most bytes that a compressed file gives here: one of a gigabyte takes seconds.
const BYTES_MAX: u64 = 1 << 20;
/// The most rows that are written and read again.
const ROWS_WRITTEN_MAX: usize = 64;

/// Reads a file: its first byte chooses the format, the unit, and what to do about gaps.
///
/// `allocated` tells how many bytes this thread has allocated so far.
pub fn matrices(bytes: &[u8], allocated: fn() -> usize) {
    let Some((how, file)) = bytes.split_first() else { return };
    let text = ["ms", "us", "1s"][usize::from(how >> 3) % 3];
    let unit: Unit = text.parse().expect("a unit");
    let before = allocated();
    let read = match how % 8 {
        0 => LatencyTable::from_words(file, unit),
        1 => decompress(file, BYTES_MAX).and_then(|words| LatencyTable::from_words(&words, unit)),
        2 => text_of(file, Wanted { unit, form: Some(Form::Square), is_one_way: false }),
        3 => text_of(file, Wanted { unit, form: Some(Form::Edges), is_one_way: false }),
        4 => text_of(file, Wanted { unit, form: None, is_one_way: true }),
        _ => text_of(file, Wanted { unit, form: None, is_one_way: false }),
    };
    let taken = allocated() - before;
    if how % 8 != 1 {
        // Cells, names and indices of hosts for what is written, and a table that a short list of
        // pairs may ask for: 2,000 rows.
        assert!(taken <= 256 * file.len() + (17 << 20), "{taken} bytes for {}", file.len());
    }
    match read {
        Ok(table) => check(table, usize::from(how >> 5)),
        Err(error) => refused(&error),
    }
}

fn text_of(file: &[u8], wanted: Wanted) -> Result<LatencyTable, MatrixError> {
    let text = decode_text(file.to_vec()).map_err(MatrixError::Text)?;
    LatencyTable::from_text(&text, wanted)
}

fn check(mut table: LatencyTable, missing: usize) {
    assert_eq!(table.cells.len(), table.rows * table.rows);
    assert!(table.names.is_empty() || table.names.len() == table.rows);
    assert!(table.rows > 0);
    // A line with one number says how many rows follow.
    if (2..=ROWS_WRITTEN_MAX).contains(&table.rows) {
        written_is_read(&table);
    }
    let missing =
        [Missing::Refuse, Missing::Mirror, Missing::Median, Missing::Unreachable][missing % 4];
    match table.complete(missing) {
        Ok(()) => {
            let has_gap = table.pairs().any(|(_, rtt)| rtt == NONE);
            assert!(!has_gap || missing == Missing::Unreachable);
            table.shortest();
        }
        Err(error) => refused(&error),
    }
}

/// A table written as a square of microseconds reads as itself.
fn written_is_read(table: &LatencyTable) {
    let cell = |cell: &u32| match *cell {
        NONE => "-".to_owned(),
        micros => micros.to_string(),
    };
    let line = |row: &[u32]| row.iter().map(cell).collect::<Vec<_>>().join(" ");
    let text: Vec<String> = table.cells.chunks(table.rows).map(line).collect();
    let unit = "us".parse().expect("a unit");
    let wanted = Wanted { unit, form: Some(Form::Square), is_one_way: false };
    let again = LatencyTable::from_text(&text.join("\n"), wanted).expect("a square can be read");
    assert!(again.rows == table.rows && again.cells == table.cells);
}

fn refused(error: &MatrixError) {
    assert!(!error.to_string().is_empty());
}
