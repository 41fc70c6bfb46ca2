"""Makes months of traffic of registered and other outside lines, with the verdict each deserves."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_network
from typing import Any, Final

import numpy as np

from collector.apps import APP_CODE
from collector.flows import FLOW_DTYPE, STATE_CODE, address_number
from detector.hospital import Asset, Booking, Hospital, RegisteredLine, Segment
from detector.lines.observed import Verdict

S: Final = 1_000_000_000
DAY_NS: Final = 86_400 * S
#: Monday, midnight in Japan.
FIRST: Final = datetime(2026, 3, 1, 15, tzinfo=UTC)
FIRST_NS: Final = int(FIRST.timestamp()) * S
#: Days with traffic: six weeks, and a week half a year after the first.
DAYS: Final = (*range(42), *range(196, 203))
VERDICTS: Final[tuple[Verdict, ...]] = (
    "matched", "unregistered", "out_of_scope", "out_of_window", "expired", "changed", "volume",
    "weak", "always_on", "dormant", "ghost",
)  # fmt: skip
_LINE_TYPES: Final = {"site": "拠点間VPN", "tool": "リモートアクセスVPN", "cloud": "プロキシ経由"}
_PROTOCOLS: Final = {"site": "esp", "tool": "anydesk", "cloud": "tls"}


@dataclass(frozen=True)
class SimulatedLine:
    """A line, what the register says of it, and what it does."""

    number: int
    kind: str  # site = VPN with a pool, tool = remote tool on a server, cloud = web service
    verdict: Verdict
    registered: RegisteredLine | None
    device: str
    outside: str
    app: str
    target: str = ""  # what its sessions reach from the pool
    deviates_ns: int = 0  # when it first does what earns the verdict


@dataclass
class Month:
    """A hospital with its lines, their flows in order of report, and the truth."""

    hospital: Hospital
    lines: list[SimulatedLine]
    rows: np.ndarray[Any, Any] = field(default_factory=lambda: np.zeros(0, FLOW_DTYPE))


def make_month(each: int, seed: int, longest_min: int = 40) -> Month:
    """`each` lines of every verdict, and three times as many that keep to their contracts.

    Sessions last ten to `longest_min` minutes.
    """
    chance = random.Random(seed)
    lines: list[SimulatedLine] = []
    bookings: list[Booking] = []
    rows: list[Any] = []
    for verdict in VERDICTS:
        for _ in range(each * (3 if verdict == "matched" else 1)):
            line = _line(len(lines) + 1, verdict, chance)
            line = _live(line, rows, bookings, chance, longest_min)
            lines.append(line)
    segments = (
        Segment(name="回線", prefixes=(ip_network("10.0.0.0/16"),)),
        Segment(name="業務", prefixes=(ip_network("10.1.0.0/16"),)),
    )
    hospital = Hospital(
        segments=segments,
        assets=tuple(Asset(ip=a) for line in lines for a in (line.device, line.target) if a),
        lines=tuple(line.registered for line in lines if line.registered),
        bookings=tuple(bookings),
    )
    flows = np.array(rows, FLOW_DTYPE)
    return Month(hospital, lines, flows[np.argsort(flows["reported_ns"], kind="stable")])


def _line(number: int, verdict: Verdict, chance: random.Random) -> SimulatedLine:
    kind = chance.choice(("site", "site", "tool", "cloud"))
    if verdict in ("out_of_scope", "always_on", "out_of_window"):
        kind = "site"
    if verdict in ("unregistered", "changed", "weak"):
        kind = chance.choice(("site", "tool"))
    device = f"10.0.{number}.1" if kind == "site" else f"10.1.{number}.5"
    outside, target = f"203.0.113.{number}", f"10.1.{number}.20" if kind == "site" else ""
    app = "pptp" if verdict == "weak" else _PROTOCOLS[kind]
    stated: dict[str, Any] = {
        "id": f"L-{number:03d}", "vendor": f"業者{number}", "contract_end": date(2027, 3, 31),
        "line_type": _LINE_TYPES[kind],
        "outside": (outside,), "protocols": (app, "ikev2") if kind == "site" else (app,),
        "device_ip": device if kind != "cloud" else "",
    }  # fmt: skip
    if kind == "site":
        stated |= {"landing": (f"10.0.{number}.128/28",), "allowed_targets": (f"{target}:3389",)}
    if kind != "cloud":
        stated["windows"] = ("Mon-Fri 08:00-19:00",)
    if verdict == "always_on" or (verdict == "matched" and kind == "site" and number % 3 == 0):
        stated["windows"] = ("booking",)
    if verdict == "expired":
        stated["contract_end"] = date(2026, 3, 20)
    registered = None if verdict == "unregistered" else RegisteredLine(**stated)
    return SimulatedLine(number, kind, verdict, registered, device, outside, app, target)


def _live(
    line: SimulatedLine,
    rows: list[Any],
    bookings: list[Booking],
    chance: random.Random,
    longest_min: int,
) -> SimulatedLine:
    """Write the line's flows; return it with the time at which it deviates."""
    event_day = chance.randrange(26, 40)
    while event_day % 7 > 4:
        event_day = chance.randrange(26, 40)
    deviates_ns = 0
    for day in DAYS:
        is_gone = line.verdict == "ghost" or (line.verdict == "dormant" and day > 9)
        if is_gone or day % 7 > 4 or chance.random() < 0.1:
            continue
        start_ns = FIRST_NS + day * DAY_NS + int(chance.uniform(9, 15) * 3600) * S
        is_event = day == event_day
        told = line
        if line.registered and "booking" in line.registered.windows and line.verdict == "matched":
            bookings.append(_booking(line, start_ns, len(bookings)))
        if line.verdict == "expired" and day > 18:
            deviates_ns = deviates_ns or start_ns
        if line.verdict == "changed" and day >= event_day:
            told = replace(line, outside=f"198.51.100.{line.number}")
            deviates_ns = deviates_ns or start_ns
        if line.verdict == "out_of_window" and is_event:
            start_ns += 12 * 3600 * S  # in the night
            deviates_ns = start_ns
        if line.verdict in ("unregistered", "weak"):
            deviates_ns = deviates_ns or start_ns
        size = chance.lognormvariate(16.6, 0.35)
        if line.verdict == "volume" and is_event:
            size, deviates_ns = size * 60, start_ns
        if line.verdict == "always_on":
            _stand(line, rows, day)
            deviates_ns = deviates_ns or FIRST_NS + day * DAY_NS
            continue
        minutes = chance.randrange(10, longest_min)
        _session(told, rows, start_ns, minutes, size, chance)
        if line.verdict == "out_of_scope" and is_event:
            deviates_ns = start_ns + 60 * S * chance.randrange(2, minutes)
            rows.append(_flow(_pool(line), f"10.1.{line.number}.99", 3389, "rdp", deviates_ns,
                              chance.uniform(5, 600), 60_000))  # fmt: skip
    if line.verdict == "out_of_scope" and not deviates_ns:  # the event's day had no session
        deviates_ns = FIRST_NS + event_day * DAY_NS + 10 * 3600 * S
        _session(line, rows, deviates_ns - 300 * S, 30, 1e7, chance)
        rows.append(_flow(_pool(line), f"10.1.{line.number}.99", 3389, "rdp", deviates_ns, 200,
                          60_000))  # fmt: skip
    elif line.verdict in ("out_of_window", "volume") and not deviates_ns:
        is_night = line.verdict == "out_of_window"
        deviates_ns = FIRST_NS + event_day * DAY_NS + (23 if is_night else 10) * 3600 * S
        size = 1e7 if is_night else 1e9
        _session(line, rows, deviates_ns, 20, size, chance)
    return replace(line, deviates_ns=deviates_ns)


