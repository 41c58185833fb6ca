"""Shared objects under test: ``cabi:./lib.so``, by the C ABI of ``fp8ref.h`` beside this file, or one plain function.

The library is loaded by the process that the checker starts for an implementation, so that what it does there becomes a
verdict.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...cases.operation import ANY_MODE, Operation
from ..base import Broken, Codes, Unavailable, Unsupported
from .named_operations import askable, named_operations
from .wire import Field, check_codes, fields, second_field

ABI = 1
FORMS = ("scalar", "array")
GUARD = 256  # elements behind the results that must stay as they are
POISON = 0xA5
_C_TYPES = {
    "u": {1: ctypes.c_uint8, 2: ctypes.c_uint16, 4: ctypes.c_uint32, 8: ctypes.c_uint64},
    "i": {1: ctypes.c_int8, 2: ctypes.c_int16, 4: ctypes.c_int32, 8: ctypes.c_int64},
}


class Cabi:
    """A shared object under test.

    Without options it exports the functions of ``fp8ref.h``.  ``symbol``: instead, one function of its own for the
    operations ``op``; ``form`` ``scalar``: ``uint8_t f(uint32_t x)``, operand codes to a result code, or ``array``:
    ``void f(const uint32_t *x, uint8_t *z, size_t n)``, where with flags=1 ``uint8_t *flags`` comes before ``n``, with
    amax ``uint32_t *amax``.
    Raises ValueError for options that do not fit, Unavailable where the library cannot be loaded.
    """

    def __init__(
        self, path: str = "", *, symbol: str = "", op: str = "", form: str = "scalar", name: str = "", version: str = ""
    ) -> None:
        if not path:
            raise ValueError("a shared object is missing; write cabi:./lib.so")
        if form not in FORMS:
            raise ValueError(f"cabi: form is scalar or array, not {form!r}")
        if bool(symbol) != bool(op):
            raise ValueError("cabi: a function needs both, symbol=NAME and op=OPERATION")
        if not os.path.isfile(path):
            raise Unavailable(f"{path} is not there")
        self._claims = named_operations(op) if op else []
        if form == "scalar" and any(second_field(o) or any(f.elements > 1 for f in fields(o)) for o in self._claims):
            raise ValueError(
                "cabi: a scalar function returns one code; use form=array for status flags, amax, products"
            )
        try:
            self._library = ctypes.CDLL(os.path.realpath(path))
        except OSError as error:
            raise Unavailable(f"{path} cannot be loaded: {error}") from None
        self._identity = {"name": name or os.path.basename(path), "version": version or "unknown"}
        self._form, self._function = form if symbol else "", self._symbol(path, symbol or "fp8ref_run")
        if not symbol:
            self._read_abi(path)
            if name:
                self._identity["name"] = name
            if version:
                self._identity["version"] = version

    def identify(self) -> Mapping[str, str]:
        return {**self._identity, "device": "shared object"}

    def capabilities(self) -> Sequence[str]:
        return [claim.id for claim in self._claims]

    def run(self, op: Operation, *operands: Codes) -> Codes | tuple[Codes, Codes]:
        claim = next((c for c in (op, op.with_mode(ANY_MODE)) if c in self._claims), None)
        if claim is None:
            raise Unsupported(f"it has no {op.id}")
        *given, result = fields(claim)
        given_arrays = [np.ascontiguousarray(x, x.dtype.newbyteorder("=")) for x in operands]
        if self._form == "scalar":
            codes, second = self._one_by_one(given, result, given_arrays), None
        else:
            codes, second = self._at_once(claim, result, given_arrays)
        check_codes(codes, result)
        return codes if second is None else (codes, second)

    def _one_by_one(self, given: Sequence[Field], result: Field, operands: Sequence[Codes]) -> Codes:
        function = self._function
        function.argtypes, function.restype = [_c_type(f.dtype) for f in given], _c_type(result.dtype)
        return np.fromiter(map(function, *(x.tolist() for x in operands)), result.dtype, len(operands[0]))

    def _at_once(self, claim: Operation, result: Field, operands: Sequence[Codes]) -> tuple[Codes, Codes | None]:
        n, second = len(operands[0]), second_field(claim)
        size = result.dtype.itemsize * result.words
        out = np.full((n + GUARD) * size, POISON, np.uint8)
        more = 0 if second is None else second.dtype.itemsize
        beside = None if second is None else np.full((n + GUARD) * more, POISON, np.uint8)
        pointers = [ctypes.c_void_p(x.ctypes.data) for x in operands]
        z = ctypes.c_void_p(out.ctypes.data)
        x = None if beside is None else ctypes.c_void_p(beside.ctypes.data)
        if self._form == "array":
            self._function.restype = None
            self._function(*pointers, z, *([] if x is None else [x]), ctypes.c_size_t(n))
        else:
            array = (ctypes.c_void_p * len(pointers))(*(p.value for p in pointers))
            self._function.restype = ctypes.c_int
            returned = self._function(claim.id.encode(), array, ctypes.c_size_t(n), z, x)
            if returned == 1:
                raise Unsupported("fp8ref_run declines")
            if returned != 0:
                raise Broken(f"fp8ref_run returned {returned}")
        for array_, each in ((out, size), (beside, more)):
            if array_ is not None and (array_[n * each :] != POISON).any():
                what = "results" if array_ is out else "status bytes" if more == 1 else "amaxes"
                raise Broken(f"it wrote beyond its {n} {what}")
        codes: Codes = out[: n * size].view(result.dtype).reshape((n,) if result.words == 1 else (n, result.words))
        return codes, None if second is None or beside is None else beside[: n * more].view(second.dtype)

    # -- the library ------------------------------------------------------------------------------------------------
    def _symbol(self, path: str, name: str) -> Any:
        try:
            return getattr(self._library, name)
        except AttributeError:
            hint = "" if name != "fp8ref_run" else "; name one of its functions with symbol=NAME,op=OPERATION"
            raise ValueError(f"cabi: {path} has no function {name}{hint}") from None

    def _read_abi(self, path: str) -> None:
        """Version, identity and claims of a library with the whole ABI."""
        abi = self._symbol(path, "fp8ref_abi")()
        if abi != ABI:
            raise Unavailable(f"{path} has version {abi} of the ABI; this fp8ref speaks {ABI}")
        claims = _text(self._symbol(path, "fp8ref_capabilities")).split()
        try:
            self._claims = [askable(Operation.parse_claim(claim)) for claim in claims]
        except ValueError as error:
            raise Unavailable(f"fp8ref_capabilities of {path}: {error}") from None
        if hasattr(self._library, "fp8ref_identity"):
            said = _text(self._library.fp8ref_identity).splitlines()
            self._identity |= dict(zip(("name", "version"), (line[:100] for line in said)))


def _c_type(dtype: np.dtype[Any]) -> Any:
    return _C_TYPES[dtype.kind][dtype.itemsize]


def _text(function: Any) -> str:
    function.restype = ctypes.c_char_p
    return (function() or b"").decode("utf-8", "replace")
