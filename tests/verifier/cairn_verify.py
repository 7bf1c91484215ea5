#!/usr/bin/env python3
"""Cairn's second verifier, written from runtime/SPECIFICATION.md alone.

It says of a bundle or a lookup whether it is VALID, INVALID or INCOMPLETE, and why. It shares no code with the first verifier, the
crate `cairn-proofs`; the tests hold the two against each other. "A1" and the like below are steps of section 12.

Exit status: 0 VALID, 1 INVALID, 3 INCOMPLETE, 2 if the command line is wrong or a file cannot be read.
"""

import argparse
import json
import sys
import time
from collections import namedtuple

import codec
import keys
import lookup
import trees
from checkpoint import Freshness, Judgement, Refused, block_json, hash_of, in_order, record, require, without_nulls
from codec import ACTIONS, Malformed, Position, b3, decode, derive

BUNDLE_MAX = 2097152
TRANSACTION_MAX = 32768
PATH_MAX = 8
ATTEST, DELEGATE = 1 << ACTIONS.index("attest"), 1 << ACTIONS.index("delegate")

REASONS = {
    **Judgement.MESSAGES,
    "not_a_bundle": "this is not a bundle of version 2",
    "past_block_malformed": "the header of a past block cannot stand there",
    "inclusion_invalid": "the transaction is not shown to be in its block",
    "transaction_malformed": "the transaction does not decode",
    "not_an_attestation": "the transaction is not an attestation by one device of this network",
    "not_before_mismatch": "the block that the attestation names is another one",
    "expired": "the transaction expired before its block",
    "content_not_supplied": "no content was given to compare",
    "content_not_comparable": "the signed content is of another form than the given one",
    "content_differs": "the content is not what the device signed",
    "key_not_held": "the device had no key then",
    "signature_invalid": "the signature is not by the device's key",
    "key_suspect": "the device's key was in doubt then",
    "device_not_active": "the device was not active then",
    "device_not_owned": "nobody owned the device then",
    "authority_not_held": "the device was not entitled to attest",
    "authority_suspect": "a grant on the path was in doubt then",
    "stream_contradicts": "the stream's record contradicts the attestation",
    "stream_forked": "the device attested two contents for one sequence",
}
INCOMPLETE = Judgement.INCOMPLETE | {
    "content_not_supplied", "content_not_comparable", "key_suspect", "authority_suspect", "stream_forked",
}

# What the auditor supplies besides the genesis
Supplied = namedtuple("Supplied", "form hash bytes")

# A grant on the path of authority
Step = namedtuple("Step", "id interval")


# Intervals


def contains(interval, position):
    return interval.from_ <= position and (interval.to is None or position < interval.to)


def standing(intervals, position):
    return next((interval for interval in intervals if contains(interval, position)), None)


def zone_contains(outer, inner):
    return outer.organization == inner.organization and (
        outer.path in ("", inner.path) or inner.path.startswith(outer.path + "/")
    )


def is_member(organization, position):
    return organization.admitted <= position and (organization.expelled is None or position < organization.expelled)


# The verification


