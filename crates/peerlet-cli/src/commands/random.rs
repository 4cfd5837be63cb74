//! `sim --random` and `sim --witness`: their output and exit codes.

use std::fmt::Write;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peerlet_core::Time;
use peerlet_fuzz::{Finding, Findings, Flaw, Search, Trial};
use peerlet_report::{json_line, write_whole};
use peerlet_run::{Experiment, Transport};
use peerlet_sim::{Setup, Watch};
use serde_json::json;

use crate::commands::sim::Sim;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::monitor::Monitor;
use crate::terminal::print::print;
use crate::terminal::progress::Progress;
use crate::terminal::{again, status};

/// How often progress is shown.
const TICK: Duration = Duration::from_millis(200);
/// The seed where none is given, as of scenarios.
const SEED: u64 = 1;

/// Runs `sim --random COUNT`.
pub(crate) fn run(experiment: &Experiment, sim: &Sim, count: u64) -> Result<Exit, Failure> {
    let seed = match &sim.what.seed {
        None => SEED,
        Some(text) => seed(text)?,
    };
    let monitor = Monitor::start(false)?;
    let (begun, mut shown, shows) = (Instant::now(), Instant::now(), sim.shows_progress());
    let (search, over) = (Search { experiment, count, seed }, over(sim.transport)?);
    let alter = handshakes(sim.transport);
    let findings = search.run_watched(&alter, &attended(&monitor), |number, findings| {
        tracing::info!(number, held = findings.held, "a random scenario");
        if shows && shown.elapsed() >= TICK {
            shown = Instant::now();
            status::show(&format!("scenario {number} of {count}, {} events", findings.events));
        }
    });
    status::clear();
    let seconds = begun.elapsed().as_secs_f64();
    let saved = match (&sim.output, &findings.finding) {
        (Some(folder), Some(finding)) => Some(save(folder, finding)?),
        _ => None,
    };
    let name = again::program();
    let command =
        |finding: &Finding| format!("{name} sim --random 1 --seed {}{over}", finding.seed);
    print(&match sim.json {
        true => json(&search, &findings, seconds, command),
        false => {
            let saved = saved.as_ref().map(|path| {
                let quoted = again::quoted(path);
                format!("saved: {path}\nagain: {name} sim {quoted} --witness{over}\n")
            });
            let table = if sim.what.verbose > 0 { table(&findings) } else { String::new() };
            words(&search, &findings, seconds, command) + &table + &saved.unwrap_or_default()
        }
    })?;
    Ok(match &findings.finding {
        Some(finding) if finding.is_nondeterminism => Exit::Nondeterminism,
        Some(_) => Exit::Failed,
        None if findings.is_interrupted => Exit::Interrupted,
        None => Exit::Done,
    })
}

/// Runs `sim SCENARIO --witness`.
pub(crate) fn run_file(experiment: &Experiment, sim: &Sim) -> Result<Exit, Failure> {
    over(sim.transport)?;
    let source = sim.what.source()?;
    let (name, monitor) = (source.name.clone(), Monitor::start(sim.shows_progress())?);
    let (alter, attend) = (&handshakes(sim.transport), &attended(&monitor));
    let trial = Trial { experiment, alter, attend, is_thorough: true };
    let (said, code) = match trial.try_source(source) {
        Ok(score) => {
            let (events, checked) = (score.events, score.checked);
            (format!("held: {events} events, {checked} checks by witnesses"), Exit::Done)
        }
        Err(Flaw::Broken(what)) => (format!("failed: {what}"), Exit::Failed),
        Err(Flaw::Nondeterminism(what)) => {
            (format!("nondeterminism: {what}"), Exit::Nondeterminism)
        }
        Err(Flaw::Refused(problems)) => return Err(problems.into()),
        Err(Flaw::Interrupted) => ("interrupted".to_owned(), Exit::Interrupted),
    };
    print(&format!("{name}: {said}\n"))?;
    Ok(code)
}

