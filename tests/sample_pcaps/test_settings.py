"""What stands beside the captures is valid and speaks of the same hospital."""

import csv
import json
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from detector.detection import Category
from detector.hospital import Asset, Hospital, LineType
from sample_pcaps.build import FOLDER, scripts
from sample_pcaps.hospital import CORE_MAC, HOSTS, vlan_of

SEVERITIES = ("critical", "high", "medium", "low", "info")


@pytest.fixture(scope="module")
def hospital() -> Hospital:
    return Hospital.model_validate(tomllib.loads((FOLDER / "hospital.toml").read_text("utf-8")))


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((FOLDER / name).read_text("utf-8").splitlines()))


def test_every_host_stands_in_its_segment(hospital: Hospital) -> None:
    for host in HOSTS.values():
        segment = hospital.segment_of(host.ip)
        assert segment is not None, host
        assert segment.vlan == vlan_of(host)
        assert CORE_MAC in segment.gateway_macs


def test_every_host_is_an_asset() -> None:
    for host in HOSTS.values():
        Asset.model_validate(
            {"ip": host.ip, "mac": host.mac, "role": host.role, "care_class": host.care_class}
        )
    assert len({h.ip for h in HOSTS.values()}) == len({h.mac for h in HOSTS.values()}) == len(HOSTS)


def test_every_line_names_a_listed_device() -> None:
    by_ip = {h.ip: h for h in HOSTS.values()}
    for line in rows("register.csv"):
        assert line["回線種別"] in get_args(LineType)
        assert by_ip[line["接続機器IPアドレス"]].mac == line["接続機器MACアドレス"]


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
