"""Valid inputs to begin with: small files of every form and names of every kind, made by the writers."""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from functools import cache, lru_cache
from importlib.resources import files

import numpy as np

from fp8ref.adapters.captures import files as captured
from fp8ref.adapters.captures.files import Capture
from fp8ref.cases.answers import expect
from fp8ref.cases.declared.documents import KINDS
from fp8ref.cases.families import FAMILIES
from fp8ref.cases.operation import Operation, carrier_dtype
from fp8ref.cases.products.questions import operand_types, shapes
from fp8ref.check import shards
from fp8ref.check.diagnosis.diagnose import Diagnosis
from fp8ref.check.proof.proof import Claim, Shard
from fp8ref.check.verdict import Finding, Report, Verdict
from fp8ref.report.runs.certificate import Certificate, Proof
from fp8ref.report.runs.record import finding_json, footer
from fp8ref.spec.matrix.models import models
from fp8ref.vectors import manifest as directory
from fp8ref.vectors.forms import jsonl
from fp8ref.vectors.forms.registry import FORMS, Sections
from fp8ref.vectors.generate import Recipe, generate

from .guard import folder

IDS = [
    "convert/f32/e4m3fn/rne.sat",
    "convert/f64/e5m2/rtz.nonsat;nan=payload;tininess=before",
    "decode/e5m2/f16",
    "convert/i8/e2m1fn/rna.max-max",
    "add/e4m3fn.e5m2/bf16/rne.nonsat;flags=1",
    "fma/e5m2.e5m2.f16/f16/rto.sat;subnormal=both",
    "sqrt/e3m4/e3m4/rtp.satprop",
    "int/e4m3fn/i8/rtz.riscv;exact=0",
    "lt/e5m2.e5m2/bool;signalling=1",
    "isnan/e4m3b2fnuz/bool",
    "neg/binary8p3se/binary8p3se",
    "classify/e5m2/class",
    "scaleb/e5m2.i32/e5m2/rne.sat",
    "dot/e4m3fn.e5m2/f32/exact;k=4",
    "dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32@min_exponent=-133+promote128.fadd;k=32",
    "dot/e5m2.e5m2/f32/within.f32;k=2",
    "dot/e4m3fn.e4m3fn/f32/exact.rtz.nonsat;block=2;k=4;scale=e8m0fnu",
    "matmul/e4m3fn.e4m3fn/f32/f32.pairwise;k=3",
    "scale/f32/mxfp8_e4m3/floor;k=4",
    "scale/f32.f32/nvfp4/te;k=4",
    "f32_to_e4m3fn",
    "e5m2_mulAdd",
    "e4m3fn_lt_quiet",
    "remainder/e4m3fn.e4m3fn/e4m3fn/rne.sat",
    "convert/f32/e5m2/sr-a.sat",
]

COMMANDS = """
show e4m3fn
show e4m3fn 0x7E
show e5m2 --from f32:3F8CCCCD --rounding rtz --overflow nonsat --json
show f64 d:12
show e8m0fnu --from -5/16
show mxint8 --from 0x1.8p-3
explain convert/f32/e4m3fn/rne.sat#43E80001 --json
explain convert/f16/e5m2/*#7BFF
explain add/e4m3fn.e4m3fn/e4m3fn/rne.sat#38.01
explain lt/e5m2.e5m2/bool#1.2
explain scale/f32/mxfp4/floor#40400000.C0D00000
explain decode/e5m2/f32#7E
explain int/e4m3fn/i8/rtz.riscv#7E
explain dot/e4m3fn.e4m3fn/f32/exact;k=1#38.38
explain sqrt/e5m2/e5m2/rne.sat#3C
list formats
list models --json
explain scaleb/e5m2.i32/e5m2/rne.sat#3C.7F
report run.jsonl --as junit
vectors list x.jsonl
vectors verify x.jsonl --op f32_to_e4m3fn --nan bits
vectors list
vectors generate f32_to_e4m3fn --as testfloat --seed 7 --rounding rtz
vectors generate scale/f32/mxfp4/floor --select bins
vectors generate e5m2_add --profile riscv --tininess before
vectors verify x.jsonl --as npz
--version
vectors --help
""".strip().splitlines()


def _texts(*found: str) -> list[bytes]:
    return [text.encode() for text in dict.fromkeys(found)]


def formats() -> list[bytes]:
    return _texts(
        "e4m3fn",
        "e3m4b2fnuz",
        "e8m0fnu",
        "binary8p3se",
        "torch.float8_e5m2",
        "e0m7fn",
        "mxint8",
        "E5M10",
        "ue4m3",
        "fp64",
    )


