"""Compile the kernels of a session with nvcc, so that nothing is compiled on the device's machine.

    python tools/captures/hopper/prepare.py [-o tools/captures/hopper/prepared] [--target sm_90a]

A file is named by its target and the digest of its source: one of an older source is never loaded.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from fp8ref.adapters.cuda.device import SOURCE
from fp8ref.adapters.cuda.driver import prepared_name

HERE = Path(__file__).parent
SOURCES = (SOURCE, HERE / "functions.cu")


def prepare(folder: Path, target: str) -> list[Path]:
    """Machine code of every source; what an older source left is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for source in SOURCES:
        path = folder / prepared_name(source, target)
        for old in folder.glob(f"{source.stem}.{target}.*.cubin"):
            old.unlink()
        subprocess.run(["nvcc", "-std=c++17", "-cubin", f"-arch={target}", "-o", path, source], check=True)
        found.append(path)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=Path, default=HERE / "prepared")
    parser.add_argument("--target", default="sm_90a")
    given = parser.parse_args()
    try:
        for path in prepare(given.output, given.target):
            print(f"{path}  {path.stat().st_size:,} bytes")
    except FileNotFoundError:
        print("there is no nvcc here: install the CUDA toolkit, or let NVRTC compile there", file=sys.stderr)
        return 6
    except subprocess.CalledProcessError as error:
        print(f"nvcc failed, see above: exit code {error.returncode}", file=sys.stderr)
        return 6
    return 0


if __name__ == "__main__":
    sys.exit(main())
