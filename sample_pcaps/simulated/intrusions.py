"""The intrusions, after real ones; the seed draws when, against whom and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from collector.sightings import (
    Dcerpc,
    Dns,
    Kerberos,
    Ntlm,
    TlsClientHello,
)
from sample_pcaps.simulated.attacks import Stage, hour, one, some
from sample_pcaps.simulated.border import visit, vpn_address
from sample_pcaps.simulated.calendar import DAY_S
from sample_pcaps.simulated.hidden_lines import s4, s5, s6, s7
from sample_pcaps.simulated.house import VPN_OUTSIDE
from sample_pcaps.simulated.servers import DRSUAPI

_EFSR: Final = "c681d488-d850-11d0-8c52-00c04fd90f7e"


def _hidden(stage: Stage) -> bool:
    """SMB3 encryption or RPC privacy: the sensor sees ports, times and bytes, no operations."""
    return bool(stage.rng.random() < 0.35)


def s1(stage: Stage, day: int) -> None:
    """Osaka 2022: the caterer's line, its landing server, on by RDP, antivirus off, encryption."""
    rng, stage.scenario.line = stage.rng, "L07"
    when, hidden = hour(stage, day), _hidden(stage)
    begin, told, second = stage.at(when)
    person, nutrition = visit(begin, told, 7, second, 5400.0)
    stage.step("comes in by the caterer's line", "T1133", "initial", when, person, [nutrition])
    stage.flow(when + 40, person, nutrition, 3389, "rdp", seconds=5300, up=5e5, down=9e6)
    when += float(rng.uniform(600, 3600))
    targets = some(
        stage, ("EMR-AP", "EMR-DB", "DC", "FS", "RIS", "LIS", "WARD"), int(rng.integers(8, 60))
    )
    when = stage.look_around(when, nutrition, targets, float(rng.choice([1.0, 8.0, 60.0])))
    if rng.random() < 0.6:
        when = stage.enumerate_accounts(when, nutrition, one(stage, "DC"), hidden)
    when += float(rng.choice([900, 7200, DAY_S]))
    emr = one(stage, "EMR-AP")
    stage.step(
        "controls the EMR server by RDP", "T1021.001", "lateral_movement", when, nutrition, [emr]
    )
    stage.rdp(when, nutrition, emr, 2400, "Administrator")
    for server in some(stage, ("EMR-AP", "FS", "RIS", "LIS"), 4):
        when += float(rng.uniform(200, 1500))
        if rng.random() < 0.5:
            stage.psexec(when, emr, server, hidden)
        else:
            stage.step("goes on by RDP", "T1021.001", "lateral_movement", when, emr, [server])
            stage.rdp(when, emr, server, 900, "Administrator")
    when += float(rng.uniform(1800, 14400))
    stage.encrypt(when, emr, one(stage, "FS"), 3000, hidden)


