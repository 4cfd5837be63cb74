//! A value of any type, in place where it is small.

use std::any::TypeId;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};

/// Values of up to this many bytes are kept in place; larger ones, and those that need an alignment
/// of more than 8, in a box.
pub const INLINE_BYTES: usize = 16;

type Room = [MaybeUninit<u64>; INLINE_BYTES / 8];

const NO_ROOM: Room = [MaybeUninit::uninit(); INLINE_BYTES / 8];

/// One value of any type that may move between threads; 24 bytes.
///
/// It is like a `Box<dyn Any + Send>`, but for small values there is no box.
pub struct Value {
    /// Says what is in the room; decides all that is done with it.
    glue: &'static Glue,
    room: Room,
    /// The content may be moved between threads, but not shared.
    unshared: PhantomData<Cell<()>>,
}

/// The operations on values of one type.
struct Glue {
    id: TypeId,
    /// Drops the value in the room. `None` where there is nothing to do.
    drop: Option<unsafe fn(&mut Room)>,
}

/// The type of an empty value's content, which nobody else can name.
struct Empty;

const EMPTY: &Glue = &Glue { id: TypeId::of::<Empty>(), drop: None };

/// Carries the glue of one type as a constant.
struct Kind<T>(PhantomData<T>);

impl<T: 'static> Kind<T> {
    const INLINE: bool = size_of::<T>() <= INLINE_BYTES && align_of::<T>() <= align_of::<Room>();

    const GLUE: &'static Glue = &Glue {
        id: TypeId::of::<T>(),
        drop: match (Self::INLINE, mem::needs_drop::<T>()) {
            (true, false) => None,
            (true, true) => Some(drop_inline::<T>),
            (false, _) => Some(drop_boxed::<T>),
        },
    };
}

/// # Safety
/// The room holds a `T`, which is not used again.
unsafe fn drop_inline<T>(room: &mut Room) {
    // SAFETY: the caller says that a `T` is there; `new` has checked that it fits and is aligned.
    unsafe { room.as_mut_ptr().cast::<T>().drop_in_place() }
}

/// # Safety
/// The room holds a `Box<T>`, which is not used again.
unsafe fn drop_boxed<T>(room: &mut Room) {
    // SAFETY: the caller says that a `Box<T>` is there; a pointer fits and is aligned.
    unsafe { room.as_mut_ptr().cast::<Box<T>>().drop_in_place() }
}

impl Value {
    /// Keeps a value.
    #[inline]
    pub fn new<T: Send + 'static>(value: T) -> Value {
        let mut room = NO_ROOM;
        if Kind::<T>::INLINE {
            // SAFETY: `INLINE` says that a `T` fits into the room and is aligned there.
            unsafe { room.as_mut_ptr().cast::<T>().write(value) };
        } else {
            // SAFETY: a pointer fits into the room and is aligned there.
            unsafe { room.as_mut_ptr().cast::<Box<T>>().write(Box::new(value)) };
        }
        Value { glue: Kind::<T>::GLUE, room, unshared: PhantomData }
    }

    /// Whether there is nothing to drop: no value, or one of plain bytes.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.glue.drop.is_none()
    }

    /// Nothing: what is left where a value was taken from.
    #[inline]
    pub const fn empty() -> Value {
        Value { glue: EMPTY, room: NO_ROOM, unshared: PhantomData }
    }

    /// Takes the value out and leaves nothing.
    #[inline(always)]
    pub fn leave(&mut self) -> Value {
        // Word by word: a wider load of words that were stored just now waits until all of them
        // have reached the cache, which takes longer than all the rest of sending a message.
        // SAFETY: the words are part of `self`; whether they are initialized is not asked.
        let room: Room = unsafe {
            let words: *const MaybeUninit<u64> = self.room.as_ptr();
            [words.read_volatile(), words.add(1).read_volatile()]
        };
        Value { glue: mem::replace(&mut self.glue, EMPTY), room, unshared: PhantomData }
    }

    /// Whether the value is a `T`.
    #[inline]
    pub fn is<T: 'static>(&self) -> bool {
        // One type may have glue at several addresses: these say nothing.
        self.glue.id == TypeId::of::<T>()
    }

    /// The value, if it is a `T`.
    ///
    /// # Errors
    /// Gives itself back when it is none.
    #[inline]
    pub fn take<T: 'static>(mut self) -> Result<T, Value> {
        self.extract().ok_or(self)
    }

    /// The value, if it is a `T`; nothing is left then.
    #[inline]
    pub fn extract<T: 'static>(&mut self) -> Option<T> {
        if !self.is::<T>() {
            return None;
        }
        self.glue = EMPTY;
        if Kind::<T>::INLINE {
            // SAFETY: the glue said that `new` wrote a `T` here; it is not dropped a second time.
            Some(unsafe { self.room.as_ptr().cast::<T>().read() })
        } else {
            // SAFETY: the glue said that `new` wrote a `Box<T>` here; it is not dropped again.
            Some(*unsafe { self.room.as_ptr().cast::<Box<T>>().read() })
        }
    }

    /// The value, to look at, if it is a `T`.
    #[inline]
    pub fn get<T: 'static>(&self) -> Option<&T> {
        if !self.is::<T>() {
            return None;
        }
        if Kind::<T>::INLINE {
            // SAFETY: the glue says that `new` wrote a `T` here; it lives as long as `self` is
            // borrowed.
            Some(unsafe { &*self.room.as_ptr().cast::<T>() })
        } else {
            // SAFETY: the glue says that `new` wrote a `Box<T>` here.
            Some(unsafe { &**self.room.as_ptr().cast::<Box<T>>() })
        }
    }
}

