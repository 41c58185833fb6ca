"""Known failures: what a file of them excuses, what it does not, and when it is out of date."""

import json
import platform
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import warm

import fp8ref.check.expected as module
from fp8ref.check.compare import digest
from fp8ref.check.diagnosis.diagnose import Diagnosis
from fp8ref.check.expected import Entry, Expectations, as_json, entries_of, load, written
from fp8ref.check.outcome import outcome
from fp8ref.check.verdict import Finding, Report, Verdict
from fp8ref.report.runs.text import summary

OP, OTHER = "convert/f32/e4m3fn/rne.sat", "convert/f32/e5m2/rne.nonsat"
HEAD = 'schema = "fp8ref/expected/1"\n'
TRUNCATES = Diagnosis("rounding-rtz", "rounds toward zero", "for negative inputs")


def finding(op: str = OP, diagnosis: Diagnosis = TRUNCATES, count: int = 5, got: int = 0x38) -> Finding:
    return Finding(op, (0x3F900000,), 0x39, got, count, 100, (), diagnosis)


def report(verdict: Verdict, *findings: Finding, op: str = OP, claim: str = "", reason: str = "") -> Report:
    return Report(claim or op, op, verdict, 100, sum(f.count for f in findings), reason=reason, findings=list(findings))


def entry(operation: str = OP, finding: str = "rounding-rtz for negative inputs", **more: object) -> Entry:
    return Entry(operation, finding, "we know", place="known.toml:3", **more)  # type: ignore[arg-type]


def judged(found: Report, *entries: Entry) -> Verdict:
    return Expectations(entries).judge(found).verdict


@pytest.mark.parametrize(
    ("known", "verdict"),
    [
        (entry(), Verdict.XFAIL),
        (entry("convert/f32/*"), Verdict.XFAIL),
        (entry(finding="rounding-rtz*"), Verdict.XFAIL),
        (entry(count=5), Verdict.XFAIL),
        (entry(case="3F900000", got="38"), Verdict.XFAIL),
        (entry(OTHER), Verdict.FAIL),
        (entry("convert/f64/*"), Verdict.FAIL),
        (entry(finding="rounding-rtz"), Verdict.FAIL),  # the same rule, but everywhere
        (entry(finding="rounding-rna for negative inputs"), Verdict.FAIL),
        (entry(count=4), Verdict.FAIL),
        (entry(case="3F900001"), Verdict.FAIL),
        (entry(got="37"), Verdict.FAIL),
    ],
)
def test_an_entry_excuses_its_own_finding_and_no_other(known: Entry, verdict: Verdict) -> None:
    assert judged(report(Verdict.FAIL, finding()), known) is verdict


def test_one_finding_that_nobody_expects_is_a_failure_and_is_distinguished_from_the_known_ones() -> None:
    new = finding(diagnosis=Diagnosis("overflow-sat", "overflow saturates"))
    found = report(Verdict.FAIL, finding(), new)
    assert judged(found, entry()) is Verdict.FAIL
    assert [f.expected for f in found.findings] == ["we know", ""]


def test_crashes_and_timeouts_are_expected_by_name() -> None:
    for verdict in (Verdict.CRASH, Verdict.TIMEOUT):
        assert judged(report(verdict), entry(finding=verdict.value)) is Verdict.XFAIL
        assert judged(report(verdict), entry()) is verdict
    assert judged(report(Verdict.CRASH), entry(finding="timeout")) is Verdict.CRASH


def test_a_pass_where_a_failure_was_expected_is_xpass() -> None:
    for verdict in (Verdict.PASS, Verdict.ALLOWED):
        assert judged(report(verdict), entry()) is Verdict.XPASS
        assert judged(report(verdict), entry("convert/*")) is verdict, "a glob does not say which of them fail"
    assert judged(report(Verdict.UNSUPPORTED), entry()) is Verdict.UNSUPPORTED


def stale(entries: list[Entry], reports: list[Report], claims: list[str]) -> list[str]:
    known = Expectations(tuple(entries))
    for found in reports:
        known.judge(replace(found, findings=list(found.findings)))
    return [why for _, why in known.stale(claims)]


