"""A golden model in C99 for chosen formats, generated: header, source, and a SystemVerilog package of DPI-C imports.

The arithmetic is the handwritten ``c_model.c`` beside this module, in integers, for any format by its parameters; what
is generated are the parameters, the tables of values, and one function for each conversion and operation, in the shape
that DPI-C takes: ``int fp8ref_f32_to_e4m3fn(uint32_t a, int rm, int ovf, int tininess, uint8_t *out)`` returns the
status.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from ...arrays.conversion import decode
from ...cases.families import FAMILIES
from ...spec.catalog import get_format
from ...spec.formats import Format, NaNs
from ...spec.operations.arithmetic import require_defined
from ...version import __version__
from .values import c_tables, require_functions

NAME = "fp8ref_model"
WIDE = ("f16", "bf16", "f32", "f64")
DOT_RESULTS = ("f16", "bf16", "f32")
SOURCES = ("f16", "bf16", "f32")  # of stochastic roundings
OPERATIONS = ("add", "sub", "mul", "div", "sqrt", "fma")
MODES = ("rm", "ovf", "tininess")
TABLE_BITS = 8  # formats up to this width get a table of values
PRECISION = 24  # operands of arithmetic; a product of two then leaves room for rounding in 64 bits

_NANS = {NaNs.NONE: "NONE", NaNs.IEEE: "IEEE", NaNs.ALL_ONES: "ALL_ONES", NaNs.NEGATIVE_ZERO: "NEGATIVE_ZERO"}
_SV_TYPES = {8: "byte", 16: "shortint", 32: "int", 64: "longint"}


@dataclass(frozen=True)
class _Function:
    """A function of the model: its operands and result, and the C statement that answers."""

    name: str
    operands: tuple[Format, ...]
    result: Format
    answer: str
    random: bool = False

    def c(self, end: str) -> str:
        operands = [f"uint{_carrier(f)}_t {x}" for f, x in zip(self.operands, "abc")]
        operands += ["uint32_t random", "int width"] if self.random else []
        arguments = [*operands, *(f"int {mode}" for mode in MODES), f"uint{_carrier(self.result)}_t *out"]
        return f"int {NAME_PREFIX}{self.name}({', '.join(arguments)}){end}"

    def body(self) -> str:
        return (
            f"{self.c(' {')}\n    uint64_t z = 0;\n    int flags = {self.answer};\n"
            f"    if (flags >= 0)\n        *out = (uint{_carrier(self.result)}_t)z;\n    return flags;\n}}"
        )

    def sv(self) -> str:
        operands = [f"input {_SV_TYPES[_carrier(f)]} unsigned {x}" for f, x in zip(self.operands, "abc")]
        operands += ["input int unsigned random", "input int width"] if self.random else []
        modes = [f"input int {mode}" for mode in MODES]
        out = f"output {_SV_TYPES[_carrier(self.result)]} unsigned out"
        return f'  import "DPI-C" function int {NAME_PREFIX}{self.name}({", ".join([*operands, *modes, out])});'


NAME_PREFIX = "fp8ref_"


@dataclass(frozen=True)
class _Dot:
    """A function of dot products of two formats of at most 8 bits; ``scale``: the format of their block scales."""

    a: Format
    b: Format
    result: Format
    scale: Format | None = None

    @property
    def name(self) -> str:
        pair = self.a.name if self.a == self.b else f"{self.a.name}_{self.b.name}"
        scale = f"{self.scale.name}_" if self.scale else ""
        return f"{NAME_PREFIX}{pair}_dot_{scale}{self.result.name}"

    def c(self, end: str) -> str:
        modes = ", ".join(f"int {mode}" for mode in (*MODES, "how"))
        z = f"uint{_carrier(self.result)}_t"
        scales = "int block, const uint32_t *sa, const uint32_t *sb, " if self.scale else ""
        return f"int {self.name}(int k, const uint32_t *a, const uint32_t *b, {scales}{z} c, {modes}, {z} *out){end}"

    def body(self) -> str:
        formats = ", ".join(f"&{_parameters(f)}" for f in (self.a, self.b, self.result))
        scales = f"&{_parameters(self.scale)}, block, sa, sb" if self.scale else "0, 1, 0, 0"
        return (
            f"{self.c(' {')}\n    uint64_t z = 0;\n"
            f"    int flags = dot_of({formats}, k, a, b, c, {scales}, rm, ovf, tininess, how, &z);\n"
            f"    if (flags >= 0)\n        *out = (uint{_carrier(self.result)}_t)z;\n    return flags;\n}}"
        )

    def sv(self) -> str:
        z = f"{_SV_TYPES[_carrier(self.result)]} unsigned"
        lanes = ", ".join(f"input bit [8*LANES-1:0] {x}" for x in "ab")
        if self.scale:
            lanes += ", input int block, input bit [8*LANES-1:0] sa, input bit [8*LANES-1:0] sb"
        modes = ", ".join(f"input int {mode}" for mode in (*MODES, "how"))
        return f'  import "DPI-C" function int {self.name}(input int k, {lanes}, input {z} c, {modes}, output {z} out);'


@dataclass(frozen=True)
class _Blocks:
    """A function that makes blocks of values of binary32; ``stored``: of NVFP4, the format of a block's scale."""

    element: Format
    stored: Format | None = None

    @property
    def name(self) -> str:
        return f"{NAME_PREFIX}f32_to_{'nvfp4' if self.stored else f'mx_{self.element.name}'}"

    def c(self, end: str) -> str:
        whole = "uint32_t whole, " if self.stored else ""
        return f"int {self.name}(int rule, int n, {whole}const uint32_t *x, uint8_t *scale, uint32_t *out){end}"

    def body(self) -> str:
        formats = ", ".join(f"&{_parameters(f)}" for f in (self.element, self.stored, get_format("f32")) if f)
        call = (
            f"fp8ref_quantise{'_nvfp4' if self.stored else ''}({formats}, rule, n, {'whole, ' if self.stored else ''}"
        )
        return (
            f"{self.c(' {')}\n    uint64_t codes[FP8REF_LANES];\n    if (n > FP8REF_LANES)\n        return -1;\n"
            f"    return packed_lanes({call}x, scale, codes), n, codes, out);\n}}"
        )

    def sv(self) -> str:
        whole = "input int unsigned whole, " if self.stored else ""
        return (
            f'  import "DPI-C" function int {self.name}(input int rule, input int n, {whole}input bit [32*LANES-1:0] x,'
            " output byte unsigned scale, output bit [8*LANES-1:0] out);"
        )


