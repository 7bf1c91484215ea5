"""Tests of P-256. The signatures are those of RFC 6979 appendix A.2.5, of which one has s in the upper half."""

import random
import unittest

import keys
import p256

SECRET = 0xc9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721
X = 0x60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6
Y = 0x7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299
KEY = bytes([2 + Y % 2]) + X.to_bytes(32, "big")
SIGNED = {
    b"sample": (
        0xefd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716,
        0xf7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8,
    ),
    b"test": (
        0xf1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367,
        0x019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083,
    ),
}


def joined(r, s):
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class P256(unittest.TestCase):
    def test_the_curve(self):
        x, y, _ = p256.BASE
        self.assertEqual((y * y - x * x * x + 3 * x - p256.B) % p256.P, 0)
        self.assertEqual(p256.multiply(p256.N, p256.BASE)[2], 0)
        self.assertEqual(p256.public(SECRET), KEY)
        self.assertEqual(p256.public(p256.N - 1)[1:], p256.public(1)[1:])
        self.assertEqual(p256.decompress(KEY), (X, Y, 1))

    def test_rfc_6979(self):
        for message, (r, s) in SIGNED.items():
            low = min(s, p256.N - s)
            self.assertTrue(p256.verify(KEY, message, joined(r, low)))
            self.assertFalse(p256.verify(KEY, message, joined(r, p256.N - low)))    # one signature, one form
            self.assertFalse(p256.verify(KEY, message + b".", joined(r, low)))
            self.assertFalse(p256.verify(KEY, message, joined(r + 1, low)))
            self.assertFalse(p256.verify(KEY, message, joined(r, low - 1)))
            other = bytes([KEY[0] ^ 1]) + KEY[1:]
            self.assertFalse(p256.verify(other, message, joined(r, low)))

    def test_numbers_out_of_range(self):
        r, s = SIGNED[b"test"]
        for pair in [(0, s), (r, 0), (r + p256.N, s), (p256.N, s), (r, p256.N), (2**256 - 1, 2**256 - 1)]:
            if pair[0] < 2**256:
                self.assertFalse(p256.verify(KEY, b"test", joined(*pair)))
        self.assertFalse(p256.verify(KEY, b"test", joined(r, s)[:-1]))

    def test_keys_that_may_not_be_registered(self):
        self.assertTrue(p256.may_be_registered(KEY))
        x = next(x for x in range(100) if p256.decompress(b"\2" + x.to_bytes(32, "big")) is None)
        for key in (
            bytes(33), b"\4" + KEY[1:], b"\0" + KEY[1:], b"\2" + b"\xff" * 32, b"\2" + p256.P.to_bytes(32, "big"),
            b"\2" + x.to_bytes(32, "big"), KEY[:-1],
        ):
            self.assertFalse(p256.may_be_registered(key))
            self.assertFalse(p256.verify(key, b"test", joined(*SIGNED[b"test"])))

    def test_addition_meets_its_special_cases(self):
        for number in (1, 2, 3, 7, p256.N - 1, p256.N - 2):
            point, more = p256.multiply(number, p256.BASE), p256.multiply(number + 1, p256.BASE)
            self.assertEqual(p256.affine_x(p256.add(point, p256.BASE)), p256.affine_x(more))
            self.assertEqual(p256.affine_x(p256.add(point, point)), p256.affine_x(p256.double(point)))
            self.assertEqual(p256.add(point, p256.NEUTRAL), point)

    def test_what_is_signed_verifies(self):
        chance = random.Random(5)
        for _ in range(20):
            secret, message = chance.randrange(1, p256.N), chance.randbytes(40)
            key, signature = p256.public(secret), p256.sign(secret, message)
            self.assertTrue(p256.verify(key, message, signature))
            place = chance.randrange(512)
            changed = bytearray(signature)
            changed[place // 8] ^= 1 << place % 8
            self.assertFalse(p256.verify(key, message, bytes(changed)))


class Algorithms(unittest.TestCase):
    def test_a_signature_is_of_the_keys_algorithm(self):
        signature = p256.sign(SECRET, b"hello")
        self.assertTrue(keys.verify(("p256", KEY), b"hello", ("p256", signature)))
        self.assertFalse(keys.verify(("p256", KEY), b"hello", ("ed25519", signature)))
        self.assertFalse(keys.verify(("ed25519", KEY[1:]), b"hello", ("p256", signature)))


if __name__ == "__main__":
    unittest.main()