def operations() -> list[bytes]:
    return _texts(*IDS, *(f.example for f in FAMILIES.values() if f.example))


def accumulators() -> list[bytes]:
    more = (
        "f32.fma@order=stride4",
        "f32.fma@order=down",
        "hopper.mma.bf16.f32@min_exponent=-133",
        "f16.pairwise+splitk4",
    )
    return _texts(
        "hopper.wgmma.fp8.f32+promote128.ffma", "ada.mma.fp8.f16@nan=7FFF", *more, *(m.name for m in models())
    )


def modes() -> list[bytes]:
    said = (
        "rounding rne",
        "rounding roundTiesToEven",
        "overflow sat",
        "overflow ieee-inf",
        "profile ocp-sat",
        "scheme mxfp4",
    )
    return _texts(
        *said, "form jsonl", "part 12.5%", "e4m3fn rtz nonsat keep-sign before", "e5m2 sr-a inf-nan payload delivered"
    )


def numbers() -> list[bytes]:
    return _texts(
        "1.5",
        "-0",
        "3e-4",
        "0x1.8p3",
        "0x.8",
        "inf",
        "-snan",
        "nan(0x12)",
        "448",
        "1e-4950",
        "5e5000",
        ".5e+2",
        "0x1p-1074",
    )


def inputs() -> list[bytes]:
    cases = (
        "convert/f32/e4m3fn/rne.sat#43E80001",
        "add/e4m3fn.e4m3fn/e4m3fn/rne.sat#38.01",
        "scale/f32/mxfp4/floor#40400000.C0D00000",
    )
    given = (
        "code 0x7E",
        "code 7E",
        "code 0b0111_1110",
        "code d:126",
        "hex 3F8CCCCD",
        "typed f32:3F8CCCCD",
        "typed i8:FD",
    )
    return _texts(
        *given,
        *(f"case {case}" for case in cases),
        "value 0.3",
        "value 5/16",
        "value 0x1.8p-3",
        "value -inf",
        "value 1_0e-5",
    )


def command_line() -> list[bytes]:
    return _texts(*(line.replace(" ", "\n") for line in COMMANDS))


def specs() -> list[bytes]:
    names = (
        "torch,device=cuda",
        "py:my_module:MyKernel",
        "mini:truncates",
        "mini:dot-half-steps",
        "replay:x.capture.jsonl",
        "exec:./p a\\,b",
    )
    ops = (
        "op f32_to_e4m3fn+decode/e[45]m[23]*/f32",
        "op convert/f*/e5m2/*",
        "op dot/e4m3fn.e4m3fn/f32/f32.fma+splitk2;k=8",
    )
    return _texts(*names, *ops, "cabi:./lib.so,symbol=f,op=f32_to_e4m3fn", "ml_dtypes", "replay:a\\:b,c=d")


# -- vectors -----------------------------------------------------------------------------------------------------------
def sections(bins: bool, n: int = 3) -> list[Recipe]:
    names = (
        "e4m3fn_add",
        "f32_to_e5m2",
        "dot/e4m3fn.e4m3fn/f32/exact;k=2",
        "scale/f32/mxfp4/floor;k=2",
        "decode/e5m2/f32",
    )
    return [Recipe.of(name, n=n) for name in names]


def _made(recipes: list[Recipe], bins: bool) -> Sections:
    return [(recipe.section(bins), generate(recipe, bins)) for recipe in recipes]


@cache
def _files(form: str) -> tuple[bytes, ...]:
    found = []
    for recipe in sections(True):
        if FORMS[form].stream:
            out = io.BytesIO()
            FORMS[form].writer(_made([recipe], form == "jsonl"), out)
            found.append(out.getvalue())
        else:
            (path, *_) = FORMS[form].exporter(_made([recipe], False), folder() / f"seed{FORMS[form].suffix}", True)
            found.append(path.read_bytes())
    return tuple(found)


def vectors(form: str) -> Callable[[], list[bytes]]:
    def made() -> list[bytes]:
        found = list(_files(form))
        if form == "jsonl":
            out = io.BytesIO()
            jsonl.stream(_made(sections(True)[:2], True), out)
            found.append(out.getvalue())
        if form == "testfloat":
            found.append(
                b"@ f32_to_e4m3fn rm=rnear_even tininess=after ovf=ieee inf=nan nan=any flags=NX,OF\n43E80001 7E 01\n"
            )
        return found

    return made


def packed() -> list[bytes]:
    return [gzip.compress(file, 9, mtime=0) for file in _files("jsonl")]


