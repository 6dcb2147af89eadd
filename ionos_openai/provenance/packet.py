"""The XMP packet: which property each field of a `Provenance` is, and how it is merged into what others wrote.

Source of the names and namespaces: IPTC Photo Metadata Standard 2025.1 (2025-11) for `Iptc4xmpExt` and `Iptc4xmpCore`;
XMP Specification Part 1 (ISO 16684-1) and Part 2 for the others.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from typing import Literal, NamedTuple
from xml.etree.ElementTree import Element, SubElement

from ionos_openai import errors
from ionos_openai.files.formats import SANDBOX_MARK
from ionos_openai.provenance.rdf import ABOUT, DESCRIPTION, LONGEST_PACKET, NAMESPACES, RDF, Graph, parse, serialise
from ionos_openai.provenance.record import CREATOR_TOOL, Provenance, clean_text

# A random UUID: a namespace has to be nobody else's, for ever, and a web address can change hands. The "#" keeps
# namespace and name apart where RDF joins them.
_OURS = "urn:uuid:50cd2138-ddee-464e-b4a1-0e3536ed4c6d#"
_PREFIXES = {NAMESPACES[prefix]: prefix for prefix in ("Iptc4xmpExt", "Iptc4xmpCore", "dc", "xmp", "photoshop")}
_PREFIXES[_OURS] = "ionosopenai"

_CONTAINERS = {f"{{{RDF}}}{kind}" for kind in ("Alt", "Bag", "Seq")}
_ITEM = f"{{{RDF}}}li"
_VALUE = f"{{{RDF}}}value"
_RESOURCE = f"{{{RDF}}}resource"
_MANIFEST = "{http://purl.org/dc/terms/}provenance"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"

# The id is a constant of the XMP specification; `begin` holds a byte order mark.
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_END = '\n<?xpacket end="w"?>'
_ELLIPSIS = "…"
_BETWEEN = "; "  # in a field, between the items of a list
_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?")
_NUMBER = re.compile(r"[+-]?\d{1,40}")


class _Property(NamedTuple):
    """What a field of `Provenance` is called in XMP: a text, a list ("seq"), or a text per language ("alt").

    A statement is what says how the picture was made, replaced as a whole; the others stay where a record has none.
    """

    field: str
    name: str
    form: Literal["text", "seq", "alt"] = "text"
    is_statement: bool = False

    @property
    def tag(self) -> str:
        """The same as `{namespace}name`."""
        prefix, _, name = self.name.partition(":")
        return f"{{{NAMESPACES.get(prefix, _OURS)}}}{name}"


_PROPERTIES = (
    _Property("digital_source_type", "Iptc4xmpExt:DigitalSourceType", is_statement=True),
    _Property("ai_system", "Iptc4xmpExt:AISystemUsed", is_statement=True),
    _Property("ai_system_version", "Iptc4xmpExt:AISystemVersionUsed", is_statement=True),
    _Property("prompt", "Iptc4xmpExt:AIPromptInformation", is_statement=True),
    _Property("prompt_writer", "Iptc4xmpExt:AIPromptWriterName", is_statement=True),
    _Property("model", "ionosopenai:Model", is_statement=True),
    _Property("size", "ionosopenai:Size", is_statement=True),
    _Property("seed", "ionosopenai:Seed", is_statement=True),
    _Property("placeholder", "ionosopenai:Placeholder", is_statement=True),
    _Property("creator_tool", "xmp:CreatorTool"),
    _Property("created", "xmp:CreateDate"),
    _Property("creator", "dc:creator", "seq"),
    _Property("credit", "photoshop:Credit"),
    _Property("copyright", "dc:rights", "alt"),
    _Property("alt", "Iptc4xmpCore:AltTextAccessibility", "alt"),
)
_EXTENSION = _Property("extension", "photoshop:SidecarForExtension")


def read_packets(packets: Sequence[bytes]) -> Provenance | None:
    """Read the fields out of XMP packets, the first mention of each; None where there is none."""
    graph = parse(packets)
    found = {entry.field: _read(graph, entry) for entry in _PROPERTIES}
    given = {name: value for name, value in found.items() if value is not None}
    provenance = Provenance(**given)  # type: ignore[arg-type]  # `_convert` gives each field its own type.
    return None if provenance == Provenance() else provenance


def read_extension(packet: bytes) -> str | None:
    """Return the extension of the picture that a sidecar says it is about; None where it does not say."""
    extension = _read(parse([packet]), _EXTENSION)
    return str(extension) if extension else None


def names_manifest(packets: Sequence[bytes]) -> bool:
    """Tell whether XMP names the place on the web of a C2PA manifest, which binds the picture's bytes.

    Source: C2PA Specification 2.4, "External manifests"; read 2026-11.
    """
    if not any(b"provenance" in packet.replace(b"\0", b"") for packet in packets):
        return False
    try:
        found = [_text(value, many=False) for value in _find(parse(packets), _MANIFEST)]
    except errors.ProvenanceError:  # reading it says what is wrong
        return False
    return any(place.strip().startswith(("https://", "http://")) for place in found)


def build_packet(
    provenance: Provenance,
    existing: Sequence[bytes] = (),
    *,
    longest: int = LONGEST_PACKET,
    marked: bool = False,
    extension: str = "",
) -> bytes:
    """Write a packet with the fields of `provenance` and everything else that stands in `existing`.

    The prompt is cut to what `longest` bytes hold; a packet that is too long even without is a `ProvenanceError`. With
    `marked`, the sandbox's mark stands at both ends; `extension` is, in a sidecar, that of the picture it is about.
    """
    merge = functools.partial(_merge, existing=existing, marked=marked, extension=extension)
    packet = merge(provenance)
    excess = len(packet) - longest
    if excess > 0 and provenance.prompt:
        packet = merge(replace(provenance, prompt=_shorten(provenance.prompt, excess)))
    if len(packet) > longest:
        raise errors.ProvenanceError(
            f"The XMP packet would be {len(packet):,} bytes, and {longest:,} fit: "
            "shorten alt, copyright, credit or creator, or remove metadata that the picture already has."
        )
    return packet


def to_xmp(provenance: Provenance, existing: bytes = b"", *, extension: str = "") -> bytes:
    """Return an XMP packet for a sidecar, in UTF-8; a prompt is cut, and ends in "…", where it would be beyond 1 MiB.

    `existing` is the sidecar that is there already, merged as `write_provenance` does, or a `ProvenanceError` where it
    is damaged or hostile. `extension`, such as "jpg", tells which of several pictures of one name it is about.
    """
    return build_packet(
        provenance, [existing] if existing else [], marked=SANDBOX_MARK in existing, extension=extension
    )


def _merge(provenance: Provenance, existing: Sequence[bytes], *, marked: bool, extension: str) -> bytes:
    graph = parse(existing)
    abouts = [description.get(ABOUT) for description in graph.descriptions]
    own = Element(DESCRIPTION, {ABOUT: next((about for about in abouts if about), "")})
    for entry in _PROPERTIES:
        _put(graph, own, entry, getattr(provenance, entry.field))
    _put(graph, own, _EXTENSION, extension or None)
    kept = [description for description in graph.descriptions if len(description) or {*description.keys()} - {ABOUT}]
    if len(own):
        own.text, own[-1].tail = "\n  ", "\n "
    for description in (*kept, own):
        # Set rather than kept: the blanks between them would grow with every merge.
        description.tail = "\n"
    text = serialise(Graph([*kept, own], {**graph.prefixes, **_PREFIXES}), toolkit=CREATOR_TOOL)
    mark = f"<!-- {SANDBOX_MARK.decode('ascii')} -->" if marked or provenance.placeholder else ""
    return "".join((_BEGIN, mark and mark + "\n", text, mark and "\n" + mark, _END)).encode()


def _put(graph: Graph, own: Element, entry: _Property, value: object) -> None:
    """Replace a property by `value` in `own`; what says the same already is moved there as it stands."""
    is_absent = value is None or value is False
    present = [] if is_absent and not entry.is_statement else _find(graph, entry.tag)
    for description in graph.descriptions if present else ():
        description.attrib.pop(entry.tag, None)
        # All at once: one by one, thousands of them would take quadratic time.
        description[:] = [child for child in description if child.tag != entry.tag]
    if is_absent:
        return
    is_same = bool(present) and _convert(entry, present[0]) == value
    if isinstance(value, datetime):  # XMP has no offsets of seconds
        offset = value.utcoffset()
        value = (value.astimezone(UTC) if offset and offset.total_seconds() % 60 else value).isoformat()
    element = present[0] if is_same and isinstance(present[0], Element) else _make(entry, str(value))
    element.tail = "\n  "
    own.append(element)


def _make(entry: _Property, text: str) -> Element:
    element = Element(entry.tag)
    if entry.form == "text":
        element.text = text
    else:
        container = SubElement(element, f"{{{RDF}}}{entry.form.capitalize()}")
        for part in text.split(_BETWEEN) if entry.form == "seq" else [text]:
            SubElement(container, _ITEM, {_LANGUAGE: "x-default"} if entry.form == "alt" else {}).text = part
    return element


def _find(graph: Graph, tag: str) -> list[Element | str]:
    """Return each mention of a property: an element, or the text of an attribute."""
    found: list[Element | str] = []
    for description in graph.descriptions:
        found += [description.attrib[tag]] if tag in description.attrib else []
        found += description.findall(tag)
    return found


def _read(graph: Graph, entry: _Property) -> object:
    values = (_convert(entry, present) for present in _find(graph, entry.tag))
    return next((value for value in values if value is not None), None)


def _convert(entry: _Property, present: Element | str) -> object:
    """Return the value as its field has it; None where it cannot be one."""
    text = _text(present, many=entry.form == "seq")
    plain = text.strip()
    if entry.field == "created":
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(plain) if _DATE.fullmatch(plain) else None
        return None
    if entry.field == "seed":
        return int(plain) if _NUMBER.fullmatch(plain) else None
    if entry.field == "placeholder":
        return plain.lower() == "true" or None
    return clean_text(plain if entry.field == "digital_source_type" else text)


def _text(element: Element | str, *, many: bool) -> str:
    """Return the text of a property in any of the forms that writers give it."""
    if isinstance(element, str):
        return element
    if (resource := element.get(_RESOURCE)) is not None:
        return resource
    items = [item for child in element if child.tag in _CONTAINERS for item in child.findall(_ITEM)]
    if items:
        chosen = items if many else [next((item for item in items if item.get(_LANGUAGE) == "x-default"), items[0])]
        return _BETWEEN.join(text for text in (_text(item, many=False) for item in chosen) if text.strip())
    qualified = element.find(_VALUE) if element.find(_VALUE) is not None else element.find(f"{DESCRIPTION}/{_VALUE}")
    return (element if qualified is None else qualified).text or ""


def _shorten(prompt: str, excess: int) -> str | None:
    """Cut at least `excess` bytes off the prompt, as long as it is in the packet; None where nothing is left."""
    room = len(escape(prompt, quote=False).encode()) - excess - len(_ELLIPSIS.encode())
    for position, letter in enumerate(prompt):
        room -= len(escape(letter, quote=False).encode())
        if room < 0:
            return prompt[:position].rstrip() + _ELLIPSIS if position else None
    return prompt
