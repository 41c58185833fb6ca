"""Writes docs/data/reports: for every fault that the kept records show, a page that can be filed with the library.

``python tools/matrix/reports.py`` needs no library: what a page says of an answer stands in the record.  A reproduction
is the finding's own script, or the ``call`` of ``known.toml``.  ``tests/report/runs/test_reports.py`` runs them.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from known import Audited, Known, audited, kind_of, load

from fp8ref.cases.operation import Operation
from fp8ref.cases.products.questions import shapes
from fp8ref.cases.scaling.questions import is_scale
from fp8ref.check.diagnosis.diagnose import UNEXPLAINED
from fp8ref.check.verdict import Finding, Severity
from fp8ref.report.runs.reproductions import script
from fp8ref.report.runs.text import drawing

ROOT = Path(__file__).parents[2]
RECORDS, REPORTS = ROOT / "docs" / "data" / "matrix", ROOT / "docs" / "data" / "reports"
TORCH_TYPES = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}


@dataclass(frozen=True)
class Fault:
    """A kind of wrong answer of one library, with the findings that show it, by record."""

    known: Known
    header: Mapping[str, Any]
    findings: tuple[Mapping[str, Any], ...]

    @property
    def shown(self) -> Mapping[str, Any]:
        """The finding that the page shows: the one that is named, else the first that a script can show."""
        named = [line for line in self.findings if line["op"].startswith(self.known.shows)] if self.known.shows else []
        with_script = (line for line in self.findings if script(Finding.from_json(line), self.header["impl"]))
        return next(iter(named), None) or next(with_script, self.findings[0])


def faults(records: Path = RECORDS) -> Iterator[Fault]:
    """The faults of the kept records, in the order of ``known.toml``; of several modes of a library the first."""
    known = load()
    found: dict[int, tuple[Mapping[str, Any], list[Mapping[str, Any]]]] = {}
    for path in sorted(records.glob("*.jsonl.gz"), key=lambda path: path.name.removesuffix(".jsonl.gz")):
        lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
        header = lines[0]
        library = header["implementation"].get("name", "")
        for line in lines:
            kind = kind_of(known, library, line) if line["kind"] == "finding" else None
            if kind is not None and kind.severity is Severity.FAULT:
                own = found.setdefault(known.index(kind), (header, []))
                if own[0] is header:
                    own[1].append(line)
    for place, (header, findings) in sorted(found.items(), key=lambda pair: pair[0]):
        yield Fault(known[place], header, tuple(findings))


def reproduction(fault: Fault) -> tuple[str, str, str]:
    """A program that needs the library alone, what it prints, and what would be right."""
    known, line = fault.known, fault.shown
    finding = Finding.from_json(line)
    op = Operation.parse(finding.op)
    if is_scale(op):
        size = shapes(op, 1)[-1][1]
        seen, right = (code.to_bytes(size, "big").hex() for code in (finding.got, finding.want))
        if known.whole:
            return known.call.strip() + "\n", seen, right
        bits, dtype = {"f32": 32}.get(op.operands[0], 16), TORCH_TYPES[op.operands[0]]
        codes = ", ".join(f"0x{code:0{bits // 4}X}" for code in finding.inputs)
        made = textwrap.fill(f"codes = [{codes}]", 110, subsequent_indent="         ")
        text = (
            f"import torch\n\n{made}\n"
            f"x = torch.tensor(codes, dtype=torch.uint{bits}).view(torch.{dtype}).reshape(1, -1)\n"
            f"{known.call.strip()}\nprint(bytes(z.tolist()).hex())\n"
        )
        return text, seen, right
    digits = -(-_bits(op) // 4)
    seen, right = (f"0x{code:0{digits}X}" for code in (finding.got, finding.want))
    return known.call.strip() + "\n" if known.call else script(finding, fault.header["impl"]), seen, right


def _bits(op: Operation) -> int:
    known = {"bool": 8, "i64": 64, "f64": 64, "f32": 32, "f16": 16, "bf16": 16}
    return known.get(op.result, 8)


def page(fault: Fault) -> str:
    """The page of a fault, in Markdown."""
    known, header, line = fault.known, fault.header, fault.shown
    text, seen, right = reproduction(fault)
    finding = Finding.from_json(line)
    who = header["implementation"]
    versions = [f"{name} {version}" for name, version in who.items() if name not in ("name", "version", "device")]
    where = "" if finding.length == 1 else f", as element {finding.position} of {finding.length}"
    cause = known.cause or "not looked for in the source"
    others = [other for other in fault.findings if other is not line]
    parts = [
        f"# {who['name']}: {known.what}\n",
        f"{who['name']} {who['version']}, {', '.join([who.get('device', 'cpu'), *versions])}. "
        f"Asked {header.get('date', 'lately')}"
        + (f" on {header['cpu']}" if header.get("cpu") else "")
        + f", by fp8ref {header['fp8ref']}.\n",
        "## Reproduction\n",
        f"```{known.language}\n{text.rstrip()}\n```\n",
        f"It prints{where}:\n\n```text\n{seen}\n```\n" if text else "There is no script for this library.\n",
        f"Right would be:\n\n```text\n{right}\n```\n",
        "## Why that is right\n",
        f"{known.decided[0].upper()}{known.decided[1:]} ({known.source}).\n",
        f"```text\n{_case(finding, header['impl'])}\n```\n",
        "## Cause\n",
        f"{cause[0].upper()}{cause[1:]}. Of {line['of']:,} cases asked here, {line['count']:,} are wrong"
        + ("" if line["rule"] == UNEXPLAINED else f": {line['diagnosis']}")
        + ".\n",
    ]
    if others:
        rows = [f"- `{other['op']}`: {other['count']:,} of {other['of']:,} cases\n" for other in others]
        parts += ["## What else it breaks\n", "".join(rows)]
    if known.threads:
        parts += ["## Spoken of in\n", "".join(f"- {thread}\n" for thread in known.threads)]
    return "\n".join(parts)


def page_of_files(one: Audited) -> str:
    """The page of a fault in the files that a library writes."""
    return "\n".join([
        f"# {one.library}: {one.what}\n",
        f"{one.library} {one.version}, cpu. Found by `fp8ref audit` in files that it wrote.\n",
        "## Reproduction\n",
        f"```python\n{one.call.strip()}\n```\n",
        f"It prints:\n\n```text\n{one.sees}\n```\n",
        f"Right would be:\n\n```text\n{one.right}\n```\n",
        "## Why that is right\n",
        f"{one.decided[0].upper()}{one.decided[1:]} ({one.source}).\n",
        "## Cause\n",
        f"{one.cause[0].upper()}{one.cause[1:]}.\n",
        "## What else it breaks\n",
        f"- {one.breaks}\n",
    ])  # fmt: skip


def _case(finding: Finding, impl: str) -> str:
    """The case as ``fp8ref check`` draws it, without its commands."""
    lines = drawing(finding, impl).splitlines()
    kept = [line for line in lines if not re.match(r"\s*(repro|again|why)\b", line)]
    return textwrap.dedent("\n".join(kept[1:])).strip("\n")


def named(found: Sequence[Fault | Audited]) -> Iterator[tuple[str, Fault | Audited]]:
    """The faults, each with the path of its page: LIB/NN.md, counted within a library."""
    counted: Counter[str] = Counter()
    for fault in found:
        own = fault.library if isinstance(fault, Audited) else fault.known.library
        library = re.sub(r"[^a-z0-9]+", "-", own.lower())
        counted[library] += 1
        yield f"{library}/{counted[library]:02}.md", fault


def made_pages() -> dict[str, str]:
    """Every page by its path."""
    return {
        name: page_of_files(fault) if isinstance(fault, Audited) else page(fault)
        for name, fault in named([*faults(), *audited()])
    }


def main() -> None:
    """The command."""
    made = made_pages()
    shutil.rmtree(REPORTS, ignore_errors=True)
    for name, text in made.items():
        path = REPORTS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"{len(made)} reports of {len({name.partition('/')[0] for name in made})} libraries in {REPORTS}")


if __name__ == "__main__":
    main()
