"""ECDSA on P-256 with SHA-256, by the rule of section 3 of runtime/SPECIFICATION.md, in plain Python.

The curve is that of NIST SP 800-186 section 3.2.1.3: y² = x³ − 3x + B modulo P, with a group of prime order N. Keys are
compressed points (SEC 1 section 2.3.3), signatures r ‖ s, both big-endian, with s in the lower half.
"""

import hashlib
from functools import lru_cache

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b
BASE = (
    0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
    0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5,
    1,
)
NEUTRAL = (1, 1, 0)    # Jacobian coordinates X, Y, Z: x = X/Z², y = Y/Z³; the neutral element has Z = 0


def double(a):
    x, y, z = a
    if z == 0 or y == 0:
        return NEUTRAL
    yy = y * y % P
    s = 4 * x * yy % P
    m = 3 * (x - z * z) * (x + z * z) % P
    x3 = (m * m - 2 * s) % P
    return (x3, (m * (s - x3) - 8 * yy * yy) % P, 2 * y * z % P)


def add(a, b):
    if a[2] == 0:
        return b
    if b[2] == 0:
        return a
    zz1, zz2 = a[2] * a[2] % P, b[2] * b[2] % P
    u1, u2 = a[0] * zz2 % P, b[0] * zz1 % P
    s1, s2 = a[1] * zz2 * b[2] % P, b[1] * zz1 * a[2] % P
    if u1 == u2:
        return double(a) if s1 == s2 else NEUTRAL
    h, r = (u2 - u1) % P, (s2 - s1) % P
    hh = h * h % P
    hhh, v = h * hh % P, u1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return (x3, (r * (v - x3) - s1 * hhh) % P, h * a[2] * b[2] % P)


def multiply(number, point):
    result = NEUTRAL
    for bit in bin(number)[2:]:
        result = double(result)
        if bit == "1":
            result = add(result, point)
    return result


def affine_x(point):
    """x of a point, or None for the neutral element."""
    return None if point[2] == 0 else point[0] * pow(point[2], -2, P) % P


@lru_cache(maxsize=4096)
def decompress(data):
    """The point, or None."""
    x = int.from_bytes(data[1:], "big")
    if len(data) != 33 or data[0] not in (2, 3) or x >= P:
        return None
    square = (x * x * x - 3 * x + B) % P
    y = pow(square, (P + 1) // 4, P)    # P is 3 modulo 4
    if y * y % P != square:
        return None
    return (x, y if y % 2 == data[0] % 2 else P - y, 1)


def may_be_registered(key):
    """Every point but the neutral element has order N, and that has no compressed form."""
    return decompress(key) is not None


@lru_cache(maxsize=65536)
def verify(key, message, signature):
    point = decompress(key)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if point is None or len(signature) != 64 or not 1 <= r < N or not 1 <= s <= N // 2:
        return False
    e = int.from_bytes(hashlib.sha256(message).digest(), "big")
    inverse = pow(s, -1, N)
    x = affine_x(add(multiply(e * inverse % N, BASE), multiply(r * inverse % N, point)))
    return x is not None and x % N == r


# Signing, for the tests


def public(secret):
    """The compressed public key of a number from 1 to N − 1."""
    x, y, z = multiply(secret, BASE)
    inverse = pow(z, -1, P)
    x, y = x * inverse**2 % P, y * inverse**3 % P
    return bytes([2 + y % 2]) + x.to_bytes(32, "big")


def sign(secret, message):
    """With a nonce from secret and message, so that the tests repeat; not the one of RFC 6979."""
    digest = hashlib.sha256(message).digest()
    k = int.from_bytes(hashlib.sha512(secret.to_bytes(32, "big") + digest).digest(), "big") % (N - 1) + 1
    r = affine_x(multiply(k, BASE)) % N
    s = pow(k, -1, N) * (int.from_bytes(digest, "big") + r * secret) % N
    assert r and s
    return r.to_bytes(32, "big") + min(s, N - s).to_bytes(32, "big")