def _booking(line: SimulatedLine, start_ns: int, number: int) -> Booking:
    start = datetime.fromtimestamp(start_ns / 1e9, UTC) - timedelta(minutes=10)
    return Booking(
        id=f"B-{number}", line=f"L-{line.number:03d}", start=start, end=start + timedelta(hours=2),
        person="保守員", purpose="点検", approver="責任者",
    )  # fmt: skip


def _session(
    line: SimulatedLine, rows: list[Any], start_ns: int, minutes: int, size: float,
    chance: random.Random,
) -> None:  # fmt: skip
    """A job: the tunnel minute by minute, and what is reached through it."""
    from_outside = line.kind == "site" and chance.random() < 0.5
    ends = (line.outside, line.device) if from_outside else (line.device, line.outside)
    if line.kind == "cloud":
        ends = (f"10.1.{line.number}.5", line.outside)
    for minute in range(minutes):
        rows.append(_flow(*ends, 443, line.app, start_ns + minute * 60 * S, 59, size / minutes,
                          part=minute))  # fmt: skip
    if line.kind == "site" and line.registered and line.verdict != "weak":
        for minute in range(1, minutes, 7):
            rows.append(_flow(_pool(line), line.target, 3389, "rdp", start_ns + minute * 60 * S,
                              chance.uniform(20, 300), 80_000))  # fmt: skip


def _stand(line: SimulatedLine, rows: list[Any], day: int) -> None:
    """A tunnel that is up all day and carries keep-alives only."""
    for slot in range(144):
        at = FIRST_NS + day * DAY_NS + slot * 600 * S
        rows.append(_flow(line.device, line.outside, 0, line.app, at, 59, 800, part=slot))


def _pool(line: SimulatedLine) -> str:
    return f"10.0.{line.number}.130"


def _flow(
    source: str, destination: str, port: int, app: str, at_ns: int, lasts_s: float, size: float,
    part: int = 0,
) -> Any:  # fmt: skip
    """One record, reported when it ends, or after a minute as the collector reports long ones."""
    row = np.zeros(1, FLOW_DTYPE)[0]
    row["first_ns"], row["last_ns"] = at_ns, at_ns + int(min(lasts_s, 60) * S)
    row["reported_ns"] = row["last_ns"]
    row["source"], row["destination"] = address_number(source), address_number(destination)
    row["family"], row["protocol"] = 4, 50 if app == "esp" else 6
    row["source_port"], row["destination_port"] = 50_000, port
    row["packets"], row["bytes"] = max(1, int(size / 800)), int(size * 0.6)
    row["reply_packets"], row["reply_bytes"] = max(1, int(size / 900)), int(size * 0.4)
    row["state"], row["sampling"], row["part"] = STATE_CODE["SF"], 1, part
    row["app"], row["app_confidence"] = APP_CODE[app], 95
    return row
