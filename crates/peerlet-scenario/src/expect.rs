//! Expectations: bounds that a measure must keep at the end of a run.

use std::ops::Range;

use peerlet_core::Duration;

use crate::raw::{Part, Raw};
use crate::reader::{Fields, Reader};

/// The statistics of a measure that can be bounded, by their names in `summary.json`.
pub const STATISTICS: [&str; 15] = [
    "count", "sum", "mean", "min", "max", "std", "p1", "p5", "p10", "p25", "p50", "p75", "p90",
    "p95", "p99",
];

/// The bounds on a metric at the end of a run.
#[derive(Clone, PartialEq, Debug)]
pub struct Expect {
    /// The measure's full name, such as `chord/lookup_success`.
    pub measure: String,
    /// Where the name is written.
    pub span: Range<usize>,
    /// The epochs that count.
    pub over: ExpectOver,
    /// All that is expected of it.
    pub bounds: Vec<Bound>,
}

/// The epochs over which a measure is judged.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum ExpectOver {
    /// Those after the warm-up.
    #[default]
    Summary,
    /// Those that begin at this time or later; and where that is written.
    After(Duration, Range<usize>),
    /// The last one.
    End,
}

/// One bound, written `mean_min = 0.99`.
#[derive(Clone, PartialEq, Debug)]
pub struct Bound {
    /// One of [`STATISTICS`].
    pub statistic: &'static str,
    /// Which side is bounded.
    pub side: Side,
    /// The last value that is fine, in the measure's unit.
    pub value: f64,
    /// Where the value is written.
    pub span: Range<usize>,
}

/// The side of a bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The statistic is at least the value.
    Min,
    /// The statistic is at most the value.
    Max,
}

impl Bound {
    /// Whether a statistic of this value keeps the bound; NaN keeps none.
    pub fn holds(&self, statistic: f64) -> bool {
        match self.side {
            Side::Min => statistic >= self.value,
            Side::Max => statistic <= self.value,
        }
    }
}

impl Expect {
    pub(crate) fn read(table: &Raw, reader: &mut Reader) -> Option<Expect> {
        let mut fields = Fields::new("[[expect]]", table);
        let measure = fields.take("measure");
        let [after, at_end] = ["after", "at_end"].map(|name| fields.take(name));
        let rest = fields.rest();
        let bounds: Vec<_> = rest.iter().filter_map(|part| bound(part, reader)).collect();
        let Some(measure) = measure else {
            reader.missing(&table.span, "measure", "[[expect]]", "measure = \"peerlet/metric\"");
            return None;
        };
        if rest.is_empty() {
            reader.missing(
                &table.span,
                "mean_min",
                "[[expect]]",
                "a bound, such as mean_min = 0.99",
            );
        }
        let over = over(after, at_end, reader);
        for low in bounds.iter().filter(|bound| bound.side == Side::Min) {
            let same = |high: &&Bound| high.side == Side::Max && high.statistic == low.statistic;
            if bounds.iter().find(same).is_some_and(|high| high.value < low.value) {
                let message = format!("`{0}_min` is above `{0}_max`", low.statistic);
                reader.refuse(&low.span, message, "exchange the two: nothing lies between them");
            }
        }
        let (span, measure) = (measure.raw.span.clone(), reader.text(&measure)?);
        Some(Expect { measure, span, over, bounds })
    }
}

/// Reads over which epochs a measure is judged.
fn over(after: Option<Part>, at_end: Option<Part>, reader: &mut Reader) -> ExpectOver {
    if let (Some(_), Some(part)) = (&after, &at_end) {
        let message = "`after` and `at_end` exclude each other";
        reader.refuse(&part.name_span, message, "leave one of them out");
    }
    if let Some(part) = after {
        let after = reader.duration(&part).map(|after| ExpectOver::After(after, part.raw.span));
        return after.unwrap_or_default();
    }
    match at_end.and_then(|part| reader.boolean(&part)) {
        Some(true) => ExpectOver::End,
        _ => ExpectOver::Summary,
    }
}

fn bound(part: &Part, reader: &mut Reader) -> Option<Bound> {
    let known = part.name.rsplit_once('_').and_then(|(statistic, side)| {
        let side = match side {
            "min" => Side::Min,
            "max" => Side::Max,
            _ => return None,
        };
        Some((STATISTICS.into_iter().find(|known| *known == statistic)?, side))
    });
    let Some((statistic, side)) = known else {
        let sides = |name: &&str| [format!("{name}_min"), format!("{name}_max")];
        let names: Vec<String> = STATISTICS.iter().flat_map(sides).collect();
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.splice(0..0, ["measure", "after", "at_end"]);
        reader.unknown(part, "[[expect]]", &names);
        return None;
    };
    let value = reader.number(part)?;
    Some(Bound { statistic, side, value, span: part.raw.span.clone() })
}
