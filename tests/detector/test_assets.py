"""Assets seen: what traffic tells of a host."""

from __future__ import annotations

from collector.sightings import NameAnnouncement
from detector.assets import AssetLog
from tests.detector.windows import START_NS, World


def test_a_netbios_name_is_told_without_its_service_suffix() -> None:
    world = World()
    said = NameAnnouncement(
        time_ns=START_NS, ip="10.20.40.7", protocol="nbns", operation="registration",
        names=("CT-CONSOLE<20>",),
    )  # fmt: skip
    log = AssetLog(world.hosts, world.hospital)
    log.observe(world.window([], [said]))
    [asset] = log.take_changed()
    assert (asset["ip"], asset["name"]) == ("10.20.40.7", "CT-CONSOLE")