def memh() -> list[bytes]:
    found = []
    for recipe in sections(False):
        words, sidecar, *_ = FORMS["memh"].exporter(_made([recipe], False), folder() / "x.memh", True)
        found.append(json.dumps(json.loads(sidecar.read_bytes())).encode() + b"\n" + words.read_bytes())
    return found


@lru_cache(maxsize=1)
def shipped() -> bytes:
    """The file of the directory beside the manifests."""
    out = io.BytesIO()
    FORMS["jsonl"].writer(_made([Recipe.of("e4m3fn_add", n=5)], True), out)
    return out.getvalue()


def manifest() -> list[bytes]:
    place = folder() / "made"
    place.mkdir(exist_ok=True)
    directory.build(place, [directory.Planned("add.jsonl", "jsonl", (Recipe.of("e4m3fn_add", n=5),))])
    whole = json.loads((place / directory.NAME).read_bytes())
    whole["recipes"] = [{"operation": "e4m3fn_add", "command": "fp8ref vectors generate e4m3fn_add"}]
    whole["files"] = [entry for entry in whole["files"] if entry["form"] != "document"]
    return [json.dumps(whole, indent=1).encode() + b"\n"]


# -- captures, records, proofs, known failures -------------------------------------------------------------------------
def capture(id_: str, n: int = 3) -> bytes:
    op = Operation.parse(id_)
    *given, _ = shapes(op, n)
    operands = [
        np.arange(int(np.prod(s))).reshape(s).astype(carrier_dtype(t)) for s, t in zip(given, operand_types(op))
    ]
    path = folder() / "seed.capture.jsonl"
    captured.write(
        path, Capture(op, tuple(operands), expect(op, operands).codes, {"device": "a device", "origin": "here"})
    )
    return path.read_bytes()


def captures() -> list[bytes]:
    ids = (
        "convert/f32/e4m3fn/rne.sat",
        "dot/e4m3fn.e4m3fn/f32/exact;k=2",
        "scale/f32/mxfp4/floor;k=2",
        "decode/e5m2/f32",
    )
    plain = [capture(id_) for id_ in ids]
    header, _, rest = plain[0].partition(b"\n")
    unsealed = json.dumps({k: v for k, v in json.loads(header).items() if k != "sha256"}).encode() + b"\n" + rest
    return [*plain, unsealed, gzip.compress(plain[1], 9, mtime=0)]


def report() -> Report:
    """A verdict with one finding."""
    op = "convert/f32/e4m3fn/rne.sat"
    diagnosis = Diagnosis.from_text("rtz", "near-tie", "rounds toward zero, but only near-tie")
    finding = Finding(op, (0x43E80001,), 0x7E, 0x7F, 3, 100, ("near-tie",), diagnosis)
    return Report(op, op, Verdict.FAIL, 100, 3, {"nan-sign": 2}, ("ocp-sat",), "its documentation", "", [finding])


def records() -> list[bytes]:
    header = {
        "kind": "run", "schema": "fp8ref/run/1", "fp8ref": "0.1.0", "impl": "a", "level": 1, "seed": 0,
        "implementation": {"name": "a", "version": "1", "device": "cpu"}, "nan": "class", "flag": "", "expected": 1,
        "operations": [
            "convert/f32/e4m3fn/rne.sat", "decode/e5m2/f32", "add/e5m2.e5m2/e5m2/*", "dot/e4m3fn.e4m3fn/f32/exact;k=2",
        ],
    }  # fmt: skip
    failed = report()
    unexplained = Diagnosis.from_text("unexplained", "", "unexplained: no single wrong rule predicts every answer; all")
    dots = "dot/e4m3fn.e4m3fn/f32/exact;k=2"
    others = [
        Report("decode/e5m2/f32", "decode/e5m2/f32", Verdict.PASS, 256),
        Report("add/e5m2.e5m2/e5m2/*", "add/e5m2.e5m2/e5m2/rne.sat", Verdict.CRASH, reason="it raised"),
        Report(dots, dots, Verdict.FAIL, 9, 1, findings=[Finding(dots, (1, 2, 3, 4, 0), 0, 1, 1, 9, (), unexplained)]),
    ]
    end = {**footer([failed, *others], True), "stale": ["x: y"]}
    lines: list[object] = [header]
    for one in (failed, *others):
        lines += [one.as_json(), *map(finding_json, one.findings)]
    whole = b"".join(json.dumps(line, sort_keys=True, separators=(",", ":")).encode() + b"\n" for line in [*lines, end])
    torn = whole[: whole.rindex(b'{"allowed"')]
    return [whole, torn, gzip.compress(whole, 9, mtime=0)]


