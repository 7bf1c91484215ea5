"""The accumulator and the state tree: sections 8 and 9 of runtime/SPECIFICATION.md."""

from codec import ZEROS, b3

# The accumulator


def node(left, right):
    return b3(b"\x11" + left + right)


def is_included(item, count, root, proof):
    """The item stands at the proof's index in the list with this count and root."""
    if proof.index >= count:
        return False
    own, last, at = proof.index, count - 1, b3(b"\x10" + item)
    for sibling in proof.siblings:
        if last == 0:
            return False
        if own % 2 == 1 or own == last:
            at = node(sibling, at)
            while own % 2 == 0 and own > 0:
                own, last = own // 2, last // 2
        else:
            at = node(at, sibling)
        own, last = own // 2, last // 2
    return last == 0 and b3(b"\x12" + count.to_bytes(8, "little") + at) == root


# The state tree


class ProofInvalid(Exception):
    """The proof does not show what was asked."""


def require(condition):
    if not condition:
        raise ProofInvalid


def bit(key, position):
    byte, place = divmod(position, 9)
    if byte >= len(key):
        return 0
    return 1 if place == 0 else key[byte] >> (8 - place) & 1


def first_difference(one, other):
    """The first virtual bit in which two different keys differ."""
    for index, (a, b) in enumerate(zip(one, other)):
        if a != b:
            return 9 * index + 1 + 8 - (a ^ b).bit_length()
    return 9 * min(len(one), len(other))    # one of them ends there


def answers(key, query, bits):
    """The first `bits` virtual bits of the two keys are the same."""
    return key == query or first_difference(key, query) >= bits


def leaf_of(key, value_hash):
    return b3(b"\x00" + bytes([len(key)]) + key + value_hash)


def branch(position, left, right):
    return b3(b"\x01" + position.to_bytes(2, "little") + left + right)


def root_of(count, top):
    return b3(b"\x02" + count.to_bytes(8, "little") + top)


def top_of(leaves):
    """T of sorted (key, hash of the value).

    The root branches where neighbours differ first, and so on down. So one pass is enough: a finished subtree waits on
    the stack, with the position at which the next leaf parts from it, until a leaf parts further up.
    """
    if not leaves:
        return ZEROS
    waiting = []
    for index, (key, value_hash) in enumerate(leaves):
        at = leaf_of(key, value_hash)
        parting = first_difference(key, leaves[index + 1][0]) if index + 1 < len(leaves) else -1
        while waiting and waiting[-1][0] > parting:
            position, left = waiting.pop()
            at = branch(position, left, at)
        waiting.append((parting, at))
    return waiting[0][1]


def entries(root, query, bits, proof):
    """All (key, value) of the state with this root whose first `bits` virtual bits are those of `query`.

    Raises ProofInvalid if the proof does not show them.
    """
    positions = [step.position for step in proof.steps]
    require(all(a < b for a, b in zip(positions, positions[1:])))

    if not proof.leaves:
        require(proof.count == 0 and not proof.steps and root_of(0, ZEROS) == root)
        return []

    keys = [leaf.key for leaf in proof.leaves]
    first = keys[0]
    if answers(first, query, bits):
        require(all(a < b for a, b in zip(keys, keys[1:])))
        require(all(answers(key, query, bits) for key in keys))
        require(all(form == "full" for _, (form, _) in proof.leaves))
        require(all(position < bits for position in positions))
        answer = [(key, value) for key, (_, value) in proof.leaves]
        at = top_of([(key, b3(value)) for key, value in answer])
    else:
        [(_, (form, value_hash)), *more] = proof.leaves
        require(form == "hash" and not more)
        for position in positions:
            require(position <= 9 * len(first))
            require(bit(first, position) == (bit(query, position) if position < bits else 0))
        answer = []
        at = leaf_of(first, value_hash)

    for position, sibling in reversed(proof.steps):
        at = branch(position, sibling, at) if bit(first, position) else branch(position, at, sibling)
    require(root_of(proof.count, at) == root)
    return answer


def entries_of_key(root, key, proof):
    return entries(root, key, 9 * len(key) + 1, proof)


def entries_of_prefix(root, prefix, proof):
    return entries(root, prefix, 9 * len(prefix), proof)
