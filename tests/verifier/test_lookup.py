"""Tests of lookups, over a small state that is made here. That the two verifiers agree is tested elsewhere."""

import io
import json
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import cairn_verify
import codec
import lookup
from codec import ZEROS, Position
from ledger import Ledger, identity, interval, key_proof, prefix_proof

HERE = Path(__file__).parent


class World(Ledger):
    """The ledger of the other tests, with everything that questions are about in its last state."""

    def __init__(self):
        super().__init__()
        self.lot, self.early = identity("lot"), Position(0, 0)
        self.streams = [codec.derive("cairn stream v1", self.device + codec.Name.write("flow")), identity("another")]
        self.forge = {}

    def state(self):
        state = super().state()
        below, lot_record = codec.Zone(self.owner, "north/pump/a"), codec.LotRecord(
            self.maker, ("merkle", codec.LotBasis.variants[0][1](ZEROS, 3)), "meters")
        self.parents = [identity("grant"), identity("parent"), identity("top")]
        for grant, scope, parent in [
            (identity("over the device"), ("device", self.device), None),
            (identity("over a stream"), ("stream", self.streams[1]), None),
            (identity("over north"), ("zone", codec.Zone(self.owner, "north")), None),
            (identity("over all"), ("zone", codec.Zone(self.owner, "")), None),
            (identity("below"), ("zone", below), None),
            (identity("grant"), ("zone", self.zone), identity("parent")),
            (identity("parent"), ("zone", codec.Zone(self.maker, "")), identity("top")),
            (identity("top"), ("zone", codec.Zone(self.maker, "")), None),
        ]:
            terms = self.terms(scope=scope, parent=parent)
            state[b"\x06" + grant] = codec.GrantInterval.write(interval(terms, Position(1, 3)))
            state[b"\x07" + lookup.scope_key(scope) + grant] = b""
        other = codec.StreamRecord.write(codec.decode(codec.StreamRecord, state[b"\x08" + self.stream]))
        for stream in self.streams:
            state[b"\x09" + self.device + stream] = b""
            state.setdefault(b"\x08" + stream, other)
        state[b"\x0e" + self.lot] = codec.LotInterval.write(interval(lot_record, self.early))
        state[b"\x10" + self.maker + self.lot] = b""
        for claim in range(3):
            state[b"\x0f" + self.lot + identity(f"claim {claim}")] = self.device
        for name, organization in (("maker", self.maker), ("water", self.owner)):
            state[b"\x03" + name.encode()] = organization
        key_set = codec.KeySet(1, [self.inception.key])
        state[b"\x02" + self.owner + b"\1" + bytes(4)] = codec.Interval(codec.OrganizationKeys).write(
            interval(codec.OrganizationKeys(key_set, None), self.early))
        for ordinal, end in enumerate([Position(3, 0), None]):
            number, start = ordinal.to_bytes(4, "big"), self.early if ordinal == 0 else Position(3, 0)
            for family, kind, value in [
                (b"\x01", codec.Parameters, codec.Parameters(*range(1, 14))),
                (b"\x0b", codec.Vec(codec.HASH), [self.owner]),
                (b"\x0c", codec.ValidatorSet, self.validator_set(self.validator_keys)),
            ]:
                state[family + number] = codec.Interval(kind).write(interval(value, start, end))
        for sequence in (0, 7):
            state[b"\x11" + self.stream + sequence.to_bytes(8, "big")] = codec.Superseded.write(
                codec.Superseded(Position(6, 0), ("device", self.device), None))
        state.update(self.forge)
        return {key: value for key, value in state.items() if value is not None}

    def questions(self):
        nobody = identity("nobody")
        return {
            ("checkpoint", None): [],
            ("organization", self.owner): [2],
            ("organization", nobody): [0],
            ("device", self.device): [5],
            ("device", nobody): [0],
            ("deviceStreams", self.device): [2, 1, 1],
            ("grant", identity("grant")): [1, 1, 1],
            ("grant", nobody): [0],
            ("grants", ("zone", codec.Zone(self.maker, ""))): [2, 1, 1],
            ("grants", ("device", nobody)): [0],
            ("deviceGrants", self.device): [5, 2, 1, 0, 1, 1, 1, 1] + [1] * 5,
            ("deviceGrants", nobody): [0],
            ("stream", self.streams[0]): [1],
            ("stream", nobody): [0],
            ("lot", self.lot): [1, 3],
            ("lot", nobody): [0],
            ("lots", self.maker): [1, 1],
            ("organizations", None): [2],
            ("council", None): [2],
            ("validators", None): [2],
            ("parameters", None): [2],
            ("superseded", self.streams[0]): [2],
        }

    def lookup(self, question):
        """Asks with a verifier whose queries are answered by the state, so the walk is the verifier's own."""
        headers, sets = self.headers(), self.sets()
        checkpoint, state, proofs = headers[self.CHECKPOINT], self.final_state, []

        class Prover(lookup.Verification):
            def ask_list(self, prefix):
                self.proofs = [prefix_proof(state, prefix)]
                proofs.extend(self.proofs)
                return super().ask_list(prefix)

            def ask_key(self, key, kind):
                self.proofs = [key_proof(state, key)]
                proofs.extend(self.proofs)
                return super().ask_key(key, kind)

        prover = Prover(self.chain, None, None, None)
        prover.checkpoint, prover.answers = checkpoint, []
        try:
            getattr(prover, "walk_" + question[0])(question[1])
        except lookup.Refused:
            pass    # the test wants to see it refused
        return codec.Lookup(
            magic=lookup.MAGIC, version=1, genesis=headers[0], validators=self.validator_set(sets[1]), changes=[
                codec.ValidatorChange(headers[height], self.certificate(headers[height], sets[height]),
                                      self.validator_set(keys))
                for height, keys in self.changes
            ],
            checkpoint=checkpoint, certificate=self.certificate(checkpoint, sets[self.CHECKPOINT], self.signers),
            anchor=None, question=question, proofs=proofs,
        )


