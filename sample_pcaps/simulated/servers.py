"""What servers and their people do: replication, monitoring, administration, the asset tool."""

from __future__ import annotations

from typing import Final

import numpy as np

from collector.sightings import Dcerpc, Ntlm, RdpRequest, Smb
from sample_pcaps.simulated.calendar import is_day_off, moments
from sample_pcaps.simulated.emit import Day
from sample_pcaps.simulated.told import Told

#: Interfaces of remote calls (MS-SCMR, MS-RPRN, MS-DRSR, MS-SRVS, MS-SAMR).
SVCCTL: Final = "367abb81-9844-35f1-ad32-98f038001003"
SPOOLSS: Final = "12345678-1234-abcd-ef00-0123456789ab"
DRSUAPI: Final = "e3514235-4b06-11d1-ab04-00c04fc2dcd2"
SRVSVC: Final = "4b324fc8-1670-01d3-1278-5a47bf6ee188"
SAMR: Final = "12345778-1234-abcd-ef00-0123456789ac"


def housekeeping(day: Day, told: Told) -> None:
    """What servers do by themselves: replication, monitoring, directory, old modalities' logons."""
    house, rng = day.house, day.rng
    dc, it = house.of("DC"), house.of("IT")
    at = np.arange(0, 86400, 900) + rng.uniform(0, 30, 96)
    day.add(dc[0], dc[-1], at, 49155, "dcerpc", seconds=1, up=9000, down=20000)
    told.sample(
        Dcerpc,
        at,
        np.full(96, dc[0]),
        int(dc[-1]),
        49155,
        1.0,
        packet="request",
        interface=DRSUAPI,
        operation=3,
    )
    # Monitoring pings and asks every server by SNMP every five minutes.
    servers = np.array(
        [
            h
            for g in ("EMR-AP", "EMR-DB", "DC", "FS", "PACS", "RIS", "LIS", "BACKUP")
            for h in house.of(g)
        ]
    )
    for port, app, protocol in ((161, "snmp", 17), (8, "icmp", 1)):
        at = np.repeat(np.arange(0, 86400, 300.0), len(servers)) + rng.uniform(
            0, 20, 288 * len(servers)
        )
        day.add(
            it[-1],
            np.tile(servers, 288),
            at,
            port if protocol == 17 else 0,
            app,
            seconds=0.01,
            up=56,
            down=56,  # an echo comes back as it was sent
            protocol=protocol,
        )["sport"][:] = port if protocol == 1 else 40000
    # Modalities of Windows 7 log on to the file server by NTLM with an account of their own.
    for host in [*house.of("CT"), *house.of("DR")]:
        when = float(rng.uniform(7.5, 9) * 3600)
        server = int(house.of("FS")[0])
        day.add(host, server, when, 445, "smb", seconds=5, up=4000, down=9000)
        told.add(
            Ntlm,
            when,
            int(host),
            server,
            445,
            message="authenticate",
            user=f"mod{host}",
            domain="HOSP",
            workstation=house.names[host],
        )
    # Printers' drivers ask the print server (the second file server) by spoolss: legal op 65.
    office = house.of("OFFICE")
    who, at = moments(rng, np.full(len(office), 0.1), "office", day.number)
    server = int(house.of("FS")[-1])
    day.add(office[who], server, at, 445, "smb", seconds=2, up=3000, down=5000)
    told.sample(
        Dcerpc,
        at,
        office[who],
        server,
        445,
        1.0,
        packet="request",
        interface=SPOOLSS,
        operation=65,
        pipe="spoolss",
    )


def administration(day: Day, told: Told) -> None:
    """IT people: RDP from their PCs and the bastion, the asset tool's services, help for users."""
    house, rng = day.house, day.rng
    it, bastion = house.of("IT"), int(house.of("BASTION")[0])
    servers = [
        int(h)
        for g in ("EMR-AP", "DC", "FS", "RIS", "LIS", "PHARM-SV", "BACKUP", "WSUS")
        for h in house.of(g)
    ]
    off = is_day_off(day.number)
    for _ in range(rng.poisson(1 if off else 7)):
        person, server = int(rng.choice(it)), int(rng.choice(servers))
        when = float(np.clip(rng.normal(13.5, 3), 7.5, 22) * 3600)
        length = float(rng.lognormal(np.log(900), 0.8))
        first = bastion if rng.random() < 0.7 else None
        if first is not None:
            day.add(person, first, when, 3389, "rdp", seconds=length + 40, up=3e5, down=4e6)
            told.add(RdpRequest, when, person, first, 3389, cookie=f"adm{person % 3}")
        who = first if first is not None else person
        day.add(who, server, when + 20, 3389, "rdp", seconds=length, up=3e5, down=4e6)
        told.add(RdpRequest, when + 20, who, server, 3389, cookie=f"adm{person % 3}")
    # Remote help at users' terminals, a new pair nearly every time.
    users = np.concatenate([house.of("WARD"), house.of("CLINIC"), house.of("OFFICE")])
    for _ in range(rng.poisson(0.6 if off else 5)):
        when = float(np.clip(rng.normal(13, 3), 8, 20) * 3600)
        person, user = int(rng.choice(it[:3])), int(rng.choice(users))
        day.add(
            person,
            user,
            when,
            5900,
            "vnc",
            seconds=float(rng.lognormal(np.log(400), 0.7)),
            up=2e5,
            down=5e6,
        )
    # The asset tool installs or updates its agent on some terminals: service and admin share.
    for user in rng.choice(users, rng.poisson(0.2 if off else 4)).tolist():
        when = float(rng.uniform(12, 18) * 3600)
        tool = int(house.of("AV")[0])
        day.add(tool, user, when, 445, "smb", seconds=25, up=8e6, down=30000)
        told.add(
            Smb,
            when,
            tool,
            user,
            445,
            dialect=2,
            command=3,
            is_response=False,
            tree=f"\\\\{house.ip(user)}\\ADMIN$",
        )
        told.add(
            Smb,
            when + 2,
            tool,
            user,
            445,
            dialect=2,
            command=9,
            is_response=False,
            tree=f"\\\\{house.ip(user)}\\ADMIN$",
            file="agent\\update.exe",
            magic="MZ",
            write_length=65536,
        )
        told.add(
            Dcerpc,
            when + 8,
            tool,
            user,
            445,
            packet="request",
            interface=SVCCTL,
            operation=12,
            pipe="svcctl",
        )
        told.add(
            Dcerpc,
            when + 9,
            tool,
            user,
            445,
            packet="request",
            interface=SVCCTL,
            operation=19,
            pipe="svcctl",
        )
