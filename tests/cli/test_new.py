"""``fp8ref new``: what it writes works, and it replaces nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import warm

from fp8ref.cli.check import check
from fp8ref.cli.new import sources

WRITTEN = {
    "adapter": "README.md cabi.c e4m3fn.h fp8ref.h level0.c level1.py level2.c level2.rs my_kernel.py",
    "kernel-test": "README.md test_my_kernel.py",
    "ci": "README.md check.sh fp8ref.yml",
    "rtl": "README.md bench_dpi.sv bench_readmemh.sv bench_textio.vhd cocotb_bench.py convert_uvm_pkg.svh "
    "f32_to_e4m3fn.sv f32_to_e4m3fn.vhd mul_e4m3fn.sv mul_e4m3fn.vhd run.py",
    "declaration": "Configurations.yaml Constraints.yaml Kappas.yaml Profiles.yaml README.md",
}


def fp8ref(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return warm.fp8ref(*arguments, cwd=cwd)


@pytest.mark.parametrize("kind", WRITTEN)
def test_the_files_of_a_start(kind: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("mine")
    for folder in ("there", "made/now"):
        done = fp8ref("new", kind, folder, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == [f"{folder}/{name}" for name in WRITTEN[kind].split()]
        assert {path.name for path in (tmp_path / folder).iterdir()} - {"mine.txt"} == set(WRITTEN[kind].split())
    readme = (tmp_path / "there" / "README.md").read_text()
    assert all(f"`{name}`" in readme for name in WRITTEN[kind].split() if name not in ("README.md", "run.py"))


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("sv", "README.md bench_dpi.sv bench_readmemh.sv f32_to_e4m3fn.sv mul_e4m3fn.sv run.py"),
        ("vhdl", "README.md bench_textio.vhd f32_to_e4m3fn.vhd mul_e4m3fn.vhd run.py"),
        ("uvm", "README.md convert_uvm_pkg.svh f32_to_e4m3fn.sv run.py"),
        ("cocotb", "README.md cocotb_bench.py f32_to_e4m3fn.sv mul_e4m3fn.sv run.py"),
    ],
)
def test_one_language_of_rtl(language: str, written: str, tmp_path: Path) -> None:
    done = fp8ref("new", "rtl", ".", "--language", language, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == written.split()
    done = fp8ref("new", "ci", "ci", "--language", language, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (4, "Error: --language is of rtl; ci has one\n")


def test_nothing_is_replaced_and_nothing_written_beside_it(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text("mine")
    (tmp_path / "mul_e4m3fn.sv").symlink_to("nowhere")
    done = fp8ref("new", "rtl", ".", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    wanted = "Error: . has mul_e4m3fn.sv, run.py already; nothing is replaced, and nothing was written\n"
    assert done.stderr == wanted
    assert (tmp_path / "run.py").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rtl", "file"], "Error: cannot write file: File exists\n"),
        (["rtl", "file/below"], "Error: cannot write file/below: Not a directory\n"),
        (
            ["rlt", "."],
            "Error: Invalid value for '{adapter|kernel-test|ci|rtl|declaration}': 'rlt' is not one of 'adapter', "
            "'kernel-test', 'ci', 'rtl', 'declaration'; see `fp8ref",
        ),
        (["rtl"], "Error: Missing argument 'DIR'; see `fp8ref new --help`\n"),
    ],
)
def test_refusals(arguments: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = fp8ref("new", *arguments, cwd=tmp_path)
    assert done.returncode == 4
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_the_adapter_conforms_as_it_is(tmp_path: Path) -> None:
    assert fp8ref("new", "adapter", ".", cwd=tmp_path).returncode == 0
    done = fp8ref("check", "--impl", "py:my_kernel:MyKernel", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "of 2 operations" in done.stdout
    done = fp8ref("smoke", "--impl", "exec:python3 level1.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_test_of_a_kernel_passes_and_sees_a_fault() -> None:
    test = next(source for source in sources("kernel-test") if source.name == "test_my_kernel.py")
    text = test.read_text(encoding="utf-8")
    right: dict[str, Any] = {}
    exec(text, right)
    right["test_casts"]("f16")
    right["test_decodes"]()
    wrong: dict[str, Any] = {}
    exec(text.replace("return x.astype(ml", "return (x * x.dtype.type(1.25)).astype(ml"), wrong)
    with pytest.raises(AssertionError, match="does not conform"):
        wrong["test_casts"]("f16")


def test_the_script_of_ci_says_what_check_takes(tmp_path: Path) -> None:
    assert fp8ref("new", "ci", ".", cwd=tmp_path).returncode == 0
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "fp8ref"
    command.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 6\n")
    command.chmod(0o755)
    here = {**os.environ, "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}", "IMPL": "exec:./my dut"}
    for known in (False, True):
        if known:
            (tmp_path / "known.toml").write_text("")
        done = subprocess.run(["sh", "check.sh"], cwd=tmp_path, capture_output=True, text=True, timeout=60, env=here)
        name, *arguments = done.stdout.splitlines()
        given = check.make_context(name, arguments).params
        assert (done.returncode, name, given["impls"], given["select"]) == (
            6,
            "check",
            ("exec:./my dut",),
            ("decode/*",),
        )
        assert (given["strict"], given["expect"] is not None) == (known, known)