class Verification(Judgement):
    """One run of section 12 over one bundle."""

    MESSAGES, INCOMPLETE = REASONS, INCOMPLETE

    def __init__(self, genesis, supplied, trusted, freshness):
        super().__init__(genesis, trusted, freshness)
        self.supplied = supplied
        self.verdict["organizations"] = []
        self.endorsement = None

    def steps(self, data):
        self.finality(data)
        self.attestation()
        self.state()
        self.judge()

    # A. From the genesis to the checkpoint

    def finality(self, data):
        try:
            bundle = self.bundle = decode(codec.Bundle, data, most=BUNDLE_MAX)
        except Malformed:
            raise Refused("not_a_bundle") from None
        require(bundle.magic == b"cairn bundle" and bundle.version == 2, "not_a_bundle")
        self.establish_checkpoint(bundle)
        checkpoint = bundle.checkpoint
        known = [(0, self.chain), (checkpoint.height, hash_of(checkpoint))]
        for past in (bundle.block, bundle.not_before):
            if past is not None:
                header = past.header
                require(
                    header.version == 1
                    and header.chain == self.chain
                    and header.height != 0
                    and past.history.index == header.height,
                    "past_block_malformed",
                )
                self.require_history(hash_of(header), past.history)
                known.append((header.height, hash_of(header)))
        if bundle.anchor is not None:
            self.require_history(bundle.anchor.hash, bundle.anchor.history)
            known.append((bundle.anchor.history.index, bundle.anchor.hash))

        self.reach_finality(bundle, known)

    # B. The attestation

    def attestation(self):
        bundle = self.bundle
        header = self.block = bundle.block.header if bundle.block else bundle.checkpoint
        item = derive("cairn signed transaction v1", bundle.transaction)
        shown = trees.is_included(item, bundle.inclusion.count, header.tx_root, bundle.inclusion.proof)
        require(shown, "inclusion_invalid")
        self.at = Position(header.height, bundle.inclusion.proof.index)

        try:
            transaction = self.transaction = decode(codec.Transaction, bundle.transaction, most=TRANSACTION_MAX)
        except Malformed:
            raise Refused("transaction_malformed") from None
        body = transaction.body
        (signer, device), (call, attest) = body.signer, body.call
        require(signer == "device" and call == "attest" and body.chain == self.chain, "not_an_attestation")
        self.id = derive("cairn transaction v1", codec.Body.write(body))
        self.device, self.attest = device, attest
        after = bundle.not_before.header if bundle.not_before else bundle.genesis
        named = body.not_before
        require(
            named.hash == hash_of(after) and named.height == after.height and after.height < header.height,
            "not_before_mismatch",
        )
        self.end_of_lower = Position(after.height, 2**32 - 1)
        require(body.expires is None or body.expires >= header.height, "expired")
        self.verdict["statement"] = {
            "id": self.id.hex(),
            "device": device.hex(),
            "stream": attest.stream.hex(),
            "sequence": str(attest.sequence),
            "content": content_json(attest.content),
            "claimed": attest.claimed and {"fromMs": str(attest.claimed.from_ms), "toMs": str(attest.claimed.to_ms)},
        }
        self.verdict["bounds"] = {
            "after": block_json(after),
            "before": block_json(header),
            "position": position_json(self.at),
        }
        self.verdict["integrity"] = self.integrity()

    def integrity(self):
        signed, supplied = self.attest.content, self.supplied
        axis = {"standing": "matches", "signed": content_json(signed)}
        if supplied is None:
            self.note("content_not_supplied")
            return {**axis, "standing": "not_supplied"}
        if supplied.form != signed.form[0]:
            self.note("content_not_comparable")
            axis["standing"] = "not_comparable"
        elif (supplied.hash, supplied.bytes) != (signed.hash, signed.bytes):
            self.note("content_differs")
            axis["standing"] = "differs"
        else:
            return axis
        return {**axis, "supplied": {"form": supplied.form, "hash": supplied.hash.hex(), "bytes": str(supplied.bytes)}}

    # C. The state at the checkpoint

    def state(self):
        self.read_device()
        self.read_stream()
        self.read_grants()
        self.read_placements()
        self.read_organizations()
        self.read_lot()
        self.read_superseded()
        self.verdict["organizations"] = [
            {"id": organization.hex(), "name": found.name, "title": found.title}
            for organization, found in self.organizations.items()
        ]

    def read_device(self):
        found = self.device_file(self.device, self.by_prefix(b"\x04" + self.device, self.bundle.device))
        [self.device_record], self.keys, self.owners, self.statuses, self.zones, self.recoveries, self.offers = found

    def read_stream(self):
        value = self.by_key(b"\x08" + self.attest.stream, self.bundle.stream)
        require(value is not None, "absent")
        self.stream = record(codec.StreamRecord, value)

    def read_grants(self):
        self.path, self.broken = [], False
        named, proofs = self.attest.authority, list(self.bundle.grants)
        while named is not None:
            if len(self.path) == PATH_MAX:
                self.broken = True
                break
            require(proofs, "proof_missing")
            value = self.by_key(b"\x06" + named, proofs.pop(0))
            if value is None:
                self.broken = True
                break
            self.path.append(Step(named, record(codec.GrantInterval, value)))
            named = self.path[-1].interval.value.parent
        require(not proofs, "proof_superfluous")

    def read_placements(self):
        self.other_zones = {}
        proofs = list(self.bundle.placements)
        for before, step in zip(self.path, self.path[1:]):
            kind, device = before.interval.value.grantor
            if step.interval.value.grantee[0] != "zone" or kind != "device":
                continue
            if device == self.device or device in self.other_zones:
                continue
            require(proofs, "proof_missing")
            found = self.by_prefix(b"\x04" + device + b"\x04", proofs.pop(0))
            intervals = [record(codec.PlacementInterval, value) for _, value in found]
            require(in_order(intervals), "record_malformed")
            self.other_zones[device] = intervals
        require(not proofs, "proof_superfluous")

    def read_organizations(self):
        wanted = {owner.value for owner in self.owners if owner.to is None or owner.to > self.end_of_lower}
        grantors = (step.interval.value.grantor for step in self.path)
        wanted.update(grantor for kind, grantor in grantors if kind == "organization")
        if self.device_record.endorsement is not None:
            wanted.add(self.device_record.endorsement.manufacturer)
        proofs, self.organizations = list(self.bundle.organizations), {}
        for organization in sorted(wanted):
            require(proofs, "proof_missing")
            value = self.by_key(b"\x02" + organization + bytes(5), proofs.pop(0))
            require(value is not None, "absent")
            self.organizations[organization] = record(codec.OrganizationRecord, value)
        require(not proofs, "proof_superfluous")

    def read_lot(self):
        self.lot, named, proof = None, self.device_record.endorsement, self.bundle.lot
        if named is None:
            require(proof is None, "proof_superfluous")
            return
        require(proof is not None, "proof_missing")
        value = self.by_key(b"\x0e" + named.lot, proof)
        require(value is not None, "absent")
        self.lot = record(codec.LotInterval, value)
        require(self.lot.value.manufacturer == named.manufacturer, "record_malformed")

    def read_superseded(self):
        key = b"\x11" + self.attest.stream + self.attest.sequence.to_bytes(8, "big")
        value = self.by_key(key, self.bundle.superseded)
        self.superseded = None if value is None else record(codec.Superseded, value)
        require(self.superseded is None or self.superseded.at > self.at, "record_malformed")

    # D. Judgement

    def judge(self):
        self.verdict["key"] = self.judge_key()
        self.verdict["device"] = self.judge_device()
        self.verdict["authority"] = self.judge_authority()
        self.verdict["stream"] = self.judge_stream()
        self.verdict["later"] = self.later()
        self.verdict["present"] = self.present()

    def judge_key(self):
        epoch = standing(self.keys, self.at)
        if epoch is None:
            self.note("key_not_held")
            return {"standing": "not_held"}
        axis = {
            "standing": "not_held",
            "key": key_json(epoch.value.key),
            "from": position_json(epoch.from_),
            "to": position_json(epoch.to),
        }
        signatures = self.transaction.signatures
        if len(signatures) != 1 or (signatures[0].signer, signatures[0].key) != (("device", self.device), 0):
            self.note("not_an_attestation")
            return axis
        message = b"cairn sign transaction v1" + self.id
        if not keys.verify(epoch.value.key, message, signatures[0].bytes):
            self.note("signature_invalid")
            return axis
        doubt = self.doubt_of(epoch)
        if doubt is not None and doubt <= self.at:
            self.note("key_suspect")
            return {**axis, "standing": "suspect", "suspectSince": position_json(doubt)}
        return {**axis, "standing": "held" if contains(epoch, self.end_of_lower) else "held_at_inclusion"}

    def doubt_of(self, epoch):
        """Since when what was signed in this epoch is in doubt, if it is."""
        doubts = [i.suspect_since for i in [epoch, *self.statuses] if i.suspect_since is not None]
        return min(doubts, default=None)

    def within_bounds(self, intervals):
        return [i for i in intervals if i.from_ <= self.at and (i.to is None or i.to > self.end_of_lower)]

    def judge_device(self):
        status = standing(self.statuses, self.at)
        active, owned = status is not None and status.value[0] == "active", standing(self.owners, self.at) is not None
        statuses = self.within_bounds(self.statuses)
        if not active:
            self.note("device_not_active")
        if not owned:
            self.note("device_not_owned")
        if not (active and owned):
            word = "not_active"
        elif standing(self.statuses, self.end_of_lower) and all(i.value[0] == "active" for i in statuses):
            word = "active"
        else:
            word = "active_at_inclusion"
        found = self.device_record
        return {
            "standing": word,
            "model": found.inception.model,
            "registered": position_json(found.registered),
            "endorsement": self.judge_endorsement(),
            "statuses": [{"status": i.value[0], **interval_json(i)} for i in statuses],
            "owners": [{"owner": i.value.hex(), **interval_json(i)} for i in self.within_bounds(self.owners)],
            "zones": [{"zone": zone_json(i.value), **interval_json(i)} for i in self.within_bounds(self.zones)],
        }

    def judge_endorsement(self):
        found, lot = self.device_record, self.lot
        if lot is None:
            return None
        named = found.endorsement
        ends = [end for end in (lot.to, self.organizations[named.manufacturer].expelled) if end is not None]
        trust, since = "trusted", None
        if lot.suspect_since is not None and lot.suspect_since <= found.registered:
            trust, since = "suspect", lot.suspect_since
        elif ends:
            trust, since = "distrusted", min(ends)
        self.endorsement = trust
        return {
            "manufacturer": named.manufacturer.hex(),
            "lot": named.lot.hex(),
            "label": lot.value.label,
            "serial": named.serial,
            "trust": trust,
            "since": position_json(since),
        }

    def zone_of(self, device, position):
        intervals = self.zones if device == self.device else self.other_zones[device]
        placement = standing(intervals, position)
        return placement and placement.value

    def why_not(self, position):
        """In words, why the path does not give the device the right to attest at this position; None if it does."""
        if self.broken:
            return "the path of grants is broken"
        owner = standing(self.owners, position)
        if owner is None:
            return "nobody owned the device"
        zone = self.zone_of(self.device, position)
        claimant, depth = ("device", self.device), None
        for index, step in enumerate(self.path):
            terms, name = step.interval.value, f"grant {step.id.hex()}"
            kind, to = terms.grantee
            if kind == "zone":
                place = self.zone_of(claimant[1], position) if claimant[0] == "device" else None
                if place is None or not zone_contains(to, place):
                    return f"{name} is to a zone where the claimant was not"
            elif (kind, to) != claimant:
                return f"{name} is to somebody else"
            if not contains(step.interval, position):
                return f"{name} was not in force"
            if terms.scope[0] != "zone" and step.interval.from_ < owner.from_:
                return f"{name} was given under an earlier owner"
            kind, who = terms.grantor
            if kind == "organization" and not is_member(self.organizations[who], position):
                return f"whoever gave {name} was no member"
            window, height = terms.window, position.height
            if height < window.from_ or (window.to is not None and height >= window.to):
                return f"the window of {name} was not open"
            needed = ATTEST if index == 0 else ATTEST | DELEGATE
            if terms.actions & needed != needed:
                return f"{name} does not allow the action"
            if depth is not None and terms.depth <= depth:
                return f"{name} may not be passed on that far"
            kind, over = terms.scope
            if kind == "zone":
                covered = zone is not None and zone_contains(over, zone)
            else:
                covered = over == (self.device if kind == "device" else self.attest.stream)
            if not covered:
                return f"{name} is about something else"
            claimant, depth = terms.grantor, terms.depth
        if claimant != ("organization", owner.value):
            return "the path does not start from the owner"
        return None

    def judge_authority(self):
        axis = {"standing": "not_held", "path": [grant_json(step) for step in self.path]}
        failure = self.why_not(self.at)
        if failure is not None:
            self.note("authority_not_held")
            return {**axis, "failure": failure}
        since, grant = self.doubted_grant(self.at)
        if grant is not None:
            self.note("authority_suspect")
            return {**axis, "standing": "suspect", "suspect": grant.hex(), "since": position_json(since)}

        moments = {self.end_of_lower, self.at}
        for member in self.organizations.values():
            moments.update((member.admitted, member.expelled))
        for interval in [*self.owners, *self.zones, *(i for zones in self.other_zones.values() for i in zones)]:
            moments.update((interval.from_, interval.to))
        for _, interval in self.path:
            window = interval.value.window
            moments.update((interval.from_, interval.to, Position(window.from_, 0)))
            if window.to is not None:
                moments.add(Position(window.to, 0))
        moments = sorted(m for m in moments if m is not None and self.end_of_lower <= m <= self.at)
        lacking = [index for index, moment in enumerate(moments) if self.why_not(moment) is not None]
        if not lacking:
            return {**axis, "standing": "held"}
        since = moments[lacking[-1] + 1]
        return {**axis, "standing": "indeterminate", "since": position_json(since), "failure": "it was given later"}

    def doubted_grant(self, position):
        """Since when a grant of the path is in doubt at this position, and which; of several the first."""
        doubts = [(i.suspect_since, grant) for grant, i in self.path if i.suspect_since is not None]
        return min([doubt for doubt in doubts if doubt[0] <= position], default=(None, None))

    def judge_stream(self):
        found, i, n = self.stream, self.attest.sequence, self.stream.count
        is_head = i + 1 == n
        identity = derive("cairn stream v1", found.device + codec.Name.write(found.name))
        if is_head:
            head_agrees = found.head == self.id and found.head_position == self.at
        else:
            head_agrees = found.head != self.id and found.head_position > self.at
        agrees = (
            found.device == self.device
            and identity == self.attest.stream
            and found.opened < self.at
            and (found.closed is None or found.closed > self.at)
            and i < n
            and head_agrees
        )
        if not agrees:
            self.note("stream_contradicts")
            word = "contradicts"
        elif found.forked_at is not None and found.forked_at <= i:
            self.note("stream_forked")
            word = "forked"
        else:
            word = "complete" if is_head else "continued"

        silence, silent_since = "within", None
        if found.cadence_s is None:
            silence = "not_declared"
        elif found.closed is not None or found.forked_at is not None:
            silence = "ended"
        elif found.head != self.id:
            silence = "unknown"
        elif self.bundle.checkpoint.time_ms - self.block.time_ms > found.cadence_s * 1000:
            silence, silent_since = "silent", str(self.block.time_ms)
        return {
            "standing": word,
            "name": found.name,
            "sequence": str(i),
            "count": str(n),
            "further": str(n - 1 - i) if word == "continued" else None,
            "forkedAt": str(found.forked_at) if word == "forked" else None,
            "head": position_json(found.head_position),
            "opened": position_json(found.opened),
            "closed": position_json(found.closed),
            "cadenceSeconds": found.cadence_s,
            "silence": silence,
            "silentSinceMs": silent_since,
        }

    def later(self):
        events = []

        def add(position, event, **fields):
            if position is not None and position > self.at:
                events.append((position, {"position": position_json(position), "event": event, **fields}))

        began = {(i.from_, i.value.key) for i in self.keys}
        for i in self.keys:
            add(i.from_, "key_rotated", key=key_json(i.value.key))
        for i in self.recoveries:
            add(i.from_, "recovery_announced", key=key_json(i.value.key), effective=str(i.value.effective))
        for i in self.recoveries:
            if (i.to, i.value.key) not in began:
                add(i.to, "recovery_cancelled", key=key_json(i.value.key))
        for i in self.statuses:
            add(i.from_, "status_changed", status=i.value[0], suspectSince=position_json(i.suspect_since))
        for i in self.offers:
            add(i.from_, "offered", organization=i.value.hex())
        for i in self.owners:
            add(i.from_, "owner_changed", owner=i.value.hex())
        for i in self.zones:
            add(i.from_, "placed", zone=zone_json(i.value))
        for grant, i in self.path:
            add(i.to, "grant_revoked", grant=grant.hex(), suspectSince=position_json(i.suspect_since))
        if self.lot is not None:
            lot, since = self.device_record.endorsement.lot, self.lot.suspect_since
            add(self.lot.to, "lot_distrusted", lot=lot.hex(), suspectSince=position_json(since))
        for organization, found in self.organizations.items():
            add(found.expelled, "organization_expelled", organization=organization.hex())
        if self.superseded is not None:
            at, by, to = self.superseded
            replacement = to and f"{to.stream.hex()}/{to.sequence}"
            add(at, "superseded", by=named_json(by), replacement=replacement)
        further = self.stream.count - 1 - self.attest.sequence
        if further > 0:
            add(self.stream.head_position, "attested", further=str(further))
        add(self.stream.closed, "stream_closed")
        return [event for _, event in sorted(events, key=lambda pair: pair[0])]    # equals keep their order

    def present(self):
        height = self.checkpoint.height
        now = Position(height + 1, 0) if height + 1 < 2**64 else Position(height, 2**32 - 1)
        epoch = standing(self.keys, self.at)
        key, key_since = "held", None
        if self.verdict["key"]["standing"] == "not_held":
            key = "not_held"
        elif epoch.to is not None:
            key, key_since = "ended", epoch.to
        elif self.doubt_of(epoch) is not None:
            key, key_since = "suspect", self.doubt_of(epoch)
        failure = self.why_not(now)
        since, grant = self.doubted_grant(now) if failure is None else (None, None)
        if self.verdict["stream"]["standing"] == "contradicts":
            stream = "contradicts"
        elif self.stream.forked_at is not None:
            stream = "forked"
        else:
            stream = "open" if self.stream.closed is None else "closed"
        status, owner, zone = (standing(facts, now) for facts in (self.statuses, self.owners, self.zones))
        recovery, offer = standing(self.recoveries, now), standing(self.offers, now)
        return {
            "position": position_json(now),
            "key": key,
            "keySince": position_json(key_since),
            "status": status and status.value[0],
            "owner": owner and owner.value.hex(),
            "zone": zone and zone_json(zone.value),
            "authority": "not_held" if failure else "suspect" if grant else "held",
            "suspect": grant and grant.hex(),
            "suspectSince": position_json(since),
            "failure": failure,
            "stream": stream,
            "superseded": self.superseded is not None,
            "recovery": recovery and str(recovery.value.effective),
            "offeredTo": offer and offer.value.hex(),
        }

    def live(self):
        """Section 13: the answer to a question about now. Asked when the outcome is known."""
        finality, present = self.verdict.get("finality"), self.verdict.get("present")
        if finality is None or finality["freshness"] != "fresh":
            return "unknown"
        if self.verdict["outcome"] == "INVALID":
            return "refused"
        if present is None:
            return "doubtful"
        if (
            present["key"] in ("ended", "not_held")
            or present["status"] != "active"
            or present["owner"] is None
            or present["authority"] == "not_held"
            or present["stream"] != "open"
            or present["superseded"]
        ):
            return "refused"
        in_doubt = "suspect" in (present["key"], present["authority"]) or present["recovery"] is not None
        lacking = any(reason["name"] != "content_not_supplied" for reason in self.reasons)
        return "doubtful" if in_doubt or lacking or self.endorsement not in (None, "trusted") else "ok"

    def run(self, data):
        super().run(data)
        self.verdict["live"] = self.live()
        return self.verdict


