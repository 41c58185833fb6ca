"""Damage with a sense of form: valid files become invalid ones that still look right from far.

``mutated(data, draw)`` changes bytes by a few edits.  ``draw`` is a ``random.Random``: Hypothesis hands in one that it
controls and shrinks, the fuzzer one with a seed.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

NUMBERS = (0, 1, -1, 7, 31, 255, 2**31, 2**32, 2**63 - 1, -(2**63), 2**64, 10**18, 10**400)
FLOATS = (0.5, -0.0, 1e308, math.inf, -math.inf, math.nan)
HUGE = "@HUGE@"  # becomes a number of more digits than Python reads
TEXTS = (
    "", "*", "0", "-1", "1e999999999", "0x" + "F" * 40, "nan", "inf", "٣", "e٤m٣fn", "e2m1000", "e8m7b99999",
    "\ud800", "\0", "\n", "\x1b[31m", "../x", "/etc/passwd", "__class__", "replay", HUGE, "A" * 3000,
    "exact", "rne.sat", "e4m3fn", "f64", "within.f32", "forever", "f32.fma@order=stride999999999999",
    "hopper.wgmma.fp8.f32@min_exponent=-999999999", "f32.fma" + "+splitk2" * 90, "matmul/e5m2.e5m2/f32/*",
    "convert/f64/e5m2/rto.nonsat;flags=1", "dot/e4m3fn.e5m2/f32/exact;k=3", "scale/f32/mxfp4/floor;k=2",
    "add/e4m3fn.e4m3fn/e4m3fn/rne.sat;nan=error", "int/e5m2/i64/rtz.riscv",
)  # fmt: skip
TOKENS = (
    *(bytes([c]) for c in b"\0\n \t\xff-+.,:;=/#@*?[]{}\"'\\_%"), b"\r\n", b"\xc3\xa4", b"0x", b"1e999999", b"9" * 20,
    b"nan", b"inf", b"None", b"true", b"null", b"\\ud800", b"@ end count=1\n", b"[" * 5000, b"0" * 5000, b"f64",
)  # fmt: skip


def mutated(data: bytes, draw: Random, most: int = 1 << 17) -> bytes:
    """The data after one to four edits, at most ``most`` bytes."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        data = _edited(data, draw)[:most]
    return data


def _edited(data: bytes, draw: Random) -> bytes:
    """One edit: inside a container, of a JSON value, or of bytes."""
    inside: dict[bytes, Callable[[bytes, Random], bytes]] = {
        b"\x1f\x8b": _in_gzip,
        b"PK": _in_zip,
        b"PAR1": _in_parquet,
    }
    edit = next((edit for magic, edit in inside.items() if data.startswith(magic)), None)
    if edit is not None and draw.random() < 0.8:
        try:
            return edit(data, draw)
        except Exception:  # damaged already
            return _bytewise(data, draw)
    if draw.random() < 0.6:
        found = _json_edit(data, draw)
        if found is not None:
            return found
    return _bytewise(data, draw)


# -- bytes ------------------------------------------------------------------------------------------------------------
def _bytewise(data: bytes, draw: Random) -> bytes:
    at = draw.randint(0, len(data))
    stop = min(len(data), at + draw.choice((1, 1, 2, 4, 16, 256)))
    choice = draw.randrange(8)
    if choice == 0 and data:  # a flipped bit
        at = min(at, len(data) - 1)
        return data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]
    if choice == 1:
        return data[:at] if draw.random() < 0.5 else data[at:]
    if choice == 2:
        return data[:at] + data[stop:]
    if choice == 3:
        return data[:at] + data[at:stop] * draw.choice((2, 3, 40)) + data[stop:]
    if choice == 4:  # a line lost, repeated or moved
        lines = data.splitlines(keepends=True) or [b""]
        i, j = draw.randrange(len(lines)), draw.randrange(len(lines))
        lines[i : i + 1] = draw.choice(([], [lines[i], lines[i]], [lines[j]]))
        return b"".join(lines)
    if choice == 5:  # another number
        numbers = list(re.finditer(rb"\d+", data))
        if numbers:
            one = draw.choice(numbers)
            return data[: one.start()] + str(draw.choice(NUMBERS)).encode() + data[one.end() :]
    if choice == 6:
        return data[:at] + bytes(draw.randrange(256) for _ in range(draw.randrange(1, 9))) + data[stop:]
    return data[:at] + draw.choice(TOKENS) + (data[at:] if draw.random() < 0.5 else data[stop:])


# -- JSON -------------------------------------------------------------------------------------------------------------
def _json_edit(data: bytes, draw: Random) -> bytes | None:
    """A value of the document, or of one of its lines, changed; None where there is none."""
    places = [(0, len(data))]
    start = 0
    for line in data[: 1 << 16].splitlines(keepends=True):
        if line.lstrip()[:1] == b"{":
            places.append((start, start + len(line.rstrip(b"\n"))))
        start += len(line)
    draw.shuffle(places)
    for first, last in places[:4]:
        try:
            found = json.loads(data[first:last])
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict | list):
            indented = b"\n " in data[first:last]
            written = json.dumps(
                _changed(found, draw), indent=1 if indented else None, separators=None if indented else (",", ":")
            )
            end = b"\n" if last == len(data) and data.endswith(b"\n") else b""
            return data[:first] + written.encode().replace(f'"{HUGE}"'.encode(), b"9" * 4400) + end + data[last:]
    return None


