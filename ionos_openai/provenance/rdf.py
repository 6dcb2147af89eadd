"""The XML of XMP: a packet to its RDF descriptions and back.

What others wrote is hostile: a document type is refused as it begins, and length, depth and number have bounds. What is
no XML is made into it with the meaning that lenient readers see. Source: packets of Canva, Photopea, IrfanView and
phones, and what ExifTool 12.57 reads in them; 2026-11.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from typing import NoReturn
from xml.etree.ElementTree import XML, Element, ParseError, TreeBuilder, XMLParser, tostring
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from ionos_openai import errors

LONGEST_PACKET = 1 << 20
"""Bytes. Packets of real files are a few kB; thumbnails and histories in them reach some hundred."""

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XML = "http://www.w3.org/XML/1998/namespace"
DESCRIPTION = f"{{{RDF}}}Description"
ABOUT = f"{{{RDF}}}about"

_DEEPEST = 60
_MOST_ELEMENTS = 50_000
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

# What programs use without declaring it.
NAMESPACES = {
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
    graph, length, left = Graph(), 0, _MOST_ELEMENTS
    for packet in packets:
        length += len(packet)
        if length > LONGEST_PACKET:
            _refuse("is larger than 1 MiB")
        root, left = _read(packet, graph.prefixes, left)
        rdf = None if root is None else next(root.iter(f"{{{RDF}}}RDF"), None)
        if rdf is not None:
            graph.descriptions.extend(rdf)
        elif root is not None and len(root):
            _refuse("is no RDF")
    return graph


def _read(packet: bytes, prefixes: dict[str, str], most: int) -> tuple[Element | None, int]:
    """Return the root, None where there is no element (just a comment), and how many of `most` elements are left."""
    # Some writers pad with zeros or blanks, which only UTF-16 has a use for.
    text = packet if packet.startswith(_UTF16_MARKS) else packet.strip(b"\0 \t\r\n")
    builder, problem = _Builder(prefixes, most), "is damaged"
    try:
        return XML(text, XMLParser(target=builder)), builder.left  # noqa: S314 - it refuses a document type
    except ParseError as error:
        if error.code == expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS] and builder.left == most:
            return None, most
    except errors.ProvenanceError:  # which is a ValueError too
        raise
    except (LookupError, ValueError):
        problem = "has an unknown encoding"
    builder = _Builder(prefixes, most)
    try:
        return XML(_repair(packet), XMLParser(target=builder)), builder.left  # noqa: S314 - as above
    except ParseError:
        _refuse(problem)


class _Builder(TreeBuilder):
    """Builds the tree of a packet of at most so many elements."""

    def __init__(self, prefixes: dict[str, str], most: int) -> None:
        super().__init__()
        self._prefixes, self._depth, self.left = prefixes, 0, most

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        self.left -= 1
        if self._depth > _DEEPEST or self.left < 0:
            _refuse("is nested too deep" if self._depth > _DEEPEST else "has too many elements")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)

    def start_ns(self, prefix: str, uri: str) -> None:
        if prefix and uri:
            self._prefixes.setdefault(uri, prefix)

    def doctype(self, *_: object) -> None:
        _refuse("has a document type, which XMP never needs and attacks do")


def _refuse(reason: str) -> NoReturn:
    raise errors.ProvenanceError(f"The XMP packet {reason}. Remove it with an editor of metadata, and try again.")


def _repair(packet: bytes) -> str:
    """Return an element with the packet's metadata in it, which may still be no XML; empty where there is none.

    A byte that is no UTF-8 is a letter of Latin-1, a bare "&" or "<" is meant as it stands, and a prefix that is not
    declared has its usual namespace, or one of its own.
    """
    text = _decode(packet)
    opening = _OPENING.search(text)
    end = text.rfind(f"</{opening[1]}") if opening else -1
    if opening is None or end < 0:
        return ""
    text = _UNWRITABLE.sub("", text[opening.start() : end]) + f"</{opening[1]}>"
    text = _BARE.sub(_mend, text)
    prefixes = sorted({*_PREFIX.findall(text)})[:_MOST_PREFIXES]
    known = {**NAMESPACES, **dict(_DECLARATION.findall(text))}
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
    """Write the graph, using it up, as one `x:xmpmeta` element; its prefixes are kept where they are unambiguous."""
    chosen, taken, numbers = {RDF: "rdf", _XML: "xml"}, {"rdf", "x", "xml", "xmlns"}, Counter[str]()

    def prefixed(name: str) -> str:
        uri, closing, local = name[1:].rpartition("}")
        if closing and uri not in chosen:
            wanted = prefix = graph.prefixes.get(uri, "ns")
            while prefix in taken:
                numbers[wanted] += 1
                prefix = f"{wanted}{numbers[wanted]}"
            taken.add(prefix)
            chosen[uri] = prefix
        return f"{chosen[uri]}:{local}" if closing else name

    for element in (element for description in graph.descriptions for element in description.iter()):
        element.tag = prefixed(element.tag)
        element.attrib = {prefixed(name): value for name, value in element.items()}
    body = "".join(f" {tostring(description, 'unicode')}" for description in graph.descriptions)
    spaces = "".join(f"\n  xmlns:{prefix}={quoteattr(uri)}" for uri, prefix in chosen.items() if uri != _XML)
    head = f'<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk={quoteattr(toolkit)}>\n<rdf:RDF{spaces}>\n'
    # A bare carriage return would be read as a line break; what stands in a text as "/>" is written as "/&gt;".
    return head + body.replace("\r", "&#13;").replace(" />", "/>") + "</rdf:RDF>\n</x:xmpmeta>"
