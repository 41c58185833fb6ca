"""The files for those who join: each is read as its reader would, and the steps of the action run as a runner does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

import fp8ref

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXPRESSION = re.compile(r"\$\{\{\s*inputs\.([\w-]+)\s*\}\}")
KERNEL = """
import numpy as np
class Kernel:
    def identify(self): return {"name": "kernel", "version": "1", "device": "cpu"}
    def capabilities(self): return ["decode/e5m2/f32", "decode/e5m2/f16"]
    def run(self, op, x):
        z = x.astype(np.uint16) << 8
        if op.result == "f16": return z
        y = z.view(np.float16).astype(np.float32).view(np.uint32)
        return np.where((x & 0x7C) == 0, y & np.uint32(1 << 31), y)
"""


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def test_the_citation_is_of_this_version() -> None:
    cff = read("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(cff)  # those that CFF 1.2.0 requires
    assert (cff["cff-version"], cff["title"], cff["version"]) == ("1.2.0", PROJECT["name"], fp8ref.__version__)
    assert cff["authors"] == PROJECT["authors"]
    assert cff["license"] == PROJECT["license"]


def test_hooks_are_local_and_of_the_projects_own_tools() -> None:
    tools = {re.split(r"[=<>~]", tool)[0] for tool in PROJECT["optional-dependencies"]["lint"]}
    (repo,) = read(".pre-commit-config.yaml")["repos"]
    assert repo["repo"] == "local"
    assert {hook["entry"].split()[0] for hook in repo["hooks"]} == tools
    assert {hook["language"] for hook in repo["hooks"]} == {"system"}


def test_the_workflow_runs_what_everybody_runs() -> None:
    steps = read(".github/workflows/ci.yml")["jobs"]["run"]["steps"]
    assert [step["run"] for step in steps if "run" in step][-1] == ".ci/run"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


# -- the map and the recipes ------------------------------------------------------------------------------------------
GUIDE = re.sub(r"^```.*?^```", "", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), flags=re.M | re.S)


def test_the_map_shows_every_room() -> None:
    package = Path(fp8ref.__file__).parent
    rooms = {str(path.parent.relative_to(package)) for path in package.rglob("*/__init__.py")}
    shown = set(re.findall(r"`([\w/]+)/`", GUIDE.partition("## The house")[2].partition("## Recipes")[0]))
    deep = {room for room in rooms if room.startswith("systems/")}  # papers, one each
    assert rooms - deep <= shown
    assert {room for room in shown if not (ROOT / room).is_dir()} <= rooms


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([\w./-]+/[\w.-]+\.(?:py|toml|json|md))`", GUIDE))))
def test_files_of_the_recipes_are_there(name: str) -> None:
    new = name.rpartition("/")[2] in ("test_tsv.py", "test_numpy_half.py")
    assert (ROOT / name).exists() or new


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("_entry(", "fp8ref/spec/catalog.py"),
        ("NAMED", "tests/second_oracles/exact.py"),
        ("PRINTED", "tests/spec/test_decode.py"),
        ("DIRECTIONS", "fp8ref/spec/rounding.py"),
        ("ROUNDS_AWAY", "fp8ref/spec/rounding.py"),
        ("GOES_UP", "tests/second_oracles/exact.py"),
        ("_ROUNDING", "fp8ref/report/findings/clauses.py"),
        ("SECOND", "tests/spec/matrix/test_accumulate.py"),
        ("CATALOGUE", "tests/check/identify/test_identify.py"),
        ("_LINES", "fp8ref/spec/scaling/named.py"),
        ("EDGES", "tests/spec/scaling/recipe_facts.py"),
        ("DIGESTS", "tests/spec/scaling/recipe_facts.py"),
        ("_MX", "fp8ref/spec/scaling/schemes.py"),
        ("E8M0_RULES", "fp8ref/spec/scaling/schemes.py"),
        ("SOURCES", "fp8ref/spec/scaling/schemes.py"),
        ("e8m0_codes", "fp8ref/fast/blocks.py"),
        ("projection_rules", "fp8ref/check/diagnosis/conversions.py"),
        ("CONVERSION_MUTANTS", "fp8ref/adapters/mutants/conversions.py"),
        ("VARIATIONS", "fp8ref/check/variations/catalog.py"),
        ("RIGHT", "tests/check/test_variations.py"),
        ("WRONG", "tests/check/test_variations.py"),
        ("FORMS", "fp8ref/vectors/forms/registry.py"),
    ],
)
def test_names_of_the_recipes_are_there(name: str, file: str) -> None:
    assert name in GUIDE
    assert file in GUIDE
    assert re.search(rf"^(def )?{re.escape(name)}", (ROOT / file).read_text(encoding="utf-8"), re.M)


# -- the action -------------------------------------------------------------------------------------------------------
def act(folder: Path, path: str, **inputs: str) -> subprocess.CompletedProcess[str]:
    """The steps of the action in a folder, one after another until one fails; the last one's process."""
    action = read("action.yml")
    given = {name: i.get("default", "") for name, i in action["inputs"].items()} | inputs
    assert set(given) == set(action["inputs"]), "an input that the action does not have"
    missing = [name for name, i in action["inputs"].items() if i.get("required") and not given[name]]
    assert not missing, missing

    def filled(text: str) -> str:
        found = EXPRESSION.sub(lambda match: given[match[1]], text)
        assert "${{" not in EXPRESSION.sub("", text), text
        return found

    context = {"GITHUB_ACTION_PATH": str(ROOT), "GITHUB_STEP_SUMMARY": str(folder / "summary.md"), "PATH": path}
    for step in action["runs"]["steps"]:
        assert "${{" not in step["run"], "an input must not become part of a script"
        environment = {name: filled(text) for name, text in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=folder / filled(step.get("working-directory", ".")),
            env={**os.environ, **context, **environment},
            capture_output=True,
            text=True,
            timeout=900,
        )
        if done.returncode:
            break
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "kernel.py").write_text(KERNEL)
    return tmp_path / "repository"


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which fp8ref is this checkout's, and pip installs nothing and notes what it was asked."""
    for name, line in (
        ("python", f'echo "$@" >> {tmp_path}/installed'),
        ("fp8ref", f'PYTHONPATH={ROOT}:"$PYTHONPATH" exec {sys.executable} -m fp8ref "$@"'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


def test_the_action_judges_and_reports(folder: Path, path: str) -> None:
    done = act(folder, path, impl="py:kernel:Kernel")
    assert (done.returncode, done.stderr) == (1, "")
    (suite,) = ElementTree.parse(folder / "fp8ref.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert "decode/e5m2/f32" in (folder / "summary.md").read_text()
    assert (folder / "fp8ref.jsonl").exists()
    assert (folder.parent / "installed").read_text().split()[-1] == str(ROOT)


def test_the_action_takes_known_failures_and_operations(folder: Path, path: str) -> None:
    known = '[[expected]]\noperation = "decode/e5m2/f32"\nfinding = "flush-to-zero"\nreason = "no subnormals"\n'
    (folder / "known.toml").write_text(f'schema = "fp8ref/expected/1"\n{known}')
    one = act(folder, path, impl="py:kernel:Kernel", expect="known.toml", junit="j.xml", operations="decode/e5m2/f32\n")
    assert one.returncode == 0, one.stdout
    (suite,) = ElementTree.parse(folder / "j.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("1", "0", "1")
    assert "1 operation fails as expected" in one.stdout


def test_inputs_are_no_scripts(folder: Path, path: str) -> None:
    done = act(folder, path, impl='py:kernel:Kernel"; touch broken; $(touch broken)', operations="$(touch broken)")
    assert done.returncode == 4
    assert not (folder / "broken").exists()


@pytest.mark.full
def test_the_action_installs_what_it_runs(folder: Path, tmp_path: Path) -> None:
    """The same in an environment that has nothing."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    done = act(
        folder, f"{tmp_path}/venv/bin:{os.environ['PATH']}", impl="py:kernel:Kernel", operations="decode/e5m2/f16"
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_of_the_specification_and_the_fast_paths_has_tests_that_kill_its_mutants() -> None:
    listed = tomllib.loads((ROOT / "tools" / "mutation" / "mutation.toml").read_text(encoding="utf-8"))["tests"]
    modules = {
        path.relative_to(ROOT / "fp8ref").as_posix()
        for floor in ("spec", "fast")
        for path in (ROOT / "fp8ref" / floor).rglob("*.py")
        if path.name != "__init__.py"
    }
    assert modules <= set(listed)
    assert [
        path for tests in listed.values() for path in tests if "/" in path and not (ROOT / path.split("::")[0]).exists()
    ] == []
