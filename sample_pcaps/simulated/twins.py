"""Benign twins of the intrusions: the same shapes, made by people who do their work."""

from __future__ import annotations

from typing import Final

from collector.sightings import Arp, Dcerpc, Dhcp, NameAnnouncement, Smb
from sample_pcaps.simulated.attacks import EVERYBODY, Stage, one, some
from sample_pcaps.simulated.border import visit, vpn_address
from sample_pcaps.simulated.calendar import DAY_S
from sample_pcaps.simulated.house import VPN_OUTSIDE
from sample_pcaps.simulated.intrusions import Play
from sample_pcaps.simulated.sealed import moving, reading, say
from sample_pcaps.simulated.servers import DRSUAPI


def t1(stage: Stage, day: int) -> None:
    """The caterer really works on its server, and copies a menu to the file share."""
    begin, told, second = stage.at(day * DAY_S + 10.5 * 3600)
    person, target = visit(begin, told, 7, second, 4000.0)
    stage.step("works within the contract", "", "", day * DAY_S + 10.5 * 3600, person, [target])


def t2(stage: Stage, day: int) -> None:
    """A doctor dials in from a hotel at night and reads images by the bastion."""
    rng, house = stage.rng, stage.house
    when = day * DAY_S + 22.5 * 3600
    hotel = house.place(f"203.0.113.{int(rng.integers(200, 250))}")
    inside = vpn_address(house, 3, int(house.of("FW")[0]))
    bastion = int(house.of("BASTION")[0])
    stage.step("dials in from elsewhere", "", "", when, inside, [bastion])
    stage.flow(
        when,
        hotel,
        house.place(VPN_OUTSIDE),
        443,
        "fortinet_sslvpn",
        seconds=3000,
        up=3e6,
        down=2e7,
    )
    stage.rdp(when + 30, inside, bastion, 2700, "dr-sato")


def t3(stage: Stage, day: int) -> None:
    """Recovery test: the backup server writes back to eight servers; the PACS moves."""
    house, when = stage.house, day * DAY_S + 19 * 3600
    first, second = (int(h) for h in house.of("BACKUP")[:2])
    servers = some(stage, ("FS", "RIS", "LIS", "PHARM-SV", "EMR-AP"), 8)
    stage.step("recovery test", "", "", when, first, servers)
    for n, server in enumerate(servers):
        stage.flow(when + n * 600, first, server, 445, "smb", seconds=1500, up=8e10, down=6e7)
    old, new = (int(h) for h in house.of("PACS")[:2])
    stage.flow(when, old, new, 104, "dicom", seconds=6 * 3600, up=9e11, down=1e9)
    stage.rdp(when + 300, int(house.of("IT")[0]), second, 1200, "adm0")


def t4(stage: Stage, day: int) -> None:
    """A console's second card (registered) is replaced: its private range shows for an hour."""
    console = one(stage, "CT", "MR")
    when = day * DAY_S + 9 * 3600
    stage.step("private card shows", "", "", when, console, [])
    for n in range(12):
        stage.tell(
            when + n * 300,
            Arp,
            console,
            EVERYBODY,
            0,
            operation=1,
            ip="192.168.100.1",
            sender_ip="192.168.100.1",
            sender_mac=stage.house.mac_text(console),
            target_mac="00:00:00:00:00:00",
            target_ip="192.168.100.2",
        )


def t5(stage: Stage, day: int) -> None:
    """An engineer stands at the CT and opens the RIS' screen, by appointment."""
    console, ris = one(stage, "CT"), one(stage, "RIS")
    when = day * DAY_S + 14 * 3600
    stage.step("engineer at the console", "", "", when, console, [ris])
    stage.rdp(when, console, ris, 600, "ris")


def t6(stage: Stage, day: int) -> None:
    """An access point is swapped: forty phones renew their addresses at once, MACs are new."""
    house, when = stage.house, day * DAY_S + 13 * 3600
    dhcp = int(house.of("DC")[0])
    stage.step("access point swapped", "", "", when, dhcp, [])
    for n, phone in enumerate(some(stage, ("TABLET",), 40)):
        stage.tell(
            when + n * 2,
            Dhcp,
            phone,
            dhcp,
            67,
            message="discover",
            client_mac=house.mac_text(phone),
            host_name=house.names[phone],
            vendor_class="MSFT 5.0",
        )


