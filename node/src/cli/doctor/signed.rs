//! What this node signed last, and what it is locked on, against its own chain.

use std::fs;
use std::sync::Arc;

use cairn_storage::StorageError;
use cairn_storage::real_disk;

use super::chain::OpenedToLook;
use super::{Findings, Presence};
use crate::config::NodeConfig;
use crate::driver::own_signatures::{Identity, StartError};
use crate::evidence::EvidenceFile;
use crate::keys::of_node::NodeKeys;
use crate::signer::NodeSigner;

const SIGN_STATE: &str = "sign state";
const WAL: &str = "write-ahead log";
const EVIDENCE: &str = "evidence";

const NEW_KEY: &str = "do not start it with this key, and restore nothing from a backup: take keys.consensus out of the \
    configuration to follow, and have the council give the validator a new key (cairn council validators --replace)";

pub(super) fn examine(
    opened: &OpenedToLook,
    keys: Option<&NodeKeys>,
    config: &NodeConfig,
    presence: &Presence,
    findings: &mut Findings,
) {
    evidence(config, findings);
    if presence.is_running() {
        findings.ok(SIGN_STATE, "not read while a node runs; the node checks it at every signature");
        return;
    }
    let chain = opened.ledger.chain();
    let tip = chain.tip();
    let wal = match opened.directory.open_write_ahead_log() {
        Ok((_, contents)) => contents,
        Err(error) => {
            let advice = match &error {
                StorageError::WalDamaged { .. } | StorageError::PreambleDamaged { .. } => {
                    "start the node: it puts the file aside as consensus.wal.damaged, and leaves the height of its sign state, \
                     where it may have voted by what is lost, to the others"
                }
                _ => "look at the disk",
            };
            findings.broken(WAL, error.to_string(), advice);
            return;
        }
    };
    let next = tip.next_height();
    if wal.height > next && opened.is_whole {
        findings.warn(
            WAL,
            format!("it is at height {}, and the block log ends at {}", wal.height, tip.header.height),
            "the block log has lost blocks, or the files are of different ages; start the node, it fetches what it lacks",
        );
    } else {
        findings.ok(WAL, format!("height {}, {} entries", wal.height, wal.entries.len()));
    }
    let state = match opened.directory.open_sign_state() {
        Ok(state) => state,
        Err(error) => return findings.broken(SIGN_STATE, error.to_string(), NEW_KEY),
    };
    let Some(NodeKeys { peer, consensus: Some(key) }) = keys else {
        return findings.ok(SIGN_STATE, "whole; this node has no consensus key to hold it against");
    };
    let identity =
        Identity { chain: chain.id, key: key.key.verifying_key().to_bytes(), peer: peer.verifying_key().to_bytes() };
    validator(&identity, &tip, findings);
    let mut signer = NodeSigner::new(key.key.clone(), chain.id, state);
    let evidence = EvidenceFile::open(opened.directory.disk().as_ref(), &config.data.join(EvidenceFile::NAME));
    let evidence = match evidence {
        Ok(evidence) => evidence,
        Err(error) => return findings.broken(EVIDENCE, error.to_string(), "look at the disk"),
    };
    match identity.check_start(chain, &mut signer, &wal, &evidence) {
        Err(StartError::Storage(error)) => findings.broken(SIGN_STATE, error.to_string(), "look at the disk"),
        Err(error) => findings.broken(SIGN_STATE, error.to_string(), NEW_KEY),
        Ok(()) => match signer.place() {
            None => findings.ok(SIGN_STATE, "nothing was signed yet, and the chain holds no signature of this key"),
            Some(place) if place.height > next && opened.is_whole => findings.warn(
                SIGN_STATE,
                format!("it is at {place}, and the block log ends at {}", tip.header.height),
                "the block log has lost blocks, or the files are of different ages; start the node, it fetches what it lacks \
                 and signs nothing twice",
            ),
            Some(place) => findings.ok(SIGN_STATE, format!("at {place}; nothing on this disk was signed after it")),
        },
    }
}

/// Whether the consensus key is a validator's, with this node's network key.
fn validator(identity: &Identity, tip: &Arc<crate::chain::Snapshot>, findings: &mut Findings) {
    const CHECK: &str = "validator";
    let validators = tip.validators();
    match (identity.index_in(validators), validators.index_of(&identity.key)) {
        (Some(index), _) => findings.ok(CHECK, format!("validator {index} of {}", validators.len())),
        (None, Some(index)) => findings.warn(
            CHECK,
            format!("validator {index} has this consensus key and another network key, so this node does not vote"),
            "name the network key that the council gave it (keys.peer), or take keys.consensus out of the configuration",
        ),
        (None, None) => findings.ok(CHECK, "the consensus key is no validator's at this height; the node follows"),
    }
}

/// What was kept about those who contradicted themselves.
fn evidence(config: &NodeConfig, findings: &mut Findings) {
    let path = config.data.join(EvidenceFile::NAME);
    let disk = real_disk();
    if !disk.exists(&path) {
        return;
    }
    match fs::read_to_string(&path) {
        Ok(text) if text.is_empty() => {}
        Ok(text) => findings.warn(
            EVIDENCE,
            format!("{} lines in {}: validators contradicted themselves", text.lines().count(), path.display()),
            "show the file to the council",
        ),
        Err(error) => findings.warn(EVIDENCE, format!("{}: {error}", path.display()), "look at the disk"),
    }
}
