"""Which blocks are asked to be scaled: largest magnitudes where a scale changes, elements where a code does.

Every case is a row of elements and, for schemes that need it, the largest magnitude of a tensor.  The same operation,
level and seed give the same cases.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...arrays.conversion import FLOAT_DTYPES
from ...fast.blocks import amax_bits
from ...spec.catalog import get_format
from ...spec.datum import floor_log2
from ..operation import ANY_MODE, INTEGERS, Operation
from ..thresholds import thresholds
from .questions import Codes, elements, is_recipe, quantiser

F32s = NDArray[np.float32]
ELEMENTS = {1: 1 << 17, 2: 1 << 21, 3: 1 << 24}  # of all cases together
FEWEST, MOST = 24, {1: 1 << 12, 2: 1 << 16, 3: 1 << 19}
SIGNS, ZEROS = np.array([-1, 1], np.float32), np.array([0.0, -0.0], np.float32)
TINIEST, LEAST_NORMAL, INFINITE, QUIET = 1, 0x00800000, 0x7F800000, 0x7FC00000


class _Draw:
    """Rows of one operation, in binary32."""

    def __init__(self, op: Operation, n: int, rng: np.random.Generator) -> None:
        self.op, self.n, self.b, self.rng = op, n, elements(op), rng
        self.q = quantiser(op)
        self.rule = self.q.rules[0] if op.mode == ANY_MODE else op.mode or ""
        self.marks = self._marks()
        self.rows = np.arange(n)

    def _marks(self) -> NDArray[np.float64]:
        """Magnitudes of scaled elements at which their codes change."""
        if self.q.grid in INTEGERS:
            return np.arange(0, 128.5, 0.5) / (1 if self.q.grid == "i8" else 128)
        return thresholds(get_format(self.q.grid))

    def significands(self) -> NDArray[np.uint32]:
        """Trailing significands of binary32 at which a rule may choose another scale, and their neighbours."""
        found = [1.0, 1.25, 1.5, 1.75, 1.9375, 2 - 2.0**-23]
        if self.q.grid not in INTEGERS:
            f = get_format(self.q.grid)
            top = float(f.max) / 2.0 ** floor_log2(f.max)
            found += [top, *(2 - 2.0**-j for j in range(f.t, f.t + 4)), *(top + top * s * 2.0**-23 for s in (-1, 1))]
        bits = np.array([x for x in found if 1 <= x < 2], np.float32).view(np.uint32) & np.uint32(0x7FFFFF)
        near = np.concatenate([bits + np.uint32(d) for d in (-3 & 0xFFFFFFFF, 0xFFFFFFFF, 0, 1, 2, 3)])
        return np.unique(near & np.uint32(0x7FFFFF))

    def finite(self, e: NDArray[np.int64], trailing: NDArray[np.uint32]) -> F32s:
        field = np.clip(e + 127, 0, 254).astype(np.uint32) << np.uint32(23)
        return (field | trailing.astype(np.uint32)).view(np.float32)

    def amax(self) -> F32s:
        """Largest magnitudes: any exponent, often at an end of the range, with the significands that matter."""
        rng, n = self.rng, self.n
        ends = rng.choice(np.concatenate([np.arange(-127, -100), np.arange(100, 128)]), n)
        e = np.where(rng.random(n) < 0.4, ends, rng.integers(-30, 31, n))
        drawn = rng.integers(0, 1 << 23, n).astype(np.uint32)
        return self.finite(e, np.where(rng.random(n) < 0.8, rng.choice(self.significands(), n), drawn))

    def below(self, amax: F32s) -> F32s:
        """Rows with one element +-amax and the others smaller."""
        with np.errstate(all="ignore"):
            x = (self.rng.uniform(-1, 1, (self.n, self.b)) * amax[:, None]).astype(np.float32)
        x[self.rows, self.rng.integers(0, self.b, self.n)] = amax * self.rng.choice(SIGNS, self.n)
        return x


def _amax(d: _Draw) -> F32s:
    return d.below(d.amax())


def _lanes(d: _Draw) -> F32s:
    """One element alone, at every place."""
    x = np.zeros((d.n, d.b), np.float32)
    x[d.rows, d.rows % d.b] = d.amax() * d.rng.choice(SIGNS, d.n)
    return x


def _elements(d: _Draw) -> F32s:
    """Elements at values, ties and quarter points of the element format under the row's scale, and beside them."""
    amax = d.finite(d.rng.integers(-40, 41, d.n), d.rng.choice(d.significands(), d.n))
    _, up = d.q.scales(amax.view(np.uint32), d.rule, amax if d.q.tensor else None)
    with np.errstate(all="ignore"):
        wish = d.rng.choice(d.marks, (d.n, d.b)) / up.astype(np.float64)[:, None]
        x = np.minimum(wish, amax.astype(np.float64)[:, None]).astype(np.float32)
    bits = x.view(np.uint32).astype(np.int64) + d.rng.integers(-1, 2, x.shape)
    x = np.minimum(np.clip(bits, 0, 0x7F7FFFFF).astype(np.uint32).view(np.float32), amax[:, None])
    x *= d.rng.choice(SIGNS, x.shape)
    x[d.rows, d.rng.integers(0, d.b, d.n)] = amax * d.rng.choice(SIGNS, d.n)
    return np.asarray(x)


