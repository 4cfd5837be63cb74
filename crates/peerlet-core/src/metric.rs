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

/// The most tags of a metric.
pub const TAGS_MAX: usize = 3;

/// The most combinations of tag values of a metric: each has an accumulator in every epoch.
pub const CELLS_MAX: usize = 256;

/// A tag of a metric, with all values that it can take.
///
/// Values are known by their index. The list is closed, so that the memory of measurements is
/// bounded however many values are recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag {
    /// Its name.
    pub name: &'static str,
    /// The names of its values.
    pub values: &'static [&'static str],
}

/// Whether a name can stand in the full name of a metric with tags.
const fn is_tag_word(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        if matches!(bytes[i], b'{' | b'}' | b'=' | b',' | b'"' | b'\\') || bytes[i] < b' ' {
            return false;
        }
        i += 1;
    }
    !bytes.is_empty()
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

    /// How many tag values come with it.
    const TAGGED: usize = 0;

    /// The metric itself.
    fn metric(self) -> Metric;

    /// The indices of its tag values, in the order of the metric's tags.
    fn tag_values(&self) -> &[usize] {
        &[]
    }
}

/// A metric with a value for each of its tags, for [`Context::measure`](crate::Context::measure).
///
/// An index beyond the last value of a tag counts as the last one: name it accordingly, such as
/// `4 or more`.
#[derive(Clone, Copy, Debug)]
pub struct Tagged<M, const N: usize> {
    metric: M,
    values: [usize; N],
}

impl<M, const N: usize> Tagged<M, N> {
    /// Attaches a value to each tag, given by its index, in the order of the tags.
    pub const fn new(metric: M, values: [usize; N]) -> Tagged<M, N> {
        Tagged { metric, values }
    }
}

impl<P, M: MetricOf<P>, const N: usize> MetricOf<P> for Tagged<M, N> {
    const LISTED: Option<(u16, Metric)> = M::LISTED;
    const TAGGED: usize = N;

    #[inline(always)]
    fn metric(self) -> Metric {
        self.metric.metric()
    }

    #[inline(always)]
    fn tag_values(&self) -> &[usize] {
        &self.values
    }
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
    tags: [Option<Tag>; TAGS_MAX],
}

impl Metric {
    const fn new(name: &'static str, kind: MetricKind, quantum: f64) -> Metric {
        Metric { name, kind, unit: "1", quantum, help: "", tags: [None; TAGS_MAX] }
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

    /// The same metric with one tag more, which takes one of these values. A value that is recorded
    /// [with tags](Metric::tagged) counts for the metric, and for the metric with these tags.
    ///
    /// ```
    /// use peerlet_core::Metric;
    /// const TIME: Metric = Metric::histogram("time")
    ///     .unit("s")
    ///     .tag("answer", &["found", "missing"])
    ///     .tag("hops", &["0", "1", "2 or more"]);
    /// assert_eq!((TIME.cells(), TIME.cell(&[1, 7])), (6, 5));
    /// assert_eq!(TIME.cell_name(5), "time{answer=missing,hops=2 or more}");
    /// ```
    ///
    /// # Panics
    /// Panics, in a constant as a compile error, when it is the fourth tag, has no values, or gives
    /// more than 256 combinations with the others; when a name is empty or has one of `{}=,"\` or a
    /// control character.
    #[must_use]
    pub const fn tag(self, name: &'static str, values: &'static [&'static str]) -> Metric {
        assert!(
            is_tag_word(name),
            "the name of a tag is empty, or has a brace, a comma, a quote, a backslash or `=`"
        );
        let mut i = 0;
        while i < values.len() {
            assert!(
                is_tag_word(values[i]),
                "a tag's value is empty, or has a brace, a comma, a quote, a backslash or `=`"
            );
            i += 1;
        }
        let mut tags = self.tags;
        let count = self.tag_count();
        assert!(count < TAGS_MAX, "a metric has at most three tags");
        tags[count] = Some(Tag { name, values });
        let tagged = Metric { tags, ..self };
        let cells = tagged.cells();
        assert!(cells > 0, "a tag takes at least one value");
        assert!(cells <= CELLS_MAX, "the tags of a metric have at most 256 combinations of values");
        tagged
    }

    /// Attaches a value to each tag, given by its index, in the order of the tags.
    pub const fn tagged<const N: usize>(self, values: [usize; N]) -> Tagged<Metric, N> {
        Tagged::new(self, values)
    }

    /// Its tags.
    pub fn tags(&self) -> impl Iterator<Item = Tag> + '_ {
        self.tags.iter().copied().flatten()
    }

    /// How many tags it has.
    pub const fn tag_count(&self) -> usize {
        let mut count = 0;
        while count < TAGS_MAX && self.tags[count].is_some() {
            count += 1;
        }
        count
    }

    /// How many combinations its tags' values have; 0 without tags.
    pub const fn cells(&self) -> usize {
        let (mut cells, mut i) = (1, 0);
        while i < TAGS_MAX {
            match self.tags[i] {
                Some(tag) => cells *= tag.values.len(),
                None => break,
            }
            i += 1;
        }
        if i == 0 { 0 } else { cells }
    }

    /// The number of a combination of tag values, from 0. An index beyond the last value of a tag
    /// counts as the last, and so does one that is missing.
    #[inline(always)]
    pub fn cell(&self, values: &[usize]) -> usize {
        let mut cell = 0;
        for (i, tag) in self.tags.iter().enumerate() {
            let Some(tag) = tag else { break };
            let last = tag.values.len() - 1;
            cell = cell * tag.values.len() + values.get(i).copied().unwrap_or(last).min(last);
        }
        cell
    }

    /// The metric's name with the tag values of this combination: `time{answer=found,hops=1}`.
    pub fn cell_name(&self, cell: usize) -> String {
        let (mut rest, mut parts) = (cell, Vec::new());
        for tag in self.tags().collect::<Vec<_>>().into_iter().rev() {
            let value = tag.values[rest % tag.values.len()];
            rest /= tag.values.len();
            parts.push(format!("{}={value}", tag.name));
        }
        parts.reverse();
        format!("{}{{{}}}", self.name, parts.join(","))
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
