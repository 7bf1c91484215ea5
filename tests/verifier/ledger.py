"""A small ledger for the tests: enough blocks, state and proofs to make a bundle of one attestation.

The attributes are what the tests change; `bundle` then makes everything that follows from them, so that a change shows
in the judgement and not as a broken proof.
"""

import hashlib
from functools import lru_cache

import nacl.signing

import codec
import p256
import trees
from codec import ZEROS, Position, b3, derive


def signing_key(name):
    return nacl.signing.SigningKey(hashlib.sha256(name.encode()).digest())


def public(key):
    return bytes(key.verify_key)


def identity(name):
    return hashlib.sha256(b"id " + name.encode()).digest()


# The accumulator, as section 8 defines it


def mth(items):
    if not items:
        return ZEROS
    if len(items) == 1:
        return b3(b"\x10" + items[0])
    k = 1 << (len(items) - 1).bit_length() - 1
    return trees.node(mth(items[:k]), mth(items[k:]))


def accumulator_root(items):
    return b3(b"\x12" + len(items).to_bytes(8, "little") + mth(items))


def inclusion(items, index):
    siblings, low, high = [], 0, len(items)
    while high - low > 1:
        middle = low + (1 << (high - low - 1).bit_length() - 1)
        if index < middle:
            siblings.append(mth(items[middle:high]))
            high = middle
        else:
            siblings.append(mth(items[low:middle]))
            low = middle
    return codec.InclusionProof(index, siblings[::-1])


# The state tree, as section 9 defines it


@lru_cache(maxsize=None)
def virtual_bits(key):
    return [bit for byte in key for bit in [1, *(byte >> place & 1 for place in range(7, -1, -1))]] + [0]


def top(entries):
    """T of a sorted list of (key, value), by the definition."""
    if not entries:
        return ZEROS
    if len(entries) == 1:
        return trees.leaf_of(entries[0][0], b3(entries[0][1]))
    p, low, high = split(entries)
    return trees.branch(p, top(low), top(high))


def bit(key, p):
    bits = virtual_bits(key)
    return bits[p] if p < len(bits) else 0


def split(entries):
    first, last = entries[0][0], entries[-1][0]
    p = next(p for p in range(9 * 256) if bit(first, p) != bit(last, p))
    low = [entry for entry in entries if bit(entry[0], p) == 0]
    return p, low, entries[len(low):]


def state_root(state):
    return trees.root_of(len(state), top(sorted(state.items())))


def state_proof(state, query, bits):
    entries, steps = sorted(state.items()), []
    while len(entries) > 1:
        p, low, high = split(entries)
        if p >= bits and virtual_bits(entries[0][0])[:bits] == virtual_bits(query)[:bits]:
            break
        if p < bits and bit(query, p) == 1:
            steps.append((p, top(low)))
            entries = high
        else:
            steps.append((p, top(high)))
            entries = low
    shows = bool(entries) and virtual_bits(entries[0][0])[:bits] == virtual_bits(query)[:bits]
    return codec.BareStateProof(len(state), [codec.Step(*step) for step in steps], [
        codec.Leaf(key, ("full", value) if shows else ("hash", b3(value))) for key, value in entries
    ])


def key_proof(state, key):
    return state_proof(state, key, 9 * len(key) + 1)


def prefix_proof(state, prefix):
    return state_proof(state, prefix, 9 * len(prefix))


# The ledger


def interval(value, from_, to=None, suspect_since=None):
    return codec.PlacementInterval(value, from_, to, suspect_since)    # the type of the value plays no part here


