"""Valid answers to begin with: what processes, programs and shared objects say when they are well."""

from __future__ import annotations

import json
import struct


def _json(*documents: object) -> bytes:
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def worker() -> list[bytes]:
    claims = ["convert/f32/e4m3fn/rne.sat", "decode/e5m2/f32"]
    hello = {"identity": {"name": "a", "version": "1"}, "claims": claims, "sources": {claims[0]: "so"}}
    answers = ({"done": 1}, {"unsupported": "no"}, {"raised": "ValueError: x"}, {"wrong": "shape", "call": 0})
    return [*(_json(hello, answer) for answer in answers), _json({"failed": "no such name", "usage": True})]


def lines() -> list[bytes]:
    return [
        b"convert/f32/e4m3fn/rne.sat\n00\n00\n00\n", b"e4m3fn_add\n00 00 00 00\n01 01 02 00\n02 02 04 01\n",
        b"add/e5m2.e5m2/e5m2/rne.sat;flags=1\n00 00\n01 01\n02 1F\n", b"int/e4m3fn/i8\n00\n7F\nFF\n",
        b"dot/e4m3fn.e4m3fn/f32/f32.fma;k=2\n00000000\n00000001\n7F800000\n",
    ]  # fmt: skip


def _hello(level: int, *claims: str) -> dict[str, object]:
    return {"fp8ref": "hello", "protocol": 1, "level": level, "name": "a", "version": "1", "operations": list(claims)}


def json_lines() -> list[bytes]:
    plain, flagged = "convert/f32/e4m3fn/rne.sat", "add/e5m2.e5m2/e5m2/rne.sat;flags=1"
    answers = [{"id": i, "d": f"{i:02X}", "flags": "00"} for i in (1, 2, 3)]
    return [
        _json(_hello(1, plain, "decode/e5m2/f32"), *({k: v for k, v in a.items() if k != "flags"} for a in answers)),
        _json(_hello(1, flagged), *reversed(answers)), _json(_hello(1, plain), {"id": 2, "unsupported": "never"}),
        _json(_hello(1, plain), {"id": 1, "error": "no"}),
        _json(_hello(1, "scale/f32/mxfp4/floor;k=2"), {"id": 1, "d": "000000"}),
    ]  # fmt: skip


def frames() -> list[bytes]:
    def frame(number: int, status: int, payload: bytes) -> bytes:
        return struct.pack("<III", 8 + len(payload), number, status) + payload

    hello = _json(_hello(2, "add/e5m2.e5m2/e5m2/rne.sat;flags=1"))
    return [
        hello + frame(1, 0, b"\1\2\3\0\0\1"), hello + frame(1, 1, b"never"), hello + frame(1, 2, b"it broke"),
        _json(_hello(2, "dot/e4m3fn.e4m3fn/f32/exact;k=2")) + frame(1, 0, bytes(12)),
        _json(_hello(2, "e4m3fn_lt")) + frame(1, 0, b"\0\1\1"),
    ]  # fmt: skip


def shared_object() -> list[bytes]:
    return [b"convert/f32/e4m3fn/rne.sat decode/e5m2/f32\nmine\n1.0\n", b"f32_to_e5m2 e4m3fn_add\nx", b"\n"]
