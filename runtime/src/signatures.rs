//! Who must sign, and whether they did.
//!
//! Each call names the principals whose signature it needs; nobody else may sign, so that no byte of a transaction is
//! without meaning. Whether one signature verifies is asked through [`SignatureCheck`], so that a node which has verified
//! a transaction when it arrived need not verify it again when it stands in a block.

use cairn_types::limits::SIGNATURES_MAX;
use cairn_types::transaction::signed_message;
use cairn_types::{
    Call, KeySet, Principal, PublicKey, Rejection, Signature, SignatureBytes, Transaction, TransactionId,
};

use crate::device;
use crate::organization;
use crate::state::{self, State, memo};

/// Answers whether a signature verifies. Every implementation must answer as [`PublicKey::verify`] does.
pub trait SignatureCheck {
    /// Whether `signature` is `key`'s over transaction `id`.
    fn verifies(&self, key: &PublicKey, id: &TransactionId, signature: &SignatureBytes) -> bool;
}

/// Verifies each time it is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckDirectly;

impl SignatureCheck for CheckDirectly {
    fn verifies(&self, key: &PublicKey, id: &TransactionId, signature: &SignatureBytes) -> bool {
        key.verify(&signed_message(id), signature).is_ok()
    }
}

/// A principal who must sign, and with which keys.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub(crate) principal: Principal,
    pub(crate) keys: KeySet,
}

impl Signer {
    /// Whoever has this one key.
    pub(crate) fn with_key(principal: Principal, key: PublicKey) -> Self {
        Self { principal, keys: KeySet::single(key) }
    }

    /// `principal` with the keys that are open now. A device that is not active signs nothing with its current key: whoever
    /// suspends a device because its key may be stolen stops the thief in everything, the authority it holds included.
    pub(crate) fn current(state: &impl State, principal: Principal) -> Result<Self, Rejection> {
        match principal {
            Principal::Organization(organization) => {
                organization::check_member(state, &organization)?;
                let entry = state::organization_keys(state, &organization)
                    .ok_or(Rejection::OrganizationUnknown { organization })?;
                Ok(Self { principal, keys: entry.interval.value.keys })
            }
            Principal::Device(device) => {
                device::check_active(state, &device)?;
                let key = memo::device_facts(state, &device).key.ok_or(Rejection::DeviceUnknown { device })?;
                Ok(Self::with_key(principal, key))
            }
        }
    }
}

/// Who must sign a transaction.
#[derive(Clone, Debug)]
pub(crate) enum Signers {
    /// All of these.
    All(Vec<Signer>),
    /// More than two thirds of these.
    Council(Vec<Signer>),
}

impl Signers {
    fn named(&self) -> &[Signer] {
        let (Self::All(signers) | Self::Council(signers)) = self;
        signers
    }
}

/// For each signature, the key that it will probably be checked with if the transaction is applied soon after `state`.
///
/// A node uses it to verify ahead, on all its cores. It decides nothing: [`crate::apply()`] asks for the right keys itself.
pub fn likely_keys(state: &impl State, transaction: &Transaction) -> Vec<(PublicKey, SignatureBytes)> {
    let shown = match &transaction.body.call {
        Call::RegisterDevice(call) => {
            Some(Signer::with_key(Principal::Device(call.inception.id()), call.inception.key))
        }
        Call::RotateDeviceKey(call) => Some(Signer::with_key(Principal::Device(call.device), call.key)),
        Call::RecoverDeviceKey(call) => Some(Signer::with_key(Principal::Device(call.device), call.key)),
        Call::RotateOrganizationKeys(call) => {
            organization::rotation_signers(state, transaction.body.signer, call).ok().and_then(|mut all| all.pop())
        }
        Call::CancelRecovery(_) => device::cancellation_signer(state, transaction.body.signer).ok(),
        _ => None,
    };
    let key_of = |signature: &Signature| {
        let index = usize::from(signature.key);
        match &shown {
            Some(signer) if signer.principal == signature.signer => signer.keys.keys.get(index).copied(),
            _ => Signer::current(state, signature.signer).ok()?.keys.keys.get(index).copied(),
        }
    };
    let signatures = transaction.signatures.iter().take(SIGNATURES_MAX);
    signatures.filter_map(|signature| Some((key_of(signature)?, signature.bytes))).collect()
}

/// Checks count and order, without looking at keys.
pub(crate) fn check_form(signatures: &[Signature]) -> Result<(), Rejection> {
    let count = signatures.len();
    if count > SIGNATURES_MAX {
        return Err(Rejection::TooManySignatures { count, max: SIGNATURES_MAX });
    }
    let misplaced =
        signatures.windows(2).position(|pair| matches!(pair, [a, b] if (a.signer, a.key) >= (b.signer, b.key)));
    match misplaced {
        Some(index) => Err(Rejection::SignatureOrder { index: index.saturating_add(1) }),
        None => Ok(()),
    }
}

/// Checks that those of `signers` who must have signed with enough keys, that nobody else did, and that every signature
/// verifies.
pub(crate) fn check(
    check: &dyn SignatureCheck,
    id: &TransactionId,
    signatures: &[Signature],
    signers: &Signers,
) -> Result<(), Rejection> {
    let named = signers.named();
    for Signature { signer, key, .. } in signatures {
        let asked = named.iter().any(|s| s.principal == *signer && usize::from(*key) < s.keys.keys.len());
        if !asked {
            return Err(Rejection::SignatureUnexpected { signer: *signer, key: *key });
        }
    }
    let signed = |signer: &Signer| {
        let found = signatures.iter().filter(|signature| signature.signer == signer.principal).count();
        u8::try_from(found).unwrap_or(u8::MAX)
    };
    match signers {
        Signers::All(all) => {
            if let Some(missing) = all.iter().find(|signer| signed(signer) < signer.keys.threshold) {
                let (signer, needed, found) = (missing.principal, missing.keys.threshold, signed(missing));
                return Err(Rejection::SignatureMissing { signer, needed, found });
            }
        }
        Signers::Council(council) => {
            let found = council.iter().filter(|signer| signed(signer) >= signer.keys.threshold).count();
            // Strictly more than two thirds; a council has at most 32 organizations.
            let needed = (council.len().saturating_mul(2) / 3).saturating_add(1);
            if found < needed {
                return Err(Rejection::CouncilQuorumMissing { needed, council: council.len(), found });
            }
        }
    }
    for Signature { signer, key: index, bytes } in signatures {
        let key = named
            .iter()
            .find(|s| s.principal == *signer)
            .and_then(|s| s.keys.keys.get(usize::from(*index)))
            .expect("the first loop found this key");
        if !check.verifies(key, id, bytes) {
            return Err(Rejection::SignatureInvalid { signer: *signer, key: *index });
        }
    }
    Ok(())
}
