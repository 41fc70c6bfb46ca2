"""What is remembered of each exporter: templates, options, waiting sets and counts; all bounded."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from dataclasses import astuple, dataclass, field

from collector.exports.records import Context
from collector.exports.templates import FieldSpec, Template

DomainKey = tuple[int, int, int, int, int]  # exporter (high, low), port, version, domain


@dataclass(frozen=True, slots=True)
class DataSet:
    """The records of one data set, as they came."""

    body: bytes
    context: Context


@dataclass
class ExporterCounts:
    """For the health page: what one exporter sent and what of it was lost or unreadable."""

    datagrams: int = 0
    flows: int = 0
    restarts: int = 0  # of a domain: its templates were dropped until it announces them again
    lost: int = 0  # by sequence numbers: flows (v5), datagrams (v9, sFlow) or records (IPFIX)
    malformed: Counter[str] = field(default_factory=Counter)


@dataclass
class Domain:
    """One observation domain (IPFIX), source (v9) or engine (v5) of one exporter."""

    counts: ExporterCounts
    templates: OrderedDict[int, Template] = field(default_factory=OrderedDict)
    #: Announcements as they came, and what they say, so that a repetition costs little.
    announced: OrderedDict[bytes, tuple[tuple[int, Template], ...]] = field(
        default_factory=OrderedDict
    )
    waiting: dict[int, list[DataSet]] = field(default_factory=dict)
    next_sequence: int = -1  # -1: unknown
    #: Uptime in ms (v9) or sequence (IPFIX) of the last datagram, and when it was exported.
    clock: tuple[int, int] = (-1, 0)
    restarted_ns: list[int] = field(default_factory=list)
    boot_ms: int = -1
    rate: int = 1
    rates: dict[int, int] = field(default_factory=dict)

    def begin_anew(self, now_ns: int, most: int, within_ns: int) -> bool:
        """Count a restart; false if there were `most` of them lately, so that it is none."""
        self.restarted_ns = [*self.restarted_ns[1 - most :], now_ns]
        is_often = len(self.restarted_ns) == most and now_ns - self.restarted_ns[0] < within_ns
        self.counts.restarts += not is_often
        return not is_often

    def forget_templates(self) -> None:
        """What was announced holds no more; data waits until it is announced again."""
        self.templates.clear()
        self.announced.clear()


class Exporters:
    """All domains, the longest silent forgotten first."""

    def __init__(self, most_exporters: int, most_templates: int, most_waiting_bytes: int) -> None:
        self._most_exporters = most_exporters
        self._most_templates = most_templates
        self._most_waiting_bytes = most_waiting_bytes
        self._domains: OrderedDict[DomainKey, Domain] = OrderedDict()
        self._counts: OrderedDict[tuple[int, int], ExporterCounts] = OrderedDict()
        self._waiting_bytes = 0
        self.shed: Counter[str] = Counter()

    @property
    def counts(self) -> dict[tuple[int, int], ExporterCounts]:
        """By exporter's address (high, low)."""
        return dict(self._counts)

    @property
    def waiting_bytes(self) -> int:
        return self._waiting_bytes

    def domain(self, key: DomainKey) -> Domain:
        known = self._domains.get(key)
        if known is not None:
            self._domains.move_to_end(key)
            return known
        if len(self._domains) >= self._most_exporters:
            _, oldest = self._domains.popitem(last=False)
            self._drop_waiting(oldest)
            self.shed["exports: exporters forgotten"] += 1
        new = Domain(self.counts_of((key[0], key[1])))
        self._domains[key] = new
        return new

    def to_json(self) -> str:
        """Templates, clocks and sampling rates of all domains, for a restart."""
        return json.dumps(
            [
                {
                    "key": key,
                    "boot_ms": domain.boot_ms,
                    "clock": domain.clock,
                    "rate": domain.rate,
                    "rates": list(domain.rates.items()),
                    "templates": [
                        [number, template.is_options, [astuple(field) for field in template.fields]]
                        for number, template in domain.templates.items()
                    ],
                }
                for key, domain in self._domains.items()
                if domain.templates or domain.rate != 1
            ]
        )

    def from_json(self, told: str) -> None:
        """Take over what `to_json` wrote."""
        for kept in json.loads(told):
            high, low, port, version, number = kept["key"]
            domain = self.domain((high, low, port, version, number))
            domain.boot_ms, domain.rate = kept["boot_ms"], kept["rate"]
            clock, export_ns = kept.get("clock", (-1, 0))
            domain.clock = (int(clock), int(export_ns))
            domain.rates = {int(sampler): int(rate) for sampler, rate in kept["rates"]}
            for set_id, is_options, fields in kept["templates"]:
                specs = tuple(FieldSpec(*told) for told in fields)
                domain.templates[set_id] = Template(specs, is_options)

    def counts_of(self, address: tuple[int, int]) -> ExporterCounts:
        counts = self._counts.get(address)
        if counts is None:
            if len(self._counts) >= self._most_exporters:
                self._counts.popitem(last=False)
            counts = self._counts[address] = ExporterCounts()
        return counts

    def learn(self, domain: Domain, set_id: int, template: Template) -> list[DataSet]:
        """Keep a template; returns the data sets that came before it."""
        domain.templates[set_id] = template
        domain.templates.move_to_end(set_id)
        if len(domain.templates) > self._most_templates:
            domain.templates.popitem(last=False)
            self.shed["exports: templates forgotten"] += 1
        waited = domain.waiting.pop(set_id, [])
        self._waiting_bytes -= sum(len(data.body) for data in waited)
        return waited

    def wait(self, domain: Domain, set_id: int, data: DataSet) -> None:
        """Keep a data set until its template comes; past the limit it is shed."""
        if self._waiting_bytes + len(data.body) > self._most_waiting_bytes:
            self.shed["exports: data without template"] += 1
            return
        domain.waiting.setdefault(set_id, []).append(data)
        self._waiting_bytes += len(data.body)

    def _drop_waiting(self, domain: Domain) -> None:
        for sets in domain.waiting.values():
            self._waiting_bytes -= sum(len(data.body) for data in sets)
            self.shed["exports: data without template"] += len(sets)
        domain.waiting.clear()
