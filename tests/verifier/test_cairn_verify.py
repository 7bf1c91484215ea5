"""Tests of the second verifier by itself. That it agrees with the first is tested elsewhere, over real bundles."""

import io
import json
import os
import random
import unittest

import cairn_verify
import codec
import ed25519
import ledger
import p256
import trees
from codec import ZEROS, Malformed, Position, b3, decode, derive
from ledger import Ledger, actions_of, identity, interval
from random_bundles import RandomLedger

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors", "state-tree.txt")


def flipped(data, place):
    changed = bytearray(data)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


class Decoding(unittest.TestCase):
    def refuses(self, kind, data, **options):
        with self.assertRaises(Malformed):
            decode(kind, data, **options)

    def test_every_byte_and_no_more(self):
        self.assertEqual(decode(codec.Position, bytes([5] + [0] * 7 + [2, 0, 0, 0])), Position(5, 2))
        self.refuses(codec.Position, bytes(11))
        self.refuses(codec.Position, bytes(13))
        self.refuses(codec.Position, bytes(12), most=11)

    def test_integers(self):
        self.assertEqual(decode(codec.U16, b"\x01\x02"), 0x0201)
        self.assertEqual(decode(codec.I64, b"\xfe" + b"\xff" * 7), -2)
        self.assertEqual(codec.I64.write(-2), b"\xfe" + b"\xff" * 7)

    def test_options_and_enums(self):
        option = codec.Option(codec.U8)
        self.assertIsNone(decode(option, b"\0"))
        self.assertEqual(decode(option, b"\1\7"), 7)
        self.refuses(option, b"\2\7")
        self.refuses(codec.DeviceStatus, b"\4")
        self.refuses(codec.PublicKey, b"\1" + bytes(32))
        for tag in set(range(256)) - set(codec.Call.variants):
            self.refuses(codec.Call, bytes([tag]) + bytes(300))

    def test_lengths_beyond_the_end(self):
        self.refuses(codec.Vec(codec.HASH), b"\xff\xff\xff\xff" + bytes(64))
        self.refuses(codec.BLOB, b"\xff\xff\xff\xff")
        self.refuses(codec.InclusionProof, bytes(8) + b"\x41\0\0\0" + bytes(65 * 32))
        self.assertEqual(len(decode(codec.InclusionProof, bytes(8) + b"\x40\0\0\0" + bytes(64 * 32)).siblings), 64)

    def test_text(self):
        def text(data):
            return len(data).to_bytes(4, "little") + data

        self.assertEqual(decode(codec.STRING, text("é".encode())), "é")
        for wrong in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"):
            self.refuses(codec.STRING, text(wrong))
        for right in ("a", "0", "a-b", "a--b", "x" * 63):
            self.assertEqual(decode(codec.Name, text(right.encode())), right)
        for wrong in ("", "-a", "a-", "-", "A", "a.b", "a\n", "é", "x" * 64):
            self.refuses(codec.Name, text(wrong.encode()))
        for right in ("", "a", "a/b", "/".join("abcdefgh"), f"{'x' * 63}/{'x' * 63}/{'x' * 32}"):
            self.assertEqual(decode(codec.ZonePath, text(right.encode())), right)
        for wrong in ("/", "a/", "/a", "a//b", "/".join("abcdefghi"), f"{'x' * 63}/{'x' * 63}/{'x' * 33}"):
            self.refuses(codec.ZonePath, text(wrong.encode()))

    def test_bits_without_meaning(self):
        self.assertEqual(decode(codec.Actions, b"\x3f\0"), 63)
        self.refuses(codec.Actions, b"\x40\0")
        self.refuses(codec.Actions, b"\0\x01")
        self.refuses(codec.Roles, b"\x10")

    def test_a_header_has_244_bytes(self):
        self.assertEqual(codec.Header.read(codec.Reader(bytes(300)))[0], 0)
        decode(codec.Header, bytes(244))

    def test_what_is_read_is_what_is_written(self):
        made = Ledger().bundle()
        data = codec.Bundle.write(made)
        self.assertEqual(decode(codec.Bundle, data), made)
        self.assertEqual(codec.Bundle.write(decode(codec.Bundle, data)), data)


