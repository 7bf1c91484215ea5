//! What is submitted: an organization registers a device and lets it speak, the device opens a stream and attests; the
//! other organizations give grants.
//!
//! The device's story goes on when its last step is final somewhere. What was lost with a crashed pool is signed again.

use std::collections::BTreeSet;
use std::sync::Arc;

use cairn_types::call::{Attest, Govern, Grant, OpenStream, RegisterDevice};
use cairn_types::governance::Measure;
use cairn_types::{
    Action, Call, Content, ContentForm, ContentHash, DeviceId, GrantId, Grantee, Height, Inception, Principal,
    PublicKey, Scope, SignedTransaction, StreamId, TransactionId, Window, Zone,
};

use super::checks::Checks;
use super::random::Random;
use super::scene::Scene;
use crate::chain::Snapshot;
use crate::testing::{Actor, secret, sign_after};

/// Seed of the device's key; that of the key after it is greater by 100.
const DEVICE: u8 = 60;

/// A device of the first organization, and how far its story has come.
struct Story {
    device: Actor,
    id: DeviceId,
    inception: Inception,
    /// What was signed for the present step.
    tried: Vec<TransactionId>,
    /// What is final of the steps before: registration, grant, stream, attestations.
    done: Vec<TransactionId>,
}

/// See the module.
pub(super) struct Load {
    scene: Scene,
    story: Story,
    /// Grants that were given so far, which makes each another one.
    grants: u64,
    /// Everything that some node took.
    pub(super) taken: BTreeSet<TransactionId>,
}

impl Load {
    pub(super) fn new(scene: Scene) -> Self {
        let key = secret(DEVICE);
        let public = |seed: u8| PublicKey::Ed25519(secret(seed).verifying_key().to_bytes());
        let next = public(DEVICE + 100).commitment();
        let inception = Inception { key: public(DEVICE), next, model: String::new() };
        let id = inception.id();
        let device = Actor { principal: Principal::Device(id), key };
        let story = Story { device, id, inception, tried: Vec::new(), done: Vec::new() };
        Self { story, grants: 0, scene, taken: BTreeSet::new() }
    }

    /// The next transaction of somebody, signed after the block that its node stands at.
    pub(super) fn next(&mut self, random: &mut Random, checks: &Checks, tip: &Snapshot) -> Arc<SignedTransaction> {
        let chain = self.scene.genesis.chain;
        if random.chance(500) {
            return Arc::new(self.grant(random.pick(&[1, 2]), tip));
        }
        let story = &mut self.story;
        if let Some(id) = story.tried.iter().find(|id| checks.is_final(id)) {
            story.done.push(*id);
            story.tried.clear();
        }
        let zone = Zone { organization: self.scene.organization(0), path: "site".parse().expect("a path") };
        let owner = &self.scene.organizations[0];
        let transaction = match story.done.as_slice() {
            [] => {
                let call = Call::RegisterDevice(RegisterDevice {
                    inception: story.inception.clone(),
                    owner: zone.organization,
                    zone,
                    endorsement: None,
                    authority: None,
                });
                sign_after(chain, tip, call, &[owner, &story.device])
            }
            [_] => {
                let call = Call::Grant(Grant {
                    grantee: Grantee::Device(story.id),
                    actions: [Action::Attest].into_iter().collect(),
                    scope: Scope::Zone(zone),
                    window: Window::ALWAYS,
                    depth: 0,
                    parent: None,
                });
                sign_after(chain, tip, call, &[owner])
            }
            [_, grant] => {
                let name = "flow".parse().expect("a name");
                let call = Call::OpenStream(OpenStream { name, cadence_s: None, authority: GrantId::of(grant) });
                sign_after(chain, tip, call, &[&story.device])
            }
            [_, grant, .., previous] => {
                let sequence = story.done.len() as u64 - 3;
                let text = format!("reading {sequence}");
                let content = Content {
                    form: ContentForm::Plain,
                    hash: ContentHash::plain(text.as_bytes()),
                    bytes: text.len() as u64,
                    readings: 1,
                };
                let call = Call::Attest(Attest {
                    stream: StreamId::of(&story.id, &"flow".parse().expect("a name")),
                    sequence,
                    previous: *previous,
                    content,
                    claimed: None,
                    derived_from: Vec::new(),
                    authority: GrantId::of(grant),
                });
                sign_after(chain, tip, call, &[&story.device])
            }
        };
        story.tried.push(transaction.id());
        Arc::new(transaction)
    }

    /// A grant of an organization to the next one; every one is another.
    fn grant(&mut self, from: usize, tip: &Snapshot) -> SignedTransaction {
        self.grants += 1;
        let zone = Zone { organization: self.scene.organization(from), path: "site".parse().expect("a path") };
        let call = Call::Grant(Grant {
            grantee: Grantee::Organization(self.scene.organization((from + 1) % 3)),
            actions: [Action::Read].into_iter().collect(),
            scope: Scope::Zone(zone),
            window: Window { from: Height::GENESIS, to: Some(Height::new(1_000 + self.grants)) },
            depth: 0,
            parent: None,
        });
        sign_after(self.scene.genesis.chain, tip, call, &[&self.scene.organizations[from]])
    }

    /// The council's decision that these seats validate.
    pub(super) fn change_validators(&self, tip: &Snapshot, members: &[usize]) -> Arc<SignedTransaction> {
        let council: Vec<&Actor> = self.scene.organizations.iter().collect();
        let measure = Measure::ChangeValidators(self.scene.set(members));
        Arc::new(sign_after(self.scene.genesis.chain, tip, Call::Govern(Govern { measure }), &council))
    }
}
