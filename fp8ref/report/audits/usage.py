"""A picture of code usage: how often each magnitude of a format stands, as one line of SVG."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT = 128, 28


def bars(counts: Sequence[int], k: int, sign: bool = True) -> tuple[list[int], list[int]]:
    """Counts of all codes of a format of ``k`` bits: those of positive and of negative sign, by magnitude code."""
    size = 1 << (k - 1) if sign else 1 << k
    whole = [*counts, *([0] * (1 << k))][: 1 << k]
    return whole[:size], whole[size:] if sign else []


def outline(counts: Sequence[int], width: int = WIDTH, height: int = HEIGHT) -> str:
    """The path of an area chart; heights are square roots, so that rare codes can be seen."""
    most = max(counts, default=0)
    if not most:
        return f"M0 {height}H{width}V{height}Z"
    step = width / len(counts)
    parts = [f"M0 {height}"]
    for i, n in enumerate(counts):
        tall = height - (n / most) ** 0.5 * height if n else height
        tall = min(tall, height - 1) if n else height
        parts.append(f"V{tall:.1f}H{(i + 1) * step:.1f}")
    return "".join(parts) + f"V{height}Z"
