"""``fp8ref check --declaration``: the operations that a P3109 declaration claims."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path

from ..cases.declared.claims import claims_of
from ..cases.declared.documents import Malformed, read
from ..escapes import plain
from ..extras import install
from .errors import BadInput
from .say import say

TEXTS = {"report": "p3109", "formal": "p3109-formal"}
SHOWN = 8  # of what is not asked


def declared(path: Path, text: str) -> list[str]:
    """Ids of what a folder or file claims; says how many there are, and what is left out.

    BadInput for what cannot be read, and where nothing is claimed.
    """
    if importlib.util.find_spec("yaml") is None:
        raise BadInput(f"--declaration needs PyYAML: {install('p3109')}")
    try:
        claimed = claims_of(read(path), TEXTS[text])
    except Malformed as error:
        raise BadInput(f"--declaration: {error}") from None
    except OSError as error:
        raise BadInput(f"--declaration: cannot read {path}: {error.strerror or error}") from None
    by_file = Counter(where.partition(",")[0] for where in claimed.operations.values())
    said = ", ".join(f"{n} by {name}" for name, n in by_file.items())
    say(f"declared: {len(claimed.operations)} operations{f' ({plain(said)})' if said else ''}", err=True)
    for n, (what, why) in enumerate(claimed.left.items()):
        if n == SHOWN:
            say(f"not asked: {len(claimed.left) - n} more", err=True)
            break
        say(f"not asked: {plain(what)}: {plain(why)}", err=True)
    if not claimed.operations:
        raise BadInput(f"--declaration {path}: it claims nothing that can be asked")
    return list(claimed.operations)
