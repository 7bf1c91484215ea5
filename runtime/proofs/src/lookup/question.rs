//! What can be asked of the state in one lookup, and its text form: a kind and, after a colon, its subject.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_types::{DeviceId, GrantId, LotId, OrganizationId, Scope, StreamId, Zone};

/// One question about the state at a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Question {
    /// Nothing but the checkpoint itself: what a light client asks.
    Checkpoint = 0,
    /// An organization's record and all its key epochs; or that it is not known.
    Organization(OrganizationId) = 1,
    /// A device's whole file: record, key epochs, owners, statuses, places, recoveries, offers; or that it is not
    /// registered.
    Device(DeviceId) = 2,
    /// All streams of a device.
    DeviceStreams(DeviceId) = 3,
    /// A grant and all above it, up to the owner's; or that it is not known.
    Grant(GrantId) = 4,
    /// All grants that were ever given over exactly this scope.
    Grants(Scope) = 5,
    /// All grants that were ever given over a device, its streams, its present place and all zones above that.
    DeviceGrants(DeviceId) = 6,
    /// A stream; or that it is not known.
    Stream(StreamId) = 7,
    /// A lot and every claim on it; or that it is not known.
    Lot(LotId) = 8,
    /// All lots of a manufacturer.
    Lots(OrganizationId) = 9,
    /// The names and ids of all organizations.
    Organizations = 10,
    /// The council, now and before.
    Council = 11,
    /// The validators, now and before.
    Validators = 12,
    /// The parameters, now and before.
    Parameters = 13,
    /// Everything in a stream that was superseded.
    Superseded(StreamId) = 14,
}

/// Why a text is not a question. The user who typed it is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no question: expected checkpoint, organizations, council, validators, parameters, or organization:ID, \
     device:ID, deviceStreams:ID, grant:ID, deviceGrants:ID, stream:ID, lot:ID, lots:ORGANIZATION, superseded:STREAM, \
     grants:zone:ORGANIZATION/PATH, grants:device:ID, grants:stream:ID"
)]
pub struct ParseQuestionError {
    /// The text.
    pub text: String,
}

impl Question {
    /// The question's kind in answers and commands.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Organization(_) => "organization",
            Self::Device(_) => "device",
            Self::DeviceStreams(_) => "deviceStreams",
            Self::Grant(_) => "grant",
            Self::Grants(_) => "grants",
            Self::DeviceGrants(_) => "deviceGrants",
            Self::Stream(_) => "stream",
            Self::Lot(_) => "lot",
            Self::Lots(_) => "lots",
            Self::Organizations => "organizations",
            Self::Council => "council",
            Self::Validators => "validators",
            Self::Parameters => "parameters",
            Self::Superseded(_) => "superseded",
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self {
            Self::Checkpoint | Self::Organizations | Self::Council | Self::Validators | Self::Parameters => Ok(()),
            Self::Organization(id) | Self::Lots(id) => write!(f, ":{id}"),
            Self::Device(id) | Self::DeviceStreams(id) | Self::DeviceGrants(id) => write!(f, ":{id}"),
            Self::Grant(id) => write!(f, ":{id}"),
            Self::Stream(id) | Self::Superseded(id) => write!(f, ":{id}"),
            Self::Lot(id) => write!(f, ":{id}"),
            Self::Grants(Scope::Zone(Zone { organization, path })) if path.as_str().is_empty() => {
                write!(f, ":zone:{organization}")
            }
            Self::Grants(Scope::Zone(Zone { organization, path })) => write!(f, ":zone:{organization}/{path}"),
            Self::Grants(Scope::Device(id)) => write!(f, ":device:{id}"),
            Self::Grants(Scope::Stream(id)) => write!(f, ":stream:{id}"),
        }
    }
}

impl FromStr for Question {
    type Err = ParseQuestionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, subject) = text.split_once(':').map_or((text, None), |(kind, subject)| (kind, Some(subject)));
        let question = match (kind, subject) {
            ("checkpoint", None) => Some(Self::Checkpoint),
            ("organizations", None) => Some(Self::Organizations),
            ("council", None) => Some(Self::Council),
            ("validators", None) => Some(Self::Validators),
            ("parameters", None) => Some(Self::Parameters),
            ("organization", Some(id)) => id.parse().ok().map(Self::Organization),
            ("device", Some(id)) => id.parse().ok().map(Self::Device),
            ("deviceStreams", Some(id)) => id.parse().ok().map(Self::DeviceStreams),
            ("grant", Some(id)) => id.parse().ok().map(Self::Grant),
            ("grants", Some(scope)) => parse_scope(scope).map(Self::Grants),
            ("deviceGrants", Some(id)) => id.parse().ok().map(Self::DeviceGrants),
            ("stream", Some(id)) => id.parse().ok().map(Self::Stream),
            ("lot", Some(id)) => id.parse().ok().map(Self::Lot),
            ("lots", Some(id)) => id.parse().ok().map(Self::Lots),
            ("superseded", Some(id)) => id.parse().ok().map(Self::Superseded),
            _ => None,
        };
        question.ok_or_else(|| ParseQuestionError { text: text.chars().take(256).collect() })
    }
}

fn parse_scope(text: &str) -> Option<Scope> {
    match text.split_once(':')? {
        ("zone", zone) => {
            let (organization, path) = zone.split_once('/').unwrap_or((zone, ""));
            // A path that is written must not be empty, or one zone would have two spellings.
            if path.is_empty() && zone.ends_with('/') {
                return None;
            }
            Some(Scope::Zone(Zone { organization: organization.parse().ok()?, path: path.parse().ok()? }))
        }
        ("device", id) => id.parse().ok().map(Scope::Device),
        ("stream", id) => id.parse().ok().map(Scope::Stream),
        _ => None,
    }
}
