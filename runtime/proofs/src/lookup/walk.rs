//! The one walk through the state that a question leads to. Proving and verifying both take it, so they ask for the same
//! entries in the same order, and a proof can answer no other question.
//!
//! It does not know whether the entries come from a tree or from proofs. The invariant: which queries follow depends on the
//! question and on the answers before alone; and each query adds at least one proof, so a file's size bounds the work.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_types::limits::GRANT_PATH_MAX;
use cairn_types::record::{GrantTerms, LotRecord};
use cairn_types::{DeviceId, GrantId, Interval, LotId, OrganizationId, Scope, StreamId, Zone, ZonePath, state_key};

use super::answer::{Answer, DeviceGrants, LotFile, OrganizationFile, ScopeGrants};
use super::question::Question;
use super::{Entry, Fault, read};
use crate::authority::Link;
use crate::bundle::{DeviceFile, DeviceFileError};
use crate::tree::Query;

/// Who answers queries.
pub(super) trait Source {
    /// Why there is no answer.
    type Error: From<Fault>;

    /// All entries that answer the query, ascending by key.
    fn ask(&mut self, query: &Query) -> Result<Vec<Entry>, Self::Error>;
}

/// Asks for all that answers `question`, and reads it.
pub(super) fn walk<S: Source>(question: &Question, source: &mut S) -> Result<Answer, S::Error> {
    Ok(match question {
        Question::Checkpoint => Answer::Checkpoint,
        Question::Organization(id) => Answer::Organization(organization(id, source)?),
        Question::Device(id) => Answer::Device(device(id, source)?),
        Question::DeviceStreams(id) => {
            let streams = device_streams(id, source)?;
            Answer::DeviceStreams(each(&streams, state_key::stream, source)?)
        }
        Question::Grant(id) => Answer::Grant(grant_and_above(id, source)?),
        Question::Grants(scope) => {
            let grants = grants_over(scope, source)?;
            Answer::Grants(each(&grants, state_key::grant, source)?)
        }
        Question::DeviceGrants(id) => Answer::DeviceGrants(device_grants(id, source)?),
        Question::Stream(id) => Answer::Stream(one(state_key::stream(id), source)?),
        Question::Lot(id) => Answer::Lot(lot(id, source)?),
        Question::Lots(manufacturer) => {
            let prefix = state_key::manufacturer_lots(manufacturer);
            let lots = read::ids(&prefix, &list(&prefix, source)?)?.into_iter().map(LotId::from_hash);
            Answer::Lots(each::<_, Interval<LotRecord>, _>(&lots.collect::<Vec<_>>(), state_key::lot, source)?)
        }
        Question::Organizations => {
            let prefix = state_key::organization_names();
            Answer::Organizations(read::names(&prefix, &list(&prefix, source)?)?)
        }
        Question::Council => Answer::Council(intervals(&state_key::council(), source)?),
        Question::Validators => Answer::Validators(intervals(&state_key::validators(), source)?),
        Question::Parameters => Answer::Parameters(intervals(&state_key::parameters(), source)?),
        Question::Superseded(stream) => {
            let prefix = state_key::superseded_in(stream);
            Answer::Superseded(read::superseded(&prefix, &list(&prefix, source)?)?)
        }
    })
}

fn organization<S: Source>(id: &OrganizationId, source: &mut S) -> Result<Option<OrganizationFile>, S::Error> {
    let prefix = state_key::organization(id);
    let entries = list(&prefix, source)?;
    if entries.is_empty() { Ok(None) } else { Ok(Some(read::organization(id, &entries)?)) }
}

fn device<S: Source>(id: &DeviceId, source: &mut S) -> Result<Option<DeviceFile>, S::Error> {
    let prefix = state_key::device(id);
    let entries = list(&prefix, source)?;
    if entries.is_empty() {
        return Ok(None);
    }
    let file = DeviceFile::read(id, entries.iter().map(|(key, value)| (key.as_slice(), value.as_slice())));
    file.map(Some).map_err(|error| {
        S::Error::from(match error {
            DeviceFileError::Absent => Fault::Absent { key: prefix },
            DeviceFileError::Malformed { .. } => Fault::Malformed { key: prefix },
            DeviceFileError::UnknownFacet { .. } => Fault::Unknown { key: prefix },
        })
    })
}

fn device_streams<S: Source>(id: &DeviceId, source: &mut S) -> Result<Vec<StreamId>, S::Error> {
    let prefix = state_key::device_streams(id);
    let ids = read::ids(&prefix, &list(&prefix, source)?)?;
    Ok(ids.into_iter().map(StreamId::from_hash).collect())
}

