//! What every call must satisfy, in the order of section 17.1; and the quotas of 17.2.

use cairn_runtime::SignatureCheck;
use cairn_types::{
    Body, Call, DeviceStatus, Height, KeySet, Principal, PublicKey, Rejection, SignedTransaction, StreamId,
    Transaction, TransactionId,
};

use super::{Flaw, Past};

/// Most bytes of a transaction.
const BYTES_MAX: usize = 32_768;
/// Most signatures on one.
const SIGNATURES_MAX: usize = 64;

/// Somebody who must sign.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who.
    pub principal: Principal,
    /// With how many keys.
    pub threshold: u8,
    /// Of these, by their numbers.
    pub keys: Vec<PublicKey>,
}

impl Asked {
    fn set(principal: Principal, set: &KeySet) -> Self {
        Self { principal, threshold: set.threshold, keys: set.keys.clone() }
    }

    fn key(principal: Principal, key: PublicKey) -> Self {
        Self { principal, threshold: 1, keys: vec![key] }
    }
}

/// Whether a call's place in a stream protects it from being said twice.
fn is_of_stream(call: &Call) -> bool {
    matches!(call, Call::OpenStream(_) | Call::CloseStream(_) | Call::Attest(_))
}

impl Past<'_> {
    pub(super) fn judge(&self, transaction: &SignedTransaction, check: &dyn SignatureCheck) -> Result<(), Rejection> {
        let (body, id) = (transaction.body(), transaction.id());
        self.form(transaction)?;
        self.envelope(body, id)?;
        let asked = self.asked(body)?;
        self.quota(body)?;
        self.call(body, check)?;
        match &body.call {
            Call::Govern(_) => self.council_signed(transaction.transaction(), id, &asked, check),
            _ => Self::signed(transaction.transaction(), id, &asked, check),
        }
    }

    fn form(&self, transaction: &SignedTransaction) -> Result<(), Rejection> {
        let block_bytes_max = usize::try_from(self.parameters().block_bytes_max).expect("a u32 fits");
        let (length, max) = (transaction.bytes().len(), BYTES_MAX.min(block_bytes_max));
        if length > max {
            return Err(Rejection::Oversized { length, max });
        }
        let signatures = &transaction.transaction().signatures;
        if signatures.len() > SIGNATURES_MAX {
            return Err(Rejection::TooManySignatures { count: signatures.len(), max: SIGNATURES_MAX });
        }
        for (index, signature) in signatures.iter().enumerate().skip(1) {
            let before = &signatures[index - 1];
            if (before.signer, before.key) >= (signature.signer, signature.key) {
                return Err(Rejection::SignatureOrder { index });
            }
        }
        Ok(())
    }

    fn envelope(&self, body: &Body, id: TransactionId) -> Result<(), Rejection> {
        let height = self.at.height;
        if body.chain != self.oracle.chain {
            return Err(Rejection::WrongChain { found: body.chain, expected: self.oracle.chain });
        }
        let not_before = body.not_before.height;
        match body.expires {
            None if !is_of_stream(&body.call) => return Err(Rejection::ExpiryMissing { call: body.call.name() }),
            None => {}
            Some(expires) if expires < height => return Err(Rejection::Expired { expires, height }),
            Some(expires) => {
                let lifetime_max = self.parameters().lifetime_max;
                if expires.get() > not_before.get().saturating_add(lifetime_max) {
                    return Err(Rejection::LifetimeTooLong { expires, not_before, lifetime_max });
                }
            }
        }
        let known = usize::try_from(not_before.get()).ok().and_then(|place| self.oracle.blocks.get(place));
        if not_before >= height || known != Some(&body.not_before.hash) {
            return Err(Rejection::NotBeforeUnknown { height: not_before, hash: body.not_before.hash });
        }
        if !is_of_stream(&body.call) && self.each().any(|event| event.id() == id) {
            return Err(Rejection::Duplicate { id });
        }
        Ok(())
    }

    /// Who must sign, in the order of the call's page.
    ///
    /// # Errors
    /// The refusal, if that cannot be told.
    pub fn asked(&self, body: &Body) -> Result<Vec<Asked>, Rejection> {
        let signer = body.signer;
        match &body.call {
            Call::Govern(_) => self.asked_of_council(body),
            Call::RotateOrganizationKeys(call) => {
                let organization = call.organization;
                if signer != Principal::Organization(organization) {
                    return Err(not_entitled(body));
                }
                self.member(&organization)?;
                if call.by_recovery {
                    Ok(vec![self.recovery_set(signer)?])
                } else {
                    Ok(vec![Asked::set(signer, &call.keys)])
                }
            }
            Call::RegisterDevice(call) => {
                let device = Principal::Device(call.inception.id());
                Ok(vec![self.as_now(signer)?, Asked::key(device, call.inception.key)])
            }
            Call::RotateDeviceKey(call) => {
                if signer != Principal::Device(call.device) {
                    return Err(not_entitled(body));
                }
                Ok(vec![Asked::key(signer, call.key)])
            }
            Call::RecoverDeviceKey(call) => {
                Ok(vec![self.as_now(signer)?, Asked::key(Principal::Device(call.device), call.key)])
            }
            Call::CancelRecovery(_) => {
                let Principal::Organization(organization) = signer else { return Err(not_entitled(body)) };
                self.member(&organization)?;
                Ok(vec![self.recovery_set(signer)?])
            }
            _ => Ok(vec![self.as_now(signer)?]),
        }
    }

    fn recovery_set(&self, signer: Principal) -> Result<Asked, Rejection> {
        let Principal::Organization(organization) = signer else { unreachable!("only organizations have one") };
        let known = self.organization(&organization);
        let set = known.and_then(|(_, inception, _)| inception.recovery.as_ref());
        set.map(|set| Asked::set(signer, set)).ok_or(Rejection::RecoverySetMissing { organization })
    }

    /// A principal with its current keys.
    pub(super) fn as_now(&self, signer: Principal) -> Result<Asked, Rejection> {
        match signer {
            Principal::Organization(organization) => {
                self.member(&organization)?;
                let keys = self.organization_keys(&organization);
                keys.map(|(set, _)| Asked::set(signer, set)).ok_or(Rejection::OrganizationUnknown { organization })
            }
            Principal::Device(device) => {
                let status = self.status(&device).ok_or(Rejection::DeviceUnknown { device })?;
                if status != DeviceStatus::Active {
                    return Err(Rejection::DeviceStatusForbids { device, status });
                }
                let key = self.key(&device).ok_or(Rejection::DeviceUnknown { device })?;
                Ok(Asked::key(signer, key.value.key))
            }
        }
    }

    fn quota(&self, body: &Body) -> Result<(), Rejection> {
        for (principal, quota) in self.quotas(body.signer, &body.call) {
            let bound = if is_protective(&body.call) { quota } else { quota - quota / 10 };
            if quota > 0 && self.used(principal) >= bound {
                let until = (self.window() + 1) * self.parameters().quota_window;
                return Err(Rejection::QuotaExceeded { principal, quota: bound, until: Height::new(until) });
            }
        }
        Ok(())
    }

    fn signed(
        transaction: &Transaction,
        id: TransactionId,
        asked: &[Asked],
        check: &dyn SignatureCheck,
    ) -> Result<(), Rejection> {
        let mut keys = Vec::new();
        for signature in &transaction.signatures {
            keys.push(key_of(asked, signature.signer, signature.key)?);
        }
        for Asked { principal, threshold, .. } in asked {
            let found = transaction.signatures.iter().filter(|signature| signature.signer == *principal).count();
            if found < usize::from(*threshold) {
                let found = u8::try_from(found).expect("fewer than a threshold of 255");
                return Err(Rejection::SignatureMissing { signer: *principal, needed: *threshold, found });
            }
        }
        verify(transaction, id, &keys, check)
    }

    fn council_signed(
        &self,
        transaction: &Transaction,
        id: TransactionId,
        asked: &[Asked],
        check: &dyn SignatureCheck,
    ) -> Result<(), Rejection> {
        let mut keys = Vec::new();
        for signature in &transaction.signatures {
            keys.push(key_of(asked, signature.signer, signature.key)?);
        }
        let signed = |member: &&Asked| {
            let count = transaction.signatures.iter().filter(|signature| signature.signer == member.principal).count();
            count >= usize::from(member.threshold)
        };
        let (found, council) = (asked.iter().filter(signed).count(), asked.len());
        let exactly_two_thirds = self.oracle.flaw == Flaw::TakesTwoThirds && 3 * found == 2 * council;
        if 3 * found <= 2 * council && !exactly_two_thirds {
            let needed = (0..).find(|needed| 3 * needed > 2 * council).expect("some number is more");
            return Err(Rejection::CouncilQuorumMissing { needed, council, found });
        }
        verify(transaction, id, &keys, check)
    }
}

