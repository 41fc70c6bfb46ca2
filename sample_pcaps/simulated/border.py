"""What crosses the border, and what happens seldom: visits, backups, scans, roll-outs."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from collector.sightings import Arp, Dns, TlsClientHello
from sample_pcaps.simulated.calendar import day_of, is_day_off, moments
from sample_pcaps.simulated.emit import Day, lognormal
from sample_pcaps.simulated.house import LINES, UNLISTED, VPN_OUTSIDE, House
from sample_pcaps.simulated.told import Told

#: What a closed PC tries all day and never reaches: name, address.
FAILING: Final = (
    ("www.msftconnecttest.com", "13.107.4.52"),
    ("dns.msftncsi.com", "131.107.255.255"),
    ("ctldl.windowsupdate.com", "23.32.0.10"),
    ("fe2.update.microsoft.com", "20.54.24.10"),
    ("ocsp.digicert.com", "93.184.220.29"),
    ("settings-win.data.microsoft.com", "51.104.136.2"),
    ("login.live.com", "40.126.0.10"),
    ("time.windows.com", "20.101.57.9"),
)
#: Sanctioned places, reached through the firewall by the servers that need them.
CLOUDS: Final = (
    ("AV", "update.antivirus.example", "203.0.113.40", 4.0, 3e6),
    ("AV", "reputation.antivirus.example", "203.0.113.41", 30.0, 4000.0),
    ("WSUS", "sws.update.microsoft.com", "20.54.24.30", 1.0, 4e7),
    ("PROXY", "portal.medical-association.example", "203.0.113.60", 20.0, 2e5),
    ("PROXY", "www.pmda.example", "203.0.113.61", 8.0, 4e5),
    ("QUALIFY", "qualify.insurance.example", "198.51.100.70", 40.0, 6000.0),
    ("RECEIPT", "claims.insurance.example", "198.51.100.71", 4.0, 9e5),
)


def attempts(day: Day, told: Told, volume: float) -> None:
    """Closed PCs that try Microsoft's places and fail; sanctioned clouds that answer."""
    house, rng = day.house, day.rng
    firewall_change = day.number >= 45  # the firewall begins to refuse instead of dropping
    for group, curve in (
        ("WARD", "ward"),
        ("CLINIC", "clinic"),
        ("OFFICE", "office"),
        ("VIEW", "clinic"),
        ("CT", "clinic"),
        ("MR", "clinic"),
    ):
        hosts = house.of(group)
        who, at = moments(rng, np.full(len(hosts), 4.0 * volume), curve, day.number)
        which = rng.integers(0, len(FAILING), len(who))
        places = np.array([house.place(ip) for _, ip in FAILING])
        day.add(
            hosts[who],
            places[which],
            at,
            443,
            "unknown",
            seconds=9.0,
            state="REJ" if firewall_change else "S0",
        )
        dc = house.of("DC")
        for name_at in np.flatnonzero(rng.random(len(who)) < 0.05).tolist():
            told.add(
                Dns,
                float(at[name_at]),
                int(hosts[who[name_at]]),
                int(dc[0]),
                53,
                transport="udp",
                is_response=False,
                name=FAILING[which[name_at]][0],
                query_type="A",
            )
    for group, name, ip, pace, size in CLOUDS:
        hosts, place = house.of(group), house.place(ip)
        curve = "flat" if group in ("AV", "WSUS") else "office"
        who, at = moments(rng, np.full(len(hosts), pace), curve, day.number)
        n = len(who)
        day.add(
            hosts[who],
            place,
            at,
            443,
            "tls",
            seconds=lognormal(rng, 1.5, 0.7, n),
            up=lognormal(rng, 2500, 0.8, n),
            down=lognormal(rng, size, 1.0, n),
        )
        told.sample(
            TlsClientHello,
            at,
            hosts[who],
            place,
            443,
            0.3,
            sni=name,
            ja4="t13d1516h2_8daaf6152771_b186095e22b6",
        )
    # The antivirus relay asks for reputations by DNS: long names that nobody asked for before.
    av, dc0 = int(house.of("AV")[0]), int(house.of("DC")[0])
    for when in np.sort(rng.uniform(7, 20, 180) * 3600).tolist():
        label = "".join(rng.choice(list("0123456789abcdef"), 32))
        told.add(
            Dns,
            when,
            av,
            dc0,
            53,
            transport="udp",
            is_response=False,
            name=f"{label}.avqs.antivirus.example",
            query_type="A",
        )


def visits(day: Day, told: Told) -> None:
    """Vendors on their registered lines: within hours, to what the contract allows."""
    rng = day.rng
    if is_day_off(day.number):
        return
    for index in range(1, len(LINES)):  # L11 is the insurance's own line, always on
        if LINES[index - 1][0] != "L11" and rng.random() < 0.16:
            when = float(rng.uniform(9.2, 16.5) * 3600)
            visit(day, told, index, when, float(rng.lognormal(np.log(1800), 0.5)))
    if rng.random() < 0.8:  # the head of IT and doctors on call, by the firewall's VPN
        for _ in range(rng.poisson(3)):
            home_vpn(day, told, float(rng.uniform(6.5, 23) * 3600), int(rng.integers(0, 8)))