def test_stale_entries() -> None:
    failing, claims = report(Verdict.FAIL, finding()), [OP, OTHER, "convert/f64/e4m3fn/*"]
    assert stale([entry()], [failing], claims) == []
    assert stale([entry("convert/*"), entry()], [failing], claims) == []
    assert stale([entry("add/*")], [failing], claims) == ["no such operation is claimed"]
    assert stale([entry(finding="via-f32")], [failing], claims) == ["found instead: rounding-rtz for negative inputs"]
    assert stale([entry(count=9)], [failing], claims) == ["found with another count or case"]
    assert stale([entry("convert/f32/*")], [report(Verdict.PASS)], claims) == ["no such failure was found"]
    # not selected in this run: nothing is known of it
    assert stale([entry(OTHER), entry("convert/f64/e4m3fn/rne.sat")], [failing], claims) == []
    # judged under another mode than the entry names
    free = report(Verdict.PASS, op="convert/f64/e4m3fn/rne.nonsat", claim="convert/f64/e4m3fn/*")
    assert stale([entry("convert/f64/e4m3fn/rne.sat")], [free], claims) == ["no such failure was found"]


# -- files ------------------------------------------------------------------------------------------------------------
BAD = [
    ("known.toml", "schema = \n", r"known.toml:1: not TOML"),
    ("known.toml", "", r"known.toml: schema is None; .* 'fp8ref/expected/1'"),
    ("known.toml", 'schema = "fp8ref/expected/9"', r"schema is 'fp8ref/expected/9'"),
    ("known.toml", HEAD + "extra = 1", r"unknown key 'extra'; choose from"),
    ("known.toml", HEAD + "expected = 3", r"expected is a list of tables"),
    ("known.toml", HEAD + "expected = [3]", r"expected\[0\]: an expected failure is a table, not int"),
    ("known.toml", f'{HEAD}\n[[expected]]\noperation = "{OP}"\nreason = "r"', r"known.toml:3: finding is missing"),
    ("known.toml", f'{HEAD}[[expected]]\noperation = "{OP}"\nfinding="x"\nreason = " "', r"toml:2: reason is missing"),
    ("known.toml", HEAD + "[[expected]]\noperation = 3", r"known.toml:2: operation is a text, not 3"),
    ("known.toml", f'{HEAD}[[expected]]\noperation="{OP}"\nfinding="x"\nreason="r"\ncount=true', "count is a number"),
    ("known.toml", f'{HEAD}[[expected]]\nlinc="{OP}"', r"toml:2: unknown key 'linc'; choose from .*link"),
    ("known.toml", HEAD + '[[expected]]\noperation="convrt/f32/e5m2"\nfinding="x"\nreason="r"', "did you mean convert"),
    ("known.toml", HEAD + '[[expected]]\noperation="f32_to_e5m2"\nfinding="x"\nreason="r"', "is written 'convert/f32"),
    ("known.json", "{\n]", r"known.json:2: not JSON"),
    ("known.json", "[]", r"known.json: schema is None"),
]


@pytest.mark.parametrize(("name", "content", "said"), BAD)
def test_bad_files_are_refused_in_one_line_with_the_place(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=said) as refused:
        load(tmp_path / name)
    assert "\n" not in str(refused.value)


def test_what_is_written_is_read_again_and_keeps_reasons(tmp_path: Path) -> None:
    odd = Diagnosis("unexplained", "", pattern="3 of 9 answers")
    reports = [
        report(Verdict.FAIL, finding()),
        report(Verdict.FAIL, finding(OTHER, odd), op=OTHER),
        report(Verdict.CRASH, reason='said "no"\n\x7f', op="decode/e5m2/f32"),
        report(Verdict.TIMEOUT, reason="no answer within 1 s", op="decode/e4m3fn/f32"),
        report(Verdict.PASS, op="abs/e5m2/e5m2"),
    ]
    known = Expectations((replace(entry(), link="https://example.org/1"),))
    entries = entries_of(reports, known)
    assert [(e.finding, e.case) for e in entries] == [
        ("rounding-rtz for negative inputs", ""), ("unexplained", "3F900000"), ("crash", ""), ("timeout", ""),
    ]  # fmt: skip
    assert (entries[0].reason, entries[0].link) == ("we know", "https://example.org/1")
    (tmp_path / "a.toml").write_text(written(entries, "x 1"))
    (tmp_path / "a.json").write_text(as_json(entries, "x 1"))
    for name in ("a.toml", "a.json"):
        assert [replace(e, place="") for e in load(tmp_path / name).entries] == entries
        expected = load(tmp_path / name)
        again = [expected.judge(replace(r, findings=list(r.findings))) for r in reports]
        assert [r.verdict for r in again] == [Verdict.XFAIL] * 4 + [Verdict.PASS]
        assert expected.stale([]) == []


