"""Lookups: section 19 of runtime/SPECIFICATION.md."""

import codec
from checkpoint import Judgement, Refused, hash_of, in_order, record, require, without_nulls
from codec import Malformed, decode, derive, is_name

MAGIC = b"cairn lookup"
LOOKUP_MAX = 4194304
PATH_MAX = 8

# What stands beside the kind of a question, in the JSON form
MEMBERS = {
    "organization": "organization", "device": "device", "deviceStreams": "device", "grant": "grant",
    "deviceGrants": "device", "stream": "stream", "lot": "lot", "lots": "organization", "superseded": "stream",
}


def zones_from(zone):
    """The zone itself and all above it."""
    names = zone.path.split("/") if zone.path else []
    return [zone._replace(path="/".join(names[:count])) for count in range(len(names), -1, -1)]


def scope_key(scope):
    return derive("cairn scope v1", codec.Scope.write(scope))


class Verification(Judgement):
    """One lookup, judged."""

    MESSAGES = {
        **Judgement.MESSAGES,
        "not_a_lookup": "this is not a lookup of version 1",
        "other_question": "this answers another question",
    }

    def __init__(self, genesis, question, trusted, freshness):
        super().__init__(genesis, trusted, freshness)
        self.expected = question
        self.verdict["entries"] = []

    def steps(self, data):
        try:
            lookup = decode(codec.Lookup, data, most=LOOKUP_MAX)
        except Malformed:
            raise Refused("not_a_lookup") from None
        require(lookup.magic == MAGIC and lookup.version == 1, "not_a_lookup")

        self.establish_checkpoint(lookup)
        headers = [lookup.genesis, *(change.header for change in lookup.changes), lookup.checkpoint]
        known = [(header.height, hash_of(header)) for header in headers]
        if lookup.anchor is not None:
            self.require_history(lookup.anchor.hash, lookup.anchor.history)
            known.append((lookup.anchor.history.index, lookup.anchor.hash))
        self.reach_finality(lookup, known)
        self.verdict["question"] = question_json(lookup.question)
        require(self.expected in (None, lookup.question), "other_question")

        self.proofs, self.answers = list(reversed(lookup.proofs)), []
        kind, subject = lookup.question
        getattr(self, "walk_" + kind)(subject)
        require(not self.proofs, "proof_superfluous")
        self.verdict["entries"] = [
            [{"key": key.hex(), "value": value.hex()} for key, value in answer] for answer in self.answers
        ]

    # Queries

    def ask_list(self, prefix):
        require(self.proofs, "proof_missing")
        self.answers.append(self.by_prefix(prefix, self.proofs.pop()))
        return self.answers[-1]

    def ask_key(self, key, kind):
        """The record under a key, or None."""
        require(self.proofs, "proof_missing")
        value = self.by_key(key, self.proofs.pop())
        self.answers.append([] if value is None else [(key, value)])
        return None if value is None else record(kind, value)

    def its_record(self, key, kind):
        found = self.ask_key(key, kind)
        require(found is not None, "absent")
        return found

    def ids(self, prefix):
        """A list whose entries say nothing but the id at the end of their keys."""
        entries = self.ask_list(prefix)
        require(all(value == b"" and len(key) == len(prefix) + 32 for key, value in entries), "record_malformed")
        return [key[len(prefix):] for key, _ in entries]

    def intervals(self, prefix, kind):
        entries = self.ask_list(prefix)
        require(all(len(key) == len(prefix) + 4 for key, _ in entries), "record_malformed")
        require(in_order([record(codec.Interval(kind), value) for _, value in entries]), "record_malformed")

    # The walk, for each kind of question

    def walk_checkpoint(self, _):
        pass

    def walk_organization(self, organization):
        entries = self.ask_list(b"\x02" + organization)
        if entries:
            self.by_facet(entries, codec.ORGANIZATION_FACETS)

    def walk_device(self, device):
        entries = self.ask_list(b"\x04" + device)
        return self.device_file(device, entries) if entries else None

    def walk_deviceStreams(self, device):
        for stream in self.ids(b"\x09" + device):
            self.its_record(b"\x08" + stream, codec.StreamRecord)

    def walk_grant(self, grant):
        interval, count = self.ask_key(b"\x06" + grant, codec.GrantInterval), 1
        while interval is not None and interval.value.parent is not None:
            require(count < PATH_MAX, "record_malformed")
            interval, count = self.its_record(b"\x06" + interval.value.parent, codec.GrantInterval), count + 1

    def walk_grants(self, scope):
        self.records_of_grants(self.ids(b"\x07" + scope_key(scope)))

    def walk_deviceGrants(self, device):
        found = self.walk_device(device)
        if found is None:
            return
        streams, placements = self.ids(b"\x09" + device), found[4]
        require(placements, "record_malformed")
        scopes = [("device", device), *(("stream", stream) for stream in streams)]
        scopes += [("zone", zone) for zone in zones_from(placements[-1].value)]
        self.records_of_grants({grant for scope in scopes for grant in self.ids(b"\x07" + scope_key(scope))})

    def records_of_grants(self, grants):
        for grant in sorted(grants):
            self.its_record(b"\x06" + grant, codec.GrantInterval)

    def walk_stream(self, stream):
        self.ask_key(b"\x08" + stream, codec.StreamRecord)

    def walk_lot(self, lot):
        if self.ask_key(b"\x0e" + lot, codec.LotInterval) is not None:
            for key, value in self.ask_list(b"\x0f" + lot):
                require(len(key) == 65, "record_malformed")
                record(codec.HASH, value)

    def walk_lots(self, organization):
        for lot in self.ids(b"\x10" + organization):
            self.its_record(b"\x0e" + lot, codec.LotInterval)

    def walk_organizations(self, _):
        for key, value in self.ask_list(b"\x03"):
            try:
                require(is_name(key[1:].decode("utf-8")), "record_malformed")
            except UnicodeDecodeError:
                raise Refused("record_malformed") from None
            record(codec.HASH, value)

    def walk_council(self, _):
        self.intervals(b"\x0b", codec.Vec(codec.HASH))

    def walk_validators(self, _):
        self.intervals(b"\x0c", codec.ValidatorSet)

    def walk_parameters(self, _):
        self.intervals(b"\x01", codec.Parameters)

    def walk_superseded(self, stream):
        for key, value in self.ask_list(b"\x11" + stream):
            require(len(key) == 41, "record_malformed")
            record(codec.Superseded, value)


