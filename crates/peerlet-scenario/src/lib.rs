//! Reads scenario files into an explicit, timed list of commands.
//!
//! A scenario says how many peers there are, what is on their stacks, which network lies between
//! them, and what happens to them when. [`Scenario::parse`] reads it from TOML, with [`Override`]s
//! from the command line, and refuses what it cannot honor with [`Problems`] that point at the
//! text. [`Timeline::expand`] then makes all its random choices (first starts, churn, shares)
//! *before* the run, so that every world replays the same list. This crate knows no peerlet and no
//! network model: their parameters are kept as [`Raw`] parts for whoever does.
//!
//! ```
//! use peerlet_scenario::{Scenario, Source, Timeline};
//! let text = r#"
//! peers = 3
//! for = "60s"
//! [events]
//! lines = """
//! 2 14.3 Peer.start()
//! 0-1 20.0 Peer.Router.setDropMessages(true)
//! """
//! "#;
//! let scenario = Scenario::parse(Source::new("drop.toml", text), &[])?;
//! let timeline = Timeline::expand(&scenario, &[]);
//! assert_eq!(
//!     timeline.to_string(),
//!     "0 0s Peer.start()\n\
//!      1 1ms Peer.start()\n\
//!      2 14.3s Peer.start()\n\
//!      0-1 20s Peer.Router.setDropMessages(true)\n",
//! );
//! # Ok::<(), peerlet_scenario::Problems>(())
//! ```

mod call;
mod churn;
mod connection;
mod event;
mod expect;
mod group;
mod include;
mod input_file;
mod instant;
mod measure;
mod presence;
mod property;
mod run;
mod scenario;
mod seats;
mod step;
mod stopwatch;
mod timeline;
mod variables;
mod when;

mod files;
mod format;
mod observe;
mod overrides;
mod printable;
mod problem;
mod raw;
mod reader;
mod refusal;
mod rewrite;
mod source;

pub use call::{Action, PEER_CALLS, normalize};
pub use churn::{
    Churn, Departure, Initial, NAMED_CHURN, NamedChurn, Population, RandomSessions, Session,
    SessionDistribution, SessionTrace, Sessions, Swing,
};
pub use connection::Connection;
pub use event::{EVENTS_MAX, ScenarioEvent};
pub use expect::{Bound, Expect, ExpectOver, STATISTICS, Side};
pub use files::{PIPE_BYTES_MAX, is_of_content, is_pipe, pipes_read, read_file, read_regular_file};
pub use format::{format_lines, format_scenario};
pub use group::{Group, StackEntry};
pub use input_file::InputFile;
pub use instant::instant;
pub use measure::{EPOCHS_MAX, Measure, MeasuredGroups};
pub use observe::{Observe, QUANTITIES};
pub use overrides::{Override, PATH_MAX};
pub use printable::{is_steering, printable};
pub use problem::{PROBLEMS_MAX, Problem, Problems, QUOTED_MAX, shortened, suggest};
pub use property::{PropertyChoice, PropertyStart, StopWhen};
pub use raw::{Part, Raw, RawValue};
pub use rewrite::Rewrite;
pub use run::{Checksum, Run};
pub use scenario::{NetworkTable, PEERS_MAX, Scenario};
pub use source::{SOURCE_BYTES_MAX, Source, Sources};
pub use step::{ENTRIES_MAX, Step, TimelineEntry};
pub use stopwatch::StopwatchChoice;
pub use timeline::Timeline;
