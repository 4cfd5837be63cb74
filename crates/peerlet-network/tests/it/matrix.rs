//! Measured networks: real matrices, tiny ones, and files that are none.

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use peerlet_core::{Duration, MICROSECOND, MILLISECOND, Seat, Seed, Time};
use peerlet_network::{
    Assign, BuildError, Departure, MatrixConfig, Missing, Model, Packet, PacketDrop, Site,
};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// Where tests may write.
const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");

fn config(file: &str, unit: &str) -> MatrixConfig {
    let floor = Duration::ZERO;
    let unit = unit.parse().expect("a unit");
    let (missing, assign) = (Missing::Refuse, Assign::Index);
    MatrixConfig { file: file.into(), unit, form: None, missing, assign, floor }
}

fn build(config: &MatrixConfig, peers: u32) -> Result<Box<dyn Model>, BuildError> {
    config.build(&Site::new(Seed::new(7), peers, Path::new(FOLDER)))
}

/// Writes a file for a test of its own and says how it is read.
fn written(name: &str, bytes: impl AsRef<[u8]>, unit: &str) -> MatrixConfig {
    fs::write(Path::new(FOLDER).join(name), bytes).expect("tests may write there");
    config(name, unit)
}

fn fate(model: &dyn Model, from: u32, to: u32) -> Departure {
    let random = Seed::new(1);
    let packet = Packet { from: Seat(from), to: Seat(to), at: Time::ZERO, size: 0, random };
    model.depart(&packet, &mut None)
}

fn delay(model: &dyn Model, from: u32, to: u32) -> Duration {
    match fate(model, from, to) {
        Departure::Arrive { after } => after,
        fate => panic!("{from} does not reach {to}: {fate:?}"),
    }
}

/// All different ordered pairs of this many seats.
fn pairs(n: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..n).flat_map(move |a| (0..n).map(move |b| (a, b))).filter(|(a, b)| a != b)
}

/// Compares what is said about each file, a line for what is wrong and one for what to do.
fn refused<const N: usize>(cases: [(MatrixConfig, u32); N], expected: Expect) {
    let said = cases.map(|(config, peers)| {
        let error = build(&config, peers).expect_err("it is refused").to_string();
        error.replace(&format!("matrix {FOLDER}/"), "").replace("; ", ";\n  ")
    });
    expected.assert_eq(&said.join("\n"));
}

/// The real data beside the checkout; says so where there is none.
fn real(name: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if !file.exists() {
        eprintln!("passed over: {} is absent", file.display());
        return None;
    }
    Some(file)
}

/// The words of a real file, decompressed by other means than the model's reader uses.
fn words(file: &Path) -> Vec<u16> {
    let mut bytes = Vec::with_capacity(1 << 20);
    let compressed = fs::read(file).expect("the file is there");
    let mut decoder = ruzstd::decoding::FrameDecoder::new();
    decoder.decode_all_to_vec(&compressed, &mut bytes).expect("one whole frame");
    bytes.as_chunks().0.iter().map(|&word| u16::from_le_bytes(word)).collect()
}

#[test]
fn planetlab_is_halved_and_floored() {
    let Some(file) = real("planetlab490_median_rtt_50us.u16le.zst") else { return };
    let words = words(&file);
    let config = MatrixConfig { floor: MILLISECOND, ..config(file.to_str().unwrap(), "50us") };
    let model = build(&config, 490).unwrap();
    let mut raised = 0;
    for (from, to) in pairs(490) {
        let half = Duration::from_micros(25) * u64::from(words[(from * 490 + to) as usize]);
        raised += u32::from(half < MILLISECOND);
        assert_eq!(delay(&*model, from, to), half.max(MILLISECOND));
        assert_eq!(delay(&*model, to, from), half.max(MILLISECOND), "the matrix is symmetric");
    }
    assert_eq!(raised, 1_116, "the floor touches 0.5 % of 239,610 pairs");
    assert_eq!(model.lookahead(), MILLISECOND);
    assert!(build(&config, 491).is_err());
}

