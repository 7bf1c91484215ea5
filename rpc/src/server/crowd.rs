//! Who makes room when every place is taken.
//!
//! Connections are bounded, so whoever opens them all and says nothing, or one byte a second, would keep everybody else
//! out. When somebody knocks and there is no place, the connection that has waited longest for its peer is closed: for a
//! request, for the rest of its head or its body, or for the peer to read an answer. One that works for its peer is never
//! closed, nor a WebSocket, which may rightly be silent; those are bounded apart, so that they leave places to others.
//!
//! It does not know what passes through a connection.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Everybody with a place.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    guests: Mutex<Guests>,
}

#[derive(Debug, Default)]
struct Guests {
    next: u64,
    present: BTreeMap<u64, Arc<Guest>>,
}

impl Crowd {
    /// One more, who leaves when the returned value is dropped.
    pub(super) fn enter(self: &Arc<Self>) -> Place {
        let guest = Arc::new(Guest { state: Mutex::new(State::new()), leave: Notify::new() });
        let mut guests = lock(&self.guests);
        let number = guests.next;
        guests.next += 1;
        guests.present.insert(number, Arc::clone(&guest));
        Place { crowd: Arc::clone(self), number, guest }
    }

    /// Asks the one to leave who has waited longest for its peer, and at least for `patience`. Whether there is one.
    pub(super) fn make_room(&self, patience: Duration) -> bool {
        let mut guests = lock(&self.guests);
        let waiting = guests.present.iter().filter_map(|(number, guest)| Some((lock(&guest.state).waits()?, *number)));
        let Some((since, number)) = waiting.min() else { return false };
        if since.elapsed() < patience {
            return false;
        }
        if let Some(guest) = guests.present.remove(&number) {
            guest.leave.notify_one();
        }
        true
    }
}

/// A guest's place.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Arc<Crowd>,
    number: u64,
    guest: Arc<Guest>,
}

impl Place {
    /// Who has it.
    pub(super) const fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }

    /// Returns when the guest is asked to leave.
    pub(super) async fn asked_to_leave(&self) {
        self.guest.leave.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.crowd.guests).present.remove(&self.number);
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Guest {
    state: Mutex<State>,
    leave: Notify,
}

#[derive(Debug)]
struct State {
    /// Requests that are worked on, without those whose body is still coming.
    at_work: usize,
    /// Since when none is.
    since: Instant,
    is_socket: bool,
}

impl State {
    fn new() -> Self {
        Self { at_work: 0, since: Instant::now(), is_socket: false }
    }

    fn waits(&self) -> Option<Instant> {
        (self.at_work == 0 && !self.is_socket).then_some(self.since)
    }

    fn end(&mut self) {
        self.at_work = self.at_work.saturating_sub(1);
        self.since = Instant::now();
    }
}

impl Guest {
    /// It works for its peer until the returned value is dropped.
    pub(super) fn work(self: &Arc<Self>) -> AtWork {
        lock(&self.state).at_work += 1;
        AtWork(Arc::clone(self))
    }

    /// In the middle of its work it waits for its peer, until the returned value is dropped.
    pub(super) fn wait(self: &Arc<Self>) -> Waiting {
        lock(&self.state).end();
        Waiting(Arc::clone(self))
    }

    /// It has become a WebSocket.
    pub(super) fn becomes_socket(&self) {
        lock(&self.state).is_socket = true;
    }
}

/// See [`Guest::work`].
#[derive(Debug)]
pub(super) struct AtWork(Arc<Guest>);

impl Drop for AtWork {
    fn drop(&mut self) {
        lock(&self.0.state).end();
    }
}

/// See [`Guest::wait`].
#[derive(Debug)]
pub(super) struct Waiting(Arc<Guest>);

impl Drop for Waiting {
    fn drop(&mut self) {
        lock(&self.0.state).at_work += 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Crowd, Place};

    async fn is_asked(place: &Place) -> bool {
        tokio::time::timeout(Duration::from_millis(1), place.asked_to_leave()).await.is_ok()
    }

    #[tokio::test]
    async fn who_has_waited_longest_makes_room_and_who_works_never() {
        let crowd = Arc::new(Crowd::default());
        assert!(!crowd.make_room(Duration::ZERO), "nobody is there");
        let [working, sending, idle, socket] = [(); 4].map(|()| crowd.enter());
        let work = working.guest().work();
        let sends = sending.guest().work();
        let body = sending.guest().wait();
        socket.guest().becomes_socket();
        assert!(!crowd.make_room(Duration::from_secs(60)), "nobody has waited for long");

        // The idle one waits since it came, the other for its body since a moment later.
        assert!(crowd.make_room(Duration::ZERO));
        assert!(is_asked(&idle).await && !is_asked(&sending).await);
        assert!(crowd.make_room(Duration::ZERO));
        assert!(is_asked(&sending).await);
        assert!(!crowd.make_room(Duration::ZERO), "the others stay");
        drop((body, sends, work));
        assert!(crowd.make_room(Duration::ZERO), "its work is done");
        assert!(is_asked(&working).await && !is_asked(&socket).await);
    }

    #[tokio::test]
    async fn a_body_that_has_come_is_work_again() {
        let crowd = Arc::new(Crowd::default());
        let place = crowd.enter();
        let _work = place.guest().work();
        drop(place.guest().wait());
        assert!(!crowd.make_room(Duration::ZERO));
        drop(place);
        assert_eq!(crowd.guests.lock().expect("no panic").present.len(), 0);
    }
}
