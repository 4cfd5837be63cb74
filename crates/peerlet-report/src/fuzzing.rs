//! Run folders for fuzzing: two files in one input, read and compared.

use std::path::Path;

use peerlet_measure::{Comparison, Limits};

use super::comparison::Report;
use super::run_folder::read_from;
use super::side::{Side, check};
use crate::run_folder::FolderError;

/// Reads a run folder, and compares it with itself. The first zero byte divides the input into
/// `summary.json` and `distributions.csv`.
///
/// `allocated` tells how many bytes this thread has allocated so far.
pub fn run_folders(bytes: &[u8], allocated: fn() -> usize) {
    let mut files = bytes.splitn(2, |byte| *byte == 0);
    let [summary, distributions] = [(); 2].map(|()| files.next().unwrap_or_default());
    let text = |path: &Path| {
        let bytes = if path.ends_with("summary.json") { summary } else { distributions };
        String::from_utf8(bytes.to_vec()).map_err(|error| FolderError::Io(error.to_string()))
    };
    let before = allocated();
    let read = || read_from("run".as_ref(), text);
    let one = read();
    let taken = allocated() - before;
    // A bucket far from zero makes room for those before it: 90 KiB for each metric, which has at
    // least eighty bytes in both files.
    assert!(taken <= 2048 * bytes.len() + (1 << 20), "{taken} bytes for {}", bytes.len());
    let Ok((facts, statistics)) = one else { return };
    let side = |(facts, statistics)| {
        let (facts, statistics, passed_over) = (vec![facts], vec![statistics], Vec::new());
        Side { path: "run".to_owned(), facts, statistics, passed_over }
    };
    let left = side((facts, statistics));
    let right = side(read().unwrap_or_else(|_| panic!("the same files were read before")));
    assert!(check(&left, &right).is_ok(), "a run has everything in common with itself");
    match Comparison::of(&left.statistics, &right.statistics, &Limits::default()) {
        Ok(comparison) => {
            let report = Report { left: &left, right: &right, comparison: &comparison };
            for text in [report.json(), report.markdown(), report.text()] {
                assert!(!text.is_empty());
            }
            report.warnings();
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
