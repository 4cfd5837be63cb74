//! The macro for authors of peerlets, with its page.

/// Makes the parameters of a peerlet from a plain struct.
///
/// Each field is a parameter of its name. What it is, as `peerlet list` shows it, is the first
/// sentence of its doc comment. `#[parameter(..)]` has the rest, all of which can be left out:
///
/// - `default = SECOND * 2`: its default, if it is not that of its type.
/// - `range = MILLISECOND..=HOUR`: the values that it may have. The ends may name other parameters,
///   as in `self.period..=HOUR`.
/// - `unit = "bytes"`: its unit, where its type says none, as [`Duration`](peerlet_core::Duration)
///   does.
/// - `help = "time between two greetings"`: what it is, in place of the doc comment.
///
/// The struct gets [`Parameters`](trait@crate::Parameters), `Default`, and serde's `Serialize` and
/// `Deserialize`. What is left out of a scenario has its default; a parameter that does not exist
/// is refused.
///
/// ```
/// use peerlet_core::{Duration, HOUR, MILLISECOND, SECOND};
/// use peerlet_overlay::Parameters;
///
/// /// The parameters of `Hello`.
/// #[derive(Parameters)]
/// struct HelloConfig {
///     /// Time between two greetings. Default 2 s: nobody is asked for more.
///     #[parameter(default = SECOND * 2, range = MILLISECOND..=HOUR)]
///     period: Duration,
///     /// Size of a greeting.
///     #[parameter(default = 100, range = 1..=1_000, unit = "bytes")]
///     size: u32,
///     /// Whether strangers are greeted.
///     strangers: bool,
/// }
///
/// let config: HelloConfig = serde_json::from_str(r#"{ "period": "1ms" }"#)?;
/// assert_eq!((config.period, config.size, config.strangers), (MILLISECOND, 100, false));
/// assert!(config.check().is_ok());
///
/// let config = HelloConfig { size: 0, ..HelloConfig::default() };
/// assert_eq!(config.check().unwrap_err().to_string(), "`size` is 0; give 1 to 1000");
///
/// let [period, size, _] = HelloConfig::PARAMETERS else { unreachable!() };
/// assert_eq!(period.description(), "time between two greetings");
/// assert_eq!(size.unit_symbol(), Some("bytes"));
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
/// A key that a parameter does not have:
///
/// ```compile_fail
/// # use peerlet_overlay::Parameters;
/// #[derive(Parameters)]
/// struct HelloConfig {
///     #[parameter(min = 1)] // a parameter has `default`, `range`, `unit` and `help`
///     size: u32,
/// }
/// ```
///
/// A range without one of its ends, or that leaves its end out, since an error names both:
///
/// ```compile_fail
/// # use peerlet_overlay::Parameters;
/// #[derive(Parameters)]
/// struct HelloConfig {
///     #[parameter(range = 1..)] // write the range with both its ends, such as `1..=10`
///     size: u32,
/// }
/// ```
///
/// A default of another type:
///
/// ```compile_fail,E0308
/// # use peerlet_overlay::Parameters;
/// #[derive(Parameters)]
/// struct HelloConfig {
///     #[parameter(default = "1")]
///     size: u32,
/// }
/// ```
///
/// A crate that has this one under another name writes `#[parameters(crate = its_name)]` on the
/// struct.
pub use peerlet_macros::OverlayParameters as Parameters;
