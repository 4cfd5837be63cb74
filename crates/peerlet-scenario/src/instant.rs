//! Instants as scenarios and options write them.

use peerlet_core::{Duration, DurationError, Time};

/// Reads an instant of the run: seconds from its start, or a number with a unit.
///
/// # Errors
/// When the text is neither.
///
/// ```
/// use peerlet_core::{MILLISECOND, Time};
/// use peerlet_scenario::instant;
/// assert_eq!(instant("14.5")?, Time::ZERO + MILLISECOND * 14_500);
/// assert_eq!(instant("250ms")?, Time::ZERO + MILLISECOND * 250);
/// assert!(instant("soon").is_err());
/// # Ok::<(), peerlet_core::DurationError>(())
/// ```
pub fn instant(text: &str) -> Result<Time, DurationError> {
    let is_number = text.ends_with(|c: char| c.is_ascii_digit() || c == '.');
    let duration: Duration = if is_number { format!("{text}s").parse() } else { text.parse() }?;
    Ok(Time::ZERO + duration)
}
