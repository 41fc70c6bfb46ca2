"""The detector's state in SQLite: alerts, incidents, plans, assets, lines and the register."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from detector.alerts import Alert, State
from detector.baselines.review import Decision
from detector.database import Database
from detector.hospital import Asset, Booking, Hospital, RegisteredLine
from detector.incidents import Incident
from detector.isolation.plan import IsolationPlan
from detector.slips import ConfirmedSlip, MaintenanceSlip, slip_from_json
from detector.suppression import MARK, Suppression

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS alert (
    id TEXT PRIMARY KEY, last_ns INTEGER NOT NULL, score REAL NOT NULL, severity TEXT NOT NULL,
    category TEXT NOT NULL, state TEXT NOT NULL, source TEXT NOT NULL, incident TEXT NOT NULL,
    told TEXT NOT NULL, changed INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS alert_by_time ON alert (last_ns DESC, id);
CREATE INDEX IF NOT EXISTS alert_by_change ON alert (changed);
CREATE INDEX IF NOT EXISTS alert_by_asset ON alert (json_extract(told, '$.source.asset'));
CREATE TABLE IF NOT EXISTS incident (
    id TEXT PRIMARY KEY, last_ns INTEGER NOT NULL, priority REAL NOT NULL, state TEXT NOT NULL,
    told TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS plan (id TEXT PRIMARY KEY, incident TEXT NOT NULL, told TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS asset (
    ip TEXT PRIMARY KEY, last_ns INTEGER NOT NULL, told TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS asset_by_id ON asset (json_extract(told, '$.id'));
CREATE TABLE IF NOT EXISTS ledger (ip TEXT PRIMARY KEY, told TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS observed_line (
    id TEXT PRIMARY KEY, last_ns INTEGER NOT NULL, told TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS registered_line (id TEXT PRIMARY KEY, told TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS booking (id TEXT PRIMARY KEY, told TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS slip (
    id TEXT PRIMARY KEY, last_ns INTEGER NOT NULL, line TEXT NOT NULL, told TEXT NOT NULL,
    confirmed_by TEXT NOT NULL DEFAULT '', confirmed_ns INTEGER NOT NULL DEFAULT 0,
    confirmed_note TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS suppression (
    id TEXT PRIMARY KEY, expires_ns INTEGER NOT NULL, told TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS baseline_decision (
    number INTEGER PRIMARY KEY AUTOINCREMENT, told TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, told TEXT NOT NULL);
"""


