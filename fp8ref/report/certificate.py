"""Certificates of exhaustive claims: JSON that says what was held against the law, shard by shard.

The same claim gives the same bytes wherever and however it is proved, but for the versions that stand in it.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..cases.operation import Operation
from ..check.proof import Claim, Shard

SCHEMA = "fp8ref/proof/1"
LARGEST = 1 << 22  # bytes of a file
METHOD = {
    "convert": "the law at both ends of every run of inputs with one answer, the runs found by bisection on the law; "
    "monotonicity is a lemma (tests/fast/test_monotone.py); every input asked",
    "": "the law for every input; every input asked",
}
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Certificate:
    """A claim and the digests of the answers to each of its shards."""

    claim: Claim
    identity: dict[str, str]
    shards: tuple[Shard, ...]
    versions: dict[str, str]

    @property
    def cases(self) -> int:
        return sum(shard.count for shard in self.shards)

    def text(self) -> str:
        """The bytes of the file."""
        kind = "convert" if self.claim.inputs > 1 << 16 else ""
        lines = {
            "schema": SCHEMA, "claim": self.claim.op.id, "implementation": self.identity, "impl": self.claim.impl,
            "nan": self.claim.nan, "method": METHOD[kind], "versions": self.versions, "cases": self.cases,
            "mismatches": 0,
        }  # fmt: skip
        head = json.dumps(lines, indent=1)[:-2]
        rows = ",\n".join("  " + json.dumps([s.first, s.count, s.digest]) for s in self.shards)
        return f'{head},\n "shards": [\n{rows}\n ]\n}}\n'


def certify(claim: Claim, identity: dict[str, str], shards: Iterable[Shard]) -> Certificate:
    """The certificate of a claim that was proved on all of its shards."""
    versions = {"fp8ref": __version__, "numpy": np.__version__, "python": platform.python_version()}
    return Certificate(claim, identity, tuple(sorted(shards, key=lambda shard: shard.first)), versions)


def read(path: Path) -> Certificate:
    """The certificate in a file.  Raises ValueError that says what is wrong with it, OSError where it is not there."""
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path}: {path.stat().st_size} bytes; a certificate has at most {LARGEST}")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON: {error}") from None
    try:
        return _checked(data)
    except (KeyError, TypeError, ValueError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path}: not a certificate: {what}") from None


def _checked(data: dict[str, Any]) -> Certificate:
    if data["schema"] != SCHEMA:
        raise ValueError(f"schema {data['schema']!r}, this version reads {SCHEMA}")
    claim = Claim(Operation.parse(data["claim"]), str(data["impl"]))
    shards = tuple(Shard(first, count, digest) for first, count, digest in data["shards"])
    if [(s.first, s.count) for s in shards] != claim.shards:
        raise ValueError(f"its shards are not the {len(claim.shards)} of {claim.op.id}, which cover every input once")
    for shard in shards:
        if not isinstance(shard.digest, str) or not _SHA256.fullmatch(shard.digest):
            raise ValueError(f"shard {shard.first}: {str(shard.digest)[:70]!r} is no SHA-256")
    if data["mismatches"] != 0 or data["cases"] != claim.inputs:
        raise ValueError(f"{data['mismatches']} mismatches of {data['cases']} cases; it certifies 0 of {claim.inputs}")
    return Certificate(claim, dict(data["implementation"]), shards, dict(data["versions"]))


def sample(certificate: Certificate, part: float, seed: int) -> Sequence[Shard]:
    """A part of the shards, at least one, drawn by a seed."""
    count = max(1, round(part * len(certificate.shards)))
    chosen = np.random.default_rng(seed).permutation(len(certificate.shards))[:count]
    return [certificate.shards[i] for i in sorted(chosen)]
