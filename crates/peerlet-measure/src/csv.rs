//! `measures.csv`: the measurements of each epoch, for spreadsheets and data frames; and how fields
//! of all such files are quoted and read back.

use std::borrow::Cow;
use std::{fmt, io};

use crate::measurements::Measurements;
use crate::summary::Row;

/// The first line. It names the format: another one is another version's.
const HEADER: &str = "from,to,metric,unit,kind,count,sum,mean,min,max,std,p5,p50,p95,p99";

/// Writes a header, then one row for each epoch and metric, in order of epoch and table; the
/// warm-up is included.
///
/// Times are in seconds, values in the metric's unit, with as many digits as tell floats apart.
/// Where there was no value the count is 0 and the fields after the sum are empty; metrics of a
/// part of the network, or with tags, have no row then. Quoted as in RFC
/// 4180; lines end with a line feed alone.
///
/// # Errors
/// Gives on what the writer says.
pub fn write_csv(measurements: &Measurements, out: &mut impl io::Write) -> io::Result<()> {
    writeln!(out, "{HEADER}")?;
    for epoch in measurements.epochs() {
        for (entry, accumulator) in measurements.metrics().iter().zip(&epoch.accumulators) {
            if accumulator.is_empty() && entry.is_part() {
                continue;
            }
            let row = Row::of(&entry.metric, accumulator);
            let (from, to) = (epoch.from.as_secs_f64(), epoch.to.as_secs_f64());
            let (name, unit) = (quoted(&entry.full_name), quoted(row.unit));
            let kind = entry.metric.kind().name();
            write!(out, "{from},{to},{name},{unit},{kind},{},{}", row.count, row.sum)?;
            for value in [row.mean, row.min, row.max, row.std, row.p5, row.p50, row.p95, row.p99] {
                match value {
                    Some(value) => write!(out, ",{value}")?,
                    None => write!(out, ",")?,
                }
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

/// A metric in an epoch, as `measures.csv` tells it.
#[derive(Clone, PartialEq, Debug)]
pub struct EpochRow {
    /// The epoch's first instant, in seconds.
    pub from: f64,
    /// The instant that it ends before.
    pub to: f64,
    /// The metric's full name.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// `counter`, `gauge` or `distribution`.
    pub kind: String,
    /// Its numbers by their names, in the order of the columns; `None` where there was no value.
    pub numbers: [(&'static str, Option<f64>); 10],
}

/// Why a text is no `measures.csv`: the number of the line, and what is wrong there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CsvError {
    /// The line, from 1 on.
    pub line: usize,
    /// The error message.
    pub message: String,
}

impl fmt::Display for CsvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}; run it again", self.line, self.message)
    }
}

impl std::error::Error for CsvError {}

/// Reads back what [`write_csv`] wrote.
///
/// # Errors
/// Refuses other versions, texts that are cut short, and lines of another shape.
pub fn read_csv(text: &str) -> Result<Vec<EpochRow>, CsvError> {
    const NAMES: [&str; 10] =
        ["count", "sum", "mean", "min", "max", "std", "p5", "p50", "p95", "p99"];
    let mut rows = Vec::new();
    for record in Records::new(text) {
        let (line, fields) = record.map_err(|error| match error {
            RecordError::CutShort { line } => {
                CsvError { line, message: "it ends before its last line does".to_owned() }
            }
            RecordError::Quote { line } => {
                CsvError { line, message: "something follows a closing quote".to_owned() }
            }
        })?;
        let wrong = |message: &str| CsvError { line, message: message.to_owned() };
        if line == 1 {
            match fields.join(",") == HEADER {
                true => continue,
                false => return Err(wrong("these are not the columns of this version")),
            }
        }
        let [from, to, metric, unit, kind, numbers @ ..] = fields.as_slice() else {
            return Err(wrong("it has too few fields"));
        };
        let number = |field: &String| -> Result<Option<f64>, CsvError> {
            match field.is_empty() {
                true => Ok(None),
                false => field.parse().map(Some).map_err(|_| wrong("a field is no number")),
            }
        };
        if numbers.len() != NAMES.len() {
            return Err(wrong("it has another number of fields"));
        }
        let mut named = NAMES.map(|name| (name, None));
        for ((_, value), field) in named.iter_mut().zip(numbers) {
            *value = number(field)?;
        }
        let time = |field| number(field)?.ok_or_else(|| wrong("an epoch has no time"));
        let (from, to) = (time(from)?, time(to)?);
        let [metric, unit, kind] = [metric, unit, kind].map(Clone::clone);
        rows.push(EpochRow { from, to, metric, unit, kind, numbers: named });
    }
    if text.is_empty() {
        return Err(CsvError { line: 1, message: "it is empty".to_owned() });
    }
    Ok(rows)
}

/// A field of a CSV file, as in RFC 4180: in quotes when it holds what would end it.
pub fn quoted(field: &str) -> Cow<'_, str> {
    if field.contains([',', '"', '\n', '\r']) {
        Cow::Owned(format!("\"{}\"", field.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(field)
    }
}

/// The records of a CSV text, each with the number of the line that it begins in; or the number of
/// a line that is wrong.
pub fn csv_records(text: &str) -> impl Iterator<Item = Result<(usize, Vec<String>), usize>> + '_ {
    Records::new(text).map(|record| {
        record.map_err(|error| match error {
            RecordError::CutShort { line } | RecordError::Quote { line } => line,
        })
    })
}

/// The records of a text, each with the line that it begins in.
pub(crate) struct Records<'a> {
    rest: &'a str,
    line: usize,
}

/// Why a text is no list of records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RecordError {
    /// It ends before its last record does.
    CutShort {
        /// The last line.
        line: usize,
    },
    /// Something follows a field's closing quote.
    Quote {
        /// The line.
        line: usize,
    },
}

