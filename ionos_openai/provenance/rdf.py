"""The XML of XMP: a packet to its RDF descriptions and back.

What others wrote is hostile until shown otherwise. A document type is refused as it begins, so that no entity is ever
declared, expanded or fetched; length, depth and number of the elements have bounds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ionos_openai import errors
from ionos_openai.provenance.repair import repair

LONGEST_PACKET = 1 << 20
"""Bytes. Packets of real files are a few kB; thumbnails and histories in them reach some hundred."""

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XML = "http://www.w3.org/XML/1998/namespace"
DESCRIPTION = f"{{{RDF}}}Description"
ABOUT = f"{{{RDF}}}about"

_DEEPEST = 60
_MOST_ELEMENTS = 50_000
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_ATTRIBUTE_ESCAPES = str.maketrans({'"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"})


@dataclass(frozen=True, slots=True)
class Graph:
    """The descriptions of one or more packets, and the prefix that each namespace has there."""

    descriptions: list[Element] = field(default_factory=list)
    prefixes: dict[str, str] = field(default_factory=dict)


def parse(packets: Iterable[bytes]) -> Graph:
    """Read the descriptions of all packets into one graph, in order; the bounds are for all of them together.

    Raises:
        ProvenanceError: A packet is too large, damaged, has a document type, or is no RDF.
    """
    graph, length = Graph(), 0
    reader = _Reader(graph.prefixes)
    for packet in packets:
        length += len(packet)
        if length > LONGEST_PACKET:
            _refuse("is larger than 1 MiB")
        root = reader.read(packet)
        if root is None:
            continue
        rdf = next(root.iter(f"{{{RDF}}}RDF"), None)
        if rdf is None and len(root):
            raise errors.ProvenanceError(
                "The XMP packet is no RDF. Remove it with an editor of metadata, and try again."
            )
        graph.descriptions.extend(() if rdf is None else rdf)
    return graph


class _Reader:
    """Builds the trees of packets, and counts the elements of all of them together."""

    def __init__(self, prefixes: dict[str, str]) -> None:
        self._prefixes = prefixes
        self._builder = TreeBuilder()
        self._depth = self._elements = 0

    def read(self, packet: bytes) -> Element | None:
        """Return the root; None where there is no element, as in a packet that holds just a comment."""
        # Some writers pad with zeros or blanks, which only UTF-16 has a use for.
        text = packet if packet.startswith(_UTF16_MARKS) else packet.strip(b"\0 \t\r\n")
        before, problem = self._elements, "is damaged"
        try:
            return self._parse(text) if text else None
        except errors.ProvenanceError:
            raise
        except expat.ExpatError as error:
            if error.code == expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS] and self._elements == before:
                return None
        except (LookupError, ValueError):
            problem = "has an unknown encoding"
        self._elements = before
        try:
            return self._parse(repair(packet))
        except expat.ExpatError:
            _refuse(problem)

    def _parse(self, text: bytes | str) -> Element:
        self._builder, self._depth = TreeBuilder(), 0
        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartNamespaceDeclHandler = self._declare
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._builder.data
        parser.Parse(text, True)  # noqa: FBT003 - expat takes it by position alone.
        return self._builder.close()

    def _refuse_doctype(self, *_: object) -> None:
        _refuse("has a document type, which XMP never needs and attacks do")

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        if prefix and uri:
            self._prefixes.setdefault(uri, prefix)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > _DEEPEST or self._elements > _MOST_ELEMENTS:
            _refuse("is nested too deep" if self._depth > _DEEPEST else "has too many elements")
        self._builder.start(_qualify(name), {_qualify(key): value for key, value in attributes.items()})

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._builder.end(_qualify(name))


def _qualify(name: str) -> str:
    return "{" + name if "}" in name else name


def _refuse(reason: str) -> NoReturn:
    raise errors.ProvenanceError(f"The XMP packet {reason}. Remove it with an editor of metadata, and try again.")


def serialise(graph: Graph, *, toolkit: str) -> str:
    """Write the graph as one `x:xmpmeta` element; the prefixes of the graph are kept where they are unambiguous."""
    names = _Names(graph.prefixes)
    parts: list[str] = []
    for description in graph.descriptions:
        parts.append(" ")
        _write(description, names, parts)
    spaces = "".join(f'\n  xmlns:{prefix}="{_attribute(uri)}"' for uri, prefix in names.used.items())
    head = f'<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="{_attribute(toolkit)}">\n<rdf:RDF{spaces}>\n'
    return f"{head}{''.join(parts)}</rdf:RDF>\n</x:xmpmeta>"


class _Names:
    """Gives each namespace in use one prefix of its own."""

    def __init__(self, preferred: dict[str, str]) -> None:
        self._preferred = preferred
        self.used = {RDF: "rdf"}
        self._taken = {"rdf", "x", "xml", "xmlns"}
        self._numbers: Counter[str] = Counter()

    def shorten(self, name: str) -> str:
        """Return `{uri}local` as `prefix:local`."""
        uri, closing, local = name[1:].rpartition("}") if name.startswith("{") else ("", "", name)
        if not closing:
            return local
        prefix = "xml" if uri == XML else self.used.get(uri) or self._new(uri)
        return f"{prefix}:{local}"

    def _new(self, uri: str) -> str:
        wanted = prefix = self._preferred.get(uri, "ns")
        while prefix in self._taken:
            self._numbers[wanted] += 1
            prefix = f"{wanted}{self._numbers[wanted]}"
        self._taken.add(prefix)
        self.used[uri] = prefix
        return prefix


def _write(element: Element, names: _Names, parts: list[str]) -> None:
    name = names.shorten(element.tag)
    parts.append(f"<{name}")
    parts += [f' {names.shorten(key)}="{_attribute(value)}"' for key, value in element.items()]
    if element.text or len(element):
        parts += (">", _content(element.text))
        for child in element:
            _write(child, names, parts)
        parts.append(f"</{name}>")
    else:
        parts.append("/>")
    parts.append(_content(element.tail))


def _content(text: str | None) -> str:
    return escape(text, quote=False).replace("\r", "&#13;") if text else ""


def _attribute(text: str) -> str:
    return escape(text, quote=False).translate(_ATTRIBUTE_ESCAPES)
