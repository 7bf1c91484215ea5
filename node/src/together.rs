//! What waits in a channel is taken together, because many signatures are verified for less than few. Nobody waits for
//! company: what comes alone is taken alone.

/// Something that came, and with it what waits behind it, until their sizes are `enough` together. `next` says what waits,
/// without waiting.
pub(crate) fn take<T>(
    first: T,
    enough: usize,
    size: impl Fn(&T) -> usize,
    mut next: impl FnMut() -> Option<T>,
) -> Vec<T> {
    let mut total = size(&first);
    let mut together = vec![first];
    while total < enough
        && let Some(one) = next()
    {
        total = total.saturating_add(size(&one));
        together.push(one);
    }
    together
}

#[cfg(test)]
mod tests {
    use super::take;

    #[test]
    fn what_waits_is_taken_until_there_is_enough_and_the_rest_stays() {
        let mut waiting = vec![4, 3, 2].into_iter();
        assert_eq!(take(5, 10, |size| *size, || waiting.next()), [5, 4, 3]);
        assert_eq!(take(10, 10, |size| *size, || waiting.next()), [10]);
        assert_eq!(take(1, 10, |size| *size, || waiting.next()), [1, 2]);
        assert_eq!(take(usize::MAX - 1, usize::MAX, |size| *size, || Some(7)), [usize::MAX - 1, 7]);
    }
}
