"""fp8ref: the bit-exact reference of 8-bit and narrower floating point, and the conformance suite built on it."""

from typing import TYPE_CHECKING

from . import display as _display
from .lazy import lazily
from .version import __version__ as __version__

if TYPE_CHECKING:
    from . import arrays as arrays
    from . import audit as audit
    from . import errors as errors
    from . import fast as fast
    from . import spec as spec
    from .arrays import (
        ScaledArray,
        abs_,
        add,
        classify,
        compare,
        convert,
        copysign,
        decode,
        divide,
        dot,
        encode,
        faa,
        fma,
        is_class,
        log_b,
        matmul,
        maximum,
        minimum,
        multiply,
        negate,
        next_down,
        next_up,
        output_amax,
        pack_gguf,
        ptx_random_bits,
        quantize,
        relayout,
        remainder,
        round_to_integral,
        scale_b,
        scale_blocks,
        sqrt,
        subtract,
        swap_nibbles,
        to_integer,
        total_order,
        unpack,
        unpack_gguf,
    )
    from .arrays.delayed import delayed_scale, next_history, scale_by
    from .arrays.functions import *  # noqa: F403  those of _FUNCTIONS
    from .arrays.recipe_files import read_recipe
    from .ask.code_table import code_table
    from .ask.explain import explain
    from .ask.identify import identify
    from .ask.judge import judge
    from .ask.report import Report
    from .errors import Unsupported
    from .fast.chunks import get_threads, set_threads
    from .spec import Format, formats, get_format
    from .spec.scaling.named import get_recipe, recipes
    from .spec.scaling.recipe import Recipe

__all__ = [
    "Format",
    "Recipe",
    "Report",
    "ScaledArray",
    "Unsupported",
    "abs_",
    "add",
    "classify",
    "code_table",
    "compare",
    "convert",
    "copysign",
    "decode",
    "delayed_scale",
    "divide",
    "dot",
    "encode",
    "explain",
    "faa",
    "fma",
    "formats",
    "get_format",
    "get_recipe",
    "get_threads",
    "identify",
    "is_class",
    "judge",
    "log_b",
    "matmul",
    "maximum",
    "minimum",
    "multiply",
    "negate",
    "next_down",
    "next_history",
    "next_up",
    "output_amax",
    "pack_gguf",
    "ptx_random_bits",
    "quantize",
    "read_recipe",
    "recipes",
    "relayout",
    "remainder",
    "round_to_integral",
    "scale_b",
    "scale_blocks",
    "scale_by",
    "set_threads",
    "sqrt",
    "subtract",
    "swap_nibbles",
    "to_integer",
    "total_order",
    "unpack",
    "unpack_gguf",
]

# the elementary functions, all of which one module has
_FUNCTIONS = (
    "acos",
    "acosh",
    "acospi",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "asin",
    "asinh",
    "asinpi",
    "atan",
    "atan2",
    "atan2pi",
    "atanh",
    "atanpi",
    "cbrt",
    "compound",
    "cos",
    "cosh",
    "cospi",
    "deg2rad",
    "erf",
    "erfc",
    "exp",
    "exp10",
    "exp10m1",
    "exp2",
    "exp2m1",
    "expm1",
    "gelu",
    "gelu_tanh",
    "hypot",
    "layernorm",
    "log",
    "log10",
    "log10p1",
    "log1p",
    "log2",
    "log2p1",
    "log_sigmoid",
    "log_softmax",
    "logaddexp",
    "logaddexp2",
    "logistic",
    "logsumexp",
    "mish",
    "pow",
    "power",
    "pown",
    "powr",
    "rad2deg",
    "reciprocal",
    "rmsnorm",
    "rootn",
    "rsqrt",
    "sigmoid",
    "silu",
    "sin",
    "sinh",
    "sinpi",
    "softmax",
    "softplus",
    "square",
    "swish",
    "tan",
    "tanh",
    "tanpi",
)
__all__ += _FUNCTIONS

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazily(
        __name__,
        dict.fromkeys(__all__, ".arrays")
        | dict.fromkeys(_FUNCTIONS, ".arrays.functions")
        | dict.fromkeys(("Format", "formats", "get_format"), ".spec")
        | dict.fromkeys(("get_threads", "set_threads"), ".fast.chunks")
        | dict.fromkeys(("get_recipe", "recipes"), ".spec.scaling.named")
        | {"read_recipe": ".arrays.recipe_files"}
        | dict.fromkeys(("delayed_scale", "next_history", "scale_by"), ".arrays.delayed")
        | {"code_table": ".ask.code_table", "explain": ".ask.explain", "identify": ".ask.identify"}
        | {"judge": ".ask.judge", "Report": ".ask.report"}
        | {"Recipe": ".spec.scaling.recipe", "Unsupported": ".errors"}
        | {name: f".{name}" for name in ("arrays", "audit", "errors", "fast", "spec")},
    )


def _shown(kind: str, shown: object) -> str | None:
    from .report.notebook.shown import shown_html  # when a notebook shows something, and not before

    return shown_html(kind, shown)


_display.renderer = _shown
