//! Damaged files and noise are read or refused, and never cause a panic.

use peerlet_core::runtime::decode_text;
use peerlet_core::{Rng, Seed};

use super::{Form, LatencyTable, MatrixError, NONE, Wanted};

/// One good file of each form.
const FILES: [&str; 8] = [
    "# three hosts\n0 10.5 20\n10 0 -\n20 30 0\n",
    "0,10,20\r\n10,0,25\r\n20,25,0\r\n",
    ",berlin,paris\nberlin,0,13.5\nparis,13.5,0\n",
    "source;destination;rtt_ms\n\"a;b\";c;10\nc;\"a;b\";NA\n",
    "1\t2\t10\n2\t1\t10\n1\t3\t4\n3\t1\t4\n2\t3\t5\n3\t2\t5\n",
    "topology E2EGraph 3\nnode 1\nnode 2\nnode 3\n1,2 10000\n1,3 20000\n2,3 7000\n",
    "node 1\nnode 2\n1, 2, 10000\n",
    "2\n0 1\n1 0\n",
];

/// Pieces that mean something somewhere.
const PIECES: [&str; 24] = [
    "\"",
    "\n",
    "\r",
    "\r\n",
    ",",
    ";",
    "\t",
    " ",
    "#",
    "-",
    "-1",
    "0",
    "9",
    "1e9",
    "inf",
    "nan",
    "NA",
    ".",
    "node",
    "topology E2EGraph 9",
    "rtt",
    "source,destination,rtt",
    "\u{feff}",
    "é",
];

/// The characters of noise that looks like numbers.
const SIGNS: &[u8] = b"0123456789,;\t -.\n\r\"#a";

/// The file with some pieces taken out, doubled or put in, as bytes with some of them changed.
fn damaged(rng: &mut Rng, file: &str) -> Vec<u8> {
    let mut bytes = file.as_bytes().to_vec();
    for _ in 0..=rng.below(5) {
        let at = rng.index(bytes.len() + 1);
        let end = (at + rng.index(12)).min(bytes.len());
        match rng.below(5) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let copy = bytes[at..end].to_vec();
                let to = rng.index(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            2 if at < bytes.len() => bytes[at] = rng.below(256) as u8,
            _ => {
                let piece = rng.choose(&PIECES).copied().unwrap_or_default();
                bytes.splice(at..at, piece.bytes());
            }
        }
    }
    bytes
}

/// Reads bytes as a file of text.
fn read(bytes: Vec<u8>, form: Option<Form>) -> Result<LatencyTable, MatrixError> {
    let text = decode_text(bytes).map_err(MatrixError::Text)?;
    let unit = "ms".parse().expect("a unit");
    LatencyTable::from_text(&text, Wanted { unit, form, is_one_way: false })
}

/// Whether the error says in which line it is, or is about all of the file.
fn has_place(error: &MatrixError) -> bool {
    let is_whole = matches!(
        error,
        MatrixError::Ambiguous
            | MatrixError::Empty
            | MatrixError::Oblong { .. }
            | MatrixError::Text(peerlet_core::runtime::TextError::Encoding(_))
            | MatrixError::TooManyRows { .. }
            | MatrixError::Sparse { .. }
    );
    is_whole || error.to_string().contains("line ")
}

#[test]
fn damaged_files_are_read_or_refused_with_their_place() {
    let seed = std::env::var("PEERLET_SEED").unwrap_or_else(|_| "1".to_owned());
    let (mut taken, mut refused) = (0, 0);
    for round in 0..20_000 {
        let mut rng = Seed::new(1).named(&seed).at(round).rng();
        let bytes = match rng.below(8) {
            0 => (0..rng.below(80)).map(|_| rng.below(256) as u8).collect(),
            1 => (0..rng.below(80)).map(|_| *rng.choose(SIGNS).expect("there are some")).collect(),
            _ => {
                let file = FILES[rng.index(FILES.len())];
                damaged(&mut rng, file)
            }
        };
        let form = [None, None, Some(Form::Square), Some(Form::Edges)][rng.index(4)];
        let outcome = std::panic::catch_unwind(|| match read(bytes.clone(), form) {
            Ok(table) => {
                assert_eq!(table.cells.len(), table.rows * table.rows);
                assert!(table.names.is_empty() || table.names.len() == table.rows);
                true
            }
            Err(error) => {
                assert!(has_place(&error), "{error}");
                false
            }
        });
        match outcome {
            Ok(true) => taken += 1,
            Ok(false) => refused += 1,
            Err(_) => panic!("PEERLET_SEED={seed}, round {round}: {:?}", bytes.escape_ascii()),
        }
    }
    assert!(taken > 1_000 && refused > 5_000, "{taken} were taken and {refused} refused");
}

#[test]
fn good_files_are_read() {
    for file in FILES {
        let table = read(file.into(), None).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(table.pairs().any(|(_, rtt)| rtt != NONE), "{file}");
    }
}

/// A short file cannot ask for much memory.
#[test]
fn a_short_file_makes_no_large_table() {
    let hosts: String = (0..3_000).map(|i| format!("{i},{},5\n", i + 1)).collect();
    for file in [hosts.as_str(), "topology E2EGraph 20000\n1,2 5\n"] {
        let refused = read(file.into(), Some(Form::Edges));
        assert!(matches!(refused, Err(MatrixError::Sparse { .. })));
    }
}