_Any = _Function | _Dot | _Blocks


def c_model(formats: Iterable[Format | str], functions_of_one: Iterable[str] = ()) -> dict[str, str]:
    """The files of the model of some formats, by name: ``fp8ref_model.h``, ``.c`` and ``fp8ref_model_pkg.sv``.

    The formats, of at most 32 bits, are converted from and to f16, bf16, f32, f64 and one another, and calculated with.

    ``functions_of_one``: elementary functions, of those of the formats that have at most 8 bits; ``all`` for every one.

    Raises ValueError for no format, for unknown ones, and for wider ones; for functions that there are not.
    """
    elementary = require_functions(functions_of_one)
    chosen = tuple(dict.fromkeys(get_format(f) for f in formats))
    if not chosen:
        raise ValueError("the C model needs a format; name some, like e4m3fn e5m2")
    for f in chosen:
        if f.p > PRECISION or f.k > 32:
            raise ValueError(f"the C model calculates in formats of at most 32 bits; {f.name} has {f.k}")
    known = tuple(dict.fromkeys([*chosen, *map(get_format, WIDE)]))
    functions: list[_Any] = [*_conversions(chosen, known), *_arithmetic(chosen), *_dots(chosen), *_blocks(chosen)]
    small = [(name, f) for f in chosen if f.k <= TABLE_BITS and f.zero for name in elementary]
    functions += [_valued(name, f) for name, f in small]
    tables = {f: _values(f) for f in chosen if f.k <= TABLE_BITS}
    sums = "\n".join(
        files(__package__).joinpath(name).read_text(encoding="utf-8") for name in ("c_sums.c", "c_blocks.c")
    )
    names = {"FORMATS": ", ".join(f.name for f in chosen), "VERSION": __version__, "SUMS": sums}
    declarations = [
        *(f"extern const fp8ref_format {_parameters(f)};" for f in known),
        "",
        "/* The value of every code, as a bit pattern of binary32. */",
        *(f"extern const uint32_t {_table(f)};" for f in tables),
        "",
        *(function.c(";") for function in functions),
    ]
    definitions = [
        *(f"const fp8ref_format {_parameters(f)} = {_initialiser(f)};" for f in known),
        *(f"\nconst uint32_t {_table(f)} = {{\n{_rows(values)}\n}};" for f, values in tables.items()),
        *("\n" + c_tables(name, f) for name, f in small),
        *("\n" + function.body() for function in functions),
    ]
    return {
        f"{NAME}.h": _filled("c_model.h", {**names, "DECLARATIONS": "\n".join(declarations)}),
        f"{NAME}.c": _filled("c_model.c", {**names, "DEFINITIONS": "\n".join(definitions)}),
        f"{NAME}_pkg.sv": _package(functions, names),
    }


def _filled(template: str, texts: dict[str, str]) -> str:
    text = files(__package__).joinpath(template).read_text(encoding="utf-8")
    for name, value in texts.items():
        text = text.replace(f"@{name}@", value)
    return text


def _conversions(chosen: Sequence[Format], known: Sequence[Format]) -> Iterator[_Function]:
    for source in known:
        for result in known:
            if source != result and (source in chosen or result in chosen):
                formats, modes = f"&{_parameters(source)}, a, &{_parameters(result)}", "rm, ovf, tininess, &z"
                name = f"{source.name}_to_{result.name}"
                yield _Function(name, (source,), result, f"one({formats}, {modes})")
                if source.name in SOURCES and source.t > result.t:
                    draw = f"drawn({formats}, random, width, {modes})"
                    yield _Function(f"{name}_sr", (source,), result, draw, random=True)


