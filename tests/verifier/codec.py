"""The encoding, the words and the records of Cairn: sections 1, 2, 4 to 7, 10, 11 and 19 of runtime/SPECIFICATION.md.

A type is an object that reads and writes. Structs become named tuples, enums become `(variant, value)`, and a
variant without fields has the value None.
"""

import re
from collections import namedtuple

import blake3


class Malformed(Exception):
    """The bytes are not the strict encoding of the type."""


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        end = self.at + count
        if end > len(self.data):
            raise Malformed("it ends too early")
        taken = self.data[self.at:end]
        self.at = end
        return taken

    def number(self, count):
        return int.from_bytes(self.take(count), "little")


def decode(kind, data, most=None):
    """The value that these bytes, all of them, encode."""
    if most is not None and len(data) > most:
        raise Malformed("it is longer than allowed")
    reader = Reader(data)
    value = kind.read(reader)
    if reader.at != len(data):
        raise Malformed("bytes are left over")
    return value


class Integer:
    def __init__(self, size, signed=False, mask=None):
        self.size, self.signed, self.mask = size, signed, mask

    def read(self, reader):
        value = int.from_bytes(reader.take(self.size), "little", signed=self.signed)
        if self.mask is not None and value & ~self.mask:
            raise Malformed("a bit is set that has no meaning")
        return value

    def write(self, value):
        return value.to_bytes(self.size, "little", signed=self.signed)


class Fixed:
    """`[u8; n]`"""

    def __init__(self, size):
        self.size = size

    def read(self, reader):
        return reader.take(self.size)

    def write(self, value):
        if len(value) != self.size:
            raise ValueError(f"{len(value)} bytes instead of {self.size}")
        return value


class Bytes:
    """A length of so many bytes, and the bytes."""

    def __init__(self, width, least=0):
        self.width, self.least = width, least

    def read(self, reader):
        count = reader.number(self.width)
        if count < self.least:
            raise Malformed("it is shorter than allowed")
        return reader.take(count)

    def write(self, value):
        return len(value).to_bytes(self.width, "little") + value


BLOB = Bytes(4)    # `Vec<u8>`


class Nested:
    """`Vec<u8>` whose bytes are the encoding of another type."""

    def __init__(self, kind, most):
        self.kind, self.most = kind, most

    def read(self, reader):
        return decode(self.kind, BLOB.read(reader), self.most)

    def write(self, value):
        return BLOB.write(self.kind.write(value))


class Bool:
    """One byte, 0 or 1."""

    def read(self, reader):
        tag = reader.number(1)
        if tag > 1:
            raise Malformed("a truth is neither 0 nor 1")
        return tag == 1

    def write(self, value):
        return bytes([value])


class Text:
    """`String`, and what restricts it."""

    def __init__(self, allows=None):
        self.allows = allows

    def read(self, reader):
        try:
            value = reader.take(reader.number(4)).decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("text is not UTF-8") from None
        if self.allows and not self.allows(value):
            raise Malformed("text breaks the rule of its type")
        return value

    def write(self, value):
        return BLOB.write(value.encode("utf-8"))


class Vec:
    def __init__(self, item, most=None, width=4):
        self.item, self.most, self.width = item, most, width

    def read(self, reader):
        count = reader.number(self.width)
        if self.most is not None and count > self.most:
            raise Malformed("too many items")
        return [self.item.read(reader) for _ in range(count)]    # each item takes a byte, so this ends soon

    def write(self, value):
        return len(value).to_bytes(self.width, "little") + b"".join(self.item.write(item) for item in value)


class Option:
    def __init__(self, some):
        self.some = some

    def read(self, reader):
        tag = reader.number(1)
        if tag > 1:
            raise Malformed("an option is neither 0 nor 1")
        return self.some.read(reader) if tag else None

    def write(self, value):
        return b"\0" if value is None else b"\1" + self.some.write(value)


class Struct:
    def __init__(self, name, /, **fields):
        self.make = namedtuple(name, fields)
        self.fields = list(fields.values())

    def __call__(self, *parts, **named):
        return self.make(*parts, **named)

    def read(self, reader):
        return self.make._make([kind.read(reader) for kind in self.fields])

    def write(self, value):
        return b"".join(kind.write(part) for kind, part in zip(self.fields, value))


