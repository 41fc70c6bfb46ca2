"""Sets of a datagram, and the records in them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import numpy as np

from collector.exports.exporters import DataSet, Domain
from collector.exports.kernels import pack_records
from collector.exports.records import Records
from collector.exports.templates import Template

SET_HEADER: Final = struct.Struct(">HH")


def sets_of(message: memoryview, at: int, end: int) -> Iterator[tuple[int, memoryview]]:
    """(set id, body) of each set; ValueError where a length does not fit."""
    while at + 4 <= end:
        set_id, length = SET_HEADER.unpack_from(message, at)
        if length < 4 or at + length > end:
            if set_id == 0 and length == 0:  # zeros pad the datagram
                return
            raise ValueError("set length does not fit")
        yield set_id, message[at + 4 : at + length]
        at += length


def withdraw(domain: Domain, set_id: int, is_options: bool) -> None:
    """RFC 7011 §8.1: a template without fields withdraws one, or (ids 2 and 3) all of its kind."""
    if set_id >= 256:
        domain.templates.pop(set_id, None)
        return
    for known in [key for key, t in domain.templates.items() if t.is_options == is_options]:
        del domain.templates[known]


def packed(template: Template, body: bytes) -> tuple[bytes, int, bool]:
    """Fixed fields only of records with fields of variable length; (bytes, records, whole)."""
    room = len(body) // template.shortest
    packed = np.zeros((room, template.dtype.itemsize), np.uint8)
    raw = np.frombuffer(body, np.uint8)
    records, is_whole = pack_records(raw, template.lengths, template.shortest, packed)
    return packed[:records].tobytes(), records, is_whole


def records_of(template: Template, sets: list[DataSet]) -> Records:
    rows = np.frombuffer(b"".join(data.body for data in sets), template.dtype)
    counts = [len(data.body) // template.dtype.itemsize for data in sets]
    return Records(rows, [data.context for data in sets], counts)
