"""Adam with 8-bit moments: block-wise quantisation to dynamic tree codes.

After "8-bit Optimizers via Block-wise Quantization" (Dettmers et al., 2021), arXiv 2110.02861.
"""

from .blocks import RULES, Blocks, Tree, code_exact, quantise, quantise_exact, tree, tree_exact
from .optimizer import Adam, State
from .tables import golden, normal_error, table

__all__ = [
    "RULES",
    "Adam",
    "Blocks",
    "State",
    "Tree",
    "code_exact",
    "golden",
    "normal_error",
    "quantise",
    "quantise_exact",
    "table",
    "tree",
    "tree_exact",
]