class Enum:
    def __init__(self, variants):
        """`variants` maps a tag to `(name, type)`, where the type is None if the variant has no fields."""
        self.variants = variants
        self.tags = {name: tag for tag, (name, _) in variants.items()}

    def read(self, reader):
        tag = reader.number(1)
        if tag not in self.variants:
            raise Malformed(f"there is no variant {tag}")
        name, kind = self.variants[tag]
        return (name, kind.read(reader) if kind else None)

    def write(self, value):
        tag = self.tags[value[0]]
        kind = self.variants[tag][1]
        return bytes([tag]) + (kind.write(value[1]) if kind else b"")


# Section 1: names and zone paths

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def is_name(text):
    return NAME.fullmatch(text) is not None


def is_zone_path(text):
    names = text.split("/")
    return text == "" or (len(text) <= 160 and len(names) <= 8 and all(map(is_name, names)))


# Section 2: hashes

ZEROS = bytes(32)


def b3(data):
    return blake3.blake3(data).digest()


def derive(context, data):
    """`D[context](data)`"""
    return blake3.blake3(data, derive_key_context=context).digest()


# Section 4: words

U8, U16, U32, U64 = Integer(1), Integer(2), Integer(4), Integer(8)
I64 = Integer(8, signed=True)
HASH = Fixed(32)
STRING = Text()
Name = Text(is_name)
ZonePath = Text(is_zone_path)

ACTIONS = ["register", "place", "attest", "read", "command", "delegate"]
Actions = Integer(2, mask=0b111111)
Roles = Integer(1, mask=0b1111)

PublicKey = Enum({0: ("ed25519", Fixed(32)), 1: ("p256", Fixed(33))})
SignatureBytes = Enum({0: ("ed25519", Fixed(64)), 1: ("p256", Fixed(64))})
Position = Struct("Position", height=U64, index=U32)    # named tuples order by height, then index
BlockRef = Struct("BlockRef", height=U64, hash=HASH)
Principal = Enum({0: ("organization", HASH), 1: ("device", HASH)})
Zone = Struct("Zone", organization=HASH, path=ZonePath)
Window = Struct("Window", from_=U64, to=Option(U64))
Grantee = Enum({0: ("organization", HASH), 1: ("device", HASH), 2: ("zone", Zone)})
Scope = Enum({0: ("zone", Zone), 1: ("device", HASH), 2: ("stream", HASH)})
DeviceStatus = Enum({0: ("active", None), 1: ("suspended", None), 2: ("revoked", None), 3: ("decommissioned", None)})
ContentForm = Enum({0: ("plain", None), 1: ("salted", None)})
Content = Struct("Content", form=ContentForm, hash=HASH, bytes=U64, readings=U64)
ClaimedTime = Struct("ClaimedTime", from_ms=I64, to_ms=I64)
AttestationRef = Struct("AttestationRef", stream=HASH, sequence=U64)
KeySet = Struct("KeySet", threshold=U8, keys=Vec(PublicKey))


def Interval(kind):
    return Struct("Interval", value=kind, from_=Position, to=Option(Position), suspect_since=Option(Position))


# Section 5: transactions

Inception = Struct("Inception", key=PublicKey, next=HASH, model=STRING)
OrganizationInception = Struct(
    "OrganizationInception", name=Name, title=STRING, keys=KeySet, next=Option(HASH), recovery=Option(KeySet)
)
Validator = Struct("Validator", key=Fixed(32), peer=Fixed(32), power=U64, organization=HASH)
ValidatorSet = Struct("ValidatorSet", validators=Vec(Validator))
Parameters = Struct(
    "Parameters", lifetime_max=U64, recovery_delay=U64, block_bytes_max=U32, block_transactions_max=U32,
    heartbeat_ms=U64, clock_drift_ms=U64, propose_timeout_ms=U64, prevote_timeout_ms=U64, precommit_timeout_ms=U64,
    timeout_delta_ms=U64, quota_window=U64, organization_quota=U32, device_quota=U32,
)
Upgrade = Struct("Upgrade", version=U16, height=U64)
Measure = Enum({
    0: ("admit", Struct("Admit", inception=OrganizationInception, roles=Roles)),
    1: ("expel", HASH),
    2: ("change_validators", ValidatorSet),
    3: ("set_parameters", Parameters),
    4: ("schedule_upgrade", Option(Upgrade)),
})
LotBasis = Enum({
    0: ("merkle", Struct("Merkle", root=HASH, count=U32)),
    1: ("issuer", Struct("Issuer", key=PublicKey)),
})
LotLeaf = Struct("LotLeaf", device=Option(HASH), serial=STRING, salt=HASH)
LotEndorsement = Struct(
    "LotEndorsement", lot=HASH, bound=Bool(), serial=STRING, salt=HASH, index=U32, siblings=Vec(HASH)
)
CertificateEndorsement = Struct(
    "CertificateEndorsement", lot=HASH, chain=Vec(BLOB), signature=Option(SignatureBytes)
)
Endorsement = Enum({0: ("lot", LotEndorsement), 1: ("certificate", CertificateEndorsement)})

