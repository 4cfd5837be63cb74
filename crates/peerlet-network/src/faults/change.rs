//! The calls by which a scenario changes the network: `Network.cut("50-99")`.

use std::fmt;

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Duration, Value};

use crate::loss::{Gilbert, GilbertError, LossModel};
use crate::probability::{Probability, ProbabilityError};
use crate::units::{QuantityError, Rate};

/// Which ways a cut goes, as its own peers see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ways {
    /// Nothing goes through either way.
    Both,
    /// Their own packets do not get through.
    Out,
    /// Packets to them do not get through.
    In,
}

/// A change of the network for some peers.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Change {
    /// No path leads between them and others.
    Cut {
        /// The others; all that are not of them where none are named.
        from: Option<SeatSet>,
        /// Which ways.
        ways: Ways,
        /// Whether what is on its way is lost as well.
        in_flight: bool,
    },
    /// Paths lead there again, both ways.
    Heal {
        /// The others; everybody where none are named.
        from: Option<SeatSet>,
    },
    /// Their packets are lost by this model.
    Loss(LossModel),
    /// Packets to them are lost with this probability.
    LossIn(Probability),
    /// Their packets arrive twice with this probability; the copy takes up to twice as long.
    Duplicate(Probability),
    /// Their packets are held up with this probability, for less than this time.
    Reorder(Probability, Duration),
    /// Their packets take up to this much longer.
    Jitter(Duration),
    /// So many bits of their packets are flipped with this probability.
    Corrupt(Probability, u32),
    /// How fast packets leave them and come into them, with a queue of 64 KiB before each link.
    Bandwidth {
        /// `None` for as fast as otherwise.
        up: Option<Rate>,
        /// `None` for as fast as otherwise.
        down: Option<Rate>,
    },
    /// Packets from and to them take this many times as long, times 2^16; never less.
    Slow(u32),
    /// Packets between them and these others take this long instead of the model's time; `None`
    /// restores the model's. [`PairDelays`](super::PairDelays) applies it.
    PairDelay {
        /// The others.
        others: SeatSet,
        /// How long it takes, one way.
        delay: Option<Duration>,
    },
    /// Packets between them and these others are lost with this probability.
    PairLoss {
        /// The others.
        others: SeatSet,
        /// The probability.
        probability: Probability,
    },
    /// Their packets are held until they are released.
    Clog,
    /// Held packets go on their way.
    Release,
}

/// One call, for `peerlet list`.
#[derive(Clone, Copy, Debug)]
pub struct CallEntry {
    /// Its name.
    pub name: &'static str,
    /// How it is written.
    pub call: &'static str,
    /// Its effect on the peers of its line, in one line.
    pub help: &'static str,
}

const fn call(name: &'static str, call: &'static str, help: &'static str) -> CallEntry {
    CallEntry { name, call, help }
}

/// Every call on the network that is built, in the order of the alphabet.
pub const CALLS: &[CallEntry] = &[
    call(
        "bandwidth",
        "bandwidth(\"UP\"[, \"DOWN\"]) or bandwidth()",
        "limits their rates, as \"1 Mbit/s\", before queues of 64 KiB; ends that",
    ),
    call("clog", "clog()", "holds what they send until it is released"),
    call("corrupt", "corrupt(PROBABILITY[, BITS])", "flips bits of what they send; 1 bit"),
    call(
        "cut",
        "cut([\"PEERS\"[, \"in-flight\"]])",
        "cuts them from others, or from these; what is on its way arrives, or is lost too",
    ),
    call("cut_in", "cut_in([\"PEERS\"[, \"in-flight\"]])", "cuts the way from others to them only"),
    call(
        "cut_out",
        "cut_out([\"PEERS\"[, \"in-flight\"]])",
        "cuts the way from them to others only",
    ),
    call(
        "duplicate",
        "duplicate(PROBABILITY)",
        "lets what they send arrive twice, the copy up to twice as late",
    ),
    call("heal", "heal([\"PEERS\"])", "ends all cuts between them and everybody, or these"),
    call("jitter", "jitter(TIME)", "lets what they send take up to so much longer"),
    call("loss", "loss(PROBABILITY[, BURST])", "loses what they send, in bursts of BURST packets"),
    call("loss_in", "loss_in(PROBABILITY)", "loses what is sent to them"),
    call(
        "pair_delay",
        "pair_delay(\"PEERS\"[, TIME])",
        "lets what they and these send each other take so long, whatever the model says; ends that",
    ),
    call(
        "pair_loss",
        "pair_loss(\"PEERS\", PROBABILITY)",
        "loses what they and these send each other; 0 ends that",
    ),
    call("release", "release()", "lets what was held go its way"),
    call(
        "reorder",
        "reorder(PROBABILITY[, TIME])",
        "holds some of what they send up; by up to 20 ms",
    ),
    call(
        "slow",
        "slow(FACTOR)",
        "lets what they send and what is sent to them take so many times as long; 1 ends that",
    ),
    call(
        "swizzle",
        "swizzle(TIME)",
        "clogs them one by one at random in the first half of that time, releases them likewise \
         in the second",
    ),
];

