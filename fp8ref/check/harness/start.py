"""Starts the child process of an implementation: ``python -P start.py CONNECTABLE ...``, as a file, not as a module.

The working directory is not a library.  ``python -m`` would put it first on the path, and a ``json.py`` or ``numpy.py``
that lies there would run in place of the real one, whatever is judged.  Run so, the child imports what the checker
itself imported, this very fp8ref, and nothing from where it happens to stand; ``py:`` alone adds that folder, last.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]


def main() -> None:
    """Load fp8ref from the place of this file, which need not be on the path, and be a worker of it."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE.name, PACKAGE / "__init__.py", submodule_search_locations=[str(PACKAGE)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = sys.modules[PACKAGE.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    importlib.import_module(f"{PACKAGE.name}.check.harness.worker").main()


if __name__ == "__main__":
    main()
