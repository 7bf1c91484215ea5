//! Every rule that refuses, refused once: each case names the rejection it expects, and the table shows that none of the
//! rejections is without a case.

use cairn_types::call::{CancelRecovery, CloseStream, DistrustLot, Grant, OpenStream};
use cairn_types::governance::Measure;
use cairn_types::limits::{GRANT_PATH_MAX, SIGNATURES_MAX, TRANSACTION_BYTES_MAX};
use cairn_types::lot::LotBasis;
use cairn_types::{
    Action, AttestationRef, Call, ChainId, DeviceStatus, Grantee, Hash, Height, KeySet, LotId, Parameters, PublicKey,
    Rejection, Role, Scope, SignatureBytes, SignedTransaction, TransactionId, Window, state_key,
};

use super::world::{
    Actor, Device, Key, accept, endorse, give, govern, offer, open, place, recover, register, revoke, rotate,
    set_status,
};
use crate::{CheckDirectly, InvalidBlock, execute, state};

mod scene;

use scene::{Scene, no_grant, nobody};

/// What the node refuses before the rules see it, or for reasons of its own.
const OF_THE_NODE: [&str; 2] = ["Malformed", "Busy"];

type Case = (&'static str, &'static str, fn(&mut Scene) -> SignedTransaction);

/// Rejection, what is tried, and how.
const CASES: &[Case] = &[
    ("Oversized", "a transaction larger than any may be", |s| {
        let sources = AttestationRef { stream: s.flow, sequence: 0 };
        s.attest(|attest| attest.derived_from = vec![sources; TRANSACTION_BYTES_MAX / 40])
    }),
    ("WrongChain", "a transaction of another network", |s| {
        s.with_body(|body| body.chain = ChainId::from_hash(Hash::plain(b"another network")))
    }),
    ("Duplicate", "the same transaction again", |s| {
        let transaction = s.by_works(s.move_south());
        s.world.offer(transaction.clone()).expect("the first time");
        transaction
    }),
    ("Expired", "a transaction that came too late", |s| {
        let transaction = s.with_body(|body| body.expires = Some(body.not_before.height));
        s.world.idle(1);
        transaction
    }),
    ("ExpiryMissing", "a placement that never expires", |s| s.with_body(|body| body.expires = None)),
    ("LifetimeTooLong", "an expiry beyond what ids are remembered for", |s| {
        let longest = s.world.parameters.lifetime_max;
        s.with_body(|body| body.expires = Some(Height::new(body.not_before.height.get() + longest + 1)))
    }),
    ("LifetimeTooLong", "an attestation with an expiry at the end of time", |s| {
        let mut body = s.world.body(&s.meter.actor(), s.world.next(s.flow, "day 1", s.grant));
        body.expires = Some(Height::new(u64::MAX));
        s.world.sign(&[&s.meter.actor()], body)
    }),
    ("NotBeforeUnknown", "a not_before whose hash is another block's", |s| {
        let other = s.world.block_ref(0).hash;
        s.with_body(|body| body.not_before.hash = other)
    }),
    ("NotBeforeUnknown", "a not_before that is not final yet", |s| {
        let height = s.world.height();
        s.with_body(|body| body.not_before.height = height)
    }),
    ("FieldInvalid", "a model with a line break in it", |s| {
        let mut call = register(&Device::called("valve"), &s.works, s.world.zone("north"));
        let Call::RegisterDevice(register) = &mut call else { unreachable!("register makes a registration") };
        register.inception.model = "FM\n100".to_owned();
        s.by_works(call)
    }),
    ("FieldInvalid", "a grant of nothing", |s| s.grant(|terms| terms.actions = [].into_iter().collect())),
    ("FieldInvalid", "a window that ends where it begins", |s| {
        let at = Height::new(9);
        s.grant(|terms| terms.window = Window { from: at, to: Some(at) })
    }),
    ("FieldInvalid", "depth without delegate", |s| s.grant(|terms| terms.depth = 1)),
    ("FieldInvalid", "delegate without depth", |s| {
        s.grant(|terms| terms.actions = [Action::Attest, Action::Delegate].into_iter().collect())
    }),
    ("FieldInvalid", "more depth than a path may have links", |s| {
        s.grant(|terms| {
            terms.actions = [Action::Attest, Action::Delegate].into_iter().collect();
            terms.depth = 8;
        })
    }),
    ("FieldInvalid", "a stream with a cadence of no time at all", |s| {
        let Call::OpenStream(call) = open("level", s.grant) else { unreachable!("open makes an opening") };
        s.by_meter(Call::OpenStream(OpenStream { cadence_s: Some(0), ..call }))
    }),
    ("FieldInvalid", "a measurement that ended before it began", |s| {
        s.attest(|attest| attest.claimed = Some(cairn_types::ClaimedTime { from_ms: 1, to_ms: 0 }))
    }),
    ("FieldInvalid", "the same source twice", |s| {
        let source = AttestationRef { stream: s.flow, sequence: 0 };
        s.attest(|attest| attest.derived_from = vec![source; 2])
    }),
    ("FieldInvalid", "33 sources", |s| {
        let stream = s.flow;
        let sources = (0..33).map(|sequence| AttestationRef { stream, sequence });
        s.attest(|attest| attest.derived_from = sources.collect())
    }),
    ("TooManySignatures", "65 signatures", |s| {
        s.with_signatures(|transaction| {
            let one = transaction.signatures[0].clone();
            transaction.signatures =
                (0..=SIGNATURES_MAX).map(|key| cairn_types::Signature { key: key as u8, ..one.clone() }).collect();
        })
    }),
    ("SignatureOrder", "a signature twice", |s| {
        s.with_signatures(|transaction| transaction.signatures.extend(transaction.signatures.clone()))
    }),
    ("SignatureOrder", "signatures in the wrong order", |s| {
        let valve = Device::called("valve");
        let call = register(&valve, &s.works, s.world.zone("north"));
        let mut transaction = s.world.transaction(&[&s.works, &valve.actor()], call).transaction().clone();
        transaction.signatures.reverse();
        SignedTransaction::new(transaction)
    }),
    ("SignatureMissing", "no signature at all", |s| s.with_signatures(|transaction| transaction.signatures.clear())),
    ("SignatureMissing", "a registration that the device's key did not sign", |s| {
        s.by_works(register(&Device::called("valve"), &s.works, s.world.zone("north")))
    }),
    ("SignatureUnexpected", "somebody else signs as well", |s| {
        s.world.transaction(&[&s.works, &s.contractor], s.move_south())
    }),
    ("SignatureUnexpected", "a second key of somebody who has one", |s| {
        s.with_signatures(|transaction| transaction.signatures[0].key = 1)
    }),
    ("SignatureInvalid", "a flipped bit", |s| {
        s.with_signatures(|transaction| {
            let (SignatureBytes::Ed25519(bytes) | SignatureBytes::P256(bytes)) = &mut transaction.signatures[0].bytes;
            bytes[40] ^= 1;
        })
    }),
    ("SignatureInvalid", "a stranger's signature in the owner's name", |s| {
        let thief = s.contractor.posing_as(s.works.principal);
        s.world.transaction(&[&thief], s.move_south())
    }),
    ("SignerNotEntitled", "the owner rotates a device's key", |s| s.by_works(rotate(&s.meter, 1))),
    ("SignerNotEntitled", "a stranger suspends a device", |s| {
        s.by_contractor(set_status(&s.meter, DeviceStatus::Suspended, None))
    }),
    ("SignerNotEntitled", "the grantee's organization revokes a grant", |s| s.by_contractor(revoke(s.grant))),
    ("SignerNotEntitled", "the owner opens a stream for a device", |s| s.by_works(open("level", s.grant))),
    ("SignerNotEntitled", "one device speaks in another's stream", |s| {
        let valve = s.world.registered("valve", "north");
        let call = s.world.next(s.flow, "day 1", s.grant);
        s.world.transaction(&[&valve.actor()], call)
    }),
    ("OrganizationUnknown", "an organization that does not exist signs", |s| {
        let principal = cairn_types::Principal::Organization(nobody());
        let ghost = s.works.posing_as(principal);
        s.world.transaction(&[&ghost], s.move_south())
    }),
    ("OrganizationUnknown", "a device for an organization that does not exist", |s| {
        let mut call = register(&Device::called("valve"), &s.works, s.world.zone("north"));
        let Call::RegisterDevice(register) = &mut call else { unreachable!("register makes a registration") };
        register.owner = nobody();
        s.by_works(call)
    }),
    ("OrganizationUnknown", "a grant to an organization that does not exist", |s| {
        s.grant(|terms| terms.grantee = Grantee::Organization(nobody()))
    }),
    ("DeviceUnknown", "a device that was never registered is moved", |s| {
        s.by_works(place(&Device::called("ghost"), s.world.zone("north"), None))
    }),
    ("DeviceUnknown", "a device that was never registered speaks", |s| {
        s.world.transaction(&[&Device::called("ghost").actor()], open("level", s.grant))
    }),
    ("DeviceUnknown", "a grant over a device that was never registered", |s| {
        s.grant(|terms| terms.scope = Scope::Device(Device::called("ghost").id))
    }),
    ("DeviceUnknown", "a grant to a device that was never registered", |s| {
        s.grant(|terms| terms.grantee = Grantee::Device(Device::called("ghost").id))
    }),
    ("DeviceUnknown", "a device that was never registered is revoked", |s| {
        s.by_works(set_status(&Device::called("ghost"), DeviceStatus::Revoked, None))
    }),
    ("DeviceUnknown", "a device that was never registered rotates", |s| {
        let ghost = Device::called("ghost");
        s.world.transaction(&[&ghost.in_epoch(1)], rotate(&ghost, 1))
    }),
    ("DeviceExists", "a device is registered again", |s| {
        let call = register(&s.meter, &s.works, s.world.zone("south"));
        s.world.transaction(&[&s.works, &s.meter.actor()], call)
    }),
    ("DeviceStatusForbids", "a suspended device attests", |s| {
        let suspend = set_status(&s.meter, DeviceStatus::Suspended, None);
        s.world.submit(&[&s.works], suspend).expect("the owner suspends");
        s.attest(|_| ())
    }),
    ("DeviceStatusForbids", "a revoked device is moved", |s| {
        let revoke = set_status(&s.meter, DeviceStatus::Revoked, None);
        s.world.submit(&[&s.works], revoke).expect("the owner revokes");
        s.by_works(s.move_south())
    }),
    ("StatusTransition", "an active device is activated", |s| {
        s.by_works(set_status(&s.meter, DeviceStatus::Active, None))
    }),
    ("StatusTransition", "a decommissioned device returns", |s| {
        let end = set_status(&s.meter, DeviceStatus::Decommissioned, None);
        s.world.submit(&[&s.works], end).expect("the owner decommissions");
        s.by_works(set_status(&s.meter, DeviceStatus::Active, None))
    }),
    ("SuspectSinceInvalid", "doubt about a device that is only suspended", |s| {
        let since = Some(s.world.now());
        s.by_works(set_status(&s.meter, DeviceStatus::Suspended, since))
    }),
    ("SuspectSinceInvalid", "doubt about what a device will say", |s| {
        let tomorrow = cairn_types::Position::start_of(Height::new(s.world.height().get() + 1));
        s.by_works(set_status(&s.meter, DeviceStatus::Revoked, Some(tomorrow)))
    }),
    ("SuspectSinceInvalid", "a revoked device is revoked again", |s| {
        let revoke = set_status(&s.meter, DeviceStatus::Revoked, None);
        s.world.submit(&[&s.works], revoke.clone()).expect("the owner revokes");
        s.by_works(revoke)
    }),
    ("SuspectSinceInvalid", "doubt about what will be done under a grant", |s| {
        let tomorrow = cairn_types::Position::start_of(Height::new(s.world.height().get() + 1));
        let Call::RevokeGrant(mut call) = revoke(s.grant) else { unreachable!("revoke makes a revocation") };
        call.suspect_since = Some(tomorrow);
        s.by_works(Call::RevokeGrant(call))
    }),
    ("KeyInvalid", "a key for which one signature fits many messages", |s| {
        let mut call = register(&Device::called("valve"), &s.works, s.world.zone("north"));
        let Call::RegisterDevice(register) = &mut call else { unreachable!("register makes a registration") };
        let mut identity = [0; 32];
        identity[0] = 1;
        register.inception.key = PublicKey::Ed25519(identity);
        s.by_works(call)
    }),
    ("KeyUsed", "a second device with the key of the first", |s| {
        let mut call = register(&s.meter, &s.works, s.world.zone("north"));
        let Call::RegisterDevice(register) = &mut call else { unreachable!("register makes a registration") };
        register.inception.model = "FM-200".to_owned();
        s.by_works(call)
    }),
    ("KeyNotCommitted", "a thief with the current key rotates to a key of its own", |s| {
        let mut call = rotate(&s.meter, 1);
        let Call::RotateDeviceKey(rotate) = &mut call else { unreachable!("rotate makes a rotation") };
        let thief = Device::called("thief");
        rotate.key = thief.key(0);
        s.world.transaction(&[&thief.actor().posing_as(s.meter.principal())], call)
    }),
    ("ZoneForeign", "a device of the works in the contractor's namespace", |s| {
        s.by_works(place(&s.meter, s.contractor.zone("yard"), None))
    }),
    ("PlacementUnchanged", "a device is moved to where it is", |s| {
        s.by_works(place(&s.meter, s.world.zone("north"), None))
    }),
    ("GrantUnknown", "an attestation by a grant that does not exist", |s| {
        s.attest(|attest| attest.authority = no_grant())
    }),
    ("GrantUnknown", "a grant that does not exist is passed on", |s| s.grant(|terms| terms.parent = Some(no_grant()))),
    ("GrantUnknown", "a grant that does not exist is revoked", |s| s.by_works(revoke(no_grant()))),
    ("GrantRevoked", "an attestation by a grant that was revoked", |s| {
        s.world.submit(&[&s.works], revoke(s.grant)).expect("the owner revokes");
        s.attest(|_| ())
    }),
    ("GrantNotHeld", "a device uses another's grant", |s| {
        let terms = give(Grantee::Device(s.meter.id), [Action::Attest], s.world.over_zone("north"));
        let works = s.works.clone();
        let grant = s.world.given(&works, terms);
        let valve = s.world.registered("valve", "north");
        s.world.transaction(&[&valve.actor()], open("level", grant))
    }),
    ("GrantExceeded", "a grant to attest is used to move a device", |s| {
        let call = place(&s.meter, s.world.zone("north/pump"), Some(s.grant));
        s.by_meter(call)
    }),
    ("GrantPathTooLong", "a ninth link", |s| {
        let all = [Action::Attest, Action::Delegate];
        let mut terms = give(Grantee::Organization(s.works.organization()), all, s.world.over_zone("north"));
        let works = s.works.clone();
        for depth in (0..GRANT_PATH_MAX as u8).rev() {
            terms.depth = depth;
            terms.actions = if depth > 0 { all.into_iter().collect() } else { [Action::Attest].into_iter().collect() };
            terms.parent = Some(s.world.given(&works, terms.clone()));
        }
        s.by_works(Call::Grant(terms))
    }),
    ("GrantRootNotOwner", "a grant over another's zone that the owner of neither gave", |s| {
        // The contractor may attest whatever its own devices say, and tries to cover a device of the works with it.
        let contractor = s.contractor.clone();
        let own = Scope::Zone(contractor.zone("yard"));
        let grant = s.world.given(&contractor, give(Grantee::Device(s.meter.id), [Action::Attest], own));
        s.world.overwrite_scope(grant, Scope::Device(s.meter.id));
        s.attest(|attest| attest.authority = grant)
    }),
    ("Unauthorized", "a stranger moves a device", |s| s.by_contractor(s.move_south())),
    ("Unauthorized", "a stranger grants authority over another's zone", |s| {
        let terms = give(s.world.in_zone("north"), [Action::Attest], s.world.over_zone("north"));
        s.by_contractor(Call::Grant(terms))
    }),
    ("GrantRevokedAlready", "a grant is revoked again", |s| {
        s.world.submit(&[&s.works], revoke(s.grant)).expect("the owner revokes");
        s.by_works(revoke(s.grant))
    }),
    ("StreamUnknown", "an attestation in a stream that was never opened", |s| {
        let other = s.meter.stream("level");
        s.attest(|attest| attest.stream = other)
    }),
    ("StreamUnknown", "a grant over a stream that was never opened", |s| {
        s.grant(|terms| terms.scope = Scope::Stream(s.meter.stream("level")))
    }),
    ("StreamExists", "a stream is opened again", |s| s.by_meter(open("flow", s.grant))),
    ("StreamEnded", "an attestation in a stream that was closed", |s| {
        // No call closes or freezes a stream yet, so the record is written by hand.
        let mut record = state::stream(&s.world.state, &s.flow).expect("the stream is open");
        record.closed = Some(record.head_position);
        s.world.overwrite(state_key::stream(&s.flow), &record);
        s.attest(|_| ())
    }),
    ("StreamEnded", "an attestation in a stream that forked", |s| {
        let mut record = state::stream(&s.world.state, &s.flow).expect("the stream is open");
        record.forked_at = Some(0);
        s.world.overwrite(state_key::stream(&s.flow), &record);
        s.attest(|_| ())
    }),
    ("SequenceNotNext", "an attestation that leaves one out", |s| s.attest(|attest| attest.sequence = 1)),
    ("SequenceNotNext", "the same attestation again", |s| {
        let first = s.attest(|_| ());
        s.world.offer(first.clone()).expect("the first time");
        first
    }),
    ("PreviousNotHead", "an attestation that follows something else", |s| {
        s.attest(|attest| attest.previous = TransactionId::from_hash(Hash::plain(b"another past")))
    }),
    ("CouncilQuorumMissing", "a measure that one organization of three signs", |s| {
        s.by_works(govern(Measure::Expel(s.contractor.organization())))
    }),
    ("QuotaExceeded", "one more transaction than an organization may have", |s| {
        let quota = 9;
        let parameters = Parameters { organization_quota: quota, quota_window: 1_000, ..s.world.parameters.clone() };
        s.world.governed(Measure::SetParameters(parameters)).expect("the council agrees");
        for turn in 0..quota {
            let to = if turn % 2 == 0 { "south" } else { "north" };
            s.world.submit(&[&s.works], place(&s.meter, s.world.zone(to), None)).expect("within the quota");
        }
        s.by_works(place(&s.meter, s.world.zone("east"), None))
    }),
    ("OrganizationExpelled", "an organization that was expelled signs", |s| {
        s.world.governed(Measure::Expel(s.contractor.organization())).expect("the council expels");
        s.by_contractor(s.move_south())
    }),
    ("OrganizationNameTaken", "a second organization of that name", |s| {
        s.admit(|inception| inception.name = "works".parse().expect("a valid name"))
    }),
    ("KeySetInvalid", "an organization without keys", |s| s.admit(|inception| inception.keys.keys.clear())),
    ("KeySetNotCommitted", "keys that nobody committed to", |s| {
        let keys = KeySet::single(Device::called("fresh").key(0));
        let fresh = Device::called("fresh").actor().posing_as(s.works.principal);
        s.world.transaction(&[&fresh], s.rotation(keys, false))
    }),
    ("RecoverySetMissing", "a recovery of an organization that has no recovery set", |s| {
        s.by_works(s.rotation(KeySet::single(Device::called("fresh").key(0)), true))
    }),
    ("RoleMissing", "an operator endorses a lot", |s| {
        let operator = s.world.admitted("operator", &[Role::Operator]).now;
        s.world.transaction(&[&operator], endorse(LotBasis::Merkle { root: Hash::ZERO, count: 1 }))
    }),
    ("MeasureInvalid", "an upgrade is called off that nobody scheduled", |s| {
        s.by_council(Measure::ScheduleUpgrade(None))
    }),
    ("ValidatorsInvalid", "a network without validators", |s| {
        s.by_council(Measure::ChangeValidators(borsh::from_slice(&[0; 4]).expect("an empty set decodes")))
    }),
    ("ParametersInvalid", "ids are remembered for no height", |s| {
        s.by_council(Measure::SetParameters(Parameters { lifetime_max: 0, ..s.world.parameters.clone() }))
    }),
    ("GrantOfEarlierOwner", "a grant over a device that was sold since", |s| {
        let terms = give(Grantee::Device(s.meter.id), [Action::Attest], Scope::Device(s.meter.id));
        let works = s.works.clone();
        let grant = s.world.given(&works, terms);
        s.sell();
        s.attest(|attest| attest.authority = grant)
    }),
    ("GrantorExpelled", "a grant that an expelled organization passed on", |s| {
        let all = [Action::Attest, Action::Delegate];
        let to_contractor = Grantee::Organization(s.contractor.organization());
        let (works, contractor) = (s.works.clone(), s.contractor.clone());
        let over = s.world.over_zone("north");
        let parent = s.world.given(&works, Grant { depth: 1, ..give(to_contractor, all, over.clone()) });
        let terms = Grant { parent: Some(parent), ..give(s.world.in_zone("north"), [Action::Attest], over) };
        let grant = s.world.given(&contractor, terms);
        s.world.governed(Measure::Expel(contractor.organization())).expect("the council expels");
        s.attest(|attest| attest.authority = grant)
    }),
    ("AttestationUnknown", "what was never said is superseded", |s| s.by_meter(s.supersede(0, None))),
    ("SupersededAlready", "an attestation is superseded twice", |s| {
        s.say(1);
        s.world.submit(&[&s.works], s.supersede(0, None)).expect("the owner does");
        s.by_meter(s.supersede(0, None))
    }),
    ("AttestationOfEarlierOwner", "a new owner disowns what was said before", |s| {
        s.say(1);
        s.sell();
        s.by_contractor(s.supersede(0, None))
    }),
    ("ReplacementInvalid", "an attestation replaces itself", |s| {
        s.say(1);
        s.by_meter(s.supersede(0, Some(0)))
    }),
    ("ForkNotShown", "the same content twice", |s| s.report("day 1", "day 1")),
    ("ForkNotShown", "a fork under a key that was rotated away", |s| {
        let report = s.report("day 1", "day 1, otherwise");
        s.world.submit(&[&s.meter.in_epoch(1)], rotate(&s.meter, 1)).expect("the device rotates");
        report
    }),
    ("ForkKnown", "a fork is reported again", |s| {
        let report = s.report("day 1", "day 1, otherwise");
        s.world.offer(report).expect("it is a fork");
        s.report("day 1", "day 1, another way")
    }),
    ("StreamEnded", "an attestation in a stream that is known to have forked", |s| {
        let report = s.report("day 1", "day 1, otherwise");
        s.world.offer(report).expect("it is a fork");
        s.attest(|_| ())
    }),
    ("StreamEnded", "a stream is closed twice", |s| {
        let close = Call::CloseStream(CloseStream { stream: s.flow });
        s.world.submit(&[&s.meter.actor()], close.clone()).expect("the device closes it");
        s.by_meter(close)
    }),
    ("LotUnknown", "a lot that nobody endorsed is distrusted", |s| {
        let lot = LotId::from_hash(Hash::ZERO);
        s.by_works(Call::DistrustLot(DistrustLot { lot, suspect_since: None }))
    }),
    ("LotDistrustedAlready", "a lot is distrusted twice", |s| {
        let lot = s.endorse(1);
        let distrust = Call::DistrustLot(DistrustLot { lot, suspect_since: None });
        s.world.submit(&[&s.works], distrust.clone()).expect("the maker does");
        s.by_works(distrust)
    }),
    ("LotDistrusted", "a device of a lot that is distrusted", |s| {
        let lot = s.endorse(1);
        let distrust = Call::DistrustLot(DistrustLot { lot, suspect_since: None });
        s.world.submit(&[&s.works], distrust).expect("the maker does");
        s.claim(lot, "valve")
    }),
    ("EndorsementInvalid", "a place that the lot does not have", |s| {
        let lot = s.endorse(2);
        s.claim(lot, "valve")
    }),
    ("LotPlaceClaimed", "a place in a lot is claimed twice", |s| {
        let lot = s.endorse(1);
        let first = s.claim(lot, "valve");
        s.world.offer(first).expect("the first time");
        s.claim(lot, "pump")
    }),
    ("RecoveryPending", "a second recovery", |s| {
        let keys = [Key::called("fresh"), Key::called("fresher")];
        let renewed = |key: &Key| Actor { principal: s.meter.principal(), keys: vec![(0, key.clone())] };
        let calls = [&keys[0], &keys[1]].map(|key| (recover(&s.meter, key, None), renewed(key)));
        s.world.submit(&[&s.works, &calls[0].1], calls[0].0.clone()).expect("the owner announces");
        s.world.transaction(&[&s.works, &calls[1].1], calls[1].0.clone())
    }),
    ("RecoveryNotPending", "a recovery is called off that nobody announced", |s| {
        let operator = s.world.admitted("operator", &[Role::Operator]);
        let pump = Device::called("pump");
        let call = register(&pump, &operator.now, operator.now.zone("north"));
        s.world.submit(&[&operator.now, &pump.actor()], call).expect("registered");
        let cancel = Call::CancelRecovery(CancelRecovery { device: pump.id });
        s.world.transaction(&[&operator.recovery], cancel)
    }),
    ("DeviceNotOffered", "a device is accepted that nobody offered", |s| {
        s.by_contractor(accept(&s.meter, s.contractor.zone("yard")))
    }),
    ("OfferInvalid", "a device is offered to its owner", |s| s.by_works(offer(&s.meter, Some(&s.works)))),
    ("SourceUnknown", "derived from itself", |s| {
        let itself = AttestationRef { stream: s.flow, sequence: 0 };
        s.attest(|attest| attest.derived_from = vec![itself])
    }),
    ("SourceUnknown", "derived from a stream that was never opened", |s| {
        let other = AttestationRef { stream: s.meter.stream("level"), sequence: 0 };
        s.attest(|attest| attest.derived_from = vec![other])
    }),
];

