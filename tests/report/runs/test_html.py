"""The matrix as a page: every operation is in it, it is self-contained, and what strangers write stays text."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from fp8ref.check.diagnosis.diagnose import Diagnosis
from fp8ref.check.verdict import Finding, Report, Severity, Verdict
from fp8ref.escapes import plain
from fp8ref.report.runs import record

pytest.importorskip("jinja2")
from fp8ref.report.runs.html import html, picture
from fp8ref.report.runs.matrix import build, place_of

RUNS = Path(__file__).parents[3] / "docs" / "data" / "runs"
OP = "convert/f32/e4m3fn/rne.sat"
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u2028"


class Page(HTMLParser):
    """Elements, their attributes, and the texts of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts.append(data)

    @property
    def data(self) -> Any:
        return json.loads(self.scripts[0])


def run_of(
    *reports: Report, finished: bool = True, name: str = "k", version: str = "1", **header: Any
) -> dict[str, Any]:
    head = {"kind": "run", "schema": record.SCHEMA, "fp8ref": "0.1.0", "impl": "py:k:K", "level": 1, "seed": 0,
            "implementation": {"name": name, "version": version}, "operations": [], **header}  # fmt: skip
    return json.loads(json.dumps(record.document(head, reports, record.footer(reports, finished))))  # type: ignore[no-any-return]


def finding(op: str = OP, rule: str = "rounding-rna", said: str = "ties go away from zero") -> Finding:
    return Finding(op, (0x3F880000,), 0x38, 0x39, 7, 100, ("tie",), Diagnosis(rule, said, ""))


def cells(page: Page) -> dict[tuple[str, str], list[str]]:
    """(implementation, row) -> verdicts."""
    data = page.data
    return {
        (one["name"], data["rows"][row][3]): [data["verdicts"][op[1]] for op in ops]
        for one in data["implementations"]
        for row, ops in one["cells"]
    }


def test_every_operation_of_every_record_is_in_the_page() -> None:
    documents = [record.read(path) for path in sorted(RUNS.glob("*-level2.jsonl"))]
    data = Page(html(documents)).data
    asked = sum(len(document["operations"]) for document in documents)
    assert sum(len(ops) for one in data["implementations"] for _, ops in one["cells"]) == asked
    shown = [
        finding for one in data["implementations"] for _, ops in one["cells"] for op in ops for finding in op[9] or []
    ]
    assert len(shown) == sum(len(document["findings"]) for document in documents)
    for one in shown:
        labels = [label for label, _ in one["drawn"]]
        assert labels[0] == "input"
        assert {"want", "got"} <= set(labels)
        assert one["clause"]
        assert one["repro"].startswith("fp8ref ")
        assert one["again"].startswith("fp8ref check ")
        assert one["script"]


def test_modes_share_a_row_and_the_verdicts_stay_apart() -> None:
    documents = [
        run_of(Report(OP, OP, Verdict.FAIL, 100, 7, findings=[finding()]),
               Report("b", "convert/f32/e4m3fn/rtz.sat", Verdict.PASS, 100)),
        run_of(Report("c", "convert/f32/e4m3fn/rne.nonsat;nan=keep-sign", Verdict.ALLOWED, 9, allowed={"nan-sign": 2}),
               Report("d", "dot/e4m3fn.e5m2/f32/exact;k=32", Verdict.UNSUPPORTED, reason="no"), name="j"),
    ]  # fmt: skip
    assert cells(Page(html(documents))) == {
        ("j", "convert/f32/e4m3fn"): ["allowed"],
        ("j", "dot/e4m3fn.e5m2/f32"): ["unsupported"],
        ("k", "convert/f32/e4m3fn"): ["fail", "pass"],
    }


@pytest.mark.parametrize(
    ("op", "group", "format_", "label", "mode"),
    [
        (OP, "convert", "e4m3fn", "f32 → e4m3fn", "rne.sat"),
        ("convert/e5m2/f16/rna.nonsat", "decode", "e5m2", "e5m2 → f16", "rna.nonsat"),
        ("convert/f32/f16/rne.nonsat", "convert", "wider", "f32 → f16", "rne.nonsat"),
        ("decode/binary8p3se/f64", "decode", "P3109", "binary8p3se → f64", ""),
        ("add/e5m2.e5m2/e5m2/rne.sat;flags=1", "arithmetic", "e5m2", "add", "rne.sat;flags=1"),
        ("fma/e5m2.e5m2.f16/f16/rne.nonsat", "arithmetic", "e5m2", "fma e5m2 e5m2 f16 → f16", "rne.nonsat"),
        ("lt/e5m2.e5m2/bool;signalling=1", "compare", "e5m2", "lt", ";signalling=1"),
        ("isnan/e5m2/bool", "codes", "e5m2", "isnan", ""),
        ("scale/f32/mxfp8_e4m3/floor", "scale", "blocks", "scale f32 → mxfp8_e4m3", "floor"),
        ("finfo/e5m2/f64/max", "constant", "e5m2", "finfo e5m2 → f64", "max"),
        ("int/e5m2/i8/rtz.x86", "int", "e5m2", "e5m2 → i8", "rtz.x86"),
        ("future/e5m2/e5m2", "other", "unknown kind", "future/e5m2/e5m2", ""),
    ],
)
def test_where_an_operation_stands(op: str, group: str, format_: str, label: str, mode: str) -> None:
    place = place_of(op)
    assert (place.group, place.format, place.label, place.mode) == (group, format_, label, mode)
    assert place.key + ("/" if mode and mode[0] != ";" else "") + mode == op


