"""Mistakes of conversions that are handed their random bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import Expected, expect, project_into_with_status
from ...cases.flags import parts_of
from ...cases.operation import INTEGERS, Operation
from ...cases.stochastic import field_of
from ...spec.catalog import get_format
from ...spec.formats import Format
from ...spec.projection import Projection
from ...spec.rounding import DETERMINISTIC, STOCHASTIC
from ..diagnosis.conversions import projection_rules
from ..diagnosis.rule import ROUNDING_SENTENCES, Asked, Rule

Codes = NDArray[Any]


def stochastic_rules(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Mistakes of conversions that are handed random bits."""
    x, words = operands
    source = op.operands[0]

    def project(rho: Projection, to: Format) -> Expected:
        random = (words, op.random_width) if rho.rounding.is_stochastic else None
        return Expected(*project_into_with_status(source, x, rho, to, op.flags, random))

    precision = float("inf") if source in INTEGERS else get_format(source).p
    asked = Asked(op, parts_of(x, source), expect(op, operands).codes, project, precision)
    zeros = np.zeros_like(words)
    yield Rule("bits-unused", "never rounds up: the random bits are taken for zeros", partial(_with, op, x, zeros))
    for mode in DETERMINISTIC:
        sentence = f"the random bits are not used: {ROUNDING_SENTENCES[mode]}"
        yield Rule(f"rounding-{mode.value}", sentence, asked.instead(rounding=mode))
    for mode in STOCHASTIC:
        if mode is not asked.rho.rounding:
            yield Rule(f"rounding-{mode.value}", f"rounds by {mode.value}", _possible(asked.instead(rounding=mode)))
    for name, sentence, changed in _other_words(op, words):
        yield Rule(name, sentence, partial(_with, op, x, changed))
    for rule in projection_rules(asked):
        if not rule.name.startswith(("rounding-", "ties-", "via-", "sticky-", "subnormals-rounded")):
            yield replace(rule, predict=_possible(rule.predict))


def _with(op: Operation, x: Codes, words: Codes) -> Expected:
    return expect(op, [x, words])


def _possible(predict: Callable[[], Codes | Expected]) -> Callable[[], Codes | Expected]:
    """A prediction that a mode may be unable to make."""

    def found() -> Codes | Expected:
        try:
            return predict()
        except ValueError as error:
            raise NotImplementedError(str(error)) from None

    return found


def _other_words(op: Operation, words: Codes) -> Iterator[tuple[str, str, Codes]]:
    """Words that are read otherwise."""
    low, width = field_of(op)
    wide = words.astype(np.uint64)
    field = wide >> np.uint64(low) & np.uint64((1 << width) - 1)
    rest = wide ^ field << np.uint64(low)
    mask = np.uint64((1 << width) - 1)
    half = width // 2

    def packed(changed: Codes) -> Codes:
        found: Codes = (rest | (changed & mask) << np.uint64(low)).astype(words.dtype)
        return found

    reversed_ = np.zeros_like(field)
    for i in range(width):
        reversed_ |= (field >> np.uint64(i) & np.uint64(1)) << np.uint64(width - 1 - i)
    yield "bits-reversed", "the random bits are taken in reverse order", packed(reversed_)
    yield "bits-inverted", "the random bits are inverted", packed(~field)
    yield (
        "bits-one-more",
        "one is added to the random bits",
        packed(np.where(field == mask, field, field + np.uint64(1))),
    )
    if half:
        coarse = field >> np.uint64(width - half) << np.uint64(width - half)
        yield "bits-upper-half", f"only the upper {half} random bits are used", packed(coarse)
        yield (
            "bits-lower-half",
            f"the lower {half} random bits are used in place of the upper ones",
            packed((field & np.uint64((1 << half) - 1)) << np.uint64(width - half)),
        )
