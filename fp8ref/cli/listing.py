"""``fp8ref list``: formats, operations, implementations, accumulator models, profiles, recipes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from fractions import Fraction

import click

from ..adapters.base import Unavailable
from ..adapters.connect import connect, registered
from ..audit.conventions import CONVENTIONS
from ..cases.families import FAMILIES
from ..escapes import page
from ..report.findings.documents import Document, format_document
from ..report.formats.numbers import decimal_text
from ..report.terminal import rows, shown
from ..spec import catalog
from ..spec.datum import floor_log2, power_of_two
from ..spec.formats import Format, NaNs
from ..spec.matrix.models import models
from ..spec.profiles.catalog import PROFILES
from ..spec.scaling.named import named
from .console import console, print_json
from .errors import BadInput, OneLine
from .say import prose, say

DOCUMENTS = {
    catalog.OFP8: "OCP OFP8 1.0",
    catalog.MX: "OCP MX 1.0",
    catalog.P3109: "P3109 v4.0 draft",
    catalog.FNUZ: "arXiv 2206.02915",
    catalog.LLVM: "LLVM APFloat",
    catalog.CUDA: "CUDA 13",
    catalog.IEEE754: "IEEE 754-2019",
}
NANS = {NaNs.NONE: "-", NaNs.IEEE: "IEEE", NaNs.ALL_ONES: "all 1s", NaNs.NEGATIVE_ZERO: "at -0"}
EXAMPLES = {f.name: f.example for f in FAMILIES.values()}


def _formats(everything: bool) -> None:
    every = catalog.formats()
    family = [f.name for f in every if f.source == catalog.P3109]
    numbers = [(name, "right") for name in ("k", "p", "bias", "emin", "emax", "max", "min")]
    heads = [("format", "left"), *numbers, ("inf", "left"), ("NaN", "left"), ("document", "left")]
    table(heads, (_format_row(f) for f in every if everything or f.name not in family))
    say()
    if not everything:
        say(f"and {len(family)} formats binary<k>p<p><s|u><e|f> of IEEE P3109, k from 3 to 8 (--all)")
    prose("Any eXmY[bB] with fn, fnuz, fnu or no suffix and any binary<k>p<p><s|u><e|f> up to 16 bits works.")


def _format_row(f: Format) -> list[str]:
    bias = "-" if f.fixed_point else str(f.bias)
    return [
        f.name,
        *map(str, (f.k, f.p, bias, f.emin, f.emax)),
        _size(f.max),
        _size(f.min_subnormal),
        "yes" if f.infinities else "no",
        NANS[f.nans],
        DOCUMENTS.get(f.source, f.source.partition(":")[0].partition(";")[0].removesuffix(" whitepaper")),
    ]


def _size(x: Fraction) -> str:
    """A value as a power of two where it is one and small or large, else in at most 7 digits."""
    e = floor_log2(x)
    return f"2^{e}" if x == power_of_two(e) and not -4 < e < 10 else decimal_text(x, 7, 3)


def _formats_document() -> list[Document]:
    return [{k: v for k, v in format_document(f).items() if k != "values"} for f in catalog.formats()]


def _operations(everything: bool) -> None:
    rows = ((f.name, str(f.arity), f.mode or "none", EXAMPLES.get(f.name, ""), f.asks) for f in FAMILIES.values())
    table([("family", "left"), ("operands", "right"), ("mode", "left"), ("example", "left"), ("asks", "left")], rows)


def _operations_document() -> list[Document]:
    return [
        {"family": f.name, "operands": f.arity, "mode": f.mode, "asks": f.asks, "example": EXAMPLES.get(f.name)}
        for f in FAMILIES.values()
    ]


def _impls_document() -> list[Document]:
    return [_impl(name) for name in registered()]


def _impl(name: str) -> Document:
    """Can an implementation be started here, and what does it say of itself?"""
    try:
        identity = dict(connect(name).identify())
    except Unavailable as error:
        return {"impl": name, "here": False, "about": str(error)}
    except ValueError as error:  # a family of implementations, each with a name of its own, named by the error
        return {"impl": f"{name}:NAME", "here": True, "about": str(error).rpartition("; ")[2]}
    except Exception as error:  # somebody else's adapter
        return {"impl": name, "here": False, "about": f"{type(error).__name__}: {error}"}
    return {"impl": name, "here": True, "about": " ".join(str(value) for value in identity.values())}


def _impls(everything: bool) -> None:
    found = _impls_document()
    table(
        [("impl", "left"), ("runs here", "left"), ("which, or why not", "left")],
        ((d["impl"], "yes" if d["here"] else "no", d["about"]) for d in found),
    )
    prose("\nand py:module:Class, your own; packages add theirs in the entry-point group fp8ref.adapters")


def _models(everything: bool) -> None:
    table(
        [("model", "left"), ("result", "left"), ("k", "right"), ("evidence", "left"), ("operands", "left")],
        ((m.name, m.result, str(m.k), m.evidence.value, " ".join(m.operands) or "any") for m in models()),
    )
    prose("\nk: products of one instruction.  --json shows each model's source.")


def _models_document() -> list[Document]:
    return [
        {
            "model": m.name,
            "operands": list(m.operands),
            "result": m.result,
            "k": m.k,
            "evidence": m.evidence.value,
            "source": m.source,
            "note": m.note,
        }
        for m in models()
    ]


def _profiles(everything: bool) -> None:
    table(
        [("profile", "left"), ("", "left"), ("what", "left")],
        ((p.name, "specification" if p.specification else "observed", p.title) for p in PROFILES.values()),
    )
    prose("\nOnly specifications can be met; the others describe what somebody does.  --json shows the rules.")


def _profiles_document() -> list[Document]:
    return [asdict(profile) for profile in PROFILES.values()]


def _recipes(everything: bool) -> None:
    table(
        [("recipe", "left"), ("stack", "left"), ("factors", "left")],
        ((entry.name, entry.stack, str(entry.recipe)) for entry in named().values()),
    )
    prose("\nA recipe is its name, or these words; a name may be followed by other factors: vllm-group floor=s:1e-12.")
    prose("--json adds each recipe's source, versions and note.")


def _recipes_document() -> list[Document]:
    return [{**asdict(entry), "text": str(entry.recipe)} for entry in named().values()]


def _conventions(everything: bool) -> None:
    table(
        [("convention", "left"), ("producers", "left")],
        ((row.name, ", ".join(row.producers)) for row in CONVENTIONS),
    )
    prose("\nHow producers store quantised tensors, as fp8ref audit knows them.  --json adds names, types and sources.")


def _conventions_document() -> list[Document]:
    return [asdict(row) for row in CONVENTIONS]


WHAT: dict[str, tuple[Callable[[bool], None], Callable[[], list[Document]]]] = {
    "formats": (_formats, _formats_document),
    "operations": (_operations, _operations_document),
    "impls": (_impls, _impls_document),
    "models": (_models, _models_document),
    "profiles": (_profiles, _profiles_document),
    "recipes": (_recipes, _recipes_document),
    "conventions": (_conventions, _conventions_document),
}


@click.command("list", cls=OneLine)
@click.argument("what", metavar="|".join(WHAT), required=False)
@click.option("--all", "everything", is_flag=True, help="formats: list those of IEEE P3109 one by one, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_(what: str | None, everything: bool, as_json: bool) -> None:
    """What there is: formats, operations, implementations, models, profiles, recipes, conventions of model files."""
    if what not in WHAT:
        raise BadInput(f"list {what or 'what'}? choose from {', '.join(WHAT)}")
    tell_text, document = WHAT[what]
    if as_json:
        print_json(document())
    else:
        tell_text(everything)


def table(columns: Sequence[tuple[str, str]], cells: Iterable[Sequence[str]]) -> None:
    """Print rows under headings; a column is (heading, "left" or "right"), and the last one wraps."""
    right = [i for i, (_, side) in enumerate(columns) if side == "right"]
    out = console()
    shown(out, rows([heading for heading, _ in columns], [list(map(page, row)) for row in cells], out.width, right))
