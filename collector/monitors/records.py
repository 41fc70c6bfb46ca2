"""One syslog record taken apart: its fields whatever its form, and its words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from collector.words import harmless

#: Longer records are cut: no monitor needs more to say one thing.
LONGEST: Final = 8192
_MOST_FIELDS: Final = 200
_BLANKS: Final = str.maketrans("\t\r\n", "   ")
_PRIORITY: Final = re.compile(r"<\d{1,3}>(?:1 )?")
_KEY_VALUE: Final = re.compile(r'([\w.\-]{1,40})=("(?:[^"\\]|\\.)*"|[^\s,;]*)')
_CEF_KEY: Final = re.compile(r"(?:^|(?<=\s))([\w.\-\[\]]{1,40})=")
_LABELLED: Final = re.compile(
    r"([A-Z][A-Za-z ]{2,30}):\s+([^\r\n\t|]{1,200}?)(?=\s{2,}|[\r\n\t|]|$)"
)


@dataclass(frozen=True)
class Record:
    """`maker` and `product` where the form names them; keys of `fields` in lower case."""

    text: str
    maker: str = ""
    product: str = ""
    name: str = ""
    fields: dict[str, str] | None = None

    def first(self, *names: str) -> str:
        """The first of these fields that says something."""
        told = self.fields or {}
        return next((told[name] for name in names if told.get(name)), "")


def read_record(raw: bytes) -> Record:
    """Take a record apart, its words made harmless. ValueError if it is empty."""
    found = _take_apart(raw)
    return Record(
        harmless(found.text.translate(_BLANKS)),
        harmless(found.maker),
        harmless(found.product),
        harmless(found.name),
        {name: harmless(value) for name, value in (found.fields or {}).items()},
    )


def _take_apart(raw: bytes) -> Record:
    text = raw[:LONGEST].decode("utf-8", "replace").strip("\x00 \r\n\ufeff")
    if not text:
        raise ValueError("empty record")
    body = _PRIORITY.sub("", text, count=1)
    at = body.find("CEF:")
    if at >= 0:
        return _read_cef(body[at:], body)
    at = body.find("LEEF:")
    if at >= 0:
        return _read_leef(body[at:], body)
    at = body.find("{")
    if at >= 0:
        fields = _json_fields(body[at:])
        if fields:
            return Record(body, fields=fields)
    fields = dict(_pairs(body)) or dict(_labelled(body))
    return Record(body, fields=fields)


def _read_cef(told: str, text: str) -> Record:
    """CEF:0|maker|product|version|signature|name|severity|key=value key=value …"""
    parts = re.split(r"(?<!\\)\|", told, maxsplit=7)
    if len(parts) < 7:
        raise ValueError("CEF header cut short")
    extension = parts[7] if len(parts) > 7 else ""
    starts = list(_CEF_KEY.finditer(extension))[:_MOST_FIELDS]
    fields = {"signature": parts[4]}
    for number, start in enumerate(starts):
        end = starts[number + 1].start() if number + 1 < len(starts) else len(extension)
        value = extension[start.end() : end].strip().replace("\\=", "=").replace("\\|", "|")
        fields[start[1].lower()] = value
    return Record(text, parts[1], parts[2], parts[5], fields)


def _read_leef(told: str, text: str) -> Record:
    """LEEF:1.0|maker|product|version|event|key=value<tab>…; 2.0 names its own delimiter."""
    parts = told.split("|", 6)
    if len(parts) < 5:
        raise ValueError("LEEF header cut short")
    delimiter, rest = "\t", parts[5] if len(parts) > 5 else ""
    if parts[0] == "LEEF:2.0" and len(parts) > 6:
        named = parts[5]
        delimiter = chr(int(named.lstrip("0x") or "9", 16)) if len(named) > 1 else named or "\t"
        rest = parts[6]
    pairs = (part.partition("=") for part in rest.split(delimiter)[:_MOST_FIELDS])
    fields = {key.strip().lower(): value.strip() for key, _, value in pairs if value}
    return Record(text, parts[1], parts[2], parts[4], fields)


def _pairs(text: str) -> list[tuple[str, str]]:
    found = _KEY_VALUE.findall(text)[:_MOST_FIELDS]
    return [(key.lower(), value.strip('"')) for key, value in found]


def _labelled(text: str) -> list[tuple[str, str]]:
    """Windows events as text: `Device Name:    HUAWEI Mobile`."""
    found = _LABELLED.findall(text)[:_MOST_FIELDS]
    return [(key.lower().replace(" ", ""), value.strip()) for key, value in found]


def _json_fields(text: str) -> dict[str, str]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    fields: dict[str, str] = {}
    _flatten(told, fields, 0)
    return fields


def _flatten(told: Any, fields: dict[str, str], depth: int) -> None:
    if not isinstance(told, dict) or depth > 4:
        return
    for key, value in list(told.items())[:_MOST_FIELDS]:
        if isinstance(value, dict):
            _flatten(value, fields, depth + 1)
        elif isinstance(value, (str, int, float)) and len(fields) < _MOST_FIELDS:
            fields[str(key).lower()] = str(value)
