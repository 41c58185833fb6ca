r"""What others wrote, made fit to be shown: one place that escapes, a function for each medium.

Names, versions, devices, reasons and the fields of files come from strangers.  Whatever shows them makes them plain
first, once (:func:`plain`, or :func:`plain_data` for a whole document): printable, on one line, of bounded length.  So
none can move the cursor, write a line of its own, or turn the direction of writing.  What plain text means in the
medium is escaped on top: :func:`markdown`, :func:`code`, :func:`fenced`, :func:`script`, :func:`xml`,
:func:`shell`.  HTML is escaped by its templates, and by :func:`html` where there is none.
"""

from __future__ import annotations

import json
import re
import shlex
from html import escape
from typing import Any

LONGEST = 700  # characters of an error
LONGEST_FIELD = 4000  # of a field of a report
_MARKED = frozenset("\\`*_{}[]<>()#|~&!@")
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 cannot hold


def plain(said: str) -> str:
    r"""A text with its unprintable characters escaped: controls, line ends, marks of direction, half surrogates.

    >>> print(plain("a\nb"), plain("\x1b[2Jx"), plain("\u202etxt"), plain("\x9b1m"))
    a\nb \x1b[2Jx \u202etxt \x9b1m
    """
    return said if said.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in said)


def one_line(said: str, longest: int = LONGEST) -> str:
    r"""A plain text, shortened in its middle where it is long.

    >>> one_line("a\nb"), one_line("0123456789", 8)
    ('a\\nb', '0123 ... 6789')
    """
    line = plain(said)
    return line if len(line) <= longest else f"{line[: longest // 2]} ... {line[-(longest // 2) :]}"


def plain_data(data: Any) -> Any:
    """A document of JSON with every text in it, names too, made plain and at most ``LONGEST_FIELD`` long."""
    if isinstance(data, str):
        return one_line(data, LONGEST_FIELD)
    if isinstance(data, dict):
        return {plain_data(name): plain_data(value) for name, value in data.items()}
    return [plain_data(value) for value in data] if isinstance(data, (list, tuple)) else data


def page(said: str) -> str:
    r"""A text of several lines, the last door before a terminal: its line ends stay, all else is as in :func:`plain`.

    >>> print(page("a\n\x1b]0;b"))
    a
    \x1b]0;b
    """
    return "\n".join(map(_spaced, said.split("\n")))


def _spaced(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() or c in "\xa0\u2007\u202f" else ascii(c)[1:-1] for c in line)


def json_text(document: Any) -> str:
    """A document as JSON to be printed: letters of any script as they are, what is not printable as JSON escapes it."""
    text = json.dumps(document, indent=1, ensure_ascii=False)
    return "\n".join(
        line if line.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)
        for line in text.split("\n")
    )


def markdown(said: str) -> str:
    r"""A text that Markdown leaves alone: no markup, no link, no HTML, no cell of a table ends.

    >>> print(markdown("<b>[x](y) | https://z"))
    \<b\>\[x\]\(y\) \| https:\/\/z
    """
    escaped = "".join(f"\\{c}" if c in _MARKED else c for c in plain(said))
    return escaped.replace("://", ":\\/\\/").replace("www.", "www\\.")


def code(said: str) -> str:
    """A text as a span of code in Markdown, in a table too."""
    text = plain(said).replace("|", "\\|")
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if text[:1] in ("`", " ") or text[-1:] in ("`", " ") else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def fenced(block: str) -> str:
    """Lines as a block of code in Markdown, whose fence none of them closes."""
    ticks = "`" * (1 + max(2, *map(len, ["", *re.findall("`+", block)])))
    return f"{ticks}text\n{page(block)}\n{ticks}"


def script(document: Any) -> str:
    """A document as JSON inside an HTML element, in which no character can end or open one."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def html(said: str) -> str:
    r"""A text inside an HTML element or a quoted attribute.

    >>> print(html("<b>'\"&"))
    &lt;b&gt;&#x27;&quot;&amp;
    """
    return escape(plain(said))


def xml(said: str) -> str:
    """A text without the characters that XML 1.0 cannot hold; who builds the tree escapes the others."""
    return _FORBIDDEN.sub("\ufffd", said)


def shell(said: str, quoted: bool = False) -> str:
    """One word of a POSIX shell; ``quoted``: in quotes even where it needs none.

    >>> print(shell("mini:x"), shell("x; rm -r ~"), shell("it's"), shell("a", quoted=True))
    mini:x 'x; rm -r ~' 'it'"'"'s' 'a'
    """
    word = shlex.quote(plain(said))
    return word if not quoted or word.startswith("'") or "'" in word else f"'{word}'"