def _valued(name: str, f: Format) -> _Function:
    """An elementary function by its tables."""
    symbol = f"{f.name}_{name}"
    tables = f"values_{symbol}, raised_{symbol}, a & {f.code_mask}u"
    return _Function(
        symbol,
        (f,),
        f,
        f"valued(&{_parameters(get_format('f64'))}, {tables}, &{_parameters(f)}, rm, ovf, tininess, &z)",
    )


def _arithmetic(chosen: Sequence[Format]) -> Iterator[_Function]:
    for f in chosen:
        for name in OPERATIONS:
            family = FAMILIES[name]
            try:
                require_defined(family.definition, f)
            except ValueError:
                continue
            operands = ", ".join(["a", "b", "c"][: family.arity] + ["0"] * (3 - family.arity))
            answer = f"many(FP8REF_{name.upper()}, &{_parameters(f)}, {operands}, rm, ovf, tininess, &z)"
            yield _Function(f"{f.name}_{family.testfloat}", (f,) * family.arity, f, answer)


def _dots(chosen: Sequence[Format]) -> Iterator[_Dot]:
    """Dot products of every pair of formats of at most 8 bits, into wide formats and their own."""
    narrow = [f for f in chosen if f.k <= TABLE_BITS and f.signed]
    for a in narrow:
        for b in narrow:
            for result in dict.fromkeys([*map(get_format, DOT_RESULTS), a, b]):
                yield _Dot(a, b, result)
            for scale in chosen:
                if scale.name == "e8m0fnu" or (scale.name, a.name, b.name) == ("e4m3fn", "e2m1fn", "e2m1fn"):
                    yield _Dot(a, b, get_format("f32"), scale)


def _blocks(chosen: Sequence[Format]) -> Iterator[_Blocks]:
    """MX blocks of every narrow format; NVFP4's where both of its formats are chosen."""
    yield from (_Blocks(f) for f in chosen if f.k <= TABLE_BITS and f.signed)
    element, stored = get_format("e2m1fn"), get_format("e4m3fn")
    if element in chosen and stored in chosen:
        yield _Blocks(element, stored)


def _carrier(f: Format) -> int:
    """The width of the C integer in which a code travels."""
    return next(bits for bits in _SV_TYPES if f.k <= bits)


def _parameters(f: Format) -> str:
    return f"{NAME_PREFIX}format_{f.name}"


def _table(f: Format) -> str:
    return f"{NAME_PREFIX}{f.name}_f32[{1 << f.k}]"


def _initialiser(f: Format) -> str:
    nans = f"FP8REF_NANS_{_NANS[f.nans] if f.has_nan else 'NONE'}"
    numbers = (f.k, f.t, f.emin, f.emax, int(f.signed), int(f.infinities), nans, int(f.zero), int(f.fixed_point))
    codes = (f.max_code, f.infinity_code if f.infinities else 0, f.nan_canonical or 0)
    return f'{{"{f.name}", {", ".join(map(str, numbers))}, {", ".join(f"UINT64_C({code:#x})" for code in codes)}}}'


def _values(f: Format) -> Sequence[int]:
    """Every value as a code of f32.  Raises ValueError where f32 does not hold them."""
    return [int(code) for code in decode(np.arange(1 << f.k, dtype=np.uint8), f).view(np.uint32)]


def _rows(values: Sequence[int]) -> str:
    rows = (values[i : i + 8] for i in range(0, len(values), 8))
    return ",\n".join("    " + ", ".join(f"0x{value:08X}" for value in row) for row in rows)


def _package(functions: Sequence[_Any], names: dict[str, str]) -> str:
    head = f"""\
// DPI-C imports of the golden model in {NAME}.c: {names["FORMATS"]}.
// Generated by fp8ref {names["VERSION"]}.  The functions return the status: NX 1, UF 2, OF 4, DZ 8, NV 16.
package {NAME}_pkg;
  localparam int RNE = 0, RTZ = 1, RTN = 2, RTP = 3, RNA = 4, RTO = 5;  // rm, as the frm field of RISC-V
  localparam int SR_A = 6, SR_B = 7, SR_C = 8, SR_PTX = 9, SR_BIAS = 10, SR_HIP = 11, SR_HIP_OCP = 12;  // rm of _sr
  localparam int SAT = 0, SATPROP = 16, NONSAT = 17;                    // ovf
  localparam int AFTER = 0, BEFORE = 1, DELIVERED = 2;                  // tininess
  localparam int LANES = 64, PLUS_ZERO = 1, NO_C = 2;                   // of dot products, and how
  localparam int FLOOR = 0, CEIL = 1, EVEN = 2, RCEIL = 3, TE = 4;      // rule of MX blocks
  localparam int NVFP4_TE = 0, NVFP4_TORCHAO = 1;                       // rule of NVFP4 blocks
"""
    return head + "\n" + "\n".join(function.sv() for function in functions) + "\nendpackage\n"
