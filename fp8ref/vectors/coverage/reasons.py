"""Why a bin has few cases, or none: what a conversion, a unit or a scale delivers seldom or never, found exactly."""

from __future__ import annotations

import numpy as np

from ...cases.answers import expect
from ...cases.operation import INTEGERS, Operation, carrier_dtype
from ...fast.decode import decode_codes
from ...fast.encode import convert_codes
from ...spec.catalog import get_format
from ...spec.formats import Format
from ...spec.matrix.units import Fused, GroupDot, Model, TwoChains
from ...spec.projection import get_projection
from ..section import Codes
from .classes import CLASSES, classes, sizes

FEW = 8  # codes of a class that are looked at one by one


def few_results(op: Operation) -> dict[str, float]:
    """Classes of results of a conversion that its exact values alone give: how many operands there are.

    Rounding is monotone: where neither neighbour of an exact operand gives its result, no other number does.
    """
    if op.family != "convert" or op.operands[0] in INTEGERS or op.result in INTEGERS or op.random_width:
        return {}
    source, f = get_format(op.operands[0]), op.result_format
    if f.k > 16 or not f.zero or not source.zero:
        return {}
    codes = np.arange(1 << f.k, dtype=carrier_dtype(f.name))
    exact = convert_codes(codes, f, source, get_projection(source, "rne", "nonsat"), False)[0]
    back = convert_codes(exact, source, f, get_projection(f, "rne", "nonsat"), False)[0]
    number = (back == codes) & (_magnitudes(exact, source) <= _end(source))
    alone = number.copy()
    for beside in _neighbours(exact, source):
        alone &= (beside == exact) | (expect(op, [beside]).codes != codes)
    which = classes(codes, f.name)
    found = {}
    for i, (name, there) in enumerate(zip(CLASSES, sizes(f.name))):
        members = which == i
        if 0 < there <= FEW and alone[members].all():
            found[name] = float(there)
    return found


def few_exact(op: Operation) -> tuple[dict[str, float], dict[str, float]]:
    """Of a conversion: how many operands are numbers of the result, by sign; and by the parity of their codes."""
    f = op.result_format
    if op.family != "convert" or op.operands[0] in INTEGERS or not f.zero:
        return {}, {}
    signs = ("+", "-") if f.signed else ("+",)
    parity = {"000.0": f.max_code // 2, "000.1": (f.max_code + 1) // 2}
    return {f"{s}exact": float(f.max_code) for s in signs}, {k: float(n * len(signs)) for k, n in parity.items()}


def _magnitudes(codes: Codes, f: Format) -> Codes:
    return codes.astype(np.uint64) & np.uint64(f.magnitude_mask)


def _end(f: Format) -> int:
    """The magnitude of the last code that is no NaN."""
    return f.infinity_code if f.infinities else f.max_code


def _neighbours(codes: Codes, f: Format) -> list[Codes]:
    """The codes beside each in value; both of the smallest beside a zero."""
    sign = codes & codes.dtype.type(f.sign_bit) if f.signed else np.zeros_like(codes)
    magnitude = codes ^ sign
    up = np.minimum(magnitude + (magnitude < _end(f)), _end(f)).astype(codes.dtype)
    down = np.where(magnitude == 0, 1, magnitude - (magnitude > 0)).astype(codes.dtype)
    other = codes.dtype.type(f.sign_bit) if f.signed and not f.has_negative_zero else codes.dtype.type(0)
    return [up | sign, down | np.where(magnitude == 0, sign ^ other, sign)]


def never_from_unit(model: Model | None) -> dict[str, str]:
    """Classes of results that an accumulator never gives, by what its model says of its zeros and its last bit."""
    found: dict[str, str] = {}
    if isinstance(model, TwoChains) or getattr(model, "flush", False):
        found |= {s + name: "the unit has no subnormal results" for s in "+-" for name in ("minsub", "sub", "maxsub")}
    if isinstance(model, GroupDot) or (isinstance(model, Fused) and not model.underflow_sign):
        found["-zero"] = "every zero of the unit is +0"
    if isinstance(model, Fused) and not model.c_last:
        f = model.format
        grain = None if model.min_exponent is None else model.min_exponent - model.fraction_bits
        if grain is not None and grain > f.emin - f.t:
            found |= {s + name: f"the unit cuts at 2^{grain}" for s in "+-" for name in ("minsub", "maxsub")}
        if 0 < model.precision < f.p:
            found |= {s + "maxnorm": f"the unit keeps {model.precision} bits" for s in "+-"}
    return found


def largest_scale(scale: str, code: int) -> dict[str, str]:
    """Whether the scale of the largest block is the largest there is."""
    f = get_format(scale)
    if code >= f.max_code or code > f.magnitude_mask:
        return {}
    value = decode_codes(np.array([code], carrier_dtype(scale)), f, get_format("f64")).view(np.float64)[0]
    return {"+maxnorm": f"the largest block has the scale {code:02X}, {value:.6g}"}