/// Lets a monitor attend to every run.
fn attended(monitor: &Monitor) -> impl Fn(Arc<Watch>, Time, &mut dyn FnMut()) {
    move |watch, end, run| {
        let _attention = monitor.attend(watch, Progress::new(None, end));
        run();
    }
}

/// The option that names the simulated transport; the checker needs one with both classes.
fn over(transport: Option<Transport>) -> Result<&'static str, Failure> {
    match transport {
        None => Ok(""),
        Some(Transport::Quic) => Ok(" --transport quic"),
        Some(Transport::Udp) => {
            let said = "witnesses need reliable delivery, which udp has not; leave out --transport";
            Err(Failure::Usage(said.to_owned()))
        }
    }
}

/// Gives each run the handshakes of its transport.
fn handshakes(transport: Option<Transport>) -> impl Fn(&mut Setup) {
    // The scenario may name a transport as well.
    move |setup| setup.handshakes |= transport == Some(Transport::Quic)
}

fn seed(text: &str) -> Result<u64, Failure> {
    let seed = text.parse().ok().filter(|seed| *seed <= i64::MAX as u64);
    seed.ok_or_else(|| {
        let most = i64::MAX;
        Failure::Usage(format!("`{text}` is no seed of scenarios; give a number from 0 to {most}"))
    })
}

/// Writes the scenario that failed into a folder; returns the path of the one to run again.
fn save(folder: &Path, finding: &Finding) -> Result<String, Failure> {
    std::fs::create_dir_all(folder).map_err(Failure::io(folder.display()))?;
    let write = |name: String, text: &str| {
        let path = folder.join(name);
        let whole = write_whole(&path, |file| file.write_all(text.as_bytes()));
        whole.map_err(Failure::io(path.display()))?;
        Ok::<_, Failure>(path.display().to_string())
    };
    let seed = finding.seed;
    if let Some(expanded) = &finding.expanded {
        write(format!("random-{seed}-expanded.toml"), expanded)?;
    }
    write(format!("random-{seed}.toml"), &finding.text)
}

fn words(
    search: &Search<'_>,
    findings: &Findings,
    seconds: f64,
    command: impl Fn(&Finding) -> String,
) -> String {
    let (Search { count, seed, .. }, Findings { held, events, checked, .. }) = (search, findings);
    let Some(finding) = &findings.finding else {
        let end = if findings.is_interrupted { ", then interrupted" } else { "" };
        return format!(
            "{held} of {count} random scenarios from seed {seed} held{end}: {events} events, \
             {checked} checks by witnesses, {seconds:.1} s\n"
        );
    };
    let Finding { number, seed, what, text, expanded, .. } = finding;
    let (text, how) = match expanded {
        Some(expanded) => (expanded, "with all random choices resolved"),
        None => (text, "as generated"),
    };
    format!(
        "random scenario {number} of {count} failed, the one of seed {seed}: {what}\n\nThe \
         scenario, {how}:\n\n{text}\nagain: {}\n",
        command(finding)
    )
}

/// In how many scenarios each thing occurred.
fn table(findings: &Findings) -> String {
    let mut text = String::new();
    for (name, count) in &findings.occurred {
        let (kind, name) = name.split_once(' ').unwrap_or((name, ""));
        writeln!(text, "  {kind:<9} {name:<15} {count:>7}").expect("a text takes everything");
    }
    text
}

fn json(
    search: &Search<'_>,
    findings: &Findings,
    seconds: f64,
    command: impl Fn(&Finding) -> String,
) -> String {
    let failure = findings.finding.as_ref().map(|finding| {
        json!({
            "number": finding.number,
            "seed": finding.seed,
            "kind": if finding.is_nondeterminism { "nondeterminism" } else { "broken" },
            "what": finding.what,
            "scenario": finding.text,
            "expanded": finding.expanded,
            "command": command(finding),
        })
    });
    let mut json = json!({
        "schema": 1,
        "seed": search.seed,
        "scenarios": search.count,
        "held": findings.held,
        "events": findings.events,
        "checked": findings.checked,
        "wall_seconds": seconds,
        "occurred": findings.occurred,
        "failure": failure,
    });
    if findings.is_interrupted {
        json["interrupted"] = true.into();
    }
    json_line(&json)
}

