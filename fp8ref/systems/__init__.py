"""The papers' 8-bit systems, one file each: an exact reference over integers or rationals, and a fast numpy form.

``SYSTEMS`` is the catalogue.  Every module on it has a function ``table() -> Table`` that computes what the system's
page and ``fp8ref system NAME`` show.  Tests prove the fast forms equal to the exact ones.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """What a system shows: cells are text; ``notes`` are sentences below."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: a row has {len(row)} cells, the table {len(self.columns)} columns")


@dataclass(frozen=True)
class System:
    """A paper's system: the module of this package that has it, and the name of its figure in ``fp8ref.plots``."""

    name: str
    title: str
    paper: str
    module: str
    plot: str = ""

    def table(self) -> Table:
        """Compute the system's table.  Raises ImportError where it needs a package that is not installed."""
        found = importlib.import_module(f"{__name__}.{self.module}").table()
        assert isinstance(found, Table)
        return found


CATALOGUE: tuple[System, ...] = (
    System("power-of-exponent", "ExMy grids with a real bias", "arXiv 2208.09225", "power_of_exponent", "sqnr"),
    System("fp8-formats", "E4M3 and E5M2, the formats of the paper", "arXiv 2209.05433", "fp8_formats", "fp8-range"),
    System("llm-int8", "int8 products with the outlier features apart", "arXiv 2208.07339", "llm_int8", "llm-int8"),
    System("adam8", "Adam with 8-bit moments in dynamic tree codes", "arXiv 2110.02861", "adam8", "adam8"),
    System("i-bert", "GELU, softmax and LayerNorm in integers", "arXiv 2101.01321", "ibert", "i-bert"),
    System("hawq-v3", "requantisation by dyadic factors", "arXiv 2011.10680", "hawq", "hawq-v3"),
    System("fp8-bert", "FP8 after training, on a sentence encoder", "arXiv 2312.05725", "fp8_bert", "fp8-bert"),
    System(
        "scale-propagation",
        "an integer Transformer, each tensor with a scale",
        "arXiv 2009.08034",
        "scale_propagation",
        "scale-propagation",
    ),
    System(
        "integer-gemm",
        "k-bit products with learned operand ranges",
        "arXiv 2001.00926",
        "integer_gemm",
        "range-precision",
    ),
    System("s2fp8", "shifted and squeezed E5M2", "arXiv 2001.05674", "s2fp8", "s2fp8"),
    System(
        "integer-fine-tuning",
        "dynamic fixed point with stochastic rounding",
        "arXiv 2209.09815",
        "dynamic_fixed_point",
        "integer-fine-tuning",
    ),
)
SYSTEMS = {system.name: system for system in CATALOGUE}


def get_system(name: str) -> System:
    """The system of a name.  Raises ValueError, with the choices, for any other."""
    if name not in SYSTEMS:
        raise ValueError(f"unknown system {name!r}; choose from {', '.join(SYSTEMS)}")
    return SYSTEMS[name]
