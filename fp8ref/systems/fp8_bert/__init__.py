"""FP8-BERT: post-training quantisation of a transformer by calibration and format conversion.

After "FP8-BERT: Post-Training Quantization for Transformer" (2023), whose abstract gives the method: simple calibration
and format conversion, with INT8 as baseline.  The scale rule, the list of layers and the model here are our reading.
The network is all-MiniLM-L6-v2 with its published weights.
"""

from __future__ import annotations

from functools import cache

from .. import Table
from ..watch import report
from .experiment import Findings, measure
from .network import Network
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
    return measure(network, watch=report)


def table(found: Findings | None = None) -> Table:
    """The outcome of every recipe, by default of a run now; the notes compare the theory with the measurement."""
    found = found or findings()
    rows = tuple(
        (
            o.recipe.name,
            f"{o.cosine_mean:.6f}",
            f"{o.cosine_min:.6f}",
            f"{o.tau:.4f}",
            f"{o.same_first}/{found.questions}",
            f"{o.found}/{found.questions}",
            f"{min(o.layers):.2f}",
            f"{o.layers[-1]:.2f}",
        )
        for o in found.outcomes
    )
    columns = ("recipe", "cosine", "worst", "tau", "same first", "found", "worst dB", "last dB")
    notes = (
        f"{found.questions} questions to as many passages, {found.tokens} tokens; float32 finds "
        f"{found.found}/{found.questions}. cosine: with float32's embedding, mean and worst; tau: Kendall's, with "
        "float32's order of the passages; dB: SQNR of a linear layer's output, errors of earlier layers included.",
        *verdicts(found),
    )
    return Table("all-MiniLM-L6-v2 with every linear layer quantised", columns, rows, notes)


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
