"""A working day: what terminals, servers, modalities and analysers do for patients."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from collector.sightings import Arp, Dhcp, Kerberos, Smb
from sample_pcaps.simulated.calendar import is_day_off, moments
from sample_pcaps.simulated.emit import Day, lognormal
from sample_pcaps.simulated.sealed import opening, say
from sample_pcaps.simulated.told import Told

_TERMINALS: Final = (
    ("WARD", "ward"),
    ("CLINIC", "clinic"),
    ("OFFICE", "office"),
    ("TABLET", "ward"),
    ("PHARM", "ward"),
    ("NUTRI", "office"),
    ("VIEW", "clinic"),
    ("IT", "office"),
    ("RECEIPT", "office"),
)
#: Screens of departments' systems that terminals open: group, system, an hour at the peak.
_SCREENS: Final = (
    *((group, system, pace) for group in ("WARD", "CLINIC", "TABLET")
      for system, pace in (("RIS", 0.6), ("LIS", 0.5), ("PHARM-SV", 0.3), ("NUTRI-SV", 0.1))),
    ("PHARM", "PHARM-SV", 30.0), ("NUTRI", "NUTRI-SV", 20.0), ("VIEW", "RIS", 20.0),
    ("OFFICE", "QUALIFY", 6.0),
)  # fmt: skip


def terminals(day: Day, told: Told, volume: float) -> None:
    """Chart work, names, logons, files, print: every terminal with a pace of its own."""
    house, rng = day.house, day.rng
    ap, dc, fs, printers = (house.of(g) for g in ("EMR-AP", "DC", "FS", "PRT"))
    av, wsus = int(house.of("AV")[0]), int(house.of("WSUS")[0])
    for group, curve in _TERMINALS:
        hosts = house.of(group)
        # A terminal's pace is its own for good: drawn from its number, not from the day.
        own = np.random.default_rng(hosts[0]).uniform(25, 60, len(hosts)) * volume
        who, at = moments(rng, own, curve, day.number)
        n = len(who)
        # Each terminal works with two of the servers; a load balancer would not be seen.
        server = ap[(who + rng.integers(0, 2, n)) % len(ap)]
        day.add(
            hosts[who],
            server,
            at,
            443,
            "tls",
            seconds=lognormal(rng, 0.4, 1.2, n),
            up=lognormal(rng, 1800, 0.8, n),
            down=lognormal(rng, 14000, 1.4, n),
        )
        who, at = moments(rng, own * 0.9, curve, day.number)
        day.add(
            hosts[who],
            dc[(who + (rng.random(len(who)) < 0.1)) % len(dc)],
            at,
            53,
            "dns",
            seconds=0.003,
            up=45,
            down=110,
            protocol=17,
        )
        who, at = moments(rng, np.full(len(hosts), volume), curve, day.number)
        _logons(day, told, hosts[who], dc[who % len(dc)], at)
        who, at = moments(rng, np.full(len(hosts), 5.0 * volume), curve, day.number)
        n = len(who)
        server = fs[who % len(fs)]
        day.add(
            hosts[who],
            server,
            at,
            445,
            "smb",
            seconds=lognormal(rng, 20, 1.0, n),
            up=lognormal(rng, 6000, 1.6, n),
            down=lognormal(rng, 60000, 2.0, n),
        )
        _files(day, told, hosts[who], server, at)
        prints = 0.0 if group == "VIEW" else 1.2
        who, at = moments(rng, np.full(len(hosts), prints), curve, day.number)
        # The nearest printer mostly, another of the floor now and then.
        near = (hosts[who] * 7 + (rng.random(len(who)) < 0.08)) % len(printers)
        day.add(
            hosts[who],
            printers[near],
            at,
            9100,
            "printer",
            seconds=2.0,
            up=lognormal(rng, 90000, 1.0, len(who)),
            down=200,
        )
        who, at = moments(rng, np.full(len(hosts), 0.5), "flat", day.number)
        day.add(hosts[who], av, at, 8443, "tls", seconds=1.0, up=1500, down=2500)
        who, at = moments(rng, np.full(len(hosts), 0.08), "flat", day.number)
        day.add(hosts[who], wsus, at, 8530, "http", seconds=3.0, up=2000, down=30000)
    _screens(day, volume)
    _morning_leases(day, told)


def _screens(day: Day, volume: float) -> None:
    """Departments' systems by browser, and the web by the proxy."""
    house, rng = day.house, day.rng
    curves = dict(_TERMINALS)
    for group, system, pace in _SCREENS:
        hosts, servers = house.of(group), house.of(system)
        who, at = moments(rng, np.full(len(hosts), pace * volume), curves[group], day.number)
        n = len(who)
        day.add(
            hosts[who],
            servers[who % len(servers)],
            at,
            443,
            "tls",
            seconds=lognormal(rng, 0.6, 1.0, n),
            up=lognormal(rng, 2000, 0.8, n),
            down=lognormal(rng, 30000, 1.2, n),
        )
    hosts, proxy = np.concatenate([house.of("OFFICE"), house.of("IT")]), int(house.of("PROXY")[0])
    who, at = moments(rng, np.full(len(hosts), 6.0 * volume), "office", day.number)
    n = len(who)
    day.add(
        hosts[who],
        proxy,
        at,
        3128,
        "http_proxy",
        seconds=lognormal(rng, 8, 1.0, n),
        up=lognormal(rng, 3000, 1.0, n),
        down=lognormal(rng, 60000, 1.5, n),
    )


