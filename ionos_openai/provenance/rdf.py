"""The XML of XMP: a packet to its RDF descriptions and back.

What others wrote is hostile until shown otherwise. A document type is refused as it begins, so that no entity is ever
declared, expanded or fetched; length, depth and number of the elements have bounds. What is no XML, as some programs
write, is made into it with the meaning that lenient readers see in it.

Source of the latter: packets of Canva, Photopea, IrfanView and phones, and what ExifTool 12.57 reads in them; 2026-11.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ionos_openai import errors

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


# What programs use without declaring it.
_NAMESPACES = {
    "x": "adobe:ns:meta/",
    "rdf": RDF,
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    **{prefix: f"http://ns.adobe.com/{prefix}/1.0/" for prefix in ("photoshop", "exif", "tiff", "pdf")},
    **dict.fromkeys(("xmp", "xap"), "http://ns.adobe.com/xap/1.0/"),
    **dict.fromkeys(("xmpMM", "xapMM"), "http://ns.adobe.com/xap/1.0/mm/"),
    **dict.fromkeys(("xmpRights", "xapRights"), "http://ns.adobe.com/xap/1.0/rights/"),
}
_WIDE = {"utf-16-le": re.compile(rb"<\0[?!A-Za-z]\0"), "utf-16-be": re.compile(rb"\0<\0[?!A-Za-z]")}
# Where the metadata begins; in old files under an older name.
_OPENING = re.compile(r"<((?:[\w.-]+:)?(?:x[am]pmeta|RDF))\b")
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LATIN = re.compile("[\udc80-\udcff]")
_BARE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)(#(?:[0-9]{1,7}|x[0-9A-Fa-f]{1,6});)?|<(?![A-Za-z_/!?])")
_PREFIX = re.compile(r"(?:</?|[\s\"'])(?!xml)([A-Za-z_][\w.-]{0,60}):[A-Za-z_]")
_DECLARATION = re.compile(r"xmlns:([\w.-]+)\s*=\s*[\"']([^\"'<&]+)[\"']")
_MOST_PREFIXES = 100


@dataclass(frozen=True, slots=True)
class Graph:
    """The descriptions of one or more packets, and the prefix that each namespace has there."""

    descriptions: list[Element] = field(default_factory=list)
    prefixes: dict[str, str] = field(default_factory=dict)


def parse(packets: Iterable[bytes]) -> Graph:
    """Read the descriptions of all packets into one graph, in order; the bounds are for all of them together.

    Raises a `ProvenanceError` where a packet is too large, damaged, has a document type, or is no RDF.
    """
    graph, length = Graph(), 0
    reader = _Reader(graph.prefixes)
    for packet in packets:
        length += len(packet)
        if length > LONGEST_PACKET:
            _refuse("is larger than 1 MiB")
        root = reader.read(packet)
        rdf = None if root is None else next(root.iter(f"{{{RDF}}}RDF"), None)
        if rdf is not None:
            graph.descriptions.extend(rdf)
        elif root is not None and len(root):
            _refuse("is no RDF")
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
            return self._parse(_repair(packet))
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


def _repair(packet: bytes) -> str:
    """Return an element with the packet's metadata in it, which may still be no XML; empty where there is none.

    What stands around the metadata is dropped, and so is what no XML can hold. A byte that is no UTF-8 is a letter of
    Latin-1; a bare "&" or "<" is meant as it stands; a prefix that is not declared has its usual namespace, or one of
    its own.
    """
    text = _decode(packet)
    opening = _OPENING.search(text)
    end = text.rfind(f"</{opening[1]}") if opening else -1
    if opening is None or end < 0:
        return ""
    text = _UNWRITABLE.sub("", text[opening.start() : end]) + f"</{opening[1]}>"
    text = _BARE.sub(_mend, text)
    prefixes = sorted({*_PREFIX.findall(text)})[:_MOST_PREFIXES]
    known = {**_NAMESPACES, **dict(_DECLARATION.findall(text))}
    addresses = ((prefix, known.get(prefix, f"urn:undeclared:{prefix}#")) for prefix in prefixes)
    spaces = (f'xmlns:{prefix}="{escape(address)}"' for prefix, address in addresses)
    return f"<repaired {' '.join(spaces)}>{text}</repaired>"


def _decode(packet: bytes) -> str:
    for encoding, sign in _WIDE.items():
        if found := sign.search(packet[:1024]):
            return packet[found.start() :].decode(encoding, "replace")
    text = packet.decode("utf-8", "surrogateescape")
    return _LATIN.sub(lambda byte: bytes([ord(byte[0]) - 0xDC00]).decode("cp1252", "replace"), text)


def _mend(bare: re.Match[str]) -> str:
    if bare[0] == "<":
        return "&lt;"
    if not bare[1]:
        return "&amp;"
    code = int(f"0{bare[1][1:-1]}", 16 if bare[1][1] == "x" else 10)
    return "" if code > 0x10FFFF or _UNWRITABLE.match(chr(code)) else bare[0]


def serialise(graph: Graph, *, toolkit: str) -> str:
    """Write the graph as one `x:xmpmeta` element; the prefixes of the graph are kept where they are unambiguous."""
    prefixes, parts = _choose_prefixes(graph), list[str]()
    for description in graph.descriptions:
        parts.append(" ")
        _write(description, prefixes, parts)
    spaces = "".join(f'\n  xmlns:{prefix}="{_attribute(uri)}"' for uri, prefix in prefixes.items() if uri != XML)
    head = f'<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="{_attribute(toolkit)}">\n<rdf:RDF{spaces}>\n'
    return f"{head}{''.join(parts)}</rdf:RDF>\n</x:xmpmeta>"


def _choose_prefixes(graph: Graph) -> dict[str, str]:
    """Give each namespace in use one prefix of its own."""
    chosen, taken, numbers = {RDF: "rdf", XML: "xml"}, {"rdf", "x", "xml", "xmlns"}, Counter[str]()
    for element in (element for description in graph.descriptions for element in description.iter()):
        for uri in (name[1:].rpartition("}")[0] for name in (element.tag, *element.keys())):
            if uri and uri not in chosen:
                wanted = prefix = graph.prefixes.get(uri, "ns")
                while prefix in taken:
                    numbers[wanted] += 1
                    prefix = f"{wanted}{numbers[wanted]}"
                taken.add(prefix)
                chosen[uri] = prefix
    return chosen


def _write(element: Element, prefixes: dict[str, str], parts: list[str]) -> None:
    name = _prefixed(element.tag, prefixes)
    parts.append(f"<{name}")
    parts += [f' {_prefixed(key, prefixes)}="{_attribute(value)}"' for key, value in element.items()]
    if element.text or len(element):
        parts += (">", _content(element.text))
        for child in element:
            _write(child, prefixes, parts)
        parts.append(f"</{name}>")
    else:
        parts.append("/>")
    parts.append(_content(element.tail))


def _prefixed(name: str, prefixes: dict[str, str]) -> str:
    """Return `{uri}local` as `prefix:local`."""
    uri, closing, local = name[1:].rpartition("}")
    return f"{prefixes[uri]}:{local}" if closing else name


def _content(text: str | None) -> str:
    return escape(text, quote=False).replace("\r", "&#13;") if text else ""


def _attribute(text: str) -> str:
    return escape(text, quote=False).translate(_ATTRIBUTE_ESCAPES)
