//! Appending where there is room.

/// Appends a value if there is room for it without moving the others; gives it back if not.
///
/// `Vec::push` brings the code for growing to every place where it is called.
///
/// # Errors
/// Gives the value back when the vector is full.
///
/// ```
/// let mut numbers = Vec::with_capacity(2);
/// let room = numbers.capacity();
/// (0..room).for_each(|i| peerlet_memory::push_within(&mut numbers, i).unwrap());
/// assert_eq!(peerlet_memory::push_within(&mut numbers, 7), Err(7));
/// ```
#[inline(always)]
pub fn push_within<T>(vec: &mut Vec<T>, value: T) -> Result<(), T> {
    let len = vec.len();
    if len == vec.capacity() {
        return Err(value);
    }
    // SAFETY: the capacity says that there is room for one more behind the others.
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
            assert!(push_within(&mut words, i.to_string()).is_ok());
        }
        assert_eq!(push_within(&mut words, "more".to_owned()), Err("more".to_owned()));
        assert_eq!((words.as_ptr(), words.len(), &*words[4]), (place, words.capacity(), "4"));
        assert!(push_within(&mut Vec::new(), 1u8).is_err());
        let mut units = vec![(); 3];
        assert!(push_within(&mut units, ()).is_ok() && units.len() == 4);
    }
}
