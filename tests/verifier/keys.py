"""Public keys and signatures of either algorithm: section 3 of runtime/SPECIFICATION.md."""

import ed25519
import p256

ALGORITHMS = {"ed25519": ed25519, "p256": p256}


def verify(key, message, signature):
    """Whether a `PublicKey` made this `SignatureBytes`."""
    (algorithm, key), (signed_with, signature) = key, signature
    return algorithm == signed_with and ALGORITHMS[algorithm].verify(key, message, signature)


def may_be_registered(key):
    algorithm, key = key
    return ALGORITHMS[algorithm].may_be_registered(key)
