"""Some datagrams, looked at together: data sets in long runs, whatever changes them in between."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.capture.windows import Pool
from collector.exports import fill, learning, scan
from collector.exports.exporters import DataSet, Domain, Exporters
from collector.exports.headers import SampledHeader, header_rows, sections_of
from collector.exports.records import Context
from collector.exports.restarts import find_restarts
from collector.exports.runs import Run
from collector.exports.sets import withdraw
from collector.exports.sflow import read_sflow
from collector.exports.templates import V5_TEMPLATE, Template
from collector.flows import FLOW_DTYPE
from collector.identify.kernels import identify_ports

#: Sets of a v9 and of an IPFIX message that announce something.
_ANNOUNCING: Final = {
    (9, 0): learning.V9_TEMPLATES,
    (9, 1): learning.V9_OPTIONS,
    (10, 2): learning.IPFIX_TEMPLATES,
    (10, 3): learning.IPFIX_OPTIONS,
}
_KIND_BITS: Final = 20
_MOST_ANNOUNCED: Final = 64


@dataclass(frozen=True)
class Datagrams:
    """UDP payloads side by side in one buffer, in order of capture."""

    buffer: NDArray[Any]  # u8
    offset: NDArray[Any]  # i8 (n)
    length: NDArray[Any]  # i8 (n)
    time_ns: NDArray[Any]  # i8 (n), of capture
    exporter: NDArray[Any]  # u8 (n, 2), source address as flows carry it
    port: NDArray[Any]  # u2 (n), source port

    def take(self, chosen: slice | NDArray[Any]) -> Datagrams:
        """Some of them, in the same buffer."""
        columns = (self.offset, self.length, self.time_ns, self.exporter, self.port)
        return Datagrams(self.buffer, *(column[chosen] for column in columns))


class Batch:
    """Decodes its datagrams in order of arrival; what it learns stays with `exporters`."""

    def __init__(
        self,
        exporters: Exporters,
        buffer: NDArray[Any],
        datagrams: Datagrams,
        scales: bool,
        outs: Pool,
    ) -> None:
        """`outs`: where rows (OUTPUT_DTYPE) are written to."""
        self._exporters, self._datagrams, self._scales = exporters, datagrams, scales
        self._outs = outs
        self._buffer, self._view = buffer, memoryview(buffer.data)
        offset = np.ascontiguousarray(datagrams.offset, np.int64)
        length = np.ascontiguousarray(datagrams.length, np.int64)
        self._heads = np.empty(len(offset), scan.HEAD_DTYPE)
        room = np.empty(int(length.sum()) // 4 + len(offset), scan.SET_DTYPE)
        self._sets = room[: scan.scan(buffer, offset, length, self._heads, room)]
        self._domains = self._find_domains()
        self._restarts = find_restarts(
            self._heads, np.unique(self._sets["datagram"]), datagrams.time_ns, self._domains
        )
        self._group = self._heads["group"][self._sets["datagram"]]
        codes, self._code = np.unique(
            self._group << _KIND_BITS | self._sets["kind"], return_inverse=True
        )
        self._pairs = [(c >> _KIND_BITS, c & (1 << _KIND_BITS) - 1) for c in codes.tolist()]
        self._rows: list[NDArray[Any]] = []
        self._headers: list[SampledHeader] = []

    def decode(self) -> list[NDArray[Any]]:
        """Pieces of rows (FLOW_DTYPE), in order of arrival."""
        at = since = 0
        while at < len(self._sets):
            is_other = ~self._is_data()[self._code[at:]]
            if self._restarts:
                is_other |= np.isin(self._sets["datagram"][at:], list(self._restarts))
            others = at + np.flatnonzero(is_other)
            has_changed = False
            for other in others.tolist():
                restarted = self._restarts.pop(int(self._sets["datagram"][other]), None)
                if restarted is not None:
                    self._take_data(since, other)
                    restarted.forget_templates()
                    at = since = other
                    has_changed = True
                    break
                at = other + 1
                if self._is_harmless(other):
                    continue
                self._take_data(since, other)
                since = at
                has_changed = self._handle(other)
                if has_changed:
                    break
            if not has_changed:
                break
        self._take_data(since, len(self._sets))
        self._take_headers()
        self._follow_sequences()
        return self._rows

    def _find_domains(self) -> list[Domain]:
        """The domain of each group, and counts of what came from whom."""
        heads, port = self._heads, np.ascontiguousarray(self._datagrams.port)
        exporter = np.ascontiguousarray(self._datagrams.exporter)
        slots = np.zeros(1 << (2 * len(heads)).bit_length(), np.int64)
        firsts = np.empty(len(heads), np.int64)
        groups = scan.number_domains(heads, exporter, port, slots, firsts)
        sizes = np.bincount(heads["group"], minlength=groups)
        domains = []
        for first, size in zip(firsts[:groups].tolist(), sizes.tolist(), strict=True):
            high, low = exporter[first].tolist()
            counts = self._exporters.counts_of((high, low))
            counts.datagrams += size
            version, number = int(heads["version"][first]), int(heads["domain"][first])
            if version == 0:
                domains.append(Domain(counts))
            else:
                key = (high, low, int(port[first]), version, number)
                domains.append(self._exporters.domain(key))
        for number in np.flatnonzero(heads["fault"]).tolist():
            fault = scan.FAULTS[int(heads["fault"][number])]
            domains[int(heads["group"][number])].counts.malformed[fault] += 1
        return domains

    def _is_data(self) -> NDArray[np.bool_]:
        """Which of the pairs (group, kind) are flows of a template that is known."""
        found = np.zeros(len(self._pairs), bool)
        for number, (group, kind) in enumerate(self._pairs):
            template = self._template(group, kind)
            if template is not None:
                found[number] = not template.is_options and not template.has_sections
        return found

    def _template(self, group: int, kind: int) -> Template | None:
        return V5_TEMPLATE if kind == scan.V5 else self._domains[group].templates.get(kind)

    def _is_harmless(self, at: int) -> bool:
        """Does the set change nothing? Exporters repeat their templates all the time."""
        row = self._sets[at]
        domain, kind = self._domains[int(self._group[at])], int(row["kind"])
        if kind == scan.SFLOW or kind >= 256:
            return False
        form = _ANNOUNCING.get((int(self._heads["version"][row["datagram"]]), kind))
        if form is None:
            return True
        said = domain.announced.get(bytes((form,)) + self._body(at))
        if said is None or any(domain.templates.get(i) is not t for i, t in said):
            return False
        for number, _ in said:
            domain.templates.move_to_end(number)
        return True

    def _handle(self, at: int) -> bool:
        """A set that is no plain data; True if another set may now mean something else."""
        row = self._sets[at]
        group, kind = int(self._group[at]), int(row["kind"])
        domain = self._domains[group]
        if kind == scan.SFLOW:
            self._read_sflow(at)
            return False
        if kind < 256:
            self._learn(domain, at)
            return True
        template = domain.templates.get(kind)
        data = DataSet(bytes(self._body(at)), self._context(at, domain))
        if template is None:
            self._exporters.wait(domain, kind, data)
            self._step(at, None)
            return False
        self._step(at, self._use(domain, template, data))
        return False

    def _learn(self, domain: Domain, at: int) -> None:
        row = self._sets[at]
        form = _ANNOUNCING[int(self._heads["version"][row["datagram"]]), int(row["kind"])]
        said: list[tuple[int, Template]] = []
        body = self._body(at)
        try:
            for number, template in learning.announced(form, body):
                if template is None:
                    withdraw(domain, number, is_options=form == learning.IPFIX_OPTIONS)
                    continue
                said.append((number, self._learn_template(domain, number, template)))
        except (ValueError, struct.error) as fault:
            domain.counts.malformed[str(fault)] += 1
            return
        domain.announced[bytes((form,)) + body] = tuple(said)
        if len(domain.announced) > _MOST_ANNOUNCED:
            domain.announced.popitem(last=False)

    def _learn_template(self, domain: Domain, number: int, template: Template) -> Template:
        known = domain.templates.get(number)
        if known == template and known is not None:
            domain.templates.move_to_end(number)
            return known
        waited = self._exporters.learn(domain, number, template)
        plain = [data for data in waited if not (template.is_options or template.has_sections)]
        if plain:
            self._take_waited(domain, template, plain)
        else:
            for data in waited:
                self._use(domain, template, data)
        return template

    def _use(self, domain: Domain, template: Template, data: DataSet) -> int:
        """Options, and records that hold the first bytes of packets; returns how many."""
        if template.is_options:
            return learning.apply_options(domain, template, data)
        held = 0
        context = data.context
        for raw, wire, link_type in sections_of(template, data.body):
            times = context.export_ns, context.reported_ns
            self._headers.append(SampledHeader(raw, wire, link_type, domain.rate, 0, *times))
            held += 1
        domain.counts.flows += held
        return held

    def _take_data(self, start: int, stop: int) -> None:
        """Decode the plain data sets among these, run by run."""
        chosen = start + np.flatnonzero(self._is_data()[self._code[start:stop]])
        if not len(chosen):
            return
        self._take_headers()
        sets, code = self._sets[chosen], self._code[chosen]
        counts = np.zeros(len(chosen), np.int64)
        runs = []
        for number in np.unique(code).tolist():
            of_run = np.flatnonzero(code == number)
            group, kind = self._pairs[number]
            template = self._template(group, kind)
            assert template is not None  # by _is_data
            run = self._run(self._domains[group], template, sets[of_run])
            counts[of_run] = run.counts
            if template.has_addresses:
                runs.append((of_run, run))
            else:
                self._refuse(self._domains[group], run)
        np.add.at(self._heads["step"], sets["datagram"], self._steps(sets, counts))
        for of_run, run in runs:
            counts[of_run] = -run.counts
        counts = np.where(counts < 0, -counts, 0)
        self._write(runs, counts)

    def _write(self, runs: Sequence[tuple[NDArray[np.int64], Run]], counts: Any) -> None:
        records = int(counts.sum())
        out = self._outs.take(records)[:records]
        out_at = np.cumsum(counts) - counts
        for of_run, run in runs:
            run.write(out, out_at[of_run], self._scales)
        self._rows.append(out.view(FLOW_DTYPE))

    def _run(self, domain: Domain, template: Template, sets: NDArray[Any]) -> Run:
        heads = self._heads[sets["datagram"]]
        context = fill.contexts(len(sets))
        context[:, fill.REPORTED] = self._datagrams.time_ns[sets["datagram"]]
        context[:, fill.EXPORT] = heads["export_ns"]
        context[:, fill.UPTIME_MS] = heads["uptime_ms"]
        context[:, fill.BOOT_MS] = domain.boot_ms
        context[:, fill.RATE] = heads["rate"] if template is V5_TEMPLATE else domain.rate
        at, length = sets["at"].astype(np.int64), sets["length"].astype(np.int64)
        return Run(domain, template, self._buffer, at, length, context)

    def _take_waited(self, domain: Domain, template: Template, waited: list[DataSet]) -> None:
        """Data that came before its template."""
        self._take_headers()
        length = np.array([len(data.body) for data in waited], np.int64)
        context = fill.contexts(len(waited))
        for row, data in zip(context, waited, strict=True):
            told = data.context
            row[:] = told.reported_ns, told.export_ns, told.uptime_ms, domain.boot_ms, domain.rate
        joined = np.frombuffer(b"".join(data.body for data in waited), np.uint8)
        run = Run(domain, template, joined, np.cumsum(length) - length, length, context)
        if template.has_addresses:
            self._write([(np.arange(len(waited)), run)], run.counts)
        else:
            self._refuse(domain, run)

    def _refuse(self, domain: Domain, run: Run) -> None:
        domain.counts.malformed["records without addresses"] += int(run.counts.sum())

    def _read_sflow(self, at: int) -> None:
        datagram = int(self._sets["datagram"][at])
        counts = self._domains[int(self._group[at])].counts
        time_ns = int(self._datagrams.time_ns[datagram])
        try:
            headers, sequence, sub_agent = read_sflow(self._body(at), 0, time_ns)
        except ValueError as fault:
            counts.malformed[str(fault)] += 1
            return
        high, low = self._datagrams.exporter[datagram].tolist()
        port = int(self._datagrams.port[datagram])
        domain = self._exporters.domain((high, low, port, 5, 1 << 32 | sub_agent))
        missing = sequence - domain.next_sequence & 0xFFFF_FFFF
        if domain.next_sequence >= 0 and 0 < missing < 1 << 24:
            counts.lost += missing
        domain.next_sequence = sequence + 1 & 0xFFFF_FFFF
        counts.flows += len(headers)
        self._headers += headers

    def _take_headers(self) -> None:
        """Sampled packets become flows of one packet."""
        if not self._headers:
            return
        rows = header_rows(self._headers)
        if self._scales:
            for column in ("packets", "bytes"):
                rows[column] *= rows["sampling"]
        rows = rows[rows["family"] != 0]
        ports = ("protocol", "source_port", "destination_port", "app", "app_confidence")
        identify_ports(*(rows[name] for name in ports))
        self._rows.append(rows)
        self._headers.clear()

    def _follow_sequences(self) -> None:
        following = np.array([domain.next_sequence for domain in self._domains], np.int64)
        lost = np.zeros(len(following), np.int64)
        scan.count_lost(self._heads, following, lost)
        for domain, after, missing in zip(
            self._domains, following.tolist(), lost.tolist(), strict=True
        ):
            domain.next_sequence = after
            domain.counts.lost += missing

    def _steps(self, sets: NDArray[Any], counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """IPFIX counts records, where they can be counted."""
        heads = self._heads[sets["datagram"]]
        return np.where((heads["version"] == 10) & (heads["step"] >= 0), counts, 0)

    def _step(self, at: int, records: int | None) -> None:
        head = self._heads[self._sets["datagram"][at]]
        if head["version"] == 10 and head["step"] >= 0:
            # A set without template hides how many records it has.
            head["step"] = -1 if records is None else head["step"] + records

    def _body(self, at: int) -> memoryview:
        row = self._sets[at]
        return self._view[int(row["at"]) : int(row["at"] + row["length"])]

    def _context(self, at: int, domain: Domain) -> Context:
        datagram = int(self._sets["datagram"][at])
        head = self._heads[datagram]
        return Context(
            0,
            int(self._datagrams.time_ns[datagram]),
            int(head["export_ns"]),
            int(head["uptime_ms"]),
            domain.boot_ms,
            domain.rate,
            domain.rates,
        )
