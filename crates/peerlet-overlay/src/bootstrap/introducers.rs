//! Bootstrapping without seats: through peers whose addresses are known.
//!
//! Any peer that has joined answers whoever asks it, and names itself among others. So there is no
//! server to be kept, and a peer that is asked too early is silent.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use peerlet_core::{Address, Contact, Context, Duration, Identity, TrustError};

use super::members::Standing;
use super::{Alone, Bootstrap, BootstrapMessage, BootstrapTimer, Bootstrapped, config};

/// After this many rounds without an answer, some fifteen seconds, the log says so.
const SILENCES_TOLD: u32 = 4;

/// How often the others of its list are asked before the first of a list founds the overlay: one
/// question or answer may be lost.
const ROUNDS_BEFORE_FOUNDING: u32 = 2;
/// How many of the list are asked at once by a peer that has not joined: some may be gone.
const ASKED_MAX: usize = 8;

/// A peer through which others find their way in.
///
/// Written `[IDENTITY@]IP:PORT[/SLOT]`; the slot of the only peer of a process is 0.
///
/// ```
/// use peerlet_overlay::Introducer;
/// let known: Introducer = "[2001:db8::7]:7000/3".parse()?;
/// assert_eq!(known.to_string(), "[2001:db8::7]:7000/3");
/// assert!("example.org:7000".parse::<Introducer>().is_err(), "the program resolves names");
/// # Ok::<(), peerlet_overlay::IntroducerError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Introducer {
    /// Where it is reached.
    pub address: Address,
    /// Who it has to be; anybody where there is none.
    pub identity: Option<Identity>,
}

impl From<Address> for Introducer {
    fn from(address: Address) -> Introducer {
        Introducer { address, identity: None }
    }
}

impl From<SocketAddr> for Introducer {
    /// The only peer of the process at this socket.
    fn from(socket: SocketAddr) -> Introducer {
        Address::new(socket, 0).into()
    }
}

impl From<Contact> for Introducer {
    fn from(contact: Contact) -> Introducer {
        Introducer { address: contact.address, identity: Some(contact.identity) }
    }
}

impl fmt::Display for Introducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(identity) = self.identity {
            write!(f, "{identity}@")?;
        }
        self.address.fmt(f)
    }
}

impl FromStr for Introducer {
    type Err = IntroducerError;
    fn from_str(text: &str) -> Result<Introducer, IntroducerError> {
        let (identity, at) = match text.split_once('@') {
            Some((identity, at)) => (Some(identity.parse().map_err(|_| IntroducerError)?), at),
            None => (None, text),
        };
        let address = match at.contains('/') {
            true => at.parse().map_err(|_| IntroducerError)?,
            false => Address::new(at.parse().map_err(|_| IntroducerError)?, 0),
        };
        Ok(Introducer { address, identity })
    }
}

/// The text is no introducer. `Debug` shows the same as `Display`, since programs return it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IntroducerError;

impl fmt::Debug for IntroducerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for IntroducerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "no address of a peer; write [IDENTITY@]IP:PORT[/SLOT], such as `192.0.2.1:7000`, with \
             the address that a name resolves to",
        )
    }
}

impl std::error::Error for IntroducerError {}

/// The state of a peer that finds its way in through others.
#[derive(Clone, Debug)]
pub(super) struct Introduced {
    list: Vec<Introducer>,
    /// Those but for this peer, as long as it lives, each with the number that its answers have to
    /// have: who is not at the address, or not the trusted one, was never told it.
    others: Vec<(Address, u64)>,
    /// Those who asked before this peer had joined, with the numbers of their questions.
    waiting: Vec<(Address, u64)>,
    /// How many rounds of questions went unanswered in a row.
    silences: u32,
    /// Whether this peer is the one that founds.
    is_first: bool,
    /// Whether it is in the overlay: siblings heard of others, or that it is alone.
    has_joined: bool,
    /// Whether the last question was answered.
    is_answered: bool,
}

impl Introduced {
    pub(super) fn new(list: Vec<Introducer>) -> Introduced {
        Introduced {
            list,
            others: Vec::new(),
            waiting: Vec::new(),
            silences: 0,
            is_first: false,
            has_joined: false,
            is_answered: false,
        }
    }

    /// Those to ask in this round: one where this peer has joined, which only keeps in touch.
    fn round(&self) -> impl Iterator<Item = (Address, u64)> {
        let count = if self.has_joined { 1 } else { ASKED_MAX.min(self.others.len()) };
        let from = self.silences as usize * count;
        let all = self.others.iter().copied().cycle().skip(from % self.others.len().max(1));
        all.take(count)
    }
}

impl Bootstrap {
    /// Begins: founds an overlay, or asks for the way into one.
    pub(super) fn find_introducers(&mut self, ctx: &mut Context<Self>) {
        let (me, Some(own)) = (ctx.address(), &mut self.introduced) else { return };
        let mut begun = Introduced::new(std::mem::take(&mut own.list));
        begun.is_first = begun.list.first().is_none_or(|first| first.address == me);
        for Introducer { address, identity } in begun.list.iter().filter(|i| i.address != me) {
            let trusted =
                identity.map(|identity| ctx.trust(Contact { address: *address, identity }));
            // Where there are no identities, whoever is there is asked; one that cannot be verified
            // where there are is left out.
            if matches!(trusted, None | Some(Ok(()) | Err(TrustError::NoIdentities))) {
                begun.others.push((*address, ctx.secret().bits()));
            }
        }
        *own = begun;
        match own.others.is_empty() {
            true => self.found(ctx),
            false => self.ask(ctx),
        }
    }

