//! Commands and metrics that macros declare: what they do, and what the compiler says when one is
//! wrong.

use expect_test::expect;
use peerlet_core::runtime::Registry;
use peerlet_core::{
    Context, Description, Duration, Kind, Metric, MetricKind, Nothing, Peer, Peerlet, SECOND,
    Signature, TestPeer, Value, commands, metrics,
};

use crate::compile::compile_all;

/// A peerlet with a type parameter, and with declarations of both kinds.
#[derive(Default)]
struct Noted<T> {
    said: Vec<String>,
    last: T,
}

impl<T: Default + Send + 'static> Peerlet for Noted<T> {
    const NAME: &'static str = "noted";
    const METRICS: &'static [Metric] = NOTES;
    type Message = Nothing;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about
            .measures(&BY_HAND)
            .command(Signature::new("by_match"))
            .answers(Signature::new("by_hand").takes("on", Kind::Bool), |me, ctx, command| {
                me.said.push(command.bool("on").to_string());
                ctx.measure(BY_HAND, 1.0);
            })
            .commands();
    }

    fn command(&mut self, _: &mut Context<Self>, command: &peerlet_core::Command) {
        self.said.push(command.name().to_owned());
    }
}

const BY_HAND: Metric = Metric::counter("by_hand");

metrics! {
    impl<T: Default + Send + 'static> NOTES for Noted<T> {
        /// Texts that were said, e.g. by a scenario. Each counts once.
        SAID: counter,
        /// RTT of a call.
        HOW_LONG: histogram("took").unit("s").quantum(1e-9),
        LEVEL: gauge
    }
}

#[commands]
impl<T: Default + Send + 'static> Noted<T> {
    /// Says a text. More than once.
    #[command]
    fn say(&mut self, ctx: &mut Context<Self>, text: String, times: u8) {
        (0..times).for_each(|_| self.note(&text));
        ctx.measure(SAID, f64::from(times));
    }

    #[command]
    fn wait(&mut self, ctx: &mut Context<Self>, r#for: Duration, share: f64, _force: bool) {
        ctx.measure(HOW_LONG, r#for.as_secs_f64());
        ctx.measure(LEVEL, share);
    }

    #[cfg(any())]
    #[command]
    fn left_out(&mut self, what: NoSuchType) {}

    /** Forgets
     *  all of it. */
    #[command]
    fn reset(&mut self) {
        self.last = T::default();
        self.said.clear();
    }

    fn note(&mut self, text: &str) {
        self.said.push(text.to_owned());
    }
}

