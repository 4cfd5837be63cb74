//! Churn: peers that come and go, at random or as recorded.

mod distribution;
mod named;
mod population;
mod swing;
mod trace;

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Duration, Rng, Seat, Seed};

use crate::group::read_seats;
use crate::raw::{Part, RawValue};
use crate::reader::{Fields, Reader};
use crate::seats::KnownSeats;

use distribution::EXAMPLE;
pub use distribution::SessionDistribution;
pub use named::{NAMED_CHURN, NamedChurn};
pub use population::Population;
pub use swing::Swing;
pub use trace::{Session, SessionTrace};

/// The peers that come and go, and how.
#[derive(Clone, PartialEq, Debug)]
pub struct Churn {
    /// When they come and go.
    pub sessions: Sessions,
    /// How they go.
    pub departure: Departure,
}

/// When peers come and go.
#[derive(Clone, PartialEq, Debug)]
pub enum Sessions {
    /// At random.
    Random(RandomSessions),
    /// As recorded.
    Trace(SessionTrace),
}

/// Peers that come and go at random.
///
/// A seat's churn begins at its instant of the join ramp, or at its first `start()` among the
/// events.
#[derive(Clone, PartialEq, Debug)]
pub struct RandomSessions {
    /// The seats that come and go; when none are named, all but the servers.
    pub peers: Option<SeatSet>,
    /// The seats that are up when their churn begins.
    pub initial: Initial,
    /// How long a peer stays.
    pub session: SessionDistribution,
    /// How long a peer stays away.
    pub absence: SessionDistribution,
    /// How peers' coming swings with the time of day.
    pub swing: Option<Swing>,
    /// The share of the seats that take part, in time; all of them unless given.
    pub population: Option<Population>,
}

/// The seats that are up when their churn begins.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Initial {
    /// Everybody.
    #[default]
    All,
    /// Nobody: an absence comes first.
    None,
    /// As many as in the long run, in the middle of their sessions and absences: the mean session's
    /// share of mean session and mean absence.
    Stationary,
}

/// How a peer goes.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Departure {
    /// The probability that it crashes. Otherwise it stops in order.
    pub crash: f64,
    /// Whether a peer that stops in order loses its state as well.
    pub loses_state: bool,
}

impl RandomSessions {
    /// Whether a seat is up when its churn begins.
    pub(crate) fn begins_up(&self, rng: &mut Rng) -> bool {
        match self.initial {
            Initial::All => true,
            Initial::None => false,
            Initial::Stationary => {
                let session = self.session.mean().as_nanos() as f64;
                rng.chance(session / (session + self.absence.mean().as_nanos() as f64))
            }
        }
    }

    /// Samples how long a seat stays as it is when its churn begins: up, or not.
    pub(crate) fn sample_first(&self, is_up: bool, at: Duration, rng: &mut Rng) -> Duration {
        match (self.initial, is_up) {
            (Initial::Stationary, true) => self.session.sample_rest(rng),
            (Initial::Stationary, false) => self.swung(at, self.absence.sample_rest(rng)),
            _ => self.sample(is_up, at, rng),
        }
    }

    /// Samples how long a seat stays up, or not, from this time of the run on.
    pub(crate) fn sample(&self, is_up: bool, at: Duration, rng: &mut Rng) -> Duration {
        match is_up {
            true => self.session.sample(rng),
            false => self.swung(at, self.absence.sample(rng)),
        }
    }

    fn swung(&self, at: Duration, absence: Duration) -> Duration {
        self.swing.map_or(absence, |swing| swing.stretched(at, absence))
    }

    /// About how many starts and stops a seat has in this time.
    fn transitions(&self, duration: Duration) -> f64 {
        let mean = |one: &SessionDistribution| one.mean_until(duration).as_secs_f64();
        2.0 * duration.as_secs_f64() / (mean(&self.session) + mean(&self.absence))
    }
}

impl Churn {
    /// About how many starts and stops there are in this time, of a scenario of this many peers.
    pub fn transitions(&self, peers: u32, duration: Duration) -> f64 {
        match &self.sessions {
            Sessions::Trace(trace) => 2.0 * trace.sessions().len() as f64,
            Sessions::Random(random) => {
                let seats = random.peers.as_ref().map_or(peers as usize, SeatSet::len);
                random.transitions(duration) * seats as f64
            }
        }
    }

    pub(crate) fn read(
        part: &Part,
        (known, duration): (KnownSeats<'_>, Duration),
        eligible: &SeatSet,
        seed: Seed,
        reader: &mut Reader,
    ) -> Option<Churn> {
        if let RawValue::Text(name) = &part.raw.value {
            let named = law(name, part, reader)?;
            let sessions = RandomSessions::of(named.session, named.absence);
            return Some(Churn {
                sessions: Sessions::Random(sessions),
                departure: Departure::default(),
            });
        }
        let mut fields = reader.table(part, "[churn]")?;
        let departure = Departure::read(&mut fields, reader);
        let sessions = match fields.take("trace") {
            Some(trace) => {
                let others =
                    ["law", "session", "absence", "initial", "peers", "swing", "population"];
                for other in others.into_iter().filter_map(|name| fields.take(name)) {
                    let message = format!("`{}` and `trace` exclude each other", other.name);
                    reader.refuse(&other.name_span, message, "leave one of them out");
                }
                SessionTrace::read(&trace, known.peers, duration, reader).map(Sessions::Trace)
            }
            None => RandomSessions::read(&mut fields, part, known, (eligible, seed), reader)
                .map(Sessions::Random),
        };
        fields.finish(reader, &[]);
        Some(Churn { sessions: sessions?, departure: departure? })
    }
}

/// The named law that a text means.
fn law(name: &str, part: &Part, reader: &mut Reader) -> Option<&'static NamedChurn> {
    let named = named::named(name);
    if let Err(help) = &named {
        reader.refuse(&part.raw.span, format!("no churn is named `{name}`"), help);
    }
    named.ok()
}

