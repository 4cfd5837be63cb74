//! Verdicts on runs made by hand, and how they are shown.

use expect_test::expect;
use peerlet_core::runtime::Class;
use peerlet_core::{Metric, SECOND, Time};

use super::*;
use std::collections::BTreeMap;

use crate::epochs::Epochs;
use crate::ledger::{DropCause, Ledger};
use crate::measurements::{EpochMeasurements, Measurements};
use crate::metric_entry::MetricEntry;
use crate::statistics::MessageStatistics;

/// A run of one metric.
fn run(seed: u64, metric: Metric, values: impl IntoIterator<Item = i64>) -> RunStatistics {
    let whole = Time::ZERO..Time::ZERO + SECOND;
    let grid = Epochs::new(SECOND, whole.clone()).unwrap();
    let mut measurements = Measurements::new([MetricEntry::new("hello", metric)].into(), grid);
    let mut epoch = EpochMeasurements::new(0, whole, 1);
    values.into_iter().for_each(|value| epoch.accumulators[0].record(value));
    measurements.add(epoch);
    RunStatistics::of(seed, &measurements, &Ledger::default())
}

fn with_messages(seed: u64, sent: u64, lost: u64) -> RunStatistics {
    let mut ledger = Ledger::default();
    let flow = ledger.of(Class::Datagram);
    (flow.sent, flow.delivered) = (sent, sent - lost);
    flow.add_dropped(DropCause::Loss, lost);
    RunStatistics { messages: MessageStatistics::of(&ledger), ..run(seed, COUNTER, []) }
}

const COUNTER: Metric = Metric::counter("answers");
const GAUGE: Metric = Metric::gauge("load").quantum(1.0);
const TIME: Metric = Metric::histogram("time").unit("ms").quantum(0.5);

fn compare(left: &[RunStatistics], right: &[RunStatistics]) -> Comparison {
    Comparison::of(left, right, &Limits::default()).unwrap()
}

/// The same run with two seeds: without any spread, an interval is a point.
fn twice(run: &RunStatistics) -> [RunStatistics; 2] {
    [1, 2].map(|seed| RunStatistics { seed, ..run.clone() })
}

/// The verdict on the only metric.
fn verdict(left: &RunStatistics, right: &RunStatistics) -> Verdict {
    let comparison = compare(&twice(left), &twice(right));
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
    let comparison = compare(&twice(&shaped(two)), &twice(&shaped(wide)));
    let row = &comparison.rows[0];
    assert_eq!(row.verdict, Verdict::Failed, "{comparison}");
    assert!(row.statistics.iter().all(|statistic| statistic.held != Some(false)), "{comparison}");
    let ks = row.ks.unwrap();
    assert_eq!((ks.held, ks.interval), (Some(false), Some([ks.distance; 2])));
    assert!((ks.distance - 400.0 / 1400.0).abs() < 1e-12, "{ks:?}");
}