def journals() -> list[bytes]:
    """Of a check and of a proof, each with a result."""
    asked = {
        "connectable": "mini:x", "select": [IDS[0]], "skip": [], "timeout": 60.0, "fail_fast": False, "strict": False,
        "options": {"level": 1, "seed": 0, "nan": "class", "flag": ""}, "expect": None, "fail_on": "",
    }  # fmt: skip
    check = {"kind": "check", "asked": asked, "header": json.loads(records()[0].splitlines()[0])}
    proof = {"kind": "prove", "claims": [IDS[0]], "impl": "", "identity": {"name": "x"}}
    judged = shards.report_json(report())
    proved = {"first": 0, "count": 256, "digest": "0" * 64, "wrong": 0, "counterexample": None}
    return [_journal(head, result) for head, result in ((check, judged), (proof, proved))]


def _journal(head: dict[str, object], result: dict[str, object]) -> bytes:
    lines = [{"schema": "fp8ref/journal/1", **head}, {"address": "0" * 64, "result": result}]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def recipe_files() -> list[bytes]:
    said = {"name": "ours", "base": "vllm-group", "floor": "s:1e-12"}
    return ["".join(f'{key} = "{value}"\n' for key, value in said.items()).encode(), json.dumps(said).encode()]


def declarations() -> list[bytes]:
    """The starter's files: all of them, and each alone."""
    home = files("fp8ref.starters") / "declaration"
    parts = [f"%%% {kind}\n".encode() + (home / f"{kind}.yaml").read_bytes() for kind in KINDS]
    return [b"".join(parts), *parts]


def texts() -> list[bytes]:
    from hostile.texts import ATTACKS

    return [attack.encode("utf-8", "surrogatepass") for attack in ["plain", *ATTACKS]]


def certificates() -> list[bytes]:
    proofs = []
    for id_ in ("add/e4m3fn.e4m3fn/e4m3fn/rne.sat", "decode/e5m2/f32"):
        claim = Claim(Operation.parse(id_), "torch")
        proofs.append(Proof(claim, tuple(Shard(first, count, "0" * 64) for first, count in claim.shards)))
    one = Certificate("torch", {"name": "a"}, {"numpy": "2"}, tuple(proofs[:1]))
    return [one.text().encode(), replace(one, proofs=tuple(proofs)).text().encode()]


def expected() -> list[bytes]:
    toml = r"""schema = "fp8ref/expected/1"
implementation = "a 1"

[[expected]]
operation = "convert/f32/e4m3fn/rne.sat"
finding = "rtz near-tie"
reason = "its documentation \u00e4"
link = "https://x"
count = 3
case = "43E80001"
got = "7F"

[[expected]]
operation = "add/*"
finding = "crash"
reason = "it raises"
"""
    rows = [
        {"operation": "convert/*", "finding": "rt? *", "reason": "so"},
        {"operation": "e5m2_add", "finding": "x", "reason": "y"},
    ]
    return [toml.encode(), json.dumps({"schema": "fp8ref/expected/1", "expected": rows[:1]}, indent=1).encode()]


def weights() -> list[bytes]:
    header = json.dumps(
        {"__metadata__": {"a": "b"}, "w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}
    ).encode()
    return [struct.pack("<Q", len(header)) + header + np.arange(4, dtype="<f4").tobytes()]


def checkpoints() -> list[bytes]:
    """Small checkpoints: FP8 with row scales, NVFP4 with two, MXFP4 in GGUF."""

    def safetensors(**tensors: tuple[str, list[int], bytes]) -> bytes:
        table, at = {}, 0
        for name, (dtype, shape, raw) in tensors.items():
            table[name.replace("__", ".")] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(raw)]}
            at += len(raw)
        header = json.dumps(table).encode()
        return struct.pack("<Q", len(header)) + header + b"".join(raw for _, _, raw in tensors.values())

    codes = bytes(range(0x30, 0x50))
    name = b"blk.0.ffn_up.weight"
    head = struct.pack("<4sIQQQ", b"GGUF", 3, 1, 0, len(name)) + name + struct.pack("<IQQIQ", 2, 32, 2, 39, 0)
    return [
        safetensors(
            a__weight=("F8_E4M3", [2, 16], codes), a__weight_scale=("F32", [2, 1], struct.pack("<2f", 0.01, 2))
        ),
        safetensors(
            a__weight_packed=("U8", [2, 16], codes),
            a__weight_scale=("F8_E4M3", [2, 2], codes[:4]),
            a__weight_global_scale=("F32", [1], struct.pack("<f", 3000)),
        ),
        head + bytes(-len(head) % 32) + (b"\x7a" + codes[:16]) * 2 + bytes(30),
    ]
