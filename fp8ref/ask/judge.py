"""``fp8ref.judge``: judge an implementation from Python, as ``fp8ref check`` does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..adapters.function import Arrays
from ..cases.flags import FLAGS
from ..cases.operation import Operation
from ..check.compare import Options
from ..check.harness.transport import Session
from ..check.judge import judge as judge_operation
from ..check.run import NothingSelected
from ..check.run import select as chosen
from ..report.runs.record import header_of
from .report import Report
from .targets import opened


def judge(
    target: Any,
    *select: str,
    level: int = 1,
    seed: int = 0,
    nan: str = "class",
    flag: str = "",
    skip: Sequence[str] = (),
    arrays: Arrays = "values",
    isolate: bool = False,
    timeout: float = 60.0,
) -> Report:
    """Judge an implementation against the reference, case by case.

    ``target``: a plain function of arrays, an adapter (an object or class with ``identify``, ``capabilities`` and
    ``run``), or a name such as ``"torch"`` or ``"py:my_module:MyKernel"``, as ``fp8ref check --impl`` takes it.

    ``select``: for a function the operation ids that it computes, ``*`` as a mode for "find out"; for the others ids,
    prefixes or globs of what they claim, all of it by default.

    A function gets one array for each operand: float16, bfloat16, float32, float64 and integers as such, formats of at
    most 8 bits as ``arrays`` says: ``"values"`` as ml_dtypes' type (codes, uint8, where it has none), ``"codes"`` as
    codes, ``"torch"`` everything as tensors.  It is called with arrays of every length and stride.  It returns as many
    answers: an array or tensor of the result's type, or its codes; with ``;flags=1`` a pair with the status.

    ``level``: 1 seconds, 2 a minute or two, 3 every binary32 value.  ``nan``: compare NaNs as one ``"class"`` or by
    their ``"bits"``.  ``flag``: ask only cases that carry this flag.  ``skip``: leave these out.

    In this process an implementation that crashes or hangs takes the caller along; with ``isolate=True`` it runs in
    another one, ``timeout`` seconds for a call, and that is a verdict.  Isolated functions and classes are found by
    module and name.  What an implementation raises is the verdict ``crash`` with its reason.

    Raises ValueError for a target, selection or option that is none, RuntimeError where it does not start.

    >>> import fp8ref, ml_dtypes
    >>> fp8ref.judge(lambda x: x.astype(ml_dtypes.float8_e5m2), "convert/f32/e5m2/rne.nonsat").verdict
    'conforms'
    >>> report = fp8ref.judge(lambda x: x.astype(ml_dtypes.float8_e5m2), "convert/f64/e5m2/rne.nonsat")
    >>> report.verdict, report.findings[0].diagnosis.rule
    ('fail', 'double rounding via f32')
    """
    _require(level, seed, nan, flag)
    session, connectable = opened(target, select, arrays, isolate, timeout)
    options = Options(level, seed, nan, flag, cases=True)
    with session, np.errstate(all="ignore"):  # warnings of numpy are no findings
        claims = selected(session, select, skip)
        reports = []
        for claim in claims:
            report = judge_operation(session, claim, options)
            report.source = session.hello.sources.get(report.claim, "")
            reports.append(report)
        return Report(header_of(session.hello, connectable, options, claims), tuple(reports))


def selected(session: Session, select: Sequence[str], skip: Sequence[str] = ()) -> list[Operation]:
    """The claims that are selected.  Raises ValueError where nothing is."""
    try:
        return chosen([Operation.parse_claim(claim) for claim in session.hello.claims], select, skip)
    except NothingSelected as error:
        raise ValueError(str(error)) from None


def _require(level: int, seed: int, nan: str, flag: str) -> None:
    if level not in (1, 2, 3):
        raise ValueError(f"level={level!r}: choose from 1, 2, 3")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed={seed!r} is no number from 0")
    if nan not in ("class", "bits"):
        raise ValueError(f"nan={nan!r}: choose from class, bits")
    if flag and flag not in FLAGS:
        raise ValueError(f"flag={flag!r}: choose from {', '.join(FLAGS)}")
