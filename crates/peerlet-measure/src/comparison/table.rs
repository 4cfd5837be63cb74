//! A comparison as a table: one line for each number, for people and for documents.

use std::fmt;

use super::{ComparedMetric, ComparedStatistic, Comparison, KsDistance, Verdict};
use crate::relative::RelativeError;
use crate::table::{number, total, write_table};

/// metric, figure, left, right, error, verdict.
const HEADER: [&str; 6] = ["metric", "figure", "left", "right", "error", "verdict"];

impl fmt::Display for Comparison {
    /// Writes a table: values with their units, relative errors with their 90 % intervals, and the
    /// verdicts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![HEADER.map(str::to_owned).to_vec()];
        for row in &self.rows {
            lines.extend(row.lines().into_iter().map(|mut cells| {
                // No blanks at the end of a line.
                while cells.last().is_some_and(String::is_empty) {
                    cells.pop();
                }
                cells
            }));
        }
        write_table(f, 2, &lines)
    }
}

impl Comparison {
    /// The table of [`Display`](fmt::Display) in Markdown.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let mut text = line(&HEADER.map(str::to_owned));
        text += "|---|---|--:|--:|--:|---|\n";
        for cells in self.rows.iter().flat_map(ComparedMetric::lines) {
            text += &line(&cells);
        }
        text
    }
}

impl ComparedMetric {
    /// The cells of each line.
    fn lines(&self) -> Vec<Vec<String>> {
        let mut lines: Vec<_> =
            self.statistics.iter().map(|statistic| self.line(statistic)).collect();
        lines.extend(self.ks.as_ref().map(KsDistance::line));
        if let Some(first) = lines.first_mut() {
            first[0].clone_from(&self.metric);
            let word = match self.verdict {
                Verdict::Held | Verdict::Failed | Verdict::Inconclusive => return lines,
                other => other.word(),
            };
            word.clone_into(&mut first[5]);
        }
        lines
    }

    fn line(&self, statistic: &ComparedStatistic) -> Vec<String> {
        let unit = match (statistic.name, self.unit.as_str()) {
            ("count", _) | (_, "1") => String::new(),
            (_, unit) => format!(" {unit}"),
        };
        let value = |value: Option<f64>| match (statistic.name, value) {
            (_, None) => "-".to_owned(),
            // The mean of large counts is shown like a count.
            ("count" | "sum", Some(value)) if value.abs() >= 1000.0 => {
                format!("{}{unit}", total(value.round()))
            }
            ("count" | "sum", Some(value)) => format!("{}{unit}", total(value)),
            (_, value) => format!("{}{unit}", number(value)),
        };
        let name = statistic.name.to_owned();
        let error = statistic.error.map_or_else(|| "-".to_owned(), |error| error.to_string());
        let (left, right) = (value(statistic.left), value(statistic.right));
        vec![String::new(), name, left, right, error, word(statistic.verdict)]
    }
}

impl KsDistance {
    fn line(&self) -> Vec<String> {
        let distance = match self.interval {
            Some([low, high]) => format!("{:.4} ({low:.4} to {high:.4})", self.distance),
            None => format!("{:.4}", self.distance),
        };
        let none = String::new;
        vec![none(), "KS".to_owned(), none(), none(), distance, word(self.verdict)]
    }
}

fn word(verdict: Option<Verdict>) -> String {
    verdict.map_or("", Verdict::word).to_owned()
}

impl fmt::Display for RelativeError {
    /// Writes percent, with the interval where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = match self.value {
            0.0 => "0 %".to_owned(),
            value => format!("{:+.2} %", value * 100.0),
        };
        match self.margin {
            Some(0.0) => text += " ± 0 %",
            Some(margin) => text += &format!(" ± {:.2} %", margin * 100.0),
            None => (),
        }
        f.pad(&text)
    }
}