Govern = Struct("Govern", measure=Measure)
RotateOrganizationKeys = Struct(
    "RotateOrganizationKeys", organization=HASH, keys=KeySet, next=Option(HASH), by_recovery=Bool()
)
EndorseLot = Struct("EndorseLot", basis=LotBasis, label=STRING)
DistrustLot = Struct("DistrustLot", lot=HASH, suspect_since=Option(Position))
RegisterDevice = Struct(
    "RegisterDevice", inception=Inception, owner=HASH, zone=Zone, endorsement=Option(Endorsement),
    authority=Option(HASH),
)
RotateDeviceKey = Struct("RotateDeviceKey", device=HASH, key=PublicKey, next=HASH)
RecoverDeviceKey = Struct(
    "RecoverDeviceKey", device=HASH, key=PublicKey, next=HASH, suspect_since=Option(Position)
)
CancelRecovery = Struct("CancelRecovery", device=HASH)
OfferDevice = Struct("OfferDevice", device=HASH, to=Option(HASH))
AcceptDevice = Struct("AcceptDevice", device=HASH, zone=Zone)
PlaceDevice = Struct("PlaceDevice", device=HASH, zone=Zone, authority=Option(HASH))
SetDeviceStatus = Struct("SetDeviceStatus", device=HASH, status=DeviceStatus, suspect_since=Option(Position))
Grant = Struct(
    "Grant", grantee=Grantee, actions=Actions, scope=Scope, window=Window, depth=U8, parent=Option(HASH)
)
RevokeGrant = Struct("RevokeGrant", grant=HASH, suspect_since=Option(Position))
OpenStream = Struct("OpenStream", name=Name, cadence_s=Option(U32), authority=HASH)
CloseStream = Struct("CloseStream", stream=HASH)
Attest = Struct(
    "Attest", stream=HASH, sequence=U64, previous=HASH, content=Content, claimed=Option(ClaimedTime),
    derived_from=Vec(AttestationRef), authority=HASH,
)
Supersede = Struct("Supersede", target=AttestationRef, replacement=Option(AttestationRef))
ReportFork = Struct("ReportFork", first=BLOB, second=BLOB)
Call = Enum({
    0: ("govern", Govern),
    1: ("rotate_organization_keys", RotateOrganizationKeys),
    2: ("endorse_lot", EndorseLot),
    3: ("distrust_lot", DistrustLot),
    4: ("register_device", RegisterDevice),
    5: ("rotate_device_key", RotateDeviceKey),
    6: ("recover_device_key", RecoverDeviceKey),
    7: ("cancel_recovery", CancelRecovery),
    8: ("offer_device", OfferDevice),
    9: ("accept_device", AcceptDevice),
    10: ("place_device", PlaceDevice),
    11: ("set_device_status", SetDeviceStatus),
    12: ("grant", Grant),
    13: ("revoke_grant", RevokeGrant),
    14: ("open_stream", OpenStream),
    15: ("close_stream", CloseStream),
    16: ("attest", Attest),
    17: ("supersede", Supersede),
    18: ("report_fork", ReportFork),
})
Body = Struct("Body", chain=HASH, signer=Principal, not_before=BlockRef, expires=Option(U64), call=Call)
Signature = Struct("Signature", signer=Principal, key=U8, bytes=SignatureBytes)
Transaction = Struct("Transaction", body=Body, signatures=Vec(Signature))

# Sections 6 and 7: blocks, validators and certificates

Header = Struct(
    "Header", version=U16, chain=HASH, height=U64, time_ms=U64, parent=HASH, history_root=HASH, tx_root=HASH,
    state_root=HASH, validators_root=HASH, next_validators_root=HASH, proposer=U16,
)
CertificateSignature = Struct("CertificateSignature", validator=U16, signature=Fixed(64))
Certificate = Struct("Certificate", height=U64, round=U32, block=HASH, signatures=Vec(CertificateSignature))

