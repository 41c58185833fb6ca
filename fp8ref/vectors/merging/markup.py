"""XML of strangers, read without its dangers: no document type, so no entities; a bounded size."""

from __future__ import annotations

from xml.etree import ElementTree

from ..source import Unreadable
from .database import MOST_HITS


def parsed(raw: bytes, where: str) -> ElementTree.Element:
    """The root element.  Raises Unreadable for what is no XML, or has a document type."""
    if b"<!" in raw.replace(b"<!--", b"") and b"<!DOCTYPE" in raw.upper():
        raise Unreadable(f"{where}: a document type; coverage is read without one")
    try:
        return ElementTree.fromstring(raw)
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        raise Unreadable(f"{where}: no XML, or a damaged one: {error}") from None


def count(element: ElementTree.Element, name: str, where: str) -> int:
    """An attribute that counts.  Raises Unreadable for what is no number of hits."""
    text = element.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 17 and int(text) < MOST_HITS):
        raise Unreadable(f"{where}: {element.tag}: field {name}: {text[:40]!r} is no number of hits")
    return int(text)
