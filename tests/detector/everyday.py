"""An hour of what hospital networks do all day, as flows: none of it is an attack.

Each function yields flows of `tests.detector.windows.flow`. Hosts 10.1.1.x are servers, 10.1.20.x
to 22.x terminals, 10.1.30.x analysers, 10.1.40.x printers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from tests.detector.windows import flow

Rows = Iterator[np.ndarray[Any, Any]]
_HOUR_S: Final = 3600.0
_UDP: Final = {"protocol": 17, "flags": 0, "reply_flags": 0}


def delivery_optimization(rng: np.random.Generator) -> Rows:
    """Windows asks a cloud list of peers for updates; most peers are off or closed."""
    for pc in range(30):
        at = rng.uniform(0, _HOUR_S)
        for peer in rng.choice(200, 25, replace=False):
            target = f"10.1.{20 + peer % 3}.{10 + peer}"
            state = rng.choice(["S0", "S0", "S0", "REJ", "SF"])
            yield flow(f"10.1.20.{pc + 10}", target, 7680, at + rng.uniform(0, 120), state)


def mail_relay(rng: np.random.Generator) -> Rows:
    """A gateway hands on mail, a UPS reports by mail."""
    for _ in range(300):
        size = int(rng.integers(2500, 80_000))
        yield flow("10.1.1.25", "10.1.1.26", 25, rng.uniform(0, _HOUR_S), app="smtp", bytes=size,
                   packets=40, reply_bytes=1200, reply_packets=20)  # fmt: skip
    for n in range(60):
        yield flow("10.1.9.25", "10.1.1.26", 25, n * 60.0, app="smtp", bytes=1900, packets=14,
                   reply_bytes=1200, reply_packets=12)  # fmt: skip


def web_application(rng: np.random.Generator) -> Rows:
    """Each page opens a database session of its own."""
    for _ in range(3000):
        yield flow("10.1.1.30", "10.1.1.31", 3306, rng.uniform(0, _HOUR_S), app="mysql",
                   bytes=int(rng.integers(600, 3000)),
                   reply_bytes=int(rng.lognormal(7, 1)) + 400)  # fmt: skip


def analysers(rng: np.random.Generator) -> Rows:
    """Results leave by FTP once a minute."""
    for analyser in range(20):
        for minute in range(60):
            at, source = minute * 60.0 + analyser, f"10.1.30.{analyser + 10}"
            yield flow(source, "10.1.1.40", 21, at, app="ftp", bytes=900, packets=16,
                       reply_bytes=1500, reply_packets=14)  # fmt: skip
            port = int(rng.integers(50_000, 60_000))
            yield flow(source, "10.1.1.40", port, at + 0.2, bytes=20_000, packets=20)


def printers_polled(rng: np.random.Generator) -> Rows:
    """The print server asks all printers by SNMP; one in eight is off."""
    for turn in range(12):
        for printer in range(120):
            state = "SF" if printer % 8 else "S0"
            yield flow("10.1.1.50", f"10.1.40.{printer + 10}", 161, turn * 300 + printer * 0.1,
                       state, app="snmp", **_UDP)  # fmt: skip


def antivirus_push(rng: np.random.Generator) -> Rows:
    """A management server tells its clients of new patterns; a third of them is off."""
    for client in range(200):
        state = "S0" if rng.random() < 0.3 else "SF"
        yield flow("10.1.1.60", f"10.1.{20 + client % 3}.{10 + client}", 21112, client * 2.0, state)


def monitoring(rng: np.random.Generator) -> Rows:
    """Agents are asked every minute, SSH is checked for its banner; four hosts are dead."""
    for minute in range(60):
        for host in range(100):
            state = "SF" if host % 25 else "S0"
            yield flow("10.1.1.70", f"10.1.{1 + host % 2}.{80 + host}", 10_050,
                       minute * 60 + host * 0.2, state)  # fmt: skip
        yield flow("10.1.1.70", "10.1.1.171", 22, minute * 60.0, app="ssh", bytes=450, packets=7,
                   reply_bytes=500, reply_packets=5)  # fmt: skip


def browsing(rng: np.random.Generator) -> Rows:
    for pc in range(20):
        for _ in range(100):
            site = f"104.{rng.integers(16, 30)}.{rng.integers(0, 255)}.{rng.integers(1, 255)}"
            state = "S0" if rng.random() < 0.1 else "SF"
            yield flow(f"10.1.20.{pc + 10}", site, 443, rng.uniform(0, _HOUR_S), state, app="tls",
                       reply_bytes=int(rng.lognormal(10, 1)))  # fmt: skip


def meetings(rng: np.random.Generator) -> Rows:
    """Half an hour of video to two providers."""
    size = {"bytes": 400_000_000, "packets": 400_000,
            "reply_bytes": 400_000_000, "reply_packets": 400_000}  # fmt: skip
    for pc in range(5):
        for place, port in (("52.112.5.7", 3480), ("170.114.10.5", 8801)):
            yield flow(f"10.1.20.{pc + 10}", place, port, 10, seconds=1800, **size, **_UDP)


def telephones(rng: np.random.Generator) -> Rows:
    for phone in range(80):
        for minute in range(60):
            yield flow(f"10.1.60.{phone + 10}", "10.1.1.80", 5060, minute * 60 + phone * 0.5,
                       app="sip", bytes=600, packets=1, reply_bytes=500, reply_packets=1,
                       **_UDP)  # fmt: skip
    for _ in range(60):
        one, other = rng.choice(80, 2, replace=False)
        yield flow(f"10.1.60.{one + 10}", f"10.1.60.{other + 10}",
                   int(rng.integers(16_384, 32_000)), rng.uniform(0, 1800), seconds=120,
                   bytes=1_200_000, packets=6000, reply_bytes=1_200_000, reply_packets=6000,
                   **_UDP)  # fmt: skip


def morning_logons(rng: np.random.Generator) -> Rows:
    """Two hundred people log on within a quarter of an hour."""
    services = ((53, "dns"), (88, "kerberos"), (389, "ldap"), (445, "smb"), (135, "dcerpc"),
                (49_668, "dcerpc"))  # fmt: skip
    for pc in range(200):
        at, me = rng.uniform(0, 900), f"10.1.{20 + pc % 3}.{10 + pc}"
        for port, app in services:
            for controller in ("10.1.1.10", "10.1.1.11"):
                if rng.random() < 0.8:
                    yield flow(me, controller, port, at + rng.uniform(0, 20), app=app)
        yield flow(me, "10.1.1.12", 445, at + 5, app="smb", seconds=600, bytes=90_000,
                   reply_bytes=900_000)  # fmt: skip


def backup(rng: np.random.Generator) -> Rows:
    for server in range(10):
        yield flow("10.1.1.120", f"10.1.1.{130 + server}", 445, server * 300.0, app="smb",
                   seconds=1200, bytes=2_000_000, packets=20_000, reply_bytes=20_000_000_000,
                   reply_packets=14_000_000)  # fmt: skip


def logs_sent(rng: np.random.Generator) -> Rows:
    """Syslog, and cyclic I/O of a building's controls: UDP that nobody answers."""
    for device in range(100):
        for _ in range(10):
            yield flow(f"10.1.70.{device + 10}", "10.1.1.150", 514, rng.uniform(0, _HOUR_S), "S0",
                       app="syslog", **{**_UDP, "bytes": 300, "packets": 2})  # fmt: skip
    for node in range(40):
        yield flow("10.1.1.151", f"10.1.71.{node + 10}", 60_000, node * 0.1, "S0", seconds=20,
                   **{**_UDP, "bytes": 80_000, "packets": 800})  # fmt: skip


