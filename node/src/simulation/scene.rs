//! Who is in a simulated world: organizations, validators, and the genesis that they share.
//!
//! Keys follow from small numbers, so every run has the same ones, and a genesis is built once for all worlds of one size.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cairn_genesis::{FoundingOrganization, FoundingValidator, Genesis, GenesisBlock};
use cairn_network::PeerKey;
use cairn_types::{OrganizationId, Parameters, Power, Principal, PublicKey, Role, Validator, ValidatorSet, state_key};
use ed25519_dalek::SigningKey;

use crate::testing::{Actor, secret, validator_keys};

/// The wall clock when every world begins, in milliseconds: shortly after its genesis.
pub(super) const BEGIN_MS: u64 = 1_767_225_600_000 + 60_000;

/// By how much a proposer's clock may differ from a voter's, in milliseconds.
pub(super) const DRIFT_MS: u64 = 2_000;

/// Organizations, all in the council.
const ORGANIZATIONS: u8 = 3;

/// Seed of the first validator's key; see [`crate::testing`].
const FIRST_VALIDATOR: u8 = 11;

/// What all nodes of a world share.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) genesis: GenesisBlock,
    pub(super) organizations: Vec<Actor>,
}

/// The keys of a seat: whoever has them may be a validator.
#[derive(Clone)]
pub(super) struct Seat {
    pub(super) secret: SigningKey,
    pub(super) key: [u8; 32],
    pub(super) peer: PeerKey,
}

static SCENES: Mutex<BTreeMap<usize, Scene>> = Mutex::new(BTreeMap::new());
static SEATS: Mutex<Vec<Seat>> = Mutex::new(Vec::new());

/// The keys of the first `count` seats.
pub(super) fn seats(count: usize) -> Vec<Seat> {
    let mut seats = SEATS.lock().unwrap_or_else(PoisonError::into_inner);
    while seats.len() < count {
        let seed = FIRST_VALIDATOR + u8::try_from(seats.len()).expect("few seats");
        let (key, peer) = validator_keys(seed);
        seats.push(Seat { secret: secret(seed), key, peer: PeerKey::from_bytes(peer) });
    }
    seats[..count].to_vec()
}

/// The scene whose genesis has this many validators.
pub(super) fn scene(validators: usize) -> Scene {
    let mut scenes = SCENES.lock().unwrap_or_else(PoisonError::into_inner);
    scenes.entry(validators).or_insert_with(|| build(validators)).clone()
}

fn build(validators: usize) -> Scene {
    let name = |index: u8| format!("member-{index}").parse().expect("a name");
    let public = |seed: u8| PublicKey::Ed25519(secret(seed).verifying_key().to_bytes());
    let organization = |index: u8| FoundingOrganization {
        name: name(index),
        title: format!("Member {index}"),
        roles: [Role::Council, Role::Operator].into_iter().collect(),
        keys: vec![public(index)],
        threshold: 1,
        next: None,
        recovery: None,
    };
    let validator =
        |seat: Seat| FoundingValidator { key: seat.key, peer: *seat.peer.as_bytes(), power: 1, organization: name(1) };
    let genesis = Genesis {
        name: "simulated".parse().expect("a name"),
        time_ms: BEGIN_MS - 60_000,
        parameters: parameters(),
        organizations: (1..=ORGANIZATIONS).map(organization).collect(),
        validators: seats(validators).into_iter().map(validator).collect(),
    };
    let genesis = genesis.build().expect("a genesis");
    let organizations = (1..=ORGANIZATIONS)
        .map(|index| {
            let id = genesis.state.get(&state_key::organization_name(&name(index))).expect("a founder");
            let id = borsh::from_slice::<OrganizationId>(&id).expect("an id");
            Actor { principal: Principal::Organization(id), key: secret(index) }
        })
        .collect();
    Scene { genesis, organizations }
}

/// The defaults, with a drift that a simulated clock easily exceeds and a heartbeat that keeps runs short.
fn parameters() -> Parameters {
    Parameters { clock_drift_ms: DRIFT_MS, heartbeat_ms: 2_500, ..cairn_genesis::defaults() }
}

impl Scene {
    /// The id of an organization, counted from 0.
    pub(super) fn organization(&self, index: usize) -> OrganizationId {
        match self.organizations[index].principal {
            Principal::Organization(id) => id,
            Principal::Device(_) => unreachable!("founders are organizations"),
        }
    }

    /// The set of these seats.
    pub(super) fn set(&self, members: &[usize]) -> ValidatorSet {
        let all = seats(members.iter().max().map_or(0, |most| most + 1));
        let validator = |seat: &usize| Validator {
            key: all[*seat].key,
            peer: *all[*seat].peer.as_bytes(),
            power: Power::new(1),
            organization: self.organization(0),
        };
        let mut validators: Vec<Validator> = members.iter().map(validator).collect();
        validators.sort_by_key(|validator| validator.key);
        ValidatorSet::new(validators).expect("different keys in order")
    }
}
