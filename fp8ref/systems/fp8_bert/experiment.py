"""The experiment: a sentence encoder before and after post-training quantisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...fast.chunks import get_threads
from . import crowd
from .network import F32s, Network
from .recipes import RECIPES, QuantisedLinear, Range, Recipe, quantise_activations, quantise_weights
from .severity import FORMATS, severity, sqnr
from .texts import CALIBRATION, PASSAGES, QUESTIONS

EXACT = tuple(recipe for recipe in RECIPES if recipe.accumulator == "exact")  # the crowd is too much for the units
Watch = Callable[[int, int], None]  # linear layers computed, and how many there are to compute


@dataclass(frozen=True)
class Outcome:
    """What a recipe does to the encoder.

    ``cosine_mean``, ``cosine_min``: of an embedding with its float32 one, over all sentences.  ``tau``: Kendall's rank
    correlation with float32's order of the passages, mean over the questions.  ``same_first``: questions whose first
    passage is float32's; ``found``: whose first passage is the right one.  ``layers``: SQNR in dB of every linear
    layer's output inside the quantised network, errors of earlier layers included.
    """

    recipe: Recipe
    cosine_mean: float
    cosine_min: float
    tau: float
    same_first: int
    found: int
    layers: tuple[float, ...]


@dataclass(frozen=True)
class Choice:
    """What float32, or a recipe, finds in the crowd: the first passage of each question.

    ``same_first``: questions whose first passage is float32's.  ``kinds``: questions whose first passage is of each of
    ``crowd.KINDS``; ``found``: those of the first kind, and of the question's own group.
    """

    name: str
    same_first: int
    found: int
    kinds: tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """One operand of a linear layer: its outlier severity, and its SQNR in dB under each of ``severity.FORMATS``."""

    layer: str
    operand: str  # activations or weights
    severity: float
    sqnr: dict[str, float]


@dataclass(frozen=True)
class Findings:
    """Everything measured in one run."""

    tokens: int
    questions: int
    found: int  # questions that float32 answers rightly
    layers: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    tensors: tuple[Tensor, ...]
    crowd: tuple[Choice, ...] = ()  # float32's first

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Findings:
        """The inverse of :meth:`document`."""
        outcomes = (
            Outcome(**{**o, "recipe": Recipe(**o["recipe"]), "layers": tuple(o["layers"])})
            for o in document["outcomes"]
        )
        tensors = (Tensor(**t) for t in document["tensors"])
        crowd = (Choice(**{**c, "kinds": tuple(c["kinds"])}) for c in document.get("crowd", ()))
        lists = {
            "layers": tuple(document["layers"]),
            "outcomes": tuple(outcomes),
            "tensors": tuple(tensors),
            "crowd": tuple(crowd),
        }
        return cls(**{**document, **lists})


@dataclass
class Recorder:
    """A float32 pass that remembers every linear layer's inputs and outputs."""

    network: Network
    inputs: dict[str, F32s] = field(default_factory=dict)
    outputs: dict[str, F32s] = field(default_factory=dict)

    def __call__(self, layer: str, x: F32s) -> F32s:
        self.inputs[layer], self.outputs[layer] = x, self.network.float32(layer, x)
        return self.outputs[layer]


def calibrate(network: Network, texts: Sequence[str] = CALIBRATION) -> dict[str, Range]:
    """The range of every linear layer's input over a text, in float32."""
    recorder = Recorder(network)
    network.embed(texts, recorder)
    return {layer: Range().widened(x) for layer, x in recorder.inputs.items()}


