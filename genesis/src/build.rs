//! From a genesis file to block 0 and the state after it.
//!
//! Entries are sorted before anything is made of them, so that neither the result nor the first error depends on their
//! order in the file.

use std::collections::BTreeMap;

use cairn_proofs::accumulator::Frontier;
use cairn_proofs::tree::StateTree;
use cairn_runtime::{Changes, Founder, Overlay, found, governance};
use cairn_types::block::HEADER_VERSION;
use cairn_types::limits::{COUNCIL_MAX, SIGNATURES_MAX};
use cairn_types::{
    Block, BlockHash, ChainId, Hash, Header, Height, KeySet, Name, OrganizationId, OrganizationInception, Parameters,
    Position, Power, PublicKey, Role, Validator, ValidatorSet, ValidatorSetError,
};

use crate::error::{GenesisError, KeyUse};
use crate::file::{FoundingOrganization, FoundingValidator, Genesis};

/// Block 0, and all that a node needs to begin at it.
#[derive(Clone, Debug)]
pub struct GenesisBlock {
    /// The block: a header, and no transactions.
    pub block: Block,
    /// Its hash, which names the network.
    pub chain: ChainId,
    /// The state after it.
    pub state: StateTree,
    /// What it puts into the empty state.
    pub changes: Changes,
    /// Who decides block 1.
    pub validators: ValidatorSet,
    /// The network's parameters.
    pub parameters: Parameters,
}

impl Genesis {
    /// Makes block 0.
    ///
    /// # Errors
    /// [`GenesisError`], for the first entry at fault; whoever wrote the file is to blame.
    pub fn build(&self) -> Result<GenesisBlock, GenesisError> {
        self.parameters.check()?;
        check_keys_are_apart(self)?;
        check_council(&self.organizations)?;
        let (organizations, mut changes) = found_all(&self.organizations)?;
        let validators = validator_set(&self.validators, &organizations)?;
        let council = council(&self.organizations, &organizations);
        changes.extend(governance::genesis(&self.parameters, &council, &validators));

        let state = StateTree::new().apply(&changes);
        let empty_list = Frontier::new().root();
        let header = Header {
            version: HEADER_VERSION,
            chain: ChainId::NONE,
            height: Height::GENESIS,
            time_ms: self.time_ms,
            parent: BlockHash::from_hash(Hash::ZERO),
            history_root: empty_list,
            tx_root: empty_list,
            state_root: state.root(),
            validators_root: validators.root(),
            next_validators_root: validators.root(),
            proposer: 0,
        };
        let chain = header.chain_id();
        let block = Block { header, transactions: Vec::new() };
        Ok(GenesisBlock { block, chain, state, changes, validators, parameters: self.parameters.clone() })
    }
}

/// Checks that there is a council, and that more than two thirds of it can sign one transaction. Without that nobody could
/// ever replace a validator, and the loss of a few keys would end the network.
fn check_council(organizations: &[FoundingOrganization]) -> Result<(), GenesisError> {
    let mut thresholds: Vec<usize> =
        organizations.iter().filter(|it| sits_in_council(it)).map(|it| usize::from(it.threshold)).collect();
    let count = thresholds.len();
    if count == 0 || count > COUNCIL_MAX {
        return Err(GenesisError::Council { count });
    }
    thresholds.sort_unstable();
    let quorum = (count.saturating_mul(2) / 3).saturating_add(1);
    let signatures: usize = thresholds.iter().take(quorum).sum();
    if signatures > SIGNATURES_MAX {
        return Err(GenesisError::CouncilThresholds { quorum, count, signatures });
    }
    Ok(())
}

const fn sits_in_council(organization: &FoundingOrganization) -> bool {
    organization.roles.contains(Role::Council)
}

/// The council's ids, ascending.
fn council(founders: &[FoundingOrganization], ids: &BTreeMap<Name, OrganizationId>) -> Vec<OrganizationId> {
    let members = founders.iter().filter(|founder| sits_in_council(founder));
    let mut council: Vec<OrganizationId> = members.filter_map(|founder| ids.get(&founder.name).copied()).collect();
    council.sort_unstable();
    council
}