# Section 14: the JSON form


def position_json(position):
    return None if position is None else {"height": str(position.height), "index": position.index}


def content_json(content):
    return {
        "form": content.form[0],
        "hash": content.hash.hex(),
        "bytes": str(content.bytes),
        "readings": str(content.readings),
    }


def key_json(key):
    return f"{key[0]}:{key[1].hex()}"


def zone_json(zone):
    return {"organization": zone.organization.hex(), "path": zone.path}


def interval_json(interval):
    return {
        "from": position_json(interval.from_),
        "to": position_json(interval.to),
        "suspectSince": position_json(interval.suspect_since),
    }


def named_json(value):
    """A principal, a grantee or a scope."""
    kind, what = value
    return {kind: zone_json(what) if kind == "zone" else what.hex()}


def grant_json(step):
    terms = step.interval.value
    return {
        "id": step.id.hex(),
        "grantor": named_json(terms.grantor),
        "grantee": named_json(terms.grantee),
        "actions": [action for place, action in enumerate(ACTIONS) if terms.actions >> place & 1],
        "scope": named_json(terms.scope),
        "window": {"from": str(terms.window.from_), "to": None if terms.window.to is None else str(terms.window.to)},
        "depth": terms.depth,
        "parent": terms.parent and terms.parent.hex(),
        **interval_json(step.interval),
    }


