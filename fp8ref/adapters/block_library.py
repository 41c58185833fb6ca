"""What adapters of libraries that quantise blocks have in common: claims, torch tensors, rows of bytes."""

from __future__ import annotations

import importlib.metadata
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cases.operation import Operation
from ..cases.products.questions import shapes
from ..cases.scaling.questions import is_fake
from .base import Codes, Unsupported
from .claims import require

TORCH_TYPES = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}


@dataclass(frozen=True)
class Quantises:
    """A claim: the operation, the method that answers it, further arguments, and what the library calls it."""

    op: str
    method: str
    said: str
    arguments: tuple[Any, ...] = ()


class BlockLibrary:
    """A torch library with quantisers of blocks.  A subclass names it, lists its quantisers, and has a method for each.

    A method takes x (n, B), the largest magnitudes of tensors (n) where the operation has them, and the claim's
    arguments; it gives stored scales (n) and codes (n, B), or the values (n, B) of a fake quantiser, as torch tensors.
    Raises Unavailable where the library cannot be imported.
    """

    package = ""
    modules: tuple[str, ...] = ()
    quantisers: tuple[Quantises, ...] = ()

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.torch: Any = require("torch", "pip install torch")
            found = [require(module, f"pip install {self.package}") for module in self.modules]
        self.lib: dict[str, Any] = {}  # by the last word of a module's name; by the last two where that is taken
        for name, module in zip(self.modules, found):
            words = name.split(".")
            self.lib[words[-1] if words[-1] not in self.lib else "_".join(words[-2:])] = module
        self._claims = {quantises.op: quantises for quantises in self.quantisers}

    def identify(self) -> Mapping[str, str]:
        version = importlib.metadata.version(self.package)
        return {"name": self.package, "version": version, "torch": self.torch.__version__, "device": "cpu"}

    def capabilities(self) -> Sequence[str]:
        return list(self._claims)

    def source(self, op: Operation) -> str:
        return self._claims[op.id].said if op.id in self._claims else ""

    def run(self, op: Operation, *operands: Codes) -> Codes:
        if op.id not in self._claims:
            raise Unsupported(f"it has no {op.id}")
        n = len(operands[0])
        if not n:
            return np.zeros(shapes(op, n)[-1], np.uint8)
        claim = self._claims[op.id]
        tensors = [self.tensor(x, name) for x, name in zip(operands, op.operands)]
        with warnings.catch_warnings(), self.torch.no_grad(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = getattr(self, claim.method)(*tensors, *claim.arguments)
        if is_fake(op):
            return self.bytes(found.reshape(tensors[0].shape))
        scale, codes = (self.bytes(part) for part in found)
        return np.concatenate([scale.reshape(n, -1), codes.reshape(n, -1)], axis=1)

    def tensor(self, x: Codes, name: str) -> Any:
        """A torch tensor of codes of a source type."""
        bits = self.torch.from_numpy(np.array(x, order="C").view(f"i{x.itemsize}"))
        return bits.view(getattr(self.torch, TORCH_TYPES[name]))

    def bytes(self, x: Any) -> Codes:
        """The bytes of a tensor, a row for each block."""
        found: Codes = x.detach().contiguous().reshape(len(x), -1).view(self.torch.uint8).numpy()
        return found