#[test]
fn percentiles_of_whole_numbers_move_in_steps() {
    let hops = |low, high| {
        let counts = [(3, low), (4, high)];
        let values = counts.into_iter().flat_map(|(value, n)| std::iter::repeat_n(value, n));
        run(1, Metric::histogram("hops").quantum(1.0), values)
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
    let gauge = |values: [i64; 2]| run(1, GAUGE, values.into_iter().cycle().take(1000));
    assert_eq!(verdict(&gauge([100, 100]), &gauge([0, 203])), Verdict::Held);
    assert_eq!(verdict(&gauge([100, 100]), &gauge([103, 103])), Verdict::Failed);
    assert_eq!(verdict(&gauge([0, 0]), &gauge([1, 1])), Verdict::Failed, "no error, and no step");
}

#[test]
fn what_is_missing_fails_and_what_is_rare_is_not_judged() {
    // Each run comes twice, so a side has twice as many.
    let times = |n: usize| run(1, TIME, std::iter::repeat_n(1000, n));
    assert_eq!(verdict(&times(50), &times(50)), Verdict::Held);
    assert_eq!(verdict(&times(49), &times(99)), Verdict::TooFew);
    assert_eq!(verdict(&times(0), &times(99)), Verdict::TooFew);
    assert_eq!(verdict(&times(0), &times(100)), Verdict::OnlyRight);
    assert_eq!(verdict(&times(100), &times(0)), Verdict::OnlyLeft);
    assert_eq!(verdict(&times(1), &times(100)), Verdict::Held, "judged, by the little there is");
    let slow = run(1, TIME, [1100]);
    assert_eq!(verdict(&slow, &times(100)), Verdict::Failed);
    let other = RunStatistics { metrics: BTreeMap::new(), ..times(1) };
    assert_eq!(verdict(&times(1), &other), Verdict::OnlyLeft, "the other program has none");
    assert_eq!(verdict(&other, &times(1)), Verdict::OnlyRight);
    let nothing = compare(&[times(0)], &[times(0)]);
    assert_eq!((nothing.rows.len(), nothing.without_values), (0, 1));
    let few = compare(&[times(1)], &[times(1)]);
    for undecided in [nothing, few] {
        assert_eq!(undecided.verdict(), Verdict::Inconclusive);
        assert!(undecided.conclusion().contains("there was nothing to judge; run longer"));
    }
}

#[test]
fn messages_are_counters_and_drops_are_shown() {
    let runs = |lost| twice(&with_messages(1, 10_000, lost));
    let same = compare(&runs(100), &runs(150));
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
    let lossy = compare(&runs(100), &runs(300));
    assert_eq!(lossy.failed().collect::<Vec<_>>(), ["messages/delivered"]);
}

/// Three runs of times around a base.
fn runs(seeds: [u64; 3], bases: [i64; 3]) -> Vec<RunStatistics> {
    let of = |(seed, base): (u64, i64)| run(seed, TIME, (0..100).map(|i| base + i - 50));
    seeds.into_iter().zip(bases).map(of).collect()
}

fn mean_error(left: &[RunStatistics], right: &[RunStatistics]) -> (bool, f64, f64) {
    let comparison = compare(left, right);
    let mean = comparison.rows[0].statistics.iter().find(|statistic| statistic.name == "mean");
    let error = mean.and_then(|statistic| statistic.error).unwrap();
    (comparison.paired, error.value, error.margin.unwrap())
}

#[test]
fn runs_of_the_same_seeds_are_pairs_in_any_order() {
    // The means are the bases less a half, so the errors are 4/199.5, 6/299.5 and 0/399.5: mean
    // 0.01336117, deviation 0.01157112, and t at 2 degrees is 2.920.
    let left = runs([1, 2, 3], [200, 300, 400]);
    let mut right = runs([3, 1, 2], [400, 204, 306]);
    let near = |(paired, value, margin): (bool, f64, f64), expected: (bool, f64, f64)| {
        assert_eq!(paired, expected.0);
        assert!((value - expected.1).abs() < 1e-7, "{value}");
        assert!((margin - expected.2).abs() < 1e-7, "{margin}");
    };
    near(mean_error(&left, &right), (true, 0.013_361_171, 0.019_507_281));
    // With another seed they are no pairs: means 299.5 and 302.8333, squared errors 3333.333 and
    // 3203.111. By Welch 3.996 degrees, so 3, at which t is 2.353.
    right[0].seed = 4;
    near(mean_error(&left, &right), (false, 0.011_129_661, 0.638_793_500));
    // The same seed twice is no set.
    right[0].seed = 1;
    assert!(!compare(&left, &right).paired);
}

/// Two runs a side, some of which differ.
fn mixed() -> Comparison {
    let mut left = [run(1, TIME, 1000..2000), run(2, TIME, 1000..2000)];
    let mut right = [run(1, TIME, 1030..2030), run(2, TIME, 1034..2034)];
    right[0].metrics.insert("hello|x/extra".to_owned(), MetricStatistics::counted(5));
    for (seed, run) in (1..).zip(left.iter_mut().chain(&mut right)) {
        run.messages = with_messages(seed, 10_000 + seed, 40 * seed).messages;
    }
    compare(&left, &right)
}

#[test]
fn a_table_for_people() {
    expect![[r#"
        metric                 figure      left     right                      error       verdict
        messages/sent          sum        10002     10004           +0.02 % ± 0.00 %          held
        messages/delivered     sum         9942      9864           -0.78 % ± 0.01 %          held
        messages/dropped/loss  sum           60       140       +150.00 % ± 315.70 %         shown
        hello/time             count       1000      1000                  0 % ± 0 %
                               mean    749.8 ms  765.8 ms           +2.13 % ± 0.84 %  inconclusive
                               p5      525.5 ms  539.5 ms           +2.66 % ± 2.40 %
                               p50     749.5 ms  765.5 ms              +2.13 % ± 0 %        FAILED
                               p95     973.5 ms  989.5 ms              +1.64 % ± 0 %          held
                               p99     993.5 ms   1010 ms              +1.61 % ± 0 %
                               KS                          0.0320 (0.0132 to 0.0446)          held
        hello|x/extra          sum            -         5                          -    ONLY RIGHT
    "#]]
    .assert_eq(&mixed().to_string());
}

#[test]
fn a_table_for_documents() {
    expect![[r#"
        | metric | figure | left | right | error | verdict |
        |---|---|--:|--:|--:|---|
        | messages/sent | sum | 10002 | 10004 | +0.02 % ± 0.00 % | held |
        | messages/delivered | sum | 9942 | 9864 | -0.78 % ± 0.01 % | held |
        | messages/dropped/loss | sum | 60 | 140 | +150.00 % ± 315.70 % | shown |
        | hello/time | count | 1000 | 1000 | 0 % ± 0 % |  |
        |  | mean | 749.8 ms | 765.8 ms | +2.13 % ± 0.84 % | inconclusive |
        |  | p5 | 525.5 ms | 539.5 ms | +2.66 % ± 2.40 % |  |
        |  | p50 | 749.5 ms | 765.5 ms | +2.13 % ± 0 % | FAILED |
        |  | p95 | 973.5 ms | 989.5 ms | +1.64 % ± 0 % | held |
        |  | p99 | 993.5 ms | 1010 ms | +1.61 % ± 0 % |  |
        |  | KS |  |  | 0.0320 (0.0132 to 0.0446) | held |
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
                "margin": 0.00009716987159011114
              },
              "interval": [
                -0.007943098564142144,
                -0.0077487588209619205
              ],
              "limit": 0.01,
              "held": true,
              "verdict": "held",
              "undecided": null
            }
          ],
          "ks": null,
          "verdict": "held",
          "undecided": null
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&rows[1]).unwrap());
    expect![[r#"
        {
          "distance": 0.03200000000000003,
          "critical": 0.04294689290274676,
          "interval": [
            0.013207967931500315,
            0.04462800000000004
          ],
          "held": true,
          "verdict": "held",
          "undecided": null
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&rows[3].ks).unwrap());
    assert_eq!(serde_json::to_value(rows[4].verdict).unwrap(), "only_right");
}

/// The verdict of the comparison of these sides on its only metric.
fn said(
    left: &[RunStatistics],
    right: &[RunStatistics],
) -> (Verdict, Option<Undecided>, Vec<String>) {
    let comparison = compare(left, right);
    let row = &comparison.rows[0];
    assert_eq!(comparison.verdict(), row.verdict);
    (row.verdict, row.undecided, comparison.reasons())
}

#[test]
fn one_run_a_side_is_inconclusive_unless_it_is_the_same() {
    let time = |base: i64| run(1, TIME, base..base + 1000);
    let one = |base| [time(base)];
    let single = "one run a side has no interval: compare several seeds a side, such as \
                  `--seeds 1..8`";
    let expected = (Verdict::Inconclusive, Some(Undecided::OneRun), vec![single.to_owned()]);
    for right in [1001, 1030, 9000] {
        assert_eq!(said(&one(1000), &one(right)), expected, "{right}");
    }
    assert_eq!(said(&one(1000), &runs([1, 2, 3], [1500; 3])), expected, "one side has one");
    assert_eq!(said(&one(1000), &one(1000)), (Verdict::Held, None, vec![]));
    // A single value of a thousand is another one.
    let tail = [run(1, TIME, (1000..1998).chain([1998, 1998]))];
    assert_eq!(said(&one(1000), &tail).0, Verdict::Inconclusive);
}

#[test]
fn a_limit_within_the_interval_is_inconclusive() {
    // Errors of 0, 1 and 5 %: mean 2 %, which is the limit.
    let around = |shifts: [i64; 3]| runs([1, 2, 3], shifts.map(|shift| 1000 + shift));
    let (left, right) = (around([0; 3]), around([0, 10, 50]));
    let (verdict, undecided, reasons) = said(&left, &right);
    assert_eq!(verdict, Verdict::Inconclusive);
    let seeds = undecided.and_then(Undecided::seeds).unwrap();
    assert!((20..100).contains(&seeds), "{seeds}");
    expect![[r#"
        hello/time is inconclusive
         the error of its p50 is -2.59 % to +7.00 % (2 % allowed)
         about 90 seeds a side would decide it"#]]
    .assert_eq(&reasons.join("\n").replace([':', ';'], "\n"));
    assert_eq!(compare(&left, &right).seeds_to_decide(), Some(seeds));
}

#[test]
fn sides_that_measured_zero_have_no_relative_error() {
    let load = |seed, level| run(seed, GAUGE, std::iter::repeat_n(level, 100));
    let side = |levels: [i64; 3]| -> Vec<_> {
        (1..).zip(levels).map(|(seed, level)| load(seed, level)).collect()
    };
    let zero = side([0; 3]);
    assert_eq!(said(&zero, &side([0; 3])).0, Verdict::Held);
    assert_eq!(said(&zero, &side([9, 10, 11])).0, Verdict::Failed);
    let (verdict, _, reasons) = said(&zero, &side([0, 0, 9]));
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(reasons[0].starts_with("hello/load is inconclusive: its mean is 0 on the left"));
}

#[test]
fn refusals_say_what_to_do() {
    let error = |left: &[RunStatistics], right: &[RunStatistics]| {
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