/// The organizations, as they enter the empty state.
fn found_all(founders: &[FoundingOrganization]) -> Result<(BTreeMap<Name, OrganizationId>, Changes), GenesisError> {
    let nothing = StateTree::new();
    let mut overlay = Overlay::new(&nothing);
    let mut organizations = BTreeMap::new();
    for organization in sorted_by(founders, |organization| &organization.name) {
        let (id, changes) = found(&overlay, &founder(organization), Position::start_of(Height::GENESIS))?;
        overlay.extend(changes);
        organizations.insert(organization.name.clone(), id);
    }
    Ok((organizations, overlay.into_changes()))
}

fn founder(organization: &FoundingOrganization) -> Founder {
    let FoundingOrganization { name, title, roles, keys, threshold, next, recovery } = organization;
    let inception = OrganizationInception {
        name: name.clone(),
        title: title.clone(),
        keys: key_set(*threshold, keys),
        next: *next,
        recovery: recovery.as_ref().map(|recovery| key_set(recovery.threshold, &recovery.keys)),
    };
    Founder { inception, roles: *roles }
}

fn key_set(threshold: u8, keys: &[PublicKey]) -> KeySet {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    KeySet { threshold, keys }
}

fn validator_set(
    validators: &[FoundingValidator],
    organizations: &BTreeMap<Name, OrganizationId>,
) -> Result<ValidatorSet, GenesisError> {
    let sorted = sorted_by(validators, |validator| &validator.key);
    let members = sorted.iter().map(|validator| {
        let FoundingValidator { key, peer, power, organization } = validator;
        match organizations.get(organization) {
            Some(id) => Ok(Validator { key: *key, peer: *peer, power: Power::new(*power), organization: *id }),
            None => Err(GenesisError::OrganizationUnknown {
                validator: PublicKey::Ed25519(*key),
                organization: organization.clone(),
            }),
        }
    });
    let members: Vec<Validator> = members.collect::<Result<_, _>>()?;
    ValidatorSet::new(members).map_err(|source| {
        let at_fault = match &source {
            ValidatorSetError::Count { .. } => None,
            ValidatorSetError::Order { index }
            | ValidatorSetError::Peer { index }
            | ValidatorSetError::Key { index, .. }
            | ValidatorSetError::Power { index } => sorted.get(*index),
        };
        match at_fault {
            Some(validator) => GenesisError::Validator { validator: PublicKey::Ed25519(validator.key), source },
            None => GenesisError::Validators { source },
        }
    })
}

/// No key of the file has two uses: a stolen network key must not vote, nor a stolen voting key speak for its owner.
fn check_keys_are_apart(genesis: &Genesis) -> Result<(), GenesisError> {
    let mut uses: BTreeMap<PublicKey, KeyUse> = BTreeMap::new();
    let mut enter = |key: PublicKey, second: KeyUse| match uses.insert(key, second.clone()) {
        Some(first) => Err(GenesisError::KeyShared { key, first, second }),
        None => Ok(()),
    };
    for organization in sorted_by(&genesis.organizations, |organization| &organization.name) {
        let name = &organization.name;
        for key in &organization.keys {
            enter(*key, KeyUse::Organization(name.clone()))?;
        }
        for key in organization.recovery.iter().flat_map(|recovery| &recovery.keys) {
            enter(*key, KeyUse::Recovery(name.clone()))?;
        }
    }
    for validator in sorted_by(&genesis.validators, |validator| &validator.key) {
        let FoundingValidator { key, peer, organization, .. } = validator;
        enter(PublicKey::Ed25519(*key), KeyUse::Validator(organization.clone()))?;
        enter(PublicKey::Ed25519(*peer), KeyUse::Peer(organization.clone()))?;
    }
    Ok(())
}

fn sorted_by<'a, T, K: Ord + 'a>(entries: &'a [T], key: impl Fn(&'a T) -> &'a K) -> Vec<&'a T> {
    let mut sorted: Vec<&T> = entries.iter().collect();
    sorted.sort_by(|a, b| key(a).cmp(key(b)));
    sorted
}
