"""What every file begins with: the way from the genesis to a certified checkpoint. Steps A2 to A8 of section 12 of
runtime/SPECIFICATION.md, as far as bundles and lookups share them, and the reasons that stand against a verdict.
"""

from collections import namedtuple

import codec
import ed25519
import trees
from codec import ZEROS, Malformed, decode, derive

VALIDATORS_MAX = 128
POWER_MAX = 2**60

Freshness = namedtuple("Freshness", "now_ms age_max_ms")


class Refused(Exception):
    """A step failed, and the verification ends. Carries the name of the reason."""


def require(condition, reason):
    if not condition:
        raise Refused(reason)


def record(kind, data):
    try:
        return decode(kind, data)
    except Malformed:
        raise Refused("record_malformed") from None


def in_order(intervals):
    return all(i.to is None or i.from_ <= i.to for i in intervals) and all(
        i.to is not None and i.to <= following.from_ for i, following in zip(intervals, intervals[1:])
    )


# Blocks and validators


def hash_of(header):
    return derive("cairn block v1", codec.Header.write(header))


def block_json(header):
    return {"height": str(header.height), "hash": hash_of(header).hex(), "timeMs": str(header.time_ms)}


def root_of(validators):
    return derive("cairn validators v1", codec.ValidatorSet.write(validators))


def is_well_formed(validator_set):
    validators = validator_set.validators
    keys = [validator.key for validator in validators]
    return (
        1 <= len(validators) <= VALIDATORS_MAX
        and all(a < b for a, b in zip(keys, keys[1:]))
        and len({validator.peer for validator in validators}) == len(validators)
        and all(validator.power >= 1 for validator in validators)
        and sum(validator.power for validator in validators) <= POWER_MAX
        and all(ed25519.may_be_registered(v.key) and ed25519.may_be_registered(v.peer) for v in validators)
    )


def certifies(certificate, chain, height, block, validator_set):
    validators = validator_set.validators
    places = [signature.validator for signature in certificate.signatures]
    if (certificate.height, certificate.block) != (height, block):
        return False
    if not all(a < b for a, b in zip(places, places[1:])) or any(place >= len(validators) for place in places):
        return False
    signed = sum(validators[place].power for place in places)
    if 3 * signed <= 2 * sum(validator.power for validator in validators):
        return False
    numbers = height.to_bytes(8, "little") + certificate.round.to_bytes(4, "little")
    message = b"cairn sign precommit v1" + chain + numbers + block
    return all(
        ed25519.verify(validators[signature.validator].key, message, signature.signature)
        for signature in certificate.signatures
    )