impl<'a> Records<'a> {
    pub(crate) fn new(text: &'a str) -> Records<'a> {
        Records { rest: text, line: 1 }
    }

    /// Takes one field off, and the comma or line feed behind it; says whether that was the comma.
    fn field(&mut self) -> Result<(String, bool), RecordError> {
        let field = match self.rest.strip_prefix('"') {
            Some(inside) => {
                self.rest = inside;
                self.quoted()?
            }
            None => {
                let cut_short = RecordError::CutShort { line: self.line };
                let (field, rest) =
                    self.rest.split_at(self.rest.find([',', '\n']).ok_or(cut_short)?);
                self.rest = rest;
                field.to_owned()
            }
        };
        if let Some(rest) = self.rest.strip_prefix(',') {
            self.rest = rest;
            return Ok((field, true));
        }
        match self.rest.strip_prefix('\n') {
            Some(rest) => self.rest = rest,
            None if self.rest.is_empty() => return Err(RecordError::CutShort { line: self.line }),
            None => return Err(RecordError::Quote { line: self.line }),
        }
        self.line += 1;
        Ok((field, false))
    }

    /// The inside of a field in quotes, up to and with the closing one.
    fn quoted(&mut self) -> Result<String, RecordError> {
        let mut field = String::new();
        loop {
            let cut_short = RecordError::CutShort { line: self.line };
            let (inside, rest) = self.rest.split_once('"').ok_or(cut_short)?;
            field += inside;
            self.line += inside.matches('\n').count();
            self.rest = rest;
            match rest.strip_prefix('"') {
                Some(rest) => {
                    field.push('"');
                    self.rest = rest;
                }
                None => return Ok(field),
            }
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<(usize, Vec<String>), RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (line, mut fields) = (self.line, Vec::new());
        loop {
            match self.field() {
                Ok((field, goes_on)) => {
                    fields.push(field);
                    if !goes_on {
                        return Some(Ok((line, fields)));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use peerlet_core::{MILLISECOND, Metric, Time};

    use super::*;
    use crate::epochs::Epochs;
    use crate::measurements::EpochMeasurements;
    use crate::metric_entry::MetricEntry;

    #[test]
    fn rows() {
        let entries = [
            MetricEntry::new("hello", Metric::counter("answers")),
            MetricEntry::new("a \"b\", c", Metric::gauge("load").unit("m,s").quantum(0.5)),
        ];
        let (edge, end) = (Time::ZERO + MILLISECOND * 1_500, Time::ZERO + MILLISECOND * 2_500);
        let grid = Epochs::new(MILLISECOND * 1_500, edge..end).unwrap();
        let mut measurements = Measurements::new(entries.into(), grid);
        let mut first = EpochMeasurements::new(0, Time::ZERO..edge, 2);
        [1, 1, 2].into_iter().for_each(|quanta| first.accumulators[0].record(quanta));
        let mut second = EpochMeasurements::new(1, edge..end, 2);
        [-3, 4].into_iter().for_each(|quanta| second.accumulators[1].record(quanta));
        measurements.add(second);
        measurements.add(first);
        let mut text = Vec::new();
        write_csv(&measurements, &mut text).unwrap();
        expect![[r#"
            from,to,metric,unit,kind,count,sum,mean,min,max,std,p5,p50,p95,p99
            0,1.5,hello/answers,1,counter,3,4,1.3333333333333333,1,2,0.5773502691896257,1,1,2,2
            0,1.5,"a ""b"", c/load","m,s",gauge,0,0,,,,,,,,
            1.5,2.5,hello/answers,1,counter,0,0,,,,,,,,
            1.5,2.5,"a ""b"", c/load","m,s",gauge,2,0.5,0.25,-1.5,2,2.4748737341529163,-1.5,-1.5,2,2
        "#]]
        .assert_eq(&String::from_utf8(text).unwrap());
    }
}