/// Why a call changes nothing that there is.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum FaultError {
    /// There is no such call.
    Unknown(String),
    /// The arguments are too many, too few, or of other kinds.
    Arguments {
        /// How the call is written.
        call: &'static str,
        /// The first one that is wrong, from 0, the others that it names not counted; `None` where
        /// one is missing.
        argument: Option<usize>,
    },
    /// A number is no probability.
    Probability(usize, ProbabilityError),
    /// There is no loss in such bursts.
    Gilbert(usize, GilbertError),
    /// A rate is none.
    Rate(usize, QuantityError),
    /// A factor is less than 1 or more than 10,000.
    Factor(usize, f64),
    /// Everybody is cut from nobody.
    Nobody,
}

impl FaultError {
    /// The argument that is wrong, from 0, the others that the call names not counted; `None` where
    /// it is the call.
    pub const fn argument(&self) -> Option<usize> {
        match self {
            FaultError::Unknown(_) | FaultError::Nobody => None,
            FaultError::Arguments { argument, .. } => *argument,
            FaultError::Probability(argument, _)
            | FaultError::Gilbert(argument, _)
            | FaultError::Rate(argument, _)
            | FaultError::Factor(argument, _) => Some(*argument),
        }
    }
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultError::Unknown(name) => write!(f, "the network has no `{name}`"),
            FaultError::Arguments { call, .. } => {
                write!(f, "these are not its arguments; write {call}")
            }
            FaultError::Probability(_, why) => why.fmt(f),
            FaultError::Gilbert(_, why) => why.fmt(f),
            FaultError::Rate(_, why) => why.fmt(f),
            FaultError::Factor(_, factor) => {
                write!(f, "nothing can be {factor} times as slow; give a factor from 1 to 10000")
            }
            FaultError::Nobody => {
                f.write_str("all peers are cut from nobody; name others, as in Network.cut(\"*\")")
            }
        }
    }
}

impl std::error::Error for FaultError {}

/// The arguments of a call, taken one by one.
struct Arguments<'a> {
    left: &'a [Value],
    call: &'static str,
    /// How many were taken, one that was wanted and is missing included.
    taken: usize,
    is_missing: bool,
}

impl Arguments<'_> {
    /// The last one that was wanted is missing or wrong.
    fn wrong(&self) -> FaultError {
        let argument = if self.is_missing { None } else { self.taken.checked_sub(1) };
        FaultError::Arguments { call: self.call, argument }
    }

    /// The index of the last one that was taken.
    fn index(&self) -> usize {
        self.taken.saturating_sub(1)
    }

    fn take(&mut self) -> Option<&Value> {
        self.taken += 1;
        self.is_missing = self.left.is_empty();
        let (first, left) = self.left.split_first()?;
        self.left = left;
        Some(first)
    }

    /// A number that must be there.
    fn number(&mut self) -> Result<f64, FaultError> {
        self.number_or_none()?.ok_or(self.wrong())
    }

    fn number_or_none(&mut self) -> Result<Option<f64>, FaultError> {
        match self.take() {
            None => Ok(None),
            Some(Value::Integer(number)) => Ok(Some(*number as f64)),
            Some(Value::Float(number)) => Ok(Some(*number)),
            Some(_) => Err(self.wrong()),
        }
    }

    fn probability(&mut self) -> Result<Probability, FaultError> {
        let number = self.number()?;
        Probability::new(number).map_err(|why| FaultError::Probability(self.index(), why))
    }

    fn duration_or_none(&mut self) -> Result<Option<Duration>, FaultError> {
        match self.take() {
            None => Ok(None),
            Some(Value::Duration(duration)) => Ok(Some(*duration)),
            Some(Value::Integer(0)) => Ok(Some(Duration::ZERO)),
            Some(Value::Text(text)) => text.parse().map(Some).map_err(|_| self.wrong()),
            Some(_) => Err(self.wrong()),
        }
    }

    fn rate_or_none(&mut self) -> Result<Option<Rate>, FaultError> {
        match self.take() {
            None => Ok(None),
            Some(Value::Text(text)) => {
                let rate = text.parse();
                rate.map(Some).map_err(|why| FaultError::Rate(self.index(), why))
            }
            Some(_) => Err(self.wrong()),
        }
    }

    /// A loss model: a probability, and how long bursts are.
    fn loss(&mut self) -> Result<LossModel, FaultError> {
        let (probability, burst) = (self.probability()?, self.number_or_none()?);
        let Some(burst) = burst else { return Ok(LossModel::Independent(probability)) };
        let gilbert = Gilbert::of(probability, burst);
        gilbert.map(LossModel::Gilbert).map_err(|why| FaultError::Gilbert(self.index(), why))
    }

    /// A corruption: a probability, and the number of bits.
    fn corrupt(&mut self) -> Result<Change, FaultError> {
        let (probability, bits) = (self.probability()?, self.number_or_none()?);
        let bits = bits.unwrap_or(1.0);
        if !(1.0..=1e6).contains(&bits) || bits.fract() != 0.0 {
            return Err(self.wrong());
        }
        Ok(Change::Corrupt(probability, bits as u32))
    }

    /// A factor of slowness.
    fn slow(&mut self) -> Result<Change, FaultError> {
        let factor = self.number()?;
        if !(1.0..=10_000.0).contains(&factor) {
            return Err(FaultError::Factor(0, factor));
        }
        Ok(Change::Slow((factor * 65_536.0).round() as u32))
    }

    /// Whether a cut hits what is on its way.
    fn in_flight(&mut self) -> Result<bool, FaultError> {
        match self.take() {
            None => Ok(false),
            Some(Value::Text(text)) if text == "in-flight" => Ok(true),
            Some(_) => Err(self.wrong()),
        }
    }
}

