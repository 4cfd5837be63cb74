//! Verdicts on runs made by hand, and how they are shown.

use expect_test::expect;
use peerlet_core::{Class, Metric, SECOND, Time};

use super::*;
use std::collections::BTreeMap;

use crate::epochs::Epochs;
use crate::figures::MessageFigures;
use crate::ledger::{DropCause, Ledger};
use crate::measures::{EpochMeasures, Measures, MetricEntry};

/// A run of one metric.
fn run(seed: u64, metric: Metric, values: impl IntoIterator<Item = i64>) -> RunFigures {
    let whole = Time::ZERO..Time::ZERO + SECOND;
    let grid = Epochs::new(SECOND, whole.clone()).unwrap();
    let mut measures = Measures::new([MetricEntry::new("hello", metric)].into(), grid);
    let mut epoch = EpochMeasures::new(0, whole, 1);
    values.into_iter().for_each(|value| epoch.accumulators[0].record(value));
    measures.add(epoch);
    RunFigures::of(seed, &measures, &Ledger::default())
}

fn with_messages(seed: u64, sent: u64, lost: u64) -> RunFigures {
    let mut ledger = Ledger::default();
    let flow = ledger.of(Class::Datagram);
    (flow.sent, flow.delivered) = (sent, sent - lost);
    flow.add_dropped(DropCause::Loss, lost);
    RunFigures { messages: MessageFigures::of(&ledger), ..run(seed, COUNTER, []) }
}

const COUNTER: Metric = Metric::counter("answers");
const GAUGE: Metric = Metric::gauge("load").quantum(1.0);
const TIME: Metric = Metric::distribution("time").unit("ms").quantum(0.5);

fn compare(left: &[RunFigures], right: &[RunFigures]) -> Comparison {
    Comparison::of(left, right, &Limits::default()).unwrap()
}

/// The verdict on the only metric.
fn verdict(left: &RunFigures, right: &RunFigures) -> Verdict {
    let comparison = compare(std::slice::from_ref(left), std::slice::from_ref(right));
    assert_eq!(comparison.rows.len(), 1, "{comparison}");
    let verdict = comparison.rows[0].verdict;
    assert_eq!(comparison.holds(), verdict == Verdict::Held);
    assert_eq!(comparison.failed().count(), usize::from(verdict.is_failure()));
    verdict
}

#[test]
fn distributions_hold_by_mean_percentiles_and_distance() {
    let time = |values: Vec<i64>| run(1, TIME, values);
    let base = time((1000..2000).collect());
    assert_eq!(verdict(&base, &base), Verdict::Held);
    // 30 more on 1,500: the mean is off by 2 %, the median by about that, the distance is 0.03.
    assert_eq!(verdict(&base, &time((1028..2028).collect())), Verdict::Held);
    assert_eq!(verdict(&base, &time((1032..2032).collect())), Verdict::Failed);
    // One number in a thousand is far out: only the mean is off.
    let outlier = time((1000..1999).chain([40_000]).collect());
    assert_eq!(verdict(&base, &outlier), Verdict::Failed);
    // The same mean and the same percentiles that are judged, and another shape in between.
    let (two, wide) = ([1100, 1500, 1900], [1250, 1500, 1750]);
    let shaped = |middle: [i64; 3]| {
        let tails = [(1000, 100), (2000, 100)];
        let parts = tails.into_iter().chain(middle.map(|value| (value, 400)));
        time(parts.flat_map(|(value, n)| std::iter::repeat_n(value, n)).collect())
    };
    let comparison = compare(&[shaped(two)], &[shaped(wide)]);
    let row = &comparison.rows[0];
    assert_eq!(row.verdict, Verdict::Failed, "{comparison}");
    assert!(row.figures.iter().all(|figure| figure.held != Some(false)), "{comparison}");
    assert_eq!(row.ks.map(|ks| (ks.distance, ks.held)), Some((400.0 / 1400.0, Some(false))));
}

#[test]
fn percentiles_of_whole_numbers_move_in_steps() {
    let hops = |low, high| {
        let counts = [(3, low), (4, high)];
        let values = counts.into_iter().flat_map(|(value, n)| std::iter::repeat_n(value, n));
        run(1, Metric::distribution("hops").quantum(1.0), values)
    };
    // The medians are 3 and 4, a third apart; the means 1 % and the distance 0.04.
    assert_eq!(verdict(&hops(520, 480), &hops(480, 520)), Verdict::Held);
    // Now the means are 3.4 % apart.
    assert_eq!(verdict(&hops(560, 440), &hops(440, 560)), Verdict::Failed);
}

