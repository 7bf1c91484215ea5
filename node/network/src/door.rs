//! The door: how many strangers from one address may knock.
//!
//! Who knocks is known only after the Noise handshake, which costs us three multiplications on the curve and a signature.
//! So handshakes are counted by where they come from: some at once, some in a second. One that comes from an address which
//! knocks too often is closed before anything is computed or kept for it; other addresses get in as ever.
//!
//! It does not know members. IPv6 addresses are counted by their first 64 bits, which is what one subscriber gets.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::IpAddr,
    task::{Context, Poll},
    time::Instant,
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    multiaddr::Protocol,
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent,
        ToSwarm, dummy,
    },
};

use crate::conduct::Allowance;

/// Handshakes of incoming connections at once: bounds what strangers can make us compute and keep.
const HANDSHAKES_MAX: usize = 64;
/// Of these, from one address: several nodes may share one, behind a router or in a test.
const HANDSHAKES_PER_ADDRESS_MAX: usize = 16;
/// Connections that one address may begin in a second. A peer dials four times in its first second, and then less.
const KNOCKS_PER_S: u32 = 8;
/// Connections before that rate counts: all validators of a large network that share an address, at their start.
const KNOCKS_BURST: u32 = 64;
/// Addresses that are counted apart; the rest share one count. At 100 bytes each they take 100 KiB.
const ADDRESSES_MAX: usize = 1_024;

/// Where somebody knocks from. `None` for those who are not counted apart.
type Origin = Option<IpAddr>;

/// See the module.
#[derive(Default)]
pub(crate) struct Behaviour {
    handshakes: BTreeMap<ConnectionId, Origin>,
    knocks: BTreeMap<Origin, Allowance>,
}

/// Why a connection is closed before its handshake.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error("too many handshakes are under way")]
    Busy,
    #[error("too many handshakes from one address are under way")]
    AddressBusy,
    #[error("too many connections from one address in a short time")]
    TooOften,
}

impl Behaviour {
    fn knock(&mut self, id: ConnectionId, address: Origin, now: Instant) -> Result<(), Closed> {
        let address = self.counted(address, now);
        let allowance = self.knocks.entry(address).or_insert_with(|| Allowance::new(KNOCKS_PER_S, KNOCKS_BURST, now));
        if !allowance.take(1, now) {
            return Err(Closed::TooOften);
        }
        if self.handshakes.len() >= HANDSHAKES_MAX {
            return Err(Closed::Busy);
        }
        if self.handshakes.values().filter(|of| **of == address).count() >= HANDSHAKES_PER_ADDRESS_MAX {
            return Err(Closed::AddressBusy);
        }
        self.handshakes.insert(id, address);
        Ok(())
    }

    /// The address, if there is room to count it apart.
    fn counted(&mut self, address: Origin, now: Instant) -> Origin {
        if !self.knocks.contains_key(&address) && self.knocks.len() >= ADDRESSES_MAX {
            self.knocks.retain(|_, allowance| !allowance.is_full(now));
            if self.knocks.len() >= ADDRESSES_MAX {
                return None;
            }
        }
        address
    }
}

/// Where a connection comes from, as it is counted.
fn origin(address: &Multiaddr) -> Origin {
    address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => Some(IpAddr::V4(ip)),
            None => {
                let [a, b, c, d, ..] = ip.segments();
                Some(IpAddr::from([a, b, c, d, 0, 0, 0, 0]))
            }
        },
        _ => None,
    })
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.knock(id, origin(remote), Instant::now()).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handshakes.remove(&id);
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ListenFailure(failure) = event {
            self.handshakes.remove(&failure.connection_id);
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use super::*;

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    fn ip(number: u32) -> Origin {
        Some(IpAddr::V4(Ipv4Addr::from(number)))
    }

    #[test]
    fn one_address_keeps_no_other_out() {
        let (mut door, now) = (Behaviour::default(), Instant::now());
        let let_in = (0..1_000).filter(|number| door.knock(id(*number), ip(1), now).is_ok()).count();
        assert_eq!(let_in, HANDSHAKES_PER_ADDRESS_MAX, "handshakes that never end");
        door.knock(id(2_000), ip(2), now).expect("somebody else");
    }

    #[test]
    fn who_knocks_and_leaves_is_slowed_down() {
        let (mut door, now) = (Behaviour::default(), Instant::now());
        let mut knock = |number: usize, now| {
            let result = door.knock(id(number), ip(1), now);
            door.handshakes.clear();
            result.is_ok()
        };
        assert_eq!((0..1_000).filter(|number| knock(*number, now)).count(), KNOCKS_BURST as usize);
        let later = now + Duration::from_secs(4);
        assert_eq!((0..1_000).filter(|number| knock(*number, later)).count(), 4 * KNOCKS_PER_S as usize);
    }

    #[test]
    fn all_addresses_together_are_bounded() {
        let (mut door, now) = (Behaviour::default(), Instant::now());
        let let_in = (0..5_000).filter(|number| door.knock(id(*number as usize), ip(*number), now).is_ok()).count();
        assert_eq!(let_in, HANDSHAKES_MAX);
        assert!(door.knocks.len() <= ADDRESSES_MAX + 1, "{}", door.knocks.len());
    }

    #[test]
    fn addresses_are_counted_as_one_subscriber_has_them() {
        let of = |text: &str| origin(&text.parse().expect("an address"));
        assert_eq!(of("/ip4/10.0.0.1/tcp/1"), of("/ip4/10.0.0.1/udp/9/quic-v1"));
        assert_ne!(of("/ip4/10.0.0.1/tcp/1"), of("/ip4/10.0.0.2/tcp/1"));
        assert_eq!(of("/ip6/2001:db8:0:1::5/tcp/1"), of("/ip6/2001:db8:0:1:ffff::/tcp/1"));
        assert_ne!(of("/ip6/2001:db8:0:1::5/tcp/1"), of("/ip6/2001:db8:0:2::5/tcp/1"));
        assert_eq!(of("/ip6/::ffff:10.0.0.1/tcp/1"), of("/ip4/10.0.0.1/tcp/1"));
    }
}