# The program


def verify(bundle, genesis, content=None, salt=None, trusted=None, freshness=None):
    """The verdict on the bytes of a bundle, in the form of section 14.

    `genesis` is the hash of block 0, `content` the bytes of the file or None, `trusted` a (height, hash) or None.
    """
    supplied = None
    if content is not None and salt is None:
        supplied = Supplied("plain", b3(content), len(content))
    elif content is not None:
        supplied = Supplied("salted", derive("cairn salted content v1", salt + content), len(content))
    return without_nulls(Verification(genesis, supplied, trusted, freshness).run(bundle))


verify_lookup, question_from = lookup.verify, lookup.question_from


def hash_from(text):
    data = bytes.fromhex(text.strip())
    if len(data) != 32:
        raise ValueError(f"{text!r} is not 32 bytes in hexadecimal")
    return data


def checkpoint_from(text):
    height, _, block = text.partition(":")
    if not (height.isascii() and height.isdigit()):
        raise ValueError(f"{text!r} is not HEIGHT:HASH")
    return int(height), hash_from(block)


def now():
    return int(time.time() * 1000)


def batch(lines, out):
    """One question a line, one verdict a line; a line that is not a question is answered with an `error`."""
    for line in lines:
        if not line.strip():
            continue
        try:
            asked = json.loads(line)
            judge = verify_lookup if "lookup" in asked else verify
            age_max, clock, content = asked.get("max_age_ms"), asked.get("now_ms"), asked.get("content")
            question = {
                "genesis": hash_from(asked["genesis"]),
                "trusted": checkpoint_from(asked["checkpoint"]) if asked.get("checkpoint") else None,
                "freshness": None if age_max is None else Freshness(now() if clock is None else clock, age_max),
            }
            if judge is verify:
                question["bundle"] = bytes.fromhex(asked["bundle"])
                question["content"] = None if content is None else bytes.fromhex(content)
                question["salt"] = hash_from(asked["salt"]) if asked.get("salt") else None
            else:
                question["data"] = bytes.fromhex(asked["lookup"])
                question["question"] = question_from(asked["question"]) if asked.get("question") else None
            if not all(isinstance(number, int) for number in question["freshness"] or ()):
                raise ValueError("now_ms and max_age_ms are integers")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            answer = {"error": f"not a question: {error!r}"}
        else:
            answer = judge(**question)
        out.write(json.dumps(answer) + "\n")
        out.flush()


