"""The page of an audit: pictures that show what lies in the file, self-contained, and strangers' texts stay text."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from audit.checkpoints import BF16, F32, write_safetensors
from click.testing import CliRunner

from fp8ref.audit.kinds import KINDS
from fp8ref.audit.run import audit
from fp8ref.cli.main import main
from fp8ref.report.audits.heat import CELLS, NONE, PALETTE, STEPS, WRONG, heat
from fp8ref.report.audits.png import png
from fp8ref.report.audits.usage import bars, outline

pytest.importorskip("jinja2")
from fp8ref.audit.pictures.maps import pictures
from fp8ref.report.audits.page import html

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.scripts: list[str] = []
        self.data: list[str] = []
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        (self.scripts if self.inside == "script" else self.data).append(data)


def pixels(image: str) -> np.ndarray:
    """A data URI as matplotlib's reader of PNG, a foreign one, sees it: (rows, columns, 3), 0 to 255."""
    pyplot = pytest.importorskip("matplotlib.image")
    raw = base64.b64decode(image.removeprefix("data:image/png;base64,"))
    return np.rint(pyplot.imread(io.BytesIO(raw), format="png")[..., :3] * 255).astype(int)


def file(folder: Path, name: str = "model.layers.0.q_proj", edges: bool = True) -> Path:
    """Codes of E4M3 under a scale for each of 128 by 128, with a NaN, a zero scale and a negative one."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0x30, 0x78, (256, 512)).astype(np.uint8) | (rng.integers(0, 2, (256, 512)) << 7).astype(
        np.uint8
    )
    scales = (2.0 ** np.arange(8).reshape(2, 4)).astype(F32) * F32(2**-12)
    if edges:
        codes[5, 7] = 0x7F
        scales[1, 3], scales[0, 1] = 0.0, -1.0
    import ml_dtypes

    tensors = {f"{name}.weight": codes.view(ml_dtypes.float8_e4m3fn), f"{name}.weight_scale_inv": scales,
               "norm.weight": np.ones(4, BF16)}  # fmt: skip
    path = folder / "model.safetensors"
    write_safetensors(path, tensors)
    return path


def page(path: Path) -> str:
    found = audit(path)
    return html(found.document(), pictures(found), {name: kind.about for name, kind in KINDS.items()})


def test_a_png_is_read_by_others() -> None:
    cells = np.arange(12, dtype=np.uint8).reshape(3, 4)
    colours = [(i, 2 * i, 255 - i) for i in range(12)]
    image = "data:image/png;base64," + base64.b64encode(png(cells, colours)).decode()
    assert pixels(image).tolist() == [[list(colours[4 * r + c]) for c in range(4)] for r in range(3)]


def test_a_heat_map_is_logarithmic_and_marks_zeros_and_wrong_numbers() -> None:
    grid = np.array([[1.0, 2.0, 4.0], [0.0, np.nan, -1.0], [np.inf, 1.0, 4.0]])
    h = heat(grid)
    seen = pixels(h.image)
    low, high, none, wrong = (list(PALETTE[i]) for i in (0, STEPS - 1, NONE, WRONG))
    assert [seen[0, 0].tolist(), seen[0, 2].tolist()] == [low, high]
    assert seen[0, 1].tolist() in (list(PALETTE[(STEPS - 1) // 2]), list(PALETTE[STEPS // 2]))
    assert [seen[1, 0].tolist(), seen[1, 1].tolist(), seen[1, 2].tolist(), seen[2, 0].tolist()] == [none, *[wrong] * 3]
    assert (h.least, h.most, h.zeros, h.wrong) == (1.0, 4.0, 1, 3)


def test_a_large_grid_keeps_its_single_large_and_wrong_groups() -> None:
    grid = np.full((1000, 3), 0.5)
    grid[777, 1], grid[100, 2] = 64.0, np.nan
    h = heat(grid)
    seen = pixels(h.image)
    assert seen.shape == (CELLS, 3, 3)
    assert (h.most, h.wrong, h.rows) == (64.0, 1, 1000)
    assert (seen == PALETTE[STEPS - 1]).all(2).sum() == 1


def test_usage_is_drawn_by_magnitude_with_signs_apart() -> None:
    counts = [0] * 16
    counts[3], counts[11], counts[7] = 4, 1, 16
    assert bars(counts, 4) == ([0, 0, 0, 4, 0, 0, 0, 16], [0, 0, 0, 1, 0, 0, 0, 0])
    heights = [float(y) for y in re.findall(r"V([\d.]+)H", outline([0, 4, 16, 0], 40, 20))]
    assert heights == [20.0, 10.0, 0.0, 20.0]
    assert outline([], 40, 20) == "M0 20H40V20Z"


def test_the_page_is_whole_and_asks_for_nothing(tmp_path: Path) -> None:
    text = page(file(tmp_path))
    found = Page(text)
    addresses = [v or "" for _, name, v in found.attributes if name in ("src", "href", "action", "data", "srcset")]
    assert all(a.startswith(("data:image/png;base64,", "#")) for a in addresses)
    digest = base64.b64encode(hashlib.sha256(found.scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert len(found.scripts) == 1
    assert all(kind in text for kind in ("scale-negative", "codes-nan", "scale-zero"))
    row = next(v for tag, name, v in found.attributes if tag == "details" and name == "data-worst")
    assert row == "fault"
    images = [v for tag, name, v in found.attributes if tag == "img" and name == "src" and v]
    seen = pixels(images[0])
    assert seen.shape == (2, 4, 3)
    assert [seen[0, 1].tolist(), seen[1, 3].tolist()] == [list(PALETTE[WRONG]), list(PALETTE[NONE])]


def test_a_clean_file_has_no_faults_on_its_page(tmp_path: Path) -> None:
    text = page(file(tmp_path, edges=False))
    assert "no faults" in text
    assert 'class="kind fault"' not in text


def test_names_of_strangers_stay_text(tmp_path: Path) -> None:
    text = page(file(tmp_path, name=f"model.{EVIL}"))
    found = Page(text)
    assert found.tags.count("script") == 1
    assert not any(name.startswith("on") for _, name, _ in found.attributes)
    assert EVIL in " ".join(found.data)


def test_the_command_writes_it_beside_its_answer(tmp_path: Path) -> None:
    path, out = file(tmp_path), tmp_path / "audit.html"
    done = CliRunner().invoke(main, ["audit", str(path), "--html", str(out)])
    assert done.exit_code == 1
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    again = CliRunner().invoke(main, ["audit", str(path), "--html", str(out)])
    assert again.exit_code == 4
    assert "--force replaces it" in again.output
