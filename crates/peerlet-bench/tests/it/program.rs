//! The program itself: it runs each case in a process of its own and shows what came out.

use std::process::Command;

use serde_json::Value;

fn bench(arguments: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_peerlet-bench"))
        .args(arguments.split(' '))
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}

#[test]
fn rows_come_as_json_with_a_ratio_to_the_loop() {
    let told = bench("--peers 200 --seconds 5 --rounds 2 --engines loop,peerlet,madsim --json");
    let rows: Value = serde_json::from_str(&told).expect("it is JSON");
    let rows = rows.as_array().expect("it is a list");
    assert_eq!(rows.len(), 3, "{told}");
    for row in &rows[..2] {
        assert_eq!(row["rounds"], 2, "{told}");
        assert!(row["events_per_second"].as_f64().is_some_and(|rate| rate > 1_000.0), "{told}");
        assert!(row["bytes_a_peer"].as_f64().is_some_and(|bytes| bytes > 1_000.0), "{told}");
        assert!(row["hash"].is_string(), "both rounds have one hash: {told}");
    }
    assert_eq!(rows[0]["ratio_to_loop"], 1.0, "{told}");
    assert!(rows[1]["ratio_to_loop"].as_f64().is_some_and(|ratio| ratio > 0.0), "{told}");
    assert_eq!(rows[2]["engine"], "madsim", "whether it is built or not: {told}");
}

#[test]
fn a_run_beyond_the_limit_is_too_slow() {
    let told = bench("--peers 200000 --seconds 600 --rounds 1 --engines loop --limit 0");
    assert!(told.contains("too slow"), "{told}");
}
