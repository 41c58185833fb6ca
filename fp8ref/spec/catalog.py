"""Every named format, one line each, and the grammar of the names that are not listed.

``get_format`` looks a name up in the catalogue first (with every alias under which ml_dtypes, torch, ONNX, LLVM/MLIR,
PTX, CUDA and safetensors know it; ``E4M3`` and its like in upper case are OCP's), then in the grammars::

    [eXmY][bB]          IEEE-like: infinities and NaNs at the top exponent; emin = 1 - B, B = 2**(X-1) - 1
                        of at most 16 bits, and e8m23
    [eXmY][bB]fn        no infinities; NaN where all bits below the sign are ones
    [eXmY][bB]fnuz      no infinities, one NaN at the code of -0, no -0; B = 2**(X-1)
    [eXmY][bB]fnu       unsigned, no infinities, NaN where all bits are ones (eXm0fnu: powers of two, no zero)
    binary<k>p<p><s|u><e|f>     P3109: signed or unsigned, extended (with infinities) or finite
    rbits<k>            whole numbers of k bits: the random bits of stochastic rounding
    fx<k>.<t>           two's complement of k bits, t of them below the binary point: what fixed-point accumulators hold
"""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from functools import lru_cache

from .formats import WIDEST_FIXED, Format, NaNs

OFP8 = "OCP 8-bit Floating Point Specification (OFP8) rev 1.0"
MX = "OCP Microscaling Formats (MX) v1.0"
FNUZ = "Noune et al., arXiv 2206.02915; LLVM APFloat"
LLVM = "LLVM APFloat.h"
IEEE754 = "IEEE 754-2019"
CUDA = "CUDA 13 cuda_fp8.h; PTX ISA"
P3109 = "IEEE P3109 Interim Report v4.0 (unapproved draft)"

_ELEMENT = re.compile(r"e(\d{1,2})m(\d{1,2})(?:b(\d{1,5}))?(fnuz|fnu|fn)?", re.ASCII)
_P3109 = re.compile(r"binary(\d{1,2})p(\d{1,2})([su])([ef])", re.ASCII)
_FIXED = re.compile(r"fx(\d{1,4})\.(\d{1,4})", re.ASCII)
_RANDOM = re.compile(r"rbits(\d{1,2})", re.ASCII)
_SIGNED_BIAS = re.compile(r"b[\s_+-]+\d|e[\s_+-]+\d+m|m[\s_+-]+\d", re.I)  # e3m4b-20 is not e3m4b20
LONGEST = 80  # characters of a name


def from_grammar(name: str) -> Format | None:
    """The format that a systematic name spells, or None where the name follows neither grammar.

    Raises ValueError where the name follows a grammar and asks for an impossible format.
    """
    if match := _ELEMENT.fullmatch(name):
        x, y, bias, suffix = int(match[1]), int(match[2]), match[3], match[4] or ""
        return _element_format(name, x, y, None if bias is None else int(bias), suffix)
    if match := _P3109.fullmatch(name):
        return _p3109_format(name, int(match[1]), int(match[2]), match[3] == "s", match[4] == "e")
    if match := _RANDOM.fullmatch(name):
        return _random_format(name, int(match[1]))
    if match := _FIXED.fullmatch(name):
        return _fixed_format(name, int(match[1]), int(match[2]))
    return None


def _element_format(name: str, x: int, y: int, bias: int | None, suffix: str) -> Format:
    signed = suffix != "fnu"
    k = signed + x + y
    if (x > 8 or y > 10 or not 2 <= k <= 16) and (signed, x, y) != (True, 8, 23):
        raise ValueError(f"{name}: eXmY needs X from 0 to 8, Y from 0 to 10 and 2 to 16 bits in all, not {k}; or e8m23")
    if x == 0 and suffix in ("", "fnu"):
        raise ValueError(f"{name}: without an exponent field write {name}fn or {name}fnuz")
    if bias is None:
        bias = 1 if x == 0 else 1 << (x - 1) if suffix == "fnuz" else (1 << (x - 1)) - 1
    nans = {"": NaNs.IEEE, "fn": NaNs.ALL_ONES, "fnuz": NaNs.NEGATIVE_ZERO, "fnu": NaNs.ALL_ONES}[suffix]
    zero = not (suffix == "fnu" and y == 0)
    return Format(name, k, y + 1, bias, signed=signed, infinities=suffix == "", nans=nans, zero=zero)


