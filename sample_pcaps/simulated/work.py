"""A working day: what terminals, servers, modalities and analysers do for patients."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from collector.sightings import Dhcp, Dicom, Hl7, Kerberos, Smb
from sample_pcaps.simulated.calendar import is_day_off, moments
from sample_pcaps.simulated.emit import Day, lognormal
from sample_pcaps.simulated.told import Told

_TERMINALS: Final = (
    ("WARD", "ward"),
    ("CLINIC", "clinic"),
    ("OFFICE", "office"),
    ("TABLET", "ward"),
    ("PHARM", "ward"),
    ("NUTRI", "office"),
)


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
        who, at = moments(rng, np.full(len(hosts), 1.2), curve, day.number)
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
    _morning_leases(day, told)


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
            routers=(),
            lease_s=691200,
        )


def imaging(day: Day, told: Told) -> None:
    """Worklists, studies into the PACS, viewers, prefetch before the clinics open."""
    house, rng = day.house, day.rng
    pacs, ris, viewers = house.of("PACS"), int(house.of("RIS")[0]), house.of("VIEW")
    # group, studies an hour at the peak, median MB of a study
    for group, pace, size in (("CT", 6, 350), ("MR", 2.2, 180), ("DR", 3, 15), ("US", 2, 40)):
        hosts = house.of(group)
        who, at = moments(rng, np.full(len(hosts), 18.0), "clinic", day.number)
        day.add(hosts[who], ris, at, 104, "dicom", seconds=0.5, up=900, down=5000)
        told.sample(
            Dicom,
            at,
            hosts[who],
            ris,
            104,
            0.1,
            message="c_find",
            calling_ae=group,
            called_ae="RIS",
            sop_class="1.2.840.10008.5.1.4.31",
        )
        who, at = moments(rng, np.full(len(hosts), float(pace)), "clinic", day.number)
        n = len(who)
        mega = lognormal(rng, size, 0.6, n)
        day.add(
            hosts[who],
            pacs[who % len(pacs)],
            at,
            104,
            "dicom",
            seconds=mega / 11 + 1,
            up=mega * 1e6,
            down=20000,
        )
        told.sample(
            Dicom,
            at,
            hosts[who],
            pacs[who % len(pacs)],
            104,
            1.0,
            message="c_store",
            calling_ae=group,
            called_ae="PACS",
            sop_class="1.2.840.10008.5.1.4.1.1.2",
        )
    who, at = moments(rng, np.full(len(viewers), 12.0), "clinic", day.number)
    n = len(who)
    day.add(
        viewers[who],
        pacs[who % len(pacs)],
        at,
        104,
        "dicom",
        seconds=3,
        up=3000,
        down=lognormal(rng, 6e7, 1.0, n),
    )
    if not is_day_off(day.number):  # the PACS sends today's patients' images to the viewers
        n = 60 * len(viewers) // 10
        day.add(
            pacs[0],
            rng.choice(viewers, n),
            rng.uniform(5, 7, n) * 3600,
            11112,
            "dicom",
            seconds=20,
            up=lognormal(rng, 2e8, 0.8, n),
            down=30000,
        )


def laboratory(day: Day, told: Told) -> None:
    """Analysers to the LIS, orders and results through the HL7 engine, databases."""
    house, rng = day.house, day.rng
    lis, hl7 = int(house.of("LIS")[0]), int(house.of("HL7")[0])
    analysers, ap, db = house.of("ANA"), house.of("EMR-AP"), house.of("EMR-DB")
    who, at = moments(rng, np.full(len(analysers), 14.0), "ward", day.number)
    day.add(analysers[who], lis, at, 4001, "unknown", seconds=1, up=2500, down=400)
    systems = np.array([lis, *house.of("RIS"), *house.of("PHARM-SV"), *house.of("NUTRI-SV")])
    who, at = moments(rng, np.full(len(systems), 60.0), "ward", day.number)
    day.add(systems[who], hl7, at, 2575, "hl7", seconds=0.3, up=1400, down=300)
    told.sample(
        Hl7,
        at,
        systems[who],
        hl7,
        2575,
        0.02,
        message_type="ORU^R01",
        sending_application="DEPT",
        receiving_application="EMR",
    )
    who, at = moments(rng, np.full(len(ap), 120.0), "ward", day.number)
    day.add(ap[who], db[who % len(db)], at, 1521, "oracle", seconds=2, up=8000, down=90000)
    who, at = moments(rng, np.full(1, 30.0), "ward", day.number)
    day.add(lis, db[0], at, 1521, "oracle", seconds=2, up=3000, down=30000)
    stations = house.of("MON-CS")  # the monitors' own segment is not mirrored
    who, at = moments(rng, np.full(len(stations), 30.0), "flat", day.number)
    day.add(stations[who], hl7, at, 2575, "hl7", seconds=0.3, up=900, down=200)
    phones, dc = house.of("PHONE"), int(house.of("DC")[0])
    who, at = moments(rng, np.full(len(phones), 2.0), "flat", day.number)
    day.add(phones[who], dc, at, 123, "ntp", seconds=0.01, up=48, down=48, protocol=17)