    /// This peer is the first.
    fn found(&mut self, ctx: &mut Context<Self>) {
        ctx.emit(Alone);
        self.join(ctx);
    }

    /// This peer is in the overlay: it answers those who asked it before.
    fn join(&mut self, ctx: &mut Context<Self>) {
        let Some(own) = &mut self.introduced else { return };
        if std::mem::replace(&mut own.has_joined, true) {
            return;
        }
        let me = ctx.address();
        for (peer, token) in own.waiting.drain(..) {
            ctx.send(peer, BootstrapMessage::Told { token, peers: vec![me] });
        }
    }

    /// Asks the next peers; again after a while.
    fn ask(&mut self, ctx: &mut Context<Self>) {
        let Some(own) = &mut self.introduced else { return };
        own.is_answered = false;
        for (known, token) in own.round() {
            ctx.send(known, BootstrapMessage::Ask { token, joined: own.has_joined });
        }
        // Between three and five quarters, so that peers that began together do not stay together.
        let quarter = (self.wait / 4).as_nanos();
        let jitter = Duration::from_nanos(ctx.rng().below(2 * quarter));
        ctx.after(Duration::from_nanos(3 * quarter) + jitter, BootstrapTimer::Retry);
    }

    /// The time to answer is over, or an answer is old.
    pub(super) fn ask_again(&mut self, ctx: &mut Context<Self>) {
        let Some(own) = &mut self.introduced else { return };
        if own.is_answered {
            // Announced again soon, when it had time to join, and from then on now and then.
            let (retry, refresh) = (self.config.retry, self.config.refresh);
            let wait = if self.confirmed { refresh } else { retry };
            (self.confirmed, self.wait) = (true, retry);
            (own.is_answered, own.silences) = (false, 0);
            ctx.after(wait, BootstrapTimer::Refresh);
            return;
        }
        if own.others.is_empty() {
            return;
        }
        own.silences += 1;
        if own.silences == SILENCES_TOLD && !own.has_joined {
            let count = own.others.len();
            tracing::warn!(
                "no introducer has answered yet, of {count}: they may not run, or run another \
                 program, another stack or another transport; this peer goes on asking"
            );
        }
        if own.silences >= ROUNDS_BEFORE_FOUNDING && own.is_first && !own.has_joined {
            self.found(ctx);
        }
        self.wait = (self.wait * 2).min(self.config.retry_max);
        self.ask(ctx);
    }

    /// Handles a message where there are no seats.
    pub(super) fn message_without_seats(
        &mut self,
        ctx: &mut Context<Self>,
        from: Address,
        message: BootstrapMessage,
    ) {
        match message {
            BootstrapMessage::Ask { token, joined: false } => {
                self.introduce(ctx, from, token, Standing::New);
            }
            BootstrapMessage::Ask { token, joined: true } => {
                self.introduce(ctx, from, token, Standing::Settled);
            }
            BootstrapMessage::Goodbye => self.members.remove(from),
            BootstrapMessage::Told { token, mut peers } => {
                let me = ctx.address();
                let Some(own) = &mut self.introduced else { return };
                // Only those that were asked are believed.
                if !own.others.contains(&(from, token)) {
                    return;
                }
                peers.truncate(config::SAMPLE_MAX);
                peers.retain(|peer| *peer != me);
                if !peers.is_empty() {
                    (own.is_answered, self.told) = (true, true);
                    ctx.emit(Bootstrapped { peers });
                    self.join(ctx);
                }
            }
            // They are between peers and the server of a scenario.
            BootstrapMessage::Hello | BootstrapMessage::Again | BootstrapMessage::Peers(_) => {}
        }
    }

    /// Answers a peer that asks for the way in: with some that did before it, and with this one.
    fn introduce(&mut self, ctx: &mut Context<Self>, peer: Address, token: u64, said: Standing) {
        let (now, me) = (ctx.now(), ctx.address());
        if peer == me {
            return;
        }
        let is_new = self.members.standing(peer).is_none();
        self.members.hear(peer, said, now, self.config.known_max as usize, ctx.rng());
        let Some(own) = &mut self.introduced else { return };
        if !own.has_joined {
            own.waiting.retain(|(waiting, _)| *waiting != peer);
            own.waiting.truncate(ASKED_MAX - 1);
            return own.waiting.push((peer, token));
        }
        let (sample, forget) = (self.config.sample as usize, self.config.forget);
        // An answer has one address less than the largest, for its number.
        let sample = sample.min(config::SAMPLE_MAX - 1);
        let is_fresh = |heard| now.since(heard) <= forget;
        let mut peers =
            self.members.sample(false, sample.saturating_sub(1), peer, is_fresh, ctx.rng());
        peers.push(me);
        ctx.send(peer, BootstrapMessage::Told { token, peers });
        // A peer that founded, or starts anew, finds others by those that ask it.
        if is_new && said == Standing::Settled {
            ctx.emit(Bootstrapped { peers: vec![peer] });
        }
    }

    /// Leaves in order.
    pub(super) fn say_goodbye(&mut self, ctx: &mut Context<Self>) {
        let others = self.introduced.iter().flat_map(|own| own.others.clone());
        others.for_each(|(known, _)| ctx.send(known, BootstrapMessage::Goodbye));
    }
}
