#!/usr/bin/env python3
"""Questions for two verifiers to agree on: bundles of ledgers that are put together at random.

`random_bundles.py COUNT [SEED]` prints questions in the form that `cairn_verify.py --batch` reads. Their proofs mostly
hold, so that the judgement has something to judge; real bundles, and bundles with a bit changed, hardly reach it.
"""

import json
import random
import sys

import codec
import p256
from codec import ZEROS, Position
from ledger import Ledger, identity, interval, public, signing_key

LATEST = 2**64 - 1
LATER = Position(8, 3)


class RandomLedger(Ledger):
    def __init__(self, seed):
        super().__init__()
        self.chance = random.Random(seed)
        self.gateways = [identity("gateway"), identity("other gateway"), self.device]
        likely = self.pick(0.1, 0.2, 0.4)
        for change in (
            self.change_keys, self.change_owners, self.change_statuses, self.change_zones, self.change_grants,
            self.change_stream, self.change_statement, self.change_network, self.change_records, self.change_doubt,
            self.change_algorithm, self.change_endorsement, self.change_recoveries, self.change_members,
            self.change_superseded,
        ):
            if self.chance.random() < likely:
                change()

    def pick(self, *choices):
        return self.chance.choice(choices)

    def rarely(self, value, otherwise=None):
        return value if self.chance.random() < 0.1 else otherwise

    def position(self, low=0):
        """Mostly near the bounds of the attestation, where the rules change their answer."""
        if self.chance.random() < 0.5:
            near = self.pick((2, 2**32 - 2), (2, 2**32 - 1), (3, 0), (5, 0), (5, 1), (5, 2), (9, 0), (1, 0))
            return Position(*near)
        return Position(self.chance.randint(low, 9), self.pick(0, 0, 1, 2, 7, 2**32 - 1))

    def interval(self, value, from_, to):
        return interval(value, from_, to, self.position() if self.chance.random() < 0.15 else None)

    def intervals(self, values):
        """So many intervals, mostly in order and without gaps."""
        start = self.pick(self.START, self.START, self.START, self.position())
        edges = sorted([start] + [self.position(1) for _ in range(2 * len(values))])
        if self.chance.random() < 0.7:    # without gaps
            edges = sorted({start, *(self.position(1) for _ in values[1:])})
            edges = [edge for edge in edges if edge >= start]
            pairs = list(zip(edges, [*edges[1:], self.rarely(LATER)]))
        else:
            pairs = list(zip(edges[::2], edges[1::2]))
        made = [self.interval(value, *pair) for value, pair in zip(values, pairs)]
        if self.chance.random() < 0.03:
            self.chance.shuffle(made)
        return made

    def change_keys(self):
        def key():
            chosen = self.pick(self.device_key, self.device_key, signing_key("next device key"))
            return codec.DeviceKey(("ed25519", public(chosen)), identity("next"))

        self.keys = self.intervals([key() for _ in range(self.pick(0, 1, 1, 2, 3))])

    def change_owners(self):
        count = self.pick(0, 1, 2, 3)
        self.owners = self.intervals([self.pick(self.owner, self.owner, self.maker) for _ in range(count)])

    def change_statuses(self):
        names = ["active", "active", "active", "suspended", "revoked", "decommissioned"]
        self.statuses = self.intervals([(self.pick(*names), None) for _ in range(self.pick(0, 1, 2, 3))])

    def a_zone(self):
        path = self.pick("", "north", "north", "north/pump", "north/pump", "north/pump/a", "nort", "south")
        return codec.Zone(self.pick(self.owner, self.owner, self.owner, self.maker), path)

    def change_zones(self):
        self.zones = self.intervals([self.a_zone() for _ in range(self.pick(0, 1, 2, 3))])

    def a_principal(self):
        return self.pick(
            ("organization", self.owner), ("organization", self.maker), ("device", self.pick(*self.gateways)),
        )

    def a_window(self):
        return codec.Window(self.pick(0, 0, 0, 3, 4, 5, 6), self.pick(None, None, None, 3, 5, 6, LATEST))

    def change_grants(self):
        length = self.pick(1, 1, 1, 2, 2, 2, 3, 4, 8, 9)
        names = [identity(f"grant {index}") for index in range(length)] + [None]
        if self.chance.random() < 0.05:
            names[-1] = self.pick(*names[:-1], identity("no grant"))
        self.grants, grantee = {}, ("device", self.device)
        for place, (name, parent) in enumerate(zip(names, names[1:])):
            grantor = self.a_principal() if parent else ("organization", self.owner)
            if self.chance.random() < 0.5 and grantee[0] == "device":
                grantee = ("zone", self.a_zone())
            terms = self.terms(
                grantor=self.rarely(self.a_principal(), grantor), grantee=self.rarely(self.a_principal(), grantee),
                actions=self.rarely(self.chance.randrange(64), 4 if place == 0 else 36),
                scope=self.pick(
                    ("zone", self.a_zone()), ("zone", self.zone), ("device", self.device),
                    ("stream", self.rarely(ZEROS, self.stream_id())),
                ),
                window=self.pick(codec.Window(0, None), self.a_window()),
                depth=self.rarely(self.chance.randrange(4), place), parent=parent,
            )
            since = self.pick(Position(1, 3), Position(1, 3), Position(1, 3), self.position())
            until = self.pick(None, None, None, Position(8, 0), self.position())
            self.grants[name] = self.interval(terms, since, until)
            grantee = grantor
        self.authority = names[0]
        self.other_zones = {
            gateway: self.intervals([self.a_zone() for _ in range(self.pick(0, 1, 1, 2))])
            for gateway in self.gateways[:2]
        }

    def change_stream(self):
        self.count = self.pick(0, 1, 2, 3, LATEST)
        self.sequence = self.pick(0, 0, self.count - 1 & LATEST, self.chance.randrange(4), LATEST)
        if self.sequence != self.count - 1 or self.chance.random() < 0.1:
            self.head, self.head_position = self.rarely(None, identity("another")), self.rarely(self.position(), (8, 0))
            self.head_position = Position(*self.head_position)
        self.opened = self.pick(Position(2, 0), Position(2, 0), Position(2, 0), self.position())
        self.closed = self.pick(None, None, None, self.position())
        self.forked_at = self.pick(None, None, None, 0, 1, self.sequence, LATEST)
        self.cadence_s = self.pick(None, 0, 3, 4, 2**32 - 1)
        self.stream_name = self.rarely("glow", "flow")
        self.stream_device = self.rarely(identity("another"), self.device)

    def change_statement(self):
        self.expires = self.pick(None, 4, 5, 6, LATEST)
        self.claimed = self.pick(None, codec.ClaimedTime(-(2**63), 2**63 - 1), codec.ClaimedTime(5, -5))
        if self.chance.random() < 0.5:
            self.form, self.salt = "salted", identity("salt")
        self.at = Position(self.UPPER, self.pick(0, 1, 2))

        def edit(transaction):
            [signature] = transaction.signatures
            other = signature._replace(signer=self.a_principal(), key=self.pick(0, 1))
            return transaction._replace(signatures=self.pick([], [other], [signature, other], [signature], [signature]))

        self.edit_transaction = edit

    def change_network(self):
        self.round = self.pick(0, 1, 2**32 - 1)
        self.signers = self.pick([0, 1, 2, 3], [0, 1], [1, 2, 3])
        self.with_anchor = self.pick(None, 1, 5, 7)
        others = sorted((signing_key(f"other {i}") for i in range(4)), key=public)
        self.changes = self.pick([], [(3, others)], [(3, others), (6, self.validator_keys)])
        times = self.pick((1, 1000), (LATEST - 9, 1), (LATEST, -1000))
        self.edit_header = lambda header: header._replace(time_ms=times[0] + times[1] * header.height)

    def change_doubt(self):
        def doubted(one):
            return one._replace(suspect_since=self.position()) if self.chance.random() < 0.5 else one

        self.keys, self.statuses = [doubted(one) for one in self.keys], [doubted(one) for one in self.statuses]
        self.grants = {name: doubted(one) for name, one in self.grants.items()}

    def change_algorithm(self):
        self.use_p256(self.pick(1, 2, 12345))
        if self.chance.random() < 0.2:
            self.change_keys()
        if self.chance.random() < 0.2:    # s in the upper half, or an algorithm of another key
            def twist(transaction):
                [signature] = transaction.signatures
                s = p256.N - int.from_bytes(signature.bytes[1][32:], "big")
                high = ("p256", signature.bytes[1][:32] + s.to_bytes(32, "big"))
                return transaction._replace(signatures=[
                    signature._replace(bytes=self.pick(high, ("ed25519", signature.bytes[1]))),
                ])

            self.edit_transaction = twist

    def change_endorsement(self):
        self.endorse(self.pick("sn-1", "", "ä"))
        lot = self.lots[self.endorsement.lot]
        if self.chance.random() < 0.6:
            lot = lot._replace(to=self.pick(None, self.position()), suspect_since=self.pick(None, self.position()))
        if self.chance.random() < 0.1:
            lot = lot._replace(value=lot.value._replace(manufacturer=self.owner))
        self.lots = {} if self.chance.random() < 0.05 else {self.endorsement.lot: lot}

    def change_recoveries(self):
        def key():
            return self.pick(self.keys[-1].value.key if self.keys else ("ed25519", ZEROS), ("p256", b"\2" + ZEROS))

        self.recoveries = self.intervals([
            codec.Recovery(key(), identity("next"), self.pick(0, 6, LATEST)) for _ in range(self.pick(0, 1, 2))
        ])
        if self.keys and self.recoveries and self.chance.random() < 0.5:    # one that took effect
            at = self.keys[-1].from_
            last = self.recoveries[-1]
            if last.from_ <= at:
                key = codec.Recovery(self.keys[-1].value.key, identity("next"), at.height)
                self.recoveries[-1] = last._replace(to=at, value=key)
        self.offers = self.intervals([self.pick(self.owner, self.maker) for _ in range(self.pick(0, 1, 2))])

    def change_members(self):
        self.organizations = {
            name: one._replace(admitted=self.pick(Position(0, 0), self.position()),
                               expelled=self.pick(None, self.position()))
            for name, one in self.organizations.items()
        }

    def change_superseded(self):
        replacement = self.pick(None, codec.AttestationRef(identity("stream"), self.pick(0, LATEST)))
        at = self.pick(Position(6, 0), Position(9, 1), Position(9, 0), self.position())
        self.superseded = codec.Superseded(at, self.a_principal(), replacement)

    def change_records(self):
        facet = b"\4" + self.device
        key = self.pick(
            facet, facet + b"\0", facet + b"\0\0\0\0\1", facet + b"\7\0\0\0\0", facet + b"\1", facet + b"\1\0\0\0\0\0",
            facet + b"\4\0\0\0", facet + b"\6", facet + b"\xff\0\0\0\0", b"\4" + self.gateways[0] + b"\4\0",
            b"\2" + self.owner + bytes(5), b"\x06" + self.authority, facet + bytes(5), facet + b"\2\0\0\0\0",
            b"\x0e" + identity("lot"), b"\x11" + self.stream_id() + self.sequence.to_bytes(8, "big"),
        )
        value = self.pick(b"", b"\0" * 100, b"\xff", ZEROS)
        drop = self.chance.random() < 0.3

        def edit(state):
            kept = {k: v for k, v in state.items() if not (drop and k.startswith(key))}
            return kept if drop else {**kept, key: value}

        self.edit_state = edit

    def question(self):
        bundle = self.bundle()
        if self.chance.random() < 0.1:
            field = self.pick("grants", "placements", "organizations")
            proofs = getattr(bundle, field)
            others = self.pick(proofs[:-1], proofs[1:], proofs[::-1], [*proofs, bundle.stream])
            bundle = bundle._replace(**{field: others})
        if self.chance.random() < 0.05:
            bundle = bundle._replace(**self.pick({"lot": None}, {"lot": bundle.stream}, {"superseded": bundle.stream}))
        if self.chance.random() < 0.05:
            field = self.pick("block", "not_before")
            bundle = bundle._replace(**{field: self.pick(None, bundle.block, bundle.not_before)})
        height = self.pick(0, 1, 2, 5, 7, 9, 10, LATEST)
        known = self.hashes[height] if height < 10 else ZEROS
        asked = {
            "bundle": codec.Bundle.write(bundle).hex(),
            "genesis": self.chain.hex(),
            "content": self.pick(None, "00", *[self.content.hex()] * 6),
            "salt": self.salt.hex() if self.salt and self.chance.random() < 0.9 else None,
            "checkpoint": f"{height}:{self.rarely(ZEROS, known).hex()}" if self.chance.random() < 0.3 else None,
        }
        if self.chance.random() < 0.3:
            asked["now_ms"] = 1735700009000 + self.pick(-5001, -5000, 0, 7, 5000, 5001)
            asked["max_age_ms"] = self.pick(5000, 0, 2**63)
        return asked

    def stream_id(self):
        return codec.derive("cairn stream v1", self.device + codec.Name.write("flow"))


def main():
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    for number in range(count):
        print(json.dumps(RandomLedger(f"{seed} {number}").question()), flush=True)


if __name__ == "__main__":
    main()
