"""The decoder: datagrams in, flows out; templates are learnt on the way."""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from collector.exports import elements as e
from collector.exports.exporters import DataSet, Domain, ExporterCounts, Exporters
from collector.exports.headers import SampledHeader, header_rows, sections_of
from collector.exports.records import Context, flow_rows, record_rate
from collector.exports.sets import SET_HEADER, packed, records_of, sets_of, withdraw
from collector.exports.sflow import read_sflow
from collector.exports.templates import V5_TEMPLATE, Template, read_fields, template_of
from collector.flows import FLOW_DTYPE, FlowBatch, address_text
from collector.identify.kernels import identify_ports

_V5_HEADER: Final = struct.Struct(">HHIIIIBBH")
_V9_HEADER: Final = struct.Struct(">HHIIII")
_IPFIX_HEADER: Final = struct.Struct(">HHIII")
_V5_RECORD_BYTES: Final = 48
#: Rows are decoded once so many bytes of data sets wait, so that a batch stays in bounds.
_FLUSH_BYTES: Final = 8 << 20


class ExportSettings(BaseModel):
    """How flow exports are decoded, and how much is remembered of exporters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    most_exporters: int = Field(1024, ge=1, description="Exporters (and domains) remembered")
    most_templates: int = Field(512, ge=1, description="Templates remembered of one domain")
    most_waiting_bytes: int = Field(
        4 << 20, ge=0, description="Bytes of data kept until their template comes"
    )
    scale_sampled: bool = Field(
        True, description="Multiply packets and bytes of sampled flows by the sampling rate"
    )


@dataclass(frozen=True)
class Datagrams:
    """UDP payloads side by side in one buffer, in order of capture."""

    buffer: NDArray[Any]  # u8
    offset: NDArray[Any]  # i8 (n)
    length: NDArray[Any]  # i8 (n)
    time_ns: NDArray[Any]  # i8 (n), of capture
    exporter: NDArray[Any]  # u8 (n, 2), source address as flows carry it
    port: NDArray[Any]  # u2 (n), source port


class ExportDecoder:
    """Decodes NetFlow v5, v9, IPFIX and sFlow v5; how datagrams are batched changes nothing."""

    def __init__(self, settings: ExportSettings | None = None) -> None:
        self._settings = settings or ExportSettings()
        self._exporters = Exporters(
            self._settings.most_exporters,
            self._settings.most_templates,
            self._settings.most_waiting_bytes,
        )
        self._pending: dict[tuple[int, int], tuple[Domain, Template, list[DataSet]]] = {}
        self._pending_bytes = 0
        self._headers: list[SampledHeader] = []
        self._done: list[tuple[NDArray[Any], NDArray[Any]]] = []  # (order, rows)
        self._order = 0

    @property
    def shed(self) -> dict[str, int]:
        """What was dropped to stay in bounds, by cause."""
        return dict(self._exporters.shed)

    @property
    def malformed(self) -> Counter[str]:
        """What could not be read, by kind, over all exporters."""
        total: Counter[str] = Counter()
        for counts in self._exporters.counts.values():
            total.update({f"export: {kind}": n for kind, n in counts.malformed.items()})
        return total

    @property
    def exporters(self) -> dict[str, ExporterCounts]:
        """Counts by the exporter's address."""
        return {address_text(*key): counts for key, counts in self._exporters.counts.items()}

    @property
    def waiting_bytes(self) -> int:
        """Bytes of data sets whose template has not come."""
        return self._exporters.waiting_bytes

    def decode(self, datagrams: Datagrams, sensors: tuple[str, ...] = ("local",)) -> FlowBatch:
        """The flows of these datagrams, in order of arrival; no bytes raise."""
        whole = memoryview(np.ascontiguousarray(datagrams.buffer).data)
        columns = zip(
            datagrams.offset.tolist(),
            datagrams.length.tolist(),
            datagrams.time_ns.tolist(),
            datagrams.exporter.tolist(),
            datagrams.port.tolist(),
            strict=True,
        )
        for offset, length, time_ns, exporter, port in columns:
            self._read(whole[offset : offset + length], time_ns, tuple(exporter), port)
        self._flush()
        return FlowBatch(self._take(), sensors)

    def _read(
        self, message: memoryview, time_ns: int, exporter: tuple[int, int], port: int
    ) -> None:
        self._order += 1
        counts = self._exporters.counts_of(exporter)
        counts.datagrams += 1
        try:
            if len(message) < 4:
                raise ValueError("datagram cut short")
            version = int.from_bytes(message[:2], "big")
            if version == 5:
                self._read_v5(message, time_ns, exporter, port)
            elif version == 9:
                self._read_v9(message, time_ns, exporter, port)
            elif version == 10:
                self._read_ipfix(message, time_ns, exporter, port)
            elif version == 0 and message[3] == 5:
                self._read_sflow(message, time_ns, exporter, port)
            else:
                raise ValueError("unknown version")
        except ValueError as fault:
            counts.malformed[str(fault)] += 1

    def _read_v5(
        self, message: memoryview, time_ns: int, exporter: tuple[int, int], port: int
    ) -> None:
        if len(message) < _V5_HEADER.size:
            raise ValueError("datagram cut short")
        _, count, uptime_ms, seconds, nanoseconds, sequence, kind, engine, sampling = (
            _V5_HEADER.unpack_from(message)
        )
        domain = self._exporters.domain((*exporter, port, 5, kind << 8 | engine))
        body = message[_V5_HEADER.size :]
        whole = min(count, len(body) // _V5_RECORD_BYTES)
        domain.expect(sequence, count)
        export_ns = seconds * 1_000_000_000 + min(nanoseconds, 999_999_999)
        rate = max(1, sampling & 0x3FFF)  # the top two bits say how, not how often
        context = Context(self._order, time_ns, export_ns, uptime_ms, rate=rate)
        self._add(domain, V5_TEMPLATE, DataSet(bytes(body[: whole * _V5_RECORD_BYTES]), context))
        if whole < count:
            raise ValueError("datagram cut short")

    def _read_v9(
        self, message: memoryview, time_ns: int, exporter: tuple[int, int], port: int
    ) -> None:
        if len(message) < _V9_HEADER.size:
            raise ValueError("datagram cut short")
        _, _, uptime_ms, seconds, sequence, source_id = _V9_HEADER.unpack_from(message)
        domain = self._exporters.domain((*exporter, port, 9, source_id))
        domain.expect(sequence, 1)
        for set_id, body in sets_of(message, _V9_HEADER.size, len(message)):
            context = Context(self._order, time_ns, seconds * 1_000_000_000, uptime_ms)
            if set_id == 0:
                self._learn_templates(domain, body, False)
            elif set_id == 1:
                self._learn_v9_options(domain, body)
            elif set_id >= 256:
                self._read_data(domain, set_id, body, context)

    def _read_ipfix(
        self, message: memoryview, time_ns: int, exporter: tuple[int, int], port: int
    ) -> None:
        if len(message) < _IPFIX_HEADER.size:
            raise ValueError("datagram cut short")
        _, length, seconds, sequence, domain_id = _IPFIX_HEADER.unpack_from(message)
        domain = self._exporters.domain((*exporter, port, 10, domain_id))
        records: int | None = 0
        for set_id, body in sets_of(message, _IPFIX_HEADER.size, min(length, len(message))):
            context = Context(self._order, time_ns, seconds * 1_000_000_000)
            if set_id == 2:
                self._learn_templates(domain, body, True)
            elif set_id == 3:
                self._learn_ipfix_options(domain, body)
            elif set_id >= 256:
                held = self._read_data(domain, set_id, body, context)
                records = None if records is None or held is None else records + held
        # Sequence numbers count records, and a set without template hides how many it has.
        domain.expect(sequence, records)
        if length > len(message):
            raise ValueError("datagram cut short")

    def _read_sflow(
        self, message: memoryview, time_ns: int, exporter: tuple[int, int], port: int
    ) -> None:
        headers, sequence, sub_agent = read_sflow(message, self._order, time_ns)
        domain = self._exporters.domain((*exporter, port, 5, 1 << 32 | sub_agent))
        domain.expect(sequence, 1)
        domain.counts.flows += len(headers)
        self._headers.extend(headers)

    def _learn_templates(self, domain: Domain, body: memoryview, is_ipfix: bool) -> None:
        at = 0
        while at + 4 <= len(body):
            set_id, count = SET_HEADER.unpack_from(body, at)
            at += 4
            if is_ipfix and count == 0:
                withdraw(domain, set_id, is_options=False)
                continue
            if set_id < 256:  # padding, RFC 3954 §5.2
                return
            fields, at = read_fields(body, at, len(body), count, is_ipfix)
            self._learn(domain, set_id, template_of(fields))

    def _learn_v9_options(self, domain: Domain, body: memoryview) -> None:
        at = 0
        while at + 6 <= len(body):
            set_id, scope_bytes, option_bytes = struct.unpack_from(">HHH", body, at)
            if set_id < 256:
                return
            scopes, at = read_fields(body, at + 6, len(body), scope_bytes // 4, False)
            options, at = read_fields(body, at, len(body), option_bytes // 4, False)
            # v9 numbers its scopes apart from the elements: none of them is one.
            unread = [type(scope)(0, scope.length, 0, True) for scope in scopes]
            self._learn(domain, set_id, template_of([*unread, *options], is_options=True))

    def _learn_ipfix_options(self, domain: Domain, body: memoryview) -> None:
        at = 0
        while at + 4 <= len(body):
            set_id, count = SET_HEADER.unpack_from(body, at)
            if count == 0:
                withdraw(domain, set_id, is_options=True)
                at += 4
                continue
            if set_id < 256 or at + 6 > len(body):
                return
            fields, at = read_fields(body, at + 6, len(body), count, True)
            self._learn(domain, set_id, template_of(fields, is_options=True))

    def _learn(self, domain: Domain, set_id: int, template: Template) -> None:
        known = domain.templates.get(set_id)
        if known == template:
            domain.templates.move_to_end(set_id)
            return
        for data in self._exporters.learn(domain, set_id, template):
            self._use(domain, template, data)

    def _read_data(
        self, domain: Domain, set_id: int, body: memoryview, context: Context
    ) -> int | None:
        """Take a data set; returns how many records it holds, None if that cannot be known."""
        template = domain.templates.get(set_id)
        data = DataSet(bytes(body), context)
        if template is None:
            self._exporters.wait(domain, set_id, data)
            return None
        return self._use(domain, template, data)

    def _use(self, domain: Domain, template: Template, data: DataSet) -> int | None:
        if template.has_sections:
            return self._sample(domain, template, data)
        body, records, is_whole = data.body, len(data.body) // template.shortest, True
        if template.is_variable:
            body, records, is_whole = packed(template, body)
        if not is_whole:
            domain.counts.malformed["record cut short"] += 1
        if records == 0:
            return 0
        body = body[: records * template.dtype.itemsize]
        context = Context(
            data.context.order,
            data.context.reported_ns,
            data.context.export_ns,
            data.context.uptime_ms,
            domain.boot_ms,
            domain.rate,
            domain.rates,
        )
        if template.is_options:
            self._apply_options(domain, template, DataSet(body, context))
        else:
            self._add(domain, template, DataSet(body, context))
        return records

    def _sample(self, domain: Domain, template: Template, data: DataSet) -> int:
        """Take records that hold the first bytes of a packet."""
        context, held = data.context, 0
        for raw, wire, link_type in sections_of(template, data.body):
            times = context.export_ns, context.reported_ns
            self._headers.append(
                SampledHeader(raw, wire, link_type, domain.rate, context.order, *times)
            )
            held += 1
        domain.counts.flows += held
        return held

    def _apply_options(self, domain: Domain, template: Template, data: DataSet) -> None:
        """Sampling rates and the start of the clock, as they hold for what comes after."""
        records = records_of(template, [data])
        boot = records.first_of((e.BOOT_MS,))
        if boot is not None and int(boot[-1]) < 1 << 50:
            domain.boot_ms = int(boot[-1])
        rate = record_rate(records)
        if rate is None:
            return
        self._flush()  # what came before keeps the rates that held then
        sampler = records.first_of(e.SAMPLER)
        rates = np.clip(rate, 1, 0xFFFF_FFFF).tolist()
        if sampler is None:
            domain.rate = int(rates[-1])
            return
        table = {**domain.rates, **dict(zip(sampler.tolist(), map(int, rates), strict=True))}
        domain.rates = dict(list(table.items())[-1024:])
        if len(domain.rates) == 1:
            domain.rate = int(rates[-1])

    def _add(self, domain: Domain, template: Template, data: DataSet) -> None:
        if not data.body:
            return
        key = id(domain), id(template)
        self._pending.setdefault(key, (domain, template, []))[2].append(data)
        self._pending_bytes += len(data.body)
        if self._pending_bytes > _FLUSH_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Decode what waits, one template at a time."""
        for domain, template, sets in self._pending.values():
            records = records_of(template, sets)
            rows = flow_rows(records, self._settings.scale_sampled)
            if len(rows) == 0:
                domain.counts.malformed["records without addresses"] += len(records.rows)
                continue
            domain.counts.flows += len(rows)
            self._done.append((records.each(data.context.order for data in sets), rows))
        self._pending.clear()
        self._pending_bytes = 0
        if self._headers:
            rows = header_rows(self._headers)
            if self._settings.scale_sampled:
                for column in ("packets", "bytes"):
                    rows[column] *= rows["sampling"]
            order = np.array([header.order for header in self._headers], np.int64)
            has_ip = rows["family"] != 0
            self._done.append((order[has_ip], rows[has_ip]))
            self._headers.clear()

    def _take(self) -> NDArray[Any]:
        if not self._done:
            return np.zeros(0, FLOW_DTYPE)
        order = np.concatenate([order for order, _ in self._done])
        rows = (
            self._done[0][1]
            if len(self._done) == 1
            else np.concatenate([rows for _, rows in self._done])
        )
        if (np.diff(order) < 0).any():
            rows = rows[np.argsort(order, kind="stable")]
        self._done.clear()
        identify_ports(
            rows["protocol"],
            rows["source_port"],
            rows["destination_port"],
            rows["app"],
            rows["app_confidence"],
        )
        return rows
