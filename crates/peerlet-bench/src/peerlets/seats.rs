//! Who the others are: workloads may know what no overlay knows.

use peerlet_core::{Address, Context, Duration, Peerlet, SECOND, Seat};

/// The address of a uniformly random other peer.
pub fn other<P: Peerlet>(ctx: &mut Context<P>) -> Option<Address> {
    let seat = other_seat(ctx);
    ctx.seats().address(seat)
}

/// The seat of a uniformly random other peer.
pub fn other_seat<P: Peerlet>(ctx: &mut Context<P>) -> Seat {
    let others = u64::from(ctx.seats().count()) - 1;
    let other = ctx.rng().below(others) as u32;
    Seat(other + u32::from(other >= ctx.seat().0))
}

/// A random part of a second.
pub fn phase<P: Peerlet>(ctx: &mut Context<P>) -> Duration {
    Duration::from_nanos(ctx.rng().below(SECOND.as_nanos()))
}
