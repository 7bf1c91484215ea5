//! Every rule that refuses, refused once: each case names the rejection it expects, and the table shows that none of the
//! rejections is without a case.

use cairn_types::call::{Grant, OpenStream};
use cairn_types::limits::{GRANT_PATH_MAX, SIGNATURES_MAX, TRANSACTION_BYTES_MAX};
use cairn_types::{
    Action, AttestationRef, Call, ChainId, DeviceStatus, GrantId, Grantee, Hash, Height, PublicKey, Rejection, Scope,
    SignatureBytes, SignedTransaction, StreamId, Transaction, TransactionId, Window, state_key,
};

use super::world::{Actor, Device, World, give, open, place, register, revoke, rotate, set_status};
use crate::{InvalidBlock, execute, state};

/// What the node refuses before the rules see it, or for reasons of its own.
const OF_THE_NODE: [&str; 2] = ["Malformed", "Busy"];

/// The meter stands in `north`, attests there by `grant`, and has opened the stream `flow`.
struct Scene {
    world: World,
    works: Actor,
    contractor: Actor,
    meter: Device,
    grant: GrantId,
    flow: StreamId,
}

impl Scene {
    fn new() -> Self {
        let (mut world, meter, grant) = World::with_meter();
        let flow = world.opened(&meter, "flow", grant);
        Self { works: world.works.clone(), contractor: world.contractor.clone(), world, meter, grant, flow }
    }

    fn by_works(&self, call: Call) -> SignedTransaction {
        self.world.transaction(&[&self.works], call)
    }

    fn by_contractor(&self, call: Call) -> SignedTransaction {
        self.world.transaction(&[&self.contractor], call)
    }

    fn by_meter(&self, call: Call) -> SignedTransaction {
        self.world.transaction(&[&self.meter.actor()], call)
    }

    /// A good transaction of the works.
    fn move_south(&self) -> Call {
        place(&self.meter, self.world.zone("south"), None)
    }

    /// The works make a grant like `terms`.
    fn grant(&self, change: impl FnOnce(&mut Grant)) -> SignedTransaction {
        let mut terms = give(self.world.in_zone("north"), [Action::Attest], self.world.over_zone("north"));
        change(&mut terms);
        self.by_works(Call::Grant(terms))
    }

    /// The meter's next attestation, with a change.
    fn attest(&self, change: impl FnOnce(&mut cairn_types::call::Attest)) -> SignedTransaction {
        let mut call = self.world.next(self.flow, "day 1", self.grant);
        let Call::Attest(attest) = &mut call else { unreachable!("next makes an attestation") };
        change(attest);
        self.by_meter(call)
    }

    fn with_body(&self, change: impl FnOnce(&mut cairn_types::Body)) -> SignedTransaction {
        let mut body = self.world.body(&self.works, self.move_south());
        change(&mut body);
        self.world.sign(&[&self.works], body)
    }

    /// A good transaction whose signatures are changed afterwards.
    fn with_signatures(&self, change: impl FnOnce(&mut Transaction)) -> SignedTransaction {
        let mut transaction = self.by_works(self.move_south()).transaction().clone();
        change(&mut transaction);
        SignedTransaction::new(transaction)
    }
}

fn nobody() -> cairn_types::OrganizationId {
    cairn_types::OrganizationId::from_hash(Hash::plain(b"nobody"))
}

fn no_grant() -> GrantId {
    GrantId::from_hash(Hash::plain(b"no grant"))
}

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
            let SignatureBytes::Ed25519(bytes) = &mut transaction.signatures[0].bytes;
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
            execute(&world.state, world.context(), &world.scheme, world.height(), std::slice::from_ref(&transaction));
        let Err(InvalidBlock::Transaction { index: 0, rejection }) = executed else {
            panic!("{claim}: a validator accepts it: {executed:?}");
        };
        assert_eq!(rejection.name(), *name, "{claim}: {rejection}");

        let nothing: [SignedTransaction; 0] = [];
        let empty =
            execute(&world.state, world.context(), &world.scheme, world.height(), &nothing).expect("no transaction");
        let built = crate::build(&world.state, world.context(), &world.scheme, world.height(), [transaction.clone()]);
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
