//! The reasons for which an emulation is void, in words.

use peerlet_live::{Flaw, LATENESS_MAX, Lost};
use peerlet_run::Results;

use crate::digits::grouped;

/// Why a run is void, the gravest reason first; nothing where it is not.
pub fn reasons(run: &Results) -> Vec<String> {
    match run.carried() {
        Some(carried) if run.is_void() => {
            carried.flaws().iter().map(|flaw| reason(flaw, run)).collect()
        }
        _ => Vec::new(),
    }
}

/// Why a void run means nothing, and what to do.
pub fn sentence(run: &Results) -> String {
    format!(
        "void: the machine did not keep up: {}; these results describe the machine, not the \
         network: use an idle machine, fewer peers, or fewer messages",
        reasons(run).join("; ")
    )
}

fn reason(flaw: &Flaw, run: &Results) -> String {
    let (late_max, sent) =
        run.carried().map_or_else(Default::default, |c| (c.late_max, c.packets.sent));
    let once = |what: String| format!("{what}, more than {late_max} (--late-max)");
    match *flaw {
        Flaw::Lost(lost) => {
            let share = 100.0 * lost.total() as f64 / sent.max(1) as f64;
            format!("it lost {share:.1} % of the packets ({})", self::lost(&lost))
        }
        Flaw::OftenLate { in_warm_up, late } => {
            let part = if in_warm_up { "before `measure.from`" } else { "in the measured part" };
            format!(
                "{part}, more than 1 % of the packets were handed over more than \
                 {LATENESS_MAX} late (p99 {late})"
            )
        }
        Flaw::HandedLate(late) => once(format!("a packet was handed over {late} late")),
        Flaw::ReadLate(late) => once(format!("a packet was read {late} late")),
        Flaw::Stalled(time) => {
            once(format!("the emulator stood still for {time}, suspended or without a processor"))
        }
        Flaw::WokenLate(late) => once(format!("a peer woke up {late} late")),
        Flaw::Blocked(time) => {
            let slowest = run.sockets.as_ref().and_then(|sockets| sockets.delays.slowest);
            let place = slowest.map(|(place, _)| format!(" ({place})")).unwrap_or_default();
            once(format!("a handler took {time}{place}"))
        }
    }
}

/// Lost packets by cause.
pub fn lost(lost: &Lost) -> String {
    let causes = [
        (lost.unread, "in full or unread socket buffers"),
        (lost.refused, "refused by the operating system"),
        (lost.queue, "beyond the emulator's queue"),
    ];
    let causes = causes.iter().filter(|(count, _)| *count > 0);
    let causes: Vec<_> =
        causes.map(|(count, cause)| format!("{} {cause}", grouped(*count))).collect();
    causes.join(", ")
}
