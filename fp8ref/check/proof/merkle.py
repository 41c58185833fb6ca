"""One hash for many statements, so that each can be shown to be among them without the others.  [RFC 9162, 2.1]

The tree of RFC 9162 over SHA-256: a leaf is hashed behind a byte 0, a pair of nodes behind a byte 1, and a tree of n
leaves splits at the largest power of two below n.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf(said: bytes) -> bytes:
    """The hash of a statement."""
    return hashlib.sha256(b"\0" + said).digest()


def _pair(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _split(n: int) -> int:
    return 1 << (n - 1).bit_length() - 1


def root(leaves: Sequence[bytes]) -> bytes:
    """The hash of all statements, by the hashes of each in their order."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    at = _split(len(leaves))
    return _pair(root(leaves[:at]), root(leaves[at:]))


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """What shows that statement ``index`` is one of them: the hashes beside its way to the root, from the leaf on."""
    if len(leaves) < 2:
        return []
    at = _split(len(leaves))
    if index < at:
        return [*path(leaves[:at], index), root(leaves[at:])]
    return [*path(leaves[at:], index - at), root(leaves[:at])]


def root_by(one: bytes, index: int, n: int, beside: Sequence[bytes]) -> bytes:
    """The root that a path leads to from the hash of statement ``index`` of ``n``.

    Raises ValueError for a path of another length.
    """
    if n < 2:
        if beside or index != 0 or n != 1:
            raise ValueError("a path of another length")
        return one
    if not beside:
        raise ValueError("a path of another length")
    at, rest, last = _split(n), beside[:-1], beside[-1]
    if index < at:
        return _pair(root_by(one, index, at, rest), last)
    return _pair(last, root_by(one, index - at, n - at, rest))
