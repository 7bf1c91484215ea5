//! The verdict as a few lines of text for a person. Nothing is decided here.

mod instant;

use std::fmt::{self, Display, Formatter};

use cairn_types::{
    AttestationRef, DeviceId, Grantee, Hash, Interval, OrganizationId, Position, Principal, Scope, Zone,
};

use super::Verdict;
use super::axes::{
    Authority, BlockPoint, Bounds, Device, Endorsement, EndorsementTrust, Finality, FreshnessStanding, Integrity, Key,
    KeyStanding, Silence, Stream, StreamStanding, TrustedStanding,
};
use super::later::LaterEvent;
use super::present::{Present, PresentAuthority, PresentKey, PresentStream};
use cairn_types::record::GrantTerms;
use instant::Instant;

/// What stands in place of an axis that was not reached.
const NOT_REACHED: &str = "not established";

/// Leads to the next line of an axis, below the first.
const NEXT_LINE: &str = "\n            ";

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.outcome)?;
        if let Some(statement) = &self.statement {
            write!(f, "   attestation {}", short(&statement.id.hash()))?;
            if let (Some(stream), Some(device)) = (&self.stream, &self.device) {
                write!(f, ", number {} of stream {}, ", stream.sequence, stream.name)?;
                write!(f, "by device {} ({})", short(&statement.device.hash()), device.model.escape_debug())?;
            } else {
                write!(f, ", by device {}", short(&statement.device.hash()))?;
            }
        }
        f.write_str("\n")?;
        for reason in &self.reasons {
            writeln!(f, "  because {reason}")?;
        }
        f.write_str("\n")?;
        self.axis(f, "integrity", self.integrity.as_ref(), Self::integrity)?;
        self.axis(f, "bounds", self.bounds.as_ref(), Self::bounds)?;
        self.axis(f, "finality", self.finality.as_ref(), Self::finality)?;
        self.axis(f, "key", self.key.as_ref(), Self::key)?;
        self.axis(f, "device", self.device.as_ref(), Self::device)?;
        self.axis(f, "authority", self.authority.as_ref(), Self::authority)?;
        self.axis(f, "stream", self.stream.as_ref(), Self::stream)?;
        self.axis(f, "later", self.later.as_ref(), |verdict, later, f| {
            if later.is_empty() {
                return f.write_str("nothing up to the checkpoint");
            }
            for (index, event) in later.iter().enumerate() {
                write!(f, "{}{:<8} ", if index == 0 { "" } else { NEXT_LINE }, event.position.to_string())?;
                verdict.event(&event.event, f)?;
            }
            Ok(())
        })?;
        self.axis(f, "present", self.present.as_ref(), Self::present)
    }
}

