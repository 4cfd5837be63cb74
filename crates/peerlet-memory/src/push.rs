//! Appending where there is room.

use crate::prefetch::load;

/// So many bytes ahead, the cache is asked for the line.
const AHEAD: usize = 192;

/// Appends a value, made in its place, if there is room for it without moving the others; gives
/// back what makes it if not.
///
/// `Vec::push` brings the code for growing to every place where it is called, and makes the value
/// elsewhere first. The cache is asked for the line that values appended later come into.
///
/// # Errors
/// Gives back what makes the value when the vector is full.
///
/// ```
/// let mut numbers = Vec::with_capacity(2);
/// let room = numbers.capacity();
/// (0..room).for_each(|i| assert!(peerlet_memory::push_within(&mut numbers, || i).is_ok()));
/// assert!(peerlet_memory::push_within(&mut numbers, || 7).is_err_and(|make| make() == 7));
/// ```
#[inline(always)]
pub fn push_within<T, F: FnOnce() -> T>(vec: &mut Vec<T>, make: F) -> Result<(), F> {
    let len = vec.len();
    if len == vec.capacity() {
        return Err(make);
    }
    let value = make();
    // What is appended next is written behind this; its line comes while others are appended to.
    load(
        (vec.as_ptr() as usize).wrapping_add(size_of::<T>().wrapping_mul(len)).wrapping_add(AHEAD),
    );
    // SAFETY: the capacity says that there is room for one more behind the others; `make` cannot
    // have changed that, since the vector is borrowed here.
    unsafe {
        vec.as_mut_ptr().add(len).write(value);
        vec.set_len(len + 1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::push_within;

    #[test]
    fn it_fills_the_room_and_no_more() {
        let mut words: Vec<String> = Vec::with_capacity(5);
        let place = words.as_ptr();
        for i in 0..words.capacity() {
            assert!(push_within(&mut words, || i.to_string()).is_ok());
        }
        assert!(push_within(&mut words, || "more".to_owned()).is_err_and(|make| make() == "more"));
        assert_eq!((words.as_ptr(), words.len(), &*words[4]), (place, words.capacity(), "4"));
        assert!(push_within(&mut Vec::new(), || 1u8).is_err());
        let mut units = vec![(); 3];
        assert!(push_within(&mut units, || ()).is_ok() && units.len() == 4);
    }
}
