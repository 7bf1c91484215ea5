//! How a node serves its interface.

use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;

use crate::limits::{BODY_BYTES_MAX, CONNECTIONS_MAX};

/// Smallest limit on bodies that makes sense: one of the largest transactions in hexadecimal, and the call around it.
const BODY_BYTES_MIN: u32 = 2 * cairn_types::limits::TRANSACTION_BYTES_MAX as u32 + 1024;

/// How the interface is served. Nothing here needs to be the same on two nodes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RpcConfig {
    /// Where to listen. The default is a loopback address and a port that the system chooses; whoever names another
    /// address opens the node to its network, where nobody is asked for a name.
    pub listen: SocketAddr,
    /// `Host` headers that are answered, as `name:port` with `*` for any port. Others are refused, so that a page in a
    /// browser cannot point its own name at this address.
    pub hosts: Vec<String>,
    /// Origins of pages in browsers that may call, such as `https://audit.example`. None by default; a page that this
    /// node serves itself may always.
    pub origins: Vec<String>,
    /// Most bytes of a request's body, up to [`BODY_BYTES_MAX`].
    pub body_bytes_max: u32,
    /// Most open connections, up to [`CONNECTIONS_MAX`].
    pub connections_max: usize,
}

impl Default for RpcConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            hosts: ["localhost:*", "127.0.0.1:*", "[::1]:*"].map(str::to_owned).to_vec(),
            origins: Vec::new(),
            body_bytes_max: BODY_BYTES_MAX,
            connections_max: CONNECTIONS_MAX,
        }
    }
}

/// What is wrong with a configuration. Whoever wrote it is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A limit outside its range.
    #[error("body_bytes_max is {found}, but must be {BODY_BYTES_MIN} to {BODY_BYTES_MAX}")]
    BodyBytes {
        /// The limit given.
        found: u32,
    },
    /// A limit outside its range.
    #[error("connections_max is {found}, but must be 1 to {CONNECTIONS_MAX}")]
    Connections {
        /// The limit given.
        found: usize,
    },
    /// Nobody could call.
    #[error("hosts is empty, so that every request would be refused")]
    NoHosts,
    /// Not an origin.
    #[error("{origin:?} is no origin such as https://audit.example: scheme, host and port, without a path or *")]
    Origin {
        /// The text given.
        origin: String,
    },
}

impl RpcConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(BODY_BYTES_MIN..=BODY_BYTES_MAX).contains(&self.body_bytes_max) {
            return Err(ConfigError::BodyBytes { found: self.body_bytes_max });
        }
        if !(1..=CONNECTIONS_MAX).contains(&self.connections_max) {
            return Err(ConfigError::Connections { found: self.connections_max });
        }
        if self.hosts.is_empty() {
            return Err(ConfigError::NoHosts);
        }
        let is_origin = |origin: &str| {
            origin.split_once("://").is_some_and(|(scheme, rest)| {
                matches!(scheme, "http" | "https") && !rest.is_empty() && !rest.contains(['/', '*'])
            })
        };
        match self.origins.iter().find(|origin| !is_origin(origin)) {
            Some(origin) => Err(ConfigError::Origin { origin: origin.clone() }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ConfigError, RpcConfig};

    #[test]
    fn the_default_is_valid_and_on_loopback() {
        let config = RpcConfig::default();
        assert_eq!(config.validate(), Ok(()));
        assert!(config.listen.ip().is_loopback());
        assert!(config.origins.is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let default = RpcConfig::default;
        let cases = [
            (RpcConfig { body_bytes_max: 1, ..default() }, ConfigError::BodyBytes { found: 1 }),
            (RpcConfig { connections_max: 0, ..default() }, ConfigError::Connections { found: 0 }),
            (RpcConfig { hosts: vec![], ..default() }, ConfigError::NoHosts),
            (RpcConfig { origins: vec!["*".into()], ..default() }, ConfigError::Origin { origin: "*".into() }),
        ];
        for (config, error) in cases {
            assert_eq!(config.validate(), Err(error));
        }
    }
}