def measure(
    network: Network,
    recipes: Sequence[Recipe] = RECIPES,
    passages: Sequence[str] = PASSAGES,
    questions: Sequence[str] = QUESTIONS,
    watch: Watch = lambda done, of: None,
) -> Findings:
    """Quantise every linear layer by each recipe and compare with float32.  Recipes share the threads of fp8ref."""
    seen = calibrate(network)
    texts = (*passages, *questions)
    recorder = Recorder(network)
    reference = network.embed(texts, recorder)
    layers, done = network.linear_layers, 0

    def outcome(recipe: Recipe) -> Outcome:
        levels: list[float] = []

        def linear(layer: str, x: F32s) -> F32s:
            nonlocal done
            y = QuantisedLinear.make(recipe, network.weight(layer), network.bias(layer), seen[layer])(x)
            levels.append(sqnr(recorder.outputs[layer], y))
            done += 1
            watch(done, len(layers) * len(recipes))
            return y

        found = network.embed(texts, linear)
        cosines = np.sum(found.astype(np.float64) * reference, axis=1)
        order, original = (_scores(v, len(passages)) for v in (found, reference))
        first, before = order.argmax(axis=1), original.argmax(axis=1)
        return Outcome(
            recipe,
            float(cosines.mean()),
            float(cosines.min()),
            float(np.mean([kendall(a, b) for a, b in zip(order, original)])),
            int((first == before).sum()),
            int((first == np.arange(len(questions))).sum()),
            tuple(levels),
        )

    with ThreadPoolExecutor(get_threads()) as pool:
        outcomes = tuple(pool.map(outcome, recipes))
    right = _scores(reference, len(passages)).argmax(axis=1) == np.arange(len(questions))
    tokens = next(iter(recorder.inputs.values())).shape[0]
    return Findings(tokens, len(questions), int(right.sum()), layers, outcomes, tensors(network, recorder, seen))


def search(
    network: Network,
    recipes: Sequence[Recipe] = EXACT,
    passages: Sequence[str] = crowd.PASSAGES,
    questions: Sequence[str] = crowd.QUESTIONS,
    watch: Watch = lambda done, of: None,
) -> tuple[Choice, ...]:
    """Which passage float32 and each recipe rank first.

    ``passages``: those of each of ``crowd.KINDS`` in turn, in the order of the questions.
    """
    seen, texts, count, done = calibrate(network), (*passages, *questions), len(questions), 0
    own = _scores(network.embed(texts), len(passages)).argmax(axis=1)

    def choice(name: str, first: NDArray[np.intp]) -> Choice:
        kinds = np.bincount(first // count, minlength=len(passages) // count)
        return Choice(
            name,
            int((first == own).sum()),
            int((first == np.arange(count)).sum()),
            tuple(kinds.tolist()),
        )

    def quantised(recipe: Recipe) -> Choice:
        def linear(layer: str, x: F32s) -> F32s:
            nonlocal done
            y = QuantisedLinear.make(recipe, network.weight(layer), network.bias(layer), seen[layer])(x)
            done += 1
            watch(done, len(network.linear_layers) * len(recipes))
            return y

        return choice(recipe.name, _scores(network.embed(texts, linear), len(passages)).argmax(axis=1))

    with ThreadPoolExecutor(get_threads()) as pool:
        return (choice("float32", own), *pool.map(quantised, recipes))


def tensors(network: Network, recorder: Recorder, seen: dict[str, Range]) -> tuple[Tensor, ...]:
    """Severity and SQNR of the distinct operands: query, key and value share their input."""
    found = []
    for layer in network.linear_layers:
        for operand, x in (("activations", recorder.inputs[layer]), ("weights", network.weight(layer))):
            if operand == "activations" and layer.endswith(("key", "value")):
                continue
            forms = {
                f: quantise_weights(x, f) if operand == "weights" else quantise_activations(x, f, seen[layer])
                for f in FORMATS
            }
            levels = {f: sqnr(x, q.values) for f, q in forms.items()}
            found.append(Tensor(layer, operand, severity(x, forms[FORMATS[0]]), levels))
    return tuple(found)


def _scores(vectors: F32s, passages: int) -> NDArray[np.float64]:
    """(questions, passages)"""
    wide = vectors.astype(np.float64)
    scores: NDArray[np.float64] = wide[passages:] @ wide[:passages].T
    return scores


def kendall(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Kendall's tau of two score lists without ties: pairs in the same order less those in the other, over all."""
    i, j = np.triu_indices(len(a), 1)
    return float(np.mean(np.sign(a[i] - a[j]) * np.sign(b[i] - b[j])))
