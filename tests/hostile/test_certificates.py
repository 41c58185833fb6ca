"""A certificate is worth something: an unforeseeable sample, the same implementation, one hash to cite it by."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner

from fp8ref.check.proof import merkle
from fp8ref.cli.prove import prove_
from fp8ref.report.runs import certificate
from fp8ref.report.runs.certificate import Certificate

CLAIMS = "convert/e2m1fn/e4m3fn/r*.*"  # many, of 16 inputs and one shard each
SAMPLE = ["--sample", "20%", "--jobs", "1"]


def run(*args: object) -> tuple[int, str]:
    found = CliRunner().invoke(prove_, [str(a) for a in args])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, found.output


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    path = tmp_path_factory.mktemp("proof") / "c.json"
    assert run(CLAIMS, "-o", path, "--jobs", "1")[0] == 0
    return certificate.read(path)


def forged(found: Certificate, but: set[tuple[str, int]]) -> Certificate:
    """Every digest another, but for some shards."""
    proofs = []
    for proof in found.proofs:
        shards = tuple(
            shard if (proof.claim.op.id, shard.first) in but else replace(shard, digest="f" * 64)
            for shard in proof.shards
        )
        proofs.append(replace(proof, shards=shards))
    return replace(found, proofs=tuple(proofs))


def test_a_certificate_forged_around_a_known_seed_is_seen(honest: Certificate, tmp_path: Path) -> None:
    """Whoever knows the seed forges all that it does not draw.  The seed that is drawn here is in nobody's file."""
    known = {(claim.op.id, shard.first) for claim, shard in certificate.sample(honest, 0.2, 0)}
    assert len(known) < len(honest.shards) / 4
    (path := tmp_path / "c.json").write_text(forged(honest, known).text())
    assert run("--verify", path, *SAMPLE, "--seed", "0")[0] == 0
    code, said = run("--verify", path, *SAMPLE)
    assert (code, "not the certified one" in said) == (1, True)
    (seed,) = re.findall(r"--seed (\d+)", said)
    assert run("--verify", path, *SAMPLE, "--seed", seed) == (1, said)


def test_what_was_verified_is_said(honest: Certificate, tmp_path: Path) -> None:
    (path := tmp_path / "c.json").write_text(honest.text())
    seeds = set()
    for _ in range(2):
        code, said = run("--verify", path, *SAMPLE)
        assert code == 0
        seeds |= set(re.findall(r"drawn by --seed (\d+)", said))
        assert f"root {honest.root}: a sample of" in said
        assert "probability" in said
    assert len(seeds) == 2
    code, said = run("--verify", path, "--jobs", "1", "--root", honest.root)
    assert (code, "every shard was repeated" in said, "seed" in said) == (0, True, False)
    code, said = run("--verify", path, "--jobs", "1", "--root", "0" * 64)
    assert (code, "another certificate" in said) == (4, True)


@pytest.mark.parametrize(
    ("shards", "repeated", "bad"), [(6, 2, 3), (10, 3, 1), (10, 9, 5), (4, 1, 2)]
)  # fmt: skip
def test_the_probability_is_counted(shards: int, repeated: int, bad: int) -> None:
    """Over all samples there are: those that draw none of the first ``bad`` shards."""
    samples = list(itertools.combinations(range(shards), repeated))
    missed = Fraction(sum(min(one) >= bad for one in samples), len(samples))
    said = certificate.confidence(shards, repeated)
    (percent,) = re.findall(rf"\b{bad} of {shards} with probability (\S+?)%?(?:,|$)", said)
    assert abs(Fraction(percent) / (100 if "%" in said.partition(f"{bad} of {shards}")[2][:30] else 1) - missed) < 1e-4


def other_version(found: Certificate) -> Certificate:
    return replace(found, identity={**found.identity, "version": "9.9"})


def other_fp8ref(found: Certificate) -> Certificate:
    return replace(found, versions={**found.versions, "fp8ref": "9.9"})


def other_device(found: Certificate) -> Certificate:
    return replace(found, identity={**found.identity, "device": "H200\n\x1b[2J"})


@pytest.mark.parametrize("change", [other_version, other_fp8ref, other_device])
def test_another_implementation_verifies_nothing(
    change: Callable[[Certificate], Certificate], honest: Certificate, tmp_path: Path
) -> None:
    (path := tmp_path / "c.json").write_text(change(honest).text())
    code, said = run("--verify", path, *SAMPLE)
    assert code == 5
    assert "another implementation" in said
    assert "nothing was verified" in said
    assert said.count("\n") == 1
    assert "\x1b" not in said


def test_another_operation_is_another_certificate(honest: Certificate, tmp_path: Path) -> None:
    """Digests under the name of another operation: its answers are others, and so is the root."""
    data = json.loads(honest.text())
    claims = [proof["claim"] for proof in data["proofs"]]
    one, other = 0, 1
    for name, change, said in (
        ("swapped", lambda: data["proofs"][one].update(claim=claims[other]), "certified twice"),
        ("again", lambda: data["proofs"][one].update(claim="convert/e2m1fn/e5m2/rne.sat"), "root is"),
    ):
        change()
        (path := tmp_path / f"{name}.json").write_text(json.dumps(data))
        code, found = run("--verify", path)
        assert (code, said in found) == (4, True), found


def test_any_change_changes_the_root(honest: Certificate) -> None:
    data = json.loads(honest.text())
    assert re.fullmatch("[0-9a-f]{64}", data["root"])
    changed = [
        forged(honest, set()), other_version(honest), other_device(honest), replace(honest, impl="x"),
        replace(honest, proofs=honest.proofs[1:]), replace(honest, proofs=honest.proofs[::-1]),
    ]  # fmt: skip
    assert len({found.root for found in (honest, *changed)}) == 1 + len(changed)


def test_a_shard_is_shown_to_be_in_it_without_the_others(honest: Certificate) -> None:
    leaves, root = honest.leaves, bytes.fromhex(honest.root)
    for index in (0, 1, len(leaves) - 1):
        path = merkle.path(leaves, index)
        assert len(path) <= len(leaves).bit_length()
        assert merkle.root_by(leaves[index], index, len(leaves), path) == root
        assert merkle.root_by(merkle.leaf(b"another"), index, len(leaves), path) != root
    claim, shard = honest.shards[3]
    assert leaves[4] == merkle.leaf(certificate.statement(claim, shard))


# the published test tree of Certificate Transparency: the roots of its first n leaves
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def test_the_tree_is_that_of_rfc_9162() -> None:
    leaves = [merkle.leaf(bytes.fromhex(text)) for text in LEAVES]
    for n, root in ROOTS.items():
        assert merkle.root(leaves[:n]).hex() == root
    for n in range(1, 9):
        for i in range(n):
            path = merkle.path(leaves[:n], i)
            assert merkle.root_by(leaves[i], i, n, path) == merkle.root(leaves[:n])
            for wrong in (path[:-1], [*path, leaves[0]]):
                if wrong != path:
                    with pytest.raises(ValueError, match="another length"):
                        merkle.root_by(leaves[i], i, n, wrong)