class Judgement:
    """One file, judged. `verdict` is the JSON form, and grows as more is reached.

    A subclass has MESSAGES, a text for each reason, and INCOMPLETE, the reasons that lead there.
    """

    MESSAGES = {
        "genesis_malformed": "the file's genesis is not a block 0",
        "wrong_network": "the file is of another network",
        "validators_not_genesis": "these are not the validators that the genesis names",
        "validators_malformed": "a set of validators is not well-formed",
        "header_malformed": "the header of a change or of the checkpoint cannot stand there",
        "validators_mismatch": "a header names other validators than these",
        "certificate_invalid": "the validators did not decide this block",
        "history_invalid": "the checkpoint's history does not hold a past block",
        "trusted_conflict": "the block that you trust is not in this history",
        "trusted_unconnected": "the file does not show the block that you trust",
        "checkpoint_ahead": "the checkpoint is later than now",
        "checkpoint_stale": "the checkpoint is older than you allow",
        "state_proof_invalid": "a proof of the state does not hold",
        "record_malformed": "a record of the state is malformed",
        "record_unknown": "the state has records that this verifier does not know",
        "absent": "the state does not hold a record that must be there",
        "proof_missing": "a proof is missing",
        "proof_superfluous": "a proof is there that nothing asks for",
    }
    INCOMPLETE = {"trusted_unconnected", "checkpoint_ahead", "checkpoint_stale", "record_unknown", "proof_missing"}

    def __init__(self, genesis, trusted, freshness):
        self.chain, self.trusted, self.freshness = genesis, trusted, freshness
        self.reasons = []
        self.verdict = {"outcome": None, "reasons": self.reasons, "chain": genesis.hex()}

    def note(self, name):
        outcome = "INCOMPLETE" if name in self.INCOMPLETE else "INVALID"
        self.reasons.append({"name": name, "outcome": outcome, "message": self.MESSAGES[name]})

    def run(self, data):
        try:
            self.steps(data)
        except Refused as refused:
            self.note(str(refused))
        outcomes = {reason["outcome"] for reason in self.reasons}
        self.verdict["outcome"] = next((o for o in ("INVALID", "INCOMPLETE") if o in outcomes), "VALID")
        return self.verdict

    def establish_checkpoint(self, file):
        """A2 to A5. Keeps the checkpoint, and the validators who decided it."""
        genesis = file.genesis
        require((genesis.version, genesis.height, genesis.chain) == (1, 0, ZEROS), "genesis_malformed")
        require(hash_of(genesis) == self.chain, "wrong_network")

        current, last_height = file.validators, 0
        require(root_of(current) == genesis.next_validators_root, "validators_not_genesis")
        require(is_well_formed(current), "validators_malformed")
        for change in file.changes:
            require(change.header.height > last_height, "header_malformed")
            self.require_certified(change.header, change.certificate, current)
            root = root_of(change.validators)
            require(
                root == change.header.next_validators_root and root != change.header.validators_root,
                "validators_mismatch",
            )
            require(is_well_formed(change.validators), "validators_malformed")
            current, last_height = change.validators, change.header.height

        require(file.checkpoint.height > last_height, "header_malformed")
        self.require_certified(file.checkpoint, file.certificate, current)
        self.checkpoint, self.validators = file.checkpoint, current.validators

    def require_certified(self, header, certificate, current):
        require(header.version == 1 and header.chain == self.chain and header.height != 0, "header_malformed")
        require(header.validators_root == root_of(current), "validators_mismatch")
        require(certifies(certificate, self.chain, header.height, hash_of(header), current), "certificate_invalid")

    def require_history(self, item, proof):
        shown = trees.is_included(item, self.checkpoint.height, self.checkpoint.history_root, proof)
        require(shown, "history_invalid")

    def reach_finality(self, file, known):
        """A7 and A8. `known` are the blocks that the file proves, as (height, hash)."""
        self.verdict["finality"] = {
            "checkpoint": block_json(self.checkpoint),
            "round": file.certificate.round,
            "signers": [
                {
                    "validator": signature.validator,
                    "power": str(self.validators[signature.validator].power),
                    "organization": self.validators[signature.validator].organization.hex(),
                }
                for signature in file.certificate.signatures
            ],
            "validators": len(self.validators),
            "totalPower": str(sum(validator.power for validator in self.validators)),
            "changes": len(file.changes),
            "trusted": self.is_connected(known),
            **self.is_fresh(self.checkpoint.time_ms),
        }

    def is_connected(self, known):
        if self.trusted is None:
            return "not_asked"
        height, trusted = self.trusted
        at_height = next((block for known_height, block in known if known_height == height), None)
        if at_height is None:
            self.note("trusted_unconnected")
            return "unconnected"
        if at_height != trusted:
            self.note("trusted_conflict")
            return "conflict"
        return "connected"

    def is_fresh(self, time_ms):
        if self.freshness is None:
            return {"freshness": "not_asked"}
        age = self.freshness.now_ms - time_ms
        if -age > self.freshness.age_max_ms:
            self.note("checkpoint_ahead")
            return {"freshness": "unknown"}
        if age > self.freshness.age_max_ms:
            self.note("checkpoint_stale")
            return {"freshness": "stale", "ageMs": str(age)}
        return {"freshness": "fresh", "ageMs": str(max(age, 0))}

    def by_key(self, key, proof):
        """The value of one key, or None if it is proven absent."""
        found = self.entries(trees.entries_of_key, key, proof)
        return found[0][1] if found else None

    def by_prefix(self, prefix, proof):
        return self.entries(trees.entries_of_prefix, prefix, proof)

    def entries(self, prove, key, proof):
        try:
            return prove(self.checkpoint.state_root, key, proof)
        except trees.ProofInvalid:
            raise Refused("state_proof_invalid") from None

    def by_facet(self, entries, kinds):
        """The record and the intervals of a device or an organization: the order of step C1."""
        found = [[] for _ in kinds]
        for key, value in entries:
            require(len(key) == 38, "record_malformed")
            facet = key[33]
            require(facet < len(kinds), "record_unknown")
            found[facet].append(record(kinds[facet], value))
            require(len(found[0]) == 1 if facet == 0 else in_order(found[facet][-2:]), "record_malformed")
        require(found[0], "absent")
        return found

    def device_file(self, device, entries):
        found = self.by_facet(entries, codec.DEVICE_FACETS)
        inception = codec.Inception.write(found[0][0].inception)
        require(derive("cairn device v1", inception) == device, "record_malformed")
        return found


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [without_nulls(part) for part in value]
    return value