fn grants_over<S: Source>(scope: &Scope, source: &mut S) -> Result<Vec<GrantId>, S::Error> {
    let prefix = state_key::scope_grants(&scope.key());
    let ids = read::ids(&prefix, &list(&prefix, source)?)?;
    Ok(ids.into_iter().map(GrantId::from_hash).collect())
}

/// The grant, its parent, and so on. Only the first may be unknown.
fn grant_and_above<S: Source>(id: &GrantId, source: &mut S) -> Result<Vec<Link>, S::Error> {
    let Some(first) = one::<Interval<GrantTerms>, S>(state_key::grant(id), source)? else {
        return Ok(Vec::new());
    };
    let mut next = first.value.parent;
    let mut links = vec![(*id, first)];
    while let Some(id) = next {
        let key = state_key::grant(&id);
        if links.len() == GRANT_PATH_MAX {
            return Err(Fault::Malformed { key }.into());
        }
        let grant: Interval<GrantTerms> = known(key, source)?;
        next = grant.value.parent;
        links.push((id, grant));
    }
    Ok(links)
}

fn device_grants<S: Source>(id: &DeviceId, source: &mut S) -> Result<Option<DeviceGrants>, S::Error> {
    let Some(file) = device(id, source)? else {
        return Ok(None);
    };
    let streams = device_streams(id, source)?;
    let Some(place) = file.placements.last() else {
        return Err(Fault::Malformed { key: state_key::device(id) }.into());
    };
    let zones = zone_and_above(&place.value).into_iter().map(Scope::Zone);
    let over_streams = streams.iter().map(|stream| Scope::Stream(*stream));
    let mut scopes = Vec::new();
    let mut found = BTreeSet::new();
    for scope in [Scope::Device(*id)].into_iter().chain(over_streams).chain(zones) {
        let grants = grants_over(&scope, source)?;
        found.extend(grants.iter().copied());
        scopes.push(ScopeGrants { scope, grants });
    }
    let found: Vec<GrantId> = found.into_iter().collect();
    let grants = each(&found, state_key::grant, source)?;
    Ok(Some(DeviceGrants { device: file, streams, scopes, grants }))
}

/// A zone, the one above it, and so on up to the organization's whole namespace.
fn zone_and_above(zone: &Zone) -> Vec<Zone> {
    let path = zone.path.as_str();
    let cuts = path.rmatch_indices('/').map(|(at, _)| path.split_at(at).0);
    let paths = (!path.is_empty()).then_some(path).into_iter().chain(cuts);
    let below = paths.map(|path| path.parse().expect("what comes before a slash of a path is a path"));
    below.chain([ZonePath::root()]).map(|path| Zone { organization: zone.organization, path }).collect()
}

fn lot<S: Source>(id: &LotId, source: &mut S) -> Result<Option<LotFile>, S::Error> {
    let Some(lot) = one(state_key::lot(id), source)? else {
        return Ok(None);
    };
    let prefix = state_key::lot_claims(id);
    let claims = read::claims(&prefix, &list(&prefix, source)?)?;
    Ok(Some(LotFile { lot, claims }))
}

fn intervals<S: Source, T>(prefix: &[u8], source: &mut S) -> Result<Vec<Interval<T>>, S::Error>
where
    T: BorshSerialize + BorshDeserialize,
{
    Ok(read::intervals(prefix, &list(prefix, source)?)?)
}

/// The record of each of these, which must all be there.
fn each<I: Copy, T, S: Source>(
    ids: &[I],
    key_of: impl Fn(&I) -> Vec<u8>,
    source: &mut S,
) -> Result<Vec<(I, T)>, S::Error>
where
    T: BorshSerialize + BorshDeserialize,
{
    ids.iter().map(|id| Ok((*id, known(key_of(id), source)?))).collect()
}

/// The record under a key that something refers to.
fn known<T: BorshSerialize + BorshDeserialize, S: Source>(key: Vec<u8>, source: &mut S) -> Result<T, S::Error> {
    one(key.clone(), source)?.ok_or_else(|| Fault::Absent { key }.into())
}

/// The record under a key, if there is one.
fn one<T: BorshSerialize + BorshDeserialize, S: Source>(key: Vec<u8>, source: &mut S) -> Result<Option<T>, S::Error> {
    let entries = source.ask(&Query::key(&key))?;
    let record = entries.first().map(|(key, value)| read::record(key, value)).transpose()?;
    Ok(record)
}

/// All entries whose keys begin with a prefix.
fn list<S: Source>(prefix: &[u8], source: &mut S) -> Result<Vec<Entry>, S::Error> {
    source.ask(&Query::prefix(prefix))
}
