"""A hospital with something going on, for looking at pages: real records in a real store."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from fastapi import FastAPI

from api.app import create_app
from api.settings import ApiSettings
from collector.apps import APP_CODE
from collector.flows import FLOW_DTYPE, STATE_CODE, FlowBatch, address_number
from collector.lake import Lake
from dashboards.console import add_console
from dashboards.settings import ConsoleSettings
from detector.alerts import Alert, Party, alert_id, severity_of
from detector.care import care_class, care_impact
from detector.coverage import coverage
from detector.detection import Category, FlowKey
from detector.hospital import Hospital
from detector.incidents import join_alerts
from detector.isolation.plan import Stop
from detector.isolation.planner import Planner
from detector.ledger import read_ledger
from detector.lines.observed import ObservedLine, Verdict
from detector.register import read_register
from detector.slips import MaintenanceSlip, SlipTarget
from detector.store import Store
from detector.words import Text

SAMPLE = Path(__file__).parents[2] / "sample_pcaps"
MINUTE_NS = 60 * 10**9
NIGHT_NS = int(datetime(2026, 6, 3, 12, 10, tzinfo=UTC).timestamp()) * 10**9  # 21:10 in Tokyo
NOW_NS = NIGHT_NS + 90 * MINUTE_NS


@dataclass(frozen=True)
class Happening:
    """One alert, told briefly."""

    detector: str
    category: Category
    techniques: tuple[str, ...]
    score: float
    minute: int
    source: str
    targets: tuple[str, ...]
    title: Text
    why: Text
    next_step: Text
    facts: dict[str, object]
    line: str = ""
    app: str = ""
    port: int = 0
    warmth: float = 1.0
    confidence: float = 0.9


def happenings() -> list[Happening]:
    """What goes on, as the file beside this one tells it."""
    told = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["happening"]
    texts = ("title", "why", "next_step")
    lists = ("techniques", "targets")
    return [
        Happening(**{**h, **{k: Text(**h[k]) for k in texts}, **{k: tuple(h[k]) for k in lists}})
        for h in told
    ]


def example_hospital() -> Hospital:
    """The sample hospital, as its people confirmed it."""
    told = tomllib.loads((SAMPLE / "hospital.toml").read_text())
    assets, faults = read_ledger((SAMPLE / "assets.csv").read_bytes())
    lines, more = read_register((SAMPLE / "register.csv").read_bytes())
    assert not faults and not more
    return Hospital(**told, assets=tuple(assets), lines=tuple(lines))


def example_alerts(hospital: Hospital) -> list[Alert]:
    """Two nights and some days."""
    alerts = [_alert(hospital, h) for h in happenings()]
    quiet = happenings()[-1]
    for day in range(1, 9):  # so that the chart has days
        for n in range(day % 3 + 1):
            early = {
                **quiet.__dict__,
                "minute": -1440 * day + 37 * n,
                "source": f"10.20.21.4{1 + n}",
            }
            alerts.append(_alert(hospital, Happening(**early)))
    return alerts


def _alert(hospital: Hospital, told: Happening) -> Alert:
    first = NIGHT_NS + told.minute * MINUTE_NS

    def party(ip: str) -> Party:
        asset = hospital.asset_by_ip.get(ip)
        return Party(ip, asset.mac, asset.name, asset.role) if asset else Party(ip)

    flows = tuple(
        FlowKey(first, told.source, 50_000 + n, target, told.port, 6)
        for n, target in enumerate(told.targets[:5])
    )
    day = datetime.fromtimestamp(first / 1e9, UTC).strftime("%Y-%m-%d")
    return Alert(
        id=alert_id(told.detector, told.source, "".join(told.targets), day),
        detector=told.detector,
        variant="",
        category=told.category,
        techniques=told.techniques,
        severity=severity_of(told.score),
        score=told.score,
        confidence=told.confidence,
        first_ns=first,
        last_ns=first + 3 * MINUTE_NS,
        source=party(told.source),
        targets=tuple(party(t) for t in told.targets),
        title=told.title,
        why=told.why,
        next_step=told.next_step,
        facts=told.facts,
        line=told.line,
        app=told.app,
        flows=flows,
        warmth=told.warmth,
        count=2,
    )


def fill(store: Store, hospital: Hospital) -> None:
    """Put the example into an open store."""
    alerts = example_alerts(hospital)
    impact = {a.ip: care_impact(a.role, a) for a in hospital.assets}
    incidents = join_alerts(alerts, impact)
    of_alert = {a: i.id for i in incidents for a in i.alert_ids}
    store.save_alerts([Alert(**{**a.__dict__, "incident": of_alert[a.id]}) for a in alerts])
    store.save_incidents(incidents)
    gravest = [a for a in alerts if a.id in incidents[0].alert_ids]
    store.save_plan(example_planner(hospital).plan(incidents[0], gravest))
    store.replace_ledger(hospital.assets)
    store.replace_register(hospital.lines)
    store.save_seen_assets(_seen(hospital))
    store.save_observed_lines(_lines())
    store.save_note("collector_health", _health())
    store.save_slips(_slips())
    store.save_note("line_evidence", _evidence())
    store.save_note("setup_proposal", _proposal())


def _seen(hospital: Hospital) -> list[dict[str, object]]:
    """Nearly all of the ledger, one with another MAC, and two that nobody listed."""
    rows: list[dict[str, object]] = [
        {
            "ip": a.ip, "mac": a.mac, "name": a.name, "names": [a.name], "role": a.role,
            "role_reason": "ledger", "care_class": care_class(a.role, a), "is_listed": True,
            "department": a.department, "vlan": int(a.ip.split(".")[2]),
            "first_ns": NIGHT_NS - 9 * 86_400 * 10**9, "last_ns": NIGHT_NS + 60 * MINUTE_NS,
        }
        for a in hospital.assets
        if a.name not in ("US1", "PRT-PHARM")
    ]  # fmt: skip
    rows[5] = {**rows[5], "mac": "02:11:22:33:44:55"}
    for n, name in ((77, "android-5f2c"), (78, "")):
        rows.append(
            {
                "ip": f"10.20.20.{n}", "mac": f"da:a1:19:00:00:{n}", "name": name, "names": [name],
                "role": "unknown", "role_reason": "", "care_class": "C1", "is_listed": False,
                "department": "", "vlan": 20, "first_ns": NIGHT_NS, "last_ns": NIGHT_NS,
            }
        )  # fmt: skip
    return rows


def _lines() -> list[dict[str, object]]:
    def line(
        line_id: str, device: str, outside: str, label: str, verdict: Verdict, registered: str
    ) -> dict[str, object]:
        return ObservedLine(
            id=line_id, device_ip=device, device_mac="", outside=outside, peer_ip="203.0.113.88",
            protocol="ipsec", label=label, first_ns=NIGHT_NS - 6_000 * MINUTE_NS,
            last_ns=NIGHT_NS, sessions=14, bytes_out=5_300_000, bytes_in=48_200_000,
            direction="out", verdict=verdict, registered_id=registered, match=0.85,
        ).to_json()  # fmt: skip

    return [
        line("4c1", "10.20.70.3", "198.51.100.40", "IPsec", "out_of_window", "L-002"),
        line("4c2", "10.20.70.2", "203.0.113.20", "IPsec", "matched", "L-001"),
        line("4c3", "10.20.20.33", "203.0.113.0/24", "AnyDesk", "unregistered", ""),
    ]


def _slips() -> list[MaintenanceSlip]:
    """One job that kept to its scope, one that did not."""
    landed = MaintenanceSlip(
        id="s1", line="L-001", vendor="医用画像社", system="PACS", first_ns=NIGHT_NS - 3000 * 10**9,
        last_ns=NIGHT_NS, is_open=False, peer="203.0.113.20", device="10.20.70.2",
        landed_as=("10.20.70.130",), bytes_out=48_200_000, bytes_in=5_300_000,
        targets=(SlipTarget("10.20.70.10", 3389, "rdp", 2, 9_000_000, True),),
        users=("vendor01",), booking="", is_in_hours=True, is_in_scope=True,
    )  # fmt: skip
    beyond = SlipTarget("10.20.10.41", 3389, "rdp", 1, 80_000, False)
    pivot = replace(landed, id="s2", line="L-002", is_in_scope=False, targets=(beyond,))
    return [landed, pivot]


def _evidence() -> dict[str, object]:
    words = {"ja": "携帯端末の共有範囲から発信している", "en": "speaks from a phone's range"}
    sign = {"family": "leak", "weight": 3.5, "time_ns": NIGHT_NS, "what": words}
    confirm = {"ja": "USB 口を見る。", "en": "Look at the USB."}
    host = {"host": "10.20.30.22", "sum": 3.5, "percent": 76, "families": ["leak"]}
    host |= {"signs": [sign], "confirm": confirm}
    vlans = [{"vlan": 30, "broadcast": True, "unicast": False, "flow": True}]
    return {"hosts": [host], "vlans": vlans, "at_ns": NIGHT_NS}


def _proposal() -> dict[str, object]:
    plan = '[[segments]]\nname = "VLAN20"\nprefixes = ["10.20.20.0/23"]\n'
    csv = "IPアドレス,MACアドレス\n10.20.20.33,\n"
    files = {"plan.toml": f"# 機器 12 台を観測。\n{plan}", "assets.csv": csv, "register.csv": csv}
    return {"files": files, "doubts": ["192.168.43.1 が IP を貸し出しています。"], "span_h": 1.5}


def _health() -> dict[str, object]:
    return {
        "packets": 18_402_113, "bytes": 9_120_443_120, "flows": 412_008, "sightings": 88_120,
        "live_flows": 1_204, "shed": {"deep lane queue full": 312}, "malformed": {"ip length": 4},
        "blind": {}, "notes": [], "event_ns": NIGHT_NS + 80 * MINUTE_NS, "is_live": True,
        "detector_failures": {}, "detector_shed": {},
    }  # fmt: skip


def example_lake(folder: Path, hospital: Hospital) -> Lake:
    """The flows behind the alerts."""
    alerts = example_alerts(hospital)
    keys = [key for alert in alerts for key in alert.flows]
    rows = np.zeros(len(keys), FLOW_DTYPE)
    for row, key in zip(rows, sorted(keys, key=lambda k: k.first_ns), strict=True):
        row["first_ns"], row["last_ns"] = key.first_ns, key.first_ns + 95 * 10**9
        row["reported_ns"] = row["last_ns"]
        row["family"], row["protocol"] = 4, key.protocol
        row["source"], row["destination"] = (
            address_number(key.source),
            address_number(key.destination),
        )
        row["source_port"], row["destination_port"] = key.source_port, key.destination_port
        row["packets"], row["bytes"] = 120, 96_400
        row["reply_packets"], row["reply_bytes"] = 160, 1_204_000
        row["state"], row["app"] = (
            STATE_CODE["SF"],
            APP_CODE["rdp" if key.destination_port == 3389 else "smb"],
        )
    lake = Lake(folder)
    lake.append(FlowBatch(rows))
    lake.flush()
    return lake


def depends(ip: str, at_ns: int) -> Sequence[Stop]:
    """What rests on the hosts of the story."""
    return {
        "10.20.10.41": (
            Stop("HL7連携", ("HL7-ENG",), 212, True),
            Stop("データベース", ("EMR-AP1", "EMR-AP2"), 96, True),
        ),
        "10.20.50.10": (Stop("Web", ("NUTRI-PC1", "NUTRI-PC2"), 38, False),),
        "10.20.30.22": (Stop("DICOM画像・ワークリスト", ("PACS1", "RIS"), 14, True),),
    }.get(ip, ())


def example_planner(hospital: Hospital) -> Planner:
    return Planner(hospital, lambda ip, at_ns: tuple(depends(ip, at_ns)))


def example_app(folder: Path, store: Store, now_ns: int = NOW_NS) -> FastAPI:
    """The whole application over the example; the first admin's password lies in `folder`."""
    hospital = example_hospital()
    evidence = folder / "evidence"
    evidence.mkdir(parents=True, exist_ok=True)
    pivot = next(a for a in example_alerts(hospital) if a.detector == "landing_pivot")
    shutil.copy(SAMPLE / "15_scan.pcap", evidence / f"{pivot.id}.pcap")
    lake = example_lake(folder / "lake", hospital)
    app = create_app(
        ApiSettings(state_dir=folder),
        store,
        lake=lake,
        coverage=partial(coverage, store, lake, hospital),
        planner=example_planner(hospital).plan,
        now_ns=lambda: now_ns,
    )
    add_console(app, ConsoleSettings(hospital_name=hospital.name, timezone=hospital.timezone))
    return app