def _p3109_format(name: str, k: int, p: int, signed: bool, extended: bool) -> Format:
    """[P3109 4.1] bias 2**(k-p-1) signed, 2**(k-p) unsigned; one zero, one NaN."""
    if not 3 <= k <= 16 or not 1 <= p <= k - signed:
        raise ValueError(f"{name}: P3109 formats have 3 <= k <= 16 and 1 <= p <= {k - signed}")
    nans = NaNs.NEGATIVE_ZERO if signed else NaNs.ALL_ONES
    return Format(name, k, p, 1 << (k - p - signed), signed=signed, infinities=extended, nans=nans, source=P3109)


def _random_format(name: str, k: int) -> Format:
    if not 2 <= k <= 64:
        raise ValueError(f"{name}: random bits are 2 to 64, not {k}")
    return Format(name, k, k + 1, 1 - k, signed=False)  # the value of a code is the code


def _fixed_format(name: str, k: int, t: int) -> Format:
    if not 2 <= k <= WIDEST_FIXED or t >= k:
        raise ValueError(f"{name}: fx<k>.<t> has k from 2 to {WIDEST_FIXED} bits and t below k of them after the point")
    return Format(name, k, t + 1, 1, fixed_point=True)


def _entry(name: str, source: str, *aliases: str, shape: Format | None = None, canonical: int | None = None) -> None:
    f = shape or from_grammar(name)
    assert f is not None, name
    f = Format(name, f.k, f.p, f.bias, f.signed, f.infinities, f.nans, f.zero, f.fixed_point, canonical, source)
    CATALOG[name] = f
    SPELLINGS[name] = aliases
    for alias in aliases:
        ALIASES[_fold(alias)] = name


def _fold(name: str) -> str:
    """A name without case and separators, which owners of a name write as they like."""
    return re.sub(r"[\s_-]+", "", name.strip().lower())


CATALOG: dict[str, Format] = {}
ALIASES: dict[str, str] = {}  # folded: lower case, without separators
SPELLINGS: dict[str, tuple[str, ...]] = {}  # the same names as their owners write them
# names that mean another format in upper case: what papers and safetensors call OCP's
UPPER_CASE = {"E4M3": "e4m3fn", "E5M2": "e5m2", "E3M2": "e3m2fn", "E2M3": "e2m3fn", "E2M1": "e2m1fn",
              "F8_E4M3": "e4m3fn", "F8_E5M2": "e5m2", "F6_E3M2": "e3m2fn", "F6_E2M3": "e2m3fn",
              "F8_E8M0": "e8m0fnu"}  # fmt: skip


def _finite(k: int, p: int, bias: int) -> Format:
    """MX element formats: every code is a number."""
    return Format("", k, p, bias)


# fmt: off
_entry("e4m3fn", OFP8, "float8_e4m3fn", "torch.float8_e4m3fn", "float8e4m3fn", "f8e4m3fn", "ocp.e4m3", "ptx.e4m3",
       "__nv_fp8_e4m3", "hf8")
_entry("e5m2", OFP8, "float8_e5m2", "torch.float8_e5m2", "float8e5m2", "f8e5m2", "ocp.e5m2", "ptx.e5m2",
       "__nv_fp8_e5m2", "bf8", canonical=0x7F)