def test_files_obey_the_schema(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(Path(module.__file__).with_name("expected.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    for path in (Path(__file__).parent / "expected").iterdir():
        assert len(load(path).entries) >= 14
        validator.validate(tomllib.loads(path.read_text()))
    refused = 0
    for name, content, _ in BAD:  # what is wrong beyond the syntax and the ids
        try:
            data = tomllib.loads(content) if name.endswith("toml") else json.loads(content)
        except ValueError:
            continue
        refused += not validator.is_valid(data)
    assert refused == len(BAD) - 4


# -- the command ------------------------------------------------------------------------------------------------------
def check(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return warm.fp8ref("check", "--jobs", "1", *arguments, cwd=folder)


def test_the_command_excuses_what_it_wrote_and_reports_what_is_new(tmp_path: Path) -> None:
    assert check(tmp_path, "--impl", "mini:truncates", "--write-expect", "known.toml").returncode == 1
    done = check(tmp_path, "--impl", "mini:truncates", "--expect", "known.toml", "--strict", "-o", "run.jsonl")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 operations fail as expected" in done.stdout
    assert "FAIL" not in done.stdout
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert [line.get("verdict") for line in lines if line["kind"] == "operation"] == ["xfail", "xfail"]
    assert all(line["expected"] for line in lines if line["kind"] == "finding")
    assert str(tmp_path) not in (tmp_path / "run.jsonl").read_text()

    other = check(tmp_path, "--impl", "mini:ties-away", "--expect", "known.toml")
    assert other.returncode == 1
    assert f"new    no expected failure is {OP} rounding-rna" in other.stdout
    assert "stale: known.toml:7: convert/f32/e4m3fn/rne.sat rounding-rtz: found instead: rounding-rna" in other.stdout

    passing = ["--impl", "mini:correct", OP, "--expect", "known.toml"]
    assert check(tmp_path, *passing).returncode == 0
    strict = check(tmp_path, *passing, "--strict", "--json")
    assert strict.returncode == 1
    assert [o["verdict"] for o in json.loads(strict.stdout)["operations"]] == ["xpass"]
    assert "stale" not in json.loads(strict.stdout)["end"], "the other operation was not selected"


def test_a_stale_entry_and_a_crash(tmp_path: Path) -> None:
    known = tmp_path / "known.toml"
    known.write_text(f'{HEAD}[[expected]]\noperation = "convert/*"\nfinding = "crash"\nreason = "no unit"\n')
    crashing = ["--impl", "mini:raises", "--expect", "known.toml", "--strict"]
    assert check(tmp_path, *crashing).returncode == 0
    known.write_text(known.read_text() + '[[expected]]\noperation = "add/*"\nfinding = "x"\nreason = "r"\n')
    done = check(tmp_path, *crashing)
    assert done.returncode == 1
    assert "stale: known.toml:6: add/* x: no such operation is claimed" in done.stdout
    assert check(tmp_path, *crashing[:-1]).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--strict"], "--strict judges expected failures"),
        (["--expect", "absent.toml"], "cannot read absent.toml"),
        (["--expect", "bad.toml"], "bad.toml:1: not TOML"),
        (["--write-expect", "bad.toml"], "bad.toml exists; --force replaces it"),
        (["--junit", "bad.toml"], "bad.toml exists; --force replaces it"),
    ],
)
def test_usage(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "bad.toml").write_text("= 3")
    done = check(tmp_path, "--impl", "mini:correct", OP, *arguments)
    assert (done.returncode, done.stdout) == (4, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


# -- regressions ------------------------------------------------------------------------------------------------------
def test_more_or_other_wrong_answers_of_the_same_rule_are_new() -> None:
    unexplained = finding(diagnosis=Diagnosis("unexplained", "", pattern="7905 of 37565 answers"), count=7905)
    now = replace(unexplained, digest="00AA")
    (written_entry,) = entries_of([report(Verdict.FAIL, now)])
    assert (written_entry.count, written_entry.digest) == (7905, "00AA")
    for found, verdict in (
        (now, Verdict.XFAIL),
        (replace(now, count=18599, digest="00AB"), Verdict.FAIL),
        (replace(now, digest="00AB"), Verdict.FAIL),
    ):
        same = Expectations((written_entry,), asked=module.Asking(1, 0), now=module.Asking(1, 0))
        assert same.judge(report(Verdict.FAIL, found)).verdict is verdict
        other = Expectations((written_entry,), asked=module.Asking(1, 0), now=module.Asking(2, 0))
        assert other.judge(report(Verdict.FAIL, found)).verdict is Verdict.XFAIL


def test_the_digest_is_of_all_wrong_answers_in_any_order() -> None:
    x, got = np.arange(50, dtype=np.uint32), np.arange(50, dtype=np.uint8) ^ 1
    whole = digest([x], got)
    order = np.random.default_rng(0).permutation(50)
    assert digest([x[order]], got[order]) == whole
    assert (digest([x[:20]], got[:20]) + digest([x[20:]], got[20:])) % (1 << 64) == whole
    assert digest([x], np.where(x == 7, 9, got)) != whole
    assert digest([x[1:]], got[1:]) != whole
    assert digest([x[:0]], got[:0]) == 0


def test_known_failures_say_of_which_cases_they_are_and_a_run_with_them_does_not_conform(tmp_path: Path) -> None:
    assert check(tmp_path, OP, "--impl", "mini:truncates", "--write-expect", "known.toml").returncode == 1
    data = tomllib.loads((tmp_path / "known.toml").read_text())
    assert (data["level"], data["seed"], data["flag"]) == (1, 0, "")
    assert data["expected"][0]["count"] > 1000
    assert len(data["expected"][0]["digest"]) == 16
    same = check(tmp_path, OP, "--impl", "mini:truncates", "--expect", "known.toml", "--strict", "--badge", "b.json")
    assert same.returncode == 0
    assert "1 operation fails as expected" in same.stdout
    assert "conform" not in same.stdout + (tmp_path / "b.json").read_text()
    other = check(tmp_path, OP, "--impl", "mini:truncates", "--expect", "known.toml", "--strict", "--seed", "3")
    assert other.returncode == 0
    assert "counted at level 1, seed 0; by rule and circumstance alone at level 1, seed 3" in other.stdout


def test_an_entry_that_excuses_everything_is_refused_where_it_matters(tmp_path: Path) -> None:
    (tmp_path / "all.toml").write_text(HEAD + '[[expected]]\noperation = "*"\nfinding = "*"\nreason = "later"\n')
    refused = check(tmp_path, OP, "--impl", "mini:truncates", "--expect", "all.toml", "--strict")
    assert refused.returncode == 4
    assert "all.toml:2: an entry that excuses everything" in refused.stderr
    assert check(tmp_path, OP, "--impl", "mini:truncates", "--expect", "all.toml").returncode == 0


def test_severity_comes_with_the_source_that_decides_it(tmp_path: Path) -> None:
    known = entry(severity="documented-choice", link="https://example.org/pull/1")
    (found,) = Expectations((known,)).judge(report(Verdict.FAIL, finding())).findings
    assert (found.severity, found.decided) == ("documented-choice", "https://example.org/pull/1")
    assert found.as_json()["severity"] == "documented-choice"
    assert Finding.from_json(found.as_json()) == found
    assert finding().as_json()["severity"] == "fault"
    rows = {"severity": "severity is one of fault", "documented-choice": "a documented choice has a link"}
    for value, said in zip(("grave", "documented-choice"), rows.values()):
        (tmp_path / "a.toml").write_text(
            HEAD + f'[[expected]]\noperation = "{OP}"\nfinding = "x"\nreason = "y"\nseverity = "{value}"\n'
        )
        with pytest.raises(ValueError, match=said):
            load(tmp_path / "a.toml")


def test_severity_decides_which_expected_failures_an_exit_code_forgives(tmp_path: Path) -> None:
    """The same known failures as a choice and as a fault; what nobody expects fails whatever is forgiven."""
    link = 'link = "https://example.org/pull/1"\n'
    order = ["fault", "undocumented-choice", "documented-choice"]
    for severity in order:
        (tmp_path / "known.toml").write_text(
            HEAD + f'[[expected]]\noperation = "{OP}"\nfinding = "*"\nreason = "y"\nseverity = "{severity}"\n{link}'
        )
        for fail_on in ("", "undocumented-choice"):
            more = ["--fail-on", fail_on] if fail_on else []
            done = check(tmp_path, OP, "--impl", "mini:truncates", "--expect", "known.toml", "--junit", "x.xml",
                         "--force", *more)  # fmt: skip
            refused = bool(fail_on) and order.index(severity) <= order.index(fail_on)
            assert done.returncode == refused, (severity, fail_on, done.stdout)
            last = done.stdout.splitlines()[-1]
            assert last.startswith("does not conform: ") is refused
            assert "1 operation fails as expected" in last
            assert "conforms" not in last
        said = f"{severity}: rounding-rtz (https://example.org/pull/1)"
        assert f'<property name="severity" value="{said}" />' in (tmp_path / "x.xml").read_text()
    assert check(tmp_path, OTHER, "--impl", "mini:truncates", "--expect", "known.toml").returncode == 1


OUTCOMES = {
    (Verdict.PASS,): (0, "conforms: "),
    (Verdict.PASS, Verdict.UNSUPPORTED): (0, "conforms: "),
    (Verdict.PASS, Verdict.FAIL): (1, "does not conform: "),
    (Verdict.PASS, Verdict.FAIL, Verdict.CRASH): (6, "does not conform: "),
    (Verdict.XPASS,): (0, "conforms: "),
    (Verdict.XFAIL, Verdict.PASS): (0, "1 operation fails as expected; right: "),
    (Verdict.PASS, Verdict.UNDECIDED): (5, "1 undecided; right: "),
    (Verdict.UNDECIDED, Verdict.FAIL): (1, "does not conform: "),
    (Verdict.UNSUPPORTED,): (5, "nothing ran"),
}


@pytest.mark.parametrize("verdicts", OUTCOMES)
def test_the_last_line_agrees_with_the_exit_code(verdicts: tuple[Verdict, ...]) -> None:
    wrong = {Verdict.FAIL: [finding()], Verdict.XFAIL: [replace(finding(), expected="we know")]}
    reports = [report(verdict, *wrong.get(verdict, [])) for verdict in verdicts]
    assert (outcome(reports), summary(reports)[: len(OUTCOMES[verdicts][1])]) == OUTCOMES[verdicts]
    assert outcome(reports, finished=False) == 2
    assert "the run did not finish" in summary(reports, finished=False)
    if Verdict.XPASS in verdicts:
        strict = outcome(reports, strict=True)
        assert (strict, summary(reports, ends=strict)[:17]) == (1, "does not conform:")


def test_a_record_names_the_processor_of_what_is_compiled_and_of_nothing_else(tmp_path: Path) -> None:
    for impl, named in (("ml_dtypes", True), ("mini:correct", False)):
        check(tmp_path, "decode/e4m3fn/f32", "--impl", impl, "-o", f"{impl[:4]}.jsonl")
        head = json.loads((tmp_path / f"{impl[:4]}.jsonl").read_text().splitlines()[0])
        assert ("cpu" in head) is named
        assert not named or head["cpu"].split()[0] == platform.machine()
