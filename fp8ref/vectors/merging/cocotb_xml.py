"""What cocotb-coverage counted, as its ``coverage_db.export_to_xml`` writes it.

A cover point of the name ``fp8ref.<operation>.<point>`` would have dots of its own, so a point is one of the suite's
where its bins are written ``<operation>|<point>=<value>``; every other point keeps its own name.
"""

from __future__ import annotations

from .covergroup import SEPARATOR
from .database import SIMULATOR, Counter, Database
from .markup import count, parsed


def read(raw: bytes, where: str) -> Database:
    """The counts of an exported file.  Raises Unreadable for anything else."""
    database = Database.of(Counter(where, SIMULATOR, "cocotb-coverage"))
    for element in parsed(raw, where).iter():
        if "hits" not in element.attrib or "bin" not in element.attrib:
            continue
        hits, name = count(element, "hits", where), element.attrib["bin"]
        scope, separator, bin_ = name.partition(SEPARATOR)
        point, equals, value = bin_.partition("=")
        if separator and equals:
            database.hit(scope, point, value, hits)
        else:
            scope, _, point = element.get("abs_name", "").rpartition(".")[0].rpartition(".")
            database.hit(scope, point, name, hits)
    return database