class Ledger:
    """Block 2 is the attestation's `not_before`, block 5 holds it, block 9 is the checkpoint."""

    LOWER, UPPER, CHECKPOINT = 2, 5, 9
    START = Position(1, 0)

    def __init__(self):
        self.content = b"12.5 13.0 12.9\n"
        self.owner, self.maker = identity("water company"), identity("maker")
        self.zone = codec.Zone(self.owner, "north/pump")
        self.validator_keys = sorted((signing_key(f"validator {i}") for i in range(4)), key=public)
        self.signers, self.round = [0, 1, 3], 0
        self.device_key, self.p256_key = signing_key("device"), None
        self.inception = codec.Inception(("ed25519", public(self.device_key)), identity("next"), "flow meter")
        self.device = derive("cairn device v1", codec.Inception.write(self.inception))

        self.at = Position(self.UPPER, 1)
        self.sequence, self.count, self.head, self.head_position = 0, 1, None, None
        self.opened, self.closed, self.forked_at, self.cadence_s = Position(2, 0), None, None, None
        self.stream_device, self.stream_name = self.device, "flow"
        self.keys = [interval(codec.DeviceKey(self.inception.key, self.inception.next), self.START)]
        self.owners = [interval(self.owner, self.START)]
        self.statuses = [interval(("active", None), self.START)]
        self.zones = [interval(self.zone, self.START)]
        self.recoveries, self.offers = [], []
        self.endorsement, self.lots, self.superseded = None, {}, None
        self.other_zones = {}
        self.grants = {identity("grant"): interval(self.terms(), Position(1, 3))}
        self.authority = identity("grant")
        self.organizations = {
            self.owner: codec.OrganizationRecord("water", "Water & Söhne", 4, None, Position(0, 0), None),
            self.maker: codec.OrganizationRecord("maker", "Maker", 2, None, Position(0, 0), None),
        }
        self.expires, self.form, self.salt, self.claimed = None, "plain", None, None
        self.more_state = {}
        self.changes = []    # (height, validators' keys from then on)
        self.with_anchor = None
        self.edit_transaction = self.edit_body = self.edit_state = lambda value: value
        self.edit_header = self.edit_set = lambda value: value

    def terms(self, **changed):
        terms = codec.GrantTerms(
            grantor=("organization", self.owner), grantee=("zone", codec.Zone(self.owner, "north")),
            actions=actions_of("attest"), scope=("zone", self.zone), window=codec.Window(0, None), depth=0, parent=None,
        )
        return terms._replace(**changed)

    def validator_set(self, keys):
        return self.edit_set(codec.ValidatorSet([
            codec.Validator(public(key), public(signing_key(f"peer of {public(key).hex()}")), 1, self.owner)
            for key in keys
        ]))

    def sets(self):
        """The validators who decide each height."""
        sets, keys = [], self.validator_keys
        changes = dict(self.changes)
        for height in range(self.CHECKPOINT + 2):
            sets.append(keys)
            keys = changes.get(height, keys)
        return sets

    def certificate(self, header, keys, signers=None):
        block = derive("cairn block v1", codec.Header.write(header))
        numbers = header.height.to_bytes(8, "little") + self.round.to_bytes(4, "little")
        message = b"cairn sign precommit v1" + self.chain + numbers + block
        signatures = [
            codec.CertificateSignature(place, keys[place].sign(message).signature)
            for place in (range(len(keys)) if signers is None else signers)
        ]
        return codec.Certificate(header.height, self.round, block, signatures)

    def sign(self):
        stream = derive("cairn stream v1", self.device + codec.Name.write("flow"))
        content_hash = b3(self.content)
        if self.form == "salted":
            content_hash = derive("cairn salted content v1", self.salt + self.content)
        body = self.edit_body(codec.Body(
            chain=self.chain, signer=("device", self.device), expires=self.expires,
            not_before=codec.BlockRef(self.LOWER, self.hashes[self.LOWER]),
            call=("attest", codec.Attest(
                stream=stream, sequence=self.sequence, previous=ZEROS, claimed=self.claimed, derived_from=[],
                content=codec.Content((self.form, None), content_hash, len(self.content), 3), authority=self.authority,
            )),
        ))
        self.id = derive("cairn transaction v1", codec.Body.write(body))
        signatures = [codec.Signature(("device", self.device), 0, self.signed(b"cairn sign transaction v1" + self.id))]
        self.stream = stream
        return self.edit_transaction(codec.Transaction(body, signatures))

    def signed(self, message):
        if self.p256_key is not None:
            return ("p256", p256.sign(self.p256_key, message))
        return ("ed25519", self.device_key.sign(message).signature)

    def use_p256(self, secret=7):
        """The device signs with P-256, with a key that it has from the start."""
        self.p256_key = secret
        self.keys = [interval(codec.DeviceKey(("p256", p256.public(secret)), identity("next")), self.START)]

    def endorse(self, serial="sn-7", **changed):
        """A lot of the maker's, from which the device comes."""
        basis = ("merkle", codec.LotBasis.variants[0][1](identity("root"), 100000))
        self.endorsement = codec.EndorsementRecord(identity("lot"), self.maker, serial)
        lot = interval(codec.LotRecord(self.maker, basis, "spring"), Position(0, 7))
        self.lots = {identity("lot"): lot._replace(**changed)}

    def state(self):
        state = {b"\x04" + self.device + b"\0" + bytes(4): codec.DeviceRecord.write(
            codec.DeviceRecord(self.inception, self.START, ("organization", self.maker), self.endorsement)
        )}
        facets = [self.keys, self.owners, self.statuses, self.zones, self.recoveries, self.offers]
        for facet, intervals in enumerate(facets, start=1):
            for ordinal, value in enumerate(intervals):
                key = b"\x04" + self.device + bytes([facet]) + ordinal.to_bytes(4, "big")
                state[key] = codec.DEVICE_FACETS[facet].write(value)
        for device, zones in self.other_zones.items():
            for ordinal, value in enumerate(zones):
                key = b"\x04" + device + b"\4" + ordinal.to_bytes(4, "big")
                state[key] = codec.PlacementInterval.write(value)
        state[b"\x08" + self.stream] = codec.StreamRecord.write(codec.StreamRecord(
            device=self.stream_device, name=self.stream_name, cadence_s=self.cadence_s, opened=self.opened,
            count=self.count, head=self.head or self.id, head_position=self.head_position or self.at, peaks=[ZEROS],
            closed=self.closed, forked_at=self.forked_at, owned_from=0,
        ))
        for grant, value in self.grants.items():
            state[b"\x06" + grant] = codec.GrantInterval.write(value)
        for organization, value in self.organizations.items():
            state[b"\x02" + organization + bytes(5)] = codec.OrganizationRecord.write(value)
        for lot, value in self.lots.items():
            state[b"\x0e" + lot] = codec.LotInterval.write(value)
        if self.superseded is not None:
            state[self.superseded_key()] = codec.Superseded.write(self.superseded)
        for number in range(20):    # others' entries, so that the proofs have steps
            state[b"\x04" + identity(f"device {number}") + b"\0" + bytes(4)] = b"somebody else"
        state.update(self.more_state)
        return self.edit_state(state)

    def headers(self):
        self.hashes, self.chain, headers, transactions = [], ZEROS, [], []
        sets = self.sets()
        for height in range(self.CHECKPOINT + 1):
            if height == self.UPPER:
                transactions = [identity(f"transaction {n}") for n in range(3)]
                self.transaction = self.sign()
                self.encoded = codec.Transaction.write(self.transaction)
                transactions[self.at.index] = derive("cairn signed transaction v1", self.encoded)
                self.transactions = transactions
            if height == self.CHECKPOINT:
                self.final_state = self.state()
            header = self.edit_header(codec.Header(
                version=1, chain=self.chain, height=height, time_ms=1735700000000 + 1000 * height,
                parent=self.hashes[-1] if self.hashes else ZEROS, history_root=accumulator_root(self.hashes),
                tx_root=accumulator_root(transactions if height == self.UPPER else []),
                state_root=state_root(self.final_state if height == self.CHECKPOINT else {}),
                validators_root=self.root_of(sets[height]), next_validators_root=self.root_of(sets[height + 1]),
                proposer=0,
            ))
            headers.append(header)
            self.hashes.append(derive("cairn block v1", codec.Header.write(header)))
            self.chain = self.hashes[0]
        return headers

    def superseded_key(self):
        return b"\x11" + self.stream + self.sequence.to_bytes(8, "big")

    def root_of(self, keys):
        return derive("cairn validators v1", codec.ValidatorSet.write(self.validator_set(keys)))

    def path(self):
        named, path = self.authority, []
        while named is not None and len(path) < 8:
            path.append((named, self.grants.get(named)))
            named = path[-1][1].value.parent if path[-1][1] else None
        return path

    def bundle(self):
        headers, sets, past = self.headers(), self.sets(), self.hashes[: self.CHECKPOINT]
        state, checkpoint = self.final_state, headers[self.CHECKPOINT]
        path = [value.value for _, value in self.path() if value]
        grantors = {who for kind, who in (terms.grantor for terms in path) if kind == "organization"}
        owners = {i.value for i in self.owners if i.to is None or i.to.height > self.LOWER}
        makers = {self.endorsement.manufacturer} if self.endorsement else set()
        passing = []
        for before, terms in zip(path, path[1:]):
            kind, who = before.grantor
            if terms.grantee[0] == "zone" and kind == "device" and who != self.device and who not in passing:
                passing.append(who)
        return codec.Bundle(
            magic=b"cairn bundle", version=2, genesis=headers[0], validators=self.validator_set(sets[1]),
            changes=[
                codec.ValidatorChange(headers[height], self.certificate(headers[height], sets[height]),
                                      self.validator_set(keys))
                for height, keys in self.changes
            ],
            checkpoint=checkpoint, certificate=self.certificate(checkpoint, sets[self.CHECKPOINT], self.signers),
            block=codec.PastBlock(headers[self.UPPER], inclusion(past, self.UPPER)),
            not_before=codec.PastBlock(headers[self.LOWER], inclusion(past, self.LOWER)),
            anchor=self.with_anchor and codec.Anchor(past[self.with_anchor], inclusion(past, self.with_anchor)),
            transaction=self.encoded,
            inclusion=codec.Inclusion(len(self.transactions), inclusion(self.transactions, self.at.index)),
            device=prefix_proof(state, b"\x04" + self.device), stream=key_proof(state, b"\x08" + self.stream),
            grants=[key_proof(state, b"\x06" + grant) for grant, _ in self.path()],
            placements=[prefix_proof(state, b"\x04" + device + b"\4") for device in passing],
            organizations=[key_proof(state, b"\x02" + one + bytes(5)) for one in sorted(owners | grantors | makers)],
            lot=self.endorsement and key_proof(state, b"\x0e" + self.endorsement.lot),
            superseded=key_proof(state, self.superseded_key()),
        )


def actions_of(*names):
    return sum(1 << codec.ACTIONS.index(name) for name in names)