def s2(stage: Stage, day: int) -> None:
    """Handa 2021: a stolen SSL-VPN session, spraying, LockBit everywhere, printed notes."""
    rng, house = stage.rng, stage.house
    when, hidden = hour(stage, day), _hidden(stage)
    thief = house.place(f"185.220.101.{int(rng.integers(2, 250))}")
    inside = vpn_address(house, 12 + int(rng.integers(0, 20)), int(house.of("FW")[0]))
    stage.step("logs on to the SSL-VPN", "T1133", "initial", when - 60, thief, [inside])
    stage.flow(
        when - 60,
        thief,
        house.place(VPN_OUTSIDE),
        443,
        "fortinet_sslvpn",
        seconds=9000,
        up=9e6,
        down=4e7,
    )
    targets = some(
        stage, ("EMR-AP", "DC", "FS", "RIS", "LIS", "WARD", "OFFICE"), int(rng.integers(10, 120))
    )
    when = stage.look_around(when, inside, targets, float(rng.choice([0.3, 4.0, 30.0])))
    dc = one(stage, "DC")
    if rng.random() < 0.6:
        stage.step("sprays passwords", "T1110.003", "credential_access", when, inside, [dc])
        for n in range(int(rng.integers(6, 40))):
            at = when + n * float(rng.choice([1.0, 20.0]))
            stage.flow(at, inside, dc, 88, "kerberos", up=300, down=250)
            stage.tell(at, Kerberos, inside, dc, 88, message="as_req", client=f"user{n * 11}")
            stage.back(
                at, Kerberos, inside, dc, 88, message="krb_error", error=24, client=f"user{n * 11}"
            )
        when += 1200
    stage.step(
        "controls the domain controller by RDP", "T1021.001", "lateral_movement", when, inside, [dc]
    )
    stage.rdp(when, inside, dc, 1800, "itadmin")
    when += float(rng.choice([1800, 10800]))
    for server in some(stage, ("EMR-AP", "FS", "WARD", "OFFICE"), int(rng.integers(3, 9))):
        stage.psexec(when, dc, server, hidden)
        when += float(rng.uniform(5, 60))
    stage.encrypt(when + 600, dc, one(stage, "FS"), 4000, hidden)
    if rng.random() < 0.7:
        stage.print_notes(when + 900, dc, some(stage, ("PRT",), int(rng.integers(15, 90))))


def s3(stage: Stage, day: int) -> None:
    """Okayama 2024: the maintenance VPN, one password for all servers, the backups first."""
    rng, stage.scenario.line = stage.rng, "L01"
    when, hidden = hour(stage, day), _hidden(stage)
    begin, told, second = stage.at(when)
    person, ap = visit(begin, told, 1, second, 7200.0)
    stage.step("comes in by the maintenance line", "T1133", "initial", when, person, [ap])
    stage.flow(when + 30, person, ap, 3389, "rdp", seconds=7000, up=6e5, down=9e6)
    when += float(rng.uniform(600, 5400))
    source = person if rng.random() < 0.5 else ap
    servers = some(stage, ("BACKUP", "DC", "FS", "PHARM-SV", "LIS"), 5)
    for server in servers:
        stage.step(
            "logs on with the shared password",
            "T1078.003",
            "lateral_movement",
            when,
            source,
            [server],
        )
        stage.flow(when, source, server, 445, "smb", seconds=4, up=3000, down=5000)
        if not hidden:
            stage.tell(
                when,
                Ntlm,
                source,
                server,
                445,
                message="authenticate",
                user="Administrator",
                domain=".",
                workstation="MAINT",
            )
        stage.rdp(when + 20, source, server, 700, "Administrator")
        when += float(rng.uniform(300, 3000))
    backup = one(stage, "BACKUP")
    stage.step("destroys the backups", "T1490", "impact", when, source, [backup])
    stage.rdp(when, source, backup, 2400, "Administrator")
    when += float(rng.uniform(1800, 20000))
    stage.encrypt(when, source, one(stage, "FS"), 3500, hidden)


def s8(stage: Stage, day: int) -> None:
    """A vendor leaves its scope during an ordinary visit."""
    rng, line = stage.rng, int(stage.rng.choice([2, 5, 6]))
    stage.scenario.line = f"L{line:02d}"
    when = day * DAY_S + float(rng.uniform(10, 16)) * 3600
    begin, told, second = stage.at(when)
    person, _ = visit(begin, told, line, second, 3600.0)
    other = one(stage, "EMR-AP", "FS", "DC", "BACKUP")
    when += float(rng.uniform(300, 2400))
    stage.step("leaves the contract's scope", "T1199", "lateral_movement", when, person, [other])
    stage.rdp(when, person, other, 900, "vendor")


