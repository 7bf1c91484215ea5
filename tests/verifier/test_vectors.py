"""Every test vector of tests/vectors, made again: the value from its bytes, the bytes from the value, every hash, every
signed message, every signature and every accumulator.
"""

import json
import unittest
from pathlib import Path

import cairn_verify
import codec
import keys
import ledger
import lookup
import trees
from codec import b3, decode, derive

VECTORS = Path(__file__).parent.parent / "vectors"

# Types by the names of the specification, where they differ from the codec's
TYPES = {
    "TransactionId": codec.HASH, "OrganizationId": codec.HASH, "DeviceId": codec.HASH, "()": codec.UNIT,
    "DeviceId ‖ Name": codec.Struct("StreamName", device=codec.HASH, name=codec.Name),
    "Vec<OrganizationId>": codec.Vec(codec.HASH),
}
ROLES = ["council", "manufacturer", "operator", "auditor"]


def load(name):
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def type_of(name):
    if name.startswith("Interval<"):
        return codec.Interval(type_of(name[len("Interval<"):-1]))
    return TYPES.get(name) or getattr(codec, name)


def names_of(bits, names):
    return [name for place, name in enumerate(names) if bits >> place & 1]


def readable(kind, value):
    """A value as the vectors show it."""
    if kind is codec.Actions:
        return names_of(value, codec.ACTIONS)
    if kind is codec.Roles:
        return names_of(value, ROLES)
    if kind in (codec.PublicKey, codec.SignatureBytes):
        return f"{value[0]}:{value[1].hex()}"
    if isinstance(kind, codec.Integer):
        return str(value) if kind.size == 8 else value
    if isinstance(kind, (codec.Fixed, codec.Bytes)):
        return value.hex()
    if isinstance(kind, codec.Option):
        return None if value is None else readable(kind.some, value)
    if isinstance(kind, codec.Vec):
        return [readable(kind.item, item) for item in value]
    if isinstance(kind, codec.Struct):
        return {
            name.rstrip("_"): readable(part, item)
            for name, part, item in zip(kind.make._fields, kind.fields, value)
        }
    if isinstance(kind, codec.Enum):
        part = kind.variants[kind.tags[value[0]]][1]
        return value[0] if part is None else {value[0]: readable(part, value[1])}
    return value


class Vectors(unittest.TestCase):
    def is_encoding(self, kind, vector, encoding):
        data = bytes.fromhex(encoding)
        value = decode(kind, data)
        self.assertEqual(kind.write(value), data)
        self.assertEqual(readable(kind, value), vector["value"])
        return value

    def each(self, file, check):
        vectors = load(file)
        self.assertTrue(vectors)
        for vector in vectors:
            with self.subTest(file=file, name=vector["name"]):
                check(vector)

    def test_hashes(self):
        def check(vector):
            data = bytes.fromhex(vector["encoding"])
            self.assertEqual(derive(vector["domain"], data).hex(), vector["hash"])
            if vector["type"] == "salt ‖ content":
                self.assertEqual(vector["value"]["salt"] + vector["value"]["content"], vector["encoding"])
            else:
                self.is_encoding(type_of(vector["type"]), vector, vector["encoding"])

        self.each("hashes.json", check)

    def test_transactions(self):
        tags = set()

        def check(vector):
            value = self.is_encoding(codec.Transaction, vector, vector["encoding"])
            body = codec.Body.write(value.body)
            self.assertEqual(body.hex(), vector["body"])
            id_ = derive("cairn transaction v1", body)
            self.assertEqual(id_.hex(), vector["id"])
            message = b"cairn sign transaction v1" + id_
            self.assertEqual(message.hex(), vector["message"])
            leaf = derive("cairn signed transaction v1", bytes.fromhex(vector["encoding"]))
            self.assertEqual(leaf.hex(), vector["leaf"])
            self.assertEqual(len(vector["keys"]), len(value.signatures))
            for key, signature in zip(vector["keys"], value.signatures):
                self.assertTrue(keys.verify(self.key(key), message, signature.bytes))
            self.assertEqual(codec.Call.tags[value.body.call[0]], vector["tag"])
            tags.add(vector["tag"])

        self.each("transactions.json", check)
        self.assertEqual(tags, set(codec.Call.variants))

    def key(self, text):
        algorithm, _, digits = text.partition(":")
        return algorithm, bytes.fromhex(digits)

    def message(self, prefix, value):
        """What is signed, by the table of section 3."""
        if "transaction" in value or "device" in value:
            return prefix + bytes.fromhex(value.get("transaction") or value["device"])
        message = prefix + bytes.fromhex(value["chain"])
        message += int(value["height"]).to_bytes(8, "little") + value["round"].to_bytes(4, "little")
        if prefix == b"cairn sign proposal v1":
            round_ = value["pol_round"]
            message += bytes(5) if round_ is None else b"\1" + round_.to_bytes(4, "little")
        return message + bytes.fromhex(value["block"] or "")

    def test_signatures(self):
        standings = set()

        def check(vector):
            message = self.message(vector["prefix"].encode(), vector["value"])
            self.assertEqual(message.hex(), vector["message"])
            key, signature = self.key(vector["key"]), self.key(vector["signature"])
            self.assertTrue(keys.may_be_registered(key))
            self.assertIs(keys.verify(key, message, signature), vector["valid"])
            standings.add((key[0], vector["valid"]))

        self.each("signatures.json", check)
        self.assertEqual(len(standings), 4)

    def test_records(self):
        def check(vector):
            self.assertEqual("".join(part for _, part in vector["parts"]), vector["key"])
            self.is_encoding(type_of(vector["type"]), vector, vector["encoding"])

        self.each("records.json", check)

    def test_accumulators(self):
        def check(vector):
            items, root = [bytes.fromhex(item) for item in vector["items"]], bytes.fromhex(vector["root"])
            for number, item in enumerate(items):
                self.assertEqual(item, b3(f"item {number}".encode()))
            self.assertEqual(ledger.accumulator_root(items), root)
            for index, shown in enumerate(vector["proofs"]):
                proof = codec.InclusionProof(int(shown["index"]), [bytes.fromhex(one) for one in shown["siblings"]])
                self.assertEqual((proof.index, proof), (index, ledger.inclusion(items, index)))
                self.assertTrue(trees.is_included(items[index], len(items), root, proof))

        self.each("accumulators.json", check)

    def test_files(self):
        def check(vector):
            data, genesis = bytes.fromhex(vector["file"]), bytes.fromhex(vector["genesis"])
            if vector["type"] == "Bundle":
                verdict = cairn_verify.verify(data, genesis, bytes.fromhex(vector["content"]))
            else:
                verdict = lookup.verify(data, genesis, lookup.question_from(vector["question"]))
                self.assertEqual([len(answer) for answer in verdict["entries"]], vector["entries"])
            self.assertEqual(verdict["outcome"], vector["outcome"], verdict["reasons"])
            kind = type_of(vector["type"])
            self.assertEqual(kind.write(decode(kind, data)), data)

        self.each("files.json", check)


if __name__ == "__main__":
    unittest.main()
