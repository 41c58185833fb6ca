"""Questions: operations, and the cases on which implementations are asked them."""

from .operation import Operation, carrier_dtype
from .products import questions as _products  # fills in CHECKS
from .scaling import questions as _scaling

__all__ = ["Operation", "carrier_dtype"]

del _products, _scaling
