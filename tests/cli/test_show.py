"""``show``, ``explain`` and ``list``: what is printed, and every refusal in one line with exit code 4."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence

import click
import pytest
from click.testing import CliRunner, Result
from short import of_each_kind, over

from fp8ref.cases.operation import FAMILIES, Operation
from fp8ref.cases.written import read_value
from fp8ref.cli.explain import explain
from fp8ref.cli.listing import EXAMPLES
from fp8ref.cli.show import COMMANDS
from fp8ref.spec import formats
from fp8ref.spec.matrix.models import models
from fp8ref.spec.profiles.catalog import PROFILES


@click.group()
def group() -> None:
    """The commands alone."""


for _command in (*COMMANDS, explain):
    group.add_command(_command)


def invoke(*args: str) -> Result:
    return CliRunner().invoke(group, args)


def printed(*args: str) -> str:
    result = invoke(*args)
    assert result.exit_code == 0, result.output
    return result.stdout


def lines(*args: str) -> list[str]:
    return printed(*args).splitlines()


def refused(*args: str) -> str:
    """The one line of a refusal."""
    result = invoke(*args)
    assert result.exit_code == 4, (result.exit_code, result.output)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    return line.removeprefix("Error: ")


# -- show -------------------------------------------------------------------------------------------------------------
@over("name", [f.name for f in formats()], [f.name for f in of_each_kind(formats())])
def test_every_format_is_shown(name: str) -> None:
    page = lines("show", name)
    assert page[0].startswith(f"{name}   ")
    assert max(map(len, page)) <= 100
    document = json.loads(printed("show", name, "--json"))
    assert document["format"] == name
    assert sum(document["codes"].values()) == 2 ** document["k"]
    assert len(document.get("values", [])) == (2 ** document["k"] if document["k"] <= 8 else 0)


@pytest.mark.parametrize("alias", ["float8_e4m3fn", "torch.float8_e4m3fn", "F8E4M3FN", "e4m3b7fn", "__nv_fp8_e4m3"])
def test_a_format_by_another_name(alias: str) -> None:
    assert lines("show", alias)[0].startswith("e4m3fn   8 bits")


def test_e4m3_as_json() -> None:
    """OCP OFP8 1.0 table 1."""
    document = json.loads(printed("show", "e4m3fn", "--json"))
    assert {name: document[name] for name in ("k", "p", "t", "w", "bias", "emin", "emax")} == {
        "k": 8, "p": 4, "t": 3, "w": 4, "bias": 7, "emin": -6, "emax": 8,
    }  # fmt: skip
    assert (document["max"], document["min_normal"], document["min_subnormal"]) == ("448", "1/64", "1/512")
    assert document["infinities"] == []
    assert document["nan"] == [["0x7F", "0x7F"], ["0xFF", "0xFF"]]
    assert document["zeros"] == ["0x00", "0x80"]
    assert document["codes"] == {"normal": 238, "subnormal": 14, "zero": 2, "NaN": 2}
    values = {entry["code"]: (entry["class"], entry["value"]) for entry in document["values"]}
    assert values["0x7E"] == ("normal", "448")
    assert values["0x87"] == ("subnormal", "-7/512")
    assert values["0x80"] == ("zero", "-0")
    assert values["0xFF"] == ("NaN", "NaN")


@pytest.mark.parametrize("code", ["0x7E", "7E", "7e", "0X7e", "0b01111110", "0b0111_1110", "d:126", " 7E "])
def test_notations_of_a_code(code: str) -> None:
    assert lines("show", "e4m3fn", code)[0] == "e4m3fn 0x7E  0 1111 110   +448 = +1.75 x 2^8"


def test_a_code_as_json() -> None:
    assert json.loads(printed("show", "e5m2", "FC", "--json")) == {
        "format": "e5m2", "code": "0xFC", "fields": "1 11111 00", "class": "infinity", "value": "-Inf",
    }  # fmt: skip


def test_hexadecimal_that_looks_binary() -> None:
    assert lines("show", "f16", "0x0B11")[0].startswith("f16 0x0B11 ")
    assert lines("show", "e4m3fn", "0B")[0].startswith("e4m3fn 0x0B ")
    assert lines("show", "e4m3fn", "--from", "f16:0B11")[0].startswith("  input   f16    0x0B11 ")
    assert lines("explain", "convert/f16/e4m3fn/rne.sat#0B11")[2].startswith("  input   f16    0x0B11 ")


def test_a_conversion() -> None:
    assert lines("show", "e4m3fn", "--from", "f32:3F8CCCCD") == [
        "  input   f32    0x3F8CCCCD  0 01111111 00011001100110011001101   ~+1.10000002 = +0x1.19999Ap+0",
        "  exact   1 [0x38] + ~0.8 ulp, next up 1.125 [0x39]",
        "  answer  e4m3fn 0x39        0 0111 001                           +1.125 = +1.125 x 2^0",
        "  raised  inexact (NX)",
        "  why     nearest: 1.125 [0x39]",
        "  spec    IEEE 754-2019 4.3.1 roundTiesToEven",
        "  meets   ocp-sat",
        "",
        "        0x38                                                        0x39",
        "          ├─────────────────────────────┴─────────────────●───────────┤",
        "          1                                                         1.125",
        "                                                     ~1.10000002",
    ]


# OCP OFP8 1.0 table 3, and ties
@pytest.mark.parametrize(
    ("format", "value", "options", "code", "flags"),
    [
        ("e4m3fn", "464", "", "0x7E", "NX"),
        ("e4m3fn", "464.0000000000000000000000001", "", "0x7E", "OF NX"),
        ("e4m3fn", "464.0000000000000000000000001", "--overflow nonsat", "0x7F", "OF NX"),
        ("e4m3fn", "-inf", "", "0xFE", "-"),
        ("e4m3fn", "inf", "--overflow nonsat", "0x7F", "-"),
        ("e5m2", "-61440", "--overflow nonsat", "0xFC", "OF NX"),
        ("e5m2", "61440", "--overflow nonsat --rounding rtz", "0x7B", "NX"),
        ("e5m2", "1e300", "--overflow nonsat --rounding roundTowardZero", "0x7B", "OF NX"),
        ("e4m3fn", "0.0009765625", "", "0x00", "UF NX"),
        ("e4m3fn", "0.0009765625", "--rounding rna", "0x01", "UF NX"),
        ("e4m3fn", "-0", "", "0x80", "-"),
        ("e4m3fn", "nan", "", "0x7F", "-"),
        ("e4m3fn", "0x1.8p+0", "", "0x3C", "-"),
        ("e4m3fn", "-3/2", "", "0xBC", "-"),
        ("e4m3fn", "i8:FD", "", "0xC4", "-"),
        ("e4m3fn", "u8:FD", "", "0x78", "NX"),
        ("e4m3fn", "e5m2:7B", "", "0x7E", "OF NX"),
        ("e5m2", "f32:7F800001", "", "0x7F", "NV"),
        ("e2m1fn", "5", "", "0x6", "NX"),
        ("mxint8", "-2", "", "0x80", "-"),
        ("e8m0fnu", "1.5", "", "0x80", "NX"),
        ("e8m0fnu", "0", "--overflow max-nan", "0x00", "UF NX"),
    ],
)
def test_answers(format: str, value: str, options: str, code: str, flags: str) -> None:
    answer = json.loads(printed("show", format, "--from", value, *options.split(), "--json"))["answer"]
    assert (answer["code"], answer["flags"]) == (code, flags)


def test_a_decimal_is_exact_not_a_float64() -> None:
    document = json.loads(printed("show", "e4m3fn", "--from", "0.3", "--json"))
    assert document["input"] == {"text": "0.3", "value": "3/10"}
    assert document["neighbours"] == {
        "inner": {"value": "9/32", "code": "0x29"},
        "outer": {"value": "5/16", "code": "0x2A"},
        "ulps_from_inner": "3/5",
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.3", "3/10"), ("-2e-5", "-1/50000"), (".5", "1/2"), ("5.", "5"), ("0x1.8p-3", "3/16"), ("-0x.8p0", "-1/2"),
     ("0X1P4", "16"), ("1_000", "1000"), ("-6/4", "-3/2"), ("+7", "7")],
)  # fmt: skip
def test_values(text: str, value: str) -> None:
    assert str(read_value(text, "--from").value) == value


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["show"], "Missing argument 'FORMAT'"),
        (["show", "e4m3fm"], "unknown format 'e4m3fm'; did you mean e4m3fn"),
        (["show", ""], "unknown format ''"),
        (["show", "e99m1"], "e99m1: eXmY needs X from 0 to 8"),
        (["show", "e4m3fn", "0x1FF"], "CODE 0x1FF is out of range: e4m3fn has 8 bits, codes 0x00 to 0xFF"),
        (["show", "e2m1fn", "10"], "CODE 10 is out of range: e2m1fn has 4 bits, codes 0x0 to 0xF"),
        (["show", "e4m3fn", "d:256"], "CODE d:256 is out of range"),
        (["show", "e4m3fn", "0x7G"], "CODE '0x7G': 'G' at position 4 is no hexadecimal digit; a code is 0x7E or 7E"),
        (["show", "e4m3fn", "zz"], "CODE 'zz': 'z' at position 1 is no hexadecimal digit"),
        (["show", "e4m3fn", "0b0111111"], "CODE '0b0111111' is binary and has 7 digits: write all 8 bits of e4m3fn"),
        (["show", "e4m3fn", "0b01111112"], "CODE '0b01111112': '2' at position 10 is no binary digit"),
        (["show", "e4m3fn", "d:"], "CODE 'd:' has no digits"),
        (["show", "e4m3fn", "0x"], "CODE '0x' has no digits"),
        (["show", "e4m3fn", ""], "CODE '' has no digits"),
        (["show", "e4m3fn", "F" * 200], "has 200 digits"),
        (["show", "e4m3fn", "nan"], "CODE 'nan' is a value, not a bit pattern"),
        (["show", "e4m3fn", "0.3"], "CODE '0.3' is a value, not a bit pattern"),
        (["show", "e4m3fn", "-1"], "-1... looks like a value: a code is a bit pattern without sign"),
        (["show", "e4m3fn", "--", "-1"], "CODE '-1' is a value, not a bit pattern"),
        (["show", "e4m3fn", "7E", "--from", "1"], "give a CODE (7E) or a value (--from 1), not both"),
        (["show", "e4m3fn", "7E", "7F"], "Got unexpected extra argument (7F)"),
        (["show", "e4m3fn", "--form", "1"], "No such option"),
        (["show", "e4m3fn", "--from"], "Option '--from' requires an argument"),
        (["show", "e4m3fn", "--rounding", "rtz"], "--rounding, --overflow and the like say how a value is converted"),
        (["show", "e4m3fn", "--from", "1", "--rounding", "up"], "unknown rounding 'up'; choose from rne, rna, rtz"),
        (["show", "e4m3fn", "--from", "1", "--rounding", "sr-a"], "sr-a answers by random bits"),
        (["show", "e4m3fn", "--from", "1", "--overflow", "wrap"], "unknown overflow rule 'wrap'; choose sat, satprop"),
        (["show", "e4m3fn", "--from", "1", "--overflow", "inf-inf"], "overflow 'inf-inf': e4m3fn has no infinity"),
        (["show", "e4m3fn", "--from", "0x1A00"], "--from '0x1A00' is no number"),
        (["show", "e4m3fn", "--from", "three"], "--from 'three' is no number: a value is 0.3"),
        (["show", "e4m3fn", "--from", ""], "--from '' is no number"),
        (["show", "e4m3fn", "--from", "0x.p1"], "--from '0x.p1' is no number"),
        (["show", "e4m3fn", "--from", "1/0"], "--from '1/0' divides by zero"),
        (["show", "e4m3fn", "--from", "1e99999999"], "--from '1e99999999': exponents go from -5000 to 5000"),
        (["show", "e4m3fn", "--from", "0x1p99999999"], "--from '0x1p99999999': exponents go from -5000 to 5000"),
        (["show", "e4m3fn", "--from", "9" * 5000], "has 5000 characters; a value has at most 2000"),
        (["show", "e4m3fn", "--from", "f33:0"], "--from 'f33:0': unknown format 'f33'"),
        (["show", "e4m3fn", "--from", "f16:10000"], "--from f16: code 10000 is out of range: f16 has 16 bits"),
        (["show", "e4m3fn", "--from", "f16:"], "--from f16: code '' has no digits"),
        (["show", "e4m3fn", "--from", "f16:-1"], "--from f16: code '-1': '-' at position 1"),
        (["explain"], "Missing argument 'CASE'"),
        (["explain", "garbage"], "CASE 'garbage' has no '#': a case is operation-id#HEXINPUT, like convert/f32"),
        (["explain", "#00"], "CASE: operation '': unknown family ''"),
        (["explain", "convrt/f32/e4m3fn/rne.sat#0"], "unknown family 'convrt'; did you mean convert?"),
        (["explain", "convert/f32/e4m3fn/rne.sat#"], "CASE, input '' has no digits"),
        (["explain", "convert/f32/e4m3fn/rne.sat#XYZ"], "CASE, input 'XYZ': 'X' at position 1 is no hexadecimal digit"),
        (["explain", "convert/f32/e4m3fn/rne.sat#100000000"], "CASE, input 100000000 is out of range: f32 has 32 bits"),
        (["explain", "convert/f32/e4m3fn/rne.wrap#0"], "unknown overflow rule 'wrap'"),
        (["explain", "convert/f32/e4m3fn/rne.sat;nan=error#7FC00000"], "nan='error' refuses it"),
        (["explain", "convert/f32/e4m3fn/rne.sat;colour=red#0"], "'colour=red' is not key=value"),
        (["list"], "list what? choose from formats, operations, impls, models, profiles"),
        (["list", "colours"], "list colours? choose from formats"),
    ],
)  # fmt: skip
def test_refusals(args: Sequence[str], message: str) -> None:
    assert message in refused(*args)


# -- explain ----------------------------------------------------------------------------------------------------------
def test_an_explanation() -> None:
    found = lines("explain", "convert/f32/e4m3fn/rne.sat#43E80001")
    assert found == [
        "convert/f32/e4m3fn/rne.sat#43E80001",
        "",
        "  input   f32    0x43E80001  0 10000111 11010000000000000000001   ~+464.000031 = +0x1.D00002p+8",
        "  exact   448 [0x7E] + (1/2 + 2^-20) ulp, next up 480 [no code]",
        "  answer  e4m3fn 0x7E        0 1111 110                           +448 = +1.75 x 2^8",
        "  raised  overflow, inexact (OF NX)",
        "  why     nearest: 480, beyond 448; under sat 448 [0x7E]",
        "  spec    OCP OFP8 1.0 5.2.1 and table 3: rounded first, then compared with the largest value",
        "  meets   ocp-sat",
        "",
        "        0x7E                                                       no code",
        "          ├─────────────────────────────┴●────────────────────────────┤",
        "         448                                                         480",
        "                                    ~464.000031",
        "",
        "  what the other modes answer",
        "                sat satprop   nonsat        raised",
        "  rne rna rtp   448 [0x7E]    +NaN [0x7F]   OF NX",
        "  rtz rtn       448 [0x7E]    448 [0x7E]    NX",
        "  rto           448 [0x7E]    448 [0x7E]    OF NX",
        "",
        "  stochastic: 480 [no code] with probability 1/2 + 2^-20, given enough random bits",
    ]


def test_an_explanation_as_json() -> None:
    document = json.loads(printed("explain", "convert/f16/e5m2/rne.nonsat;flags=1#7BFF", "--json"))
    assert document["case"] == "convert/f16/e5m2/rne.nonsat;flags=1#7BFF"
    assert document["answer"]["code"] == "0x7C"
    assert document["clause"] == {
        "id": "ofp8/overflow",
        "text": "OCP OFP8 1.0 5.2.1 and table 3: rounded first, then compared with the largest value",
    }
    alternatives = {a["setting"]: a["codes"]["nonsat"] for a in document["alternatives"]}
    assert alternatives.items() >= {
        "rne": "0x7C", "rna": "0x7C", "rtz": "0x7B", "rtp": "0x7C", "rtn": "0x7B", "rto": "0x7B",
    }.items()  # fmt: skip


def test_an_open_mode_has_no_answer_but_all_alternatives() -> None:
    found = printed("explain", "convert/f16/e5m2/*#7BFF")
    assert "answer  " not in found
    assert "rne rna rtp" in found
    assert "answer" not in json.loads(printed("explain", "convert/f16/e5m2/*#7BFF", "--json"))


def test_a_testfloat_name_is_a_case() -> None:
    assert lines("explain", "f16_to_e5m2#3C00")[0] == "convert/f16/e5m2/rne.sat#3C00"


def test_a_decode_is_explained() -> None:
    assert lines("explain", "decode/e4m3fn/f32#01")[2:] == [
        "  input   e4m3fn 0x01        0 0000 001   +0.001953125 = +0.125 x 2^-6  subnormal",
        "  answer  f32    0x3B000000  0 01110110 00000000000000000000000   +0.001953125 = +1 x 2^-9",
        "  raised  nothing",
        "  why     a code stands for one value; nothing is rounded",
        "  spec    OCP OFP8 1.0 table 1: the value of a code",
    ]


# -- list -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("what", ["formats", "operations", "models", "profiles"])
def test_lists_fit(what: str) -> None:
    assert max(map(len, lines("list", what))) <= 100
    assert not any(line.endswith(" ") for line in lines("list", what))


def test_list_formats() -> None:
    found = lines("list", "formats")
    assert re.search(r"^e4m3fn +8 +4 +7 +-6 +8 +448 +2\^-9 +no +all 1s +OCP OFP8 1\.0$", "\n".join(found), re.M)
    listed = [line.split()[0] for line in found[1 : found.index("")] if line[0] != " "]  # long sources are wrapped
    assert listed == [f.name for f in formats() if not f.name.startswith("binary")]
    assert f"and {len(formats()) - len(listed)} formats binary<k>p<p><s|u><e|f> of IEEE P3109" in found[-2]
    every = [line.split()[0] for line in lines("list", "formats", "--all")[1:-2] if line[0] != " "]
    assert every == [f.name for f in formats()]
    assert [d["format"] for d in json.loads(printed("list", "formats", "--json"))] == [f.name for f in formats()]


def test_list_operations_has_a_valid_example_of_each() -> None:
    document = json.loads(printed("list", "operations", "--json"))
    assert [entry["family"] for entry in document] == list(FAMILIES)
    text = printed("list", "operations")
    assert all(family in text for family in FAMILIES)
    for family, example in EXAMPLES.items():
        assert Operation.parse(example).family == family


def test_list_models_and_profiles() -> None:
    assert [entry["model"] for entry in json.loads(printed("list", "models", "--json"))] == [m.name for m in models()]
    assert all(entry["source"] for entry in json.loads(printed("list", "models", "--json")))
    assert [entry["name"] for entry in json.loads(printed("list", "profiles", "--json"))] == list(PROFILES)


def test_list_impls(monkeypatch: pytest.MonkeyPatch) -> None:
    from fp8ref.adapters.base import Unavailable
    from fp8ref.cli import listing

    class Here:
        def identify(self) -> dict[str, str]:
            return {"name": "here", "version": "1.2"}

    def connect(name: str) -> Here:
        if name == "absent":
            raise Unavailable("absent needs the package absent: pip install absent")
        if name == "many":
            raise ValueError("unknown one ''; choose from one, two")
        if name == "broken":
            raise RuntimeError("a fault of its own")
        return Here()

    monkeypatch.setattr(listing, "registered", lambda: ["absent", "broken", "here", "many"])
    monkeypatch.setattr(listing, "connect", connect)
    assert [line.split(None, 2) for line in lines("list", "impls")[1:5]] == [
        ["absent", "no", "absent needs the package absent: pip install absent"],
        ["broken", "no", "RuntimeError: a fault of its own"],
        ["here", "yes", "here 1.2"],
        ["many:NAME", "yes", "choose from one, two"],
    ]
    assert json.loads(printed("list", "impls", "--json"))[2] == {"impl": "here", "here": True, "about": "here 1.2"}


# -- the terminal -----------------------------------------------------------------------------------------------------
def _piped(args: str, **env: str) -> bytes:
    code = f"from fp8ref.cli.show import COMMANDS; {args}"
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "PYTHONIOENCODING")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env={**clean, **env}, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


SHOW = "COMMANDS[0].main(['e4m3fn', '0x2A'])"


def test_a_pipe_gets_plain_text_in_ascii_where_the_encoding_has_no_blocks() -> None:
    found = _piped(SHOW, PYTHONIOENCODING="ascii")
    assert found.isascii()
    assert b"|-----" in found
    assert b"\x1b" not in found


@pytest.mark.full
@pytest.mark.parametrize(
    ("env", "there", "absent"),
    [
        ({"FORCE_COLOR": "1"}, "\x1b[1m", "|-----"),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, "├─", "\x1b[3"),
        ({"PYTHONIOENCODING": "latin-1"}, "|-----", "\x1b"),
    ],
)
def test_colours_and_blocks_of_a_pipe(env: dict[str, str], there: str, absent: str) -> None:
    text = _piped(SHOW, **{"PYTHONIOENCODING": "utf-8", **env}).decode(env.get("PYTHONIOENCODING", "utf-8"))
    assert there in text
    assert absent not in text


# -- what the array functions take ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("args", "answer"),
    [
        (("e4m3fn", "--from", "1.31640625", "--via", "bf16"), "0x3A"),  # a tie in bfloat16; nearest is 3B
        (("e4m3fn", "--from", "f32:FFC00000", "--nan", "keep-sign"), "0xFF"),
        (("e4m3fn", "--from", "nan", "--nan", "zero"), "0x00"),
        (("e4m3fn", "--from", "-2", "--negative", "zero"), "0x00"),
        (("e8m0fnu", "--from", "-2", "--negative", "magnitude"), "0x80"),
        (("e4m3fn", "--from", "0.001953125", "--subnormal", "ftz"), "0x00"),
        (("e4m3fn", "--from", "bf16:0001", "--rounding", "rtp", "--subnormal", "daz"), "0x00"),
        # 1.0625 lies half-way: away where R / 2^N + 1/2 >= 1
        (("e4m3fn", "--from", "1.0625", "--rounding", "sr-a", "--random-bits", "0b10"), "0x39"),
        (("e4m3fn", "--from", "1.0625", "--rounding", "sr-a", "--random-bits", "0b01"), "0x38"),
    ],
)
def test_show_takes_what_the_array_functions_take(args: Sequence[str], answer: str) -> None:
    (line,) = (line for line in lines("show", *args) if line.startswith("  answer"))
    assert answer in line.split()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--nan", "odd"), "nan is one of canonical"),
        (("--negative", "odd"), "negative is one of lowest"),
        (("--subnormal", "odd"), "subnormal is one of keep"),
        (("--subnormal", "daz"), "subnormal=daz is of inputs of a type"),
        (("--via", "odd"), "unknown format 'odd'"),
        (("--random-bits", "0b01"), "are of stochastic rounding"),
        (("--rounding", "sr-a"), "answers by random bits"),
        (("--rounding", "sr-a", "--random-bits", "12"), "0b and 1 to 64 binary digits"),
    ],
)
def test_show_refuses(args: Sequence[str], message: str) -> None:
    assert message in refused("show", "e4m3fn", "--from", "1.5", *args)


def test_options_of_a_conversion_need_one() -> None:
    assert "give it with --from" in refused("show", "e4m3fn", "--via", "bf16")
