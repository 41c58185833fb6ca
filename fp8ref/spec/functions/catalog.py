"""Every elementary function by its name."""

from __future__ import annotations

from ..operations.definition import Definition
from .activations import ACTIVATIONS
from .circular import CIRCULAR
from .exponentials import EXPONENTIALS
from .hyperbolic import HYPERBOLIC
from .powers import POWERS

FUNCTIONS: dict[str, Definition] = {**EXPONENTIALS, **CIRCULAR, **HYPERBOLIC, **POWERS, **ACTIVATIONS}
