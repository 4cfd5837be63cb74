//! Decides the next order: the window, its limit, and the directives in it.

use std::iter::Peekable;
use std::sync::Arc;

use peerlet_core::runtime::Directive;
use peerlet_core::{NANOSECOND, Seat, Time};
use peerlet_measure::Epochs;
use peerlet_network::Model;

use crate::grid::Grid;
use crate::running_seats::{Planned, WindowDirectives};

/// The environment's directives, in order.
pub(crate) type Directives = Box<dyn Iterator<Item = Directive> + Send>;

/// The next step of all workers.
#[derive(Clone)]
pub(crate) enum Order {
    /// Hand over the events that other workers' peers have in this window.
    HandOver { window: u64 },
    /// Run the window's events before `limit`. It begins at `from`, where past epochs close.
    Run { window: u64, from: Time, limit: Time, directives: WindowDirectives },
    /// The run is over.
    End,
}

/// The progress of a run.
pub(crate) struct Director {
    directives: Peekable<Directives>,
    /// How many directives the environment issued.
    directed: u64,
    edges: Peekable<std::vec::IntoIter<Time>>,
    seats: u32,
    pub(crate) model: Arc<Box<dyn Model>>,
    pub(crate) now: Time,
    pub(crate) end: Time,
    /// All workers were given their events of windows up to this one.
    handed: Option<u64>,
}

impl Director {
    pub(crate) fn new(
        directives: Directives,
        epochs: &Epochs,
        seats: u32,
        model: Arc<Box<dyn Model>>,
    ) -> Director {
        let edges: Vec<Time> = epochs.edges().collect();
        Director {
            directives: directives.peekable(),
            directed: 0,
            edges: edges.into_iter().peekable(),
            seats,
            model,
            now: Time::ZERO,
            end: epochs.end(),
            handed: None,
        }
    }

    /// The next instant of a directive, or of the edge of an epoch after now.
    pub(crate) fn next_cut(&mut self) -> Time {
        let edge = self.next_edge();
        self.directives.peek().map_or(edge, |directive| directive.at.min(edge))
    }

    fn next_edge(&mut self) -> Time {
        let now = self.now;
        while self.edges.next_if(|edge| *edge <= now).is_some() {}
        self.edges.peek().copied().unwrap_or(Time::MAX)
    }

    /// Numbers an act that is done now, before the directives of this instant.
    pub(crate) fn number(&mut self) -> u64 {
        let seq = self.directed;
        self.directed += 1;
        // It may make events for peers of other workers.
        self.handed = None;
        seq
    }

    /// The instant, number and seat of the next directive, if it is earlier than `limit`.
    pub(crate) fn peek_before(&mut self, limit: Time) -> Option<(Time, u64, Seat)> {
        let directive = self.directives.peek().filter(|directive| directive.at < limit)?;
        Some((directive.at, self.directed, directive.seat))
    }

    /// The next directive, if it is earlier than `limit`.
    pub(crate) fn next_before(&mut self, limit: Time) -> Option<Planned> {
        let (now, seats) = (self.now, self.seats);
        let Directive { at, seat, act } = self.directives.next_if(|d| d.at < limit)?;
        assert!(at >= now, "directives come in order of time");
        assert!(seat.0 < seats, "a directive is for seat {seat}, there are {seats} seats");
        let seq = self.directed;
        self.directed += 1;
        Some(Planned { at, seat, seq, act })
    }

    /// Decides the next order, given an instant before which no worker has events.
    pub(crate) fn decide(
        &mut self,
        grid: &Grid,
        first: Option<Time>,
        until: Time,
        alone: bool,
    ) -> Order {
        if self.now >= until {
            return Order::End;
        }
        let directed = self.directives.peek().map(|directive| directive.at);
        let first = first.into_iter().chain(directed).min();
        let Some(first) = first.filter(|first| *first < until) else {
            self.now = until;
            return Order::End;
        };
        let window = grid.window_at(first);
        if !alone && self.handed.is_none_or(|handed| window > handed) {
            self.handed = Some(window);
            return Order::HandOver { window };
        }
        // If the window was cut short, no event is before that.
        self.now = self.now.max(first);
        self.run(grid, window, until)
    }

    /// Decides the next order on the assumption that it is the window after the one that just ran;
    /// `None` if it cannot be that.
    pub(crate) fn foresee(&mut self, grid: &Grid, until: Time) -> Option<(u64, Order)> {
        let window = self.handed.filter(|window| grid.window_start(*window) == self.now)?;
        (self.now < until).then(|| (window, self.run(grid, window, until)))
    }

    /// The foreseen order was not run: workers were given their events up to this window only.
    pub(crate) fn handed_up_to(&mut self, window: u64) {
        self.handed = Some(window);
    }

    fn run(&mut self, grid: &Grid, window: u64, until: Time) -> Order {
        let from = self.now.max(grid.window_start(window));
        self.now = from;
        let end = Time::from_nanos(grid.window_start(window + 1).as_nanos());
        // A lookahead may have shrunk since windows were cut.
        let reached = from + self.model.lookahead().max(NANOSECOND);
        let limit = end.min(reached).min(self.next_edge()).min(until);
        let mut planned = Vec::new();
        while let Some(next) = self.next_before(limit) {
            planned.push(next);
        }
        self.now = limit;
        // A worker that runs a window hands over the one after it.
        self.handed = Some(window + 1);
        Order::Run { window, from, limit, directives: WindowDirectives::new(planned) }
    }
}
