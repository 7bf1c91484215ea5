//! Who signs, with which keys, and what: a call in its envelope.
//!
//! An organization signs with some of its keys, and each signature says which one by the key's place in the set. Which set
//! that is depends on the call: mostly that of the open key epoch, but new keys sign their own beginning, and a recovery is
//! called off by the recovery set. Keys are read from files, used, and never sent.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail, ensure};
use cairn_rpc::views::{KeySetView, OrganizationView, Text};
use cairn_types::transaction::signed_message;
use cairn_types::{
    BlockRef, Body, Call, ChainId, DeviceId, Height, KeySet, OrganizationId, Principal, Signature, SignedTransaction,
    Transaction,
};

use super::connect::Connection;
use super::names::{FormError, PrincipalName};
use super::submit::SubmitArgs;
use crate::keys::private::PrivateKey;

/// Heights after `not_before` at which a transaction expires, if the network allows as many: an idle network takes hours
/// for them, and a lost transaction is not kept in mind for longer.
const LIFETIME: u64 = 1_000;

/// A principal with the keys it signs with.
pub(super) struct Party {
    principal: Principal,
    keys: Vec<(u8, PrivateKey)>,
}

/// The key set of a view.
fn key_set(view: &KeySetView) -> KeySet {
    KeySet { threshold: view.threshold, keys: view.keys.iter().map(|key| key.0).collect() }
}

/// An organization as it stands.
async fn organization(connection: &Connection, id: OrganizationId) -> anyhow::Result<OrganizationView> {
    Ok(connection.client.organization_get(Text::from(id), None).await?.value)
}

/// The keys that can recover an organization.
fn recovery_set(view: &OrganizationView) -> anyhow::Result<KeySet> {
    let set = view.recovery.as_ref().with_context(|| format!("{} has no recovery keys", view.name))?;
    Ok(key_set(set))
}

impl Party {
    /// A device with its key.
    pub(super) fn device(id: DeviceId, key: PrivateKey) -> Self {
        Self { principal: Principal::Device(id), keys: vec![(0, key)] }
    }

    /// A principal none of whose keys is at hand: others sign for it.
    pub(super) const fn without_keys(principal: Principal) -> Self {
        Self { principal, keys: Vec::new() }
    }

    /// A principal with keys of a set; `whose` names the set in the error about one that is not in it.
    pub(super) fn of_set(
        principal: Principal,
        whose: &str,
        set: &KeySet,
        keys: impl IntoIterator<Item = PrivateKey>,
    ) -> anyhow::Result<Self> {
        let mut placed: Vec<(u8, PrivateKey)> = Vec::new();
        for key in keys {
            let public = key.public();
            let place = set.keys.iter().position(|known| *known == public);
            let Some(index) = place.and_then(|place| u8::try_from(place).ok()) else {
                bail!("{public} is not among {whose}");
            };
            ensure!(placed.iter().all(|(known, _)| *known != index), "{public} is given twice");
            placed.push((index, key));
        }
        Ok(Self { principal, keys: placed })
    }

    /// An organization with some of its keys, found in its current key set.
    pub(super) async fn organization(
        connection: &Connection,
        id: OrganizationId,
        paths: &[PathBuf],
    ) -> anyhow::Result<Self> {
        let view = organization(connection, id).await?;
        let whose = format!("the current keys of {}", view.name);
        Self::of_set(Principal::Organization(id), &whose, &key_set(&view.keys), read_all(paths)?)
    }

    /// An organization with some of its recovery keys.
    pub(super) async fn recovery(
        connection: &Connection,
        id: OrganizationId,
        paths: &[PathBuf],
    ) -> anyhow::Result<Self> {
        let view = organization(connection, id).await?;
        let whose = format!("the recovery keys of {}", view.name);
        Self::of_set(Principal::Organization(id), &whose, &recovery_set(&view)?, read_all(paths)?)
    }

    /// Whoever `principal` is, with keys from files: one for a device, some for an organization.
    pub(super) async fn of(connection: &Connection, principal: Principal, paths: &[PathBuf]) -> anyhow::Result<Self> {
        match (principal, paths) {
            // Only a draft gets here without keys, and then nobody has to ask which keys there are.
            (_, []) => Ok(Self::without_keys(principal)),
            (Principal::Organization(id), _) => Self::organization(connection, id, paths).await,
            (Principal::Device(id), [path]) => Ok(Self::device(id, PrivateKey::read(path)?)),
            (Principal::Device(_), _) => bail!("a device signs with one key, and {} are given", paths.len()),
        }
    }