#[test]
fn each_rule_refuses_by_its_name_and_what_is_refused_changes_nothing() {
    for (name, claim, prepare) in CASES {
        let mut scene = Scene::new();
        let transaction = prepare(&mut scene);
        let world = &scene.world;
        let executed =
            execute(&world.state, world.context(), &CheckDirectly, world.height(), std::slice::from_ref(&transaction));
        let Err(InvalidBlock::Transaction { index: 0, rejection }) = executed else {
            panic!("{claim}: a validator accepts it: {executed:?}");
        };
        assert_eq!(rejection.name(), *name, "{claim}: {rejection}");

        let nothing: [SignedTransaction; 0] = [];
        let empty =
            execute(&world.state, world.context(), &CheckDirectly, world.height(), &nothing).expect("no transaction");
        let built = crate::build(&world.state, world.context(), &CheckDirectly, world.height(), [transaction.clone()]);
        assert_eq!(built.rejected, [(transaction, rejection)], "{claim}");
        assert_eq!(built.executed.state.root(), empty.state.root(), "{claim}: it changed something");
    }
}

#[test]
fn no_rejection_of_the_table_is_without_a_case() {
    let tried = |name: &str| CASES.iter().any(|(rule, ..)| *rule == name);
    for (code, name) in Rejection::TABLE {
        assert!(tried(name) != OF_THE_NODE.contains(name), "{code} {name}");
    }
}
