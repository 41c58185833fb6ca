"""PyTorch's products of matrices: ``torch._scaled_mm`` of FP8 operands, or ``torch.addmm`` of decoded ones.

PyTorch documents no order of summation, so every claim is free: ``*``.  A dot product is an entry on the diagonal of a
product of 16 rows and 16 columns.

``scaled_mm`` (the default) takes FP8 operands, a scale for every row and column where the operation has scales, and for
dot products C as its bias, one a column; to matrix products in float32 C is added by torch.  ``scaled_mm_fast`` sets
``use_fast_accum``: on a GPU partial sums stay in the unit's own accumulator.  ``addmm`` takes C as its
input: float32 of decoded FP8 operands, and float16 and bfloat16 as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...cases.operation import ANY_MODE, Operation
from ...cases.products.questions import COLUMNS, scale_type
from ..base import Codes

DTYPES = {
    "e4m3fn": "float8_e4m3fn", "e5m2": "float8_e5m2", "e4m3fnuz": "float8_e4m3fnuz", "e5m2fnuz": "float8_e5m2fnuz",
    "f16": "float16", "bf16": "bfloat16", "f32": "float32",
}  # fmt: skip
Claimed = dict[tuple[str, str], tuple[str, ...]]  # formats of the operands: result types
SCALED: Claimed = {(a, b): ("f32",) for a in ("e4m3fn", "e5m2") for b in ("e4m3fn", "e5m2")} | {
    ("e4m3fn", "e4m3fn"): ("f32", "bf16", "f16")  # the result's type and the operands' do not depend on each other
}
DECODED: Claimed = {
    **{(a, a): ("f32",) for a in list(DTYPES)[:4]},
    ("e4m3fn", "e5m2"): ("f32",),
    ("e5m2", "e4m3fn"): ("f32",),
}
PLAIN: Claimed = {("f16", "f16"): ("f16",), ("bf16", "bf16"): ("bf16",)}
PRODUCTS: dict[str, Claimed] = {"scaled_mm": SCALED, "scaled_mm_fast": SCALED, "addmm": {**DECODED, **PLAIN}}
LENGTHS = {"dot": 32, "matmul": 256}


class Products:
    """Matrix products on a device by one of PRODUCTS.  Raises ValueError for any other."""

    def __init__(self, torch: Any, device: Any, product: str) -> None:
        if product not in PRODUCTS:
            raise ValueError(f"product is one of {', '.join(PRODUCTS)}, not {product!r}")
        self.torch, self.device, self.product = torch, device, product
        self._late = False  # is C of a float32 dot added by torch, because _scaled_mm takes no bias there?

    def claims(self) -> list[str]:
        """The products that run here; float32 dots without a bias where the device has none for them."""
        asked = list(self._claims())
        found = [claim for claim in asked if self._runs(Operation.parse(claim))]
        if self.product != "addmm" and not any(claim.startswith("dot/") and "/f32/" in claim for claim in found):
            self._late = True
            found = [claim for claim in asked if self._runs(Operation.parse(claim))]
        return found

    def _biased(self, op: Operation) -> bool:
        return op.family == "dot" and not (self._late and op.result == "f32")

    def _claims(self) -> Iterator[str]:
        for (a, b), results in PRODUCTS[self.product].items():
            for result in results:
                for family, k in LENGTHS.items():
                    if family == "dot" or self.product == "addmm" or result == "f32":  # C added to less is another sum
                        yield f"{family}/{a}.{b}/{result}/{ANY_MODE};k={k}"
                if self.product != "addmm" and a == b == "e4m3fn":
                    yield f"dot/{a}.{b}/{result}/{ANY_MODE};k=32;scale=f32"

    def _runs(self, op: Operation) -> bool:
        zeros = [np.zeros(s, np.uint16 if "16" in n else np.uint8) for s, n in zip(((16, 32), (32, 16)), op.operands)]
        bits = {"f32": np.uint32}.get(op.result, np.uint16)
        scales = [np.ones(s, np.float32).view(np.uint32) for s in ((16, 1), (1, 16))] if scale_type(op) else []
        try:
            self._matrix(op, *zeros, np.zeros(16 if op.family == "dot" else (16, 16), bits), *scales)
        except (RuntimeError, ValueError, NotImplementedError, AttributeError, TypeError):
            return False
        return True

    def source(self, op: Operation) -> str:
        said = "torch documents no order of summation"
        if self.product == "addmm":
            return (
                f"{said}; addmm of {'decoded ' if op.operands[0] not in ('f16', 'bf16') else ''}operands, C its input"
            )
        fast = ", use_fast_accum" if self.product == "scaled_mm_fast" else ""
        return f"{said}; _scaled_mm{fast}, {'C its bias' if self._biased(op) else 'C is added to its result'}"

    def run(self, op: Operation, a: Codes, b: Codes, c: Codes, *scales: Codes) -> Codes:
        """The result codes of a dot or matrix product."""
        if op.family == "matmul":
            more = -b.shape[1] % COLUMNS if self.product != "addmm" else 0  # _scaled_mm takes multiples of 16
            wide = [np.pad(x, [(0, 0), (0, more)]) for x in (b, c, *scales[1:])]
            return self._codes(self._matrix(op, a, *wide[:2], *scales[:1], *wide[2:])[:, : b.shape[1]], c)
        found = np.empty(len(a), c.dtype)
        for start in range(0, len(a), COLUMNS):
            here = slice(start, min(start + COLUMNS, len(a)))
            x, y, z, *s = (_padded(v[here]) for v in (a, b, c, *scales))
            d = self._matrix(op, x, y.T, z, *(v if i == 0 else v.T for i, v in enumerate(s)))
            found[here] = self._codes(d.diagonal()[: here.stop - start], c)
        return found

    def _matrix(self, op: Operation, a: Codes, b: Codes, c: Codes, *scales: Codes) -> Any:
        """D of A (M, K), B (K, N) and C: of a matrix product (M, N), of dot products the diagonal (N)."""
        fa, fb = op.operands
        result = getattr(self.torch, DTYPES[op.result])
        x, y, z = self._tensor(a, fa), self._tensor(b.T, fb).t(), self._tensor(c, op.result)
        if self.product == "addmm":
            if fa not in ("f16", "bf16"):
                x, y = x.to(result), y.to(result)
            return self.torch.addmm(self.torch.diag(z) if op.family == "dot" else z, x, y)
        one = self.torch.ones((), device=self.device)
        sa, sb = (self._tensor(s, "f32") for s in scales) if scales else (one, one)
        given = {"scale_a": sa, "scale_b": sb, "out_dtype": result, "use_fast_accum": self.product == "scaled_mm_fast"}
        if self._biased(op):
            return self.torch._scaled_mm(x, y, bias=z, **given)
        return self.torch._scaled_mm(x, y, **given) + z

    def _tensor(self, x: Codes, name: str) -> Any:
        bits = self.torch.from_numpy(np.array(x, order="C").view(f"i{x.itemsize}"))
        return bits.view(getattr(self.torch, DTYPES[name])).to(self.device)

    def _codes(self, d: Any, c: Codes) -> Codes:
        bits = d.contiguous().view(getattr(self.torch, f"int{8 * c.dtype.itemsize}")).cpu().numpy()
        return bits.view(c.dtype)  # type: ignore[no-any-return]


def _padded(x: Codes) -> Codes:
    """Rows of zeros up to as many as there are columns."""
    return np.pad(x, [(0, COLUMNS - len(x)), *[(0, 0)] * (x.ndim - 1)])
