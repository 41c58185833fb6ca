"""Sphinx configuration.  Build with ``sphinx-build -W --keep-going docs docs/_build``; no network is needed."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools" / "docs"), str(ROOT / "tools" / "matrix")]
os.environ.setdefault("MPLBACKEND", "Agg")

import fp8ref  # noqa: E402

project = "fp8ref"
author = "The fp8ref authors"
copyright = "The fp8ref authors"
release = version = fp8ref.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "fp8ref_docs"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "generated"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"fp8ref {version}"
html_static_path = ["_static"]
html_extra_path = ["generated/site"]  # the conformance matrix, made by fp8ref_docs
html_css_files = ["fp8ref.css"]
pygments_style = "friendly"
pygments_dark_style = "monokai"

autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
# a name such as Format is documented both in its module and at the top
suppress_warnings = ["ref.python"]
