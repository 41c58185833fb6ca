"""Questions: operations, and the cases on which implementations are asked them."""

from .operation import Operation, carrier_dtype

__all__ = ["Operation", "carrier_dtype"]
