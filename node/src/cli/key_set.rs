//! An organization's key sets, as a person names them: keys, and how many of them must sign.
//!
//! The order in which keys are typed does not matter; a set has one. What is put together here is checked before it leaves
//! this machine.

use anyhow::Context;
use cairn_types::{KeyCommitment, KeySet};
use clap::Args;

use super::output::{Rows, Usage};
use crate::keys::private::{KeyName, PrivateKey};

/// A key set, and as many of its private keys as were at hand.
pub(super) struct ReadSet {
    pub(super) set: KeySet,
    pub(super) private: Vec<PrivateKey>,
}

/// Reads a set. `option` names what the person typed.
fn read(names: &[KeyName], threshold: Option<u8>, option: &str) -> anyhow::Result<ReadSet> {
    let mut keys = Vec::new();
    let mut private = Vec::new();
    for name in names {
        let (key, own) = name.read()?;
        keys.push(key);
        private.extend(own);
    }
    let threshold = match (threshold, keys.len()) {
        (Some(threshold), _) => threshold,
        (None, 1) => 1,
        (None, count) => {
            return Err(Usage(format!("how many of the {count} keys must sign? say so with {option} N")).into());
        }
    };
    keys.sort_unstable();
    let set = KeySet { threshold, keys };
    set.check().with_context(|| option.to_owned())?;
    Ok(ReadSet { set, private })
}

/// A set by itself.
#[derive(Clone, Debug, Args)]
pub(super) struct KeySetArgs {
    /// A key of the set: a file, of which the public half will do, or the key itself; repeat it for more.
    #[arg(long = "key", value_name = "PEM|KEY", required = true)]
    keys: Vec<KeyName>,
    /// How many of them must sign [default: 1, if there is one]
    #[arg(long, value_name = "N")]
    threshold: Option<u8>,
}

impl KeySetArgs {
    pub(super) fn read(&self) -> anyhow::Result<ReadSet> {
        read(&self.keys, self.threshold, "--threshold")
    }
}

/// The keys of an epoch that begins.
#[derive(Clone, Debug, Args)]
pub(super) struct NewKeysArgs {
    /// A key of the organization from now on: a file, of which the public half will do, or the key itself; repeat it for
    /// more.
    #[arg(long = "new-key", value_name = "PEM|KEY", required = true)]
    new_keys: Vec<KeyName>,
    /// How many of them must sign [default: 1, if there is one]
    #[arg(long, value_name = "N")]
    threshold: Option<u8>,
}

impl NewKeysArgs {
    pub(super) fn read(&self) -> anyhow::Result<ReadSet> {
        read(&self.new_keys, self.threshold, "--threshold")
    }
}

/// The keys after those, of which only a commitment leaves this machine.
#[derive(Clone, Debug, Args)]
pub(super) struct NextKeysArgs {
    /// A key of the set after that; only a commitment to the set leaves this machine; repeat it for more. With none, the
    /// keys never rotate again, but the recovery keys can replace them.
    #[arg(long = "next-key", value_name = "PEM|KEY", conflicts_with = "next_commitment")]
    next_keys: Vec<KeyName>,
    /// How many of them must sign [default: 1, if there is one]
    #[arg(long, value_name = "N", requires = "next_keys")]
    next_threshold: Option<u8>,
    /// The commitment to the set after that, as 'cairn key commit' prints it.
    #[arg(long, value_name = "HEX")]
    next_commitment: Option<KeyCommitment>,
}

impl NextKeysArgs {
    pub(super) fn commitment(&self) -> anyhow::Result<Option<KeyCommitment>> {
        if self.next_keys.is_empty() {
            return Ok(self.next_commitment);
        }
        Ok(Some(read(&self.next_keys, self.next_threshold, "--next-threshold")?.set.commitment()))
    }
}

/// The keys that can recover an organization.
#[derive(Clone, Debug, Args)]
pub(super) struct RecoveryKeysArgs {
    /// A key that can recover the organization, kept apart from the others; repeat it for more.
    #[arg(long = "recovery-key", value_name = "PEM|KEY")]
    recovery_keys: Vec<KeyName>,
    /// How many of them must sign [default: 1, if there is one]
    #[arg(long, value_name = "N", requires = "recovery_keys")]
    recovery_threshold: Option<u8>,
}

impl RecoveryKeysArgs {
    pub(super) fn read(&self) -> anyhow::Result<Option<KeySet>> {
        if self.recovery_keys.is_empty() {
            return Ok(None);
        }
        Ok(Some(read(&self.recovery_keys, self.recovery_threshold, "--recovery-threshold")?.set))
    }
}

/// A set in lines: how many must sign, and each key by its place.
pub(super) fn rows(rows: Rows, name: &str, set: &KeySet) -> Rows {
    let rows = rows.row(&format!("{name}s"), format!("{} of {} must sign", set.threshold, set.keys.len()));
    set.keys.iter().enumerate().fold(rows, |rows, (index, key)| rows.row(&format!("{name} {index}"), key))
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::cli::output::Usage;
    use crate::keys::private::{Algorithm, KeyName, PrivateKey};

    #[test]
    fn a_set_does_not_depend_on_the_order_in_which_it_is_typed() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("own.pem");
        let own = PrivateKey::generate(Algorithm::P256);
        own.write(&file, None).expect("writes");
        let other = KeyName::Public(PrivateKey::generate(Algorithm::Ed25519).public());
        let names = [KeyName::File(file), other.clone()];
        let there = read(&names, Some(2), "--threshold").expect("a set");
        let back = read(&[names[1].clone(), names[0].clone()], Some(2), "--threshold").expect("a set");
        assert_eq!(there.set, back.set);
        assert_eq!(there.set.commitment(), back.set.commitment());
        assert_eq!(there.private.iter().map(PrivateKey::public).collect::<Vec<_>>(), [own.public()]);

        let unsaid = read(&names, None, "--threshold").err().expect("refused");
        assert!(unsaid.is::<Usage>() && unsaid.to_string().contains("how many of the 2 keys"), "{unsaid}");
        assert!(read(&names, Some(3), "--threshold").is_err(), "more than there are");
        assert!(read(&[other.clone(), other.clone()], Some(1), "--threshold").is_err(), "a key twice");
        assert_eq!(read(&[other], None, "--threshold").expect("one key").set.threshold, 1);
    }
}