def _changed(value: Any, draw: Random) -> Any:
    """A copy of a document with one of its values, or one of its keys, another."""
    if isinstance(value, dict) and value and draw.random() < 0.95:
        key = draw.choice(list(value))
        choice = draw.random()
        if choice < 0.1:
            return {k: v for k, v in value.items() if k != key}
        if choice < 0.2:
            return {**value, draw.choice((*value, *TEXTS[:12])): _strange(value[key], draw)}
        return {**value, key: _changed(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.9:
        i = draw.randrange(len(value))
        choice = draw.random()
        if choice < 0.3:
            return value[:i] + value[i + 1 :] if choice < 0.15 else [*value[:i], value[i], *value[i:]]
        return [*value[:i], _changed(value[i], draw), *value[i + 1 :]]
    return _strange(value, draw)


def _strange(value: Any, draw: Random) -> Any:
    """Another value in place of one: of the same type and out of range, or of another type."""
    choice = draw.randrange(10)
    if isinstance(value, str) and choice < 4:
        at = draw.randint(0, len(value))
        if choice < 2:
            return value[:at] + draw.choice(TEXTS) + value[at:]
        return re.sub(r"\d+", lambda m: str(draw.choice((0, 1, 65536, 10**9, m[0]))), value, count=draw.randrange(1, 4))
    if isinstance(value, int) and choice < 4:
        return draw.choice((value + 1, value - 1, -value, value * 2, *NUMBERS))
    nested: Any = 0
    if choice == 5:
        for _ in range(draw.choice((3, 300, 900))):
            nested = [nested]
    return draw.choice((None, True, False, nested, [], {}, [value], {"x": value}, *FLOATS, *NUMBERS, *TEXTS))


# -- containers -------------------------------------------------------------------------------------------------------
def _in_gzip(data: bytes, draw: Random) -> bytes:
    plain = zlib.decompressobj(31).decompress(data, 1 << 18)
    if draw.random() < 0.05:  # a bomb
        plain += draw.choice((b"0", b"\n", b"{}\n", b" ")) * (1 << 22)
        return gzip.compress(plain, 9, mtime=0)
    return gzip.compress(_edited(plain, draw), 1, mtime=0)


def _in_zip(data: bytes, draw: Random) -> bytes:
    """One member changed, left out or put in; packed by another method."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.open(info).read(1 << 18) for info in archive.infolist()[:16]}
    name = draw.choice(list(members))
    choice = draw.random()
    if choice < 0.1:
        del members[name]
    elif choice < 0.2:
        members[draw.choice(("../out.npy", "/abs.npy", "q.npy", name + "x", "header.npy"))] = members[name]
    elif choice < 0.6 and members[name][:6] == b"\x93NUMPY":
        members[name] = _in_npy(members[name], draw)
    else:
        members[name] = _edited(members[name], draw)
    out = io.BytesIO()
    method = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(out, "w", method) as archive:
        for member, content in members.items():
            archive.writestr(zipfile.ZipInfo(member), content, method)
    return out.getvalue()


NPY = {  # parts of an array's header, and what may stand in their place
    r"\(.*?\)": ("(99999999999999,)", "(-1,)", "(2, 2)", "()", "('a',)", "(1e9,)", "(" * 99, "None"),
    r"'<?\|?[a-zA-Z]\d*'": ("'|O'", "'<U999999999'", "'<f8'", "'|V0'", "[('a','<i4')]", "'>u4'", "7"),
    r"False": ("True", "1", "__import__('os')", "[" * 150, "\0"),
    r"'descr'": ("'shape'", "b'descr'", "{}", "'fortran_order'"),
}


def _in_npy(data: bytes, draw: Random) -> bytes:
    """An array of numpy with another header, or with a changed text in it."""
    size = struct.unpack_from("<H", data, 8)[0]
    head, body = data[10 : 10 + size].decode("latin-1"), data[10 + size :]
    if "'<U" in head and draw.random() < 0.7:
        text = _edited(body.decode("utf-32-le", "replace").encode("utf-8", "replace"), draw).decode("utf-8", "replace")
        body = text.encode("utf-32-le")
        head = re.sub(r"<U\d+", f"<U{len(text)}", head)
    else:
        pattern = draw.choice(list(NPY))
        head = re.sub(pattern, draw.choice(NPY[pattern]).replace("\\", r"\\"), head, count=1)
    packed = head.encode("utf-8", "replace")
    return data[:8] + struct.pack("<H", min(len(packed), 65535)) + packed[:65535] + body


def _in_parquet(data: bytes, draw: Random) -> bytes:
    """The header in the file's metadata changed, or the columns."""
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(io.BytesIO(data))
    text = (table.schema.metadata or {}).get(b"fp8ref", b"{}")
    choice = draw.random()
    if choice < 0.5:
        table = table.replace_schema_metadata({b"fp8ref": _edited(text, draw)})
    elif choice < 0.6:
        table = table.replace_schema_metadata(None)
    elif choice < 0.8:
        table = pyarrow.concat_tables([table] * draw.choice((2, 3)))
    else:
        i = draw.randrange(table.num_columns)
        other = draw.choice(
            ([None] * table.num_rows, [1.5] * table.num_rows, ["x"] * table.num_rows, [[1]] * table.num_rows)
        )
        table = table.set_column(i, table.column_names[i], pyarrow.array(other))
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out, compression=draw.choice(("zstd", "snappy", "gzip", "none")))
    return out.getvalue()
