"""What others wrote, made fit for an error: one printable line of bounded length."""

from __future__ import annotations

LONGEST = 700  # characters


def one_line(said: str, longest: int = LONGEST) -> str:
    r"""A text with its unprintable characters escaped, and shortened in its middle where it is long.

    >>> one_line("a\nb"), one_line("0123456789", 8)
    ('a\\nb', '0123 ... 6789')
    """
    line = said if said.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in said)
    return line if len(line) <= longest else f"{line[: longest // 2]} ... {line[-(longest // 2) :]}"
