"""Tables of results that were measured once and kept in docs/data: planted faults, benchmarks, runs."""

from __future__ import annotations

import json
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import md

from fp8ref.report.runs import certificate, record


def pages(docs: Path) -> dict[str, str]:
    data = docs / "data"
    return {
        "results/faults.md": faults(_read(data / "faults.json")),
        "results/pairs.md": pairs(_read(data / "pairs.json")),
        "results/bench.md": bench(_read(data / "bench.json")),
        "results/versions.md": versions(_read(data / "versions.json")),
        "results/vectors.md": vectors(_read(data / "vectors.json")),
        "results/runs.md": "\n".join(run(path) for path in sorted((data / "runs").glob("*.jsonl")))
        or "No run is recorded here yet.\n",
        "results/proofs.md": proofs(data / "proofs"),
    }


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


# -- certificates -----------------------------------------------------------------------------------------------------
def proofs(folder: Path) -> str:
    """A row for each certificate: whose answers, which operations, how many inputs, and what the proof took."""
    paths = sorted(folder.glob("*.json"))
    if not paths:
        return "No certificate is kept here yet.\n"
    took = tomllib.loads((folder / "times.toml").read_text(encoding="utf-8"))
    rows = []
    for path in paths:
        found = certificate.read(path)
        modes: defaultdict[str, list[str]] = defaultdict(list)
        for proof in found.proofs:
            what, _, mode = proof.claim.op.id.rpartition("/")
            modes[what if proof.claim.op.mode else proof.claim.op.id].append(mode if proof.claim.op.mode else "")
        alike: defaultdict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
        for what, some in modes.items():
            family, _, types = what.partition("/")
            alike[types, tuple(some)].append(family)
        together: defaultdict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
        for (types, ways), families in alike.items():
            together[tuple(families), ways].append(types)
        asked = "<br>".join(
            f"{' '.join(map(md.code, families))} of {' '.join(map(md.code, every))}"
            + (f" in {len(ways)} modes" if len(ways) > 3 else "".join(f", {md.code(m)}" for m in ways if m))
            for (families, ways), every in together.items()
        )
        who = " ".join(found.identity.get(key, "") for key in ("name", "version"))
        rows.append([md.code(path.name), who, asked, f"{found.cases:,}", took.get(path.stem, "not measured")])
    return md.table(["certificate", "answers of", "operations", "inputs", "processor time, min:s"], rows, [3])


# -- several faults in one implementation ------------------------------------------------------------------------------
def pairs(found: dict[str, Any]) -> str:
    """Counts, then a row for each pair and triple."""
    if not found:
        return "Not measured yet: `python tools/docs/pairs.py`.\n"
    parts = []
    for size, what in (("2", "pairs"), ("3", "triples")):
        entries = found[size]
        named = sum(not entry["missed"] for entry in entries)
        rows = [
            [md.code("mini:" + "+".join(e["names"])), md.code(e["op"]), "<br>".join(map(md.code, e["said"])),
             ", ".join(map(md.code, e["missed"])) or "none"]
            for e in entries
        ]  # fmt: skip
        parts.append(f"Of {len(entries)} {what} {named} have every fault named (seed {found['seed']}).\n")
        parts.append(md.table(["implementation", "operation", "its findings say", "not named"], rows))
    return "\n".join(parts)


# -- planted faults ---------------------------------------------------------------------------------------------------
def faults(found: dict[str, Any]) -> str:
    """Counts, then a row for each mutant."""
    if not found:
        return "Not measured yet: `python tools/docs/faults.py`.\n"
    faulty, correct, misbehaving = (found[kind] for kind in ("faulty", "correct", "misbehaving"))
    named = [m for m in faulty if m["planted"] != "unexplained"]
    open_ = [m for m in faulty if m["planted"] == "unexplained"]
    caught = sum(m["caught"] for m in faulty)
    right = sum(m["as_expected"] for m in named)
    left = sum(m["as_expected"] for m in open_)
    accused = sum(m["failing"] for m in correct)
    ended = sum(m["as_expected"] for m in misbehaving)
    counts = [
        ["faults planted", str(len(faulty))],
        ["caught at level 1", str(caught)],
        ["one wrong rule planted", str(len(named))],
        ["... named by the diagnosis", str(right)],
        ["no single rule fits", str(len(open_))],
        ["... called unexplained", str(left)],
        ["misbehaving implementations that became a verdict", f"{ended} of {len(misbehaving)}"],
        ["operations of correct implementations judged", str(sum(m["operations"] for m in correct))],
        ["... accused", str(accused)],
    ]
    head = f"fp8ref {found['fp8ref']}, level {found['level']}, seed {found['seed']}:\n\n"
    rows = [
        [
            md.code(m["name"]),
            "<br>".join(md.code(claim) for claim in m["claims"]),
            m["planted"] + (f", {m['where']}" if m["where"] else ""),
            "yes" if m["caught"] else "**no**",
            "; ".join(m["said"]) if m["planted"] != "unexplained" else "unexplained" if m["as_expected"] else "?",
            f"{m['failed']} of {m['cases']}",
        ]
        for m in faulty
    ]
    headings = ["mini:", "claims", "planted", "caught", "said", "cases that fail"]
    others = [[md.code(m["name"]), m["verdict"], m["reason"]] for m in misbehaving]
    right_ones = [[md.code(m["name"]), str(m["operations"]), str(m["failing"])] for m in correct]
    return "\n".join(
        [
            head,
            md.table(["", ""], counts, [1]),
            "## Planted faults\n",
            md.table(headings, rows, [5]),
            "## Misbehaviour\n",
            md.table(["mini:", "verdict", "reason given"], others),
            "## Correct implementations\n",
            md.table(["mini:", "operations", "accused"], right_ones, [1, 2]),
        ]
    )


