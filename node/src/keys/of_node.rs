//! The keys that a node runs with: checked, told apart, and held by one process.
//!
//! A node starts only if nobody else can read or replace its key files and if they hold different keys: a stolen network
//! key must not vote. The consensus key's file is locked while the node runs, so a second node with the same file, in
//! another data directory, does not start. A *copy* of the file cannot be noticed here; what a copy signs is noticed when it is
//! met.

use std::fs::{File, TryLockError};
use std::path::Path;

use ed25519_dalek::SigningKey;

use super::passphrase::Source;
use super::{KeyFileError, access, io_error, public, read_with};
use crate::config::KeysConfig;

/// A node's keys.
pub(crate) struct NodeKeys {
    /// The key that names it in the network.
    pub(crate) peer: SigningKey,
    /// The key that votes, if it has one.
    pub(crate) consensus: Option<ConsensusKey>,
}

/// The key that votes.
pub(crate) struct ConsensusKey {
    pub(crate) key: SigningKey,
    /// Keeps other nodes from the same file until the process ends; none if it was only looked at.
    pub(crate) lock: Option<File>,
}

impl NodeKeys {
    /// Reads what the configuration names, and takes the consensus key for this process.
    ///
    /// # Errors
    /// [`KeyFileError`]; the operator is to blame, and told what to do.
    pub(crate) fn open(config: &KeysConfig) -> Result<Self, KeyFileError> {
        let held = config.consensus.as_deref().map(lock).transpose()?;
        let mut keys = Self::look(config)?;
        if let Some(consensus) = &mut keys.consensus {
            consensus.lock = held;
        }
        Ok(keys)
    }

    /// Reads what the configuration names, whoever has the consensus key.
    ///
    /// # Errors
    /// As [`NodeKeys::open`], but for [`KeyFileError::InUse`].
    pub(crate) fn look(config: &KeysConfig) -> Result<Self, KeyFileError> {
        let source = Source::of_node(config.passphrase_file.as_deref());
        let read = |path: &Path| {
            access::check_place(path)?;
            read_with(path, &source)
        };
        let peer = read(&config.peer)?;
        let Some(path) = config.consensus.as_deref() else { return Ok(Self { peer, consensus: None }) };
        let key = read(path)?;
        if public(&key) == public(&peer) {
            return Err(KeyFileError::Same { first: config.peer.clone(), second: path.to_owned() });
        }
        Ok(Self { peer, consensus: Some(ConsensusKey { key, lock: None }) })
    }
}

/// Takes the file for this process, until the value is dropped.
fn lock(path: &Path) -> Result<File, KeyFileError> {
    let file = File::open(path).map_err(io_error(path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(KeyFileError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(KeyFileError::Io { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::NodeKeys;
    use crate::config::KeysConfig;
    use crate::keys::passphrase::Source;
    use crate::keys::private::{Algorithm, PrivateKey};
    use crate::keys::{KeyFileError, generate, public, write};

    fn refused(config: &KeysConfig) -> KeyFileError {
        NodeKeys::open(config).err().expect("refused")
    }

    #[test]
    fn a_node_opens_keys_with_the_passphrase_that_its_configuration_names() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| directory.path().join(name);
        write(&path("peer.pem"), &generate()).expect("writes");
        fs::write(path("passphrase"), "correct horse battery\n").expect("writes");
        fs::set_permissions(path("passphrase"), fs::Permissions::from_mode(0o600)).expect("changes the mode");
        let source = Source::File(path("passphrase"));
        let voting = PrivateKey::generate(Algorithm::Ed25519);
        let passphrase = source.read_new(&path("consensus.pem")).expect("long enough");
        voting.write(&path("consensus.pem"), Some(&passphrase)).expect("writes");
        let config = KeysConfig {
            peer: path("peer.pem"),
            consensus: Some(path("consensus.pem")),
            passphrase_file: Some(path("passphrase")),
        };
        let keys = NodeKeys::open(&config).expect("opens");
        assert_eq!(keys.consensus.map(|consensus| public(&consensus.key)), Some(voting.public()));
        fs::write(path("passphrase"), "correct horse batterie\n").expect("writes");
        assert!(matches!(refused(&config), KeyFileError::Passphrase { .. }));
    }

    #[test]
    fn a_node_has_two_keys_that_nobody_else_reads_replaces_or_runs_with() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| directory.path().join(name);
        let (peer, voting) = (generate(), generate());
        write(&path("peer.pem"), &peer).expect("writes");
        write(&path("consensus.pem"), &voting).expect("writes");
        write(&path("copy.pem"), &peer).expect("writes");
        let config = |consensus: &str| KeysConfig {
            peer: path("peer.pem"),
            consensus: Some(path(consensus)),
            passphrase_file: None,
        };

        let same = refused(&config("copy.pem")).to_string();
        assert!(
            same.contains("peer.pem") && same.contains("copy.pem") && same.contains("cairn key generate"),
            "{same}"
        );
        let keys = NodeKeys::open(&config("consensus.pem")).expect("opens");
        assert!(matches!(refused(&config("consensus.pem")), KeyFileError::InUse { .. }));
        drop(keys);
        NodeKeys::open(&config("consensus.pem")).expect("opens once the other has ended");

        fs::set_permissions(path("consensus.pem"), fs::Permissions::from_mode(0o640)).expect("changes the mode");
        let readable = refused(&config("consensus.pem")).to_string();
        assert!(readable.contains("chmod 600"), "{readable}");
        fs::set_permissions(path("consensus.pem"), fs::Permissions::from_mode(0o600)).expect("changes the mode");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o770)).expect("changes the mode");
        let replaceable = refused(&config("consensus.pem")).to_string();
        assert!(replaceable.contains("chmod go-w"), "{replaceable}");
    }
}
