"""Certificates of exhaustive claims: JSON that says what was held against the reference, shard by shard.

The same claims give the same bytes wherever and however they are proved, but for the versions that stand in them.
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...cases.operation import Operation
from ...check.proof.merkle import leaf, root
from ...check.proof.proof import Claim, Shard
from ...engines.task import compact
from ...version import __version__

SCHEMA, FORMER = "fp8ref/proof/3", "fp8ref/proof/2"  # the former one has no root
LARGEST = 1 << 24  # bytes of a file
METHOD = {
    "convert": "the reference at both ends of every run of inputs with one answer, the runs found by bisection on the "
    "reference; monotonicity is a lemma (tests/fast/test_monotone.py); every input asked",
    "": "the reference for every input; every input asked",
}
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Proof:
    """A claim and the digests of the answers to each of its shards."""

    claim: Claim
    shards: tuple[Shard, ...]

    def as_json(self) -> dict[str, Any]:
        """The proof as it stands in a certificate."""
        return {
            "claim": self.claim.op.id,
            "nan": self.claim.nan,
            "method": METHOD["convert" if self.claim.inputs > 1 << 16 else ""],
            "cases": self.claim.inputs,
            "mismatches": 0,
            "shards": [[shard.first, shard.count, shard.digest] for shard in self.shards],
        }


@dataclass(frozen=True)
class Certificate:
    """What was proved of one implementation; of fp8ref itself where ``impl`` is empty."""

    impl: str
    identity: dict[str, str]
    versions: dict[str, str]
    proofs: tuple[Proof, ...]

    @property
    def leaves(self) -> list[bytes]:
        """The hashes of what it states: first who answered, then each shard of each claim."""
        who = compact({"impl": self.impl, "implementation": self.identity, "versions": self.versions})
        return [leaf(who.encode()), *(leaf(statement(claim, shard)) for claim, shard in self.shards)]

    @property
    def root(self) -> str:
        """The one hash by which all of it can be cited."""
        return root(self.leaves).hex()

    @property
    def cases(self) -> int:
        return sum(proof.claim.inputs for proof in self.proofs)

    @property
    def shards(self) -> list[tuple[Claim, Shard]]:
        """Every shard of every proof."""
        return [(proof.claim, shard) for proof in self.proofs for shard in proof.shards]

    def text(self) -> str:
        """The bytes of the file: a shard a line."""
        head = {"schema": SCHEMA, "root": self.root, "impl": self.impl, "implementation": self.identity,
                "versions": self.versions}  # fmt: skip
        proofs = []
        for proof in self.proofs:
            fields = proof.as_json()
            rows = ",\n".join("   " + json.dumps(row) for row in fields.pop("shards"))
            proofs.append(json.dumps(fields)[:-1] + f', "shards": [\n{rows}\n  ]}}')
        return json.dumps(head, indent=1)[:-2] + ',\n "proofs": [\n  ' + ",\n  ".join(proofs) + "\n ]\n}\n"


def statement(claim: Claim, shard: Shard) -> bytes:
    """What a certificate says of one shard, as it is hashed."""
    return compact([claim.op.id, claim.nan, shard.first, shard.count, shard.digest]).encode()


def certify(claims: Sequence[Claim], identity: Mapping[str, str], found: Sequence[tuple[Claim, Shard]]) -> Certificate:
    """The certificate of claims of one implementation that were proved on all of their shards."""
    versions = {"fp8ref": __version__, "numpy": np.__version__, "python": platform.python_version()}
    own: dict[Claim, list[Shard]] = {claim: [] for claim in claims}
    for claim, shard in found:
        own[claim].append(shard)
    proofs = (Proof(claim, tuple(sorted(shards, key=lambda shard: shard.first))) for claim, shards in own.items())
    return Certificate(claims[0].impl, dict(identity), versions, tuple(proofs))


def read(path: Path) -> Certificate:
    """The certificate in a file.  Raises ValueError that says what is wrong with it, OSError where it is not there."""
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path}: {path.stat().st_size} bytes; a certificate has at most {LARGEST}")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON: {error}") from None
    if not isinstance(data, dict):
        raise ValueError(f"{path}: not a certificate: a JSON object, not {data!r:.40}")
    try:
        return _checked(data)
    except (KeyError, TypeError, ValueError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path}: not a certificate: {what}") from None


def _checked(data: dict[str, Any]) -> Certificate:
    if data["schema"] not in (SCHEMA, FORMER):
        raise ValueError(f"schema {data['schema']!r:.40}, this version reads {SCHEMA}")
    if not isinstance(data["impl"], str):
        raise ValueError(f"impl is a text, not {data['impl']!r:.40}")
    for name in ("implementation", "versions"):
        if not isinstance(data[name], dict) or not all(isinstance(value, str) for value in data[name].values()):
            raise ValueError(f"{name} is an object of texts, not {data[name]!r:.40}")
    if not isinstance(data["proofs"], list) or not data["proofs"]:
        raise ValueError(f"proofs is a list of at least one, not {data['proofs']!r:.40}")
    proofs = tuple(_proof(one, data["impl"]) for one in data["proofs"])
    claims = [proof.claim.op.id for proof in proofs]
    if len(set(claims)) != len(claims):  # repeated, the sound ones would hide the others from a sample
        raise ValueError(f"{next(c for i, c in enumerate(claims) if c in claims[:i])} is certified twice")
    found = Certificate(data["impl"], dict(data["implementation"]), dict(data["versions"]), proofs)
    if data["schema"] == SCHEMA and data["root"] != found.root:
        raise ValueError(f"root is {data['root']!r:.80}, and the hash of what it states is {found.root}")
    return found


def _proof(data: dict[str, Any], impl: str) -> Proof:
    if not isinstance(data["claim"], str):
        raise ValueError(f"claim is a text, not {data['claim']!r:.40}")
    claim = Claim(Operation.parse(data["claim"]), impl)
    shards = tuple(Shard(first, count, digest) for first, count, digest in data["shards"])
    if [(s.first, s.count) for s in shards] != claim.shards:
        raise ValueError(f"its shards are not the {len(claim.shards)} of {claim.op.id}, which cover every input once")
    for shard in shards:
        if not isinstance(shard.digest, str) or not _SHA256.fullmatch(shard.digest):
            raise ValueError(f"shard {shard.first}: {str(shard.digest)[:70]!r} is no SHA-256")
    if data["mismatches"] != 0 or data["cases"] != claim.inputs:
        raise ValueError(
            f"{data['mismatches']!r:.40} mismatches of {data['cases']!r:.40} cases; it certifies 0 of {claim.inputs}"
        )
    return Proof(claim, shards)


def fresh_seed() -> int:
    """A seed that nobody knew when the certificate was written."""
    return int.from_bytes(os.urandom(8))


def confidence(shards: int, repeated: int) -> str:
    """What a sample shows, in one sentence: how probably it would have missed forged shards."""
    if repeated == shards:
        return "every shard was repeated: none is forged"

    def missed(bad: int) -> str:
        chance = math.comb(shards - bad, repeated) / math.comb(shards, repeated)
        return f"{chance:.2%}" if chance > 1e-4 else f"{chance:.0e}"

    shares = {max(1, round(share * shards)): share for share in (0.5, 0.1, 0.01)}
    said = [f"{bad} of {shards} with probability {missed(bad)}" for bad in sorted(shares)]
    return f"a sample of {repeated} misses forged shards, if they are {', '.join(said)}"


def sample(certificate: Certificate, part: float, seed: int) -> list[tuple[Claim, Shard]]:
    """A part of the shards, at least one, drawn by a seed.  Only one that the sender could not know shows anything."""
    every = certificate.shards
    count = max(1, round(part * len(every)))
    chosen = np.random.default_rng(seed).permutation(len(every))[:count]
    return [every[i] for i in sorted(chosen)]
