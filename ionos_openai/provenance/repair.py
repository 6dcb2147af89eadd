"""XMP that is no XML, as programs have written it: made into XML with the meaning that lenient readers see in it.

Source: packets of Canva, Photopea, IrfanView and phones, and what ExifTool 12.57 reads in them; 2026-11.
"""

from __future__ import annotations

import re
from html import escape

# What programs use without declaring it.
_NAMESPACES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
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


def repair(packet: bytes) -> str:
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
    digits = bare[1][1:-1]
    code = int(digits[1:], 16) if digits.startswith("x") else int(digits)
    return "" if code > 0x10FFFF or _UNWRITABLE.match(chr(code)) else bare[0]
