"""A program under test at level 1: decoding E5M2 by way of binary16, of which it is the upper half."""

import json
import struct
import sys


def f32_of_e5m2(code: int) -> int:
    (value,) = struct.unpack("<e", bytes([0, code]))
    return int.from_bytes(struct.pack("<f", value), "little")


sys.stdin.readline()
hello = {"fp8ref": "hello", "protocol": 1, "level": 1, "name": "level1.py", "operations": ["decode/e5m2/f32"]}
print(json.dumps(hello), flush=True)
for line in sys.stdin:
    question = json.loads(line)
    answer = f"{f32_of_e5m2(int(question['a'], 16)):08X}"
    print(json.dumps({"id": question["id"], "d": answer}), flush=True)