def _logons(day: Day, told: Told, hosts: Any, dc: Any, at: Any) -> None:
    """Kerberos and LDAP of a logon; one in twelve mistypes a password first."""
    day.add(hosts, dc, at, 88, "kerberos", seconds=0.02, up=1500, down=1600)
    day.add(hosts, dc, at + 0.5, 389, "ldap", seconds=0.3, up=1200, down=6000)
    for host, server, when in zip(hosts.tolist(), dc.tolist(), at.tolist(), strict=True):
        person = f"user{host * 3 + int(day.rng.integers(0, 3))}"
        ends = (host, server, 88)
        if day.rng.random() < 0.08:
            told.add(Kerberos, when - 9, *ends, client=person, realm="HOSP", message="as_req")
            told.back(Kerberos, when - 9, *ends, client=person, message="krb_error", error=24)
        told.add(
            Kerberos,
            when,
            *ends,
            client=person,
            message="as_req",
            has_preauth=True,
            encryptions=(18, 17, 23),
        )
        told.back(Kerberos, when, *ends, client=person, message="as_rep", encryption=18)
        told.add(
            Kerberos,
            when + 0.1,
            *ends,
            message="tgs_req",
            service=f"cifs/fs{host % 2 + 1}",
            encryptions=(18, 17, 23),
        )
        told.back(
            Kerberos,
            when + 0.1,
            *ends,
            client=person,
            message="tgs_rep",
            service=f"cifs/fs{host % 2 + 1}",
            encryption=18,
        )


def _files(day: Day, told: Told, hosts: Any, servers: Any, at: Any) -> None:
    """Reads, and one file in five written back; half of the shares encrypt (SMB3)."""
    for host, server, when in zip(hosts.tolist(), servers.tolist(), at.tolist(), strict=True):
        if server % 2:
            _sealed_file(day, told, (host, server), when)
            continue
        share = f"\\\\FS{server}\\dept{host % 12}"
        name = f"doc\\{int(day.rng.integers(0, 4000))}.docx"
        told.add(
            Smb,
            when,
            host,
            server,
            445,
            dialect=2,
            command=8,
            tree=share,
            file=name,
            is_response=False,
        )
        if day.rng.random() < 0.2:
            told.add(
                Smb,
                when + 3,
                host,
                server,
                445,
                dialect=2,
                command=9,
                tree=share,
                file=name,
                is_response=False,
                write_length=65536,
            )


def _sealed_file(day: Day, told: Told, ends: tuple[int, int], when: float) -> None:
    """The lengths of one visit in five, and those whole."""
    if told.rng.random() < 0.2:
        steps = opening(told.rng, is_saved=bool(told.rng.random() < 0.2))
        say(told.tell, told.answer, ends, when, steps, 0.003)


def _morning_leases(day: Day, told: Told) -> None:
    """Every leased host renews in its first busy hour; 2 % a day come back with another address."""
    house, rng = day.house, day.rng
    leased = np.flatnonzero(np.array(house.leased))
    dhcp = int(house.of("DC")[0])
    changed = rng.random(len(leased)) < 0.02
    for host, moves in zip(leased.tolist(), changed.tolist(), strict=True):
        if moves:
            span = 400 if house.vlan[host] in (120, 124) else 200
            base = house.address[host] & ~0x1FF if span == 400 else house.address[host] & ~0xFF
            fresh = base + int(rng.integers(span, span + 50))
            if fresh not in house.address:
                house.address[host] = fresh
        when = float(rng.normal(8.3 if not is_day_off(day.number) else 9.0, 0.5) * 3600)
        if moves:  # whoever has another address today was given it before it spoke
            when = float(rng.uniform(0, 5))
        mac, ip = house.mac_text(host), house.ip(host)
        told.add(
            Dhcp,
            when,
            host,
            dhcp,
            67,
            message="request",
            client_mac=mac,
            requested_ip=ip,
            host_name=house.names[host],
            vendor_class="MSFT 5.0",
        )
        told.back(
            Dhcp,
            when,
            host,
            dhcp,
            67,
            message="ack",
            client_mac=mac,
            your_ip=ip,
            server_id=house.ip(dhcp),
            routers=(house.ip(house.gateway(house.vlan[host])),),
            lease_s=691200,
        )


def neighbours(day: Day, told: Told) -> None:
    """ARP of a segment and its gateway, once a day each: whoever starts asks, the gateway too."""
    house, rng = day.house, day.rng
    # The monitors stay among themselves; their central stations leave the segment.
    listed = [h for h in range(house.listed) if house.groups[h] != "MON"]
    at = rng.normal(8.0, 0.5, len(listed)) * 3600
    again = rng.uniform(0, 86400, len(listed))
    for host, when, later in zip(listed, at.tolist(), again.tolist(), strict=True):
        router = house.gateway(house.vlan[host])
        if router == host:
            continue
        asks: dict[str, Any] = {"operation": 1, "target_mac": "00:00:00:00:00:00"}
        mac, ip = house.mac_text(host), house.ip(host)
        own, its = house.mac_text(router), house.ip(router)
        told.add(Arp, when, host, -1, 0, sender_mac=mac, sender_ip=ip, target_ip=its, **asks)
        told.add(
            Arp,
            when + 0.001,
            router,
            host,
            0,
            operation=2,
            sender_mac=own,
            sender_ip=its,
            target_mac=mac,
            target_ip=ip,
        )
        told.add(Arp, later, router, -1, 0, sender_mac=own, sender_ip=its, target_ip=ip, **asks)