impl Verdict {
    fn axis<T>(
        &self,
        f: &mut Formatter<'_>,
        name: &str,
        axis: Option<&T>,
        line: impl Fn(&Self, &T, &mut Formatter<'_>) -> fmt::Result,
    ) -> fmt::Result {
        write!(f, "{name:<11} ")?;
        match axis {
            Some(axis) => line(self, axis, f)?,
            None => f.write_str(NOT_REACHED)?,
        }
        f.write_str("\n")
    }

    fn integrity(&self, integrity: &Integrity, f: &mut Formatter<'_>) -> fmt::Result {
        match integrity {
            Integrity::Matches { content } => {
                let (form, bytes, readings) = (content.form.name(), content.bytes, content.readings);
                write!(f, "the content is what the device signed: {bytes} bytes, {readings} readings, ")?;
                write!(f, "{form} BLAKE3 {}", short(&content.hash.hash()))
            }
            Integrity::Differs { signed, supplied } => {
                write!(f, "THE CONTENT DIFFERS: {} bytes, {} here; ", supplied.bytes, short(&supplied.hash.hash()))?;
                write!(f, "{} bytes, {} signed", signed.bytes, short(&signed.hash.hash()))
            }
            Integrity::NotComparable { signed, supplied } => {
                write!(
                    f,
                    "not compared: a {} hash was given, a {} hash signed",
                    supplied.form.name(),
                    signed.form.name()
                )
            }
            Integrity::NotSupplied { signed } => {
                write!(f, "no content given; the device signed {} bytes, {}", signed.bytes, signed.hash)
            }
        }
    }

    fn bounds(&self, bounds: &Bounds, f: &mut Formatter<'_>) -> fmt::Result {
        let Bounds { after, before, position } = bounds;
        write!(f, "said after block {}, before the end of block {}; ", Timed(after), Timed(before))?;
        write!(f, "at {position}")
    }

    fn finality(&self, finality: &Finality, f: &mut Formatter<'_>) -> fmt::Result {
        let (signers, validators) = (finality.signers.len(), finality.validators);
        write!(f, "block {}, signed by {signers} of {validators} validators", Timed(&finality.checkpoint))?;
        match finality.freshness {
            FreshnessStanding::NotAsked => {}
            FreshnessStanding::Fresh { age_ms } => write!(f, "; fresh, {} s old", age_ms / 1_000)?,
            FreshnessStanding::Stale { age_ms } => write!(f, "; STALE, {} s old", age_ms / 1_000)?,
            FreshnessStanding::Unknown { ahead_ms } => write!(f, "; {} s AHEAD of the clock here", ahead_ms / 1_000)?,
        }
        match finality.trusted {
            TrustedStanding::NotAsked => Ok(()),
            TrustedStanding::Connected => f.write_str("; reaches the trusted block"),
            TrustedStanding::Unconnected => f.write_str("; DOES NOT REACH the trusted block"),
            TrustedStanding::Conflict => f.write_str("; CONTRADICTS the trusted block"),
        }
    }

    fn key(&self, key: &Key, f: &mut Formatter<'_>) -> fmt::Result {
        match key.standing {
            KeyStanding::Held => f.write_str("held throughout")?,
            KeyStanding::HeldAtInclusion => f.write_str("held at inclusion, not yet after the earlier bound")?,
            KeyStanding::Suspect { since } => write!(f, "SUSPECT since {since}")?,
            KeyStanding::NotHeld => f.write_str("NOT HELD")?,
        }
        match &key.epoch {
            Some(epoch) => {
                let shown = epoch.key.algorithm().len().saturating_add(":".len()).saturating_add(SHORT_DIGITS);
                let key: String = epoch.key.to_string().chars().take(shown).collect();
                write!(f, ": {key}…, {}", Span(epoch.from, epoch.to))
            }
            None => Ok(()),
        }
    }

    fn device(&self, device: &Device, f: &mut Formatter<'_>) -> fmt::Result {
        list(f, &device.statuses, |status, f| write!(f, "{status}"))?;
        f.write_str("; owned by ")?;
        list(f, &device.owners, |owner, f| f.write_str(&self.name(owner)))?;
        f.write_str("; in ")?;
        list(f, &device.zones, |zone, f| f.write_str(&self.zone(zone)))?;
        let Some(Endorsement { manufacturer, lot, label, serial, trust }) = &device.endorsement else {
            return f.write_str("; unendorsed");
        };
        let (maker, serial, label) = (self.name(manufacturer), serial.escape_debug(), label.escape_debug());
        write!(f, "{NEXT_LINE}endorsed by {maker} as number {serial} of lot {label} ({})", short(&lot.hash()))?;
        match trust {
            EndorsementTrust::Trusted => Ok(()),
            EndorsementTrust::Distrusted { since } => write!(f, ", DISTRUSTED since {since}"),
            EndorsementTrust::Suspect { since } => write!(f, ", SUSPECT since {since}"),
        }
    }

    fn present(&self, present: &Present, f: &mut Formatter<'_>) -> fmt::Result {
        match present.key {
            PresentKey::Held => f.write_str("the key still speaks for the device")?,
            PresentKey::Suspect { since } => write!(f, "the key speaks for the device, SUSPECT since {since}")?,
            PresentKey::Ended { at } => write!(f, "the key speaks no longer, since {at}")?,
            PresentKey::NotHeld => f.write_str("the key does NOT speak for the device")?,
        }
        if let Some(status) = present.status {
            write!(f, "; {status}")?;
        }
        match &present.owner {
            Some(owner) => write!(f, "; owned by {}", self.name(owner))?,
            None => f.write_str("; owned by nobody")?,
        }
        if let Some(zone) = &present.zone {
            write!(f, "; in {}", self.zone(zone))?;
        }
        match &present.authority {
            PresentAuthority::Held => f.write_str("; entitled")?,
            PresentAuthority::Suspect { grant, since } => {
                write!(f, "; entitled, SUSPECT since {since}, grant {}", short(&grant.hash()))?;
            }
            PresentAuthority::NotHeld { failure } => write!(f, "; no longer entitled: {failure}")?,
        }
        match present.stream {
            PresentStream::Open => {}
            other => write!(f, "; stream {}", other.name())?,
        }
        if let Some(effective) = present.recovery {
            write!(f, "; another key is to speak from height {effective}")?;
        }
        if let Some(to) = &present.offered_to {
            write!(f, "; offered to {}", self.name(to))?;
        }
        if present.superseded { f.write_str("; SUPERSEDED") } else { Ok(()) }
    }

    fn authority(&self, authority: &Authority, f: &mut Formatter<'_>) -> fmt::Result {
        match authority {
            Authority::Held { .. } => f.write_str("held")?,
            Authority::Indeterminate { since, before, .. } => {
                write!(f, "held at inclusion and since {since}; before that, {before}")?;
            }
            Authority::Suspect { grant, since, .. } => {
                write!(f, "SUSPECT since {since}, grant {}", short(&grant.hash()))?
            }
            Authority::NotHeld { failure, .. } => write!(f, "NOT HELD: {failure}")?,
        }
        for (grant, link) in authority.path().iter().rev() {
            write!(f, "{NEXT_LINE}")?;
            self.link(grant.hash(), link, f)?;
        }
        Ok(())
    }

    fn link(&self, grant: Hash, link: &Interval<GrantTerms>, f: &mut Formatter<'_>) -> fmt::Result {
        let terms = &link.value;
        write!(f, "{} gave ", self.principal(&terms.grantor))?;
        for (index, action) in terms.actions.iter().enumerate() {
            write!(f, "{}{action}", if index == 0 { "" } else { "+" })?;
        }
        let scope = match &terms.scope {
            Scope::Zone(zone) => self.zone(zone),
            Scope::Device(device) => device_name(device),
            Scope::Stream(stream) => format!("stream {}", short(&stream.hash())),
        };
        let grantee = match &terms.grantee {
            Grantee::Organization(id) => self.name(id),
            Grantee::Device(device) => device_name(device),
            Grantee::Zone(zone) => format!("every device in {}", self.zone(zone)),
        };
        write!(f, " over {scope} to {grantee} (grant {}, {})", short(&grant), Span(link.from, link.to))
    }

    fn stream(&self, stream: &Stream, f: &mut Formatter<'_>) -> fmt::Result {
        let Stream { sequence, count, .. } = stream;
        match stream.standing {
            StreamStanding::Complete => {
                write!(f, "complete: number {sequence} is the last of {count}, none is missing")?
            }
            StreamStanding::Continued { further } => {
                write!(f, "number {sequence} of {count}, none before it is missing, {further} after it")?;
            }
            StreamStanding::Forked { at } => write!(f, "FORKED: two versions of number {at}")?,
            StreamStanding::Contradicts => write!(f, "the stream's record CONTRADICTS number {sequence} of {count}")?,
        }
        if let Some(closed) = stream.closed {
            write!(f, "; closed at {closed}")?;
        }
        match (stream.silence, stream.cadence_s) {
            (Silence::Silent { since_ms }, Some(cadence)) => {
                write!(f, "; SILENT since {}, more than the {cadence} s declared", Instant(since_ms))
            }
            (Silence::Within, Some(cadence)) => write!(f, "; not silent for more than the {cadence} s declared"),
            _ => Ok(()),
        }
    }

    fn event(&self, event: &LaterEvent, f: &mut Formatter<'_>) -> fmt::Result {
        let doubt = |f: &mut Formatter<'_>, since: &Option<Position>| match since {
            Some(since) => write!(f, ", in doubt since {since}"),
            None => Ok(()),
        };
        match event {
            LaterEvent::KeyRotated { .. } => f.write_str("the device got its next key"),
            LaterEvent::RecoveryAnnounced { effective, .. } => {
                write!(f, "the owner announced another key from height {effective}")
            }
            LaterEvent::RecoveryCancelled { .. } => f.write_str("the announced key was called off"),
            LaterEvent::StatusChanged { status, suspect_since } => {
                write!(f, "the device became {status}")?;
                doubt(f, suspect_since)
            }
            LaterEvent::Offered { to } => write!(f, "the device was offered to {}", self.name(to)),
            LaterEvent::OwnerChanged { owner } => write!(f, "the device got owner {}", self.name(owner)),
            LaterEvent::Placed { zone } => write!(f, "the device moved to {}", self.zone(zone)),
            LaterEvent::GrantRevoked { grant, suspect_since } => {
                write!(f, "grant {} was revoked", short(&grant.hash()))?;
                doubt(f, suspect_since)
            }
            LaterEvent::LotDistrusted { lot, suspect_since } => {
                write!(f, "trust in lot {} ended", short(&lot.hash()))?;
                doubt(f, suspect_since)
            }
            LaterEvent::OrganizationExpelled { organization } => {
                write!(f, "organization {} was expelled", self.name(organization))
            }
            LaterEvent::Superseded { by, replacement } => {
                write!(f, "superseded by {}", self.principal(by))?;
                match replacement {
                    Some(AttestationRef { stream, sequence }) => {
                        write!(f, "; use number {sequence} of stream {}", short(&stream.hash()))
                    }
                    None => Ok(()),
                }
            }
            LaterEvent::Attested { further: 1 } => f.write_str("one more attestation"),
            LaterEvent::Attested { further } => write!(f, "the last of {further} more attestations"),
            LaterEvent::StreamClosed => f.write_str("the stream was closed"),
        }
    }

