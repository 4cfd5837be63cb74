//! Emptying a vector without looking at what is in it.

/// Empties a vector without dropping its elements, which the caller knows to have nothing left to
/// drop. What does have something is leaked.
///
/// ```
/// let mut taken = vec![None::<String>; 3];
/// peerlet_memory::forget_all(&mut taken);
/// assert!(taken.is_empty());
/// ```
#[inline]
pub fn forget_all<T>(vec: &mut Vec<T>) {
    // SAFETY: no element is left in a vector of length zero, whether they were initialized or not;
    // not to drop a value is safe.
    unsafe { vec.set_len(0) };
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::forget_all;

    #[test]
    fn nothing_is_dropped() {
        let shared = Arc::new(());
        let mut vec = vec![shared.clone()];
        let kept = vec.pop();
        vec.push(shared.clone());
        let leaked: *const () = Arc::as_ptr(&vec[0]);
        forget_all(&mut vec);
        assert_eq!((vec.len(), Arc::strong_count(&shared)), (0, 3));
        // Whoever runs this under a detector of leaks is not to find one.
        // SAFETY: the pointer is that of the clone which was just forgotten.
        drop(unsafe { Arc::from_raw(leaked) });
        drop(kept);
        assert_eq!(Arc::strong_count(&shared), 1);
    }
}
