"""``fp8ref identify``: which accumulator is inside a matrix unit, or which recipe made a tensor's scales?"""

from __future__ import annotations

import sys
from typing import Any

import click
from numpy.typing import NDArray

from ..ask.identify import identified, products
from ..cases.operation import Operation
from ..check.harness.transport import Crashed, Declined, Session, TimedOut
from ..check.identify.identify import LIMIT, MANY, RANDOM
from ..check.identify.tensors import identify_tensors
from ..check.run import NothingSelected
from ..escapes import plain, plain_data
from ..fast.chunks import set_threads
from ..report.findings.identification import document, page
from ..report.findings.recipes import recipe_document, recipe_page
from . import complete
from .console import print_json
from .errors import BadInput, OneLine
from .inputs import Seconds
from .say import prose, say, status
from .starting import open_session
from .tensor_files import read_tensor

NONE_FOUND, INTERRUPTED, NOTHING_RAN, FAILED = 1, 2, 5, 6


@click.command("identify", cls=OneLine)
@click.argument("wanted", metavar="[SELECT]...", nargs=-1)
@click.option(
    "--impl", shell_complete=complete.implementations,
    help="The implementation, or a replay: [kind:]id[,key=value...].",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the random cases.")
@click.option(
    "--random", "count", type=click.IntRange(100, 10_000_000), default=RANDOM, show_default=True,
    help="Random products, in addition to the probes.",
)  # fmt: skip
@click.option("--timeout", type=Seconds(), default=60.0, show_default=True, help="Seconds for one call.")
@click.option("--limit", type=Seconds(), default=LIMIT, show_default=True, help="Seconds that fitting a unit may take.")
@click.option(
    "--most", type=click.IntRange(0, 10_000), default=MANY, show_default=True,
    help="Stop searching a capture once it fits more compositions than this.",
)  # fmt: skip
@click.option("--quantized", metavar="FILE[:NAME]", help="Codes: npy, npz or safetensors.")
@click.option("--scales", metavar="FILE[:NAME]", help="Their scales, float32 or bytes.")
@click.option("--original", metavar="FILE[:NAME]", help="The tensor that was quantised.")
@click.option("--element", help="The format of the codes, where the file does not name it.")
@click.option("--scale-format", help="The format of the scales: f32, e8m0fnu, e4m3fn or ue5m3.")
@click.option(
    "--tensor-amax", type=float, help="The largest magnitude of the tensor, for recipes with two levels of scales."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def identify_(
    wanted: tuple[str, ...],
    impl: str | None,
    seed: int,
    count: int,
    timeout: float,
    limit: float,
    most: int,
    quantized: str | None,
    scales: str | None,
    original: str | None,
    element: str | None,
    scale_format: str | None,
    tensor_amax: float | None,
    as_json: bool,
) -> None:
    """Which accumulator is inside a matrix unit?  Which recipe made these scales?

    With --quantized, --scales and --original: find the recipe of block scaling that gives every bit, or else the
    nearest recipe and the first group that differs.

    With --impl: treat a matrix unit as a black box.  fp8ref sends probes, finds the order of the additions, fits the
    parameters of a fused unit, and names the catalogued models that give every answer, if there are any.  SELECT
    chooses among the claimed dot and matrix products.  A replay has only its captured cases; the report says what
    they cannot decide.

    \b
    fp8ref identify --impl py:my_gpu:Wgmma
    fp8ref identify --impl replay:h100.capture.jsonl --json
    fp8ref identify --quantized w.npz:q --scales w.npz:s --original w.npz:x

    Exit codes: 0 each product is one class of the catalogue, or a recipe fits, 1 otherwise, 2 interrupted (what was
    found is shown), 5 no product is claimed, 6 the implementation failed.
    """
    set_threads(1)
    files = {"--quantized": quantized, "--scales": scales, "--original": original}
    if any(files.values()):
        missing = [name for name, text in files.items() if not text]
        if missing or impl or wanted:
            raise BadInput(f"codes, scales and original go together, without --impl: {', '.join(missing) or impl} ")
        _identify_recipe(
            [read_tensor(str(text)) for text in files.values()], element, scale_format, tensor_amax, as_json
        )
    if impl is None:
        raise BadInput("--impl, or --quantized, --scales and --original; see `fp8ref identify --help`")
    with open_session(impl, timeout) as session:
        found, failures, interrupted = _each(session, impl, wanted, seed, count, (limit, most), as_json)
    if as_json:
        print_json(found[0] if len(found) == 1 and not failures else {"identifications": found, "failures": failures})
    if interrupted:
        sys.exit(INTERRUPTED)
    sys.exit(FAILED if failures else 0 if all(d["decided"] for d in found) else NONE_FOUND)


def _identify_recipe(
    tensors: list[NDArray[Any]], element: str | None, scale_format: str | None, amax: float | None, as_json: bool
) -> None:
    try:
        found = identify_tensors(*tensors, element=element, scale_format=scale_format, tensor_amax=amax)
    except ValueError as error:
        raise BadInput(str(error)) from None
    if as_json:
        print_json(recipe_document(found))
    else:
        prose(recipe_page(found))
    sys.exit(0 if found.fits else NONE_FOUND)


def _each(
    session: Session,
    impl: str,
    wanted: tuple[str, ...],
    seed: int,
    count: int,
    bounds: tuple[float, int],
    as_json: bool,
) -> tuple[list[dict[str, object]], list[str], bool]:
    identity = dict(session.hello.identity)
    shown = plain_data(identity)
    found: list[dict[str, object]] = []
    failures: list[str] = []
    for n, claim in enumerate(_products(session, wanted)):
        try:
            result = identified(session, impl, claim, seed, count, *bounds, _progress)
        except (Declined, Crashed, TimedOut) as error:
            failures.append(f"{claim.id}: {error}")
            say(f"{claim.id}: {error}", err=True)
            continue
        found.append(document(result, identity))
        if not as_json:
            prose(("\n" if n else "") + page(result, shown))
        if result.interrupted:
            return found, failures, True
    return found, failures, False


def _products(session: Session, wanted: tuple[str, ...]) -> list[Operation]:
    """The selected products.  Exit 5 where there is none."""
    try:
        return products(session, wanted)
    except NothingSelected as error:
        prose(f"nothing ran: {plain(str(error))}", err=True)
        sys.exit(NOTHING_RAN)
    except ValueError as error:
        raise BadInput(f"capabilities(): {error}") from None


def _progress(text: str) -> None:
    status(f"{text} ..." if text else "")