#[test]
fn counters_hold_by_their_sum_and_gauges_by_their_mean() {
    let counter = |value: i64| run(1, COUNTER, std::iter::repeat_n(value, 100_000));
    assert_eq!(verdict(&counter(200), &counter(202)), Verdict::Held);
    assert_eq!(verdict(&counter(200), &counter(203)), Verdict::Failed);
    assert_eq!(verdict(&counter(200), &counter(197)), Verdict::Failed);
    // Counts of 1,000 events are 8.8 % apart by chance, in 5 of 100 cases more.
    let few = |count: usize| run(1, COUNTER, std::iter::repeat_n(1, count));
    assert_eq!(verdict(&few(1000), &few(1080)), Verdict::Held);
    assert_eq!(verdict(&few(1000), &few(1100)), Verdict::Failed);
    let gauge = |values: [i64; 2]| run(1, GAUGE, values.into_iter().cycle().take(1000));
    assert_eq!(verdict(&gauge([100, 100]), &gauge([0, 203])), Verdict::Held);
    assert_eq!(verdict(&gauge([100, 100]), &gauge([103, 103])), Verdict::Failed);
    assert_eq!(verdict(&gauge([0, 0]), &gauge([1, 1])), Verdict::Failed, "no error, and no step");
}

#[test]
fn what_is_missing_fails_and_what_is_rare_is_not_judged() {
    let times = |n: usize| run(1, TIME, std::iter::repeat_n(1000, n));
    assert_eq!(verdict(&times(100), &times(100)), Verdict::Held);
    assert_eq!(verdict(&times(99), &times(199)), Verdict::TooFew);
    assert_eq!(verdict(&times(0), &times(199)), Verdict::TooFew);
    assert_eq!(verdict(&times(0), &times(200)), Verdict::OnlyRight);
    assert_eq!(verdict(&times(200), &times(0)), Verdict::OnlyLeft);
    assert_eq!(verdict(&times(1), &times(200)), Verdict::Held, "judged, by the little there is");
    let slow = run(1, TIME, [1100]);
    assert_eq!(verdict(&slow, &times(200)), Verdict::Failed);
    let other = RunFigures { metrics: BTreeMap::new(), ..times(1) };
    assert_eq!(verdict(&times(1), &other), Verdict::OnlyLeft, "the other program has none");
    assert_eq!(verdict(&other, &times(1)), Verdict::OnlyRight);
    let nothing = compare(&[times(0)], &[times(0)]);
    assert_eq!((nothing.rows.len(), nothing.without_values), (0, 1));
    assert!(!nothing.holds(), "nothing was judged");
    assert!(!compare(&[times(1)], &[times(1)]).holds(), "nothing was judged");
}

#[test]
fn messages_are_counters_and_drops_are_shown() {
    let same = compare(&[with_messages(1, 10_000, 100)], &[with_messages(1, 10_000, 150)]);
    let verdicts: Vec<_> = same.rows.iter().map(|row| (row.metric.as_str(), row.verdict)).collect();
    assert_eq!(
        verdicts,
        [
            ("messages/sent", Verdict::Held),
            ("messages/delivered", Verdict::Held),
            ("messages/dropped/loss", Verdict::Shown),
        ]
    );
    assert!(same.holds());
    let lossy = compare(&[with_messages(1, 10_000, 100)], &[with_messages(1, 10_000, 300)]);
    assert_eq!(lossy.failed().collect::<Vec<_>>(), ["messages/delivered"]);
}

/// Three runs of times around a base.
fn runs(seeds: [u64; 3], bases: [i64; 3]) -> Vec<RunFigures> {
    let of = |(seed, base): (u64, i64)| run(seed, TIME, (0..100).map(|i| base + i - 50));
    seeds.into_iter().zip(bases).map(of).collect()
}

fn mean_error(left: &[RunFigures], right: &[RunFigures]) -> (bool, f64, f64) {
    let comparison = compare(left, right);
    let mean = comparison.rows[0].figures.iter().find(|figure| figure.figure == "mean");
    let error = mean.and_then(|figure| figure.error).unwrap();
    (comparison.paired, error.value, error.margin.unwrap())
}

#[test]
fn runs_of_the_same_seeds_are_pairs_in_any_order() {
    // The means are the bases less a half, so the errors are 4/199.5, 6/299.5 and 0/399.5: mean
    // 0.01336117, deviation 0.01157112, and t at 2 degrees is 4.303.
    let left = runs([1, 2, 3], [200, 300, 400]);
    let mut right = runs([3, 1, 2], [400, 204, 306]);
    let near = |(paired, value, margin): (bool, f64, f64), expected: (bool, f64, f64)| {
        assert_eq!(paired, expected.0);
        assert!((value - expected.1).abs() < 1e-7, "{value}");
        assert!((margin - expected.2).abs() < 1e-7, "{margin}");
    };
    near(mean_error(&left, &right), (true, 0.013_361_171, 0.028_746_568));
    // With another seed they are no pairs: means 299.5 and 302.8333, squared errors 3333.333 and
    // 3203.111. By Welch 3.996 degrees, so 3, at which t is 3.182.
    right[0].seed = 4;
    near(mean_error(&left, &right), (false, 0.011_129_661, 0.863_850_793));
    // The same seed twice is no set.
    right[0].seed = 1;
    assert!(!compare(&left, &right).paired);
}