#[test]
fn seattle_is_read_by_direction_with_and_without_gaps() {
    let Some(file) = real("seattle99_median_rtt_500us.u16le.zst") else { return };
    let mut words = words(&file);
    let whole = build(&config(file.to_str().unwrap(), "500us"), 99).unwrap();
    let mut asymmetric = 0;
    for (from, to) in pairs(99) {
        let half = Duration::from_micros(250) * u64::from(words[(from * 99 + to) as usize]);
        assert_eq!(delay(&*whole, from, to), half);
        let back = delay(&*whole, to, from);
        asymmetric += u32::from(half != back);
        assert_eq!(whole.round_trip(Seat(from), Seat(to)), half + back);
    }
    assert!(asymmetric > 99 * 98 / 2, "{asymmetric}");

    // The file as shared has no gap: make one of each twentieth cell.
    for (i, word) in words.iter_mut().enumerate() {
        *word = if i % 20 == 7 { u16::MAX } else { *word };
    }
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let gappy = written("seattle.u16le", bytes, "500us");
    refused(
        [(gappy.clone(), 99)],
        expect![[r#"
            seattle.u16le lacks 490 round trips, the first from row 0 to row 7;
              set missing = "mirror" to take those of the other way, "median" or "unreachable""#]],
    );
    let filled = build(&MatrixConfig { missing: Missing::Median, ..gappy.clone() }, 99).unwrap();
    let broken = build(&MatrixConfig { missing: Missing::Unreachable, ..gappy }, 99).unwrap();
    for (from, to) in pairs(99) {
        if (from * 99 + to) % 20 == 7 {
            // The median of Seattle's round trips is 170 ms.
            assert_eq!(delay(&*filled, from, to), MILLISECOND * 85);
            assert_eq!(fate(&*broken, from, to), Departure::Drop(PacketDrop::Partition));
        } else {
            assert_eq!(delay(&*filled, from, to), delay(&*whole, from, to));
            assert_eq!(delay(&*broken, from, to), delay(&*whole, from, to));
        }
    }
}

#[test]
fn text_has_decimals_comments_and_gaps() {
    let text = "# three hosts\n0 10.5006 2e1  # the first\n\n\t9 - nan\n-1 0.0001 0\n";
    let config = MatrixConfig { missing: Missing::Unreachable, ..written("text", text, "ms") };
    let model = build(&config, 3).unwrap();
    assert_eq!(delay(&*model, 0, 1), Duration::from_nanos(5_250_500), "half of 10,501 us");
    assert_eq!(delay(&*model, 0, 2), MILLISECOND * 10);
    assert_eq!(delay(&*model, 1, 0), Duration::from_micros(4_500));
    assert_eq!(fate(&*model, 1, 2), Departure::Drop(PacketDrop::Partition));
    assert_eq!(fate(&*model, 2, 0), Departure::Drop(PacketDrop::Partition));
    assert_eq!(delay(&*model, 2, 1), Duration::ZERO, "100 ns are no microsecond");
    assert_eq!(model.round_trip(Seat(0), Seat(1)), Duration::from_nanos(9_750_500));
    assert_eq!(model.round_trip(Seat(0), Seat(2)), MILLISECOND * 10);

    let filled = build(&MatrixConfig { missing: Missing::Median, ..config.clone() }, 3).unwrap();
    assert_eq!(delay(&*filled, 1, 2), Duration::from_micros(4_500), "of 0, 9, 10.5 and 20 ms");
    let odd = written("odd", "0 2 -\n4 0 6\n8 10 0", "ms");
    let odd = build(&MatrixConfig { missing: Missing::Median, ..odd }, 3).unwrap();
    assert_eq!(delay(&*odd, 0, 2), MILLISECOND * 3, "of 2, 4, 6, 8 and 10 ms");
    let floored = MatrixConfig { floor: MILLISECOND * 5, ..config };
    let floored = build(&floored, 3).unwrap();
    assert_eq!(delay(&*floored, 1, 0), MILLISECOND * 5);
    assert_eq!(floored.lookahead(), MILLISECOND * 5);
}

#[test]
fn the_lookahead_is_the_shortest_delay() {
    let config = written("lookahead", "0 8 6\n4 0 8\n8 8 0", "us");
    assert_eq!(build(&config, 3).unwrap().lookahead(), MICROSECOND * 2);
    let shared = MatrixConfig { assign: Assign::Random, ..config };
    assert_eq!(build(&shared, 3).unwrap().lookahead(), Duration::ZERO);
}

#[test]
fn random_rows_are_spread_and_shared() {
    let config = written("random", "0 2 4\n6 0 8\n10 12 0", "ms");
    let config = MatrixConfig { assign: Assign::Random, floor: MICROSECOND, ..config };
    let [model, more] = [300, 301].map(|peers| build(&config, peers).unwrap());
    let mut counts = [0; 7];
    for (from, to) in pairs(300) {
        let delay = delay(&*model, from, to);
        counts[(delay.as_nanos() / 1_000_000) as usize] += 1;
        assert_eq!(fate(&*more, from, to), fate(&*model, from, to), "a new peer moves nobody");
    }
    // A third of 89,700 pairs share a row, each other cell has a ninth, give or take the chance
    // that a row has more than its 100 seats.
    assert!((27_000..33_000).contains(&counts[0]), "{counts:?}");
    assert!(counts[1..].iter().all(|count| (7_500..12_500).contains(count)), "{counts:?}");
}

#[test]
fn compressed_files_are_checked() {
    let bytes = [0u16, 3, 5, 0].map(u16::to_le_bytes).concat();
    let plain = build(&written("plain.u16le", &bytes, "ms"), 2).unwrap();
    let mut frame = compress_to_vec(&bytes[..], CompressionLevel::Fastest);
    let packed = build(&written("packed.u16le.zst", &frame, "ms"), 2).unwrap();
    for (from, to) in pairs(2) {
        assert_eq!(delay(&*plain, from, to), delay(&*packed, from, to));
    }
    let longer = [&frame[..], &[0]].concat();
    *frame.last_mut().unwrap() ^= 1;
    refused(
        [
            (written("trailing.u16le.zst", &longer, "ms"), 2),
            (written("checksum.u16le.zst", &frame, "ms"), 2),
        ],
        expect![[r#"
            trailing.u16le.zst is damaged: its checksum or its end is wrong;
              get it anew
            checksum.u16le.zst is damaged: its checksum or its end is wrong;
              get it anew"#]],
    );
    for (name, bytes) in [("short.u16le.zst", &frame[..9]), ("none.u16le.zst", b"not zstd")] {
        let error = build(&written(name, bytes, "ms"), 2).unwrap_err().to_string();
        assert!(error.contains("is no whole zstd frame, which a name in"), "{error}");
        assert!(
            error.ends_with("; compress it by `zstd`, or give the file the name of its format")
        );
    }
}

#[test]
fn bad_text_is_refused_with_advice() {
    let text = |name: &str, text: &str| written(name, text, "ms");
    refused(
        [
            (config("absent", "ms"), 2),
            (text("empty", "# nothing\n"), 2),
            (text("one", "0\n"), 1),
            (text("single", "7\n"), 2),
            (text("word", "0 1\n 1 fast"), 2),
            (text("ragged", "0 1\n# two\n1 0 2\n"), 2),
            (text("short", "0 1 2\n1 0 2\n"), 2),
            (text("long", "0 1\n1 0\n1 0\n"), 2),
            (text("far", "0 1\n5e6 0\n"), 2),
            (text("wide", &"1 ".repeat(20_002)), 2),
            (text("tall", &"1\n".repeat(20_002)), 2),
            (written("latin", b"\xff", "ms"), 2),
        ],
        expect![[r#"
            absent cannot be read (No such file or directory (os error 2));
              check the path
            empty holds no numbers;
              give a square matrix
            one has one row, so it has no pair of hosts;
              give a matrix of two rows or more
            single has one row, so it has no pair of hosts;
              give a matrix of two rows or more
            word has `fast` in line 2, column 4;
              write a number from 0 on, with a point and without a unit, or `-` for none
            ragged has 3 cells in line 3, where 2 belong;
              make it square
            short is 2 by 3 numbers;
              make it square, or set form = "edges" if each line is a pair
            long is 3 by 2 numbers;
              make it square
            far has a round trip over 71 minutes in line 2, from row 1 to row 0;
              check `unit`
            wide has 20002 rows or more, at most 20000 fit;
              take a smaller matrix
            tall has 20001 rows or more, at most 20000 fit;
              take a smaller matrix
            latin cannot be read: byte 0xff in line 1, column 1 is not UTF-8;
              save the text as UTF-8"#]],
    );
}

#[test]
fn bad_numbers_are_refused_with_advice() {
    refused(
        [
            (written("odd.u16le", [0; 9], "ms"), 2),
            (written("oblong.u16le", [0; 6], "ms"), 2),
            (written("none.u16le", [0; 0], "ms"), 2),
            (written("slow.u16le", [0, 0, 9, 9, 1, 1, 0, 0], "1h"), 2),
        ],
        expect![[r#"
            odd.u16le holds 9 bytes, no square of 16-bit numbers;
              check that the file is whole
            oblong.u16le holds 6 bytes, no square of 16-bit numbers;
              check that the file is whole
            none.u16le holds no numbers;
              give a square matrix
            slow.u16le has a round trip over 71 minutes from row 0 to row 1;
              check `unit`"#]],
    );
}

#[test]
fn gaps_and_too_many_peers_are_refused_with_advice() {
    let gaps = written("gaps", "0 -\n- 0\n", "ms");
    refused(
        [
            (written("gap", "- 1 -\n1 - nan\n1 1 -\n", "ms"), 3),
            (MatrixConfig { missing: Missing::Median, ..gaps }, 2),
            (written("few", "0 1\n1 0\n", "ms"), 5),
        ],
        expect![[r#"
            gap lacks 2 round trips, the first from row 0 to row 2;
              set missing = "mirror" to take those of the other way, "median" or "unreachable"
            gaps lacks every round trip, so there is no median;
              set missing = "unreachable"
            there are 2 rows for 5 peers;
              set peers = 2, or assign = "round-robin" or "random" to let peers share rows"#]],
    );
}

#[test]
fn pairs_are_read_as_p2psim_writes_them() {
    let text = "# made by hand\ntopology E2EGraph 4\nfailure_model NullFailureModel\n\nnode 1\n\
                node 2\n1,2 10000\n1,3 20000\n2,3 7000\n3,1 30000 # another way back\n1,4 -1\n";
    let mut config = written("pairs", text, "us");
    config.missing = Missing::Unreachable;
    let model = build(&config, 4).unwrap();
    assert_eq!(delay(&*model, 0, 1), MILLISECOND * 5);
    assert_eq!(delay(&*model, 1, 0), MILLISECOND * 5, "a pair is the same both ways");
    assert_eq!((delay(&*model, 0, 2), delay(&*model, 2, 0)), (MILLISECOND * 10, MILLISECOND * 15));
    assert_eq!(delay(&*model, 2, 1), MICROSECOND * 3_500);
    assert_eq!(
        fate(&*model, 0, 3),
        Departure::Drop(PacketDrop::Partition),
        "a negative one is none"
    );
    assert_eq!(
        fate(&*model, 3, 1),
        Departure::Drop(PacketDrop::Partition),
        "nothing says how long"
    );
    // Without a head, the greatest number is that of hosts.
    assert!(build(&written("pairs-bare", "1,2 9\n2,3 9\n1,3 9\n", "ms"), 3).is_ok());
}

#[test]
fn what_is_no_file_of_pairs_is_refused() {
    refused(
        [
            (written("pairs-zero", "0,1 5\n", "us"), 1),
            (written("pairs-word", "1,2 5\n1;3 5\n", "us"), 1),
            (written("pairs-none", "1,2\n", "us"), 1),
            (written("pairs-many", "topology E2EGraph 20001\n", "us"), 1),
            (written("pairs-head", "topology E2EGraph some\n", "us"), 1),
            (written("pairs-long", "1,2 1e99\n", "us"), 1),
            (written("pairs-gap", "1,2 5\n3,2 5\n", "us"), 1),
            (written("pairs-few", "1,2 5\n", "us"), 3),
        ],
        expect![[r#"
            pairs-zero has no pair in line 1;
              write `i,j round_trip`, hosts from 1, as `1,2 5300`
            pairs-word has no pair in line 2;
              write `i,j round_trip`, hosts from 1, as `1,2 5300`
            pairs-none is 1 by 2 numbers;
              make it square
            pairs-many has 20001 rows or more, at most 20000 fit;
              take a smaller matrix
            pairs-head has `some` in line 1, column 19;
              write a number from 0 on, with a point and without a unit, or `-` for none
            pairs-long has a round trip over 71 minutes in line 1, from row 0 to row 1;
              check `unit`
            pairs-gap lacks 2 round trips, the first from row 0 to row 2;
              set missing = "median" or "unreachable"
            there are 2 rows for 3 peers;
              set peers = 2, or assign = "round-robin" or "random" to let peers share rows"#]],
    );
}