class Hashes(unittest.TestCase):
    def test_blake3(self):
        self.assertEqual(b3(b"").hex(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")
        # From the official test vectors, for no input.
        self.assertEqual(
            derive("BLAKE3 2019-12-27 16:29:52 test vectors context", b"").hex(),
            "2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d",
        )

    def test_domains_differ(self):
        contexts = ["block", "transaction", "signed transaction", "device", "grant", "stream", "validators"]
        hashes = {derive(f"cairn {context} v1", b"x") for context in contexts} | {b3(b"x")}
        self.assertEqual(len(hashes), len(contexts) + 1)

    def test_the_roots_of_nothing(self):
        self.assertEqual(ledger.accumulator_root([]), b3(b"\x12" + bytes(8) + bytes(32)))
        self.assertEqual(trees.root_of(0, trees.top_of([])), b3(b"\x02" + bytes(8) + bytes(32)))


class Accumulator(unittest.TestCase):
    def test_every_place_of_every_small_list(self):
        for count in range(1, 40):
            items = [identity(f"item {i}") for i in range(count)]
            root = ledger.accumulator_root(items)
            for index, item in enumerate(items):
                proof = ledger.inclusion(items, index)
                self.assertTrue(trees.is_included(item, count, root, proof))
                self.assertFalse(trees.is_included(identity("other"), count, root, proof))
                self.assertFalse(trees.is_included(item, count + 1, root, proof))
                self.assertFalse(trees.is_included(item, index, root, proof))
                for siblings in (proof.siblings[:-1], proof.siblings + [ZEROS]):
                    if siblings != proof.siblings:
                        wrong = codec.InclusionProof(index, siblings)
                        self.assertFalse(trees.is_included(item, count, root, wrong))
                for other in range(count + 2):
                    if other != index:
                        wrong = codec.InclusionProof(other, proof.siblings)
                        self.assertFalse(trees.is_included(item, count, root, wrong))

    def test_hostile_numbers(self):
        proof = codec.InclusionProof(2**64 - 1, [ZEROS] * 64)
        self.assertFalse(trees.is_included(ZEROS, 2**64 - 1, ZEROS, proof))
        self.assertFalse(trees.is_included(ZEROS, 0, ZEROS, codec.InclusionProof(0, [])))


class StateTree(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(VECTORS, encoding="ascii") as file:
            lines = [line.split() for line in file if line.strip()]
        cls.vectors = [
            (bytes.fromhex(root), bytes.fromhex(key), int(bits), int(leaves), bytes.fromhex(proof))
            for root, key, bits, leaves, proof in lines
        ]

    def answer(self, root, key, bits, proof):
        return trees.entries(root, key, bits, decode(codec.BareStateProof, proof))

    def refuses(self, root, key, bits, proof):
        with self.assertRaises((Malformed, trees.ProofInvalid)):
            self.answer(root, key, bits, proof)

    def test_the_vectors_hold(self):
        self.assertEqual(len(self.vectors), 100)
        for root, key, bits, leaves, proof in self.vectors:
            answer = self.answer(root, key, bits, proof)
            self.assertEqual(len(answer), leaves)
            self.assertTrue(all(trees.answers(found, key, bits) for found, _ in answer))

    def test_no_flipped_bit_of_the_vectors_holds(self):
        chance = random.Random(1)
        shortest = sorted(self.vectors, key=lambda vector: len(vector[4]))[:4]
        for root, key, bits, leaves, proof in self.vectors:
            self.refuses(flipped(root, chance.randrange(256)), key, bits, proof)
            for _ in range(40):
                self.refuses(root, key, bits, flipped(proof, chance.randrange(8 * len(proof))))
            self.refuses(root, key, bits, proof + b"\0")
            self.refuses(root, key, bits, proof[:-1])
        for root, key, bits, leaves, proof in shortest:
            for place in range(8 * len(proof)):
                self.refuses(root, key, bits, flipped(proof, place))

    def test_against_the_definition(self):
        chance = random.Random(2)
        for size in [0, 1, 2, 3, 10, 60]:
            keys = {bytes(chance.choices(b"\0\1\x80\xff", k=chance.randint(1, 5))) for _ in range(size)}
            state = {key: b"value of " + key for key in keys}
            root = ledger.state_root(state)
            hashed = [(key, b3(value)) for key, value in sorted(state.items())]
            self.assertEqual(root, trees.root_of(len(state), trees.top_of(hashed)))
            for _ in range(40):
                query = bytes(chance.choices(b"\0\1\x80\xff", k=chance.randint(1, 5)))
                exact = trees.entries_of_key(root, query, ledger.key_proof(state, query))
                self.assertEqual(exact, [(query, state[query])] if query in state else [])
                below = trees.entries_of_prefix(root, query, ledger.prefix_proof(state, query))
                self.assertEqual(below, sorted((k, v) for k, v in state.items() if k.startswith(query)))

    def test_a_part_of_the_list_is_not_the_list(self):
        write = codec.BareStateProof.write
        state = {bytes([1, last]): b"v" for last in range(8)}
        root = ledger.state_root(state)
        for narrow in range(8):    # a proof of one key does not answer for all that begin like it
            self.refuses(root, b"\1", 9, write(ledger.key_proof(state, bytes([1, narrow]))))
        self.refuses(root, b"\2", 9, write(ledger.prefix_proof(state, b"\1")))

    def test_deep_trees_do_not_exhaust_the_stack(self):
        keys = sorted(bytes([1]) * length for length in range(1, 256))
        top = trees.top_of([(key, b3(b"")) for key in keys])
        self.assertEqual(top, ledger.top([(key, b"") for key in keys]))
        steps = [codec.Step(position, ZEROS) for position in range(2295)]
        proof = codec.BareStateProof(2, steps, [codec.Leaf(bytes(255), ("full", b""))])
        self.refuses(ZEROS, bytes(255), 2296, codec.BareStateProof.write(proof))

    def test_what_does_not_decode(self):
        hidden, shown = codec.Leaf(b"k", ("hash", ZEROS)), codec.Leaf(b"k", ("full", b""))
        step = codec.Step(0, ZEROS)
        data = codec.BareStateProof.write(codec.BareStateProof(1, [], [hidden]))
        decode(codec.BareStateProof, data)
        for wrong in (
            data + b"\0",
            data[:-1],
            data.replace(b"k\1", b"k\2"),
            data.replace(b"\1k", b"\0k"),
            codec.BareStateProof.write(codec.BareStateProof(1, [step] * 2296, [hidden])),
            codec.BareStateProof.write(codec.BareStateProof(1, [], [shown] * 65537)),
        ):
            with self.assertRaises(Malformed):
                decode(codec.BareStateProof, wrong)


class Signatures(unittest.TestCase):
    """The rule by itself, and with the library before it."""

    def both(self, key, message, signature):
        held = ed25519.holds(key, message, signature)
        self.assertEqual(ed25519.verify(key, message, signature), held)
        return held

    @staticmethod
    def torsion():
        """The eight points of small order."""
        y = 0
        while True:
            y += 1
            point = ed25519.decompress(y.to_bytes(32, "little"))
            if point is None:
                continue
            small = ed25519.multiply(ed25519.L, point)
            if not ed25519.is_neutral(ed25519.multiply(4, small)):
                return [ed25519.multiply(n, small) for n in range(8)]

    @classmethod
    def odd_encodings(cls):
        """Every encoding of the points of small order: eight canonical ones, six others."""
        canonical = [ed25519.compress(point) for point in cls.torsion()]
        others = []
        for y in (0, 1, ed25519.P - 1, ed25519.P, ed25519.P + 1):
            for sign in (0, 1):
                data = (y | sign << 255).to_bytes(32, "little")
                if data not in canonical and ed25519.decompress(data) is not None:
                    others.append(data)
        return canonical, others

    def test_rfc_8032(self):
        key = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        signature = bytes.fromhex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        )
        self.assertTrue(self.both(key, b"\x72", signature))
        self.assertFalse(self.both(key, b"\x73", signature))
        for place in range(0, 512, 7):
            self.assertFalse(self.both(key, b"\x72", flipped(signature, place)))

    def test_a_library_agrees_on_honest_signatures(self):
        for number in range(10):
            key = ledger.signing_key(f"honest {number}")
            message = bytes(number)
            self.assertTrue(ed25519.holds(ledger.public(key), message, key.sign(message).signature))
            self.assertTrue(ed25519.may_be_registered(ledger.public(key)))

    def test_small_order_holds_in_every_encoding(self):
        canonical, others = self.odd_encodings()
        self.assertEqual((len(canonical), len(others)), (8, 6))
        for key in canonical + others:
            for r in canonical + others:
                self.assertTrue(self.both(key, b"Zcash", r + bytes(32)))

    def test_s_is_below_the_order(self):
        key = ledger.signing_key("s")
        signature = key.sign(b"m").signature
        s = int.from_bytes(signature[32:], "little")
        for more in (s + ed25519.L, s + 2 * ed25519.L):
            self.assertFalse(self.both(ledger.public(key), b"m", signature[:32] + more.to_bytes(32, "little")))
        self.assertFalse(self.both(ZEROS[:31] + b"\1", b"m", ZEROS + ed25519.L.to_bytes(32, "little")))

    def test_the_equation_has_its_factor_of_8(self):
        # R and A with a part of small order: refused without the factor, accepted with it.
        a, r = 7, 11
        small = self.torsion()[1]
        key = ed25519.compress(ed25519.add(ed25519.multiply(a, ed25519.BASE), small))
        first = ed25519.compress(ed25519.add(ed25519.multiply(r, ed25519.BASE), small))
        k = int.from_bytes(ed25519.hashlib.sha512(first + key + b"m").digest(), "little") % ed25519.L
        signature = first + ((r + k * a) % ed25519.L).to_bytes(32, "little")
        self.assertTrue(self.both(key, b"m", signature))
        self.assertFalse(self.both(key, b"n", signature))

    def test_no_point(self):
        numbers = (n.to_bytes(32, "little") for n in range(2, 99))
        wrong = next(data for data in numbers if ed25519.decompress(data) is None)
        self.assertFalse(self.both(wrong, b"m", bytes(64)))
        self.assertFalse(self.both(ledger.public(ledger.signing_key("s")), b"m", wrong + bytes(32)))

    def test_keys_that_may_not_be_registered(self):
        canonical, others = self.odd_encodings()
        for key in canonical + others:
            self.assertFalse(ed25519.may_be_registered(key))
        base = ed25519.compress(ed25519.BASE)
        self.assertTrue(ed25519.may_be_registered(base))
        mixed = ed25519.compress(ed25519.add(ed25519.BASE, self.torsion()[1]))
        self.assertFalse(ed25519.may_be_registered(mixed))
        for small_y in range(19):
            self.assertFalse(ed25519.may_be_registered((ed25519.P + small_y).to_bytes(32, "little")))


class Bundles(unittest.TestCase):
    """Each step of section 12, with a ledger that is made for it."""

    met, ran = set(), set()

    def setUp(self):
        self.ran.add(self.id())

    def judge(self, change=None, break_bundle=None, break_bytes=None, **options):
        made = Ledger()
        if change:
            change(made)
        bundle = made.bundle()
        if break_bundle:
            bundle = break_bundle(bundle)
        data = codec.Bundle.write(bundle)
        if break_bytes:
            data = break_bytes(data)
        options.setdefault("content", made.content)
        options.setdefault("genesis", made.chain)
        if callable(options.get("trusted")):
            options["trusted"] = options["trusted"](made)
        verdict = cairn_verify.verify(data, **options)
        json.dumps(verdict)
        self.met.update(reason["name"] for reason in verdict["reasons"])
        return verdict

    def expect(self, outcome, reasons, change=None, break_bundle=None, **options):
        verdict = self.judge(change, break_bundle, **options)
        self.assertEqual([reason["name"] for reason in verdict["reasons"]], reasons)
        self.assertEqual(verdict["outcome"], outcome)
        return verdict

    def valid(self, change=None, **options):
        return self.expect("VALID", [], change, **options)

    def refused(self, reason, change=None, break_bundle=None, **options):
        verdict = self.expect("INVALID", [reason], change, break_bundle, **options)
        self.assertNotIn("authority", verdict)
        return verdict

    @classmethod
    def tearDownClass(cls):
        missing = set(cairn_verify.REASONS) - cls.met
        all_ran = len(cls.ran) == len(unittest.defaultTestLoader.getTestCaseNames(cls))
        assert not (all_ran and missing), f"no test meets {sorted(missing)}"

    # A

    def test_plain(self):
        verdict = self.valid()
        self.assertEqual(verdict["integrity"]["standing"], "matches")
        self.assertEqual(verdict["key"]["standing"], "held")
        self.assertEqual(verdict["device"]["standing"], "active")
        self.assertEqual(verdict["authority"]["standing"], "held")
        self.assertEqual(verdict["stream"]["standing"], "complete")
        self.assertEqual(verdict["later"], [])
        self.assertEqual([one["name"] for one in verdict["organizations"]], ["water"])
        self.assertEqual(verdict["bounds"]["position"], {"height": "5", "index": 1})

    def test_what_is_not_a_bundle(self):
        self.refused("not_a_bundle", break_bytes=lambda data: b"")
        self.refused("not_a_bundle", break_bytes=lambda data: data[:-1])
        self.refused("not_a_bundle", break_bytes=lambda data: data + b"\0")
        self.refused("not_a_bundle", break_bytes=lambda data: data + bytes(3000000))
        self.refused("not_a_bundle", break_bundle=lambda b: b._replace(magic=b"cairn Bundle"))
        self.refused("not_a_bundle", break_bundle=lambda b: b._replace(version=1))

    def test_the_genesis(self):
        self.refused("wrong_network", genesis=identity("other"))
        self.refused("genesis_malformed", break_bundle=lambda b: b._replace(genesis=b.checkpoint))
        self.refused("validators_not_genesis", lambda m: setattr(m, "edit_header", lambda h: (
            h._replace(next_validators_root=ZEROS) if h.height == 0 else h)))

    def test_validators_that_are_not_well_formed(self):
        def first(**changed):
            def edit(validator_set):
                one, *others = validator_set.validators
                return codec.ValidatorSet([one._replace(**changed), *others])

            return lambda made: setattr(made, "edit_set", edit)

        self.refused("validators_malformed", first(power=0))
        self.refused("validators_malformed", first(power=2**60))
        self.refused("validators_malformed", first(key=ZEROS))
        self.refused("validators_malformed", first(peer=ZEROS))
        self.refused("validators_malformed", lambda m: m.validator_keys.reverse())
        self.refused("validators_malformed", lambda m: setattr(m, "edit_set", lambda s: s._replace(validators=[])))
        self.refused("validators_malformed", lambda m: setattr(m, "edit_set", lambda s: s._replace(
            validators=[v._replace(peer=s.validators[0].peer) for v in s.validators])))

    def test_certificates(self):
        def certificate(**changed):
            return lambda b: b._replace(certificate=b.certificate._replace(**changed))

        def signatures(edit):
            return lambda b: certificate(signatures=edit(b.certificate.signatures))(b)

        self.refused("certificate_invalid", lambda m: setattr(m, "signers", [0, 1]))
        self.refused("certificate_invalid", lambda m: setattr(m, "signers", [1, 0, 2]))
        self.refused("certificate_invalid", lambda m: setattr(m, "signers", [0, 0, 1]))
        self.refused("certificate_invalid", break_bundle=certificate(round=1))
        self.refused("certificate_invalid", break_bundle=certificate(height=8))
        self.refused("certificate_invalid", break_bundle=certificate(block=ZEROS))
        self.refused("certificate_invalid", break_bundle=signatures(lambda s: s[:2] + [s[2]._replace(validator=4)]))
        self.refused("certificate_invalid", lambda m: setattr(m, "signers", [0, 1, 2, 3]), break_bundle=signatures(
            lambda s: s[:3] + [s[3]._replace(signature=s[2].signature)]))    # beyond the quorum
        self.valid(lambda m: setattr(m, "round", 7))
        self.refused("validators_mismatch", lambda m: setattr(m, "edit_header", lambda h: (
            h._replace(validators_root=ZEROS) if h.height == 9 else h)))
        self.refused("header_malformed", lambda m: setattr(m, "edit_header", lambda h: (
            h._replace(version=2) if h.height == 9 else h)))
        self.refused("header_malformed", break_bundle=lambda b: b._replace(checkpoint=b.genesis))

    def test_changes_of_the_validators(self):
        others = sorted((ledger.signing_key(f"other {i}") for i in range(4)), key=ledger.public)

        def change(made):
            made.changes = [(3, others), (6, made.validator_keys)]

        verdict = self.valid(change)
        self.assertEqual(verdict["finality"]["changes"], 2)
        self.refused("validators_mismatch", change, lambda b: b._replace(changes=b.changes[:1]))
        self.refused("validators_mismatch", change, lambda b: b._replace(changes=b.changes[1:]))
        self.refused("header_malformed", change, lambda b: b._replace(changes=[b.changes[0], *b.changes]))
        self.refused("validators_mismatch", change, lambda b: b._replace(
            changes=[b.changes[0]._replace(validators=b.validators), b.changes[1]]))
        self.refused("certificate_invalid", change, lambda b: b._replace(
            changes=[b.changes[0]._replace(certificate=b.certificate), b.changes[1]]))
        self.refused("validators_mismatch", lambda m: setattr(m, "changes", [(3, m.validator_keys)]))

    def test_past_blocks(self):
        def block(edit):
            return lambda b: b._replace(block=edit(b.block))

        wrong = codec.InclusionProof(4, [])
        self.refused("past_block_malformed", break_bundle=block(lambda p: p._replace(history=wrong)))
        self.refused("history_invalid", break_bundle=block(lambda p: p._replace(history=wrong._replace(index=5))))
        self.refused("history_invalid", break_bundle=block(lambda p: p._replace(
            header=p.header._replace(time_ms=0))))
        self.refused("past_block_malformed", break_bundle=lambda b: b._replace(
            not_before=codec.PastBlock(b.genesis, wrong._replace(index=0))))
        self.refused("history_invalid", lambda m: setattr(m, "with_anchor", 7), lambda b: b._replace(
            anchor=b.anchor._replace(hash=ZEROS)))

    def test_a_trusted_block(self):
        for height in (0, 2, 5, 9):
            verdict = self.valid(trusted=lambda m, height=height: (height, m.hashes[height]))
            self.assertEqual(verdict["finality"]["trusted"], "connected")
            verdict = self.expect("INVALID", ["trusted_conflict"], trusted=(height, ZEROS))
            self.assertEqual(verdict["finality"]["trusted"], "conflict")
        self.expect("INCOMPLETE", ["trusted_unconnected"], trusted=lambda m: (7, m.hashes[7]))
        self.valid(lambda m: setattr(m, "with_anchor", 7), trusted=lambda m: (7, m.hashes[7]))

    def test_freshness(self):
        def at(seconds, limit=10000):
            return cairn_verify.Freshness(1735700009000 + 1000 * seconds, limit)

        self.assertEqual(self.valid(freshness=at(10))["finality"]["ageMs"], "10000")
        self.assertEqual(self.valid(freshness=at(-10))["finality"]["ageMs"], "0")
        stale = self.expect("INCOMPLETE", ["checkpoint_stale"], freshness=at(11))
        self.assertEqual((stale["finality"]["freshness"], stale["finality"]["ageMs"]), ("stale", "11000"))
        ahead = self.expect("INCOMPLETE", ["checkpoint_ahead"], freshness=at(-11))
        self.assertEqual(ahead["finality"]["freshness"], "unknown")
        self.assertNotIn("ageMs", ahead["finality"])

    # B

    def test_the_transaction(self):
        def replace_body(**changed):
            return lambda made: setattr(made, "edit_body", lambda body: body._replace(**changed))

        self.refused("inclusion_invalid", break_bundle=lambda b: b._replace(transaction=b.transaction + b"\0"))
        self.refused("inclusion_invalid", break_bundle=lambda b: b._replace(inclusion=b.inclusion._replace(count=2)))
        self.refused("not_an_attestation", replace_body(chain=ZEROS))
        self.refused("not_an_attestation", replace_body(signer=("organization", ZEROS)))
        self.refused("not_an_attestation", replace_body(call=("revoke_grant", codec.RevokeGrant(ZEROS, None))))
        self.refused("not_before_mismatch", replace_body(not_before=codec.BlockRef(2, ZEROS)))
        self.refused("not_before_mismatch", break_bundle=lambda b: b._replace(not_before=None))
        self.refused("not_before_mismatch", break_bundle=lambda b: b._replace(not_before=b.block))
        self.refused("expired", replace_body(expires=4))
        self.valid(replace_body(expires=5))

        def too_long(made):
            sources = [codec.AttestationRef(ZEROS, 0)] * 900
            made.edit_body = lambda body: body._replace(call=("attest", body.call[1]._replace(derived_from=sources)))

        self.refused("transaction_malformed", too_long)

    def test_the_content(self):
        self.assertEqual(self.valid()["integrity"]["standing"], "matches")
        self.expect("INVALID", ["content_differs"], content=b"12.5 13.1 12.9\n")
        self.expect("INCOMPLETE", ["content_not_supplied"], content=None)
        self.expect("INCOMPLETE", ["content_not_comparable"], salt=identity("salt"))

        def salted(made):
            made.form, made.salt = "salted", identity("salt")

        self.valid(salted, salt=identity("salt"))
        self.expect("INVALID", ["content_differs"], salted, salt=identity("pepper"))
        self.expect("INCOMPLETE", ["content_not_comparable"], salted)

    # C

    def test_proofs_of_the_state(self):
        nothing = codec.BareStateProof(0, [], [])
        self.refused("state_proof_invalid", break_bundle=lambda b: b._replace(device=nothing))
        self.refused("state_proof_invalid", break_bundle=lambda b: b._replace(stream=nothing))
        self.refused("state_proof_invalid", break_bundle=lambda b: b._replace(device=b.stream))
        self.expect("INCOMPLETE", ["proof_missing"], None, lambda b: b._replace(grants=[]))
        self.expect("INCOMPLETE", ["proof_missing"], None, lambda b: b._replace(organizations=[]))
        for field in ("grants", "placements", "organizations"):
            self.refused("proof_superfluous", None, lambda b, field=field: b._replace(
                **{field: [*getattr(b, field), b.device]}))

    def test_records(self):
        def state(edit):
            def change(made):
                made.edit_state = lambda state: edit(made, dict(state))
            return change

        def put(key, value):
            return state(lambda made, state: {**state, key(made): value})

        def drop(prefix):
            return state(lambda made, state: {k: v for k, v in state.items() if not k.startswith(prefix(made))})

        def facet(number):
            return lambda made: b"\4" + made.device + number

        self.refused("absent", drop(facet(b"")))
        self.refused("absent", drop(facet(b"\0")))
        self.refused("absent", drop(lambda made: b"\x08" + made.stream))
        self.refused("absent", drop(lambda made: b"\x02"))
        self.expect("INCOMPLETE", ["record_unknown"], put(facet(b"\7" + bytes(4)), b""))
        self.refused("record_malformed", put(facet(b"\0\0\0\0\1"), b""))
        self.refused("record_malformed", put(facet(b"\1\0\0\0\1"), b""))
        self.refused("record_malformed", put(facet(b"\1\0\0\0\0\0"), b""))
        self.refused("record_malformed", put(lambda made: b"\x08" + made.stream, b""))
        self.refused("record_malformed", put(lambda made: b"\x06" + made.authority, b""))
        self.refused("record_malformed", lambda m: m.statuses.append(m.statuses[0]))
        self.refused("record_malformed", lambda m: m.statuses.insert(
            0, interval(("active", None), Position(1, 0), Position(0, 9))))

        def other_inception(made):
            made.edit_state = lambda state: {
                k: v.replace(b"flow meter", b"glow meter") for k, v in state.items()
            }

        self.refused("record_malformed", other_inception)

    # D

    def test_the_key(self):
        late = Position(4, 0)

        def epochs(*intervals):
            return lambda made: setattr(made, "keys", [
                interval(codec.DeviceKey(("ed25519", ledger.public(key)), ZEROS), *rest)
                for key, *rest in [(i[0] or made.device_key, *i[1:]) for i in intervals]
            ])

        other = ledger.signing_key("next device key")
        rotated = self.valid(epochs((other, (1, 0), late), (None, late)))
        self.assertEqual(rotated["key"]["standing"], "held_at_inclusion")
        rotated = self.valid(epochs((None, (1, 0), Position(6, 0)), (other, Position(6, 0))))
        self.assertEqual(rotated["key"]["standing"], "held")
        self.assertEqual([event["event"] for event in rotated["later"]], ["key_rotated"])
        self.expect("INVALID", ["key_not_held"], epochs((None, Position(6, 0))))
        self.expect("INVALID", ["signature_invalid"], epochs((other, (1, 0))))

        def signatures(edit):
            return lambda made: setattr(made, "edit_transaction", lambda t: t._replace(signatures=edit(t.signatures)))

        self.expect("INVALID", ["not_an_attestation"], signatures(lambda s: []))
        self.expect("INVALID", ["not_an_attestation"], signatures(lambda s: s + s))
        self.expect("INVALID", ["not_an_attestation"], signatures(lambda s: [s[0]._replace(key=1)]))
        self.expect("INVALID", ["not_an_attestation"], signatures(lambda s: [s[0]._replace(signer=("device", ZEROS))]))

    def test_doubt(self):
        def revoked(since):
            def change(made):
                made.statuses = [
                    interval(("active", None), made.START, Position(7, 0)),
                    interval(("revoked", None), Position(7, 0), None, since),
                ]
            return change

        verdict = self.expect("INCOMPLETE", ["key_suspect"], revoked(Position(5, 1)))
        self.assertEqual(verdict["key"]["suspectSince"], {"height": "5", "index": 1})
        self.assertEqual(verdict["device"]["standing"], "active")
        verdict = self.valid(revoked(Position(5, 2)))
        self.assertEqual([(e["event"], e["status"]) for e in verdict["later"]], [("status_changed", "revoked")])
        self.assertEqual(verdict["later"][0]["suspectSince"], {"height": "5", "index": 2})

        def grant(made):
            [name] = made.grants
            made.grants[name] = made.grants[name]._replace(to=Position(8, 0), suspect_since=Position(0, 0))

        verdict = self.expect("INCOMPLETE", ["authority_suspect"], grant)
        self.assertEqual(verdict["authority"]["suspect"], identity("grant").hex())
        self.assertEqual(verdict["authority"]["since"], {"height": "0", "index": 0})

    def test_the_device(self):
        suspended = ("suspended", None)

        def statuses(*intervals):
            return lambda made: setattr(made, "statuses", [interval(*i) for i in intervals])

        self.expect("INVALID", ["device_not_active"], statuses((suspended, Position(1, 0))))
        self.expect("INVALID", ["device_not_active"], statuses())
        back = statuses((suspended, Position(1, 0), Position(4, 0)), (("active", None), Position(4, 0)))
        self.assertEqual(self.valid(back)["device"]["standing"], "active_at_inclusion")
        new = statuses((("active", None), Position(4, 0)))
        self.assertEqual(self.valid(new)["device"]["standing"], "active_at_inclusion")
        over = statuses((suspended, Position(1, 0), Position(2, 2**32 - 1)), (("active", None), Position(2, 2**32 - 1)))
        self.assertEqual(self.valid(over)["device"]["standing"], "active")

        def nobody(made):
            made.owners = [interval(made.owner, Position(1, 0), Position(4, 0))]

        self.expect("INVALID", ["device_not_owned", "authority_not_held"], nobody)

    def grants(self, *terms, made=None, **extra):
        """A path from the named grant up; each terms is a dict of what differs."""
        def change(made):
            names = [identity(f"grant {index}") for index in range(len(terms))] + [None]
            made.grants = {
                name: interval(made.terms(parent=parent, depth=place, **{
                    key: value(made) if callable(value) else value for key, value in given.items()
                }), Position(1, 3))
                for place, (name, parent, given) in enumerate(zip(names, names[1:], terms))
            }
            made.authority = names[0]
            for key, value in extra.items():
                setattr(made, key, value(made) if callable(value) else value)
        return change

    def test_authority_given_directly(self):
        for right in (
            {"grantee": lambda m: ("device", m.device)},
            {"scope": lambda m: ("device", m.device)},
            {"scope": lambda m: ("zone", codec.Zone(m.owner, ""))},
            {"grantee": lambda m: ("zone", m.zone)},
            {"actions": actions_of("attest", "read")},
            {"window": codec.Window(5, 6)},
        ):
            self.valid(self.grants(right))
        for wrong in (
            {"grantee": ("device", ZEROS)},
            {"grantee": lambda m: ("organization", m.device)},
            {"grantee": lambda m: ("zone", codec.Zone(m.owner, "north/pump/a"))},
            {"grantee": lambda m: ("zone", codec.Zone(m.owner, "nort"))},
            {"grantee": lambda m: ("zone", codec.Zone(ZEROS, "north"))},
            {"scope": ("device", ZEROS)},
            {"scope": ("stream", ZEROS)},
            {"scope": lambda m: ("zone", codec.Zone(m.owner, "south"))},
            {"actions": actions_of("read", "delegate")},
            {"window": codec.Window(6, None)},
            {"window": codec.Window(0, 5)},
        ):
            verdict = self.expect("INVALID", ["authority_not_held"], self.grants(wrong))
            self.assertEqual(len(verdict["authority"]["path"]), 1)
        not_owner = self.grants({"grantor": lambda m: ("organization", m.maker)})
        self.expect("INVALID", ["authority_not_held"], not_owner)
        self.expect("INVALID", ["authority_not_held"], lambda m: setattr(m, "zones", []))
        self.expect("INVALID", ["authority_not_held"], lambda m: setattr(m, "authority", identity("no grant")))

    def test_authority_passed_on(self):
        pass_on = actions_of("attest", "delegate")
        by_maker = {"grantor": lambda m: ("organization", m.maker)}
        to_maker = {"grantee": lambda m: ("organization", m.maker), "actions": pass_on}
        verdict = self.valid(self.grants(by_maker, to_maker))
        self.assertEqual([one["name"] for one in sorted(verdict["organizations"], key=lambda o: o["name"])],
                         ["maker", "water"])
        self.expect("INVALID", ["authority_not_held"], self.grants(by_maker, {**to_maker, "actions": 4}))
        to_another = {**to_maker, "grantee": ("device", ZEROS)}
        self.expect("INVALID", ["authority_not_held"], self.grants(by_maker, to_another))

        def shallow(made):
            self.grants(by_maker, to_maker)(made)
            name = identity("grant 1")
            made.grants[name] = made.grants[name]._replace(value=made.grants[name].value._replace(depth=0))

        self.expect("INVALID", ["authority_not_held"], shallow)

        def parent_gone(made):
            self.grants(by_maker, to_maker)(made)
            del made.grants[identity("grant 1")]

        self.expect("INVALID", ["authority_not_held"], parent_gone)

    def test_authority_passed_on_by_devices(self):
        gateway = identity("gateway")
        by_gateway = {"grantor": ("device", gateway)}
        to_zone = {"actions": actions_of("attest", "delegate")}
        near = {"other_zones": lambda m: {gateway: [interval(codec.Zone(m.owner, "north"), Position(1, 0))]}}
        away = {"other_zones": lambda m: {gateway: [interval(codec.Zone(m.owner, "south"), Position(1, 0))]}}
        self.valid(self.grants(by_gateway, to_zone, **near))
        self.expect("INVALID", ["authority_not_held"], self.grants(by_gateway, to_zone, **away))
        self.expect("INVALID", ["authority_not_held"], self.grants(by_gateway, to_zone))    # proven to be nowhere
        missing = self.judge(self.grants(by_gateway, to_zone, **near), lambda b: b._replace(placements=[]))
        self.assertEqual([reason["name"] for reason in missing["reasons"]], ["proof_missing"])
        came = {"other_zones": lambda m: {gateway: [interval(codec.Zone(m.owner, "north"), Position(4, 7))]}}
        verdict = self.valid(self.grants(by_gateway, to_zone, **came))
        self.assertEqual(verdict["authority"]["standing"], "indeterminate")
        self.assertEqual(verdict["authority"]["since"], {"height": "4", "index": 7})

    def test_a_long_path(self):
        def path(length):
            middle = {"grantor": lambda m: ("organization", m.maker), "grantee": lambda m: ("organization", m.maker),
                      "actions": actions_of("attest", "delegate")}
            first = {"grantor": lambda m: ("organization", m.maker)}
            last = {**middle, "grantor": lambda m: ("organization", m.owner)}
            return self.grants(first, *[middle] * (length - 2), last)

        self.assertEqual(len(self.valid(path(8))["authority"]["path"]), 8)
        verdict = self.expect("INVALID", ["authority_not_held"], path(9))
        self.assertEqual(len(verdict["authority"]["path"]), 8)

    def test_authority_since(self):
        def placed(*intervals):
            return lambda made: setattr(made, "zones", [interval(*i) for i in intervals])

        zone, south = Ledger().zone, codec.Zone(Ledger().owner, "south")
        a, b, c = Position(3, 0), Position(3, 5), Position(4, 0)
        verdict = self.valid(placed((zone, Position(1, 0), a), (south, a, b), (zone, b, c), (zone, c)))
        self.assertEqual(verdict["authority"]["standing"], "indeterminate")
        self.assertEqual(verdict["authority"]["since"], {"height": "3", "index": 5})
        verdict = self.valid(self.grants({"window": codec.Window(4, None)}))
        self.assertEqual(verdict["authority"]["since"], {"height": "4", "index": 0})

    def test_the_stream(self):
        def stream(**changed):
            return lambda made: [setattr(made, key, value) for key, value in changed.items()]

        later = {"head": identity("another"), "head_position": Position(8, 0)}
        verdict = self.valid(stream(count=4, **later))
        self.assertEqual((verdict["stream"]["standing"], verdict["stream"]["further"]), ("continued", "3"))
        self.assertEqual([(e["event"], e["further"]) for e in verdict["later"]], [("attested", "3")])
        for wrong in (
            stream(head=identity("another")), stream(head_position=Position(6, 0)), stream(count=2),
            stream(count=2, head=identity("another")), stream(sequence=1), stream(opened=Position(5, 1)),
            stream(closed=Position(5, 1)), stream(stream_name="glow"), stream(stream_device=identity("another")),
            stream(count=0),
        ):
            self.expect("INVALID", ["stream_contradicts"], wrong)
        self.expect("INCOMPLETE", ["stream_forked"], stream(forked_at=0))
        self.assertEqual(self.valid(stream(forked_at=1))["stream"]["silence"], "not_declared")
        closed = self.valid(stream(closed=Position(7, 0), cadence_s=1))
        self.assertEqual(closed["stream"]["silence"], "ended")
        self.assertEqual([event["event"] for event in closed["later"]], ["stream_closed"])
        self.assertEqual(self.valid(stream(cadence_s=4))["stream"]["silence"], "within")
        silent = self.valid(stream(cadence_s=3))["stream"]
        self.assertEqual((silent["silence"], silent["silentSinceMs"]), ("silent", "1735700005000"))
        self.assertEqual(self.valid(stream(cadence_s=3, count=2, **later))["stream"]["silence"], "unknown")

    def test_p256(self):
        self.valid(lambda made: made.use_p256())

        def other_key(made):
            made.use_p256()
            made.p256_key = 8

        self.expect("INVALID", ["signature_invalid"], other_key)

        def high(made):
            made.use_p256()

            def twist(transaction):
                [signature] = transaction.signatures
                r, s = signature.bytes[1][:32], int.from_bytes(signature.bytes[1][32:], "big")
                other = ("p256", r + (p256.N - s).to_bytes(32, "big"))
                return transaction._replace(signatures=[signature._replace(bytes=other)])

            made.edit_transaction = twist

        self.expect("INVALID", ["signature_invalid"], high)

    def test_endorsement(self):
        def endorsed(**changed):
            return lambda made: made.endorse(**changed)

        trusted = self.valid(endorsed())["device"]["endorsement"]
        self.assertEqual((trusted["trust"], trusted["serial"], trusted["label"]), ("trusted", "sn-7", "spring"))
        self.assertNotIn("endorsement", self.valid()["device"])
        for changed, trust, since in [
            ({"to": Position(8, 1)}, "distrusted", Position(8, 1)),
            ({"to": Position(8, 1), "suspect_since": Position(1, 1)}, "distrusted", Position(8, 1)),
            ({"to": Position(8, 1), "suspect_since": Position(1, 0)}, "suspect", Position(1, 0)),
        ]:
            verdict = self.valid(endorsed(**changed))
            found = verdict["device"]["endorsement"]
            self.assertEqual((found["trust"], found["since"]), (trust, cairn_verify.position_json(since)))
            self.assertEqual([event["event"] for event in verdict["later"]], ["lot_distrusted"])

        def expelled(made):
            made.endorse(to=Position(8, 0))
            made.organizations[made.maker] = made.organizations[made.maker]._replace(expelled=Position(7, 0))

        found = self.valid(expelled)["device"]["endorsement"]
        self.assertEqual((found["trust"], found["since"]["height"]), ("distrusted", "7"))

        def foreign(made):
            made.endorse()
            lot = made.lots[identity("lot")]
            made.lots = {identity("lot"): lot._replace(value=lot.value._replace(manufacturer=made.owner))}

        self.refused("record_malformed", foreign)
        self.refused("absent", lambda made: (made.endorse(), made.lots.clear()))
        self.expect("INCOMPLETE", ["proof_missing"], endorsed(), lambda b: b._replace(lot=None))
        self.refused("proof_superfluous", None, lambda b: b._replace(lot=b.stream))

    def test_superseded(self):
        def superseded(at, to=None):
            return lambda made: setattr(made, "superseded", codec.Superseded(at, ("organization", made.owner), to))

        verdict = self.valid(superseded(Position(8, 0), codec.AttestationRef(ZEROS, 4)))
        [event] = verdict["later"]
        self.assertEqual((event["event"], event["replacement"]), ("superseded", f"{ZEROS.hex()}/4"))
        self.assertTrue(verdict["present"]["superseded"])
        self.refused("record_malformed", superseded(Position(5, 1)))
        self.refused("state_proof_invalid", break_bundle=lambda b: b._replace(superseded=b.stream))

    def test_members_and_earlier_owners(self):
        def expelled(at):
            def change(made):
                made.organizations[made.owner] = made.organizations[made.owner]._replace(expelled=at)
            return change

        self.expect("INVALID", ["authority_not_held"], expelled(Position(5, 1)))
        verdict = self.valid(expelled(Position(5, 2)))
        self.assertEqual([event["event"] for event in verdict["later"]], ["organization_expelled"])
        self.assertEqual(verdict["present"]["authority"], "not_held")

        def sold(scope, grant=Position(4, 0)):
            def change(made):
                made.owners = [
                    interval(made.maker, made.START, Position(4, 0)), interval(made.owner, Position(4, 0)),
                ]
                terms = made.terms(scope=("zone", made.zone) if scope == "zone" else ("device", made.device))
                made.grants = {made.authority: interval(terms, grant)}
            return change

        self.valid(sold("device"))
        self.expect("INVALID", ["authority_not_held"], sold("device", Position(3, 9)))
        verdict = self.valid(sold("zone", Position(3, 0)))
        self.assertEqual((verdict["authority"]["standing"], verdict["authority"]["since"]["height"]),
                         ("indeterminate", "4"))

    def test_recoveries(self):
        new = codec.Recovery(("p256", b"\2" + ZEROS), ZEROS, 8)

        def recovered(to, took_effect):
            def change(made):
                made.recoveries = [interval(new, Position(6, 0), to)]
                if took_effect:
                    made.keys[0] = made.keys[0]._replace(to=to)
                    made.keys.append(interval(codec.DeviceKey(new.key, ZEROS), to))
            return change

        def events(verdict):
            return [event["event"] for event in verdict["later"]]

        pending = self.valid(recovered(None, False))
        self.assertEqual((events(pending), pending["present"]["recovery"]), (["recovery_announced"], "8"))
        self.assertEqual(events(self.valid(recovered(Position(7, 3), False))),
                         ["recovery_announced", "recovery_cancelled"])
        verdict = self.valid(recovered(Position(8, 0), True))
        self.assertEqual(events(verdict), ["recovery_announced", "key_rotated"])
        self.assertEqual((verdict["present"]["key"], verdict["present"]["keySince"]["height"]), ("ended", "8"))

    def test_live(self):
        def live(change=None, seconds=9, outcome="VALID", reasons=(), **options):
            freshness = cairn_verify.Freshness(1735700000000 + 1000 * seconds, 5000)
            return self.expect(outcome, list(reasons), change, freshness=freshness, **options)["live"]

        self.assertEqual(self.valid()["live"], "unknown")
        self.assertEqual(live(), "ok")
        self.assertEqual(live(seconds=15, outcome="INCOMPLETE", reasons=["checkpoint_stale"]), "unknown")
        self.assertEqual(live(content=None, outcome="INCOMPLETE", reasons=["content_not_supplied"]), "ok")
        self.assertEqual(live(content=b"", outcome="INVALID", reasons=["content_differs"]), "refused")

        def attribute(name, value):
            return lambda made: setattr(made, name, value)

        self.assertEqual(live(attribute("closed", Position(8, 0))), "refused")
        self.assertEqual(live(attribute("forked_at", 7)), "refused")
        self.assertEqual(live(lambda made: made.endorse()), "ok")
        self.assertEqual(live(lambda made: made.endorse(to=Position(7, 0))), "doubtful")
        recovery = codec.Recovery(("ed25519", ZEROS), ZEROS, 99)
        self.assertEqual(live(attribute("recoveries", [interval(recovery, Position(6, 0))])), "doubtful")

        def suspended(made):
            made.statuses = [interval(("active", None), made.START, Position(8, 0)),
                             interval(("suspended", None), Position(8, 0))]

        self.assertEqual(live(suspended), "refused")

        def window_ends(made):    # now is the block after the checkpoint, 9
            made.grants = {made.authority: interval(made.terms(window=codec.Window(0, 10)), Position(1, 3))}

        self.assertEqual(live(window_ends), "refused")

        def doubted_later(made):
            made.keys[0] = made.keys[0]._replace(suspect_since=Position(8, 0))

        self.assertEqual(live(doubted_later), "doubtful")

    def test_the_order_of_what_came_later(self):
        at = Position(7, 0)

        def change(made):
            made.keys = [made.keys[0]._replace(to=at), made.keys[0]._replace(from_=at)]
            made.owners = [made.owners[0]._replace(to=at), interval(made.maker, at)]
            made.statuses = [made.statuses[0]._replace(to=at), interval(("decommissioned", None), at)]
            made.zones = [made.zones[0]._replace(to=at), interval(codec.Zone(made.maker, ""), at)]
            [name] = made.grants
            made.grants[name] = made.grants[name]._replace(to=at)
            made.count, made.head, made.head_position, made.closed = 2, identity("another"), at, Position(6, 0)
            recovery = codec.Recovery(("ed25519", ZEROS), ZEROS, 9)
            made.recoveries = [interval(recovery, at, at)]
            made.offers = [interval(made.maker, at, at)]
            made.endorse(to=at)
            made.organizations = {name: one._replace(expelled=at) for name, one in made.organizations.items()}
            made.superseded = codec.Superseded(at, ("device", made.device), None)

        self.assertEqual([event["event"] for event in self.valid(change)["later"]], [
            "stream_closed", "key_rotated", "recovery_announced", "recovery_cancelled", "status_changed", "offered",
            "owner_changed", "placed", "grant_revoked", "lot_distrusted", "organization_expelled",
            "organization_expelled", "superseded", "attested",
        ])

    def test_every_flipped_bit_is_refused(self):
        made = Ledger()
        made.with_anchor = 7
        data = codec.Bundle.write(made.bundle())
        self.assertEqual(cairn_verify.verify(data, made.chain, made.content)["outcome"], "VALID")
        chance = random.Random(3)
        for place in chance.sample(range(8 * len(data)), 2000):
            verdict = cairn_verify.verify(flipped(data, place), made.chain, made.content)
            self.assertEqual(verdict["outcome"], "INVALID", f"bit {place}")

    def test_any_ledger_gets_a_verdict(self):
        out = io.StringIO()
        cairn_verify.batch([json.dumps(RandomLedger(seed).question()) for seed in range(150)], out)
        outcomes = {json.loads(line)["outcome"] for line in out.getvalue().splitlines()}
        self.assertEqual(outcomes, {"VALID", "INVALID", "INCOMPLETE"})

    def test_noise_is_refused(self):
        chance = random.Random(4)
        made = Ledger()
        data = codec.Bundle.write(made.bundle())
        for _ in range(300):
            start, end = sorted(chance.randrange(len(data)) for _ in range(2))
            noise = bytes(chance.getrandbits(8) for _ in range(chance.randrange(40)))
            verdict = cairn_verify.verify(data[:start] + noise + data[end:], made.chain, made.content)
            self.assertEqual(verdict["outcome"], "INVALID")


class Program(unittest.TestCase):
    def test_batch(self):
        made = Ledger()
        question = {"bundle": codec.Bundle.write(made.bundle()).hex(), "genesis": made.chain.hex()}
        hex_content = made.content.hex()
        trusted = f"5:{made.hashes[5].hex()}"
        questions = [
            {**question, "content": hex_content},
            {**question, "content": None},
            {**question, "content": hex_content, "checkpoint": trusted, "now_ms": 1735700009007, "max_age_ms": 60000},
            {**question, "content": hex_content, "salt": "00" * 32},
            {**question, "content": ""},
            {**question, "bundle": ""},
        ]
        lines = [json.dumps(asked) for asked in [
            *questions, [], {}, {**question, "genesis": "0"}, {**question, "max_age_ms": "1"},
        ]] + ["", "{", "[" * 100000]
        out = io.StringIO()
        cairn_verify.batch(lines, out)
        answers = [json.loads(line) for line in out.getvalue().splitlines()]
        self.assertEqual([answer.get("outcome") for answer in answers[:6]], [
            "VALID", "INCOMPLETE", "VALID", "INCOMPLETE", "INVALID", "INVALID",
        ])
        self.assertEqual(answers[2]["finality"]["trusted"], "connected")
        self.assertEqual(answers[2]["finality"]["ageMs"], "7")
        self.assertEqual(len(answers), 12)
        self.assertTrue(all("error" in answer for answer in answers[6:]))


if __name__ == "__main__":
    unittest.main()
