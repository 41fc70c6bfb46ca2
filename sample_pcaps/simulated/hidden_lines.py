"""Second ways out after real ones: a phone on a modality, a mobile router, a shared connection."""

from __future__ import annotations

from collector.sightings import Arp, Dhcp, NameAnnouncement
from sample_pcaps.simulated.attacks import EVERYBODY, Stage, one, some
from sample_pcaps.simulated.calendar import DAY_S


def _tether(stage: Stage, day: int) -> tuple[int, float]:
    """A phone on a console's USB: little of it ever reaches the LAN."""
    rng, console = stage.rng, one(stage, "CT", "MR", "US")
    when = day * DAY_S + float(rng.uniform(10, 17)) * 3600
    own, gateway = "192.168.42.7", "192.168.42.129"
    if rng.random() < 0.4:  # newer phones draw a range of their own
        own, gateway = "10.187.44.7", "10.187.44.201"
    stage.step("a phone on the console's USB", "T1200", "external_line", when, console, [], own)
    mac = stage.house.mac_text(console)
    if rng.random() < 0.35:
        stage.tell(
            when + 70,
            Arp,
            console,
            EVERYBODY,
            0,
            operation=1,
            sender_mac=mac,
            ip=own,
            sender_ip=own,
            target_mac="00:00:00:00:00:00",
            target_ip=gateway,
        )
    if rng.random() < 0.35:
        stage.tell(
            when + 90,
            NameAnnouncement,
            console,
            EVERYBODY,
            137,
            protocol="nbns",
            operation="multihomed_registration",
            names=(stage.house.names[console],),
            addresses=(own,),
        )
    return console, when


def s4(stage: Stage, day: int) -> None:
    """A phone on a modality, and somebody only browses."""
    _tether(stage, day)


def s5(stage: Stage, day: int) -> None:
    """As S4, and somebody comes in by the phone and goes on to the RIS."""
    console, when = _tether(stage, day)
    when += float(stage.rng.uniform(1200, 9000))
    ris = one(stage, "RIS")
    stage.step(
        "controls the RIS from the console", "T1021.001", "lateral_movement", when, console, [ris]
    )
    stage.rdp(when, console, ris, 1500, "ris")
    targets = some(stage, ("PACS", "VIEW", "US", "LIS"), int(stage.rng.integers(4, 20)))
    stage.look_around(when + 1800, console, targets, float(stage.rng.choice([3.0, 120.0])))


def s6(stage: Stage, day: int) -> None:
    """Somebody hangs a mobile router into the office LAN; it leases addresses."""
    rng, house = stage.rng, stage.house
    when = day * DAY_S + float(rng.uniform(9, 18)) * 3600
    mac = int(rng.choice([0x106FBF, 0x0080BD, 0x741BB2])) << 24 | int(rng.integers(1, 1 << 24))
    net = f"192.168.{rng.choice([0, 1, 8, 10, 11, 100])}"  # as makers set them
    router = house.add("router", "rogue", f"{net}.1", vlan=128, mac=mac, switch=12801)
    stage.step("a mobile router leases addresses", "T1200", "external_line", when, router, [])
    for victim in some(stage, ("OFFICE",), int(rng.integers(1, 4))):
        when += float(rng.uniform(20, 900))
        leased = f"{net}.{int(rng.integers(2, 60))}"
        stage.tell(
            when,
            Dhcp,
            router,
            EVERYBODY,
            68,
            message="offer",
            client_mac=house.mac_text(victim),
            your_ip=leased,
            server_id=f"{net}.1",
            routers=(f"{net}.1",),
            lease_s=172800,
        )
        stage.tell(
            when + 1,
            Dhcp,
            victim,
            EVERYBODY,
            67,
            message="request",
            client_mac=house.mac_text(victim),
            requested_ip=leased,
            server_id=f"{net}.1",
            host_name=house.names[victim],
            vendor_class="MSFT 5.0",
        )
        stage.tell(
            when + 2,
            Arp,
            router,
            EVERYBODY,
            0,
            operation=1,
            sender_mac=house.mac_text(router),
            sender_ip=f"{net}.1",
            target_mac="00:00:00:00:00:00",
            target_ip=leased,
        )


def s7(stage: Stage, day: int) -> None:
    """Internet connection sharing on a ward PC: it answers leases from 192.168.137.1."""
    rng, house, sharer = stage.rng, stage.house, one(stage, "WARD")
    when = day * DAY_S + float(rng.uniform(8, 22)) * 3600
    mac, shared = house.mac_text(sharer), "192.168.137.1"
    stage.step("shares its Internet connection", "T1200", "external_line", when, sharer, [], shared)
    stage.tell(
        when,
        Arp,
        sharer,
        EVERYBODY,
        0,
        operation=1,
        sender_mac=mac,
        ip=shared,
        sender_ip=shared,
        target_mac="00:00:00:00:00:00",
        target_ip=shared,
    )
    if rng.random() < 0.7:
        stage.tell(
            when + 30,
            Dhcp,
            sharer,
            EVERYBODY,
            68,
            message="offer",
            ip=shared,
            your_ip="192.168.137.20",
            client_mac="02:11:22:33:44:55",
            server_id=shared,
            routers=(shared,),
            lease_s=604800,
        )
