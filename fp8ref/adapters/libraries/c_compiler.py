"""A C compiler's own narrow types: casts to ``_Float16`` and ``__bf16``, compiled here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...cases.operation import Operation
from ..base import Unavailable
from ..compiled import CC, build, find_compiler
from ..programs.cabi import Cabi

MEND = "the compiler has no _Float16 for this processor: try a newer one, compiler=clang"


class CCompiler(Cabi):
    """``compiler``: gcc, clang or another command.  ``target``: one ``-m`` option, such as ``f16c`` or ``avx512fp16``.

    Without __bf16, which takes arithmetic casts since GCC 13 and clang 17, only _Float16 is asked.
    """

    def __init__(self, compiler: str = "", target: str = "") -> None:
        where = Path(__file__)
        self._compiler = find_compiler([compiler] if compiler else CC, "" if compiler else "CC")
        flags = [f"-I{where.parents[1] / 'programs'}", *([f"-m{target}"] if target else [])]
        try:
            built = self._build(where, ["-DFP8REF_HAS_BF16", *flags])
        except Unavailable:
            built = self._build(where, flags)
        super().__init__(str(built))

    def identify(self) -> Mapping[str, str]:
        return {"name": "c_compiler", "version": self._compiler.version, "device": "cpu"}

    def source(self, op: Operation) -> str:
        """Where the claim comes from."""
        return "C23 annex F and H: conversions between floating types are correctly rounded, to nearest by default"

    def _build(self, where: Path, flags: list[str]) -> Path:
        return build(where.with_suffix(".c"), self._compiler, flags, MEND)