_entry("e4m3", LLVM, "float8_e4m3", "float8e4m3", "f8e4m3")
_entry("e3m4", LLVM, "float8_e3m4", "float8e3m4", "f8e3m4")
_entry("e4m3fnuz", FNUZ, "float8_e4m3fnuz", "torch.float8_e4m3fnuz", "float8e4m3fnuz", "f8e4m3fnuz")
_entry("e5m2fnuz", FNUZ, "float8_e5m2fnuz", "torch.float8_e5m2fnuz", "float8e5m2fnuz", "f8e5m2fnuz")
_entry("e4m3b11fnuz", LLVM, "float8_e4m3b11fnuz", "float8e4m3b11fnuz", "f8e4m3b11fnuz", "float8_e4m3b11")
_entry("e8m0fnu", MX, "float8_e8m0fnu", "torch.float8_e8m0fnu", "float8e8m0fnu", "float8e8m0", "f8e8m0fnu", "e8m0",
       "ocp.e8m0", "ptx.ue8m0", "ue8m0", "__nv_fp8_e8m0")
_entry("ue4m3", CUDA, "ptx.ue4m3", shape=from_grammar("e4m3fnu"))
_entry("ue5m3", CUDA, "float8_e5m3fnu", "float8e5m3fnu", "f8e5m3fnu", "ptx.ue5m3", "__nv_fp8_ue5m3",
       shape=from_grammar("e5m3fnu"))
_entry("e3m2fn", MX, "float6_e3m2fn", "f6e3m2fn", "float6e3m2fn", "ocp.e3m2", "ptx.e3m2", "__nv_fp6_e3m2",
       shape=_finite(6, 3, 3))
_entry("e2m3fn", MX, "float6_e2m3fn", "f6e2m3fn", "float6e2m3fn", "ocp.e2m3", "ptx.e2m3", "__nv_fp6_e2m3",
       shape=_finite(6, 4, 1))
_entry("e2m1fn", MX, "float4_e2m1fn", "torch.float4_e2m1fn_x2", "float4e2m1", "f4e2m1fn", "float4e2m1fn", "ocp.e2m1",
       "ptx.e2m1", "__nv_fp4_e2m1", shape=_finite(4, 2, 1))
_entry("mxint8", MX, "ocp.int8", "mx.int8", shape=Format("", 8, 7, 1, fixed_point=True))
_entry("f16", IEEE754, "float16", "torch.float16", "torch.half", "binary16", "half", "fp16", "e5m10",
       shape=from_grammar("e5m10"))
_entry("bf16", "bfloat16: Intel bfloat16 hardware numerics definition", "bfloat16", "torch.bfloat16", "binary16alt",
       "e8m7", shape=from_grammar("e8m7"))
_entry("tf32", "NVIDIA A100 whitepaper; PTX ISA .tf32", "tensorfloat32", "ptx.tf32",
       shape=Format("", 19, 11, 127, infinities=True, nans=NaNs.IEEE))
_entry("f32", IEEE754, "float32", "torch.float32", "binary32", "float", "single", "fp32",
       shape=Format("", 32, 24, 127, infinities=True, nans=NaNs.IEEE))
_entry("f64", IEEE754, "float64", "torch.float64", "binary64", "double", "fp64",
       shape=Format("", 64, 53, 1023, infinities=True, nans=NaNs.IEEE))
for _k in range(3, 9):
    for _s in "su":
        for _p in range(1, _k + (_s == "u")):
            for _e in "ef":
                _entry(f"binary{_k}p{_p}{_s}{_e}", P3109)
# fmt: on