# Section 10: records

OrganizationRecord = Struct(
    "OrganizationRecord", name=Name, title=STRING, roles=Roles, recovery=Option(KeySet), admitted=Position,
    expelled=Option(Position),
)
OrganizationKeys = Struct("OrganizationKeys", keys=KeySet, next=Option(HASH))
EndorsementRecord = Struct("EndorsementRecord", lot=HASH, manufacturer=HASH, serial=STRING)
DeviceRecord = Struct(
    "DeviceRecord", inception=Inception, registered=Position, registered_by=Principal,
    endorsement=Option(EndorsementRecord),
)
DeviceKey = Struct("DeviceKey", key=PublicKey, next=HASH)
Recovery = Struct("Recovery", key=PublicKey, next=HASH, effective=U64)
LotRecord = Struct("LotRecord", manufacturer=HASH, basis=LotBasis, label=STRING)
Superseded = Struct("Superseded", at=Position, by=Principal, replacement=Option(AttestationRef))
Usage = Struct("Usage", window=U64, count=U32)
GrantTerms = Struct(
    "GrantTerms", grantor=Principal, grantee=Grantee, actions=Actions, scope=Scope, window=Window, depth=U8,
    parent=Option(HASH),
)
StreamRecord = Struct(
    "StreamRecord", device=HASH, name=Name, cadence_s=Option(U32), opened=Position, count=U64, head=HASH,
    head_position=Position, peaks=Vec(HASH), closed=Option(Position), forked_at=Option(U64),
    owned_from=U64,
)
GrantInterval = Interval(GrantTerms)
PlacementInterval = Interval(Zone)
DEVICE_FACETS = [
    DeviceRecord, Interval(DeviceKey), Interval(HASH), Interval(DeviceStatus), PlacementInterval, Interval(Recovery),
    Interval(HASH),
]
ORGANIZATION_FACETS = [OrganizationRecord, Interval(OrganizationKeys)]
LotInterval = Interval(LotRecord)
UNIT = Struct("Unit")    # `()`

# Sections 8, 9 and 11: proofs and the bundle

InclusionProof = Struct("InclusionProof", index=U64, siblings=Vec(HASH, most=64))
Step = Struct("Step", position=U16, sibling=HASH)
Leaf = Struct("Leaf", key=Bytes(1, least=1), value=Enum({0: ("full", Bytes(2)), 1: ("hash", HASH)}))
BareStateProof = Struct(
    "StateProof", count=U64, steps=Vec(Step, most=2295, width=2), leaves=Vec(Leaf, most=65536)
)
StateProof = Nested(BareStateProof, most=4194304)
ValidatorChange = Struct("ValidatorChange", header=Header, certificate=Certificate, validators=ValidatorSet)
PastBlock = Struct("PastBlock", header=Header, history=InclusionProof)
Anchor = Struct("Anchor", hash=HASH, history=InclusionProof)
Inclusion = Struct("Inclusion", count=U32, proof=InclusionProof)
Bundle = Struct(
    "Bundle", magic=Fixed(12), version=U16, genesis=Header, validators=ValidatorSet, changes=Vec(ValidatorChange),
    checkpoint=Header, certificate=Certificate, block=Option(PastBlock), not_before=Option(PastBlock),
    anchor=Option(Anchor), transaction=BLOB, inclusion=Inclusion, device=StateProof, stream=StateProof,
    grants=Vec(StateProof), placements=Vec(StateProof), organizations=Vec(StateProof), lot=Option(StateProof),
    superseded=StateProof,
)

# Section 19: lookups

Question = Enum({
    0: ("checkpoint", None),
    1: ("organization", HASH),
    2: ("device", HASH),
    3: ("deviceStreams", HASH),
    4: ("grant", HASH),
    5: ("grants", Scope),
    6: ("deviceGrants", HASH),
    7: ("stream", HASH),
    8: ("lot", HASH),
    9: ("lots", HASH),
    10: ("organizations", None),
    11: ("council", None),
    12: ("validators", None),
    13: ("parameters", None),
    14: ("superseded", HASH),
})
Lookup = Struct(
    "Lookup", magic=Fixed(12), version=U16, genesis=Header, validators=ValidatorSet, changes=Vec(ValidatorChange),
    checkpoint=Header, certificate=Certificate, anchor=Option(Anchor), question=Question, proofs=Vec(StateProof),
)
