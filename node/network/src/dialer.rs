//! When to dial whom: static peers and those found on the LAN are dialled again, with backoff, for as long as they are
//! not connected.
//!
//! Pure: the time comes in, dials go out. Does not know membership, nor how a connection is made.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use libp2p::{Multiaddr, swarm::ConnectionId};

use crate::{config::ADDRESSES_PER_PEER_MAX, key::PeerKey};

/// First wait after a failure or a lost connection: a restarting peer is back in about a second.
pub(crate) const BACKOFF_MIN: Duration = Duration::from_millis(250);
/// Longest wait: what an operator tolerates after the cable is back in.
pub(crate) const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// A connection that lived this long was a success, so the next wait is short again. Below it, the peer may be one
/// that closes us at once (we are not its member), who must not be dialled four times a second.
const LIVED: Duration = Duration::from_secs(5);
/// Most peers that are remembered because they were seen on the LAN.
const LEARNED_MAX: usize = 256;

/// All peers that we want to be connected to.
pub(crate) struct Dialer {
    targets: BTreeMap<PeerKey, Target>,
}

struct Target {
    addresses: Vec<Multiaddr>,
    fixed: bool,
    backoff: Duration,
    state: State,
}

enum State {
    Waiting { until: Instant },
    Dialling { connection: ConnectionId },
    Connected,
}

impl Dialer {
    /// Static peers are due at once.
    pub(crate) fn new(peers: BTreeMap<PeerKey, Vec<Multiaddr>>, now: Instant) -> Self {
        let targets = peers.into_iter().map(|(key, addresses)| (key, Target::new(addresses, true, now)));
        Self { targets: targets.collect() }
    }