impl Drop for Value {
    #[inline]
    fn drop(&mut self) {
        if let Some(drop) = self.glue.drop {
            // SAFETY: `new` wrote the room together with the glue, and whoever takes the value out
            // either forgets this one or leaves `EMPTY`, which has no `drop`.
            unsafe { drop(&mut self.room) }
        }
    }
}

// No `unsafe impl Send` is needed: the fields are `Send`, and `new` takes nothing else.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Value>();
};

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is::<Empty>() { "Value(empty)" } else { "Value" })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts its drops; carries some bytes to be of some size.
    struct Counted<const N: usize> {
        drops: Arc<AtomicUsize>,
        bytes: [u8; N],
    }

    impl<const N: usize> Drop for Counted<N> {
        fn drop(&mut self) {
            self.drops.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[repr(align(32))]
    #[derive(Clone, Copy, PartialEq, Debug)]
    struct Wide(u64);

    fn round_trip<T: Send + Clone + PartialEq + fmt::Debug + 'static>(value: T) {
        let kept = Value::new(value.clone());
        assert_eq!(kept.get::<T>(), Some(&value));
        assert!(kept.get::<Empty>().is_none() && !kept.is::<Arc<Wide>>());
        let kept = kept.take::<Arc<Wide>>().unwrap_err();
        assert_eq!(kept.take::<T>().unwrap(), value);
    }

    #[test]
    fn every_size_comes_back() {
        round_trip(());
        round_trip(7u8);
        round_trip((1u64, 2u32));
        round_trip([3u64; 2]);
        round_trip([4u64; 3]);
        round_trip([5u8; 17]);
        round_trip([6u8; 1_000]);
        round_trip(String::from("in a vector of its own"));
        round_trip(Box::new(8u128));
        round_trip(9u128);
        round_trip(Wide(10));
        round_trip(Some(Box::new("niche")));
        round_trip(vec![Wide(11); 3]);
        assert_eq!(size_of::<Value>(), 24);
    }

    fn counts<const N: usize>() {
        let drops = Arc::new(AtomicUsize::new(0));
        let new = || Value::new(Counted { drops: drops.clone(), bytes: [N as u8; N] });
        drop(new());
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        let taken = new().take::<Counted<N>>().ok().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_eq!(taken.bytes, [N as u8; N]);
        drop(taken);
        let mut left = new();
        let moved = left.leave();
        drop(left);
        assert_eq!(drops.load(Ordering::Relaxed), 2);
        drop(moved.take::<u8>().unwrap_err());
        assert_eq!((drops.load(Ordering::Relaxed), Arc::strong_count(&drops)), (3, 1));
    }

    #[test]
    fn each_value_is_dropped_once() {
        counts::<0>();
        counts::<8>();
        counts::<9>();
        counts::<500>();
    }

    #[test]
    fn nothing_is_nothing() {
        let mut value = Value::new(1u8);
        value.leave();
        assert!(value.get::<u8>().is_none() && value.take::<u8>().is_err());
        assert!(Value::empty().is_plain() && Value::new(1).is_plain());
        assert!(!Value::new(String::new()).is_plain());
        assert_eq!(format!("{:?} {:?}", Value::empty(), Value::new(1)), "Value(empty) Value");
    }

    /// Values of mixed types in one vector, moved about, taken and dropped in an arbitrary order.
    #[test]
    fn mixed_values_keep_apart() {
        let drops = Arc::new(AtomicUsize::new(0));
        let (mut kept, mut seen, mut state) = (Vec::new(), 0usize, 1u64);
        for number in 0..2_000u64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let counted = Counted { drops: drops.clone(), bytes: [number as u8; 40] };
            kept.push(match state >> 62 {
                0 => Value::new(number),
                1 => Value::new((number, number.to_string())),
                2 => Value::new(Counted { drops: drops.clone(), bytes: [number as u8; 3] }),
                _ => Value::new(counted),
            });
            if state >> 33 & 1 == 1 {
                let place = (state >> 34) as usize % kept.len();
                let value = kept.swap_remove(place);
                let Err(value) = value.take::<u64>().map(|n| assert!(n <= number)) else {
                    continue;
                };
                match value.take::<(u64, String)>() {
                    Ok((n, text)) => assert_eq!(n.to_string(), text),
                    Err(other) => seen += usize::from(other.take::<Counted<40>>().is_ok()),
                }
            }
        }
        kept.clear();
        assert!(seen > 50);
        assert_eq!(Arc::strong_count(&drops), 1);
    }
}
