//! What each call must satisfy besides: sections 17.5 to 17.10, in the order of the text.

use cairn_runtime::SignatureCheck;
use cairn_types::call::{
    AcceptDevice, Attest, Grant, OfferDevice, OpenStream, PlaceDevice, RecoverDeviceKey, RegisterDevice, ReportFork,
    RevokeGrant, RotateDeviceKey, RotateOrganizationKeys, SetDeviceStatus, Supersede,
};
use cairn_types::grant::Dimension;
use cairn_types::lot::{CertificateEndorsement, Endorsement, LotBasis, LotEndorsement, endorsement_message};
use cairn_types::{
    Action, Actions, AttestationRef, Body, Call, DeviceId, DeviceStatus, Grantee, Hash, OrganizationId, Position,
    Principal, PublicKey, Rejection, Role, Scope, StreamId, Transaction, TransactionId, Zone,
};

use super::authority::Thing;
use super::governance::can_be_shown;
use super::rules::{not_entitled, stream_of};
use super::{GoodChain, Past};

/// Most bytes of a lot's label, of a device's model and of a serial number.
const TEXT_BYTES_MAX: usize = 64;
/// Most sources of an attestation.
const SOURCES_MAX: usize = 32;
/// How deep a grant may be passed on at most.
const DEPTH_MAX: u8 = 7;
/// Grants on the longest path.
const PATH_MAX: usize = 8;
/// Most bytes of a transaction in evidence.
const EVIDENCE_BYTES_MAX: usize = 32_768;

type Ruling = Result<(), Rejection>;

fn field(field: &'static str) -> Ruling {
    Err(Rejection::FieldInvalid { field, reason: "" })
}

const NO_FORK: Rejection = Rejection::ForkNotShown { reason: "" };
const BAD_DOUBT: Rejection = Rejection::SuspectSinceInvalid { reason: "" };
const BAD_ENDORSEMENT: Rejection = Rejection::EndorsementInvalid { reason: "" };
const BAD_REPLACEMENT: Rejection = Rejection::ReplacementInvalid { reason: "" };

/// Refused with `otherwise` unless it holds.
fn must(holds: bool, otherwise: Rejection) -> Ruling {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// Whether doubt would grow.
fn moves_earlier(since: Option<Position>, known: Option<Position>) -> bool {
    match (since, known) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(since), Some(known)) => since < known,
    }
}

/// A transaction in the evidence of a fork, and its attestation.
pub(super) fn evidence(bytes: &[u8]) -> Result<(Transaction, Attest), Rejection> {
    let transaction: Transaction = cairn_types::codec::decode(bytes, EVIDENCE_BYTES_MAX).map_err(|_| NO_FORK)?;
    match &transaction.body.call {
        Call::Attest(attest) => {
            let attest = attest.clone();
            Ok((transaction, attest))
        }
        _ => Err(NO_FORK),
    }
}

