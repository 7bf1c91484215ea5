//! What a person may call things: the forms of arguments that name more than a hash.
//!
//! | form | names |
//! |---|---|
//! | `water-works`, 64 digits | an organization, by name or id |
//! | `water-works/north/well-1` | a zone; the name alone is the whole namespace |
//! | `org:ORG`, `device:ID`, `zone:ORG/PATH`, `stream:ID` | one of these, where several kinds are possible |
//! | `1200`, `1200/3` | a position; a height alone is its first |
//!
//! Nothing here asks a node: who is called `water-works` is for [`super::connect`] to find out.

use std::str::FromStr;

use cairn_rpc::views::{OrganizationSelector, TextForm};
use cairn_types::{
    Action, Actions, AttestationRef, DeviceId, Hash, Height, Name, Position, Role, Roles, StreamId, ZonePath,
};

/// Bytes in a hash's text.
const HASH_DIGITS: usize = 2 * cairn_types::hash::HASH_BYTES;

/// An argument that does not have its form. Whoever typed it is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct FormError(pub(super) String);

fn form_error(error: impl ToString) -> FormError {
    FormError(error.to_string())
}

/// An organization, by name or id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OrganizationName(pub(super) OrganizationSelector);

impl FromStr for OrganizationName {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        OrganizationSelector::from_text(text).map(Self).map_err(FormError)
    }
}

/// A place in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ZoneName {
    pub(super) organization: OrganizationName,
    pub(super) path: ZonePath,
}

impl FromStr for ZoneName {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        let (organization, path) = text.split_once('/').unwrap_or((text, ""));
        let path = path.parse().map_err(form_error)?;
        Ok(Self { organization: organization.parse()?, path })
    }
}

/// Whoever can sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PrincipalName {
    Organization(OrganizationName),
    Device(DeviceId),
    /// An id of a kind that only the ledger knows.
    Id(Hash),
}

impl FromStr for PrincipalName {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        match text.split_once(':') {
            Some(("org", rest)) => Ok(Self::Organization(rest.parse()?)),
            Some(("device", rest)) => Ok(Self::Device(rest.parse().map_err(form_error)?)),
            Some((kind, _)) => Err(FormError(format!("{kind:?} cannot sign; write org:NAME or device:ID"))),
            None if text.len() == HASH_DIGITS => Ok(Self::Id(text.parse().map_err(form_error)?)),
            None => Ok(Self::Organization(text.parse()?)),
        }
    }
}

/// Who receives a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GranteeName {
    Organization(OrganizationName),
    Device(DeviceId),
    Zone(ZoneName),
}

impl FromStr for GranteeName {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        match text.split_once(':') {
            Some(("org", rest)) => Ok(Self::Organization(rest.parse()?)),
            Some(("device", rest)) => Ok(Self::Device(rest.parse().map_err(form_error)?)),
            Some(("zone", rest)) => Ok(Self::Zone(rest.parse()?)),
            _ => Err(FormError("write org:NAME, device:ID or zone:ORG/PATH".to_owned())),
        }
    }
}

/// Over what authority is given or asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ScopeName {
    Zone(ZoneName),
    Device(DeviceId),
    Stream(StreamId),
}

impl FromStr for ScopeName {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        match text.split_once(':') {
            Some(("zone", rest)) => Ok(Self::Zone(rest.parse()?)),
            Some(("device", rest)) => Ok(Self::Device(rest.parse().map_err(form_error)?)),
            Some(("stream", rest)) => Ok(Self::Stream(rest.parse().map_err(form_error)?)),
            _ => Err(FormError("write zone:ORG/PATH, device:ID or stream:ID".to_owned())),
        }
    }
}

/// A stream, by id or by the name that its device gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StreamName {
    Id(StreamId),
    Name(Name),
}

impl StreamName {
    /// The stream's id, if `device` is whose it is.
    pub(super) fn of(&self, device: &DeviceId) -> StreamId {
        match self {
            Self::Id(id) => *id,
            Self::Name(name) => StreamId::of(device, name),
        }
    }
}

impl FromStr for StreamName {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        // A name has at most 63 characters, so no text is both.
        if text.len() == HASH_DIGITS {
            text.parse().map(Self::Id).map_err(form_error)
        } else {
            text.parse().map(Self::Name).map_err(form_error)
        }
    }
}

/// A position: `HEIGHT` or `HEIGHT/INDEX`.
pub(super) fn position(text: &str) -> Result<Position, FormError> {
    let wrong = |_| FormError(format!("expected HEIGHT or HEIGHT/INDEX, such as 1200 or 1200/3, not {text:?}"));
    let (height, index) = text.split_once('/').unwrap_or((text, "0"));
    let height = height.parse().map(Height::new).map_err(wrong)?;
    Ok(Position { height, index: index.parse().map_err(wrong)? })
}

/// A height.
pub(super) fn height(text: &str) -> Result<Height, FormError> {
    text.parse().map(Height::new).map_err(|_| FormError(format!("expected a height, not {text:?}")))
}