def test_what_an_implementation_is_said_to_be() -> None:
    passing = Report("a", "abs/e5m2/e5m2", Verdict.PASS, 256)
    failing = Report(OP, OP, Verdict.FAIL, 100, 7, findings=[finding()])
    known = Report("f", "neg/e5m2/e5m2", Verdict.XFAIL, 256, 3, expected="known")
    torn = {**run_of(passing, name="torn"), "end": None}
    refused = run_of(name="refused", finished=False)
    refused["end"]["reason"] = "would not install"
    asked = [run_of(passing, name="good"), run_of(passing, failing, name="bad"), run_of(known, name="known")]
    found = build([*asked, torn, refused])
    assert {one.name: one.summary for one in found.implementations} == {
        "good": "conforms: 1 operation",
        "bad": "1 of 2 operations fail",
        "known": "1 operation: differs only as expected",
        "torn": "1 operation conforms; the run did not finish",
        "refused": "not asked: would not install",
    }
    assert found.implementations[-1].name == "refused"
    assert "%" not in re.sub(
        r"<style>.*?</style>|<script.*?</script>", "", html([run_of(passing, failing)]), flags=re.S
    )


def test_a_page_of_one_is_named_after_it_and_leads_to_the_whole() -> None:
    one = run_of(Report(OP, OP, Verdict.FAIL, 9, 1), name="acme", version="1.2", cpu="x86_64 avx2")
    text = html([one], whole="../all.html")
    assert "<h1>acme 1.2</h1>" in text
    assert "1 of 1 operation fail; 9 cases judged bit by bit." in text
    assert '<a href="../all.html">All implementations</a>' in text
    assert "x86_64 avx2</small>" in text
    assert "All implementations" not in html([one])
    assert "<h1>Who conforms</h1>" in html([one, run_of(name="other")])


def test_two_records_of_one_name_have_addresses_of_their_own() -> None:
    same = [run_of(Report("a", "abs/e5m2/e5m2", Verdict.PASS, 256)) for _ in range(3)]
    assert len({one.id for one in build(same).implementations}) == 3


def hostile() -> dict[str, Any]:
    """A record of a stranger in which every text is an attack."""
    evil = Report(EVIL, OP, Verdict.FAIL, 100, 7, {EVIL: 3}, (EVIL,), EVIL, EVIL,
                  [finding(said=EVIL)], EVIL)  # fmt: skip
    odd = Report(EVIL, "abs/e5m2/e5m2", Verdict.FAIL, 1, 1, findings=[finding("abs/e5m2/e5m2", EVIL)])
    document = run_of(evil, odd, name=EVIL, version=EVIL, impl=EVIL, date=EVIL, level=EVIL, fp8ref=EVIL)
    document["header"]["implementation"][EVIL] = EVIL
    for line in (*document["operations"], *document["findings"]):
        if line["op"] == odd.op:
            line["op"] = f"convert/{EVIL}"
        line["flags"] = [EVIL]
    return document


def test_tiles_carry_a_mark_and_separate_faults_from_choices() -> None:
    """A stripe is a choice only where every wrong answer in it is one; a failure without findings is none."""
    fault, choice = finding(), replace(finding(), severity=Severity.UNDOCUMENTED)

    def mark(*reports: Report) -> str:
        found = re.search(r'class="tile".*?<i class="(v-.*?)</i>', picture([run_of(*reports)], "m.html"))
        assert found is not None
        return found[1]

    def failing(mode: str, *findings: Finding) -> Report:
        op = f"convert/f32/e4m3fn/{mode}"
        return Report(op, op, Verdict.FAIL, 9, 1, findings=[replace(one, op=op) for one in findings])

    assert mark(failing("rne.sat", choice)) == 'v-choice">≠'
    assert mark(failing("rne.sat", choice), failing("rna.sat", fault)) == 'v-fail">✗'
    assert mark(failing("rne.sat", choice, fault)) == 'v-fail">✗'
    assert mark(failing("rne.sat")) == 'v-fail">✗'
    assert mark(failing("rne.sat", choice), Report(OP, OP, Verdict.CRASH, 0, 0)) == 'v-crash">!'
    assert mark(Report(OP, OP, Verdict.ALLOWED, 9, 0, {"zero-sign": 1})) == 'v-allowed">~'


