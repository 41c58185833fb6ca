"""Every JSON form against its schema, and the schemas against what they are to refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from vectors.plain_reader import text_of
from vectors.running import fp8ref

jsonschema = pytest.importorskip("jsonschema")
ROOT = Path(__file__).parents[2] / "vectors"
FILES = sorted(
    path for folder in ("convert", "decode", "arithmetic", "dot", "scale") for path in (ROOT / folder).iterdir()
)


def validator(name: str) -> Any:
    schema = json.loads((ROOT / "schema" / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", [p for p in FILES if ".jsonl" in p.name], ids=lambda p: p.name.partition(".")[0])
def test_headers_and_cases(path: Path) -> None:
    header, case = validator("vectors"), validator("case")
    for number, line in enumerate(text_of(path).splitlines()):
        found = json.loads(line)
        if "fp8ref" in found:
            header.validate(found)
        elif number % 23 == 1:
            case.validate(found)


def test_manifest_and_flags() -> None:
    validator("manifest").validate(json.loads((ROOT / "MANIFEST.json").read_text()))
    validator("flags").validate(json.loads((ROOT / "flags.json").read_text()))


def test_the_end_of_a_stream() -> None:
    validator("vectors").validate({"fp8ref": "end", "count": 3, "sha256": "0" * 64})


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        ("vectors", {"fp8ref": "end", "count": -1, "sha256": "0" * 64}),
        ("vectors", {"fp8ref": "vectors"}),
        ("case", {"a": "0", "z": "XY"}),
        ("case", {"a": "00"}),
        ("case", {"a": "00", "z": "00", "more": 1}),
        ("manifest", {"fp8ref": "manifest"}),
        ("flags", {}),
    ],
)
def test_what_is_none_is_refused(schema: str, wrong: dict[str, Any]) -> None:
    assert list(validator(schema).iter_errors(wrong))


@pytest.mark.parametrize(("key", "column"), [("amax", "amax"), ("flags", "x")])
def test_a_case_with_more_than_its_result(
    key: str, column: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    op = f"dot/e5m2.e5m2/f16/exact.rne.sat;{key}=1;k=2"
    code, _, said = fp8ref(capfdbinary, "vectors", "generate", op, "-n", 20, "-o", tmp_path / "v.jsonl")
    assert code == 0, said
    cases = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()]
    cases = [case for case in cases if "fp8ref" not in case]
    assert cases
    assert all(column in case for case in cases)
    for case in cases:
        validator("case").validate(case)
