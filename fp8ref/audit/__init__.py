"""Files of models, audited: which convention and recipe made each quantised tensor, and where it breaks its promise.

``files/`` reads, ``conventions.py`` says how producers store, ``kinds.py`` what counts as a fault; ``recognise.py``
finds the quantised tensors, ``scan.py`` judges a tensor alone, ``compare.py`` against its original, and ``run.py``
puts one document together.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .run import Audit


class _Callable(ModuleType):
    """The package as a function: ``fp8ref.audit(path)`` beside ``fp8ref.audit.run``."""

    def __call__(self, path: str | Path, original: str | Path | None = None) -> Audit:
        """Audit a model's file or folder, against its original weights where they are given.

        The answer has ``.clean``, ``.everything()``, the findings, and ``.document()``, ``fp8ref/audit/1``.  Raises
        ValueError, one line with the place, for what cannot be read.
        """
        from .run import audit

        return audit(path, original)


sys.modules[__name__].__class__ = _Callable
