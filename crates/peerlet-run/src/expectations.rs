//! The expectations of a scenario, judged on a run's results.

use std::fmt;

use peerlet_core::Time;
use peerlet_measure::{Measurements, STATISTICS, Summary};
use peerlet_scenario::{ExpectOver, Scenario, Side, suggest};
use serde::{Deserialize, Serialize};

use crate::properties::PropertyReport;

/// How one bound of one expectation ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// The measure's full name.
    pub measure: String,
    /// The bound as the scenario writes it, such as `mean_min`.
    pub bound: String,
    /// The epochs over which it was judged, in words, where they are not those of the summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// The last acceptable value, in the measure's unit.
    pub value: f64,
    /// The value of the run; null when nothing was measured.
    pub actual: Option<f64>,
    /// Whether the bound was kept.
    pub held: bool,
    /// Its location: `file:line:column`.
    pub place: String,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.held { "held" } else { "FAILED" };
        let Verdict { measure, bound, value, place, .. } = self;
        let over = self.over.as_ref().map(|over| format!(" {over}")).unwrap_or_default();
        let actual = self.actual.map_or("nothing was measured".to_owned(), |x| format!("{x:.4}"));
        write!(f, "{word:<6} {measure} {bound} = {value}{over}: {actual} ({place})")
    }
}

/// Properties or expectations did not hold on a run, or expectations were not judged.
#[derive(Clone, PartialEq)]
pub struct Unmet {
    /// The properties that did not hold.
    pub properties: Vec<PropertyReport>,
    /// The bounds that were not kept.
    pub failed: Vec<Verdict>,
    /// Why they were not judged, where they were not.
    pub not_judged: Option<&'static str>,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let properties = &self.properties;
        if !properties.is_empty() {
            f.write_str("some properties did not hold")?;
            properties.iter().try_for_each(|report| write!(f, "\n  {report}"))?;
        }
        let next = if properties.is_empty() { "" } else { "\n" };
        match (self.not_judged, &*self.failed) {
            (Some(why), _) => write!(f, "{next}the expectations were not judged: {why}"),
            (None, []) => Ok(()),
            (None, failed) => {
                write!(f, "{next}some expectations did not hold")?;
                failed.iter().try_for_each(|verdict| write!(f, "\n  {verdict}"))
            }
        }
    }
}

impl fmt::Debug for Unmet {
    /// As displayed, since tests return it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Unmet {}

/// What is said of a measure that nobody takes, where these are taken: a message and a help.
pub(crate) fn unknown_measure(measure: &str, names: &[&str]) -> (String, String) {
    let help = match suggest(measure, names) {
        _ if names.is_empty() => {
            "no peerlet of this scenario measures anything: leave it out, or add a peerlet that \
             has measures"
                .to_owned()
        }
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("the measures of this scenario are: {}", names.join(", ")),
    };
    (format!("no peerlet measures `{measure}`"), help)
}

/// Checks all bounds; a bound without measurements is not kept.
pub fn check(scenario: &Scenario, measures: &Measurements) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let summary = Summary::of(measures);
    let last = measures.epochs().last().map_or(Time::ZERO, |epoch| epoch.from);
    for expect in &scenario.expect {
        let (part, over) = match &expect.over {
            ExpectOver::Summary => (None, None),
            ExpectOver::After(after, _) => {
                let part = Summary::from(measures, Time::ZERO + *after);
                (Some(part), Some(format!("after {after}")))
            }
            ExpectOver::End => (Some(Summary::from(measures, last)), Some("at the end".to_owned())),
        };
        let row = part.as_ref().unwrap_or(&summary).rows.get(&expect.measure);
        for bound in &expect.bounds {
            let statistic = STATISTICS.iter().find(|(name, _)| *name == bound.statistic);
            let actual = row.and_then(|row| statistic.and_then(|(_, of)| of(row)));
            let side = match bound.side {
                Side::Min => "min",
                Side::Max => "max",
            };
            verdicts.push(Verdict {
                measure: expect.measure.clone(),
                bound: format!("{}_{side}", bound.statistic),
                over: over.clone(),
                value: bound.value,
                actual,
                held: actual.is_some_and(|actual| bound.holds(actual)),
                place: scenario.sources.problem(&bound.span, "", "").location(),
            });
        }
    }
    verdicts
}