def visit(day: Day, told: Told, line: int, when: float, seconds: float) -> tuple[int, int]:
    """One session: tunnel from the vendor's end, its address in the pool, work on the target."""
    house, rng = day.house, day.rng
    router = int(house.of("VR")[line - 1])
    outside = house.place(_outside(line, int(rng.integers(2, 6))))
    day.add(
        outside,
        router,
        when - 30,
        4500,
        "nat_t",
        seconds=seconds + 90,
        up=2e6,
        down=9e6,
        protocol=17,
    )
    person = house.pool(line, int(rng.integers(0, 4)))
    group, port = LINES[line - 1][4][int(rng.integers(0, len(LINES[line - 1][4])))].split(":")
    targets = house.of(group)
    target = int(targets[int(rng.integers(0, len(targets)))])
    day.add(person, target, when, int(port), _APPS[int(port)], seconds=seconds, up=4e5, down=6e6)
    if rng.random() < 0.3:  # takes a file from the department's share afterwards, by its system
        fs = int(house.of("FS")[0])
        day.add(target, fs, when + seconds * 0.6, 445, "smb", seconds=20, up=2e5, down=5e6)
    return person, target


def home_vpn(day: Day, told: Told, when: float, who: int) -> int:
    """Staff from home: SSL-VPN to the firewall, then RDP to the bastion."""
    house, rng = day.house, day.rng
    firewall = int(house.of("FW")[0])
    home = house.place(f"203.0.113.{130 + who}")
    length = float(rng.lognormal(np.log(1500), 0.6))
    day.add(
        home,
        house.place(VPN_OUTSIDE),
        when - 20,
        443,
        "fortinet_sslvpn",
        seconds=length + 60,
        up=2e6,
        down=1e7,
    )
    inside = vpn_address(house, who, firewall)
    bastion = int(house.of("BASTION")[0])
    day.add(inside, bastion, when, 3389, "rdp", seconds=length, up=4e5, down=7e6)
    return inside


def vpn_address(house: House, who: int, firewall: int) -> int:
    ip = f"10.30.91.{2 + who}"
    if ip not in house.outside:
        house.outside[ip] = house.add(ip, "vpn", ip, vlan=190, mac=house.mac[firewall])
    return house.outside[ip]


def backups(day: Day) -> None:
    """22-04 h: every server's night run, the files' full run on Sundays, a copy of the images."""
    house, rng = day.house, day.rng
    first, second = (int(h) for h in house.of("BACKUP")[:2])
    full = day_of(day.number).weekday() == 6
    servers = [
        int(h)
        for g in ("EMR-AP", "EMR-DB", "DC", "FS", "RIS", "LIS", "PHARM-SV")
        for h in house.of(g)
    ]
    for at, server in enumerate(servers):
        when = (22 + 0.12 * at) % 24 * 3600 + float(rng.uniform(0, 240))
        giga = float(rng.lognormal(np.log(60 if full else 6), 0.5))
        day.add(first, server, when, 445, "smb", seconds=giga * 30, up=2e6 * giga, down=giga * 1e9)
    for pacs in house.of("PACS").tolist():
        day.add(
            second,
            pacs,
            2 * 3600 + float(rng.uniform(0, 900)),
            104,
            "dicom",
            seconds=5400,
            up=3e6,
            down=float(rng.lognormal(np.log(8e10), 0.3)),
        )
    day.add(first, second, 4 * 3600 + 120.0, 445, "smb", seconds=1800, up=1e11, down=1e7)


def scanner(day: Day) -> None:
    """The monthly scan: on the second Saturday, the registered scanner asks every host 14 ports."""
    date = day_of(day.number)
    if not (date.weekday() == 5 and 8 <= date.day <= 14):
        return
    house, rng = day.house, day.rng
    source = int(house.of("SCANNER")[0])
    inside = [h for h in range(len(house)) if house.groups[h] not in UNLISTED]
    inside = [h for h in inside if house.classes[h] != "C4"]
    for port in (21, 22, 23, 80, 135, 139, 443, 445, 1433, 3306, 3389, 5900, 8080, 9100):
        at = 10 * 3600 + rng.uniform(0, 5 * 3600, len(inside))
        live = rng.random(len(inside)) < 0.07
        day.add(
            source, np.array(inside)[live], at[live], port, "unknown", state="SF", up=60, down=90
        )
        day.add(source, np.array(inside)[~live], at[~live], port, "unknown", state="REJ")


def rollout(day: Day, told: Told) -> None:
    """A quarter's roll-out (days 33-36): every ward PC fetches an agent and calls a new server."""
    if day.number < 33:
        return
    house, rng = day.house, day.rng
    wards = house.of("WARD")
    share = min(1.0, (day.number - 32) / 4)
    ready = wards[: int(len(wards) * share)]
    server = int(house.of("WSUS")[0])
    who, at = moments(rng, np.full(len(ready), 2.0), "ward", day.number)
    day.add(ready[who], server, at, 8444, "tls", seconds=1, up=1200, down=3000)
    if day.number <= 36:
        at = rng.uniform(12, 14, len(ready)) * 3600
        day.add(ready, server, at, 445, "smb", seconds=30, up=30000, down=9e7)


def private_nics(day: Day, told: Told) -> None:
    """CT and MR consoles have a second card; ARP of it leaks now and then."""
    rng, house = day.rng, day.house
    for host in [*house.of("CT"), *house.of("MR")]:
        if rng.random() < 0.3:
            own, detector = "192.168.100.1", "192.168.100.2"
            told.add(
                Arp,
                float(rng.uniform(7, 19) * 3600),
                int(host),
                -1,
                0,
                operation=1,
                sender_mac=house.mac_text(int(host)),
                ip=own,
                sender_ip=own,
                target_mac="00:00:00:00:00:00",
                target_ip=detector,
            )


_APPS: Final = {3389: "rdp", 22: "ssh", 443: "tls", 5900: "vnc"}


def _outside(line: int, at: int) -> str:
    prefix: Any = LINES[line - 1][5]
    head, _, last = prefix.split("/")[0].rpartition(".")
    return f"{head}.{int(last) + at}"
