//! Matrices in the forms that people have: squares and lists, with names or without, from any
//! system.

use std::fs;
use std::path::Path;

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Seat, Seed};
use peerlet_network::{BuildError, MatrixConfig, Model, RegionsConfig, Site};

/// Where tests may write.
const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");

/// Builds the matrix in these bytes for three peers, with these keys besides.
fn built(bytes: &[u8], keys: &str) -> Result<Box<dyn Model>, BuildError> {
    // A file a text, so that tests may run at once.
    let name = bytes.iter().fold(7u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
    let file = format!("form-{name:x}-{}", keys.len());
    fs::write(Path::new(FOLDER).join(&file), bytes).expect("tests may write there");
    let keys = if keys.is_empty() { String::new() } else { format!(", {keys}") };
    let json = format!(r#"{{ "file": "{file}", "unit": "ms", "floor": "0s"{keys} }}"#);
    let config: MatrixConfig = serde_json::from_str(&json).expect("these are its keys");
    config.build(&Site::new(Seed::new(1), 3, Path::new(FOLDER)))
}

/// The round trips of three peers in milliseconds: 0 to 1, 0 to 2, 1 to 2.
fn round_trips(model: &dyn Model) -> [f64; 3] {
    [(0, 1), (0, 2), (1, 2)]
        .map(|(from, to)| model.round_trip(Seat(from), Seat(to)).as_secs_f64() * 1e3)
}

fn taken(text: &str, keys: &str) {
    let model = built(text.as_bytes(), keys).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(round_trips(&*model), [10.0, 20.0, 25.0], "{text:?}");
}

fn refused(text: &[u8], keys: &str, said: &str) {
    let shown = text.escape_ascii();
    let error = built(text, keys).err().unwrap_or_else(|| panic!("{shown} was taken"));
    let error = error.to_string();
    assert!(error.contains(said), "{shown}: {error}");
}

#[test]
fn squares_are_taken_with_names_or_without() {
    for text in [
        "0 10 20\n10 0 25\n20 25 0\n",
        "0,10,20\n10,0,25\n20,25,0\n",
        "0;10;20\n10;0;25\n20;25;0",
        "0\t10\t20\n10\t0\t25\n20\t25\t0\n",
        "\"0\",\"10\",\"20\"\n\"10\",\"0\",\"25\"\n\"20\",\"25\",\"0\"\n",
        "3\n0 10 20\n10 0 25\n20 25 0\n",
        ",10,20\n10,,25\n20,25,\n",
        ",a,b,c\na,0,10,20\nb,10,0,25\nc,20,25,0\n",
        "host,a,b,c\na,,10,20\nb,10,,25\nc,20,25,\n",
        "a,b,c\n0,10,20\n10,0,25\n20,25,0\n",
        "a,0,10,20\nb,10,0,25\nc,20,25,0\n",
        "a b c\na 0 10 20\nb 10 0 25\nc 20 25 0\n",
        ",c,a,b\na,20,0,10\nb,25,10,0\nc,0,20,25\n",
        ",0,1,2\n0,0,10,20\n1,10,0,25\n2,20,25,0\n",
        "id,0,1,2\n0,0,10,20\n1,10,0,25\n2,20,25,0\n",
        "x\tNew York\tRio, RJ\tNA\nNew York\t0\t10\t20\nRio, RJ\t10\t0\t25\nNA\t20\t25\t0\n",
    ] {
        taken(text, "");
        taken(text, r#""form": "square""#);
        taken(&format!("\u{feff}{text}"), "");
        taken(&text.replace('\n', "\r\n"), "");
        taken(&text.replace('\n', "\r"), "");
        taken(&format!("# measured\n\n{}\n\n", text.trim_end().replace('\n', " # so\n")), "");
    }
}

#[test]
fn long_tables_are_taken_in_any_order() {
    let mirror = r#""missing": "mirror""#;
    for text in [
        "source,destination,rtt\na,b,10\na,c,20\nb,c,25\n",
        "rtt;to;from\n10;b;a\n20;c;a\n25;c;b\n",
        "SRC\tDst\tRTT (ms)\tloss\na\tb\t10\t0.1\na\tc\t20\t0\nb\tc\t25\t0",
        "source destination rtt_ms\n1 2 10\n1 3 20\n2 3 25\n",
        "\"src\",\"dst\",\"avg_rtt\"\n\"1\",\"2\",\"10\"\n\"1\",\"3\",\"20\"\n2,3,25\n",
        "from,to,latency\n10,2,25\n1,2,10\n1,10,20\n",
        "a b 10\na c 20\nb c 25\n",
        "berlin,paris,10\nberlin,oslo,20\nparis,oslo,25\nparis,paris,0\n",
        "1,1,0\n1,2,10\n1,3,20\n2,3,25\n",
    ] {
        let ordered = text.replace("10,2,25", "2,10,25");
        taken(&ordered, mirror);
        taken(&ordered.replace('\n', "\r"), mirror);
        taken(&format!("\u{feff}{ordered}"), mirror);
    }
    for separator in [",", ";", "\t", " "] {
        let text = ["1", "2", "10\n1", "3", "20\n2", "3", "25"].join(separator);
        taken(&text, &format!(r#""form": "edges", {mirror}"#));
        refused(text.as_bytes(), mirror, "set form = \"square\" or form = \"edges\"");
        let square = built(text.as_bytes(), r#""form": "square""#).unwrap();
        assert_eq!(round_trips(&*square), [1.5, 6.0, 11.5]);
    }
}

#[test]
fn files_of_p2psim_and_peersim_are_taken() {
    for text in [
        "topology E2EGraph 3\nnode 1\nnode 2\nnode 3\n1,2 10\n1,3 20\n2,3 25\n",
        "topology E2EGraph 3\r\nfailure_model NullFailureModel\r\n1,2 10\r\n1,3 20\r\n2,3 25",
        "node 1\nnode 2\nnode 3\n1 2 10\n1, 3, 20\n2,3,25\n",
        "1,2 10\n1,3 20\n2,3 25\n",
    ] {
        taken(text, "");
        taken(&format!("\u{feff}{text}"), "");
    }
    refused(b"1,2 10\n1,2 11\n", "", "another round trip in line 2");
    refused(b"node 1\n1 2\n", "", "no pair in line 2");
}

#[test]
fn directions_are_kept_and_gaps_are_filled_as_wanted() {
    let one_way = |text: &str, keys: &str| {
        let model = built(text.as_bytes(), keys).unwrap();
        round_trips(&*model)
    };
    let text = "from,to,rtt\n0,1,10\n1,0,30\n0,2,20\n2,0,NA\n1,2,25\n2,1,-1\n";
    assert_eq!(one_way(text, r#""missing": "mirror""#), [20.0, 20.0, 25.0]);
    assert_eq!(one_way(text, r#""missing": "median""#), [20.0, 20.0, 22.5]);
    refused(text.as_bytes(), "", "set missing = \"mirror\"");
    refused(b"from,to,rtt\n0,1,10\n0,2,20\n1,0,5\n", r#""missing": "mirror""#, "lacks 2 round");
}

#[test]
fn what_is_not_sure_is_refused_with_its_line() {
    for (text, keys, said) in [
        (&b"0 1\n\xe9 0\n"[..], "", "byte 0xe9 in line 2, column 1 is not UTF-8"),
        (b"# caf\xe9\n0 1\n1 0\n", "", "byte 0xe9 in line 1, column 6"),
        (b"\xff\xfe0\0 \0", "", "the text is UTF-16"),
        (b"0\0 \0", "", "UTF-16"),
        (b"0;10,5\n10,5;0\n", "", "has `10,5` in line 1, column 3"),
        (b"0,10ms\n10ms,0\n", "form", "`10ms` in line 1"),
        (b"0,inf\n1,0\n", "", "`inf` in line 1, column 3"),
        (b"0,1,2\n1,0\n1,2,0\n", "", "2 cells in line 2"),
        (b"0,\"1\n1,0\n", "", "line 1, column 3"),
        (b",a,b\na,0,1\nc,1,0\n", "", "the name `c` in line 3"),
        (b",a,b\na,0,1\na,1,0\n", "", "the name `a` in line 3"),
        (b"x,a,a\na,0,1\nb,1,0\n", "", "the name `a` in line 1"),
        (b",1,2\n1,,2\n2,2,\n", "", "line 1, and its numbers there are names or times"),
        (b"source,destination\na,b\n", "", "names no column `rtt` in line 1"),
        (b"source,destination,rtt,rtt_max\na,b,1,2\n", "", "several columns of `rtt` in line 1"),
        (b"source,destination,owd\na,b,1\n", "", "delays of one way by line 1"),
        (b"source,destination,rtt_us\na,b,1\n", "", "in units of 1us"),
        (b"source,destination,rtt\na,b,1\na,b\n", "", "no pair in line 3"),
        (b"source,destination,rtt\na,,1\n", "", "no pair in line 2"),
        (b"source,destination,rtt\na,b,1\nb,a,x\n", "", "`x` in line 3, column 5"),
        (b"source,destination,rtt\na,b,1\na,b,2\n", "", "another round trip in line 3"),
        (b"source,destination,rtt\na,b,1e12\n", "", "over 71 minutes in line 2"),
    ] {
        let keys = if keys == "form" { r#""form": "square""# } else { keys };
        refused(text, keys, said);
    }
}

/// Regions from a file: delays of one way, and those within a region on the diagonal.
#[test]
fn regions_are_read_from_files() {
    let build = |name: &str, text: &str, keys: &str| {
        fs::write(Path::new(FOLDER).join(name), text).expect("tests may write there");
        let json = format!(r#"{{ "delays": "{name}", "unit": "ms"{keys} }}"#);
        let config: RegionsConfig = serde_json::from_str(&json).unwrap();
        let east = SeatSet::from_ranges([1..=2]);
        let groups = [("east", &east)];
        let site = Site { groups: &groups, ..Site::new(Seed::new(1), 3, Path::new(FOLDER)) };
        config.build(&site).map(|model| round_trips(&*model)).map_err(|error| error.to_string())
    };
    let assign = r#", "assign": { "east": "b", "*": "a" }"#;
    let square = "\u{feff},a,b\r\na,2,30\r\nb,40,5";
    assert_eq!(build("regions-square", square, assign), Ok([70.0, 70.0, 10.0]));
    let table = "from;to;delay_ms\na;a;2\na;b;30\nb;a;40\nb;b;5\n";
    assert_eq!(build("regions-table", table, assign), Ok([70.0, 70.0, 10.0]));
    let numbers = "2 30 1\n40 5 1\n1 1 1\n";
    let by_number = r#", "assign": { "east": 1, "*": [0] }"#;
    assert_eq!(build("regions-numbers", numbers, by_number), Ok([70.0, 70.0, 10.0]));
    let error = |text: &str| build("regions-wrong", text, "").unwrap_err();
    assert!(error(",a,b\na,,3\nb,4,5\n").contains("lacks 1 delays"));
    assert!(error("from;to;rtt\na;a;2\n").contains("has round trips by line 1"));
    assert!(error("2 x\n1 1\n").contains("line 1"));
}
