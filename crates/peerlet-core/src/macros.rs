//! The macros for authors of peerlets, with their pages.

/// Makes commands of the methods that are marked `#[command]`: scenarios call them by name.
///
/// A command has the name of its method. Its help, which `peerlet list` shows, is the first
/// sentence of the doc comment. Behind `&mut self`, and the context where it is needed, come the
/// arguments, each of a type that is an [`Argument`](crate::Argument). Their names and kinds, and
/// the range of an integer type, are known when a scenario is read; a call that does not fit is
/// refused then.
///
/// [`Description::commands`](crate::Description::commands) names them all.
///
/// ```
/// use peerlet_core::{Context, Description, Nothing, Peerlet, TestPeer, Value, commands};
///
/// #[derive(Default)]
/// struct Herald { said: String }
///
/// impl Peerlet for Herald {
///     const NAME: &'static str = "herald";
///     type Message = Nothing;
///     type Timer = Nothing;
///
///     fn describe(about: &mut Description<Self>) {
///         about.help("says what it is asked to say").commands();
///     }
/// }
///
/// #[commands]
/// impl Herald {
///     /// Says a text several times. It forgets what it said before.
///     #[command]
///     fn say(&mut self, _ctx: &mut Context<Self>, text: String, times: u8) {
///         self.said = text.repeat(times.into());
///     }
///
///     /// Says nothing any more.
///     #[command]
///     fn hush(&mut self) {
///         self.said.clear();
///     }
/// }
///
/// let mut peer = TestPeer::new(Herald::default());
/// peer.command("say", &[Value::Text("ho ".to_owned()), Value::Integer(2)]);
/// assert_eq!(peer.peerlet().said, "ho ho ");
/// peer.command("hush", &[]);
/// assert_eq!(peer.peerlet().said, "");
/// ```
///
/// By hand, a command is a [`Signature`](crate::Signature) and a handler,
/// [`about.answers(signature, handler)`](crate::Description::answers), or a signature alone,
/// [`about.command(signature)`](crate::Description::command), and an arm of
/// [`Peerlet::command`](crate::Peerlet::command).
///
/// # Errors
/// An argument of a type that no scenario can write:
///
/// ```compile_fail
/// # use peerlet_core::*;
/// # struct Herald;
/// # impl Peerlet for Herald {
/// #     const NAME: &'static str = "herald"; type Message = Nothing; type Timer = Nothing;
/// # }
/// #[commands]
/// impl Herald {
///     #[command]
///     fn say(&mut self, texts: Vec<String>) {} // `Vec<String>` cannot be a parameter of a command
/// }
/// ```
///
/// One that is borrowed, where a command owns its arguments:
///
/// ```compile_fail
/// # use peerlet_core::*;
/// # struct Herald;
/// # impl Peerlet for Herald {
/// #     const NAME: &'static str = "herald"; type Message = Nothing; type Timer = Nothing;
/// # }
/// #[commands]
/// impl Herald {
///     #[command]
///     fn say(&mut self, text: &str) {} // write `String` for a text
/// }
/// ```
///
/// An answer, which nobody would get:
///
/// ```compile_fail
/// # use peerlet_core::*;
/// # struct Herald;
/// # impl Peerlet for Herald {
/// #     const NAME: &'static str = "herald"; type Message = Nothing; type Timer = Nothing;
/// # }
/// #[commands]
/// impl Herald {
///     #[command]
///     fn count(&mut self) -> u32 { 0 } // let it return nothing
/// }
/// ```
///
/// A crate that has this one under another name writes `#[commands(crate = its_name)]`.
pub use peerlet_macros::core_commands as commands;

/// Declares the metrics that a peerlet records.
///
/// Each has a handle, and the name of the handle in lower case. Its help, which `peerlet list`
/// shows, is the first sentence of its doc comment. Its kind is `counter`, `gauge` or
/// `histogram`, and what follows is as for a [`Metric`](crate::Metric). The list of all of them
/// goes into the peerlet's [`METRICS`](crate::Peerlet::METRICS).
///
/// ```
/// use peerlet_core::{Context, Metric, Nothing, Peerlet, SECOND, TestPeer, metrics};
///
/// struct Clock;
///
/// metrics! {
///     METRICS for Clock {
///         /// Seconds that went by.
///         TICKS: counter,
///         /// How late each of them was.
///         LATE: histogram.unit("s").quantum(1e-9),
///     }
/// }
///
/// impl Peerlet for Clock {
///     const NAME: &'static str = "clock";
///     const METRICS: &'static [Metric] = METRICS;
///     type Message = Nothing;
///     type Timer = ();
///
///     fn start(&mut self, ctx: &mut Context<Self>) {
///         ctx.every(SECOND, ());
///     }
///
///     fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
///         ctx.measure(TICKS, 1.0);
///         ctx.measure(LATE, 0.0);
///     }
/// }
///
/// let mut peer = TestPeer::new(Clock);
/// peer.advance(SECOND * 2);
/// assert_eq!(peer.measured("ticks"), [1.0, 1.0]);
/// ```
///
/// A name of its own stands behind the kind, as in `TICKS: counter("seconds")`. A list and each
/// handle may be `pub`. For a peerlet with type parameters, begin with
/// `impl<T: Bound> METRICS for Clock<T>`. By hand, a metric is a constant
/// [`Metric`](crate::Metric), named by
/// [`about.measures(&TICKS)`](crate::Description::measures) and looked up by its name whenever it
/// is recorded.
///
/// # Errors
/// A metric that another peerlet declares is none of this one's:
///
/// ```compile_fail
/// # use peerlet_core::*;
/// # struct Clock;
/// # struct Other;
/// metrics! {
///     METRICS for Other {
///         TICKS: counter,
///     }
/// }
///
/// # impl Peerlet for Clock {
/// #     const NAME: &'static str = "clock"; type Message = Nothing; type Timer = ();
/// fn start(&mut self, ctx: &mut Context<Self>) {
///     ctx.measure(TICKS, 1.0); // `Clock` does not record the metric `TICKS`
/// }
/// # }
/// ```
///
/// Nor does a program compile whose peerlet has metrics and no list of them:
///
/// ```compile_fail,E0080
/// # use peerlet_core::*;
/// # struct Clock;
/// # metrics! { METRICS for Clock { TICKS: counter } }
/// impl Peerlet for Clock {
///     const NAME: &'static str = "clock"; // and no `METRICS`
/// #   type Message = Nothing; type Timer = ();
///
///     fn start(&mut self, ctx: &mut Context<Self>) {
///         ctx.measure(TICKS, 1.0);
///     }
/// }
/// # TestPeer::new(Clock);
/// ```
pub use peerlet_macros::core_metrics as metrics;