    /// Whoever `principal` is, with the keys that the call in `body` wants of it.
    pub(super) async fn for_body(
        connection: &Connection,
        body: &Body,
        principal: Principal,
        paths: &[PathBuf],
    ) -> anyhow::Result<Self> {
        let Principal::Organization(id) = principal else {
            return Self::of(connection, principal, paths).await;
        };
        match &body.call {
            Call::RotateOrganizationKeys(call) if call.organization == id && !call.by_recovery => {
                Self::of_set(principal, "the new keys", &call.keys, read_all(paths)?)
            }
            Call::RotateOrganizationKeys(call) if call.organization == id => {
                Self::recovery(connection, id, paths).await
            }
            Call::CancelRecovery(_) => Self::recovery(connection, id, paths).await,
            _ => Self::organization(connection, id, paths).await,
        }
    }

    /// In whose name.
    pub(super) const fn principal(&self) -> Principal {
        self.principal
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> impl Iterator<Item = Signature> + 'a {
        self.keys.iter().map(|(index, key)| Signature { signer: self.principal, key: *index, bytes: key.sign(message) })
    }
}

fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<PrivateKey>> {
    paths.iter().map(|path: &PathBuf| read(path)).collect()
}

fn read(path: &Path) -> anyhow::Result<PrivateKey> {
    Ok(PrivateKey::read(path)?)
}

/// A principal and its key files, as typed: `ORG=PEM[,PEM…]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignerKeys {
    pub(super) principal: PrincipalName,
    pub(super) keys: Vec<PathBuf>,
}

impl FromStr for SignerKeys {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        let wrong = || FormError(format!("expected NAME=PEM or NAME=PEM,PEM, not {text:?}"));
        let (principal, paths) = text.split_once('=').ok_or_else(wrong)?;
        let keys: Vec<PathBuf> = paths.split(',').filter(|path| !path.is_empty()).map(PathBuf::from).collect();
        if keys.is_empty() {
            return Err(wrong());
        }
        Ok(Self { principal: principal.parse()?, keys })
    }
}

/// What all transactions of one command have in common.
pub(super) struct Envelope {
    pub(super) chain: ChainId,
    pub(super) not_before: BlockRef,
    /// The last height at which a call that is no stream call may be included.
    pub(super) expires: Height,
}

impl Envelope {
    /// Asks the node for its network, its latest final block and how long a transaction may live.
    pub(super) async fn fetch(connection: &Connection, args: &SubmitArgs) -> anyhow::Result<Self> {
        let longest = connection.parameters().await?.lifetime_max;
        let wanted = match args.lifetime {
            Some(lifetime) => {
                ensure!(lifetime <= longest, "--lifetime {lifetime}: this network allows {longest} heights");
                lifetime
            }
            // A draft goes from hand to hand.
            None if args.draft.is_some() => longest,
            None => longest.min(LIFETIME),
        };
        Self::living(connection, wanted).await
    }

    /// An envelope for calls that never expire.
    pub(super) async fn of_stream_calls(connection: &Connection) -> anyhow::Result<Self> {
        Self::living(connection, 0).await
    }

    async fn living(connection: &Connection, heights: u64) -> anyhow::Result<Self> {
        let status = connection.status().await?;
        Ok(Self {
            chain: status.value.chain.0,
            not_before: BlockRef { height: status.height.0, hash: status.value.hash.0 },
            expires: Height::new(status.height.0.get().saturating_add(heights)),
        })
    }

    /// A transaction in the name of `signer`, signed by it and by `others`.
    pub(super) fn seal(&self, call: Call, signer: &Party, others: &[&Party]) -> SignedTransaction {
        let expires = (!call.is_stream_call()).then_some(self.expires);
        let body = Body { chain: self.chain, signer: signer.principal, not_before: self.not_before, expires, call };
        let parties: Vec<&Party> = [signer].into_iter().chain(others.iter().copied()).collect();
        add_signatures(Transaction { body, signatures: Vec::new() }, &parties)
    }
}

/// The transaction with the signatures of `parties` among those it has. Who signs again replaces what was there.
pub(super) fn add_signatures(mut transaction: Transaction, parties: &[&Party]) -> SignedTransaction {
    let message = signed_message(&transaction.body.id());
    for signature in parties.iter().flat_map(|party| party.sign(&message)) {
        transaction.signatures.retain(|known| (known.signer, known.key) != (signature.signer, signature.key));
        transaction.signatures.push(signature);
    }
    transaction.signatures.sort_unstable_by_key(|signature| (signature.signer, signature.key));
    SignedTransaction::new(transaction)
}

#[cfg(test)]
mod tests {
    use cairn_types::call::RevokeGrant;
    use cairn_types::transaction::signed_message;
    use cairn_types::{
        BlockHash, BlockRef, Call, ChainId, DeviceId, GrantId, Hash, Height, KeySet, OrganizationId, Principal,
        SignedTransaction,
    };

    use super::{Envelope, Party, SignerKeys, add_signatures};
    use crate::keys::private::{Algorithm, PrivateKey};

