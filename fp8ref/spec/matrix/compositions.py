"""What the names of accumulators say after a model's own: options, and the ways to compose and finish it.

===============================================  =====================================================================
``@option=value``                                a named choice of the model, or its order over K
``+in.format.rounding``                          operands are rounded into a format first (``units.Converted``)
``+promoteN.fadd|ffma|fmul|triton|triton-fmul``  a partial sum of N products joins a register (``units.Join``)
``+splitS.tW[.interleaved][.pairwise][.f16]``    K in S parts of tiles of W (``units.Split``), added in f16 or bf16
``+streamR.tW.firstF``                           stream-K: a part of F tiles of W, then parts of R tiles
``+splitkS``                                     short for ``+splitS.tk``, k the products of one instruction
``+out.step.step.rounding.overflow``             the epilogue (``epilogue.STEPS``), always last
===============================================  =====================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from ..catalog import get_format
from ..rounding import DETERMINISTIC, get_rounding
from .accumulate import Chain, Composed, Evidence, Join, Model, Promote, Scales, Split, Tree
from .epilogue import out_words
from .units import Converted, Finished, check_operands


def _exponent_or_none(text: str, model: Model) -> int | None:
    return None if text == "none" else int(_spelled(r"-?\d{1,3}", text))


def _nan(text: str, model: Model) -> int:
    code = int(_spelled(r"[0-9A-Fa-f]{1,16}", text), 16)
    if code >> get_format(model.result).k or not get_format(model.result).is_nan_code(code):
        raise ValueError(text)
    return code


def _spelled(pattern: str, text: str) -> str:
    if re.fullmatch(pattern, text) is None:
        raise ValueError(text)
    return text


def _below(limit: int, text: str) -> int:
    value = int(_spelled(r"0|[1-9]\d{0,2}", text))
    if value >= limit:
        raise ValueError(text)
    return value


OPTIONS: dict[str, Callable[[str, Model], Any]] = {  # of at most three decimal digits: no unit's exponents need more
    "zero_exponent": _exponent_or_none,
    "min_exponent": _exponent_or_none,
    "underflow_sign": lambda text, model: {"0": False, "1": True}[text],
    "order": lambda text, model: _spelled(r"up|down|stride[1-9]\d{0,4}", text),
    "daz": lambda text, model: {"none": (), "e5m2": ("e5m2",), "all": model.operands}[text],
    "nan": _nan,
    "sum_bits": lambda text, model: int(_spelled(r"[1-9]\d?", text)),
    "keep_bits": _exponent_or_none,
    "zero_groups": lambda text, model: _spelled("absent|scale", text),
    "lscale": lambda text, model: _below(128 if model.result == "f32" else 16, text),
    "saturate": lambda text, model: {"0": False, "1": True}[text],
    "zero": lambda text, model: _spelled("plus|ieee", text),
}
_PROMOTE = re.compile(rf"promote([1-9]\d{{0,6}})\.({'|'.join(Join)})")
_SPLIT = re.compile(r"split([1-9]\d{0,3})\.t([1-9]\d{0,6})(\.interleaved)?(\.pairwise)?(?:\.(f16|bf16))?")
_STREAM = re.compile(r"stream([1-9]\d{0,5})\.t([1-9]\d{0,6})\.first(0|[1-9]\d{0,5})")
_IN = re.compile(rf"in\.([a-z0-9]{{2,16}})\.({'|'.join(r.value for r in DETERMINISTIC)})")
_SPLITK = re.compile(r"splitk([1-9]\d{0,3})")
FORMS = (
    "in.<format>.<rounding>, "
    f"promote<N>.{'|'.join(Join)}, split<S>.t<W>[.interleaved][.pairwise][.f16|.bf16], stream<R>.t<W>.first<F>, "
    "splitk<S>, and last out.<steps>"
)


def with_option(model: Model, option: str, name: str) -> Model:
    """The model with another choice.  Raises ValueError where it has none of this name or value."""
    key, _, text = option.partition("=")
    known = [f.name for f in fields(model) if f.name in OPTIONS]
    if key not in known:
        raise ValueError(f"accumulator {name!r}: {model.name} has the options {', '.join(known)}, not {key!r}")
    try:
        value = OPTIONS[key](text, model)
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"accumulator {name!r}: {option!r} is not a value of {key}") from None
    return replace(model, name=f"{model.name}@{option}", **{key: value})


def compose(model: Model, suffix: str, name: str) -> Model:
    """The model of a suffix around another.  Raises ValueError where the two do not fit."""
    if isinstance(model, Finished):
        raise ValueError(f"accumulator {name!r}: an epilogue, +out, comes last")
    common: dict[str, Any] = {
        "name": f"{model.name}+{suffix}",
        "inner": model,
        "operands": model.operands,
        "result": model.result,
        "nan": model.nan,
        "scales": model.scales,
        "block": model.block,
        "scale_formats": model.scale_formats,
        "source": f"{model.source}; composed as named",
        "evidence": Evidence.ASSUMED,
        "note": model.note,
    }
    if suffix.startswith("out."):
        try:
            steps, rounding, overflow = out_words(suffix.removeprefix("out."))
        except ValueError as error:
            raise ValueError(f"accumulator {name!r}: {error}") from None
        if model.scales is not Scales.EPILOGUE and any(
            step.lstrip("f") in ("scale", "sab", "sa", "sb") for step in steps
        ):
            raise ValueError(f"accumulator {name!r}: {model.name} takes its scales inside, not in an epilogue")
        common["evidence"] = model.evidence
        return Finished(k=model.k, steps=steps, rounding=rounding, overflow=overflow, **common)
    if match := _IN.fullmatch(suffix):
        return _converted(model, match[1], match[2], name, common)
    if match := _PROMOTE.fullmatch(suffix):
        return _promoted(model, int(match[1]), Join(match[2]), name, common)
    if match := _SPLITK.fullmatch(suffix):
        return _split(model, name, common, parts=int(match[1]), tile=model.k)
    if match := _SPLIT.fullmatch(suffix):
        more = {"interleaved": match[3] is not None, "pairwise": match[4] is not None, "sums": match[5] or ""}
        return _split(model, name, common, parts=int(match[1]), tile=int(match[2]), **more)
    if match := _STREAM.fullmatch(suffix):
        run, tile, first = (int(match[i]) for i in (1, 2, 3))
        return _split(model, name, common, parts=0, tile=tile, first=first, run=run)
    raise ValueError(f"accumulator {name!r}: {suffix!r} is none of {FORMS}")


def _converted(model: Model, operand: str, rounding: str, name: str, common: dict[str, Any]) -> Converted:
    if isinstance(model, Composed):
        raise ValueError(f"accumulator {name!r}: in.{operand}.{rounding} comes first, right after the unit")
    if getattr(model, "plain", False):
        raise ValueError(f"accumulator {name!r}: {model.name} reads codes, also those of NaN, and has no conversion")
    try:
        f = get_format(operand)
        check_operands(model, f.name, f.name)
    except ValueError as error:
        raise ValueError(f"accumulator {name!r}: {error}") from None
    if f.fixed_point or not f.signed:
        raise ValueError(f"accumulator {name!r}: operands are rounded into a signed float format, not {f.name}")
    common |= {"operands": (), "evidence": model.evidence}
    return Converted(operand=f.name, rounding=get_rounding(rounding), k=model.k, **common)


def _split(model: Model, name: str, common: dict[str, Any], *, tile: int, **how: Any) -> Split:
    if isinstance(model, Chain | Tree) and getattr(model, "order", "up") != "up":
        raise ValueError(f"accumulator {name!r}: a split over K needs the order up")
    unit = model.block or 1
    if model.scales is not Scales.EPILOGUE and tile % unit:
        raise ValueError(f"accumulator {name!r}: tiles of {tile} products cut blocks of {unit} that share a scale")
    return Split(tile=tile, k=model.k, **how, **common)


def _promoted(model: Model, every: int, join: Join, name: str, common: dict[str, Any]) -> Promote:
    if every % model.k:
        raise ValueError(f"accumulator {name!r}: {every} is no multiple of the {model.k} products of one instruction")
    if model.scales is not Scales.EPILOGUE:
        raise ValueError(f"accumulator {name!r}: {model.name} takes its scales inside and is not promoted here")
    if join is not Join.FADD:
        common |= {"scales": Scales.CHUNK, "block": every}
    return Promote(every=every, join=join, k=every, **{**common, "evidence": Evidence.REPORTED})
