//! Commands: calls that a scenario makes on a peerlet.

use std::fmt;
use std::ops::RangeInclusive;

use crate::time::Duration;

/// An argument of a command.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A number with a fraction or an exponent; never infinite, never NaN.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// A duration such as `1.5s`.
    Duration(Duration),
    /// A text in quotes.
    Text(String),
}

impl Value {
    /// The kind of the value.
    pub const fn kind(&self) -> Kind {
        match self {
            Value::Integer(_) => Kind::Integer,
            Value::Float(_) => Kind::Float,
            Value::Bool(_) => Kind::Bool,
            Value::Duration(_) => Kind::Duration,
            Value::Text(_) => Kind::Text,
        }
    }
}

/// The characters that follow a backslash in a written text, with the character that each escape
/// stands for; the backslash itself first.
pub const TEXT_ESCAPES: [(char, char); 5] =
    [('\\', '\\'), ('"', '"'), ('n', '\n'), ('r', '\r'), ('t', '\t')];

impl fmt::Display for Value {
    /// Writes the argument as in an event line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Integer(n) => n.fmt(f),
            Value::Float(x) => write!(f, "{x:?}"),
            Value::Bool(b) => b.fmt(f),
            Value::Duration(d) => d.fmt(f),
            Value::Text(text) => {
                let mut quoted = text.clone();
                for (escape, character) in TEXT_ESCAPES {
                    quoted = quoted.replace(character, &format!("\\{escape}"));
                }
                write!(f, "\"{quoted}\"")
            }
        }
    }
}

/// The kinds of arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A whole number.
    Integer,
    /// A number; whole ones are accepted too.
    Float,
    /// `true` or `false`.
    Bool,
    /// A duration with a unit.
    Duration,
    /// A text in quotes.
    Text,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Integer => "integer",
            Kind::Float => "number",
            Kind::Bool => "boolean",
            Kind::Duration => "duration",
            Kind::Text => "text",
        })
    }
}

/// A type that a command's parameter can have: a whole number of 8 to 64 bits, `f64`, `bool`,
/// [`Duration`] or `String`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a command",
    label = "not a type that scenarios can write",
    note = "use an integer of at most 64 bits, `f64`, `bool`, `Duration` or `String`"
)]
pub trait Argument: Sized {
    /// The kind of the arguments.
    const KIND: Kind;
    /// The whole numbers that it can be; all of them for other kinds. An event line has no larger
    /// ones than those of 64 bits with a sign.
    const RANGE: RangeInclusive<i64> = i64::MIN..=i64::MAX;

    /// The value as this type; `None` when it is of another kind or out of range.
    fn of(value: &Value) -> Option<Self>;
}

macro_rules! integers {
    ($($type:ty: $least:expr, $largest:expr;)*) => {$(
        impl Argument for $type {
            const KIND: Kind = Kind::Integer;
            const RANGE: RangeInclusive<i64> = $least..=$largest;

            fn of(value: &Value) -> Option<$type> {
                match value {
                    Value::Integer(n) => <$type>::try_from(*n).ok(),
                    _ => None,
                }
            }
        }
    )*};
}

integers! {
    i8: i8::MIN as i64, i8::MAX as i64;
    i16: i16::MIN as i64, i16::MAX as i64;
    i32: i32::MIN as i64, i32::MAX as i64;
    i64: i64::MIN, i64::MAX;
    u8: 0, u8::MAX as i64;
    u16: 0, u16::MAX as i64;
    u32: 0, u32::MAX as i64;
    u64: 0, i64::MAX;
}

macro_rules! arguments {
    ($($type:ty: $kind:expr, $($pattern:pat => $value:expr),*;)*) => {$(
        impl Argument for $type {
            const KIND: Kind = $kind;

            fn of(value: &Value) -> Option<$type> {
                match value {
                    $($pattern => Some($value),)*
                    _ => None,
                }
            }
        }
    )*};
}

arguments! {
    f64: Kind::Float, Value::Float(x) => *x, Value::Integer(n) => *n as f64;
    bool: Kind::Bool, Value::Bool(b) => *b;
    Duration: Kind::Duration, Value::Duration(d) => *d;
    String: Kind::Text, Value::Text(text) => text.clone();
}

/// A command as a peerlet declares it:
/// `about.command(Signature::new("set_drop_messages").takes("drop", Kind::Bool))`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    name: &'static str,
    parameters: Vec<Parameter>,
    help: &'static str,
}

/// One parameter of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Parameter {
    name: &'static str,
    kind: Kind,
    /// The whole numbers that it may be, of a kind that is one.
    range: RangeInclusive<i64>,
}

impl Signature {
    /// A command of this name without parameters.
    pub const fn new(name: &'static str) -> Signature {
        Signature { name, parameters: Vec::new(), help: "" }
    }

    /// The same command with one more parameter.
    pub fn takes(mut self, parameter: &'static str, kind: Kind) -> Signature {
        self.parameters.push(Parameter { name: parameter, kind, range: i64::MIN..=i64::MAX });
        self
    }

