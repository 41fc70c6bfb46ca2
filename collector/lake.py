"""The flow lake: flows kept as Parquet, one folder a day, searched with DuckDB."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import numpy as np

from collector.flows import FlowBatch
from collector.lake_damage import lists_aside, rows_aside, set_aside
from collector.lake_merging import files_of, merge_day, replaced_in, rows_of, sync

#: Groups of files that one call of `merge` takes on, so that it ends soon.
_MOST_MERGES = 8
_READ_AGAIN = 3
_DAY: Final = re.compile(r"day=\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])")
_DAY_NS = 86_400_000_000_000


class Lake:
    """Appends flows to `folder/day=YYYY-MM-DD/` and answers hunts.

    Rows wait in memory until `rows_a_file` are there, or until `flush`. A file is written under
    another name and then renamed, so that a reader or a crash never meets half a file; its name
    comes from what is in it, so that writing the same flows again changes nothing.
    """

    def __init__(self, folder: Path, rows_a_file: int = 500_000) -> None:
        self._folder = folder
        self._rows_a_file = rows_a_file
        self._waiting: list[FlowBatch] = []
        self._count = 0
        self._lock = threading.Lock()
        self._engine: Any = None
        self.shed: Counter[str] = Counter()

    def append(self, flows: FlowBatch) -> None:
        """Keep flows; OSError if the disk refuses (the rows stay in memory for the next try)."""
        if len(flows):
            self._waiting.append(flows)
            self._count += len(flows)
        if self._count >= self._rows_a_file:
            self.flush()

    def warm_up(self) -> None:
        """Load what writing and searching need, while there is nothing else to do."""

        import collector.arrow  # noqa: F401

        self._database()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            if not self._count:
                return
            flows = FlowBatch.join(self._waiting)
            days = flows.reported_ns // _DAY_NS
            for day in np.unique(days).tolist():
                self._write(flows.take(days == day), day)
            self._waiting, self._count = [], 0

    def _write(self, flows: FlowBatch, day: int) -> None:
        import pyarrow.parquet as pq

        from collector.arrow import to_table

        name = datetime.fromtimestamp(day * 86400, UTC).strftime("%Y-%m-%d")
        folder = self._folder / f"day={name}"
        folder.mkdir(parents=True, exist_ok=True)
        # Many flows are reported at one tick, so that times and number do not tell files apart.
        mark = crc32(flows.rows.tobytes())
        span = f"{int(flows.reported_ns[0])}-{int(flows.reported_ns[-1])}-{len(flows)}-{mark:08x}"
        if f"flows-{span}.parquet" in replaced_in(folder):
            return  # a merged file holds them
        part = folder / f".{span}.part"
        pq.write_table(to_table(flows), part, compression="zstd")
        sync(part)  # a power cut leaves no empty file under its name
        part.rename(folder / f"flows-{span}.parquet")

    def keep_within(self, oldest_ns: int, most_bytes: int) -> None:
        """Delete whole days that ended before `oldest_ns`, then the oldest files past `most_bytes`.

        What had to go for want of room is counted in `shed`; what was past its time is not.
        """
        with self._lock:  # a merge that met half of it would bring back what went
            self._remove_before(oldest_ns)
            files = [
                (file, file.stat().st_size) for folder in self._days() for file in files_of(folder)
            ]
            total = sum(size for _, size in files)
            for file, size in files:
                if total <= most_bytes:
                    return
                self.shed["lake: flows, no room within flows_gib"] += rows_of(file)
                file.unlink()
                total -= size
                if not files_of(file.parent):
                    _remove(file.parent)

    def merge(self) -> int:
        """Merge small files of a day, a few groups a call; how many files went into others.

        What the disk refuses is counted in `shed` and stays as it was; damaged files stand aside,
        their flows are counted.
        """
        count = 0
        with self._lock:
            folders = self._days()
            for at, folder in enumerate(folders):
                for _ in range(_MOST_MERGES):
                    try:
                        merged = merge_day(folder, self._rows_a_file, at < len(folders) - 1)
                    except OSError:
                        self.shed["lake: files not merged, the disk refused"] += 1
                        return count
                    except ValueError:  # no Parquet: a power cut, a failing disk
                        if set_aside(files_of(folder)):
                            continue
                        raise
                    if not merged:
                        break
                    count += merged
                if count >= _MOST_MERGES * 64:
                    break
            self._count_damaged()
        return count

    def _count_damaged(self) -> None:
        """What stands aside, whichever process met them."""
        for cause, count in (
            ("lake: flows in damaged files", rows_aside(self._folder)),
            ("lake: lists of merged files damaged", lists_aside(self._folder)),
        ):
            if count or cause in self.shed:
                self.shed[cause] = count

    def _remove_before(self, oldest_ns: int) -> None:
        for folder in self._days():
            if (_day(folder) + timedelta(days=1)).timestamp() * 1e9 <= oldest_ns:
                _remove(folder)

    def _days(self) -> list[Path]:
        """Folders of days, oldest first; what else somebody put there is left alone."""
        return sorted(f for f in self._folder.glob("day=*") if _DAY.fullmatch(f.name))

    def hunt(
        self,
        *,
        host: str = "",
        peer: str = "",
        port: int = 0,
        app: str = "",
        since_ns: int = 0,
        until_ns: int = 1 << 62,
        limit: int = 1000,
    ) -> list[dict[str, Any]]:
        """Flows of a host, newest first; each as an object with the column names as keys.

        ValueError if `host` or `peer` is no address.
        """
        tests = ["last_ns >= ?", "first_ns <= ?"]
        values: list[Any] = [since_ns, until_ns]
        for address in (host, peer):
            if address:
                tests.append("(source = ? OR destination = ?)")
                values += [str(ip_address(address))] * 2  # 2001:DB8::1 is kept as 2001:db8::1
        if port:
            tests.append("(source_port = ? OR destination_port = ?)")
            values += [port, port]
        if app:
            tests.append("app = ?")
            values.append(app)
        where = " AND ".join(tests)
        query = f"SELECT * EXCLUDE (day) FROM flows WHERE {where} ORDER BY last_ns DESC LIMIT ?"  # noqa: S608 - fixed tests
        found = self._ask(query, [*values, limit], since_ns, until_ns)
        return [dict(zip(found[0], row, strict=True)) for row in found[1]]

    def coverage(self, since_ns: int, until_ns: int) -> list[dict[str, Any]]:
        """By VLAN: flows to many, flows between two hosts, flows told by exporters, and hosts."""
        names, rows = self._ask(
            """
            SELECT vlan,
                   count(*) FILTER (ttl_min > 0 AND (destination_mac >> 40) & 1 = 1) AS broadcast,
                   count(*) FILTER (ttl_min > 0 AND (destination_mac >> 40) & 1 = 0) AS unicast,
                   count(*) FILTER (ttl_min = 0) AS flow,
                   count(DISTINCT source) AS hosts
            FROM flows WHERE last_ns >= ? AND first_ns <= ? GROUP BY vlan ORDER BY vlan
            """,
            [since_ns, until_ns],
            since_ns,
            until_ns,
        )
        return [dict(zip(names, row, strict=True)) for row in rows]

    def tallies(self, asked: Sequence[tuple[str, int, int]]) -> list[list[Any]]:
        """Answered flows of some hosts, each (host, since_ns, until_ns), in one reading.

        For each (peer, app, service port, hour UTC, day, flows, last_ns).
        """
        if not asked:
            return []
        since_ns, until_ns = min(a[1] for a in asked), max(a[2] for a in asked)
        rows = self._ask(
            """
            WITH asked AS (
                SELECT unnest(?::INTEGER[]) AS place, unnest(?::VARCHAR[]) AS host,
                       unnest(?::BIGINT[]) AS since_ns, unnest(?::BIGINT[]) AS until_ns),
            answered AS (
                SELECT * FROM flows
                WHERE part = 0 AND (reply_packets > 0 OR one_way = 1) AND last_ns >= ?
                  AND first_ns <= ? AND (source IN (SELECT host FROM asked)
                                         OR destination IN (SELECT host FROM asked))),
            held AS (
                SELECT source AS host, destination AS peer, * FROM answered
                UNION ALL
                SELECT destination, source, * FROM answered WHERE source <> destination)
            SELECT place, peer, app, destination_port,
                   hour(to_timestamp(first_ns / 1e9) AT TIME ZONE 'UTC'),
                   CAST(day AS VARCHAR), count(*), max(last_ns)
            FROM held JOIN asked USING (host)
            WHERE last_ns >= since_ns AND first_ns <= until_ns
            GROUP BY ALL ORDER BY ALL
            """,
            [list(range(len(asked))), *map(list, zip(*asked, strict=True)), since_ns, until_ns],
            since_ns,
            until_ns,
        )[1]
        told: list[list[Any]] = [[] for _ in asked]
        for place, *row in rows:
            told[place].append(tuple(row))
        return told

    def _ask(
        self, query: str, values: Sequence[Any], since_ns: int, until_ns: int
    ) -> tuple[list[str], list[Any]]:
        """Run a query over the days of a span (a flow is stored on the day it was reported)."""
        import duckdb

        self.flush()
        for _ in range(_READ_AGAIN):
            try:
                return self._answer(query, values, since_ns, until_ns)
            except duckdb.IOException:  # a day went past its time, or was merged, meanwhile
                if set_aside(self._files(since_ns, until_ns)):
                    self._count_damaged()
            except duckdb.Error:
                if not set_aside(self._files(since_ns, until_ns)):
                    raise
                self._count_damaged()
        return self._answer(query, values, since_ns, until_ns)

    def _files(self, since_ns: int, until_ns: int) -> list[Path]:
        earliest = min(max(since_ns, 0), 1 << 62) // _DAY_NS
        latest = min(max(until_ns, 0), 1 << 62) // _DAY_NS + 2
        return [
            file
            for folder in self._days()
            if earliest <= _day(folder).timestamp() // 86400 <= latest
            for file in files_of(folder)
        ]

    def _answer(
        self, query: str, values: Sequence[Any], since_ns: int, until_ns: int
    ) -> tuple[list[str], list[Any]]:
        files = [str(file) for file in self._files(since_ns, until_ns)]
        if not files:
            return [], []
        with self._database().cursor() as cursor:
            flows = cursor.read_parquet(files, hive_partitioning=True)  # noqa: F841 - read by name
            answer = cursor.execute(query, list(values))
            names = [column[0] for column in answer.description]
            return names, answer.fetchall()

    def _database(self) -> Any:
        """DuckDB without tables; starting it took four times as long as an answer."""
        with self._lock:
            if self._engine is None:
                import duckdb

                self._engine = duckdb.connect(config={"threads": 2, "memory_limit": "1GB"})
                self._engine.execute("SET autoinstall_known_extensions=false")
            return self._engine


def _day(folder: Path) -> datetime:
    return datetime.fromisoformat(folder.name[4:]).replace(tzinfo=UTC)


def _remove(day: Path) -> None:
    for file in day.iterdir():
        file.unlink(missing_ok=True)
    with suppress(OSError):  # a flush has just begun another file
        day.rmdir()