def t7(stage: Stage, day: int) -> None:
    """An IT PC runs Hyper-V: its inner range 172.20.x shows in its names."""
    person, when = one(stage, "IT"), day * DAY_S + 11 * 3600
    stage.step("virtual machines on an IT PC", "", "", when, person, [])
    stage.tell(
        when,
        NameAnnouncement,
        person,
        EVERYBODY,
        5353,
        protocol="mdns",
        operation="response",
        names=(stage.house.names[person],),
        addresses=("172.20.48.1", stage.house.ip(person)),
    )


def t8(stage: Stage, day: int) -> None:
    """A vendor's job runs over: one hour past the agreed time, within its scope."""
    begin, told, second = stage.at(day * DAY_S + 16.6 * 3600)
    person, target = visit(begin, told, 5, second, 7600.0)
    stage.scenario.line = "L05"
    stage.step("runs over time", "", "", day * DAY_S + 16.6 * 3600, person, [target])


def t9(stage: Stage, day: int) -> None:
    """A drug company's rep shows a video on an office PC: many new places through the proxy."""
    pc, proxy, when = (
        one(stage, "OFFICE"),
        int(stage.house.of("PROXY")[0]),
        day * DAY_S + 15 * 3600,
    )
    stage.step("a web meeting through the proxy", "", "", when, pc, [proxy])
    stage.flow(when, pc, proxy, 3128, "http_proxy", seconds=3000, up=3e8, down=4e8)


def t10(stage: Stage, day: int) -> None:
    """A controller is restarted: everybody logs on again, the two replicate at length."""
    rng, house, when = stage.rng, stage.house, day * DAY_S + 12.3 * 3600
    one, two = (int(h) for h in house.of("DC")[:2])
    stage.step("controller restarted", "", "", when, two, [one])
    for host in some(stage, ("WARD", "CLINIC", "OFFICE"), 200):
        at = when + float(rng.uniform(0, 400))
        stage.flow(at, host, two, 88, "kerberos", state="S0" if at < when + 120 else "SF")
    for n in range(20):
        stage.flow(when + 200 + n * 5, two, one, 49155, "dcerpc", seconds=4, up=9000, down=3e6)
        stage.tell(
            when + 200 + n * 5,
            Dcerpc,
            two,
            one,
            49155,
            packet="request",
            interface=DRSUAPI,
            operation=3,
        )


def t11(stage: Stage, day: int) -> None:
    """A new IT PC learns its rounds: RDP and SSH to six servers in one afternoon."""
    house, when = stage.house, day * DAY_S + 13.5 * 3600
    person = int(house.of("IT")[-1])
    servers = some(stage, ("EMR-AP", "RIS", "LIS", "FS", "WSUS", "PHARM-SV"), 6)
    stage.step("new administrator's first day", "", "", when, person, servers)
    for n, server in enumerate(servers):
        stage.rdp(when + n * 900, person, server, 500, "adm5")


def t12(stage: Stage, day: int) -> None:
    """A file server's archive run: reads, writes and deletes thousands of files, same names."""
    fs, backup, when = one(stage, "FS"), int(stage.house.of("BACKUP")[0]), day * DAY_S + 20 * 3600
    stage.step("archive run", "", "", when, backup, [fs])
    stage.flow(when, backup, fs, 445, "smb", seconds=1800, up=4e10, down=4e10)
    if stage.rng.random() < 0.5:  # inside SMB3; half of the archivers move each file at once
        is_move = stage.rng.random() < 0.5
        for n in range(200):
            steps = moving(stage.rng) if is_move else reading(stage.rng)
            say(stage.tell, stage.back, (backup, fs), when + n * 0.4, steps, 0.003)
        return
    share = f"\\\\{stage.house.ip(fs)}\\archive"
    for n in range(200):
        for command, extra in ((8, 0.0), (9, 0.05)):
            stage.tell(
                when + n * 0.4 + extra,
                Smb,
                backup,
                fs,
                445,
                dialect=2,
                command=command,
                is_response=False,
                tree=share,
                file=f"2019\\{n}.pdf",
                write_length=4096,
            )


TWINS: Final[dict[str, Play]] = {
    "T1": t1,
    "T2": t2,
    "T3": t3,
    "T4": t4,
    "T5": t5,
    "T6": t6,
    "T7": t7,
    "T8": t8,
    "T9": t9,
    "T10": t10,
    "T11": t11,
    "T12": t12,
}