def s9(stage: Stage, day: int) -> None:
    """AnyDesk on a department's server."""
    rng, server = stage.rng, one(stage, "LIS", "RIS", "NUTRI-SV", "PHARM-SV")
    when = hour(stage, day)
    relay = stage.house.place(f"57.128.101.{int(rng.integers(2, 250))}")
    stage.step("a remote-control tool", "T1219", "remote_access", when, server, [])
    name = f"relay-{int(rng.integers(10, 99)):x}.net.anydesk.com"
    stage.tell(
        when,
        Dns,
        server,
        int(stage.house.of("DC")[0]),
        53,
        transport="udp",
        is_response=False,
        name=name,
        query_type="A",
    )
    reached = rng.random() < 0.5  # in half of the hospitals the firewall stops it
    stage.flow(
        when + 1,
        server,
        relay,
        443,
        "anydesk" if reached else "unknown",
        seconds=5400.0 if reached else 9.0,
        up=4e7,
        down=6e6,
        state="SF" if reached else "S0",
    )
    if reached:
        stage.tell(when + 1, TlsClientHello, server, relay, 443, sni=name, ja4="t12d2811h2_anydesk")


def s10(stage: Stage, day: int) -> None:
    """Coercion of the domain controller, then its secrets are replicated (DCSync)."""
    rng, source = stage.rng, one(stage, "OFFICE", "CLINIC")
    when, dc = hour(stage, day), one(stage, "DC")
    stage.step("coerces the controller to log on", "T1187", "credential_access", when, source, [dc])
    stage.flow(when, source, dc, 445, "smb", seconds=2, up=4000, down=3000)
    if rng.random() < 0.7:
        stage.tell(
            when,
            Dcerpc,
            source,
            dc,
            445,
            packet="request",
            interface=_EFSR,
            operation=int(rng.choice([0, 4])),
            pipe="lsarpc",
        )
    when += float(rng.uniform(60, 3600))
    stage.step(
        "replicates the directory's secrets", "T1003.006", "credential_access", when, source, [dc]
    )
    stage.flow(when, source, dc, 49155, "dcerpc", seconds=4, up=20000, down=900000)
    # Who binds with privacy hides nothing of the interface: the bind itself is in clear.
    stage.tell(when, Dcerpc, source, dc, 49155, packet="bind", interface=DRSUAPI)
    if rng.random() < 0.7:
        stage.tell(
            when + 0.2, Dcerpc, source, dc, 49155, packet="request", interface=DRSUAPI, operation=3
        )


def s12(stage: Stage, day: int) -> None:
    """Data by DNS: long labels through the hospital's own resolver, a little at a time."""
    rng, source = stage.rng, one(stage, "OFFICE", "LIS", "RIS")
    when, dc = hour(stage, day), int(stage.house.of("DC")[0])
    gap = float(rng.choice([0.5, 5.0, 30.0]))
    count = int(min(3000, 10 * 3600 / gap, ((max(stage.days) + 1) * DAY_S - when - 60) / gap))
    stage.step("sends data in DNS names", "T1048.003", "exfiltration", when, source, [dc])
    stage.scenario.impact_ns = stage.scenario.steps[-1].start_ns
    letters = list("abcdefghijklmnopqrstuvwxyz234567")
    for _ in range(count):
        label = "".join(rng.choice(letters, int(rng.integers(24, 60))))
        stage.flow(when, source, dc, 53, "dns", seconds=0.05, up=90, down=140, protocol=17)
        stage.tell(
            when,
            Dns,
            source,
            dc,
            53,
            transport="udp",
            is_response=False,
            name=f"{label}.t.cdn-metrics.example",
            query_type=str(rng.choice(["TXT", "A"])),
        )
        when += float(rng.exponential(gap))


Play = Callable[[Stage, int], None]
ATTACKS: Final[dict[str, Play]] = {
    "S1": s1,
    "S2": s2,
    "S3": s3,
    "S4": s4,
    "S5": s5,
    "S6": s6,
    "S7": s7,
    "S8": s8,
    "S9": s9,
    "S10": s10,
    "S12": s12,
}
