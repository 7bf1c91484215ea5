//! The network under test: processes, the lines between them, and the faults inside them.
//!
//! Every ordered pair of nodes has a line of its own, so that it can be cut one way. A node finds the others through the
//! lines only: the addresses in its configuration are theirs.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

use cairn_tests::Network;
use cairn_tests::proxy::{Link, Weather};

use crate::faults::{Control, Shim};
use crate::kernel::{Kernel, Packets};

/// See the module.
pub(crate) struct World {
    pub(crate) network: Network,
    /// By who dials, and who is dialled.
    links: BTreeMap<(usize, usize), Link>,
    /// Cuts lines, if the test has a network namespace.
    kernel: Option<Kernel>,
    /// One for each node, if there is a C compiler.
    pub(crate) controls: Vec<Control>,
}

/// Which of two nodes does not hear the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deaf {
    /// Both.
    Both,
    /// The second does not hear the first.
    Second,
}

impl World {
    /// Makes a network whose nodes meet through lines. Nothing runs yet.
    pub(crate) async fn make(
        validators: u16,
        observers: u16,
        options: &[&str],
        seed: u64,
        kernel: Option<Kernel>,
    ) -> Self {
        let mut network = Network::make(validators, observers, options);
        let mut links = BTreeMap::new();
        let count = network.nodes.len();
        let configs: Vec<toml::Table> = network
            .nodes
            .iter()
            .map(|node| fs::read_to_string(node.config()).expect("it was made").parse().expect("it is TOML"))
            .collect();
        let listens: Vec<u16> = configs.iter().map(|config| port(&texts(&config["network"]["listen"])[0])).collect();
        for (dialler, mut config) in configs.into_iter().enumerate() {
            let mut peers = Vec::new();
            for address in texts(&config["network"]["peers"]) {
                let dialled = listens.iter().position(|listen| *listen == port(&address)).expect("a peer is a node");
                if dialled == dialler {
                    continue;
                }
                let target = SocketAddr::from(([127, 0, 0, 1], listens[dialled]));
                let place = u64::try_from(dialler * count + dialled).expect("a few nodes");
                let link = Link::to(target, seed.wrapping_add(place)).await.expect("loopback has ports");
                let (_, identity) = address.split_once("/p2p/").expect("a peer has an identity");
                peers.push(toml::Value::from(format!("/ip4/127.0.0.1/tcp/{}/p2p/{identity}", link.address().port())));
                links.insert((dialler, dialled), link);
            }
            config["network"]["peers"] = peers.into();
            fs::write(network.nodes[dialler].config(), config.to_string()).expect("it can be written again");
        }
        let controls = match Shim::build(&network.directory()) {
            Ok(shim) => network.nodes.iter_mut().map(|node| shim.load_into(node)).collect(),
            Err(reason) => {
                println!("no fault of clock or disk in this run: {reason}");
                Vec::new()
            }
        };
        Self { network, links, kernel, controls }
    }

    /// Gives every line the same weather.
    pub(crate) fn everywhere(&self, weather: Weather) {
        self.links.values().for_each(|link| link.set(weather));
    }

    /// Loses so much on every line.
    pub(crate) fn lose(&self, loss_percent: u8) {
        match &self.kernel {
            Some(kernel) => {
                let ports: Vec<u16> = self.links.values().map(|link| link.address().port()).collect();
                kernel.lose(&ports, loss_percent);
            }
            None => self.everywhere(Weather { loss_percent, ..Weather::default() }),
        }
    }

    /// Makes every line good.
    pub(crate) fn heal(&self) {
        if let Some(kernel) = &self.kernel {
            kernel.heal();
        }
        self.everywhere(Weather::default());
    }

    /// Cuts two nodes off from each other without a word, or one from the other.
    pub(crate) fn cut(&self, first: usize, second: usize, deaf: Deaf) {
        for (dialler, dialled) in [(first, second), (second, first)] {
            // What the first sends goes outward on lines that it dialled, and inward on those of the second.
            let from_first = dialler == first;
            let link = &self.links[&(dialler, dialled)];
            if let Some(kernel) = &self.kernel {
                let port = link.address().port();
                if deaf == Deaf::Both || from_first {
                    kernel.cut(port, Packets::Outward);
                }
                if deaf == Deaf::Both || !from_first {
                    kernel.cut(port, Packets::Inward);
                }
                continue;
            }
            let weather = Weather {
                outward_stalled: deaf == Deaf::Both || from_first,
                inward_stalled: deaf == Deaf::Both || !from_first,
                ..Weather::default()
            };
            link.set(weather);
        }
    }

    /// Hangs up between two nodes.
    pub(crate) fn sever(&self, first: usize, second: usize) {
        for pair in [(first, second), (second, first)] {
            self.links[&pair].set(Weather { severed: true, ..Weather::default() });
        }
    }
}

fn texts(value: &toml::Value) -> Vec<String> {
    let list = value.as_array().expect("a list of addresses");
    list.iter().map(|text| text.as_str().expect("an address is a text").to_owned()).collect()
}

/// The port of a multiaddr.
fn port(address: &str) -> u16 {
    let (_, rest) = address.split_once("/tcp/").expect("nodes meet by TCP");
    rest.split('/').next().and_then(|port| port.parse().ok()).expect("a port follows")
}
