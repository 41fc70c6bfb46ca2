"""What stands beside the captures is valid and speaks of the same hospital."""

import json
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from detector.detection import Category
from detector.hospital import Hospital
from detector.ledger import read_ledger
from detector.register import read_register
from sample_pcaps.build import FOLDER, scripts
from sample_pcaps.hospital import CORE_MAC, HOSTS, vlan_of

SEVERITIES = ("critical", "high", "medium", "low", "info")


@pytest.fixture(scope="module")
def hospital() -> Hospital:
    return Hospital.model_validate(tomllib.loads((FOLDER / "hospital.toml").read_text("utf-8")))


def test_every_host_stands_in_its_segment(hospital: Hospital) -> None:
    for host in HOSTS.values():
        segment = hospital.segment_of(host.ip)
        assert segment is not None, host
        assert segment.vlan == vlan_of(host)
        assert CORE_MAC in segment.gateway_macs


def test_the_ledger_lists_every_host() -> None:
    assets, faults = read_ledger(FOLDER / "assets.csv")
    assert faults == []
    assert [(a.ip, a.mac, a.role) for a in assets] == [
        (h.ip, h.mac, h.role) for h in HOSTS.values()
    ]
    assert len({a.ip for a in assets}) == len({a.mac for a in assets}) == len(HOSTS)


def test_the_register_names_listed_devices_and_targets(hospital: Hospital) -> None:
    lines, faults = read_register(FOLDER / "register.csv")
    assert faults == []
    by_ip = {h.ip: h for h in HOSTS.values()}
    for line in lines:
        assert by_ip[line.device_ip].mac == line.device_mac
        assert line.protocols
        for target in (*line.landing, *line.allowed_targets):
            assert hospital.is_inside(target.split(":")[0].split("/")[0])


@pytest.mark.parametrize("script", scripts(), ids=lambda path: path.name)
def test_every_capture_says_what_it_must_raise(script: Path) -> None:
    expected = json.loads(script.with_suffix("").with_suffix(".expected.json").read_text("utf-8"))
    for alert in expected:
        assert alert["category"] in get_args(Category)
        assert re.fullmatch(r"T\d{4}(\.\d{3})?", alert["technique"])
        assert alert["severity"] in SEVERITIES
        assert alert["source"]
        assert isinstance(alert["targets"], list)
        assert alert["because"]
    assert bool(expected) == script.name.startswith("1")
