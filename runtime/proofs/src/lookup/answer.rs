//! The answers, read: what the entries of a lookup say, as typed records. Every list is complete.

use cairn_types::record::{LotRecord, OrganizationKeys, OrganizationRecord, StreamRecord, Superseded};
use cairn_types::{
    DeviceId, GrantId, Hash, Interval, LotId, Name, OrganizationId, Parameters, Scope, StreamId, ValidatorSet,
};

use crate::authority::Link;
use crate::bundle::DeviceFile;

/// What answers a [`Question`](super::Question) of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing beyond the checkpoint.
    Checkpoint,
    /// `None`: there is no such organization.
    Organization(Option<OrganizationFile>),
    /// `None`: the device is not registered.
    Device(Option<DeviceFile>),
    /// The device's streams, ascending by id.
    DeviceStreams(Vec<(StreamId, StreamRecord)>),
    /// The grant, its parent, and so on up to the one without a parent; empty: there is no such grant.
    Grant(Vec<Link>),
    /// The grants over the scope, ascending by id; revoked ones and those of earlier owners too.
    Grants(Vec<Link>),
    /// `None`: the device is not registered.
    DeviceGrants(Option<DeviceGrants>),
    /// `None`: there is no such stream.
    Stream(Option<StreamRecord>),
    /// `None`: there is no such lot.
    Lot(Option<LotFile>),
    /// The manufacturer's lots, ascending by id.
    Lots(Vec<(LotId, Interval<LotRecord>)>),
    /// All organizations, ascending by name.
    Organizations(Vec<(Name, OrganizationId)>),
    /// Who sat in the council, ascending in time.
    Council(Vec<Interval<Vec<OrganizationId>>>),
    /// Who decided, ascending in time; each set from the first height that it decides.
    Validators(Vec<Interval<ValidatorSet>>),
    /// The parameters, ascending in time.
    Parameters(Vec<Interval<Parameters>>),
    /// What was superseded, ascending by sequence.
    Superseded(Vec<(u64, Superseded)>),
}

/// All that the state says about an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationFile {
    /// Its record.
    pub record: OrganizationRecord,
    /// Its key epochs, ascending in time.
    pub keys: Vec<Interval<OrganizationKeys>>,
}

/// All grants over a device, and over whatever contains it or belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceGrants {
    /// The device's file.
    pub device: DeviceFile,
    /// Its streams, ascending.
    pub streams: Vec<StreamId>,
    /// The lists: of the device, of each stream, of its place, and of each zone above.
    pub scopes: Vec<ScopeGrants>,
    /// All grants of the lists, ascending by id, each once; revoked ones and those of earlier owners too.
    pub grants: Vec<Link>,
}

/// The list of the grants over one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeGrants {
    /// The scope.
    pub scope: Scope,
    /// The grants over it, ascending.
    pub grants: Vec<GrantId>,
}

/// All that the state says about a lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LotFile {
    /// Its record, closed if trust in it ended.
    pub lot: Interval<LotRecord>,
    /// What was claimed, ascending: the item of a leaf or the commitment of a certified key, and the device.
    pub claims: Vec<(Hash, DeviceId)>,
}