# -- benchmarks -------------------------------------------------------------------------------------------------------
def bench(found: dict[str, Any]) -> str:
    if not found:
        return "Not measured yet: `python tools/bench/conversions.py --json docs/data/bench.json`.\n"
    rows = [[r["name"], r["fp8ref"], r["other"], r["measured"], r["target"], r["met"]] for r in found["rows"]]
    about = (
        f"fp8ref {found['fp8ref']}, ml_dtypes {found['ml_dtypes']}, numpy {found['numpy']}, Python {found['python']}; "
        f"{found['machine']}, {found['cores']} cores; arrays of 2^{found['log2_elements']} elements, best of "
        f"{found['repeats']}.\n\n"
    )
    return about + md.table(["what", "fp8ref", "ml_dtypes", "measured", "target", "met"], rows, [1, 2, 3, 4])


def versions(found: dict[str, Any]) -> str:
    """Rates before and now, how many times as fast and what was asked for, and those of others."""
    if not found:
        return "Not measured yet: `python tools/bench/versions.py --peers --json docs/data/versions.json`.\n"
    peers = list(dict.fromkeys(peer for r in found["rows"] for peer in r["peers"]))
    rows = [
        [r["case"] + ("" if r["same"] else " (1)"), r["unit"].split()[1], f"{r['before']:,.0f}", f"{r['now']:,.0f}",
         f"{r['ratio']:.2f}", f"{r['target']:g}" if r["target"] else "",
         *(f"{r['peers'][peer]:,.0f}" if peer in r["peers"] else "" for peer in peers)]
        for r in found["rows"]
    ]  # fmt: skip
    about = "; ".join(f"{name} {version}" for name, version in found["versions"].items())
    columns = ["what", "millions a second of", "before", "now", "ratio", "asked", *peers]
    return f"{found['date']}, {about}.\n\n" + md.table(columns, rows, [*range(2, len(columns))])


def vectors(found: dict[str, Any]) -> str:
    """Vectors made and verified: against an earlier version, with flags against without, and the memory of both."""
    if not found:
        return "Not measured yet: `python tools/bench/vectors.py --json docs/data/vectors.json`.\n"

    def rates(r: dict[str, Any]) -> list[str]:
        cells = [r["operation"], r["form"]]
        for what in ("made", "verified"):
            first, second, ratio = r[what].values()
            cells += [f"{first:,.0f}", f"{second:,.0f}", f"{ratio:.2f}"]
        return [*cells, f"{r['target']:g}" if r["target"] else ""]

    earlier = [[*rates(r), f"{r['held']:,.0f}" if r["form"] == "testfloat" else ""] for r in found["versions"]]
    memory = [
        [r["operation"], f"{r['cases']:,}", *(f"{size:.0f}" for what in ("made", "verified") for size in r[what])]
        for r in found["memory"]
    ]
    about = "; ".join(f"{name} {version}" for name, version in found["about"].items())
    return "\n".join(
        [
            f"{found['date']}, {about}; rates in cases a second.\n",
            md.table(["operation", "form", "made before", "now", "ratio", "verified before", "now", "ratio", "asked",
                      "with recipe"], earlier, [*range(2, 10)]),
            md.table(["exact sums", "form", "made without", "with flags", "ratio", "verified without", "with flags",
                      "ratio", "asked"], [rates(r) for r in found["flags"]], [*range(2, 9)]),
            md.table(["memory in MiB", "n", "made, n", "made, 4n", "verified, n", "verified, 4n"], memory,
                     [*range(1, 6)]),
        ]
    )  # fmt: skip


# -- runs -------------------------------------------------------------------------------------------------------------
def run(path: Path) -> str:
    """One run record: who, how, the totals, and each finding."""
    document = record.read(path)
    header, end = document["header"], document["end"]
    identity = dict(header["implementation"])
    title = " ".join(identity.pop(key, "") for key in ("name", "version"))
    rest = ", ".join(f"{key} {value}" if key != "device" else value for key, value in identity.items())
    verdicts = ", ".join(f"{count} {name}" for name, count in (end or {"verdicts": {}})["verdicts"].items())
    head = f"## {title}, level {header['level']}\n\n{rest}; seed {header['seed']}, fp8ref {header['fp8ref']}.\n\n"
    if end is None or not end["finished"]:
        return head + "This run did not finish.\n"
    allowed = ", ".join(f"{count} {name}" for name, count in end["allowed"].items())
    total = f"{len(document['operations'])} operations: {verdicts}. {end['cases']:,} cases, {end['failed']:,} fail"
    parts = [head + total + (f", allowed: {allowed}" if allowed else "") + ".\n"]
    if document["findings"]:
        rows = [
            [md.code(f["op"]), f"{f['count']:,} of {f['of']:,}", md.code("#" + ".".join(f["inputs"])),
             md.code(f["want"]), md.code(f["got"]), f["diagnosis"]]
            for f in document["findings"]
        ]  # fmt: skip
        headings = ["operation", "cases", "smallest", "want", "got", "diagnosis"]
        parts.append(md.table(headings, rows, [1]))
    else:
        rows = [[md.code(o["op"]), f"{o['cases']:,}", o["verdict"], ", ".join(o["profiles"])]
                for o in document["operations"]]  # fmt: skip
        if len(rows) <= 20:
            parts.append(md.table(["operation", "cases", "verdict", "meets"], rows, [1]))
    return "\n".join(parts)
