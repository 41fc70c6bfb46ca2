"""Lines of another monitor's log, whole lines a piece at a time: flows and sightings out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from collector.flows import FlowBatch
from collector.foreign import eve, zeek, zeek_rows
from collector.foreign.columns import Rows
from collector.foreign.parsing import cell_text, json_objects, parse_json, parse_table
from collector.sightings import Sighting

Found = tuple[FlowBatch, list[Sighting]]
_EMPTY: Final = ("-", "(empty)")


class EveLines:
    """Suricata's eve.json."""

    def __init__(self, sensor: str) -> None:
        self._sensor = sensor
        self.malformed: Counter[str] = Counter()

    def begin(self, head: bytes) -> None:
        """A file is read from its middle on; `head` is how it begins."""

    def feed(self, text: bytes) -> Found:
        """Take whole lines."""
        return eve.read_eve(list(json_objects(text, self.malformed)), self._sensor, self.malformed)


class ZeekLines:
    """One of Zeek's logs, tab-separated (with heads wherever they stand) or JSON."""

    def __init__(self, log: str, sensor: str) -> None:
        """`log`: conn, or one of `zeek_rows.LOGS`; a head's #path says it better."""
        self._log, self._sensor = log, sensor
        self._names: list[str] = []
        self.malformed: Counter[str] = Counter()

    def begin(self, head: bytes) -> None:
        for line in head.splitlines():
            if line.startswith(b"#"):
                self._read_head(line)

    def feed(self, text: bytes) -> Found:
        flows: list[FlowBatch] = []
        sightings: list[Sighting] = []
        body: list[bytes] = []
        for line in text.splitlines(keepends=True):
            if line.startswith(b"#"):
                self._take(body, flows, sightings)
                body = []
                self._read_head(line)
            else:
                body.append(line)
        self._take(body, flows, sightings)
        return FlowBatch.join(flows), sightings

    def _read_head(self, line: bytes) -> None:
        words = line.decode("utf-8", "replace").rstrip("\r\n").split("\t")
        if words[0] == "#fields":
            self._names = words[1:]
        elif words[0] == "#path" and len(words) > 1:
            self._log = words[1]

    def _take(self, body: list[bytes], flows: list[FlowBatch], found: list[Sighting]) -> None:
        if not body:
            return
        is_json = body[0].lstrip().startswith(b"{")
        if not is_json and not self._names:
            self.malformed["zeek: lines before any head"] += len(body)
        elif self._log == "conn":
            text = b"".join(body)
            if is_json:
                table = parse_json(text, zeek.FIELDS, self.malformed)
            else:
                table = parse_table(text, self._names, "\t", self.malformed)
            flows.append(zeek.flows_of(Rows(table, self.malformed)))
        elif self._log in zeek_rows.LOGS:
            rows = self._json_rows(body) if is_json else self._table_rows(body)
            for cells in rows:
                try:
                    found += zeek_rows.sightings_of(self._log, cells, self._sensor)
                except ValueError:
                    self.malformed[f"zeek: {self._log} line that cannot be read"] += 1

    def _json_rows(self, body: list[bytes]) -> list[Mapping[str, str]]:
        objects = json_objects(b"".join(body), self.malformed)
        return [{k: t for k, v in o.items() if (t := cell_text(v)) is not None} for o in objects]

    def _table_rows(self, body: list[bytes]) -> list[Mapping[str, str]]:
        rows: list[Mapping[str, str]] = []
        for line in body:
            cells = line.decode("utf-8", "replace").rstrip("\r\n").split("\t")
            if len(cells) != len(self._names):
                self.malformed["flow log: line with too few or too many columns"] += 1
                continue
            told = zip(self._names, cells, strict=True)
            rows.append({name: cell for name, cell in told if cell not in _EMPTY})
        return rows


class RecordLines:
    """Syslog records in a file, one a line, at the times that they tell."""

    def __init__(self, sensor: str, year: int) -> None:
        """`year`: of records that tell none (RFC 3164)."""
        self._sensor, self._year = sensor, year
        self.malformed: Counter[str] = Counter()

    def begin(self, head: bytes) -> None:
        """Records need no head."""

    def feed(self, text: bytes) -> Found:
        from collector.monitors.events import event_of
        from collector.monitors.records import read_record
        from collector.monitors.times import Header
        from collector.monitors.traffic import flows_of_records

        records: list[tuple[Any, Header]] = []
        found: list[Sighting] = []
        for line in text.splitlines():
            try:
                record = read_record(line)
                header = Header.of(record, self._year)
            except ValueError:
                self.malformed["syslog: record that cannot be read"] += bool(line.strip())
                continue
            records.append((record, header))
            event = event_of(record, header.reporter_ip, header.time_ns, self._sensor)
            if event is not None:
                found.append(event)
        return flows_of_records(records, self.malformed), found


LogLines = EveLines | ZeekLines | RecordLines
