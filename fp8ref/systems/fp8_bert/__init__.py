"""FP8-BERT: post-training quantisation of a transformer by calibration and format conversion.

After "FP8-BERT: Post-Training Quantization for Transformer" (2023), whose abstract gives the method: simple calibration
and format conversion, with INT8 as baseline.  The scale rule, the list of layers and the model here are our reading.
The network is all-MiniLM-L6-v2 with its published weights.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from .. import Table
from ..watch import report
from . import crowd
from .experiment import EXACT, Findings, measure, search
from .network import Network
from .recipes import RECIPES
from .severity import FORMATS, crossover, predicted
from .vectors import golden

__all__ = ["findings", "golden", "table", "verdicts"]


@cache
def findings() -> Findings:
    """The experiment on the installed weights, run once in a process; minutes.

    Raises ImportError where the weights are not installed.
    """
    try:
        network = Network.load()
    except FileNotFoundError as error:
        raise ImportError(str(error)) from None
    layers = len(network.linear_layers)
    steps = layers * (len(RECIPES) + len(EXACT))
    short = measure(network, watch=lambda done, of: report(done, steps))
    return replace(short, crowd=search(network, watch=lambda done, of: report(layers * len(RECIPES) + done, steps)))


def table(found: Findings | None = None) -> Table:
    """The outcome of every recipe, by default of a run now; the notes compare the theory with the measurement."""
    found = found or findings()
    rows = tuple(
        (
            o.recipe.name,
            f"{o.cosine_mean:.6f}",
            f"{o.cosine_min:.6f}",
            f"{o.tau:.4f}",
            *_of_the_crowd(found, o.recipe.name),
            f"{min(o.layers):.2f}",
            f"{o.layers[-1]:.2f}",
        )
        for o in found.outcomes
    )
    columns = ("recipe", "cosine", "worst", "tau", "same first", "found", "worst dB", "last dB")
    same, right = min(o.same_first for o in found.outcomes), {o.found for o in found.outcomes}
    notes = (
        f"{found.questions} questions to as many passages, {found.tokens} tokens. cosine: with float32's embedding, "
        "mean and worst; tau: Kendall's, with float32's order of the passages; dB: SQNR of a linear layer's output, "
        f"errors of earlier layers included. At least {same} of the {found.questions} questions keep float32's first "
        f"passage under every recipe; float32 finds {found.found}, the recipes {' or '.join(map(str, sorted(right)))}.",
        *_crowd_note(found),
        *verdicts(found),
    )
    return Table("all-MiniLM-L6-v2 with every linear layer quantised", columns, rows, notes)


def _of_the_crowd(found: Findings, name: str) -> tuple[str, str]:
    """Questions whose first passage is float32's, and those whose first passage is the right one."""
    own = [c for c in found.crowd if c.name == name]
    return (f"{own[0].same_first}/{sum(own[0].kinds)}", f"{own[0].found}/{sum(own[0].kinds)}") if own else ("-", "-")


def _crowd_note(found: Findings) -> tuple[str, ...]:
    if not found.crowd:
        return ()
    plain, *others = found.crowd
    questions = sum(plain.kinds)
    wrong = "; ".join(
        f"{kind} {plain.kinds[i]}, recipes {min(c.kinds[i] for c in others)} to {max(c.kinds[i] for c in others)}"
        for i, kind in enumerate(crowd.KINDS)
        if i
    )
    return (
        f"same first, found: {questions} questions to {questions * len(crowd.KINDS)} passages, where three passages "
        f"differ from the right one in a number, the order of two names, or a negation; float32 finds {plain.found}. "
        f"First passages that differ from the right one in: {wrong}.",
    )


def verdicts(found: Findings) -> tuple[str, ...]:
    """Did theory predict the measurement?  Of activations and of weights."""
    said = []
    for operand in ("activations", "weights"):
        own = [t for t in found.tensors if t.operand == operand]
        right = {
            f: sum((t.severity > crossover(f)) == (t.sqnr[f] > t.sqnr[FORMATS[0]]) for t in own) for f in FORMATS[1:]
        }
        away = {f: [abs(t.sqnr[f] - predicted(f, t.severity)) for t in own] for f in FORMATS}
        errors = ", ".join(f"{f} {sum(d) / len(d):.2f} ({max(d):.2f})" for f, d in away.items())
        choices = ", ".join(f"{f} {n}/{len(own)}" for f, n in right.items())
        low, high = min(t.severity for t in own), max(t.severity for t in own)
        said.append(
            f"{operand}: amax/sigma {low:.1f} to {high:.1f}; better or worse than INT8 as predicted: {choices}; "
            f"prediction off by dB, mean (largest): {errors}."
        )
    crossings = ", ".join(f"{f} beats INT8 from amax/sigma = {crossover(f):.2f}" for f in FORMATS[1:])
    return (f"theory: {crossings}.", *said)