@lru_cache(maxsize=4096)
def _by_name(name: str) -> Format:
    if len(name) > LONGEST:
        raise ValueError(f"unknown format {name[:LONGEST]!r}...: a name has at most {LONGEST} characters")
    folded = _fold(name)
    for key in (UPPER_CASE.get(name.strip(), name), folded, ALIASES.get(folded, "")):
        if key in CATALOG and not _SIGNED_BIAS.search(name):
            return CATALOG[key]
    found = from_grammar(name.strip().lower())
    if found is not None:
        for listed in CATALOG.values():  # e4m3b7fn is e4m3fn, e5m2b15 is e5m2 with its canonical NaN
            if listed.shape == found.shape:
                return listed
        return found
    if _SIGNED_BIAS.search(name) or from_grammar(folded) is not None:
        raise ValueError(
            f"unknown format {name!r}: a systematic name has no separators and no sign, and its bias is 0 to 99999 "
            "(eXmYbB, e3m4b20); build a format of any other bias with Format(...)"
        )
    near = difflib.get_close_matches(folded, [*CATALOG, *ALIASES], n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
    raise ValueError(
        f"unknown format {name!r}{hint} (a name is one of the catalogue, or eXmY[bB] with fn, fnuz, fnu or no suffix, "
        "or binary<k>p<p><s|u><e|f>, or fx<k>.<t>)"
    )


def get_format(name: object) -> Format:
    """The format of a name, an alias, or a dtype of numpy, ml_dtypes or torch.

    >>> get_format("float8_e4m3fn").name, get_format("e3m4b2fn").bias
    ('e4m3fn', 2)

    Raises ValueError for a name that is in neither the catalogue nor the grammar, with the nearest names; TypeError
    for anything that has no name.
    """
    if isinstance(name, Format):
        return name
    if isinstance(name, type):  # np.float16, ml_dtypes.float8_e4m3fn
        name = name.__name__
    elif not isinstance(name, str):
        dtype_name = getattr(name, "name", None)  # numpy dtypes; torch's print as torch.float8_e5m2
        name = dtype_name if isinstance(dtype_name, str) else str(name) if "torch" in type(name).__module__ else name
    if not isinstance(name, str):
        raise TypeError(f"a format is named by a string, a dtype or a Format, not {name!r}")
    return _by_name(name)


def scaled_format(format: object, exponent: int) -> Format:
    """The format whose codes stand for 2**exponent times as much: the same but for its bias.

    Converting from it is converting with a scale and one rounding, as Arm's FPMR.NSCALE = exponent, LSCALE = -exponent.

    >>> scaled_format("f32", 7).name, scaled_format("e4m3fn", -3).name
    ('e8m23b120', 'e4m3b10fn')

    Raises ValueError for a format that has no such twin, TypeError for an exponent that is no integer.
    """
    f = get_format(format)
    if isinstance(exponent, bool) or not isinstance(exponent, int):
        raise TypeError(f"a scale is 2 to the power of an integer, not {exponent!r}")
    if exponent == 0:
        return f
    bias = f.bias - exponent
    suffix = {NaNs.IEEE: "", NaNs.ALL_ONES: "fn" if f.signed else "fnu", NaNs.NEGATIVE_ZERO: "fnuz"}.get(f.nans)
    if suffix is not None and bias >= 0 and (f.k <= 16 or f.name == "f32"):
        twin = from_grammar(f"e{f.w}m{f.t}b{bias}{suffix}")
        if twin == replace(f, bias=bias, canonical=twin.canonical if twin else None):
            return twin
    raise ValueError(f"{f.name} with a scale of 2**{exponent} has no name; build it: Format(...) with another bias")


def note_on(name: str) -> str:
    """What to say of a name that others read otherwise; empty for every other name.

    >>> note_on("E4M3")
    "E4M3 is read as OCP's e4m3fn; the IEEE-like format is e4m3"
    """
    name = name.strip()
    meant = UPPER_CASE.get(name)
    other = meant and _by_name(name.lower().rpartition("_")[2]).name
    return "" if other == meant else f"{name} is read as OCP's {meant}; the IEEE-like format is {other}"


def formats() -> tuple[Format, ...]:
    """Every format of the catalogue, in the catalogue's order."""
    return tuple(CATALOG.values())


def aliases(f: Format | str) -> tuple[str, ...]:
    """The other names of a catalogued format, as their owners write them."""
    return SPELLINGS.get(get_format(f).name, ())