fn key_of(asked: &[Asked], signer: Principal, key: u8) -> Result<PublicKey, Rejection> {
    let who = asked.iter().find(|asked| asked.principal == signer);
    let known = who.and_then(|asked| asked.keys.get(usize::from(key)));
    known.copied().ok_or(Rejection::SignatureUnexpected { signer, key })
}

fn verify(
    transaction: &Transaction,
    id: TransactionId,
    keys: &[PublicKey],
    check: &dyn SignatureCheck,
) -> Result<(), Rejection> {
    for (signature, key) in transaction.signatures.iter().zip(keys) {
        if !check.verifies(key, &id, &signature.bytes) {
            return Err(Rejection::SignatureInvalid { signer: signature.signer, key: signature.key });
        }
    }
    Ok(())
}

/// Calls that take authority away or stop harm.
fn is_protective(call: &Call) -> bool {
    match call {
        Call::RotateOrganizationKeys(_)
        | Call::DistrustLot(_)
        | Call::RotateDeviceKey(_)
        | Call::RecoverDeviceKey(_)
        | Call::CancelRecovery(_)
        | Call::SetDeviceStatus(_)
        | Call::RevokeGrant(_)
        | Call::CloseStream(_)
        | Call::ReportFork(_) => true,
        Call::Govern(_)
        | Call::EndorseLot(_)
        | Call::RegisterDevice(_)
        | Call::OfferDevice(_)
        | Call::AcceptDevice(_)
        | Call::PlaceDevice(_)
        | Call::Grant(_)
        | Call::OpenStream(_)
        | Call::Attest(_)
        | Call::Supersede(_) => false,
    }
}

/// The signer may not make this call.
pub(super) fn not_entitled(body: &Body) -> Rejection {
    Rejection::SignerNotEntitled { signer: body.signer, call: body.call.name(), needed: "" }
}

/// Which stream a device's call of that name opens.
pub(super) fn stream_of(signer: Principal, name: &cairn_types::Name) -> Option<StreamId> {
    match signer {
        Principal::Device(device) => Some(StreamId::of(&device, name)),
        Principal::Organization(_) => None,
    }
}
