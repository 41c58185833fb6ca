"""FP8 quantisation: the power of the exponent.  ExMy grids with a real bias, their gradients and their expected errors.

After "FP8 Quantization: The Power of the Exponent" (Kuzmin et al., 2022) and its published code.
"""

from .distributions import GAUSSIAN, UNIFORM, Distribution, student_t
from .expected import Moments, dot_error, dot_sqnr, moments, two_sided
from .gradients import Binade, Gradients, gradients
from .grid import Grid
from .search import Best, best_c, best_split, crossover
from .tables import golden, table

__all__ = [
    "GAUSSIAN",
    "UNIFORM",
    "Best",
    "Binade",
    "Distribution",
    "Gradients",
    "Grid",
    "Moments",
    "best_c",
    "best_split",
    "crossover",
    "dot_error",
    "dot_sqnr",
    "golden",
    "gradients",
    "moments",
    "student_t",
    "table",
    "two_sided",
]
