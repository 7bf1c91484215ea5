"""Ed25519 by the rule of section 3 of runtime/SPECIFICATION.md, ZIP 215.

`holds` is the rule itself, in plain Python. `verify` asks a library first, if there is one, because it is a hundred
times faster. That is sound in one direction only: the library compares the encoding of sB − kA with R, over the same
bytes, so what it accepts satisfies the equation of the rule without the factor 8, hence also with it. What it refuses
is judged here.
"""

import hashlib
from functools import lru_cache

try:
    from nacl.exceptions import BadSignatureError
    from nacl.signing import VerifyKey
except ImportError:    # the rule alone is enough, and slower
    VerifyKey = None

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)    # a square root of −1
NEUTRAL = (0, 1, 1, 0)    # extended coordinates X, Y, Z, T: x = X/Z, y = Y/Z, xy = T/Z


def add(a, b):
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * D * a[3] * b[3] % P
    h = 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def double(a):
    x, y, z = a[0] * a[0] % P, a[1] * a[1] % P, 2 * a[2] * a[2] % P
    h = x + y
    e = h - (a[0] + a[1]) * (a[0] + a[1])
    g = x - y
    f = z + g
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def negate(a):
    return (-a[0] % P, a[1], a[2], -a[3] % P)


def multiply(number, point):
    result = NEUTRAL
    for bit in bin(number)[2:]:
        result = double(result)
        if bit == "1":
            result = add(result, point)
    return result


def times_8(point):
    return double(double(double(point)))


def is_neutral(point):
    return point[0] % P == 0 and (point[1] - point[2]) % P == 0


@lru_cache(maxsize=4096)
def decompress(data):
    """The point, or None. As in RFC 8032 section 5.1.3, but y may be p or more, and −0 is 0."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, (number & (2**255 - 1)) % P
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if (v * x * x + u) % P == 0:
        x = x * ROOT % P
    if (v * x * x - u) % P != 0:
        return None
    if x % 2 != sign:
        x = -x % P
    return (x, y, 1, x * y % P)


def compress(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def holds(key, message, signature):
    """The rule."""
    s = int.from_bytes(signature[32:], "little")
    a, r = decompress(key), decompress(signature[:32])
    if s >= L or a is None or r is None:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    difference = add(add(multiply(s, BASE), negate(multiply(k, a))), negate(r))
    return is_neutral(times_8(difference))


@lru_cache(maxsize=65536)
def verify(key, message, signature):
    if VerifyKey is not None:
        try:
            VerifyKey(key).verify(message, signature)
            return True
        except BadSignatureError:
            pass
    return holds(key, message, signature)


@lru_cache(maxsize=4096)
def may_be_registered(key):
    """The encoding is canonical, and the point has prime order."""
    point = decompress(key)
    if point is None or compress(point) != key:
        return False
    return not is_neutral(times_8(point)) and is_neutral(multiply(L, point))
