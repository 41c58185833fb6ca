"""Functions of array libraries on narrow types: which of the specification's a library has, and what it calls them.

An adapter says where its library keeps functions and what it calls otherwise; what it has is found by asking.  The next
name that a library uses is one word below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ...cases.families import FAMILIES, FUNCTIONS, FUNCTIONS_OF_TWO
from ...cases.operation import ANY_MODE, Operation
from ...cases.tuples import total_width
from ...spec.catalog import get_format
from ...spec.functions.catalog import FUNCTIONS as DEFINED
from ...spec.operations.arithmetic import DEFINITIONS
from ..claims import claims_of

Function = Callable[..., Any]
SIXTEEN = ("f16", "bf16")
FREE, SELECTED, EXACT = ANY_MODE, "rne.nonsat", None

# family -> the names in use, beside its own; by what can be claimed of the mode
NAMES: dict[str | None, dict[str, tuple[str, ...]]] = {
    FREE: {  # nothing says how a result is rounded
        "add": (), "sub": ("subtract",), "mul": ("multiply",), "div": ("divide", "truediv"), "sqrt": (),
        **dict.fromkeys((*FUNCTIONS, *FUNCTIONS_OF_TWO), ()),
        "asin": ("arcsin",), "acos": ("arccos",), "atan": ("arctan",), "atan2": ("arctan2",),
        "asinh": ("arcsinh",), "acosh": ("arccosh",), "atanh": ("arctanh",), "pow": ("power",),
        "sigmoid": ("expit", "logistic"), "log_sigmoid": ("logsigmoid",), "silu": ("swish",),
        "floordiv": ("floor_divide",), "mod": ("remainder", "floormod"), "fmod": (), "sign": (), "heaviside": (),
        "frac": (), "significand": (),
    },
    SELECTED: {"min": ("minimum",), "max": ("maximum",), "minnum": ("fmin",), "maxnum": ("fmax",)},  # an operand
    EXACT: {
        "neg": ("negative",), "abs": ("absolute",), "copysign": (), "nextafter": (),
        "eq": ("equal",), "ne": ("not_equal",), "lt": ("less",), "le": ("less_equal",), "gt": ("greater",),
        "ge": ("greater_equal",), "isnan": ("is_nan",), "isinf": ("is_inf",), "isfinite": ("is_finite",),
        "issignminus": ("signbit",), "and": ("logical_and",), "or": ("logical_or",), "xor": ("logical_xor",),
        "not": ("logical_not",),
    },
}  # fmt: skip
REDUCTIONS = frozenset({"min", "max"})  # what libraries call so is no function of two operands
WORDS = frozenset({"issignminus", "and", "or", "xor", "not"})  # no function is called so
FIRST_OF = {"frac": "modf", "significand": "frexp"}  # of functions with two results the first
INTEGRAL = {
    "rne.nonsat": ("rint", "round"),
    "rtz.nonsat": ("trunc",),
    "rtn.nonsat": ("floor",),
    "rtp.nonsat": ("ceil",),
}
SCALES = (("semantics", "scales"),)
SIGNALS = (("snan", "quiet"),)  # C, whose functions libraries call, leaves signalling NaNs open [C23 F.2.1]
OF_SCALES = ("add", "sub", "mul", "div", "sqrt")


@dataclass(frozen=True)
class Found:
    """A function of a library: what a claim's family and mode are answered by.

    ``name``: as one writes it, ``jax.nn.gelu``; ``how``: what is written behind the name.
    """

    family: str
    mode: str | None
    name: str
    call: Function
    how: str = "({args})"


def first_of(call: Function) -> Function:
    """The first result of a function that has two."""
    return lambda *arrays: call(*arrays)[0]


def by_formula(name: str, gelu: Function, exact: object, tanh: object) -> dict[str, Found]:
    """gelu by the formula that is asked: what ``approximate`` is for each."""
    return {
        family: Found(family, FREE, name, partial(gelu, approximate=which), f"({{args}}, approximate={which!r})")
        for family, which in (("gelu", exact), ("gelu_tanh", tanh))
    }


def functions_of(homes: Mapping[str, Any], own: Mapping[str, Found] | None = None) -> tuple[Found, ...]:
    """What a library has: the first home with one of a family's names.

    ``homes``: modules by the name that one writes; ``own``: by family, what the library has under another kind of name.
    """
    found = []
    for mode, families in NAMES.items():
        for family, names in families.items():
            if own and family in own:
                found.append(own[family])
                continue
            named = _first(homes, family, mode, names if family in REDUCTIONS else (family, *names))
            if not named and family in FIRST_OF:
                named = [
                    replace(f, call=first_of(f.call), how="({args})[0]")
                    for f in _first(homes, family, mode, (FIRST_OF[family],))
                ]
            found += named
    for mode, names in INTEGRAL.items():
        found += _first(homes, "rint", mode, names)
    return tuple(found)


def _first(homes: Mapping[str, Any], family: str, mode: str | None, names: Sequence[str]) -> list[Found]:
    there = ((f"{home}.{name}", getattr(module, name, None)) for home, module in homes.items() for name in names)
    return [Found(family, mode, name, call) for name, call in there if callable(call)][:1]


def usual_name(op: Operation) -> str:
    """What most libraries call an operation's function; empty where it is none."""
    for mode, families in NAMES.items():
        if op.family in families:
            own = op.family in (*REDUCTIONS, *WORDS) or mode == SELECTED
            return families[op.family][0] if own else op.family
    return INTEGRAL[op.mode][-1] if op.mode in INTEGRAL and op.family == "rint" else ""


