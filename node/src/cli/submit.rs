//! From a call to a final transaction: put in an envelope, signed, offered, waited for.
//!
//! ```text
//! Call ─► Envelope::seal(call, parties) ─► offer ─► wait ─► Sent ─► Report
//!            ▲ chain, not_before, expiry      └ a refusal is the command's error
//!            └ Envelope::fetch: the node's status and genesis
//! ```
//!
//! `not_before` is the latest final block that the node shows, so a signature says "after this"; calls that no sequence
//! protects from replay expire. Keys are read from files, used, and never sent.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use cairn_genesis::Genesis;
use cairn_rpc::views::{ReceiptView, Text};
use cairn_types::transaction::signed_message;
use cairn_types::{
    BlockRef, Body, Call, ChainId, DeviceId, Height, OrganizationId, Principal, Signature, SignatureBytes,
    SignedTransaction, Transaction, TransactionId,
};
use clap::Args;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::connect::{Connection, NodeArgs};
use super::output::{Report, Rows, time};
use crate::keys;

/// Heights after `not_before` at which a transaction expires, if the network allows as many: an idle network takes hours
/// for them, and a lost transaction is not kept in mind for longer.
const LIFETIME: u64 = 1_000;

/// Pause between two waits of which the first ended early.
const WAIT_PAUSE: Duration = Duration::from_millis(200);

/// Longest time to wait for finality, in seconds: a day, and a number that can be added to any time.
pub(super) const TIMEOUT_MAX: u64 = 86_400;

/// Which node to offer to, and how long to wait.
#[derive(Clone, Debug, Args)]
pub(super) struct SubmitArgs {
    #[command(flatten)]
    pub(super) node: NodeArgs,
    /// Do not wait until it is final.
    #[arg(long)]
    pub(super) no_wait: bool,
    /// Wait at most so long for finality.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(..=TIMEOUT_MAX))]
    timeout: u64,
}

impl SubmitArgs {
    /// How long to wait for finality.
    pub(super) const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// A principal with the keys it signs with.
pub(super) struct Party {
    principal: Principal,
    keys: Vec<(u8, SigningKey)>,
}

impl Party {
    /// A device with its key.
    pub(super) fn device(id: DeviceId, key: SigningKey) -> Self {
        Self { principal: Principal::Device(id), keys: vec![(0, key)] }
    }

    /// An organization with some of its keys, found in its current key set.
    pub(super) async fn organization(
        connection: &Connection,
        id: OrganizationId,
        paths: &[PathBuf],
    ) -> anyhow::Result<Self> {
        let view = connection.client.organization_get(Text::from(id), None).await?.value;
        let mut keys = Vec::new();
        for path in paths {
            let key = keys::read(path)?;
            let public = keys::public(&key);
            let place = view.keys.keys.iter().position(|known| known.0 == public);
            let Some(index) = place.and_then(|place| u8::try_from(place).ok()) else {
                bail!("{}: {public} is not among the current keys of {}", path.display(), view.name);
            };
            ensure!(keys.iter().all(|(known, _)| *known != index), "{}: this key is given twice", path.display());
            keys.push((index, key));
        }
        Ok(Self { principal: Principal::Organization(id), keys })
    }

    /// Whoever `principal` is, with keys from files: one for a device, some for an organization.
    pub(super) async fn of(connection: &Connection, principal: Principal, paths: &[PathBuf]) -> anyhow::Result<Self> {
        match (principal, paths) {
            (Principal::Organization(id), _) => Self::organization(connection, id, paths).await,
            (Principal::Device(id), [path]) => Ok(Self::device(id, keys::read(path)?)),
            (Principal::Device(_), _) => bail!("a device signs with one key, and {} are given", paths.len()),
        }
    }
}

/// What all transactions of one command have in common.
pub(super) struct Envelope {
    chain: ChainId,
    not_before: BlockRef,
    expires: Height,
}

impl Envelope {
    /// Asks the node for its network, its latest final block and how long a transaction may live.
    pub(super) async fn fetch(connection: &Connection) -> anyhow::Result<Self> {
        let status = connection.status().await?;
        let genesis = connection.client.chain_get_genesis().await?.value;
        let genesis = Genesis::from_toml(&genesis.text).context("the node's genesis file")?;
        let lifetime = genesis.parameters.lifetime_max.min(LIFETIME);
        Ok(Self {
            chain: status.value.chain.0,
            not_before: BlockRef { height: status.height.0, hash: status.value.hash.0 },
            expires: Height::new(status.height.0.get().saturating_add(lifetime)),
        })
    }

