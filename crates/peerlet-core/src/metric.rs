//! Metrics: the quantities that a peerlet measures, declared once.

/// The largest number of quanta that one recorded value can hold, either way: 2^48.
///
/// Squares then stay below 2^96, and sums of squares of four billion values below 2^128.
pub const QUANTA_MAX: i64 = 1 << 48;

fn rounded(value: f64, quantum: f64) -> Option<i64> {
    if value.is_nan() {
        return None;
    }
    let quanta = (value / quantum).round();
    Some((quanta as i64).clamp(-QUANTA_MAX, QUANTA_MAX))
}

/// How the values of a metric are interpreted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricKind {
    /// Occurrences: values are added up.
    Counter,
    /// A level: each peer's last value counts, taken at the end of each epoch from the running
    /// peers.
    Gauge,
    /// Samples: mean, spread and percentiles are of interest. Tables and files say `distribution`.
    Histogram,
}

impl MetricKind {
    /// The kind's name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "distribution",
        }
    }
}

/// A metric that peerlets of type `P` record: what [`Context::measure`](crate::Context::measure)
/// takes.
///
/// The handles that [`metrics!`](crate::metrics) declares are metrics of their peerlet alone, and
/// the compiler knows their places. A [`Metric`] is one of every peerlet, and is looked up by its
/// name.
#[diagnostic::on_unimplemented(
    message = "`{P}` does not record the metric `{Self}`",
    label = "not a metric of `{P}`",
    note = "declare it in the `metrics!` of this peerlet"
)]
pub trait MetricOf<P>: Copy {
    /// Its place in the peerlet's [`METRICS`](crate::Peerlet::METRICS), and what is there; `None`
    /// where it is looked up by its name, among those that the peerlet describes.
    const LISTED: Option<(u16, Metric)>;

    /// The metric itself.
    fn metric(self) -> Metric;
}

impl<P> MetricOf<P> for Metric {
    const LISTED: Option<(u16, Metric)> = None;

    #[inline(always)]
    fn metric(self) -> Metric {
        self
    }
}

/// One quantity that a peerlet measures: its name, kind, unit and resolution.
///
/// Values are recorded as whole multiples of the quantum, so that sums are exact and the same
/// however the peers are distributed over threads and processes. A full name is `peerlet/metric`.
///
/// ```
/// use peerlet_core::Metric;
/// const ANSWERS: Metric = Metric::counter("answers").help("welcomes received");
/// const TIME: Metric = Metric::histogram("time").unit("s").quantum(1e-9);
/// assert_eq!(TIME.quanta(0.25), Some(250_000_000));
/// assert_eq!(ANSWERS.quanta(f64::NAN), None);
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Metric {
    name: &'static str,
    kind: MetricKind,
    unit: &'static str,
    quantum: f64,
    help: &'static str,
}

impl Metric {
    const fn new(name: &'static str, kind: MetricKind, quantum: f64) -> Metric {
        Metric { name, kind, unit: "1", quantum, help: "" }
    }

    /// A counter. Its quantum is 1.
    pub const fn counter(name: &'static str) -> Metric {
        Metric::new(name, MetricKind::Counter, 1.0)
    }

    /// A gauge. Its quantum is a millionth unless set.
    pub const fn gauge(name: &'static str) -> Metric {
        Metric::new(name, MetricKind::Gauge, 1e-6)
    }

    /// A histogram. Its quantum is a millionth unless set.
    pub const fn histogram(name: &'static str) -> Metric {
        Metric::new(name, MetricKind::Histogram, 1e-6)
    }

    /// The same metric in this unit (SI symbols; `"1"` for plain numbers, the default).
    pub const fn unit(self, unit: &'static str) -> Metric {
        Metric { unit, ..self }
    }

    /// The same metric at this resolution, in units.
    ///
    /// # Panics
    /// Panics when the quantum is not positive. In a constant this is a compile error.
    pub const fn quantum(self, quantum: f64) -> Metric {
        assert!(quantum > 0.0, "a metric's quantum is positive");
        Metric { quantum, ..self }
    }

    /// The same metric with a sentence that describes it.
    pub const fn help(self, help: &'static str) -> Metric {
        Metric { help, ..self }
    }

    /// The name within its peerlet.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How the values are to be read.
    pub const fn kind(&self) -> MetricKind {
        self.kind
    }

    /// The unit's symbol.
    pub const fn unit_symbol(&self) -> &'static str {
        self.unit
    }

    /// The resolution in units.
    pub const fn resolution(&self) -> f64 {
        self.quantum
    }

    /// A sentence on what it is; may be empty.
    pub const fn description(&self) -> &'static str {
        self.help
    }

    /// The value in whole quanta, clamped to [`QUANTA_MAX`] either way; `None` for NaN.
    #[inline]
    pub fn quanta(&self, value: f64) -> Option<i64> {
        // What counts is mostly whole: no need to divide and to round.
        let whole = value as i32;
        if self.quantum == 1.0 && f64::from(whole) == value {
            return Some(i64::from(whole));
        }
        rounded(value, self.quantum)
    }

    /// The value that this many quanta stand for.
    ///
    /// ```
    /// # use peerlet_core::Metric;
    /// let time = Metric::histogram("time").unit("s").quantum(1e-9);
    /// assert_eq!(time.value(1_000.0), 1e-6);
    /// ```
    pub fn value(&self, quanta: f64) -> f64 {
        // A decimal quantum is no binary fraction, but its reciprocal is a whole number: dividing
        // by that rounds once, so that 1,000 nanoseconds are 1e-6 s and not a digit beside it.
        let per_unit = (1.0 / self.quantum).round();
        let is_whole = (per_unit * self.quantum - 1.0).abs() < 1e-12;
        if is_whole { quanta / per_unit } else { quanta * self.quantum }
    }
}
