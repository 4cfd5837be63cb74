//! Files that a run wrote are read back; others are refused.

use expect_test::expect;
use peerlet_core::runtime::QUANTA_MAX;
use peerlet_core::{Metric, SECOND, Seed, Time};

use super::*;
use crate::epochs::Epochs;
use crate::measurements::EpochMeasurements;
use crate::metric_entry::MetricEntry;

fn measurements(table: &[MetricEntry], values: &[&[i64]]) -> Measurements {
    let whole = Time::ZERO..Time::ZERO + SECOND;
    let mut measurements =
        Measurements::new(table.into(), Epochs::new(SECOND, whole.clone()).unwrap());
    let mut epoch = EpochMeasurements::new(0, whole, table.len());
    for (accumulator, values) in epoch.accumulators.iter_mut().zip(values) {
        values.iter().for_each(|value| accumulator.record(*value));
    }
    measurements.add(epoch);
    measurements
}

fn written(measurements: &Measurements) -> String {
    let mut text = Vec::new();
    write_distributions(measurements, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn small() -> String {
    let table = [
        MetricEntry::new("hello", Metric::histogram("time").unit("s").quantum(1e-3)),
        MetricEntry::new("a \"b\",\nc", Metric::gauge("load").unit("m,s").quantum(0.5)),
        MetricEntry::new("hello", Metric::counter("never")),
    ];
    written(&measurements(&table, &[&[7, 7, 1000, -300], &[3], &[]]))
}

#[test]
fn text() {
    expect![[r#"
        metric,unit,kind,quantum,low,high,count
        hello/time,s,distribution,0.001,-0.301,-0.3,1
        hello/time,s,distribution,0.001,0.007,0.007,2
        hello/time,s,distribution,0.001,1,1.003,1
        "a ""b"",
        c/load","m,s",gauge,0.5,1.5,1.5,1
        hello/never,1,counter,1,,,0
    "#]]
    .assert_eq(&small());
}

#[test]
fn what_is_written_is_read_back() {
    let mut rng = Seed::new(5).rng();
    for quantum in [1.0, 1e-9, 1e-6, 0.5, 0.1, 1.0 / 3.0, 7.0, 1e-290, 1e290] {
        let mut values = vec![QUANTA_MAX, -QUANTA_MAX, QUANTA_MAX - 1, 0, 255, 256, -1];
        for bits in 1..48 {
            values.push(rng.below(1 << bits) as i64);
            values.push(-(rng.below(1 << bits) as i64));
        }
        let table = [MetricEntry::new("a", Metric::histogram("b").unit("ms").quantum(quantum))];
        let measurements = measurements(&table, &[&values]);
        let read = read_distributions(&written(&measurements)).unwrap();
        let RecordedDistribution { kind, unit, quantum: read_quantum, histogram } = &read["a/b"];
        assert_eq!(histogram, measurements.total()[0].histogram(), "quantum {quantum}");
        assert_eq!((*kind, unit.as_str(), *read_quantum), (MetricKind::Histogram, "ms", quantum));
    }
    let read = read_distributions(&small()).unwrap();
    assert_eq!(read.keys().collect::<Vec<_>>(), ["a \"b\",\nc/load", "hello/never", "hello/time"]);
    assert!(read["hello/never"].histogram.is_empty());
}

/// The refusal of the text with one thing replaced.
fn refused(from: &str, to: &str) -> String {
    let good = small();
    assert!(good.contains(from), "{from}");
    said(&good.replacen(from, to, 1))
}

fn said(text: &str) -> String {
    match read_distributions(text) {
        Ok(read) => format!("read: {} metrics", read.len()),
        Err(error) => format!("line {}: {error}", error.line()).replace("; ", ";\n  "),
    }
}

#[test]
fn other_texts_are_refused() {
    let good = small();
    let said = [
        said(""),
        said(HEADER),
        refused("count\n", "count,more\n"),
        said(&good[..good.len() - 1]),
        said(&good[..good.len() - 3]),
        refused("\"m,s\"", "\"m,s\" "),
        refused("\"m,s\"", "\"m,s"),
        refused(",-0.3,1", ",-0.3"),
        refused(",-0.3,1", ",-0.3,1,1"),
    ];
    expect![[r#"
        line 1: the first line is not `metric,unit,kind,quantum,low,high,count`;
          read the run with the version that wrote it, or run it again
        line 1: the file ends within this line;
          run it again
        line 1: the first line is not `metric,unit,kind,quantum,low,high,count`;
          read the run with the version that wrote it, or run it again
        line 7: the file ends within this line;
          run it again
        line 7: the file ends within this line;
          run it again
        line 6: a quote is not where one can be;
          run it again
        line 6: the file ends within this line;
          run it again
        line 2: the number of fields is 6, not 7;
          run it again
        line 2: the number of fields is 8, not 7;
          run it again"#]]
    .assert_eq(&said.join("\n"));
}

#[test]
fn impossible_fields_are_refused() {
    let said = [
        refused(",-0.3,1", ",-0.3,-1"),
        refused(",-0.3,1", ",-0.3,0"),
        refused(",-0.3,1", ",-0.3,18446744073709551615"),
        refused("-0.301", "-0.302"),
        refused("-0.301", "NaN"),
        refused("-0.301", ""),
        refused("0.001", "-1"),
        refused("0.001", "inf"),
        refused("distribution", "dist"),
    ];
    expect![[r#"
        line 2: `count` cannot be `-1`
        line 2: no bucket that holds values has these ends
        line 2: the metric has more than 2^48 values
        line 2: no bucket that holds values has these ends
        line 2: `low` cannot be `NaN`
        line 2: `low` cannot be ``
        line 2: `quantum` cannot be `-1`
        line 2: `quantum` cannot be `inf`
        line 2: `kind` is none of counter, gauge and distribution"#]]
    .assert_eq(&said.join("\n").replace(";\n  run it again", ""));
}

#[test]
fn lines_that_do_not_go_together_are_refused() {
    let never = "hello/never,1,counter,1,,,0\n";
    let said = [
        refused("0.001,0.007", "0.002,0.007"),
        refused("time,s,distribution,0.001,0.007", "time,h,distribution,0.001,0.007"),
        refused("0.007,0.007,2", "1,1.003,2"),
        refused(never, "hello/time,s,distribution,0.001,2,2.007,1\n"),
        refused(never, &never.repeat(2)),
        refused(never, &format!("{never}hello/never,1,counter,1,3,3,1\n")),
        refused(never, &format!("{never}{HEADER}\n")),
    ];
    expect![[r#"
        line 3: the metric has another unit, kind or quantum in the line before
        line 3: the metric has another unit, kind or quantum in the line before
        line 4: this line is not in the order of buckets and metrics
        line 7: this line is not in the order of buckets and metrics
        line 8: this line is not in the order of buckets and metrics
        line 8: this line is not in the order of buckets and metrics
        line 8: `kind` is none of counter, gauge and distribution"#]]
    .assert_eq(&said.join("\n").replace(";\n  run it again", ""));
}

#[test]
fn damaged_texts_never_panic() {
    let (good, mut rng) = (small().into_bytes(), Seed::new(11).rng());
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..=rng.below(3) {
            // Never cut to nothing, so that there is a byte.
            let index = rng.below(bytes.len() as u64) as usize;
            match rng.below(3) {
                0 => bytes[index] = b"0123456789.,-e\"\n"[rng.below(16) as usize],
                1 => drop(bytes.remove(index)),
                _ => bytes.truncate(index.max(3)),
            }
        }
        refused += u64::from(read_distributions(&String::from_utf8(bytes).unwrap()).is_err());
    }
    assert!(refused > 15_000, "{refused}");
}
