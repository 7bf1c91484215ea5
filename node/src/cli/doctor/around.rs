//! What is around a node: the clock, its peers' doors and its own, and what running nodes say.
//!
//! A peer is only knocked at: whether a TCP connection stands within [`DIAL_TIMEOUT`]. What it would say is not asked,
//! because that takes the network key, which a running node is using.

use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::time::Duration;

use cairn_network::PeerKey;
use cairn_rpc::Client;
use cairn_rpc::views::NodeStateName;

use super::{DoctorCommand, Findings};
use crate::chain::Snapshot;
use crate::cli::output::{counted, time};
use crate::clock::now_ms;
use crate::config::NodeConfig;
use crate::keys::of_node::NodeKeys;

/// How long a peer has to open its door.
const DIAL_TIMEOUT: Duration = Duration::from_secs(2);

/// Blocks by which a node may be behind another that is asked a moment later.
const BEHIND_MAX: u64 = 5;

const CLOCK: &str = "clock";
const PEERS: &str = "peers";
const NODE: &str = "node";
const SET_CLOCK: &str =
    "let the system keep its clock by NTP; a validator whose clock is off does not vote for others' blocks";

/// The clock against the newest block that is final here.
pub(super) fn clock(tip: Option<&Snapshot>, findings: &mut Findings) {
    let Some(tip) = tip else { return };
    compare_clock(tip.header.time_ms, tip.parameters.clock_drift_ms, "the newest block here", findings);
}

fn compare_clock(block_ms: u64, drift_ms: u64, whose: &str, findings: &mut Findings) {
    let now = now_ms();
    if block_ms > now.saturating_add(drift_ms) {
        let behind = block_ms.saturating_sub(now);
        findings.broken(CLOCK, format!("it is {behind} ms behind {whose}, of {}", time(block_ms)), SET_CLOCK);
    } else {
        findings.ok(CLOCK, format!("{}, not before {whose}", time(now)));
    }
}

/// Where a multiaddr leads, if it is TCP.
fn tcp_of(address: &str) -> Option<(String, u16)> {
    let mut parts = address.split('/').skip(1);
    let (kind, host, protocol, port) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_host = matches!(kind, "ip4" | "ip6" | "dns" | "dns4" | "dns6");
    (is_host && protocol == "tcp").then_some((host.to_owned(), port.parse().ok()?))
}

