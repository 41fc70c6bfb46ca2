"""Cells of other programs' logs as values of sightings; ValueError where they are none."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from collector.flows import plain_address
from collector.words import harmless

_LONGEST: Final = 512
_SECONDS: Final = re.compile(r"\d{1,11}(\.\d{1,9})?")
_MAC: Final = re.compile(r"(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}")
_ESCAPED: Final = re.compile(r"\\x[0-9a-fA-F]{2}")
_FRACTION: Final = re.compile(r"(\.\d{1,9})\d*")


def ns_of(seconds: str) -> int:
    """Seconds since 1970, with up to nine decimals."""
    if not _SECONDS.fullmatch(seconds):
        raise ValueError("no time")
    whole, _, part = seconds.partition(".")
    return time_of(int(whole) * 1_000_000_000 + int(part.ljust(9, "0")))


def time_of(ns: int) -> int:
    """The time itself, if it is one that flows can carry (1970 to 2262)."""
    if not 0 <= ns < 1 << 63:
        raise ValueError("a time before 1970 or after 2262")
    return ns


def iso_ns(text: str) -> int:
    """A date and time with its zone, as ISO 8601 and Suricata write it; without one it is UTC."""
    fraction = _FRACTION.search(text)
    plain_text = text.replace(fraction[0], "") if fraction else text
    told = datetime.fromisoformat(plain_text.replace("Z", "+00:00"))
    told = told if told.tzinfo else told.replace(tzinfo=UTC)
    ns = int(fraction[1][1:].ljust(9, "0")) if fraction else 0
    try:
        return time_of(int(told.timestamp()) * 1_000_000_000 + ns)
    except OverflowError:
        raise ValueError("no time") from None


def address(text: str) -> str:
    """An IP address in its one spelling; "" where there is none."""
    return plain_address(text) if text else ""


def mac(text: str) -> str:
    text = text.lower()
    return text.replace("-", ":") if _MAC.fullmatch(text) else ""


def number(text: str, most: int) -> int:
    """A count from 0 to `most`; 0 where there is none."""
    return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def list_of(text: str) -> list[str]:
    return [item for item in text.split(",") if item][:64]


def plain(text: str) -> str:
    """Words, bounded; bytes that Zeek escaped are shown as such."""
    return harmless(_ESCAPED.sub("\N{REPLACEMENT CHARACTER}", text)[:_LONGEST])