def print_jobs(rng: np.random.Generator) -> Rows:
    for printer in range(60):
        for _ in range(3):
            state = "SF" if printer % 10 else "S0"
            yield flow("10.1.1.160", f"10.1.40.{printer + 10}", 9100, rng.uniform(0, _HOUR_S),
                       state)  # fmt: skip


def scans_to_folders(rng: np.random.Generator) -> Rows:
    """Copiers put what they scan into shared folders of terminals."""
    for copier in range(4):
        for _ in range(8):
            folder = f"10.1.20.{rng.integers(10, 110)}"
            yield flow(f"10.1.40.{copier + 10}", folder, 445, rng.uniform(0, _HOUR_S), app="smb",
                       bytes=2_000_000, packets=1500)  # fmt: skip


def lost_server(rng: np.random.Generator) -> Rows:
    """Three terminals ask a server that is gone, every ten seconds."""
    for pc in range(3):
        for turn in range(360):
            yield flow(f"10.1.21.{pc + 10}", "10.1.1.200", 8080, turn * 10.0, "S0")


def phones_on_the_guest_network(rng: np.random.Generator) -> Rows:
    for phone in range(40):
        for _ in range(60):
            place = f"142.250.{rng.integers(0, 255)}.{rng.integers(1, 255)}"
            yield flow(f"10.1.80.{phone + 10}", place, 443, rng.uniform(0, _HOUR_S), app="quic",
                       bytes=9000, packets=20, reply_bytes=int(rng.lognormal(11, 1)),
                       reply_packets=60, **_UDP)  # fmt: skip


def cameras(rng: np.random.Generator) -> Rows:
    for camera in range(30):
        yield flow("10.1.1.180", f"10.1.90.{camera + 10}", 554, camera, seconds=3000,
                   bytes=900_000, packets=10_000, reply_bytes=900_000_000,
                   reply_packets=800_000)  # fmt: skip


def shares(rng: np.random.Generator) -> Rows:
    """What file servers serve: profiles at log-on and log-off, mail files, databases, films."""

    def part(pc: int, at: float, sent: float, read: float, seconds: float = 59.0) -> Any:
        size = {"bytes": int(sent), "packets": int(sent / 1000) + 10,
                "reply_bytes": int(read), "reply_packets": int(read / 1000) + 10}  # fmt: skip
        return flow(f"10.1.20.{pc + 10}", "10.1.1.20", 445, at, "S1", app="smb", seconds=seconds,
                    **size)  # fmt: skip

    for pc in range(40):
        at = rng.uniform(0, 900)
        profile = rng.lognormal(18.5, 0.8)
        yield part(pc, at, profile / 50, profile, 40)
        yield part(pc, at + 2400, profile * 0.9, profile / 40, 40)
    for minute in range(58):
        for pc in range(40, 60):  # mail and database files stay open; read more than written
            read = rng.lognormal(14, 1)
            yield part(pc, minute * 60.0, read * rng.uniform(0.2, 1.1), read)
        yield part(60, minute * 60.0, 40e6, 3e9)  # a film is cut: much is read, some is written
        yield part(61, minute * 60.0, 2.5e9, 60e6)  # a folder moves to the new server
        yield part(62, minute * 60.0, 30e6, 2.8e9)  # a virus scan, an archive: much is read


EVERYDAY: Final[tuple[Callable[[np.random.Generator], Rows], ...]] = (
    delivery_optimization, mail_relay, web_application, analysers, printers_polled, antivirus_push,
    monitoring, browsing, meetings, telephones, morning_logons, backup, logs_sent, print_jobs,
    scans_to_folders, lost_server, phones_on_the_guest_network, cameras, shares,
)  # fmt: skip