    fn name(&self, id: &OrganizationId) -> String {
        self.organization(id).map_or_else(|| short(&id.hash()), |organization| organization.name.to_string())
    }

    fn zone(&self, zone: &Zone) -> String {
        let name = self.name(&zone.organization);
        if zone.path.as_str().is_empty() { name } else { format!("{name}/{}", zone.path) }
    }

    fn principal(&self, principal: &Principal) -> String {
        match principal {
            Principal::Organization(id) => self.name(id),
            Principal::Device(device) => device_name(device),
        }
    }
}

fn device_name(device: &DeviceId) -> String {
    format!("device {}", short(&device.hash()))
}

/// Hexadecimal digits of a hash that are shown to a person.
const SHORT_DIGITS: usize = 12;

fn short(hash: &Hash) -> String {
    let digits: String = hash.to_string().chars().take(SHORT_DIGITS).collect();
    format!("{digits}…")
}

/// One value alone, or several with where each began.
fn list<T>(
    f: &mut Formatter<'_>,
    intervals: &[Interval<T>],
    show: impl Fn(&T, &mut Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    match intervals {
        [] => f.write_str("nothing known"),
        [only] => show(&only.value, f),
        several => several.iter().enumerate().try_for_each(|(index, interval)| {
            f.write_str(if index == 0 { "" } else { ", then " })?;
            show(&interval.value, f)?;
            write!(f, " (from {})", interval.from)
        }),
    }
}

/// An interval in words.
struct Span(Position, Option<Position>);

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(to) => write!(f, "from {} to {to}", self.0),
            None => write!(f, "from {} on", self.0),
        }
    }
}

/// A block with its time.
struct Timed<'a>(&'a BlockPoint);

impl Display for Timed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.height, Instant(self.0.time_ms))
    }
}