/// Two runs a side, some of which differ.
fn mixed() -> Comparison {
    let mut left = [run(1, TIME, 1000..2000), run(2, TIME, 1000..2000)];
    let mut right = [run(1, TIME, 1030..2030), run(2, TIME, 1034..2034)];
    right[0].metrics.insert("hello|x/extra".to_owned(), MetricFigures::counted(5));
    for (seed, run) in (1..).zip(left.iter_mut().chain(&mut right)) {
        run.messages = with_messages(seed, 10_000 + seed, 40 * seed).messages;
    }
    compare(&left, &right)
}

#[test]
fn a_table_for_people() {
    expect![[r#"
        metric                 figure      left     right                     error     verdict
        messages/sent          sum        10002     10004          +0.02 % ± 0.00 %        held
        messages/delivered     sum         9942      9864          -0.78 % ± 0.02 %        held
        messages/dropped/loss  sum           60       140      +150.00 % ± 635.30 %       shown
        hello/time             count       1000      1000                 0 % ± 0 %
                               mean    749.8 ms  765.8 ms          +2.13 % ± 1.69 %      FAILED
                               p5      525.5 ms  539.5 ms          +2.66 % ± 4.84 %
                               p50     749.5 ms  765.5 ms             +2.13 % ± 0 %      FAILED
                               p95     973.5 ms  989.5 ms             +1.64 % ± 0 %        held
                               p99     993.5 ms   1010 ms             +1.61 % ± 0 %
                               KS                          0.0320 (critical 0.0429)        held
        hello|x/extra          sum            -         5                         -  ONLY RIGHT
    "#]]
    .assert_eq(&mixed().to_string());
}

#[test]
fn a_table_for_documents() {
    expect![[r#"
        | metric | figure | left | right | error | verdict |
        |---|---|--:|--:|--:|---|
        | messages/sent | sum | 10002 | 10004 | +0.02 % ± 0.00 % | held |
        | messages/delivered | sum | 9942 | 9864 | -0.78 % ± 0.02 % | held |
        | messages/dropped/loss | sum | 60 | 140 | +150.00 % ± 635.30 % | shown |
        | hello/time | count | 1000 | 1000 | 0 % ± 0 % |  |
        |  | mean | 749.8 ms | 765.8 ms | +2.13 % ± 1.69 % | FAILED |
        |  | p5 | 525.5 ms | 539.5 ms | +2.66 % ± 4.84 % |  |
        |  | p50 | 749.5 ms | 765.5 ms | +2.13 % ± 0 % | FAILED |
        |  | p95 | 973.5 ms | 989.5 ms | +1.64 % ± 0 % | held |
        |  | p99 | 993.5 ms | 1010 ms | +1.61 % ± 0 % |  |
        |  | KS |  |  | 0.0320 (critical 0.0429) | held |
        | hello\|x/extra | sum | - | 5 | - | ONLY RIGHT |
    "#]]
    .assert_eq(&mixed().markdown());
}

#[test]
fn rows_as_json() {
    let rows = mixed().rows;
    expect![[r#"
        {
          "metric": "messages/delivered",
          "unit": "1",
          "kind": "counter",
          "samples": [
            19883,
            19727
          ],
          "figures": [
            {
              "figure": "sum",
              "left": 9941.5,
              "right": 9863.5,
              "error": {
                "value": -0.007845928692552032,
                "margin": 0.0001955401312043003
              },
              "held": true
            }
          ],
          "ks": null,
          "verdict": "held"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&rows[1]).unwrap());
    expect![[r#"
        {
          "distance": 0.032,
          "critical": 0.04294689290274676,
          "held": true
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&rows[3].ks).unwrap());
    assert_eq!(serde_json::to_value(rows[4].verdict).unwrap(), "only_right");
}

#[test]
fn refusals_say_what_to_do() {
    let error = |left: &[RunFigures], right: &[RunFigures]| {
        Comparison::of(left, right, &Limits::default()).unwrap_err().to_string()
    };
    let one = run(1, TIME, [1]);
    let errors = [
        error(&[], std::slice::from_ref(&one)),
        error(std::slice::from_ref(&one), &vec![one.clone(); RUNS_MAX + 1]),
        error(std::slice::from_ref(&one), &[run(1, TIME.quantum(1.0), [1])]),
        error(std::slice::from_ref(&one), &[run(1, TIME.unit("s"), [1])]),
    ];
    // Broken where it says what to do, and between the two.
    expect![[r#"
        there are no runs on the left;
          give at least one
        there are 1001 runs on the right;
          give at most 1000
        `hello/time` is a distribution in steps of 0.5 ms in one run
          and a distribution in steps of 1 ms in another;
          compare runs of the same program
        `hello/time` is a distribution in steps of 0.5 ms in one run
          and a distribution in steps of 0.5 s in another;
          compare runs of the same program"#]]
    .assert_eq(&errors.join("\n").replace("; ", ";\n  ").replace(" and a", "\n  and a"));
}
