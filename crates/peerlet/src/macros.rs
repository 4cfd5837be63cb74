//! The macros for authors of peerlets, for users of this crate.

/// Makes the parameters of a peerlet from a plain struct.
///
/// The page of [`overlay::Parameters`](macro@crate::overlay::Parameters) has all of it.
///
/// ```
/// use peerlet::prelude::*;
///
/// /// Greets somebody now and then.
/// #[derive(Clone)]
/// struct Hello { config: HelloConfig }
///
/// #[derive(Clone, Parameters)]
/// struct HelloConfig {
///     /// Time between two greetings.
///     #[parameter(default = SECOND * 2, range = MILLISECOND..=HOUR)]
///     period: Duration,
/// }
///
/// impl Peerlet for Hello {
///     const NAME: &'static str = "hello";
///     type Message = Nothing;
///     type Timer = ();
///     fn start(&mut self, ctx: &mut Context<Self>) {
///         ctx.every(self.config.period, ());
///     }
/// }
///
/// impl Configured for Hello {
///     type Config = HelloConfig;
///     fn with_config(config: HelloConfig) -> Hello {
///         Hello { config }
///     }
/// }
///
/// let experiment = Experiment::new("greetings").peerlet::<Hello>();
/// let config = HelloConfig { period: HOUR * 2 };
/// let error = Hello::configured(config).err().expect("two hours are too long");
/// assert_eq!(error.to_string(), "`period` is 7200s; give 1ms to 3600s");
/// ```
pub use peerlet_macros::Parameters;

/// Makes commands of the methods that are marked `#[command]`: scenarios call them by name.
///
/// The page of [`core::commands`](macro@crate::core::commands) has all of it.
///
/// ```
/// use peerlet::prelude::*;
///
/// /// Says what it is asked to say.
/// #[derive(Default)]
/// struct Herald { said: String }
///
/// #[commands]
/// impl Herald {
///     /// Says a text several times.
///     #[command]
///     fn say(&mut self, _ctx: &mut Context<Self>, text: String, times: u8) {
///         self.said = text.repeat(times.into());
///     }
/// }
///
/// impl Peerlet for Herald {
///     const NAME: &'static str = "herald";
///     type Message = Nothing;
///     type Timer = Nothing;
///
///     fn describe(about: &mut Description<Self>) {
///         about.commands();
///     }
/// }
///
/// let mut peer = TestPeer::new(Herald::default());
/// peer.command("say", &[Value::Text("ho ".to_owned()), Value::Integer(2)]);
/// assert_eq!(peer.peerlet().said, "ho ho ");
/// ```
pub use peerlet_macros::commands;

/// Declares the metrics that a peerlet records.
///
/// The page of [`core::metrics!`](macro@crate::core::metrics) has all of it.
///
/// ```
/// use peerlet::prelude::*;
///
/// /// Counts the seconds.
/// struct Clock;
///
/// metrics! {
///     METRICS for Clock {
///         /// Seconds that went by.
///         TICKS: counter,
///     }
/// }
///
/// impl Peerlet for Clock {
///     const NAME: &'static str = "clock";
///     const METRICS: &'static [Metric] = METRICS;
///     type Message = Nothing;
///     type Timer = ();
///     fn start(&mut self, ctx: &mut Context<Self>) {
///         ctx.every(SECOND, ());
///     }
///     fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
///         ctx.measure(TICKS, 1.0);
///     }
/// }
///
/// let mut peer = TestPeer::new(Clock);
/// peer.advance(SECOND * 2);
/// assert_eq!(peer.measured("ticks"), [1.0, 1.0]);
/// ```
pub use peerlet_macros::metrics;