    fn envelope() -> Envelope {
        let hash = Hash::plain(b"anything");
        Envelope {
            chain: ChainId::from_hash(hash),
            not_before: BlockRef { height: Height::new(7), hash: BlockHash::from_hash(hash) },
            expires: Height::new(1_007),
        }
    }

    fn revocation() -> Call {
        let grant = GrantId::from_hash(Hash::plain(b"grant"));
        Call::RevokeGrant(RevokeGrant { grant, suspect_since: None })
    }

    /// A set of three keys of both kinds, and the keys in the order of the set.
    fn three() -> (KeySet, Vec<PrivateKey>) {
        let mut keys: Vec<PrivateKey> =
            [Algorithm::Ed25519, Algorithm::P256, Algorithm::Ed25519].map(PrivateKey::generate).into();
        keys.sort_by_key(PrivateKey::public);
        (KeySet { threshold: 2, keys: keys.iter().map(PrivateKey::public).collect() }, keys)
    }

    #[test]
    fn all_parties_sign_the_same_transaction_in_the_order_of_the_rules() {
        let hash = Hash::plain(b"anything");
        let (set, keys) = three();
        let own = PrivateKey::generate(Algorithm::P256);
        let organization = Principal::Organization(OrganizationId::from_hash(hash));
        let given = [keys[2].clone(), keys[0].clone()];
        let owner = Party::of_set(organization, "its keys", &set, given).expect("two of the three");
        let device = Party::device(DeviceId::from_hash(hash), own.clone());
        let sealed = envelope().seal(revocation(), &device, &[&owner]);

        assert_eq!(sealed.body().signer, device.principal());
        assert_eq!(sealed.body().expires, Some(Height::new(1_007)));
        let signatures = &sealed.transaction().signatures;
        let order: Vec<(Principal, u8)> = signatures.iter().map(|one| (one.signer, one.key)).collect();
        assert_eq!(order, [(organization, 0), (organization, 2), (device.principal(), 0)]);
        let message = signed_message(&sealed.id());
        for (signature, key) in signatures.iter().zip([&keys[0], &keys[2], &own]) {
            assert_eq!(key.public().verify(&message, &signature.bytes), Ok(()));
        }
        let decoded = SignedTransaction::from_bytes(sealed.bytes().to_vec()).expect("a valid encoding");
        assert_eq!(decoded, sealed);
    }

    #[test]
    fn keys_are_found_in_their_set_and_each_is_given_once() {
        let organization = Principal::Organization(OrganizationId::from_hash(Hash::plain(b"anything")));
        let (set, keys) = three();
        let stranger = PrivateKey::generate(Algorithm::P256);
        let outcome = |keys: &[&PrivateKey]| {
            let keys = keys.iter().map(|key| (*key).clone());
            Party::of_set(organization, "the current keys of water-works", &set, keys).err().map(|e| e.to_string())
        };
        assert_eq!(outcome(&[&keys[1]]), None);
        assert!(outcome(&[&keys[1], &keys[1]]).is_some_and(|error| error.ends_with("is given twice")));
        let error = outcome(&[&stranger]).expect("refused");
        assert!(error.ends_with("is not among the current keys of water-works"), "{error}");
    }

    #[test]
    fn signatures_come_in_one_after_the_other() {
        let organization = Principal::Organization(OrganizationId::from_hash(Hash::plain(b"anything")));
        let (set, keys) = three();
        let party = |key: &PrivateKey| Party::of_set(organization, "its keys", &set, [key.clone()]).expect("its key");
        let draft = envelope().seal(revocation(), &Party::without_keys(organization), &[]);
        assert!(draft.transaction().signatures.is_empty());
        let one = add_signatures(draft.transaction().clone(), &[&party(&keys[1])]);
        let two = add_signatures(one.transaction().clone(), &[&party(&keys[0])]);
        assert_eq!((one.id(), two.id()), (draft.id(), draft.id()));
        let places = |of: &SignedTransaction| of.transaction().signatures.iter().map(|one| one.key).collect::<Vec<_>>();
        assert_eq!((places(&one), places(&two)), (vec![1], vec![0, 1]));
        let again = add_signatures(two.transaction().clone(), &[&party(&keys[1])]);
        assert_eq!(places(&again), [0, 1]);
    }

    #[test]
    fn signers_are_typed_with_their_keys() {
        let signer: SignerKeys = "water-works=a.pem,b.pem".parse().expect("a signer");
        assert_eq!(signer.principal, "org:water-works".parse().expect("a name"));
        assert_eq!(signer.keys, [std::path::PathBuf::from("a.pem"), "b.pem".into()]);
        for wrong in ["water-works", "water-works=", "=a.pem", "Water=a.pem", "zone:x=a.pem"] {
            assert!(wrong.parse::<SignerKeys>().is_err(), "{wrong}");
        }
    }
}
