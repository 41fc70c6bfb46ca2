"""Sets of a datagram, and the records in them."""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

from collector.exports.exporters import DataSet, Domain
from collector.exports.records import Records
from collector.exports.templates import Template

SET_HEADER: Final = struct.Struct(">HH")


def withdraw(domain: Domain, set_id: int, is_options: bool) -> None:
    """RFC 7011 §8.1: a template without fields withdraws one, or (ids 2 and 3) all of its kind."""
    if set_id >= 256:
        domain.templates.pop(set_id, None)
        return
    for known in [key for key, t in domain.templates.items() if t.is_options == is_options]:
        del domain.templates[known]


def records_of(template: Template, sets: list[DataSet]) -> Records:
    rows = np.frombuffer(b"".join(data.body for data in sets), template.dtype)
    counts = [len(data.body) // template.dtype.itemsize for data in sets]
    return Records(rows, [data.context for data in sets], counts)