#[test]
fn declarations_have_the_names_and_the_docs_of_what_they_are_made_of() {
    let registry = Registry::of([Peer::new().with(Noted::<u8>::default())]).unwrap();
    let entry = &registry.entries()[0];
    let lines = entry.commands().iter().map(|c| format!("{c}  {}\n", c.description()));
    expect![[r#"
        by_match()  
        by_hand(on: boolean)  
        say(text: text, times: integer)  says a text
        wait(for: duration, share: number, force: boolean)  
        reset()  forgets all of it
    "#]]
    .assert_eq(&lines.collect::<String>());
    let lines = entry.metrics().iter().map(|m| {
        format!("{} [{}, {}] {}\n", m.name(), m.kind().name(), m.unit_symbol(), m.description())
    });
    expect![[r#"
        said [counter, 1] texts that were said, e.g. by a scenario
        took [distribution, s] RTT of a call
        level [gauge, 1] 
        by_hand [counter, 1] 
    "#]]
    .assert_eq(&lines.collect::<String>());
    assert_eq!(NOTES[1].kind(), MetricKind::Histogram);
}

#[test]
fn each_command_comes_to_its_own_handler() {
    let mut peer = TestPeer::new(Noted::<u8>::default());
    peer.command("say", &[Value::Text("hi".to_owned()), Value::Integer(2)]);
    peer.command("by_match", &[]);
    peer.command("by_hand", &[Value::Bool(true)]);
    assert_eq!(peer.peerlet().said, ["hi", "hi", "by_match", "true"]);
    peer.command("wait", &[Value::Duration(SECOND), Value::Integer(1), Value::Bool(true)]);
    peer.command("reset", &[]);
    assert!(peer.peerlet().said.is_empty());
    let measured = ["said", "took", "level", "by_hand"].map(|name| peer.measured(name));
    assert_eq!(measured, [[2.0], [1.0], [1.0], [1.0]]);
}

#[test]
fn whole_numbers_are_held_to_the_range_of_their_type() {
    let declared = Signature::new("set").parameter::<u32>("level").parameter::<f64>("share");
    let error = |level, share| {
        let error = declared.call(&[level, share]).unwrap_err();
        format!("{error}\n{}\n", error.remedy())
    };
    let of = Value::Integer;
    expect![[r#"
        `level` is 4294967296; give 0 to 4294967295
        the command is `set(level: integer, share: number)`
    "#]]
    .assert_eq(&error(of(1 << 32), of(1)));
    expect![[r#"
        the arguments do not fit; the command is `set(level: integer, share: number)`
        correct the number or the types of the arguments
    "#]]
    .assert_eq(&error(Value::Float(1.0), of(1)));
    assert!(declared.call(&[of(u32::MAX.into()), of(i64::MIN)]).is_ok());
}

/// What the compiler says first against this source, and the words that it points at.
fn said(source: &str) -> (String, String) {
    let head = "use peerlet_core::*;
        pub struct Hello;
        impl Peerlet for Hello {
            const NAME: &'static str = \"hello\";
            type Message = Nothing;
            type Timer = ();
        }
        pub struct Other;\n";
    let said = compile_all(&format!("{head}{source}"));
    let mut lines = said.lines().skip_while(|line| !line.starts_with("error"));
    let error = lines.next().expect("it does not compile");
    let (quoted, mark) = (lines.nth(2).expect("a line is quoted"), lines.next().expect("marked"));
    // Another mark, `---`, may stand apart, or be the beginning of this one.
    let end = mark.rfind('^').expect("a word is marked") + 1;
    let begin = mark[..end].rfind(' ').map_or(0, |space| space + 1);
    let (_, message) = error.split_once(": ").expect("an error has a sentence");
    (message.to_owned(), quoted[begin..end].to_owned())
}

fn check(source: &str, message: &str, token: &str) {
    assert_eq!(said(source), (message.to_owned(), token.to_owned()), "{source}");
}

#[test]
fn errors_of_commands_are_at_their_tokens() {
    let check_one = |method: &str, message, token| {
        check(&format!("#[commands] impl Hello {{ #[command] {method} }}"), message, token);
    };
    let it = "`Vec<u8>` cannot be a parameter of a command";
    check_one("fn say(&mut self, texts: Vec<u8>) {}", it, "Vec<u8>");
    let it = "a command owns its arguments; write `String` for a text";
    check_one("fn say(&mut self, text: &str) {}", it, "&str");
    let it = "the context comes first, behind `&mut self`";
    check_one("fn say(&mut self, n: u8, c: &Context<Self>) {}", it, "&Context<Self>");
    let it = "give the argument a name: scenarios show it";
    check_one("fn say(&mut self, (a, b): (u8, u8)) {}", it, "(a, b)");
    let it = "nobody gets what a command returns; let it return nothing";
    check_one("fn say(&mut self) -> u8 { 0 }", it, "u8");
    let it = "a command is called on its peerlet; begin with `&mut self`";
    check_one("fn say(ctx: &mut Context<Self>) {}", it, "say");
    let it = "a command does not wait; start a task in it with `ctx.spawn(..)`";
    check_one("async fn say(&mut self) {}", it, "async");
    let it = "an argument of a command has one type; take the generics away";
    check_one("fn say<T>(&mut self, what: T) {}", it, "<T>");
    let it = "no method is marked; write `#[command]` on each that scenarios may call";
    check("#[commands] impl Hello { fn say(&mut self) {} }", it, "Hello");
    let it = "put `#[commands]` on the `impl` block of the peerlet's own methods";
    check("#[commands] impl Clone for Hello {}", it, "Clone");
    let it = "`Hello` has no commands";
    check("pub fn f(about: &mut Description<Hello>) { about.commands(); }", it, "commands");
}

#[test]
fn errors_of_metrics_are_at_their_tokens() {
    let it = "a metric is a `counter`, a `gauge` or a `histogram`";
    check("metrics! { ALL for Hello { SAID: count } }", it, "count");
    let it = "go on with `.unit(\"s\")`, `.quantum(1e-9)` or a comma";
    check("metrics! { ALL for Hello { SAID: counter unit(1) } }", it, "unit");
    check("metrics! { ALL for Hello { SAID: gauge.unit(1) } }", "mismatched types", "1");
    let it = "a metric is always there: take `cfg` away, or make two lists";
    check("metrics! { ALL for Hello { #[cfg(any())] SAID: counter } }", it, "#[cfg(any())]");
    let it = "begin with the name of the list and the peerlet: `METRICS for Hello { .. }`";
    check("metrics! { Hello { SAID: counter } }", it, "{");
    let record = "pub fn f(ctx: &mut Context<Hello>) { ctx.measure(SAID, 1.0) }";
    let it = "`Hello` does not record the metric `SAID`";
    check(&format!("metrics! {{ ALL for Other {{ SAID: counter }} }} {record}"), it, "SAID");
}

#[test]
fn a_crate_that_denies_and_forbids_can_use_the_macros() {
    let said = compile_all(
        "//! Strict.
        #![forbid(unsafe_code)]
        #![deny(missing_docs, warnings)]
        use peerlet_core::*;
        /// Counts.
        pub struct Hello;
        metrics! {
            pub METRICS for Hello {
                /// Calls.
                pub CALLS: counter,
            }
        }
        impl Peerlet for Hello {
            const NAME: &'static str = \"hello\";
            const METRICS: &'static [Metric] = METRICS;
            type Message = Nothing;
            type Timer = Nothing;
            fn describe(about: &mut Description<Self>) {
                about.commands();
            }
        }
        #[commands]
        impl Hello {
            /// Counts.
            #[command]
            pub fn call(&mut self, ctx: &mut Context<Self>) {
                ctx.measure(CALLS, 1.0);
            }
        }",
    );
    assert_eq!(said, "");
}