impl Past<'_> {
    pub(super) fn call(&self, body: &Body, check: &dyn SignatureCheck) -> Ruling {
        match &body.call {
            Call::Govern(call) => self.measure(&call.measure),
            Call::RotateOrganizationKeys(call) => self.rotate_organization(call),
            Call::EndorseLot(call) => {
                let Principal::Organization(organization) = body.signer else { return Err(not_entitled(body)) };
                let (_, _, roles) = self.organization(&organization).expect("it was looked up");
                let role = Role::Manufacturer;
                must(roles.contains(role), Rejection::RoleMissing { organization, role })?;
                if !can_be_shown(&call.label, TEXT_BYTES_MAX) {
                    return field("label");
                }
                match &call.basis {
                    LotBasis::Merkle { count: 0, .. } => field("basis.count"),
                    LotBasis::Merkle { .. } => Ok(()),
                    LotBasis::Issuer { key } => key.check().map_err(|reason| Rejection::KeyInvalid { reason }),
                }
            }
            Call::DistrustLot(call) => {
                let lot = call.lot;
                let (maker, _) = self.lot(&lot).ok_or(Rejection::LotUnknown { lot })?;
                must(body.signer == Principal::Organization(maker), not_entitled(body))?;
                must(call.suspect_since.is_none_or(|since| since <= self.at), BAD_DOUBT)?;
                let first = self.distrusted(&lot).is_none();
                let grows = moves_earlier(call.suspect_since, self.lot_doubt(&lot));
                must(first || grows, Rejection::LotDistrustedAlready { lot })
            }
            Call::RegisterDevice(call) => self.register(body, call),
            Call::RotateDeviceKey(call) => self.rotate_device(call),
            Call::RecoverDeviceKey(call) => self.recover(body, call),
            Call::CancelRecovery(call) => {
                let device = call.device;
                self.owned_by(&device, body)?;
                must(self.recovery_pending(&device).is_some(), Rejection::RecoveryNotPending { device })
            }
            Call::OfferDevice(call) => self.offer_device(body, call),
            Call::AcceptDevice(call) => self.accept_device(body, call),
            Call::PlaceDevice(call) => self.place_device(body, call),
            Call::SetDeviceStatus(call) => self.set_status(body, call),
            Call::Grant(call) => self.give(body, call),
            Call::RevokeGrant(call) => self.revoke(body, call),
            Call::OpenStream(call) => self.open(body, call),
            Call::CloseStream(call) => self.own_open_stream(body, &call.stream).map(|_| ()),
            Call::Attest(call) => self.attest(body, call),
            Call::Supersede(call) => self.supersede(body, call),
            Call::ReportFork(call) => self.report(call, check),
        }
    }

    fn new_key(&self, key: &PublicKey) -> Ruling {
        key.check().map_err(|reason| Rejection::KeyInvalid { reason })?;
        self.unused(key)
    }

    fn unused(&self, key: &PublicKey) -> Ruling {
        self.user_of(key).map_or(Ok(()), |by| Err(Rejection::KeyUsed { by }))
    }

    fn rotate_organization(&self, call: &RotateOrganizationKeys) -> Ruling {
        let organization = call.organization;
        call.keys.check().map_err(|reason| Rejection::KeySetInvalid { reason })?;
        let (_, committed) = self.organization_keys(&organization).expect("it was looked up");
        if !call.by_recovery {
            must(committed == Some(call.keys.commitment()), Rejection::KeySetNotCommitted { organization })?;
        }
        call.keys.keys.iter().try_for_each(|key| self.unused(key))
    }

    fn known_device(&self, device: &DeviceId) -> Ruling {
        must(self.registration(device).is_some(), Rejection::DeviceUnknown { device: *device })
    }

    /// The device is known, and the signer owns it.
    fn owned_by(&self, device: &DeviceId, body: &Body) -> Ruling {
        self.known_device(device)?;
        let owner = self.owner(device).expect("a device has an owner");
        must(body.signer == Principal::Organization(owner.value), not_entitled(body))
    }

    fn not_final(&self, device: &DeviceId) -> Ruling {
        let status = self.status(device).expect("a device has a status");
        must(!status.is_final(), Rejection::DeviceStatusForbids { device: *device, status })
    }

    fn register(&self, body: &Body, call: &RegisterDevice) -> Ruling {
        let (device, owner) = (call.inception.id(), call.owner);
        if !can_be_shown(&call.inception.model, TEXT_BYTES_MAX) {
            return field("inception.model");
        }
        self.member(&owner)?;
        must(self.registration(&device).is_none(), Rejection::DeviceExists { device })?;
        self.new_key(&call.inception.key)?;
        native(&call.zone, owner)?;
        self.entitled(body.signer, Action::Register, &self.place(&call.zone), call.authority)?;
        call.endorsement.as_ref().map_or(Ok(()), |endorsement| self.endorsed(endorsement, call, device))
    }

    fn endorsed(&self, endorsement: &Endorsement, call: &RegisterDevice, device: DeviceId) -> Ruling {
        let lot = endorsement.lot();
        let (maker, endorsed) = self.lot(&lot).ok_or(Rejection::LotUnknown { lot })?;
        must(self.distrusted(&lot).is_none(), Rejection::LotDistrusted { lot })?;
        self.member(&maker)?;
        match (endorsement, endorsed.basis) {
            (Endorsement::Lot(shown), LotBasis::Merkle { root, count }) => {
                let serial = &shown.serial;
                if serial.is_empty() || !can_be_shown(serial, TEXT_BYTES_MAX) {
                    return field("endorsement.serial");
                }
                let item = shown.leaf(device).item();
                must(stands_in(item, shown, root, count), BAD_ENDORSEMENT)?;
            }
            (Endorsement::Certificate(shown), LotBasis::Issuer { key }) => {
                let chain = self.good_chain(shown).filter(|chain| chain.issuer == key).ok_or(BAD_ENDORSEMENT)?;
                let agreed = match &shown.signature {
                    None => chain.certified == call.inception.key,
                    Some(signature) => {
                        chain.certified != call.inception.key
                            && chain.certified.verify(&endorsement_message(&device), signature).is_ok()
                    }
                };
                must(agreed, BAD_ENDORSEMENT)?;
            }
            _ => return Err(BAD_ENDORSEMENT),
        }
        let claim = self.claim_of(endorsement, device).expect("it was found good");
        self.claimed(&lot, &claim).map_or(Ok(()), |by| Err(Rejection::LotPlaceClaimed { lot, by }))
    }

    fn good_chain(&self, shown: &CertificateEndorsement) -> Option<&'static GoodChain> {
        self.oracle.good_chains.iter().find(|chain| chain.certificates == shown.chain)
    }

    /// What a device claims with an endorsement: a leaf's item, or the commitment of a certified key.
    pub(super) fn claim_of(&self, endorsement: &Endorsement, device: DeviceId) -> Option<Hash> {
        match endorsement {
            Endorsement::Lot(shown) => Some(shown.leaf(device).item()),
            Endorsement::Certificate(shown) => Some(self.good_chain(shown)?.certified.commitment().hash()),
        }
    }

    /// The serial number that an endorsement gives.
    pub fn serial_of(&self, endorsement: &Endorsement) -> Option<String> {
        match endorsement {
            Endorsement::Lot(shown) => Some(shown.serial.clone()),
            Endorsement::Certificate(shown) => Some(self.good_chain(shown)?.serial.clone()),
        }
    }

    fn rotate_device(&self, call: &RotateDeviceKey) -> Ruling {
        let device = call.device;
        self.known_device(&device)?;
        self.not_final(&device)?;
        let committed = self.key(&device).expect("a device has a key").value.next;
        must(call.key.commitment() == committed, Rejection::KeyNotCommitted { device })?;
        self.new_key(&call.key)
    }

    fn recover(&self, body: &Body, call: &RecoverDeviceKey) -> Ruling {
        let device = call.device;
        self.owned_by(&device, body)?;
        self.not_final(&device)?;
        if let Some(pending) = self.recovery_pending(&device) {
            return Err(Rejection::RecoveryPending { device, effective: pending.effective });
        }
        self.new_key(&call.key)?;
        let since_key = self.key(&device).expect("a device has a key").from;
        let since_owner = self.owner(&device).expect("a device has an owner").from;
        let sound = |since: Position| since <= self.at && since >= since_key && since >= since_owner;
        must(call.suspect_since.is_none_or(sound), BAD_DOUBT)
    }

    fn offer_device(&self, body: &Body, call: &OfferDevice) -> Ruling {
        let device = call.device;
        self.owned_by(&device, body)?;
        self.not_final(&device)?;
        let offered = self.offer(&device);
        let invalid = Rejection::OfferInvalid { device, reason: "" };
        match call.to {
            None => must(offered.is_some(), Rejection::DeviceNotOffered { device }),
            Some(to) => {
                must(body.signer != Principal::Organization(to), invalid.clone())?;
                self.member(&to)?;
                must(offered != Some(to), invalid)
            }
        }
    }

    fn accept_device(&self, body: &Body, call: &AcceptDevice) -> Ruling {
        let device = call.device;
        self.known_device(&device)?;
        match (self.offer(&device), body.signer) {
            (Some(to), Principal::Organization(signer)) if to == signer => {
                self.not_final(&device)?;
                native(&call.zone, signer)
            }
            _ => Err(Rejection::DeviceNotOffered { device }),
        }
    }

    fn place_device(&self, body: &Body, call: &PlaceDevice) -> Ruling {
        let device = call.device;
        self.known_device(&device)?;
        self.not_final(&device)?;
        let here = self.thing(&Scope::Device(device)).expect("a device has an owner and a place");
        native(&call.zone, here.owner)?;
        must(call.zone != here.zone, Rejection::PlacementUnchanged { device })?;
        let there = Thing { zone: call.zone.clone(), ..here.clone() };
        self.entitled(body.signer, Action::Place, &here, call.authority)?;
        self.entitled(body.signer, Action::Place, &there, call.authority)
    }

    fn set_status(&self, body: &Body, call: &SetDeviceStatus) -> Ruling {
        let device = call.device;
        self.known_device(&device)?;
        let itself = body.signer == Principal::Device(device) && call.status == DeviceStatus::Suspended;
        if !itself {
            self.owned_by(&device, body)?;
        }
        let owner = self.owner(&device).expect("a device has an owner");
        if let Some(since) = call.suspect_since {
            let sound = call.status == DeviceStatus::Revoked && since <= self.at && since >= owner.from;
            must(sound, BAD_DOUBT)?;
        }
        let (from, to) = (self.status(&device).expect("a device has a status"), call.status);
        if from == DeviceStatus::Revoked && to == DeviceStatus::Revoked {
            return must(moves_earlier(call.suspect_since, self.status_doubt(&device)), BAD_DOUBT);
        }
        must(!from.is_final() && from != to, Rejection::StatusTransition { device, from, to })
    }

    fn give(&self, body: &Body, call: &Grant) -> Ruling {
        if call.actions == Actions::default() {
            return field("actions");
        }
        if call.window.to.is_some_and(|to| to <= call.window.from) {
            return field("window");
        }
        if (call.depth > 0) != call.actions.contains(Action::Delegate) || call.depth > DEPTH_MAX {
            return field("depth");
        }
        match &call.grantee {
            Grantee::Organization(id) => self.known(id)?,
            Grantee::Device(id) => self.known_device(id)?,
            Grantee::Zone(zone) => self.known(&zone.organization)?,
        }
        match &call.scope {
            Scope::Zone(zone) => self.known(&zone.organization)?,
            Scope::Device(id) => self.known_device(id)?,
            Scope::Stream(id) => must(self.stream(id).is_some(), Rejection::StreamUnknown { stream: *id })?,
        }
        let thing = self.thing(&call.scope).expect("the scope is known");
        let Some(grant) = call.parent else {
            return self.entitled(body.signer, Action::Delegate, &thing, None);
        };
        let path = self.path(grant)?;
        must(path.len() < PATH_MAX, Rejection::GrantPathTooLong { grant, max: PATH_MAX })?;
        self.entitled(body.signer, Action::Delegate, &thing, Some(grant))?;
        let above = path[0].1.terms;
        let exceeded = |dimension| Rejection::GrantExceeded { grant, dimension };
        must(call.actions.iter().all(|action| above.actions.contains(action)), exceeded(Dimension::Action))?;
        must(call.depth < above.depth, exceeded(Dimension::Depth))?;
        let end = |to: Option<cairn_types::Height>| to.map_or(u128::MAX, |to| u128::from(to.get()));
        let within = call.window.from >= above.window.from && end(call.window.to) <= end(above.window.to);
        must(within, exceeded(Dimension::Window))
    }

    fn revoke(&self, body: &Body, call: &RevokeGrant) -> Ruling {
        let grant = call.grant;
        let path = self.path(grant)?;
        let scope = &path[0].1.terms.scope;
        let thing = self.thing(scope).expect("what a grant is over stays known");
        let gave = path.iter().any(|(_, given)| given.grantor == body.signer);
        must(gave || body.signer == Principal::Organization(thing.owner), not_entitled(body))?;
        let over_one = !matches!(scope, Scope::Zone(_));
        let sound = |since: Position| since <= self.at && (gave || !over_one || since >= thing.since);
        must(call.suspect_since.is_none_or(sound), BAD_DOUBT)?;
        let first = self.revoked(&grant).is_none();
        let grows = moves_earlier(call.suspect_since, self.grant_doubt(&grant));
        must(first || grows, Rejection::GrantRevokedAlready { grant })
    }

    fn open(&self, body: &Body, call: &OpenStream) -> Ruling {
        let (Some(stream), Principal::Device(device)) = (stream_of(body.signer, &call.name), body.signer) else {
            return Err(not_entitled(body));
        };
        if call.cadence_s == Some(0) {
            return field("cadence_s");
        }
        must(self.stream(&stream).is_none(), Rejection::StreamExists { stream })?;
        let itself = self.thing(&Scope::Device(device)).expect("it was looked up");
        let thing = Thing { stream: Some(stream), ..itself };
        self.entitled(body.signer, Action::Attest, &thing, Some(call.authority))
    }

    /// The stream is the signer's, and takes more.
    fn own_open_stream(&self, body: &Body, stream: &StreamId) -> Result<TransactionId, Rejection> {
        let stream = *stream;
        let Principal::Device(signer) = body.signer else { return Err(not_entitled(body)) };
        let (device, _, opening, _) = self.stream(&stream).ok_or(Rejection::StreamUnknown { stream })?;
        must(device == signer, not_entitled(body))?;
        let ended = self.closed(&stream).is_some() || self.forked_at(&stream).is_some();
        must(!ended, Rejection::StreamEnded { stream })?;
        Ok(opening)
    }

    fn attest(&self, body: &Body, call: &Attest) -> Ruling {
        let stream = call.stream;
        let opening = self.own_open_stream(body, &stream)?;
        let said = self.said(&stream);
        let expected = said.len() as u64;
        must(call.sequence == expected, Rejection::SequenceNotNext { stream, expected, found: call.sequence })?;
        let expected = said.last().map_or(opening, |said| said.id);
        must(call.previous == expected, Rejection::PreviousNotHead { stream, expected, found: call.previous })?;
        if call.claimed.is_some_and(|claimed| claimed.to_ms < claimed.from_ms) {
            return field("claimed");
        }
        let sources = &call.derived_from;
        if sources.len() > SOURCES_MAX || sources.windows(2).any(|pair| pair[0] >= pair[1]) {
            return field("derived_from");
        }
        let missing = sources.iter().find(|source| source.sequence >= self.count(&source.stream));
        if let Some(attestation) = missing {
            return Err(Rejection::SourceUnknown { attestation: *attestation });
        }
        let thing = self.thing(&Scope::Stream(stream)).expect("it was looked up");
        self.entitled(body.signer, Action::Attest, &thing, Some(call.authority))
    }

    fn supersede(&self, body: &Body, call: &Supersede) -> Ruling {
        let AttestationRef { stream, sequence } = call.target;
        let (device, ..) = self.stream(&stream).ok_or(Rejection::StreamUnknown { stream })?;
        let owner = self.owner(&device).expect("a device has an owner");
        let may = body.signer == Principal::Device(device) || body.signer == Principal::Organization(owner.value);
        must(may, not_entitled(body))?;
        let attestation = call.target;
        let said = self.said(&stream);
        let place = usize::try_from(sequence).ok();
        let target = place.and_then(|place| said.get(place)).ok_or(Rejection::AttestationUnknown { attestation })?;
        must(target.at >= owner.from, Rejection::AttestationOfEarlierOwner { attestation })?;
        must(!self.superseded(&attestation), Rejection::SupersededAlready { attestation })?;
        let Some(replacement) = call.replacement else { return Ok(()) };
        let stream = replacement.stream;
        let (by, ..) = self.stream(&stream).ok_or(Rejection::StreamUnknown { stream })?;
        must(by == device, BAD_REPLACEMENT)?;
        let known = replacement.sequence < self.count(&stream);
        must(known, Rejection::AttestationUnknown { attestation: replacement })?;
        must(stream != attestation.stream || replacement.sequence > sequence, BAD_REPLACEMENT)
    }

    fn report(&self, call: &ReportFork, check: &dyn SignatureCheck) -> Ruling {
        let both = [evidence(&call.first)?, evidence(&call.second)?];
        for (transaction, _) in &both {
            let of_device = matches!(transaction.body.signer, Principal::Device(_));
            must(of_device && transaction.body.chain == self.oracle.chain, NO_FORK)?;
        }
        let [(first, one), (second, other)] = &both;
        let place = |attest: &Attest| (attest.stream, attest.sequence);
        let same = first.body.signer == second.body.signer && place(one) == place(other);
        must(same && one.content.hash != other.content.hash && first.body.id() < second.body.id(), NO_FORK)?;
        let (stream, sequence) = place(one);
        let (device, ..) = self.stream(&stream).ok_or(Rejection::StreamUnknown { stream })?;
        must(first.body.signer == Principal::Device(device), NO_FORK)?;
        if let Some(at) = self.forked_at(&stream).filter(|at| *at <= sequence) {
            return Err(Rejection::ForkKnown { stream, at });
        }
        must(self.status(&device).is_some_and(|status| !status.is_final()), NO_FORK)?;
        let key = self.key(&device).expect("a device has a key").value.key;
        for (transaction, _) in &both {
            let [signature] = transaction.signatures.as_slice() else { return Err(NO_FORK) };
            let by_device = signature.signer == Principal::Device(device) && signature.key == 0;
            must(by_device && check.verifies(&key, &transaction.body.id(), &signature.bytes), NO_FORK)?;
        }
        Ok(())
    }
}