impl Change {
    /// Reads the call of this name (lower-case letters and underscores) with its arguments. `from`
    /// are the others that it names, who are no argument any more.
    ///
    /// # Errors
    /// When there is no such call, or it takes other arguments.
    ///
    /// ```
    /// use peerlet_core::{Value};
    /// use peerlet_network::Change;
    /// assert!(Change::read("loss", None, &[Value::Float(0.1)]).is_ok());
    /// assert!(Change::read("loss", None, &[Value::Float(1.1)]).is_err());
    /// ```
    pub fn read(
        name: &str,
        from: Option<SeatSet>,
        arguments: &[Value],
    ) -> Result<Change, FaultError> {
        let entry = CALLS.iter().find(|entry| entry.name == name);
        let Some(CallEntry { name, call, .. }) = entry.copied() else {
            return Err(FaultError::Unknown(name.to_owned()));
        };
        let mut arguments = Arguments { left: arguments, call, taken: 0, is_missing: true };
        let change = match name {
            "bandwidth" => {
                let [up, down] = [arguments.rate_or_none()?, arguments.rate_or_none()?];
                Change::Bandwidth { up, down }
            }
            "clog" => Change::Clog,
            "corrupt" => arguments.corrupt()?,
            "cut" | "cut_in" | "cut_out" => {
                let ways = match name {
                    "cut_in" => Ways::In,
                    "cut_out" => Ways::Out,
                    _ => Ways::Both,
                };
                Change::Cut { from, ways, in_flight: arguments.in_flight()? }
            }
            "duplicate" => Change::Duplicate(arguments.probability()?),
            "heal" => Change::Heal { from },
            "jitter" => Change::Jitter(arguments.duration_or_none()?.ok_or(arguments.wrong())?),
            "loss" => Change::Loss(arguments.loss()?),
            "loss_in" => Change::LossIn(arguments.probability()?),
            "pair_delay" => {
                let others = from.ok_or(arguments.wrong())?;
                Change::PairDelay { others, delay: arguments.duration_or_none()? }
            }
            "pair_loss" => {
                let others = from.ok_or(arguments.wrong())?;
                Change::PairLoss { others, probability: arguments.probability()? }
            }
            "release" => Change::Release,
            "reorder" => {
                let (probability, by) = (arguments.probability()?, arguments.duration_or_none()?);
                Change::Reorder(probability, by.unwrap_or(Duration::from_millis(20)))
            }
            "slow" => arguments.slow()?,
            // The scenario has made clogs and releases of a swizzle.
            _ => return Err(arguments.wrong()),
        };
        match arguments.take() {
            None => Ok(change),
            Some(_) => Err(arguments.wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn calls_are_in_order_and_are_read() {
        assert!(CALLS.is_sorted_by(|a, b| a.name < b.name));
        let (half, text) = (Value::Float(0.5), |text: &str| Value::Text(text.to_owned()));
        let second = Value::Duration(Duration::from_secs(1));
        for (name, arguments) in [
            ("bandwidth", vec![]),
            ("bandwidth", vec![text("1 Mbit/s")]),
            ("bandwidth", vec![text("1 Mbit/s"), text("2 MB/s")]),
            ("clog", vec![]),
            ("corrupt", vec![half.clone()]),
            ("corrupt", vec![half.clone(), Value::Integer(3)]),
            ("cut", vec![]),
            ("cut_in", vec![text("in-flight")]),
            ("cut_out", vec![]),
            ("duplicate", vec![half.clone()]),
            ("heal", vec![]),
            ("jitter", vec![second.clone()]),
            ("loss", vec![Value::Integer(0)]),
            ("loss", vec![half.clone(), Value::Integer(4)]),
            ("loss_in", vec![half.clone()]),
            ("release", vec![]),
            ("reorder", vec![half.clone()]),
            ("reorder", vec![half.clone(), second]),
            ("slow", vec![Value::Float(1.5)]),
        ] {
            assert!(Change::read(name, None, &arguments).is_ok(), "{name} {arguments:?}");
            let mut more = arguments;
            more.extend([half.clone(), half.clone(), half.clone()]);
            assert!(Change::read(name, None, &more).is_err(), "{name} {more:?}");
        }
    }

    #[test]
    fn calls_on_pairs_name_others() {
        let others = SeatSet::from_ranges([3..=4]);
        let [half, second] = [Value::Float(0.5), Value::Duration(Duration::from_secs(1))];
        let read = |name, arguments: &[Value]| Change::read(name, Some(others.clone()), arguments);
        let delay = |delay| Change::PairDelay { others: others.clone(), delay };
        assert_eq!(read("pair_delay", &[]), Ok(delay(None)));
        let expected = Ok(delay(Some(Duration::from_secs(1))));
        assert_eq!(read("pair_delay", std::slice::from_ref(&second)), expected);
        assert_eq!(read("pair_delay", &[Value::Text("1s".to_owned())]), expected);
        assert!(read("pair_loss", std::slice::from_ref(&half)).is_ok());
        assert!(read("pair_loss", &[]).is_err() && read("pair_delay", &[half]).is_err());
        assert!(Change::read("pair_delay", None, &[second]).is_err());
    }

    #[test]
    fn errors_know_their_argument() {
        let (half, word) = (Value::Float(0.5), Value::Text("x".to_owned()));
        for (name, arguments, wrong) in [
            ("loss", vec![Value::Float(1.5)], Some(0)),
            ("loss", vec![half.clone(), word.clone()], Some(1)),
            ("loss", vec![half.clone(), Value::Float(0.5)], Some(1)),
            ("loss", vec![half.clone(), Value::Integer(9), word.clone()], Some(2)),
            ("loss", vec![], None),
            ("corrupt", vec![half.clone(), Value::Float(1.5)], Some(1)),
            ("reorder", vec![half, Value::Integer(3)], Some(1)),
            ("slow", vec![Value::Float(0.5)], Some(0)),
            ("bandwidth", vec![Value::Text("1 MB/s".to_owned()), word.clone()], Some(1)),
            ("cut", vec![word.clone()], Some(0)),
            ("jitter", vec![word.clone()], Some(0)),
            ("clog", vec![word], Some(0)),
        ] {
            let error = Change::read(name, None, &arguments).unwrap_err();
            assert_eq!(error.argument(), wrong, "{name} {arguments:?}: {error}");
        }
    }

    #[test]
    fn what_is_no_call_is_refused() {
        let said = [
            ("cutt", vec![]),
            ("loss", vec![]),
            ("loss", vec![Value::Float(1.5)]),
            ("loss", vec![Value::Float(0.9), Value::Integer(2)]),
            ("corrupt", vec![Value::Float(0.5), Value::Float(1.5)]),
            ("slow", vec![Value::Float(0.5)]),
            ("bandwidth", vec![Value::Text("0 bit/s".to_owned())]),
            ("bandwidth", vec![Value::Integer(5)]),
            ("cut", vec![Value::Text("in flight".to_owned())]),
            ("swizzle", vec![]),
        ]
        .map(|(name, arguments)| Change::read(name, None, &arguments).unwrap_err().to_string());
        expect![[r#"
            the network has no `cutt`
            these are not its arguments; write loss(PROBABILITY[, BURST])
            1.5 is no probability; give a number from 0 to 1
            a mean loss of 0.9 needs bursts of 9.0 packets or more; give a longer `burst`
            these are not its arguments; write corrupt(PROBABILITY[, BITS])
            nothing can be 0.5 times as slow; give a factor from 1 to 10000
            at `0 bit/s` nothing would ever pass; give at least 1 bit/s, or leave the limit out
            these are not its arguments; write bandwidth("UP"[, "DOWN"]) or bandwidth()
            these are not its arguments; write cut(["PEERS"[, "in-flight"]])
            these are not its arguments; write swizzle(TIME)"#]]
        .assert_eq(&said.join("\n"));
    }
}