# Questions in JSON and as text


def question_json(question):
    kind, subject = question
    if kind == "grants":
        what, which = subject
        shown = {"organization": which.organization.hex(), "path": which.path} if what == "zone" else which.hex()
        return {"kind": kind, "scope": {what: shown}}
    return {"kind": kind, **({MEMBERS[kind]: subject.hex()} if subject is not None else {})}


def id_from(text):
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise ValueError(f"{text!r} is not an id")
    return bytes.fromhex(text)


def question_from(text):
    """The question that is written `device:ID`, `grants:zone:ORGANIZATION/PATH`, and so on."""
    kind, _, subject = text.partition(":")
    if kind in MEMBERS:
        return (kind, id_from(subject))
    if kind == "grants":
        what, _, which = subject.partition(":")
        if what in ("device", "stream"):
            return (kind, (what, id_from(which)))
        organization, slash, path = which.partition("/")
        if what == "zone" and codec.is_zone_path(path) and bool(slash) == bool(path):
            return (kind, (what, codec.Zone(id_from(organization), path)))
    elif kind in codec.Question.tags and text == kind:
        return (kind, None)
    raise ValueError(f"{text!r} is not a question")


def verify(data, genesis, question=None, trusted=None, freshness=None):
    """The verdict on the bytes of a lookup, in the form of section 19.3. `question` is that of `question_from`."""
    return without_nulls(Verification(genesis, question, trusted, freshness).run(data))