fn knock((host, port): &(String, u16)) -> Result<(), String> {
    let addresses = (host.as_str(), *port).to_socket_addrs().map_err(|error| error.to_string())?;
    let mut last = "no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, DIAL_TIMEOUT) {
            Ok(_) => return Ok(()),
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

/// The configured peers' doors, and this node's own.
pub(super) fn peers(config: &NodeConfig, keys: Option<&NodeKeys>, is_running: bool, findings: &mut Findings) {
    let own = keys.map(|keys| PeerKey::from_bytes(keys.peer.verifying_key().to_bytes()));
    let others: Vec<&String> =
        config.network.peers.iter().filter(|address| PeerKey::from_address(address).ok() != own).collect();
    let knocked: Vec<(&String, Result<(), String>)> = std::thread::scope(|scope| {
        let handles: Vec<_> = others
            .iter()
            .filter_map(|address| tcp_of(address).map(|place| (*address, scope.spawn(move || knock(&place)))))
            .collect();
        let join = |(address, handle): (_, std::thread::ScopedJoinHandle<'_, _>)| {
            (address, handle.join().unwrap_or_else(|_| Err("the attempt failed".to_owned())))
        };
        handles.into_iter().map(join).collect()
    });
    let open = knocked.iter().filter(|(_, result)| result.is_ok()).count();
    for (address, reason) in knocked.iter().filter_map(|(address, result)| Some((address, result.as_ref().err()?))) {
        findings.warn(
            PEERS,
            format!("{address}: {reason}"),
            "ask whether that node runs, whether its address is still this one, and whether a firewall is between",
        );
    }
    if open == knocked.len() {
        findings.ok(PEERS, format!("{} of {} open their door", open, counted(others.len(), "peer")));
    }
    for listen in &config.network.listen {
        let Some(place) = tcp_of(listen) else { continue };
        if is_running {
            if let Err(reason) = knock(&place) {
                findings.broken(PEERS, format!("this node does not answer at {listen}: {reason}"), "look at its log");
            }
        } else if let Err(error) = TcpListener::bind((place.0.as_str(), place.1)) {
            findings.broken(
                PEERS,
                format!("{listen} cannot be listened on: {error}"),
                "end the program that has this port, or change network.listen",
            );
        }
    }
}

/// What the node itself says, if it runs, and others that were named.
pub(super) fn nodes(
    command: &DoctorCommand,
    config: &NodeConfig,
    tip: Option<&Snapshot>,
    is_running: bool,
    findings: &mut Findings,
) {
    let own = format!("http://{}", config.rpc.listen);
    let urls: Vec<(&str, bool)> = is_running
        .then_some((own.as_str(), true))
        .into_iter()
        .chain(command.ask.iter().map(|url| (url.as_str(), false)))
        .collect();
    if urls.is_empty() {
        return;
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return findings.broken(NODE, "the system starts no timer", "look at its limits");
    };
    let mut height = tip.map(|tip| tip.header.height.get());
    for (url, is_own) in urls {
        let asked = runtime.block_on(async { Client::http(url)?.chain_get_status().await });
        let status = match asked {
            Ok(status) => status,
            Err(error) => {
                let advice = "look at its log; it may still be starting";
                if is_own {
                    findings.broken(NODE, format!("it does not answer at {url}: {error}"), advice);
                } else {
                    findings.warn(NODE, format!("no answer at {url}: {error}"), advice);
                }
                continue;
            }
        };
        let there = status.height.0.get();
        let drift_ms = tip.map_or(0, |tip| tip.parameters.clock_drift_ms);
        compare_clock(status.value.time_ms.0, drift_ms, &format!("the newest block at {url}"), findings);
        let peers = counted(status.value.peers, "peer");
        let words = format!("{url}: height {there}, {}, {peers}", name_of(status.value.state));
        match (is_own, status.value.state) {
            (true, NodeStateName::Starting) => findings.warn(
                NODE,
                format!("{words}: it is connected to too few validators to decide anything"),
                "see what is said of its peers",
            ),
            (true, NodeStateName::Syncing) => findings.warn(NODE, words, "wait: it fetches what the others have"),
            (false, _) if height.is_some_and(|here| here.saturating_add(BEHIND_MAX) < there) => findings.warn(
                NODE,
                format!("{words}; this node is at {}", height.unwrap_or_default()),
                "start it, or see what is said of its peers",
            ),
            _ => findings.ok(NODE, words),
        }
        if is_own {
            height = Some(there);
            let health = runtime.block_on(async { Client::http(url)?.node_get_health().await });
            for warning in health.map(|health| health.value.warnings).unwrap_or_default() {
                findings.warn(NODE, warning.message, "mend it; the node goes on meanwhile, and says when it is over");
            }
        }
    }
}

const fn name_of(state: NodeStateName) -> &'static str {
    match state {
        NodeStateName::Starting => "not connected to a quorum",
        NodeStateName::Syncing => "catching up",
        NodeStateName::Following => "following",
        NodeStateName::Validating => "validating",
    }
}

#[cfg(test)]
mod tests {
    use super::tcp_of;

    #[test]
    fn a_peers_door_is_read_from_its_address() {
        let place = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(tcp_of("/ip4/127.0.0.1/tcp/7800/p2p/12D3"), place("127.0.0.1", 7800));
        assert_eq!(tcp_of("/dns4/node.example/tcp/1"), place("node.example", 1));
        assert_eq!(tcp_of("/ip4/127.0.0.1/udp/7800/quic-v1"), None);
        assert_eq!(tcp_of("/ip4/127.0.0.1/tcp/99999"), None);
        assert_eq!(tcp_of("nonsense"), None);
    }
}