def print_words(verdict):
    print(verdict["outcome"])
    for reason in verdict["reasons"]:
        print(f"  {reason['outcome']}: {reason['message']} ({reason['name']})")
    if "failure" in verdict.get("authority", {}):
        print(f"  authority: {verdict['authority']['failure']}")
    if "bounds" in verdict:
        bounds = verdict["bounds"]
        print(f"  said after block {bounds['after']['height']}, in block {bounds['before']['height']}")
    for axis in ("integrity", "key", "device", "authority", "stream"):
        if axis in verdict:
            print(f"  {axis}: {verdict[axis]['standing']}")
    if "question" in verdict:
        entries = sum(map(len, verdict["entries"]))
        print(f"  question: {json.dumps(verdict['question'])}")
        print(f"  as of block {verdict['finality']['checkpoint']['height']}: {entries} entries (all of them with --json)")


def main():
    parser = argparse.ArgumentParser(description="Verify a bundle or a lookup of Cairn, by the specification alone.")
    parser.add_argument("bundle", nargs="?", metavar="BUNDLE", help="the file with the bundle or the lookup")
    parser.add_argument("file", nargs="?", metavar="FILE", help="the content that was attested")
    parser.add_argument("--genesis", type=hash_from, metavar="HASH", help="the hash of the network's block 0")
    parser.add_argument("--question", type=question_from, metavar="KIND:ID", help="what a lookup must answer")
    parser.add_argument("--salt", metavar="HEXFILE", help="file with the content's salt in hexadecimal")
    parser.add_argument("--checkpoint", type=checkpoint_from, metavar="HEIGHT:HASH", help="a block that you trust")
    parser.add_argument("--max-age", type=int, metavar="SECONDS", help="how old the checkpoint may be")
    parser.add_argument("--now-ms", type=int, metavar="N", help="your clock; without it, the computer's")
    parser.add_argument("--json", action="store_true", help="print the whole verdict as JSON")
    parser.add_argument("--batch", action="store_true", help="read questions from standard input, one JSON a line")
    options = parser.parse_args()
    if options.batch:
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
        batch(sys.stdin, sys.stdout)
        return 0
    if options.bundle is None or options.genesis is None:
        parser.error("BUNDLE and --genesis are needed")
    if options.salt and not options.file:
        parser.error("--salt needs a FILE")

    def read(path):
        with open(path, "rb") as file:
            return file.read()

    try:
        bundle = read(options.bundle)
        content = read(options.file) if options.file else None
        salt = hash_from(read(options.salt).decode("ascii")) if options.salt else None
    except (OSError, ValueError) as error:
        parser.error(str(error))
    freshness = None
    if options.max_age is not None:
        freshness = Freshness(now() if options.now_ms is None else options.now_ms, options.max_age * 1000)
    if bundle.startswith(lookup.MAGIC):
        if options.file:
            parser.error("a lookup is not about a FILE")
        verdict = lookup.verify(bundle, options.genesis, options.question, options.checkpoint, freshness)
    else:
        if options.question:
            parser.error("--question needs a lookup")
        verdict = verify(bundle, options.genesis, content, salt, options.checkpoint, freshness)
    if options.json:
        print(json.dumps(verdict, indent=2))
    else:
        print_words(verdict)
    return {"VALID": 0, "INVALID": 1, "INCOMPLETE": 3}[verdict["outcome"]]


if __name__ == "__main__":
    sys.exit(main())