def test_the_texts_of_strangers_stay_text() -> None:
    quiet, loud = (Page(html([document])) for document in (run_of(Report(OP, OP, Verdict.FAIL, 9, 1)), hostile()))
    assert len(loud.scripts) == len(quiet.scripts) == 2
    assert not [tag for tag, _ in loud.elements if tag in ("img", "iframe", "object", "link")]
    assert not [name for _, attributes in loud.elements for name in attributes if name.startswith("on")]
    assert loud.data["implementations"][0]["name"] == plain(EVIL)
    one = picture([hostile()], "matrix.html")
    assert "<script" not in one
    assert "<img" not in one


def test_the_page_needs_nothing_but_itself() -> None:
    text = html([record.read(RUNS / "torch-level2.jsonl")])
    page = Page(text)
    assert not [tag for tag, attributes in page.elements if "src" in attributes or tag in ("link", "base", "iframe")]
    assert all((attributes.get("href") or "#")[0] == "#" for _, attributes in page.elements)
    assert "url(" not in text
    assert "@import" not in text
    policy = next(attributes["content"] for _, attributes in page.elements if attributes.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_the_page_is_the_same_each_time_and_small() -> None:
    modes = [
        f"{rounding}.{overflow}" for rounding in ("rne", "rna", "rtz", "rtp", "rtn") for overflow in ("sat", "nonsat")
    ]
    sources = ("f64", "f32", "bf16", "f16", "i8", "u8", "i16", "u16", "i32", "u32")
    ops = [f"convert/{source}/{result}/{mode}" for source in sources for result in
           ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e3m4") for mode in modes]  # fmt: skip
    assert len(ops) == 500
    reports = [
        Report(op, op, Verdict.FAIL, 65536, 7, {}, (), "a documentation that says so", "", [finding(op)])
        if i % 20 == 0 and "/f32/" in op
        else Report(op, op, Verdict.PASS, 65536, 0, {}, (), "a documentation that says so")
        for i, op in enumerate(ops)
    ]
    documents = [run_of(*reports, name=f"library {i}") for i in range(20)]
    text = html(documents)
    assert html(documents[:2]) == html(documents[:2])
    assert len(text.encode()) < 1_500_000


def test_kept_records_render_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(RUNS.parents[2] / "tools" / "matrix"))
    keep = importlib.import_module("keep")
    run = tmp_path / "torch.jsonl"
    run.write_bytes((RUNS / "torch-level2.jsonl").read_bytes())
    assert "date" not in record.read(keep.keep(run, tmp_path))["header"]
    run.with_suffix(".meta.json").write_text('{"started": "2026-11-22T01:00:20Z"}')
    path = keep.keep(run, tmp_path)
    packed = path.read_bytes()
    assert keep.keep(run, tmp_path).read_bytes() == packed
    assert len(packed) < run.stat().st_size / 8
    known = importlib.import_module("known")
    lines = known.graded(known.load(), list(map(json.loads, run.read_text("utf-8").splitlines())))
    run.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    kept, whole = record.read(path), record.read(run)
    assert kept["header"]["date"] == "2026-11-22"
    assert record.reports_of(kept) == record.reports_of(whole)
    assert cells(Page(html([kept]))) == cells(Page(html([whole])))
    assert "asked 2026-11-22" in html([kept])
    many = [*[{"kind": "finding", "op": "a", "n": n} for n in range(9)], {"kind": "finding", "op": "b"}]
    assert [line.get("n") for line in keep.trimmed(many, "")] == [0, 1, 2, 3, None]


HIDDEN = """
import importlib.util, sys
find = importlib.util.find_spec
sys.modules["jinja2"] = None
importlib.util.find_spec = lambda name, *rest: None if name == "jinja2" else find(name, *rest)
from fp8ref.cli.main import run
run()
"""


def test_without_jinja2_one_line_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (run_of()["header"],)))
    for arguments in (
        ["report", "run.jsonl", "--as", "html"],
        ["check", "--impl", "mini:truncates", OP, "--html", "x"],
    ):
        done = subprocess.run([sys.executable, "-c", HIDDEN, *arguments], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 4
        assert done.stderr == "Error: html needs jinja2: pip install '.[report]' in a checkout of fp8ref\n"
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN, "report", "run.jsonl"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