#[cfg(test)]
mod tests {
    use peerlet_sim::InjectedBug;

    use super::*;

    /// A search that finds a bug.
    fn find(bug: InjectedBug, seed: u64) -> (Experiment, Findings) {
        let experiment = Experiment::new("peerlet");
        let search = Search { experiment: &experiment, count: 200, seed };
        let findings = search.run(&move |setup| setup.injected_bug = Some(bug));
        (experiment, findings)
    }

    #[test]
    fn what_failed_is_shown_saved_and_fails_again() {
        let bug = InjectedBug::LeakedTimer;
        // Event lines cannot say every scenario.
        let is_expanded =
            |findings: &Findings| findings.finding.as_ref().is_some_and(|f| f.expanded.is_some());
        let found = (1..9).map(|seed| (seed, find(bug, seed)));
        let found = found.into_iter().find(|(_, (_, findings))| is_expanded(findings));
        let (searched, (experiment, findings)) = found.expect("one of them is said by event lines");
        let search = Search { experiment: &experiment, count: 200, seed: searched };
        let finding = findings.finding.as_ref().expect("the bug is found");
        let words = words(&search, &findings, 0.5, |finding| format!("run {}", finding.seed));
        let expanded = finding.expanded.as_ref().expect("event lines can say it");
        let (head, rest) =
            words.split_once("\n\nThe scenario, with all random choices resolved:\n\n").unwrap();
        let Finding { number, seed, what, .. } = finding;
        assert_eq!(
            head,
            format!("random scenario {number} of 200 failed, the one of seed {seed}: {what}")
        );
        assert_eq!(rest, format!("{expanded}\nagain: run {seed}\n"));
        let json: serde_json::Value =
            serde_json::from_str(&json(&search, &findings, 0.5, |_| String::new())).unwrap();
        assert_eq!(json["failure"]["kind"], "broken");
        assert_eq!(json["failure"]["scenario"], finding.text);
        assert_eq!(json["held"], findings.held);

        let name = format!("peerlet-{}-random", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let path = save(&folder, finding).unwrap();
        let (saved, others) = (std::fs::read_to_string(&path), std::fs::read_dir(&folder));
        let count = others.unwrap().count();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!((saved.unwrap(), count), (finding.text.clone(), 2));

        // Alone, as a file, and with all random choices resolved it fails likewise.
        let alone = Search { experiment: &experiment, count: 1, seed: *seed };
        let again = alone.run(&move |setup| setup.injected_bug = Some(bug)).finding.unwrap();
        assert_eq!((&again.what, &again.text), (what, &finding.text));
        assert_eq!(alone.run(&|_| {}).held, 1);
        for text in [&finding.text, expanded] {
            let source = || peerlet_scenario::Source::new("saved", text.as_str());
            let alter = move |setup: &mut peerlet_sim::Setup| setup.injected_bug = Some(bug);
            let experiment = &experiment;
            let attend = &|_, _, run: &mut dyn FnMut()| run();
            let trial = Trial { experiment, alter: &alter, attend, is_thorough: true };
            let flaw = trial.try_source(source()).unwrap_err();
            assert!(matches!(&flaw, Flaw::Broken(again) if again == what), "{flaw:?}");
            let trial = Trial { alter: &|_| {}, ..trial };
            assert!(trial.try_source(source()).is_ok());
        }
    }

    #[test]
    fn runs_that_differ_say_where() {
        // A wrong order may show in that order alone, or in what follows from it.
        let said = (1..6).map(|seed| {
            let finding =
                find(InjectedBug::WrongTieBreak, seed).1.finding.expect("the bug is found");
            assert!(
                finding.is_nondeterminism || finding.what.contains("order"),
                "{}",
                finding.what
            );
            finding.what
        });
        assert!(said.into_iter().any(|what| what.contains(": event ")));
    }
}