def _saturating(d: _Draw) -> F32s:
    """Elements in the upper part of the largest one's binade, where some rules saturate and others do not."""
    amax = d.finite(d.rng.integers(-40, 41, d.n), np.full(d.n, 0x7FFFFF, np.uint32))
    return np.asarray(d.below(amax) * 0 + amax[:, None] * d.rng.uniform(-1, 1, (d.n, d.b)).astype(np.float32))


def _normal(d: _Draw) -> F32s:
    scale = np.ldexp(1.0, d.rng.integers(-20, 21, (d.n, 1)))
    return (d.rng.standard_normal((d.n, d.b)) * scale).astype(np.float32)


def _bits(d: _Draw) -> F32s:
    """Random numbers of the whole range; rows of every width of exponents."""
    e = d.rng.integers(-127, 128, (d.n, 1)) - d.rng.integers(0, 1 << d.rng.integers(1, 7, (d.n, 1)), (d.n, d.b))
    x = d.finite(e, d.rng.integers(0, 1 << 23, (d.n, d.b)).astype(np.uint32))
    return np.asarray(x * d.rng.choice(SIGNS, x.shape))


def _small(d: _Draw) -> F32s:
    """Subnormals of binary32 and the first binades; powers of two among them."""
    top = 1 << d.rng.integers(1, 27, (d.n, 1))
    bits = d.rng.integers(0, top, (d.n, d.b)).astype(np.uint32)
    bits[: d.n // 4] = np.uint32(1) << d.rng.integers(0, 24, (d.n // 4, d.b)).astype(np.uint32)
    signs = d.rng.choice(np.array([0, 1 << 31], np.uint32), bits.shape)
    return np.asarray((bits | signs).view(np.float32))


def _zeros(d: _Draw) -> F32s:
    """Zeros of both signs, alone and beside few numbers."""
    x = d.rng.choice(ZEROS, (d.n, d.b))
    x[0], x[1 % d.n] = 0.0, -0.0
    some = d.rng.random(d.n) < 0.5
    x[d.rows[some], d.rng.integers(0, d.b, some.sum())] = d.amax()[some]
    return np.asarray(x)


def _special(d: _Draw) -> F32s:
    """NaNs of every kind and infinities: at each place, alone, together, among zeros, and in all places."""
    x = _normal(d)
    pool = np.array([INFINITE, QUIET, INFINITE | 1, QUIET | 0x155555], np.uint32)
    pool = np.concatenate([pool, pool | np.uint32(1 << 31)]).view(np.float32)
    x[d.rng.random(d.n) < 0.3] = 0.0
    x[d.rows, d.rows % d.b] = d.rng.choice(pool, d.n)
    twice = d.rows[d.rng.random(d.n) < 0.3]
    x[twice, d.rng.integers(0, d.b, twice.size)] = d.rng.choice(pool, twice.size)
    everywhere = d.rows[: pool.size]
    x[everywhere] = pool[: everywhere.size, None]
    return x


FLOORS = (1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 2.0**-126, 2.0**-63, 2.0**-24, 2.0**-9, 2.0**-6, 1 / 512)


def _floors(d: _Draw) -> F32s:
    """Largest magnitudes beside the floors in use, of the magnitude itself and of the scale."""
    top = 1.0 if d.q.grid in INTEGERS else float(get_format(d.q.grid).max)
    with np.errstate(all="ignore"):
        at = np.float32(d.rng.choice(FLOORS, d.n) * d.rng.choice([1.0, top, 1 / top], d.n))
        away = at * np.float32(2.0) ** d.rng.integers(-3, 4, d.n).astype(np.float32)
    near = np.maximum(at.view(np.uint32).astype(np.int64) + d.rng.integers(-2, 3, d.n), 0).astype(np.uint32)
    return d.below(np.where(d.rng.random(d.n) < 0.6, near.view(np.float32), away))


def _one_sign(d: _Draw) -> F32s:
    """All elements of one sign, now plus, now minus."""
    return np.asarray(np.abs(d.below(d.amax())) * SIGNS[d.rows % 2, None])


def _constant(d: _Draw) -> F32s:
    """One value in all places of a block, of either sign."""
    x = d.amax() * d.rng.choice(SIGNS, d.n)
    return np.repeat(x[:, None], d.b, axis=1).astype(np.float32)


KINDS: dict[str, tuple[float, Callable[[_Draw], F32s]]] = {
    "amax": (0.25, _amax),
    "elements": (0.25, _elements),
    "lanes": (0.08, _lanes),
    "saturating": (0.08, _saturating),
    "normal": (0.08, _normal),
    "bits": (0.08, _bits),
    "small": (0.08, _small),
    "zeros": (0.04, _zeros),
    "special": (0.06, _special),
    "one sign": (0.04, _one_sign),
    "constant": (0.04, _constant),
}


def tensor_amax(d: _Draw, amax: F32s) -> F32s:
    """Largest magnitudes of tensors to which the rows belong: the row's own, some larger ones, ends and specials.

    Often the row's largest magnitude is at a tie of the block scale's format.
    """
    rng, n = d.rng, amax.size
    marks = thresholds(get_format(d.q.kept))
    with np.errstate(all="ignore"):
        wide = amax.astype(np.float64)
        larger = wide * np.ldexp(1.0 + rng.random(n), rng.integers(0, 14, n))
        tied = wide * 448 / np.maximum(rng.choice(marks, n), 2.0**-12)
        whole = np.where(rng.random(n) < 0.5, tied, larger)
        whole = np.where(rng.random(n) < 0.25, wide, np.maximum(whole, wide)).astype(np.float32)
    bits = whole.view(np.uint32).astype(np.int64)
    usual = (bits > 4) & (bits < INFINITE - 4)
    found = np.where(usual, bits + rng.integers(0, 3, n), bits).astype(np.uint32)
    odd = np.array([0, TINIEST, LEAST_NORMAL, 0x7F7FFFFF, INFINITE, QUIET], np.uint32)
    return np.where(rng.random(n) < 0.06, rng.choice(odd, n), found).view(np.float32)


def scale_cases(op: Operation, level: int, seed: int) -> list[Codes]:
    """The blocks that are asked at a level 1 to 3, and the tensors' amax: codes of the operands' types."""
    rng = np.random.default_rng([seed, elements(op), *"/".join([*op.operands, op.result]).encode()])
    n = int(np.clip(ELEMENTS[level] // elements(op), FEWEST, MOST[level]))
    dtype = FLOAT_DTYPES[op.operands[0]]
    parts, wholes = [], []
    for part, draw in (*KINDS.values(), *([(0.08, _floors)] if is_recipe(op) else [])):
        d = _Draw(op, max(2, int(n * part)), rng)
        with np.errstate(all="ignore"):
            x = draw(d).astype(dtype)
        parts.append(x)
        wholes.append(tensor_amax(d, amax_bits(x.astype(np.float32)).view(np.float32)) if d.q.tensor else None)
    x = np.concatenate(parts)
    found = [x.view(f"u{x.dtype.itemsize}")]
    return found if wholes[0] is None else [*found, np.concatenate(wholes).view(np.uint32)]  # type: ignore[arg-type]