class Lookups(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.world.headers()
        cls.made = {question: cls.world.lookup(question) for question in cls.world.questions()}

    def judge(self, made, **options):
        data = made if isinstance(made, bytes) else codec.Lookup.write(made)
        verdict = lookup.verify(data, options.pop("genesis", self.world.chain), **options)
        json.dumps(verdict)
        return verdict

    def expect(self, outcome, reasons, made, **options):
        verdict = self.judge(made, **options)
        self.assertEqual([reason["name"] for reason in verdict["reasons"]], reasons)
        self.assertEqual(verdict["outcome"], outcome)
        if outcome == "INVALID":
            self.assertEqual(verdict["entries"], [])
        return verdict

    def test_every_question_is_answered(self):
        kinds = set()
        for question, sizes in self.world.questions().items():
            verdict = self.expect("VALID", [], self.made[question], question=question)
            self.assertEqual([len(answer) for answer in verdict["entries"]], sizes, question)
            self.assertEqual(verdict["question"]["kind"], question[0])
            kinds.add(question[0])
        self.assertEqual(kinds, set(codec.Question.tags))

    def test_the_grants_over_a_device(self):
        names = ["over the device", "over a stream", "over north", "over all", "grant"]
        made = self.made[("deviceGrants", self.world.device)]
        entries = self.judge(made)["entries"]
        found = [answer[0]["key"] for answer in entries[-len(names):]]
        self.assertEqual(found, sorted("06" + identity(name).hex() for name in names))

    def test_what_is_not_a_lookup(self):
        made = self.made[("council", None)]
        data = codec.Lookup.write(made)
        for broken in (b"", data[:-1], data + b"\0", b"x" + data[1:], data + bytes(lookup.LOOKUP_MAX)):
            self.expect("INVALID", ["not_a_lookup"], broken)
        self.expect("INVALID", ["not_a_lookup"], made._replace(version=2))
        self.expect("INVALID", ["wrong_network"], made, genesis=ZEROS)

    def test_another_question(self):
        made = self.made[("device", self.world.device)]
        for other in (("device", identity("nobody")), ("deviceStreams", self.world.device), ("council", None)):
            verdict = self.expect("INVALID", ["other_question"], made, question=other)
            self.assertIn("finality", verdict)
        # Without the right proofs, writing another question into the file does not help.
        self.expect("INVALID", ["state_proof_invalid"], made._replace(question=("device", identity("nobody"))))

    def test_proofs(self):
        made = self.made[("deviceGrants", self.world.device)]
        self.expect("INCOMPLETE", ["proof_missing"], made._replace(proofs=made.proofs[:-1]))
        self.expect("INCOMPLETE", ["proof_missing"], made._replace(proofs=[]))
        self.expect("INVALID", ["proof_superfluous"], made._replace(proofs=[*made.proofs, made.proofs[0]]))
        for place in range(len(made.proofs)):
            without = made.proofs[:place] + made.proofs[place + 1:]
            self.assertNotEqual(self.judge(made._replace(proofs=without))["outcome"], "VALID")
            swapped = list(made.proofs)
            swapped[place], swapped[place - 1] = swapped[place - 1], swapped[place]
            self.expect("INVALID", ["state_proof_invalid"], made._replace(proofs=swapped))

    def test_trust_and_age(self):
        world, made = self.world, self.made[("checkpoint", None)]
        connected = self.expect("VALID", [], made, trusted=(9, world.hashes[9]))
        self.assertEqual(connected["finality"]["trusted"], "connected")
        self.expect("INCOMPLETE", ["trusted_unconnected"], made, trusted=(4, world.hashes[4]))
        self.expect("INVALID", ["trusted_conflict"], made, trusted=(9, ZEROS))
        time_ms = made.checkpoint.time_ms
        old = cairn_verify.Freshness(time_ms + 11, 10)
        verdict = self.expect("INCOMPLETE", ["checkpoint_stale"], made, freshness=old)
        self.assertEqual(verdict["finality"]["ageMs"], "11")
        # An anchor connects.
        from ledger import inclusion
        anchored = made._replace(anchor=codec.Anchor(world.hashes[4], inclusion(world.hashes[:9], 4)))
        self.expect("VALID", [], anchored, trusted=(4, world.hashes[4]))
        anchored = made._replace(anchor=codec.Anchor(world.hashes[5], inclusion(world.hashes[:9], 4)))
        self.expect("INVALID", ["history_invalid"], anchored)

    def test_records(self):
        world = self.world
        device, stream, zeros = world.device, world.streams[0], bytes(4)
        for question, key, value, outcome, reason in [
            ("device", b"\x04" + device + b"\7" + zeros, b"", "INCOMPLETE", "record_unknown"),
            ("organization", b"\x02" + world.owner + b"\2" + zeros, b"", "INCOMPLETE", "record_unknown"),
            ("organization", b"\x02" + world.owner + b"\0" + zeros, None, "INVALID", "absent"),
            ("organization", b"\x02" + world.owner + b"\1" + zeros, b"", "INVALID", "record_malformed"),
            ("device", b"\x04" + device + b"\0" + zeros, None, "INVALID", "absent"),
            ("deviceGrants", b"\x04" + device + b"\4" + zeros, None, "INVALID", "record_malformed"),
            ("deviceStreams", b"\x09" + device + ZEROS, b"", "INVALID", "absent"),
            ("deviceStreams", b"\x09" + device + ZEROS, b"x", "INVALID", "record_malformed"),
            ("deviceStreams", b"\x09" + device + ZEROS + b"x", b"", "INVALID", "record_malformed"),
            ("deviceStreams", b"\x08" + stream, b"", "INVALID", "record_malformed"),
            ("grant", b"\x06" + identity("top"), None, "INVALID", "absent"),
            ("lot", b"\x0f" + world.lot + b"x", device, "INVALID", "record_malformed"),
            ("lot", b"\x0f" + world.lot + ZEROS, b"", "INVALID", "record_malformed"),
            ("lots", b"\x0e" + world.lot, b"", "INVALID", "record_malformed"),
            ("organizations", b"\x03Water", world.owner, "INVALID", "record_malformed"),
            ("organizations", b"\x03\xff", world.owner, "INVALID", "record_malformed"),
            ("organizations", b"\x03water", b"", "INVALID", "record_malformed"),
            ("council", b"\x0b" + bytes(5), b"", "INVALID", "record_malformed"),
            ("validators", b"\x0c" + zeros, None, "VALID", None),
            ("parameters", b"\x01\0\0\0\2", codec.Interval(codec.Parameters).write(
                interval(codec.Parameters(*range(1, 14)), Position(4, 0))), "INVALID", "record_malformed"),
            ("superseded", b"\x11" + stream + zeros, b"", "INVALID", "record_malformed"),
            ("superseded", b"\x11" + stream + bytes(8), b"", "INVALID", "record_malformed"),
        ]:
            other = World()
            other.forge = {key: value}
            asked = next(one for one in world.questions() if one[0] == question)
            made = other.lookup(asked)
            verdict = lookup.verify(codec.Lookup.write(made), other.chain, asked)
            names = [reason["name"] for reason in verdict["reasons"]]
            self.assertEqual((verdict["outcome"], names), (outcome, [reason] if reason else []), (question, key.hex()))

    def test_a_path_that_does_not_end(self):
        other = World()
        terms = other.terms(parent=identity("top"))
        other.forge = {b"\x06" + identity("top"): codec.GrantInterval.write(interval(terms, Position(1, 3)))}
        verdict = lookup.verify(codec.Lookup.write(other.lookup(("grant", identity("grant")))), other.chain)
        self.assertEqual([reason["name"] for reason in verdict["reasons"]], ["record_malformed"])

    def test_flipped_bits_are_refused(self):
        chance = random.Random(9)
        for question, made in self.made.items():
            data = codec.Lookup.write(made)
            for _ in range(12):
                changed = bytearray(data)
                changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
                self.assertEqual(self.judge(bytes(changed), question=question)["outcome"], "INVALID")

    def test_noise_is_refused(self):
        chance = random.Random(10)
        for _ in range(200):
            noise = lookup.MAGIC + b"\1\0" + chance.randbytes(chance.randrange(400))
            self.expect("INVALID", ["not_a_lookup"], noise)


class Questions(unittest.TestCase):
    def test_text(self):
        some = identity("some").hex()
        texts = [
            "checkpoint", "organizations", "council", "validators", "parameters", f"organization:{some}",
            f"device:{some}", f"deviceStreams:{some}", f"grant:{some}", f"deviceGrants:{some}", f"stream:{some}",
            f"lot:{some}", f"lots:{some}", f"superseded:{some}", f"grants:zone:{some}", f"grants:zone:{some}/north/1",
            f"grants:device:{some}", f"grants:stream:{some}",
        ]
        read = [lookup.question_from(text) for text in texts]
        self.assertEqual(len({json.dumps(lookup.question_json(question)) for question in read}), len(texts))
        for bad in ("", "council:", f"council:{some}", "device", f"device:{some.upper()}", f"grants:{some}",
                    f"grants:zone:{some}/", f"grants:zone:{some}/Ä", f"grants:organization:{some}", "device:12"):
            with self.assertRaises(ValueError):
                lookup.question_from(bad)


class Program(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.question = ("device", self.world.device)
        self.data = codec.Lookup.write(self.world.lookup(self.question))

    def run_program(self, *arguments):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "lookup"
            path.write_bytes(self.data)
            command = [sys.executable, str(HERE / "cairn_verify.py"), str(path), "--genesis", self.world.chain.hex()]
            return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)

    def test_the_command_line(self):
        asked = f"device:{self.world.device.hex()}"
        answer = self.run_program("--json", "--question", asked)
        self.assertEqual((answer.returncode, json.loads(answer.stdout)["outcome"]), (0, "VALID"))
        self.assertEqual(self.run_program("--question", "council").returncode, 1)
        self.assertIn("VALID", self.run_program().stdout)
        self.assertEqual(self.run_program("--question", "nonsense").returncode, 2)
        self.assertEqual(self.run_program("content").returncode, 2)

    def test_batch(self):
        asked = {"lookup": self.data.hex(), "genesis": self.world.chain.hex(), "question": "council"}
        lines = [json.dumps(one) for one in (asked, {**asked, "question": None}, {**asked, "question": "?"})]
        out = io.StringIO()
        cairn_verify.batch(lines, out)
        answers = [json.loads(line) for line in out.getvalue().splitlines()]
        self.assertEqual([answer.get("outcome") for answer in answers], ["INVALID", "VALID", None])
        self.assertIn("error", answers[2])


if __name__ == "__main__":
    unittest.main()