class Store:
    """One SQLite file; safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _SCHEMA, _VERSION)
        self._write = self._database.write
        self._read = self._database.read

    def open(self) -> Store:
        """Open or create the file; UnusableState if it cannot be worked on."""
        self._database.open()
        return self

    def close(self) -> None:
        self._database.close()

    # alerts

    def save_alerts(self, alerts: Sequence[Alert], *, keep_states: bool = False) -> None:
        """Commit alerts; one with the same id replaces what was stored.

        With `keep_states`, what a person has said of a stored alert stays: the engine saves so,
        because it does not know what people did meanwhile.
        """
        with self._write() as connection:
            if keep_states:
                alerts = [self._with_stored_state(a) for a in alerts]
            newest = connection.execute("SELECT coalesce(max(changed), 0) FROM alert").fetchone()[0]
            connection.executemany(
                "INSERT OR REPLACE INTO alert VALUES (?,?,?,?,?,?,?,?,?,?)",
                [
                    (
                        a.id, a.last_ns, a.score, a.severity, a.category, a.state,
                        a.source.ip or a.source.mac, a.incident, _dump(a.to_json()), newest + n,
                    )
                    for n, a in enumerate(alerts, 1)
                ],
            )  # fmt: skip

    def judge_alert(self, alert_id: str, state: State, reason: str, by: str) -> Alert | None:
        """Give an alert a state, in one transaction with reading it; None if there is none."""
        with self._write():
            alert = self.alert(alert_id)
            if alert is None:
                return None
            judged = replace(alert, state=state, state_reason=reason, state_by=by)
            self.save_alerts([judged])
            return judged

    def verdicts_since(self, change: int) -> list[Alert]:
        """Alerts that people (or suppressions) gave a state after `change`."""
        rows = self._read("SELECT told FROM alert WHERE changed > ? AND state <> 'new'", (change,))
        return [Alert.from_json(json.loads(told)) for (told,) in rows]

    # the baseline: what people decided; what was learnt is a note ("baseline")
    def decide(self, decision: Decision) -> Decision:
        """Keep a decision for whoever learns; it comes back with its number."""
        with self._write() as connection:
            told = _dump({**asdict(decision), "number": 0})
            row = connection.execute("INSERT INTO baseline_decision (told) VALUES (?)", (told,))
            return replace(decision, number=int(row.lastrowid or 0))

    def decisions(self, after: int = 0) -> list[Decision]:
        """Decisions with a higher number, oldest first."""
        rows = self._read(
            "SELECT number, told FROM baseline_decision WHERE number > ? ORDER BY number", (after,)
        )
        return [Decision.from_json({**json.loads(told), "number": n}) for n, told in rows]

    # suppressions: the version counts what people did, not the hits

    def save_suppression(self, suppression: Suppression) -> None:
        """Keep a new or ended suppression."""
        with self._write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO suppression VALUES (?,?,?)",
                (suppression.id, suppression.expires_ns, _dump(suppression.to_json())),
            )
            version = {"version": self.suppression_version() + 1}
            connection.execute(
                "INSERT OR REPLACE INTO note VALUES ('suppressions', ?)", (_dump(version),)
            )

    def suppression_version(self) -> int:
        return int(self.note("suppressions").get("version", 0))

    def suppressions(self) -> list[Suppression]:
        """All that were ever made, those that end last first."""
        rows = self._read("SELECT told FROM suppression ORDER BY expires_ns DESC, id")
        return [Suppression.from_json(json.loads(told)) for (told,) in rows]

    def count_hits(self, counted: Sequence[Suppression]) -> None:
        """Keep how often suppressions hit; what people did to them meanwhile stays."""
        if not counted:
            return
        with self._write() as connection:
            stored = {s.id: s for s in self.suppressions()}
            moved = [
                replace(stored[s.id], hits=s.hits, last_hit_ns=s.last_hit_ns)
                for s in counted
                if s.id in stored and s.hits > stored[s.id].hits
            ]
            connection.executemany(
                "UPDATE suppression SET told = ? WHERE id = ?",
                [(_dump(s.to_json()), s.id) for s in moved],
            )

    def _with_stored_state(self, alert: Alert) -> Alert:
        stored = self.alert(alert.id)
        if stored is None or stored.state == "new" or stored.state_by.startswith(MARK):
            return alert
        return replace(
            alert, state=stored.state, state_reason=stored.state_reason, state_by=stored.state_by
        )

    def alert(self, alert_id: str) -> Alert | None:
        rows = self._read("SELECT told FROM alert WHERE id = ?", (alert_id,))
        return Alert.from_json(json.loads(rows[0][0])) if rows else None

    def alerts(
        self,
        *,
        state: str = "",
        severity: str = "",
        category: str = "",
        source: str = "",
        incident: str = "",
        before: tuple[int, str] | None = None,
        limit: int = 100,
    ) -> list[Alert]:
        """Alerts, newest first; `source` is an address or an asset's id ("mac-…").

        `before` = (last_ns, id) of the last one of the previous page.
        """
        asset = "json_extract(told, '$.source.asset')"
        wanted = {
            "state": state,
            "severity": severity,
            "category": category,
            asset if source.startswith("mac-") else "source": source,
            "incident": incident,
        }
        tests = [f"{column} = ?" for column, value in wanted.items() if value]
        values: list[Any] = [value for value in wanted.values() if value]
        if before is not None:
            tests.append("(last_ns, id) < (?, ?)")
            values += before
        where = f"WHERE {' AND '.join(tests)}" if tests else ""
        query = f"SELECT told FROM alert {where} ORDER BY last_ns DESC, id DESC LIMIT ?"  # noqa: S608 - fixed column names
        rows = self._read(query, (*values, limit))
        return [Alert.from_json(json.loads(told)) for (told,) in rows]

    def alert_counts(self) -> dict[tuple[str, str], int]:
        """How many alerts there are by (severity, state)."""
        rows = self._read("SELECT severity, state, count(*) FROM alert GROUP BY 1, 2")
        return {(severity, state): count for severity, state, count in rows}

    def alerts_changed_since(self, change: int, limit: int = 100) -> list[tuple[int, Alert]]:
        """(change number, alert) after `change`, oldest first: what a live stream sends."""
        rows = self._read(
            "SELECT changed, told FROM alert WHERE changed > ? ORDER BY changed LIMIT ?",
            (change, limit),
        )
        return [(number, Alert.from_json(json.loads(told))) for number, told in rows]

    def last_change(self) -> int:
        return int(self._read("SELECT coalesce(max(changed), 0) FROM alert")[0][0])

    # incidents and plans

    def save_incidents(self, incidents: Sequence[Incident], *, keep_states: bool = False) -> None:
        """Commit incidents; one with the same id replaces what was stored.

        With `keep_states` (the engine), one that a person closed stays closed until it holds an
        alert that it did not hold then.
        """
        with self._write() as connection:
            if keep_states:
                incidents = [self._with_stored_closure(i) for i in incidents]
            connection.executemany(
                "INSERT OR REPLACE INTO incident VALUES (?,?,?,?,?)",
                [(i.id, i.last_ns, i.priority, i.state, _dump(i.to_json())) for i in incidents],
            )

    def _with_stored_closure(self, incident: Incident) -> Incident:
        stored = self.incident(incident.id)
        if stored is None or stored.state != "closed":
            return incident
        if not set(incident.alert_ids) <= set(stored.alert_ids):
            return incident
        return replace(incident, state="closed", owner=stored.owner, note=stored.note)

    def remove_incidents(self, ids: Sequence[str]) -> None:
        """Forget incidents that have been joined into others."""
        with self._write() as connection:
            connection.executemany("DELETE FROM incident WHERE id = ?", [(i,) for i in ids])

    def incident(self, incident_id: str) -> Incident | None:
        rows = self._read("SELECT told FROM incident WHERE id = ?", (incident_id,))
        return Incident.from_json(json.loads(rows[0][0])) if rows else None

    def incidents(self, *, state: str = "", limit: int = 200) -> list[Incident]:
        """Incidents, most urgent first (`detector.incidents.urgency`)."""
        rows = self._read(
            "SELECT told FROM incident WHERE ? IN ('', state) ORDER BY"
            " CASE json_extract(told, '$.push') WHEN 'immediate' THEN 0 WHEN 'same_day' THEN 1"
            " ELSE 2 END, priority DESC, id LIMIT ?",
            (state, limit),
        )
        return [Incident.from_json(json.loads(told)) for (told,) in rows]

    def save_plan(self, plan: IsolationPlan) -> None:
        with self._write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO plan VALUES (?,?,?)",
                (plan.id, plan.incident, _dump(plan.to_json())),
            )

    def plan(self, plan_id: str) -> IsolationPlan | None:
        rows = self._read("SELECT told FROM plan WHERE id = ?", (plan_id,))
        return IsolationPlan.from_json(json.loads(rows[0][0])) if rows else None

    def plans_of(self, incident_id: str) -> list[IsolationPlan]:
        rows = self._read("SELECT told FROM plan WHERE incident = ?", (incident_id,))
        return [IsolationPlan.from_json(json.loads(told)) for (told,) in rows]

    # assets: what was seen (plain objects, see `detector.assets`) and what the ledger lists

    def save_seen_assets(self, assets: Sequence[Mapping[str, Any]]) -> None:
        """Each has at least `ip` and `last_ns`; a machine (`id`) has one row, where it is now."""
        with self._write() as connection:
            connection.executemany(
                "DELETE FROM asset WHERE json_extract(told, '$.id') = ?",
                [(a["id"],) for a in assets if "id" in a],
            )
            further = [at["ip"] for a in assets for at in a.get("addresses", ()) if ":" in at["ip"]]
            connection.executemany("DELETE FROM asset WHERE ip = ?", [(ip,) for ip in further])
            connection.executemany(
                "INSERT OR REPLACE INTO asset VALUES (?,?,?)",
                [(a["ip"], a["last_ns"], _dump(a)) for a in assets],
            )

    def seen_assets(self) -> list[dict[str, Any]]:
        return [json.loads(told) for (told,) in self._read("SELECT told FROM asset ORDER BY ip")]

    def replace_ledger(self, assets: Sequence[Asset]) -> None:
        with self._write() as connection:
            connection.execute("DELETE FROM ledger")
            connection.executemany(
                "INSERT OR REPLACE INTO ledger VALUES (?,?)",
                [(a.ip, a.model_dump_json()) for a in assets],
            )

    def ledger(self) -> list[Asset]:
        rows = self._read("SELECT told FROM ledger ORDER BY ip")
        return [Asset.model_validate_json(told) for (told,) in rows]

    # outside lines: what was seen (plain objects) and what the register lists

    def save_observed_lines(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Each has at least `id` and `last_ns`."""
        with self._write() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO observed_line VALUES (?,?,?)",
                [(line["id"], line["last_ns"], _dump(line)) for line in lines],
            )

    def observed_lines(self) -> list[dict[str, Any]]:
        rows = self._read("SELECT told FROM observed_line ORDER BY last_ns DESC")
        return [json.loads(told) for (told,) in rows]

    def replace_register(self, lines: Sequence[RegisteredLine]) -> None:
        with self._write() as connection:
            connection.execute("DELETE FROM registered_line")
            connection.executemany(
                "INSERT OR REPLACE INTO registered_line VALUES (?,?)",
                [(line.id, line.model_dump_json()) for line in lines],
            )

    def register(self) -> list[RegisteredLine]:
        rows = self._read("SELECT told FROM registered_line ORDER BY id")
        return [RegisteredLine.model_validate_json(told) for (told,) in rows]

    # maintenance: what was booked, and what was done

    def save_booking(self, booking: Booking) -> None:
        with self._write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO booking VALUES (?,?)",
                (booking.id, booking.model_dump_json()),
            )

    def bookings(self) -> list[Booking]:
        """All bookings, the latest first."""
        rows = self._read("SELECT told FROM booking")
        booked = [Booking.model_validate_json(told) for (told,) in rows]
        return sorted(booked, key=lambda b: (b.start, b.id), reverse=True)

    def save_slips(self, slips: Sequence[MaintenanceSlip]) -> None:
        """Commit slips; one that grew after it was confirmed must be confirmed again."""
        with self._write() as connection:
            connection.executemany(
                "INSERT INTO slip (id, last_ns, line, told) VALUES (?,?,?,?)"
                " ON CONFLICT (id) DO UPDATE SET told = excluded.told,"
                " confirmed_by = iif(last_ns = excluded.last_ns, confirmed_by, ''),"
                " last_ns = excluded.last_ns",
                [(s.id, s.last_ns, s.line, _dump(s.to_json())) for s in slips],
            )

    def confirm_slip(self, slip_id: str, by: str, at_ns: int, note: str) -> None:
        with self._write() as connection:
            connection.execute(
                "UPDATE slip SET confirmed_by = ?, confirmed_ns = ?, confirmed_note = ?"
                " WHERE id = ?",
                (by, at_ns, note, slip_id),
            )

    def slips(self, *, line: str = "", slip_id: str = "", limit: int = 500) -> list[ConfirmedSlip]:
        """Maintenance slips with their confirmation, the latest first."""
        rows = self._read(
            "SELECT told, confirmed_by, confirmed_ns, confirmed_note FROM slip"
            " WHERE ? IN ('', line) AND ? IN ('', id) ORDER BY last_ns DESC, id LIMIT ?",
            (line, slip_id, limit),
        )
        return [ConfirmedSlip(slip_from_json(json.loads(t)), *rest) for t, *rest in rows]

    def hospital(self, configured: Hospital) -> Hospital:
        """The hospital with the ledger, register and bookings as people have them now.

        Where nothing has been imported yet, what the settings name stays.
        """
        return configured.model_copy(
            update={
                "assets": tuple(self.ledger()) or configured.assets,
                "lines": tuple(self.register()) or configured.lines,
                "bookings": (*configured.bookings, *self.bookings()),
            }
        )

    # small facts: sensor health, event time reached, schema of baselines

    def save_note(self, name: str, told: Mapping[str, Any]) -> None:
        with self._write() as connection:
            connection.execute("INSERT OR REPLACE INTO note VALUES (?,?)", (name, _dump(told)))

    def note(self, name: str) -> dict[str, Any]:
        rows = self._read("SELECT told FROM note WHERE name = ?", (name,))
        return dict(json.loads(rows[0][0])) if rows else {}


def _dump(told: Mapping[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, default=str)
