"""What is fuzzed: every reader of fp8ref as a function of bytes, the errors that it documents, and where to start.

One table, ``TARGETS``, serves the Hypothesis test beside it and ``tools/fuzz/fuzz.py``, which drives atheris.  A target
reads the bytes; where it can read them and there is a writer, it writes and reads them again and wants the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from . import answers, protocols, readers, seeds, words
from .guard import LONGEST, attempt, folder


@dataclass(frozen=True)
class Target:
    """``read``: the reader.  ``raises``: its documented errors, each one line of at most ``longest`` characters.

    ``seeds``: valid inputs.  ``names_file``: an error says in which file.
    """

    about: str
    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    raises: tuple[type[BaseException], ...] = (ValueError,)
    longest: int = LONGEST
    names_file: bool = False


TARGETS: dict[str, Target] = {
    "formats": Target("format names", words.formats, seeds.formats),
    "operations": Target("operation ids and TestFloat names, asked for one case", words.operations, seeds.operations),
    "accumulators": Target("accumulator ids, and a dot product under each", words.accumulators, seeds.accumulators),
    "modes": Target("rounding, overflow, NaN, profile, scheme, form names", words.modes, seeds.modes),
    "numbers": Target("numbers as text, both ways", words.numbers, seeds.numbers),
    "inputs": Target("codes, values, cases on the command line", words.inputs, seeds.inputs, words.INPUT_ERRORS),
    "command-line": Target("arguments of the commands that start nothing", words.command_line, seeds.command_line, ()),
    "specs": Target("implementations by name", words.specs, seeds.specs, longest=4000),  # every mutant by its name
    "jsonl": Target("vectors, JSON lines", readers.vectors("x.jsonl"), seeds.vectors("jsonl")),
    "testfloat": Target("vectors, TestFloat's lines", readers.vectors("x.fpv"), seeds.vectors("testfloat")),
    "packed": Target("vectors, .jsonl.gz", readers.vectors("x.jsonl.gz"), seeds.packed),
    "memh": Target("vectors, words and their sidecar", readers.memh, seeds.memh),
    "npz": Target("vectors, numpy archives", readers.vectors("x.npz"), seeds.vectors("npz")),
    "parquet": Target("vectors, Parquet", readers.vectors("x.parquet"), seeds.vectors("parquet")),
    "manifest": Target("a directory's manifest", readers.manifest, seeds.manifest, names_file=True),
    "captures": Target(
        "captures and their replay", readers.captures, seeds.captures, readers.REPLAY_ERRORS, names_file=True
    ),
    "records": Target("run records, rendered in every form", readers.records, seeds.records, names_file=True),
    "journals": Target(
        "journals of long runs", readers.journals, seeds.journals, readers.JOURNAL_ERRORS, names_file=True
    ),
    "texts": Target("a text in every free field of a record, in every medium", readers.texts, seeds.texts),
    "recipe-files": Target("recipes of one's own", readers.recipe_files, seeds.recipe_files, names_file=True),
    "declarations": Target("P3109's declarations", readers.declarations, seeds.declarations),
    "certificates": Target("certificates of proofs", readers.certificates, seeds.certificates, names_file=True),
    "expected": Target("files of expected failures", readers.expected, seeds.expected, names_file=True),
    "weights": Target("safetensors", readers.weights, seeds.weights, names_file=True),
    "checkpoints": Target("model files, audited", readers.checkpoints, seeds.checkpoints, names_file=True),
    "worker": Target(
        "what an implementation's process says to the checker", protocols.worker, answers.worker, protocols.SAID
    ),
    "program-0": Target("a program's lines of hexadecimal", protocols.lines, answers.lines, protocols.BROKEN),
    "program-1": Target(
        "a program's hello and lines of JSON", protocols.json_lines, answers.json_lines, protocols.TOLD
    ),
    "program-2": Target("a program's hello and binary frames", protocols.frames, answers.frames, protocols.TOLD),
    "shared-object": Target(
        "what a shared object says of itself", protocols.shared_object, answers.shared_object, protocols.BROKEN
    ),
}


def tried(name: str, data: bytes, alarm: bool = True) -> BaseException | None:
    """A target read under guard; its refusal, if any.  Raises whatever is no documented error, or Fault."""
    target = TARGETS[name]
    place = str(folder()) if target.names_file else ""
    return attempt(target.read, target.raises, data, longest=target.longest, place=place, alarm=alarm)


@cache
def seeds_of(name: str) -> tuple[bytes, ...]:
    """The valid inputs of a target, made once."""
    return tuple(TARGETS[name].seeds())
