"""Templates and options as exporters announce them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import numpy as np

from collector.exports import elements as e
from collector.exports.exporters import DataSet, Domain
from collector.exports.fill import contexts
from collector.exports.records import Records, record_rate
from collector.exports.runs import Run
from collector.exports.sets import SET_HEADER, records_of
from collector.exports.templates import Template, read_fields, template_of

#: Ids of the sets that announce: v9 templates and options, IPFIX templates and options.
V9_TEMPLATES, V9_OPTIONS, IPFIX_TEMPLATES, IPFIX_OPTIONS = range(4)
_MOST_RATES: Final = 1024

#: A template's id and the template; None withdraws it (below 256: all of its kind).
Announced = tuple[int, Template | None]


def announced(kind: int, body: memoryview) -> Iterator[Announced]:
    """What a set of this kind announces; ValueError where it makes no sense (the rest stays)."""
    if kind == V9_OPTIONS:
        yield from _v9_options(body)
    elif kind == IPFIX_OPTIONS:
        yield from _ipfix_options(body)
    else:
        yield from _templates(body, is_ipfix=kind == IPFIX_TEMPLATES)


def _templates(body: memoryview, is_ipfix: bool) -> Iterator[Announced]:
    at = 0
    while at + 4 <= len(body):
        set_id, count = SET_HEADER.unpack_from(body, at)
        at += 4
        if is_ipfix and count == 0:
            yield set_id, None
            continue
        if set_id < 256:  # padding, RFC 3954 §5.2
            return
        fields, at = read_fields(body, at, len(body), count, is_ipfix)
        yield set_id, template_of(fields)


def _v9_options(body: memoryview) -> Iterator[Announced]:
    at = 0
    while at + 6 <= len(body):
        set_id, scope_bytes, option_bytes = struct.unpack_from(">HHH", body, at)
        if set_id < 256:
            return
        scopes, at = read_fields(body, at + 6, len(body), scope_bytes // 4, False)
        options, at = read_fields(body, at, len(body), option_bytes // 4, False)
        # v9 numbers its scopes apart from the elements: none of them is one.
        unread = [type(scope)(0, scope.length, 0, True) for scope in scopes]
        yield set_id, template_of([*unread, *options], is_options=True)


def _ipfix_options(body: memoryview) -> Iterator[Announced]:
    at = 0
    while at + 4 <= len(body):
        set_id, count = SET_HEADER.unpack_from(body, at)
        if count == 0:
            yield set_id, None
            at += 4
            continue
        if set_id < 256 or at + 6 > len(body):
            return
        fields, at = read_fields(body, at + 6, len(body), count, True)
        yield set_id, template_of(fields, is_options=True)


def apply_options(domain: Domain, template: Template, data: DataSet) -> int:
    """Sampling rates and the start of the clock, for what comes after; returns the records."""
    body = np.frombuffer(data.body, np.uint8)
    at, length = np.zeros(1, np.int64), np.array([len(body)], np.int64)
    run = Run(domain, template, body, at, length, contexts(1))
    count = int(run.counts.sum())
    if count:
        _apply(domain, records_of(template, [DataSet(run.bodies(), data.context)]))
    return count


def _apply(domain: Domain, options: Records) -> None:
    boot = options.first_of((e.BOOT_MS,))
    if boot is not None and int(boot[-1]) < 1 << 50:
        domain.boot_ms = int(boot[-1])
    rate = record_rate(options)
    if rate is None:
        return
    sampler = options.first_of(e.SAMPLER)
    rates = np.clip(rate, 1, 0xFFFF_FFFF).tolist()
    if sampler is None:
        domain.rate = int(rates[-1])
        return
    table = {**domain.rates, **dict(zip(sampler.tolist(), map(int, rates), strict=True))}
    domain.rates = dict(list(table.items())[-_MOST_RATES:])
    if len(domain.rates) == 1:
        domain.rate = int(rates[-1])