def options(functions: str, pairs: str) -> tuple[bool, bool]:
    """The choices of an adapter, checked: ``functions`` narrow or all, ``pairs`` narrow or all.

    ``functions=all`` asks those of float16 and bfloat16 too, whose tables of 65,536 true values take some seconds
    each, once; ``pairs=all`` functions of two operands on 8 bits, whose tables take a minute.
    """
    for name, value in (("functions", functions), ("pairs", pairs)):
        if value not in ("narrow", "all"):
            raise ValueError(f"{name}={value!r:.40}: choose from narrow, all")
    return functions == "all", pairs == "all"


def elementwise_claims(
    found: Sequence[Found],
    type_name: str,
    pairs: bool = False,
    works: Callable[[Found, Operation], bool] = lambda function, op: True,
) -> Iterator[Operation]:
    """The operations of a library's functions on a type, where the specification defines them and the library has them.

    ``works``: does it, for operands of the type, with the result that the operation has?
    """
    scales = not get_format(type_name).zero
    for function in found:
        for op in _operations(function, type_name, scales):
            two = op.asked.definition in DEFINED and len(op.operands) == 2
            if two and total_width(op) > (16 if pairs else 12):
                continue  # a table of all pairs
            if works(function, op):
                yield op


def _operations(function: Found, type_name: str, scales: bool) -> Iterator[Operation]:
    family = FAMILIES[function.family]
    if scales and (function.family in OF_SCALES or (function.family in FUNCTIONS and family.arity == 1)):
        # arithmetic of which no standard speaks, as the specification's named choice
        yield Operation(function.family, (type_name,) * family.arity, type_name, function.mode, SCALES)
        return
    for op in claims_of({function.family: function.mode}, type_name):
        drops = function.family in FUNCTIONS_OF_TWO and DEFINITIONS[family.definition].despite_nan
        yield replace(op, keys=SIGNALS) if drops else op


class Elementwise:
    """The functions of a library by the operation that asks them."""

    def __init__(self, found: Sequence[Found]) -> None:
        self.found = found
        self._by_claim = {(f.family, f.mode): f for f in found}

    def __contains__(self, op: Operation) -> bool:
        return self.get(op) is not None

    def get(self, op: Operation) -> Found | None:
        """What answers an operation; a free claim answers under every mode."""
        return self._by_claim.get((op.family, op.mode)) or self._by_claim.get((op.family, ANY_MODE))

    def __getitem__(self, op: Operation) -> Found:
        function = self.get(op)
        assert function is not None, op.id
        return function
