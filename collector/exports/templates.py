"""Templates: what a record of a data set looks like, as a numpy dtype, and where they are kept."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from collector.exports.elements import BACKWARD, FORWARD, REVERSE, SECTIONS

VARIABLE: Final = 65535  # length of a field that carries its own (RFC 7011 §7)
_MOST_FIELDS: Final = 512
_SPECIFIER: Final = struct.Struct(">HH")


@dataclass(frozen=True)
class FieldSpec:
    """One field: element, enterprise (0 = IANA) and length in bytes."""

    element: int
    length: int
    enterprise: int = 0
    is_scope: bool = False

    @property
    def column(self) -> str:
        """Its name in the record's dtype: "7", or "r7" for the reverse direction; "" if unread."""
        if self.enterprise == 0 and self.element in FORWARD:
            return str(self.element)
        if self.enterprise == REVERSE and self.element in BACKWARD:
            return f"r{self.element}"
        return ""


@dataclass(frozen=True)
class Template:
    """One exporter's layout of a data set."""

    fields: tuple[FieldSpec, ...]
    is_options: bool = False

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The fields that are read, at their places; fields of variable length take no room.

        Where an element comes twice the last one counts: of a tunnel, the inner packet.
        """
        places: dict[str, tuple[Any, int]] = {}
        at = 0
        for field in self.fields:
            if field.length == VARIABLE:
                continue
            if field.column and 0 < field.length <= 16:
                places[field.column] = _format(field.length), at
            at += field.length
        spec = {
            "names": list(places),
            "formats": [form for form, _ in places.values()],
            "offsets": [offset for _, offset in places.values()],
            "itemsize": max(at, 1),
        }
        layout: np.dtype[Any] = np.dtype(spec)  # type: ignore[call-overload] # wants literals
        return layout

    @cached_property
    def plan(self) -> np.ndarray[Any, np.dtype[np.int64]] | None:
        """Steps for the compiled loop; None where it reads rarer elements."""
        from collector.exports.plan import plan_of

        return plan_of(self)

    @cached_property
    def has_addresses(self) -> bool:
        """Does a record tell who spoke to whom?"""
        layout: Mapping[str, Any] = self.dtype.fields or {}
        return all(
            layout[v6][0].itemsize == 16 if v6 in layout else v4 in layout
            for v4, v6 in (("8", "27"), ("12", "28"))
        )

    @cached_property
    def lengths(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.array([field.length for field in self.fields], np.int64)

    @cached_property
    def is_variable(self) -> bool:
        return any(field.length == VARIABLE for field in self.fields)

    @cached_property
    def has_sections(self) -> bool:
        """True where its records hold the first bytes of packets."""
        return any(field.enterprise == 0 and field.element in SECTIONS for field in self.fields)

    @cached_property
    def shortest(self) -> int:
        """The least that a record can take, in bytes."""
        return sum(1 if field.length == VARIABLE else field.length for field in self.fields)


def _format(length: int) -> Any:
    # Exporters shorten numbers to any size (RFC 7011 §6.2); odd sizes are folded later.
    return f">u{length}" if length in (1, 2, 4, 8) else ("u1", (length,))


def read_fields(
    message: memoryview, at: int, end: int, count: int, has_enterprises: bool
) -> tuple[tuple[FieldSpec, ...], int]:
    """Read `count` field specifiers from `at`; returns them and where they end.

    Raises ValueError where the set ends early, or where the count is beyond reason.
    """
    if count > _MOST_FIELDS:
        raise ValueError("too many fields")
    fields = []
    for _ in range(count):
        if at + 4 > end:
            raise ValueError("template cut short")
        element, length = _SPECIFIER.unpack_from(message, at)
        at += 4
        enterprise = 0
        if has_enterprises and element & 0x8000:
            if at + 4 > end:
                raise ValueError("template cut short")
            element, enterprise = element & 0x7FFF, int.from_bytes(message[at : at + 4], "big")
            at += 4
        fields.append(FieldSpec(element, length, enterprise))
    return tuple(fields), at


def template_of(fields: Sequence[FieldSpec], is_options: bool = False) -> Template:
    """A template whose records take at least one byte; ValueError otherwise."""
    template = Template(tuple(fields), is_options)
    if template.shortest == 0 or template.shortest > 65535:
        raise ValueError("records of no length, or longer than a set")
    return template


def _v5_layout() -> Template:
    """NetFlow v5's only record, in elements; 210 is padding."""
    layout = (
        (8, 4), (12, 4), (15, 4), (10, 2), (14, 2), (2, 4), (1, 4), (22, 4), (21, 4), (7, 2),
        (11, 2), (210, 1), (6, 1), (4, 1), (5, 1), (16, 2), (17, 2), (9, 1), (13, 1), (210, 2),
    )  # fmt: skip
    return Template(tuple(FieldSpec(element, length) for element, length in layout))


V5_TEMPLATE: Final = _v5_layout()