/// One action.
pub(super) fn action(text: &str) -> Result<Action, FormError> {
    let names = || Action::ALL.map(Action::name).join(", ");
    let found = Action::ALL.into_iter().find(|action| action.name() == text);
    found.ok_or_else(|| FormError(format!("{text:?} is not one of {}", names())))
}

/// Actions with commas between them.
pub(super) fn actions(text: &str) -> Result<Actions, FormError> {
    text.split(',').map(|name| action(name.trim())).collect()
}

/// Roles with commas between them.
pub(super) fn roles(text: &str) -> Result<Roles, FormError> {
    let role = |name: &str| {
        let found = Role::ALL.into_iter().find(|role| role.name() == name.trim());
        found.ok_or_else(|| FormError(format!("{name:?} is not one of {}", Role::ALL.map(Role::name).join(", "))))
    };
    text.split([',', '+']).map(role).collect()
}

/// An attestation by its place: `STREAM/SEQUENCE`.
pub(super) fn attestation(text: &str) -> Result<AttestationRef, FormError> {
    AttestationRef::from_text(text).map_err(FormError)
}

/// An instant such as `2022-03-20T11:00:00+01:00`, in milliseconds since 1970-01-01T00:00:00Z.
pub(super) fn instant_ms(text: &str) -> Result<i64, FormError> {
    text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond).map_err(form_error)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use cairn_rpc::views::OrganizationSelector;
    use cairn_types::{Action, DeviceId, Hash, StreamId};

    use super::{
        GranteeName, OrganizationName, PrincipalName, ScopeName, StreamName, ZoneName, actions, instant_ms, position,
    };

    fn organization(name: &str) -> OrganizationName {
        OrganizationName(OrganizationSelector::Name(name.parse().expect("a name")))
    }

    fn refused<T: FromStr>(texts: &[&str]) {
        texts.iter().for_each(|text| assert!(text.parse::<T>().is_err(), "{text:?} is refused"));
    }

    #[test]
    fn zones_begin_with_their_organization() {
        let zone: ZoneName = "water-works/north/well-1".parse().expect("a zone");
        assert_eq!((zone.organization, zone.path.as_str()), (organization("water-works"), "north/well-1"));
        let whole: ZoneName = "water-works".parse().expect("a namespace");
        assert_eq!(whole.path.as_str(), "");
        refused::<ZoneName>(&["", "/north", "Water/north", "water-works//north", "water-works/north/"]);
    }

    #[test]
    fn kinds_are_told_by_their_prefix_and_bare_ids_are_left_to_the_ledger() {
        let id = Hash::plain(b"something");
        assert_eq!("water-works".parse(), Ok(PrincipalName::Organization(organization("water-works"))));
        assert_eq!("org:water-works".parse(), Ok(PrincipalName::Organization(organization("water-works"))));
        assert_eq!(format!("device:{id}").parse(), Ok(PrincipalName::Device(DeviceId::from_hash(id))));
        assert_eq!(id.to_string().parse(), Ok(PrincipalName::Id(id)));
        refused::<PrincipalName>(&["zone:water-works/north", "device:7", "", "Water"]);

        assert_eq!(format!("stream:{id}").parse(), Ok(ScopeName::Stream(StreamId::from_hash(id))));
        refused::<ScopeName>(&["org:water-works", "water-works/north", "stream:flow"]);
        refused::<GranteeName>(&["stream:flow", "water-works", "zone:", "org:"]);
        assert_eq!("org:meter-maker".parse(), Ok(GranteeName::Organization(organization("meter-maker"))));
    }

    #[test]
    fn a_stream_named_by_its_device_has_the_id_that_the_ledger_gives_it() {
        let device = DeviceId::from_hash(Hash::plain(b"meter"));
        let by_name: StreamName = "flow".parse().expect("a name");
        let id = StreamId::of(&device, &"flow".parse().expect("a name"));
        assert_eq!(by_name.of(&device), id);
        assert_eq!(id.to_string().parse(), Ok(StreamName::Id(id)));
        refused::<StreamName>(&["Flow", "", &"x".repeat(64)]);
    }

    #[test]
    fn positions_and_actions_have_their_forms() {
        assert_eq!(position("12").map(|p| p.to_string()), Ok("12/0".to_owned()));
        assert_eq!(position("12/3").map(|p| p.to_string()), Ok("12/3".to_owned()));
        ["", "12/", "/3", "-1", "12/3/4", "a"].iter().for_each(|text| assert!(position(text).is_err(), "{text:?}"));

        let both = actions("attest, delegate").expect("two actions");
        assert_eq!(both.iter().collect::<Vec<_>>(), [Action::Attest, Action::Delegate]);
        assert_eq!(instant_ms("2022-03-20T11:00:00.5+01:00"), Ok(1_647_770_400_500));
        assert!(instant_ms("2022-03-20").is_err(), "a day is no instant");
        assert!(actions("attest,fly").is_err_and(|error| error.to_string().contains("register, place, attest")));
    }
}
