//! Errors of running a plan.

use std::error::Error;
use std::fmt;

#[cfg(feature = "live")]
use peerlet_live::LiveError;
use peerlet_scenario::{Problem, Problems};
use peerlet_sim::{ActError, SetupError, StepError};

use crate::panics::PanicReport;
use crate::threads::SystemLimit;
use crate::world::World;

/// Why a plan was not run to its end. `Debug` is the same as `Display`, so that an `unwrap` in a
/// test says it in words.
#[non_exhaustive]
pub enum RunError {
    /// The plan is for the first world, and was to run in the second.
    World(World, World),
    /// The network of the plan cannot be built, or the world cannot do what the plan asks for.
    Plan(Problems),
    /// A stack cannot run in a simulation.
    Setup(SetupError),
    /// The simulation broke.
    Simulation(peerlet_sim::RunError),
    /// An act on a simulation could not be done.
    Act(ActError),
    /// A simulation could not take a single step.
    Step(StepError),
    /// The run on real sockets could not begin, or broke.
    #[cfg(feature = "live")]
    Sockets(LiveError),
    /// The system refused threads or descriptors.
    System(SystemLimit),
    /// Something in the run panicked, and there are no results.
    Panicked(PanicReport),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::World(planned, asked) => write!(
                f,
                "the plan is for the world `{}` and not for `{}`; make one for that world",
                planned.name(),
                asked.name()
            ),
            RunError::Plan(problems) => problems.fmt(f),
            RunError::Setup(error) => error.fmt(f),
            RunError::Simulation(error) => error.fmt(f),
            RunError::Act(error) => error.fmt(f),
            RunError::Step(error) => error.fmt(f),
            #[cfg(feature = "live")]
            RunError::Sockets(error) => error.fmt(f),
            RunError::System(limit) => limit.fmt(f),
            RunError::Panicked(report) => report.fmt(f),
        }
    }
}

impl fmt::Debug for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            RunError::Plan(problems) => problems.source(),
            RunError::Setup(error) => error.source(),
            RunError::Simulation(error) => error.source(),
            RunError::Act(error) => error.source(),
            RunError::Step(error) => error.source(),
            #[cfg(feature = "live")]
            RunError::Sockets(error) => error.source(),
            RunError::System(limit) => limit.source(),
            RunError::World(..) | RunError::Panicked(_) => None,
        }
    }
}

impl RunError {
    /// Refuses a plan that is for another world than this one.
    pub(crate) fn check_world(planned: World, asked: World) -> Result<(), RunError> {
        if planned == asked { Ok(()) } else { Err(RunError::World(planned, asked)) }
    }
}

impl From<Problems> for RunError {
    fn from(problems: Problems) -> RunError {
        RunError::Plan(problems)
    }
}

impl From<Problem> for RunError {
    fn from(problem: Problem) -> RunError {
        RunError::Plan(problem.into())
    }
}

impl From<SystemLimit> for RunError {
    fn from(limit: SystemLimit) -> RunError {
        RunError::System(limit)
    }
}