/// Refused unless the zone is in the owner's namespace.
fn native(zone: &Zone, owner: OrganizationId) -> Ruling {
    let organization = zone.organization;
    must(organization == owner, Rejection::ZoneForeign { organization, owner })
}

/// Whether a leaf stands where an endorsement says: from the root downwards, half by half, as section 8 makes the tree.
fn stands_in(item: Hash, shown: &LotEndorsement, root: Hash, count: u32) -> bool {
    let leaf = Hash::plain(&[&[0x10], &item.as_bytes()[..]].concat());
    let top = subtree(leaf, u64::from(shown.index), u64::from(count), &shown.siblings);
    top.is_some_and(|top| Hash::plain(&[&[0x12], &u64::from(count).to_le_bytes()[..], top.as_bytes()].concat()) == root)
}

fn subtree(leaf: Hash, index: u64, count: u64, siblings: &[Hash]) -> Option<Hash> {
    if index >= count {
        return None;
    }
    if count == 1 {
        return siblings.is_empty().then_some(leaf);
    }
    let (sibling, below) = siblings.split_last()?;
    let left = (0..).map(|power| 1_u64 << power).take_while(|size| *size < count).last().expect("1 is below the count");
    let node = |left: Hash, right: Hash| Hash::plain(&[&[0x11], &left.as_bytes()[..], right.as_bytes()].concat());
    if index < left {
        subtree(leaf, index, left, below).map(|own| node(own, *sibling))
    } else {
        subtree(leaf, index - left, count - left, below).map(|own| node(*sibling, own))
    }
}
