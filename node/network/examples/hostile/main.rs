//! A hostile peer: one attack on one node, for some seconds. The hostile tests start it, at the lowest priority, as a
//! stranger, as an observer that the node lists, or with the key of a validator.
//!
//! It knows the wire and no rule: what an attack sends is made by whoever starts it, and handed over in a file of frames,
//! each behind its length in 4 bytes. So it spends its time on sending, not on making.
//!
//! ```text
//! hostile ATTACK ADDRESS CHAIN SECONDS [--key SEED] [--from IP] [--frames FILE]
//! ```
//!
//! It ends by printing one line of JSON: what it could do.

mod attacks;
mod connection;
mod gossip;

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    time::{Duration, Instant},
};

use cairn_network::NetworkKey;
use libp2p::identity::Keypair;

use crate::{attacks::Attack, connection::Target};

/// The addresses and names that an attack needs.
pub(crate) struct Plan {
    pub(crate) target: Target,
    pub(crate) protocols: Protocols,
    pub(crate) frames: Vec<Vec<u8>>,
    pub(crate) until: Instant,
}

/// The protocols of a chain, as `node/network` names them.
pub(crate) struct Protocols {
    pub(crate) consensus: String,
    pub(crate) sync: String,
    pub(crate) topic: String,
}

impl Protocols {
    fn of(chain: &[u8; 32]) -> Self {
        let name: String = chain.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let protocol = |kind: &str| format!("/cairn/{name}/{kind}/1");
        Self { consensus: protocol("consensus"), sync: protocol("sync"), topic: protocol("transactions") }
    }
}

fn bytes32(text: &str) -> Result<[u8; 32], String> {
    let digits: Vec<char> = text.chars().collect();
    let pairs = digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16));
    let bytes: Vec<u8> = pairs.collect::<Result<_, _>>().map_err(|error| format!("{text}: {error}"))?;
    bytes.try_into().map_err(|_| format!("{text} is not 32 bytes"))
}

/// The frames of a file, each behind its length.
fn frames(path: &str) -> Result<Vec<Vec<u8>>, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let mut rest = bytes.as_slice();
    let mut frames = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|error| error.to_string())?;
        let (frame, after) = after.split_at_checked(length).ok_or("a frame is cut off")?;
        frames.push(frame.to_vec());
        rest = after;
    }
    Ok(frames)
}

fn plan(arguments: &[String]) -> Result<(Attack, Plan), String> {
    let [attack, address, chain, seconds, options @ ..] = arguments else {
        return Err("hostile ATTACK ADDRESS CHAIN SECONDS [--key SEED] [--from IP] [--frames FILE]".to_owned());
    };
    let attack = Attack::of(attack).ok_or_else(|| format!("no attack is called {attack}"))?;
    let address: SocketAddr = address.parse().map_err(|error| format!("{address}: {error}"))?;
    let seconds: f64 = seconds.parse().map_err(|error| format!("{seconds}: {error}"))?;
    let chain = bytes32(chain)?;
    let mut plan = Plan {
        target: Target { address, from: Ipv4Addr::LOCALHOST, chain, key: Keypair::generate_ed25519() },
        protocols: Protocols::of(&chain),
        frames: Vec::new(),
        until: Instant::now() + Duration::from_secs_f64(seconds),
    };
    for option in options.chunks(2) {
        match option {
            [name, seed] if name == "--key" => {
                // Read as a node would, so that a seed that is none is found out here.
                let mut seed = bytes32(seed)?;
                let _ = NetworkKey::from_seed(seed).peer_key();
                plan.target.key = Keypair::ed25519_from_bytes(&mut seed).map_err(|error| error.to_string())?;
            }
            [name, ip] if name == "--from" => {
                plan.target.from = ip.parse().map_err(|error| format!("{ip}: {error}"))?;
            }
            [name, path] if name == "--frames" => plan.frames = frames(path)?,
            other => return Err(format!("{other:?}: no such option")),
        }
    }
    Ok((attack, plan))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match plan(&arguments) {
        Ok((attack, plan)) => {
            println!("{}", attacks::run(attack, &plan).await.json());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
