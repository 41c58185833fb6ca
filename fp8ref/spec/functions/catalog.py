"""Every elementary function by its name."""

from __future__ import annotations

from .activations import ACTIVATIONS
from .circular import CIRCULAR
from .exponentials import EXPONENTIALS
from .hyperbolic import HYPERBOLIC
from .parts import PARTS
from .powers import POWERS
from .reductions import REDUCTIONS
from .rows import Function

FUNCTIONS: dict[str, Function] = {
    **EXPONENTIALS,
    **CIRCULAR,
    **HYPERBOLIC,
    **POWERS,
    **ACTIVATIONS,
    **PARTS,
    **REDUCTIONS,
}