impl RandomSessions {
    fn of(session: SessionDistribution, absence: SessionDistribution) -> RandomSessions {
        let (peers, swing, population) = (None, None, None);
        let initial = Initial::default();
        RandomSessions { peers, initial, session, absence, swing, population }
    }

    fn read(
        fields: &mut Fields,
        part: &Part,
        known: KnownSeats<'_>,
        (eligible, seed): (&SeatSet, Seed),
        reader: &mut Reader,
    ) -> Option<RandomSessions> {
        let law = fields.take("law").map(|part| {
            let name = reader.text(&part)?;
            law(&name, &part, reader)
        });
        let seats = fields.take("peers").and_then(|part| read_seats(&part, known, reader));
        let initial = fields.take("initial").map(|part| Initial::read(&part, reader));
        let swing = fields.take("swing").map(|part| Swing::read(&part, reader));
        let population = fields.take("population").map(|part| Population::read(&part, reader));
        let [session, absence] = ["session", "absence"].map(|name| match fields.take(name) {
            Some(given) => SessionDistribution::read(&given, reader),
            None => {
                if law.is_none() {
                    let example = format!("{name} = {EXAMPLE}, or law = \"kad-2007\"");
                    reader.missing(&part.name_span, name, "[churn]", &example);
                }
                let law = law.flatten()?;
                Some(if name == "session" { law.session } else { law.absence })
            }
        });
        let random = || seed.named("churn").named("peers");
        Some(RandomSessions {
            peers: seats.map(|seats| seats.resolve(eligible, random)),
            initial: initial.unwrap_or(Some(Initial::All))?,
            swing: swing.map_or(Some(None), |swing| Some(Some(swing?)))?,
            population: population.map_or(Some(None), |population| Some(Some(population?)))?,
            ..RandomSessions::of(session?, absence?)
        })
    }

    /// Whether this seat comes and goes, where these are servers.
    pub(crate) fn has(&self, seat: Seat, servers: &SeatSet) -> bool {
        match &self.peers {
            Some(peers) => peers.contains(seat),
            None => !servers.contains(seat),
        }
    }
}

impl Initial {
    fn read(part: &Part, reader: &mut Reader) -> Option<Initial> {
        match reader.text(part)?.as_str() {
            "all" => Some(Initial::All),
            "none" => Some(Initial::None),
            "stationary" => Some(Initial::Stationary),
            other => {
                let message = format!("`{other}` is no way to begin");
                reader.refuse(&part.raw.span, message, "write \"all\", \"none\" or \"stationary\"");
                None
            }
        }
    }
}

impl Departure {
    /// Reads `departure` and `state`.
    fn read(fields: &mut Fields, reader: &mut Reader) -> Option<Departure> {
        let crash = fields.take("departure").map(|part| Departure::read_crash(&part, reader));
        let loses_state = fields.take("state").map(|part| Departure::read_state(&part, reader));
        Some(Departure {
            crash: crash.unwrap_or(Some(0.0))?,
            loses_state: loses_state.unwrap_or(Some(false))?,
        })
    }

    /// The probability of a crash.
    fn read_crash(part: &Part, reader: &mut Reader) -> Option<f64> {
        const HELP: &str = "write \"stop\", \"crash\", or { crash = 0.3 } for a share of crashes";
        match &part.raw.value {
            RawValue::Text(text) if text == "stop" => return Some(0.0),
            RawValue::Text(text) if text == "crash" => return Some(1.0),
            RawValue::Table(_) => {}
            _ => {
                reader.refuse(&part.raw.span, "this is no way to leave".to_owned(), HELP);
                return None;
            }
        }
        let mut fields = reader.table(part, "`departure`")?;
        let crash = fields.take("crash");
        fields.finish(reader, &[]);
        let Some(crash) = crash else {
            reader.missing(&part.raw.span, "crash", "`departure`", "crash = 0.3");
            return None;
        };
        let share = reader.number(&crash)?;
        if !(0.0..=1.0).contains(&share) {
            let message = format!("`crash` is {share}, which is no probability");
            reader.refuse(&crash.raw.span, message, "give a number from 0 to 1");
            return None;
        }
        Some(share)
    }

    fn read_state(part: &Part, reader: &mut Reader) -> Option<bool> {
        match reader.text(part)?.as_str() {
            "kept" => Some(false),
            "lost" => Some(true),
            other => {
                let message = format!("`state` is `{other}`");
                reader.refuse(&part.raw.span, message, "write \"kept\" or \"lost\"");
                None
            }
        }
    }
}
