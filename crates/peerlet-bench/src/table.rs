//! Figures as text: plain, Markdown, JSON.

use serde_json::Value;

use crate::figures::Figure;

const COLUMNS: [&str; 12] = [
    "workload",
    "peers",
    "engine",
    "threads",
    "virtual",
    "events/s",
    "min",
    "max",
    "of loop",
    "speed-up",
    "bytes/peer",
    "set-up",
];

/// With spaces, for a terminal.
pub fn plain(figures: &[Figure]) -> String {
    let rows = rows(figures);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..COLUMNS.len()).map(|c| width(c).unwrap_or(0)).collect();
    let line = |row: &[String; 12]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(i, (cell, width))| match i {
            0 | 2 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n") + &hops(figures)
}

/// As Markdown has tables.
pub fn markdown(figures: &[Figure]) -> String {
    let rows = rows(figures);
    let line = |row: &[String; 12]| format!("| {} |", row.join(" | "));
    let rule: Vec<&str> = (0..12).map(|i| if i == 0 || i == 2 { "---" } else { "---:" }).collect();
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.insert(1, format!("| {} |", rule.join(" | ")));
    lines.join("\n") + &hops(figures)
}

/// A list of objects, one a row.
pub fn json(figures: &[Figure]) -> String {
    let rows: Vec<Value> = figures.iter().map(Figure::json).collect();
    format!("{:#}", Value::Array(rows))
}

/// The names of the columns, then one row a figure.
fn rows(figures: &[Figure]) -> Vec<[String; 12]> {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.extend(figures.iter().map(row));
    rows
}

fn row(figure: &Figure) -> [String; 12] {
    let share = |value: Option<f64>| match value {
        Some(share) if share < 0.01 => format!("{share:.6}"),
        Some(share) => format!("{share:.3}"),
        None => String::from("–"),
    };
    let mut row: [String; 12] = std::array::from_fn(|_| String::new());
    row[0] = figure.workload.name().to_owned();
    row[1] = thousands(u64::from(figure.peers));
    row[2] = figure.engine.name().to_owned();
    row[3] = figure.threads.to_string();
    row[4] = format!("{} s", figure.seconds);
    match &figure.measured {
        Ok(measured) => {
            row[5] = rate(measured.rate);
            row[6] = rate(measured.rates.0);
            row[7] = rate(measured.rates.1);
            row[8] = share(measured.ratio);
            row[9] = share(measured.speed_up);
            row[10] = thousands(measured.bytes_a_peer.round() as u64);
            row[11] = format!("{:.3} s", measured.set_up_seconds);
        }
        Err(why) => row[5] = why.to_string(),
    }
    row
}

/// What lookups took, below the table.
fn hops(figures: &[Figure]) -> String {
    let line = |figure: &Figure| {
        let hops = figure.measured.as_ref().ok()?.hops?;
        let (engine, peers) = (figure.engine, thousands(u64::from(figure.peers)));
        Some(format!("\nhops of lookups, {engine}, {peers} peers: {hops:.3}"))
    };
    let mut lines: Vec<String> = figures.iter().filter_map(line).collect();
    lines.dedup();
    if lines.is_empty() { String::new() } else { format!("\n{}", lines.concat()) }
}

/// A rate in millions, in thousands where it is less, and as it is where it is less than that.
fn rate(rate: f64) -> String {
    match rate {
        1e7.. => format!("{:.1} M", rate / 1e6),
        1e5.. => format!("{:.2} M", rate / 1e6),
        1e3.. => format!("{:.1} k", rate / 1e3),
        _ => format!("{rate:.0}"),
    }
}

/// A number with a comma before each three digits.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let first = (digits.len() - 1) % 3 + 1;
    let mut text = digits[..first].to_owned();
    for group in digits.as_bytes()[first..].chunks(3) {
        text.push(',');
        text.extend(group.iter().map(|digit| char::from(*digit)));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use peerlet_bench_yardstick::Workload;

    use super::*;
    use crate::case::Engine;
    use crate::child::Absence;
    use crate::figures::{Series, figures};
    use crate::sample::Sample;

    fn some() -> Vec<Figure> {
        let sample = Sample::new(120_000_000, Duration::from_millis(20), Duration::from_secs(4), 1);
        let fast = Ok(Sample { peak_bytes: 1_234_000_000, ..sample });
        let series = |engine, samples| {
            let (workload, peers) = (Workload::Gossip, 1_000_000);
            Series { workload, peers, engine, threads: 1, seconds: 60, samples }
        };
        let slow = series(Engine::Madsim, vec![Err(Absence::TooSlow)]);
        figures(&[series(Engine::Loop, vec![fast]), slow])
    }

    #[test]
    fn a_table_for_people() {
        let wanted = "\
            workload      peers  engine  threads  virtual  events/s     min     max  of loop  \
            speed-up  bytes/peer   set-up\n\
            gossip    1,000,000  loop          1     60 s    30.0 M  30.0 M  30.0 M    \
            1.000         –       1,234  0.020 s\n\
            gossip    1,000,000  madsim        1     60 s  too slow";
        let told = plain(&some());
        assert_eq!(told, wanted, "\n{told}");
    }

    #[test]
    fn a_table_in_markdown_has_as_many_cells_in_each_line() {
        let told = markdown(&some());
        let cells: Vec<usize> = told.lines().map(|line| line.matches('|').count()).collect();
        assert_eq!(cells, [13; 4], "\n{told}");
    }

    #[test]
    fn json_has_the_figures() {
        let rows: Value = serde_json::from_str(&json(&some())).unwrap();
        assert_eq!(rows[0]["events_per_second"], 30e6);
        assert_eq!(rows[0]["engine"], "loop");
        assert_eq!(rows[1]["absent"], "too slow");
    }

    #[test]
    fn numbers_are_grouped() {
        let all = [0, 12, 123, 1_234, 12_345, 123_456, 1_234_567].map(thousands);
        assert_eq!(all, ["0", "12", "123", "1,234", "12,345", "123,456", "1,234,567"]);
    }
}