    /// When [`due`](Self::due) will have something to say.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let waiting = self.targets.values().filter_map(|target| match target.state {
            State::Waiting { until } => Some(until),
            State::Dialling { .. } | State::Connected => None,
        });
        waiting.min()
    }

    /// Who is to be dialled now. Each must be answered with [`dialling`](Self::dialling), [`failed`](Self::failed) or
    /// [`connected`](Self::connected).
    pub(crate) fn due(&self, now: Instant) -> Vec<(PeerKey, Vec<Multiaddr>)> {
        let due =
            self.targets.iter().filter(|(_, target)| matches!(target.state, State::Waiting { until } if until <= now));
        due.map(|(key, target)| (*key, target.addresses.clone())).collect()
    }

    pub(crate) fn dialling(&mut self, key: PeerKey, connection: ConnectionId) {
        if let Some(target) = self.targets.get_mut(&key) {
            target.state = State::Dialling { connection };
        }
    }

    /// A dial failed: wait, and twice as long the next time. A dial that is not ours changes nothing.
    pub(crate) fn dial_failed(&mut self, key: PeerKey, connection: ConnectionId, now: Instant) {
        let ours = |target: &Target| matches!(target.state, State::Dialling { connection: ours } if ours == connection);
        if self.targets.get(&key).is_some_and(ours) {
            self.failed(key, now);
        }
    }

    /// The peer cannot be dialled at all now: wait, and twice as long the next time.
    pub(crate) fn failed(&mut self, key: PeerKey, now: Instant) {
        if let Some(target) = self.targets.get_mut(&key) {
            target.state = State::Waiting { until: now + target.backoff };
            target.backoff = (target.backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// The peer has become a member: if it waits for a dial, it is due now.
    pub(crate) fn admitted(&mut self, key: PeerKey, now: Instant) {
        if let Some(target) = self.targets.get_mut(&key)
            && matches!(target.state, State::Waiting { .. })
        {
            target.backoff = BACKOFF_MIN;
            target.state = State::Waiting { until: now };
        }
    }

    /// A connection stands, whoever dialled it.
    pub(crate) fn connected(&mut self, key: PeerKey) {
        if let Some(target) = self.targets.get_mut(&key) {
            target.state = State::Connected;
        }
    }

    /// The last connection is gone, after it `lived` this long.
    pub(crate) fn disconnected(&mut self, key: PeerKey, now: Instant, lived: Duration) {
        if let Some(target) = self.targets.get_mut(&key)
            && lived >= LIVED
        {
            target.backoff = BACKOFF_MIN;
        }
        self.failed(key, now);
    }

    /// A member was seen on the LAN at this address.
    pub(crate) fn learned(&mut self, key: PeerKey, address: Multiaddr, connected: bool, now: Instant) {
        let learned = self.targets.values().filter(|target| !target.fixed).count();
        if !self.targets.contains_key(&key) && learned >= LEARNED_MAX {
            return;
        }
        let target = self.targets.entry(key).or_insert_with(|| Target::new(Vec::new(), false, now));
        if connected {
            target.state = State::Connected;
        }
        if !target.addresses.contains(&address) && target.addresses.len() < ADDRESSES_PER_PEER_MAX {
            target.addresses.push(address);
        }
    }

    /// An address that was seen on the LAN is no longer.
    pub(crate) fn expired(&mut self, key: PeerKey, address: &Multiaddr) {
        let Some(target) = self.targets.get_mut(&key) else { return };
        if target.fixed {
            return;
        }
        target.addresses.retain(|known| known != address);
        if target.addresses.is_empty() {
            self.targets.remove(&key);
        }
    }
}

impl Target {
    fn new(addresses: Vec<Multiaddr>, fixed: bool, now: Instant) -> Self {
        Self { addresses, fixed, backoff: BACKOFF_MIN, state: State::Waiting { until: now } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> (Dialer, PeerKey, Instant) {
        let now = Instant::now();
        let key = PeerKey::from_bytes([1; 32]);
        let address = "/ip4/127.0.0.1/tcp/1".parse().expect("a literal address");
        (Dialer::new(BTreeMap::from([(key, vec![address])]), now), key, now)
    }

    #[test]
    fn an_absent_peer_is_dialled_ever_more_slowly_but_for_ever() {
        let (mut dialer, key, start) = one();
        let mut now = start;
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert_eq!(dialer.due(now).len(), 1);
            let connection = ConnectionId::new_unchecked(7);
            dialer.dialling(key, connection);
            assert!(dialer.due(now).is_empty(), "one dial at a time");
            dialer.dial_failed(key, connection, now);
            let next = dialer.next_due().expect("a static peer is never given up");
            waits.push((next - now).as_millis());
            now = next;
        }
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000]);
    }

    #[test]
    fn a_good_connection_makes_the_next_wait_short_and_a_refused_one_does_not() {
        let (mut dialer, key, now) = one();
        for _ in 0..8 {
            dialer.failed(key, now);
        }
        dialer.connected(key);
        assert_eq!(dialer.next_due(), None, "nothing to do while connected");
        dialer.disconnected(key, now, Duration::from_millis(3));
        assert_eq!(dialer.next_due(), Some(now + BACKOFF_MAX));
        dialer.connected(key);
        dialer.disconnected(key, now, Duration::from_secs(60));
        assert_eq!(dialer.next_due(), Some(now + BACKOFF_MIN));
    }

    #[test]
    fn one_who_is_admitted_is_dialled_at_once() {
        let (mut dialer, key, now) = one();
        for _ in 0..8 {
            dialer.failed(key, now);
        }
        assert_eq!(dialer.next_due(), Some(now + BACKOFF_MAX), "as one who is no member");
        dialer.admitted(key, now);
        assert_eq!(dialer.due(now).len(), 1);
        dialer.connected(key);
        dialer.admitted(key, now);
        assert_eq!(dialer.next_due(), None, "who is connected is not dialled");
    }

    #[test]
    fn a_failure_of_a_dial_that_is_not_ours_changes_nothing() {
        let (mut dialer, key, now) = one();
        dialer.dialling(key, ConnectionId::new_unchecked(1));
        dialer.dial_failed(key, ConnectionId::new_unchecked(2), now);
        assert_eq!(dialer.next_due(), None, "ours is still under way");
    }

    #[test]
    fn what_was_seen_on_the_lan_is_forgotten_with_its_last_address() {
        let (mut dialer, _, now) = one();
        let key = PeerKey::from_bytes([2; 32]);
        let address: Multiaddr = "/ip4/10.0.0.2/tcp/1".parse().expect("a literal address");
        dialer.learned(key, address.clone(), false, now);
        assert_eq!(dialer.due(now).len(), 2);
        dialer.expired(key, &address);
        assert_eq!(dialer.due(now).len(), 1);
    }
}