    /// A transaction in the name of `signer`, signed by it and by `others`.
    pub(super) fn seal(&self, call: Call, signer: &Party, others: &[&Party]) -> SignedTransaction {
        let expires = (!call.is_stream_call()).then_some(self.expires);
        let body = Body { chain: self.chain, signer: signer.principal, not_before: self.not_before, expires, call };
        let message = signed_message(&body.id());
        let mut signatures = Vec::new();
        for Party { principal, keys } in [signer].into_iter().chain(others.iter().copied()) {
            for (index, key) in keys {
                let bytes = SignatureBytes::Ed25519(key.sign(&message).to_bytes());
                signatures.push(Signature { signer: *principal, key: *index, bytes });
            }
        }
        signatures.sort_unstable_by_key(|signature| (signature.signer, signature.key));
        SignedTransaction::new(Transaction { body, signatures })
    }
}

/// A transaction that the node took.
pub(super) struct Sent {
    pub(super) id: TransactionId,
    /// Where it stands; `None` if nobody waited.
    pub(super) receipt: Option<ReceiptView>,
}

/// Offers `transaction` and, unless told otherwise, waits until it is final.
pub(super) async fn send(
    connection: &Connection,
    args: &SubmitArgs,
    transaction: &SignedTransaction,
) -> anyhow::Result<Sent> {
    let id = transaction.id();
    connection.client.tx_submit(Text(transaction.bytes().to_vec())).await?;
    let receipt = if args.no_wait { None } else { Some(wait(connection, id, args.timeout()).await?) };
    Ok(Sent { id, receipt })
}

/// Makes a transaction of `call` in the name of `signer`, and [`send`]s it.
pub(super) async fn call(
    connection: &Connection,
    args: &SubmitArgs,
    call: Call,
    signer: &Party,
) -> anyhow::Result<Sent> {
    let transaction = Envelope::fetch(connection).await?.seal(call, signer, &[]);
    send(connection, args, &transaction).await
}

/// Waits until a transaction is final.
pub(super) async fn wait(connection: &Connection, id: TransactionId, timeout: Duration) -> anyhow::Result<ReceiptView> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).min(cairn_rpc::limits::WAIT_MAX);
        let timeout_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
        match connection.client.tx_wait(Text(id), Some(timeout_ms)).await {
            Ok(receipt) => return Ok(receipt.value),
            Err(error) if matches!(error.name(), Some("NotFinal" | "Overloaded")) && Instant::now() < deadline => {
                tokio::time::sleep(WAIT_PAUSE).await;
            }
            Err(error) if error.name() == Some("NotFinal") => {
                return Err(error).context(format!("it may still become final; ask with: cairn tx wait {id}"));
            }
            Err(error) => return Err(error).context(format!("while waiting for transaction {id}")),
        }
    }
}

impl Sent {
    /// What the receipt says, for JSON: `tx`, `state`, and if it is final `position`, `block` and `timeMs`.
    pub(super) fn json(&self) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("tx".to_owned(), json!(self.id.to_string()));
        let state = if self.receipt.is_some() { "final" } else { "pending" };
        members.insert("state".to_owned(), json!(state));
        members.insert("position".to_owned(), json!(self.receipt.as_ref().map(|receipt| receipt.position)));
        if let Some(receipt) = &self.receipt {
            members.insert("block".to_owned(), json!(receipt.block));
            members.insert("timeMs".to_owned(), json!(receipt.time_ms));
        }
        members
    }

    /// The report of a command that sent one transaction: what happened, what it is about, and the receipt.
    pub(super) fn report(&self, headline: &str, subjects: &[(&str, String)]) -> anyhow::Result<Report> {
        let mut members: Map<String, Value> =
            subjects.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        members.extend(self.json());
        let rows = subjects.iter().fold(Rows::new(), |rows, (name, value)| rows.row(&format!("  {name}"), value));
        let rows = rows.row("  transaction", self.id);
        let rows = match &self.receipt {
            Some(receipt) => rows.row("  position", position_text(receipt)).row("  time", time(receipt.time_ms.0)),
            None => rows.row("  state", "pending: not waited for"),
        };
        Report::new(&members, format!("{headline}\n{rows}"))
    }
}

/// Where a transaction stands, for people.
pub(super) fn position_text(receipt: &ReceiptView) -> String {
    cairn_types::Position::from(receipt.position).to_string()
}

#[cfg(test)]
mod tests {
    use cairn_types::call::RevokeGrant;
    use cairn_types::transaction::signed_message;
    use cairn_types::{
        BlockHash, BlockRef, Call, ChainId, DeviceId, GrantId, Hash, Height, OrganizationId, Principal,
        SignedTransaction,
    };

    use super::{Envelope, Party};
    use crate::keys;

    #[test]
    fn all_parties_sign_the_same_transaction_in_the_order_of_the_rules() {
        let hash = Hash::plain(b"anything");
        let envelope = Envelope {
            chain: ChainId::from_hash(hash),
            not_before: BlockRef { height: Height::new(7), hash: BlockHash::from_hash(hash) },
            expires: Height::new(1_007),
        };
        let (first, third, own) = (keys::generate(), keys::generate(), keys::generate());
        let organization = Principal::Organization(OrganizationId::from_hash(hash));
        let owner = Party { principal: organization, keys: vec![(2, third.clone()), (0, first.clone())] };
        let device = Party::device(DeviceId::from_hash(hash), own.clone());
        let call = Call::RevokeGrant(RevokeGrant { grant: GrantId::from_hash(hash), suspect_since: None });
        let sealed = envelope.seal(call, &device, &[&owner]);

        assert_eq!(sealed.body().signer, device.principal);
        assert_eq!(sealed.body().expires, Some(Height::new(1_007)));
        let signatures = &sealed.transaction().signatures;
        let order: Vec<(Principal, u8)> = signatures.iter().map(|one| (one.signer, one.key)).collect();
        assert_eq!(order, [(organization, 0), (organization, 2), (device.principal, 0)]);
        let message = signed_message(&sealed.id());
        for (signature, key) in signatures.iter().zip([first, third, own]) {
            assert_eq!(keys::public(&key).verify(&message, &signature.bytes), Ok(()));
        }
        let decoded = SignedTransaction::from_bytes(sealed.bytes().to_vec()).expect("a valid encoding");
        assert_eq!(decoded, sealed);
    }
}