    /// The same command with one more parameter, of the kind and range of a type.
    ///
    /// ```
    /// use peerlet_core::{Signature, Value};
    /// let declared = Signature::new("say").parameter::<u8>("times");
    /// assert_eq!(declared.call(&[Value::Integer(3)])?.get::<u8>("times"), 3);
    /// let error = declared.call(&[Value::Integer(-1)]).unwrap_err();
    /// assert_eq!(error.to_string(), "`times` is -1; give 0 to 255");
    /// # Ok::<(), peerlet_core::CommandError>(())
    /// ```
    pub fn parameter<T: Argument>(mut self, name: &'static str) -> Signature {
        self.parameters.push(Parameter { name, kind: T::KIND, range: T::RANGE });
        self
    }

    /// The same command with a sentence that describes it.
    pub fn help(mut self, help: &'static str) -> Signature {
        self.help = help;
        self
    }

    /// The command's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// A sentence on what it does; may be empty.
    pub fn description(&self) -> &'static str {
        self.help
    }

    /// Makes the command with these arguments.
    ///
    /// # Errors
    /// When the number or the kinds of the arguments are not the declared ones, or a whole number
    /// is out of its range.
    pub fn call(&self, arguments: &[Value]) -> Result<Command, CommandError> {
        let fits = |(Parameter { kind, .. }, value): (&Parameter, &Value)| {
            *kind == value.kind() || (*kind == Kind::Float && value.kind() == Kind::Integer)
        };
        if arguments.len() != self.parameters.len()
            || !self.parameters.iter().zip(arguments).all(fits)
        {
            return Err(CommandError { expected: self.to_string(), out_of_range: None });
        }
        for (Parameter { name, range, .. }, value) in self.parameters.iter().zip(arguments) {
            if let Value::Integer(n) = value
                && !range.contains(n)
            {
                let told = format!("`{name}` is {n}; give {} to {}", range.start(), range.end());
                return Err(CommandError { expected: self.to_string(), out_of_range: Some(told) });
            }
        }
        let names = self.parameters.iter().map(|parameter| parameter.name);
        Ok(Command { name: self.name, arguments: names.zip(arguments.iter().cloned()).collect() })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (i, Parameter { name, kind, .. }) in self.parameters.iter().enumerate() {
            write!(f, "{}{name}: {kind}", if i > 0 { ", " } else { "" })?;
        }
        f.write_str(")")
    }
}

/// The arguments do not fit the command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandError {
    expected: String,
    /// What is said of a whole number that is out of its range.
    out_of_range: Option<String>,
}

impl CommandError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match &self.out_of_range {
            None => "correct the number or the types of the arguments".to_owned(),
            Some(_) => format!("the command is `{}`", self.expected),
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.out_of_range {
            None => write!(f, "the arguments do not fit; the command is `{}`", self.expected),
            Some(told) => f.write_str(told),
        }
    }
}

impl std::error::Error for CommandError {}

/// A command that reached its peerlet, with arguments of the declared kinds.
///
/// ```
/// use peerlet_core::{Kind, Signature, Value};
/// let declared = Signature::new("set_drop_messages").takes("drop", Kind::Bool);
/// let command = declared.call(&[Value::Bool(true)])?;
/// assert!(command.bool("drop"));
/// let error = declared.call(&[Value::Integer(1)]).unwrap_err();
/// assert!(error.to_string().contains("set_drop_messages(drop: boolean)"));
/// # Ok::<(), peerlet_core::CommandError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Command {
    name: &'static str,
    arguments: Vec<(&'static str, Value)>,
}

macro_rules! argument {
    ($name:ident, $type:ty, $pattern:pat => $value:expr, $what:literal) => {
        #[doc = concat!("The ", $what, " given for this parameter.")]
        ///
        /// # Panics
        /// Panics when the command declares no such parameter.
        pub fn $name(&self, parameter: &str) -> $type {
            match self.argument(parameter) {
                $pattern => $value,
                _ => panic!("parameter `{parameter}` of `{}` is no {}", self.name, $what),
            }
        }
    };
}

impl Command {
    /// The command's name as declared.
    pub fn name(&self) -> &'static str {
        self.name
    }

    fn argument(&self, parameter: &str) -> &Value {
        match self.arguments.iter().find(|(name, _)| *name == parameter) {
            Some((_, value)) => value,
            None => panic!("command `{}` declares no parameter `{parameter}`", self.name),
        }
    }

    /// The argument given for this parameter, as the type that it was declared with.
    ///
    /// # Panics
    /// Panics when the command declares no such parameter, or one of another type.
    pub fn get<T: Argument>(&self, parameter: &str) -> T {
        T::of(self.argument(parameter)).unwrap_or_else(|| {
            let (name, kind) = (self.name, T::KIND);
            panic!("parameter `{parameter}` of `{name}` is no {kind} that fits its type")
        })
    }

    argument!(bool, bool, Value::Bool(b) => *b, "boolean");
    argument!(integer, i64, Value::Integer(n) => *n, "integer");
    argument!(duration, Duration, Value::Duration(d) => *d, "duration");
    argument!(text, &str, Value::Text(text) => text, "text");

    /// The number given for this parameter.
    ///
    /// # Panics
    /// Panics when the command declares no such parameter.
    pub fn float(&self, parameter: &str) -> f64 {
        match self.argument(parameter) {
            Value::Float(x) => *x,
            Value::Integer(n) => *n as f64,
            _ => panic!("parameter `{parameter}` of `{}` is no number", self.name),
        }
    }
}
