"""Evidence: gated, on record, taken apart by the real tshark, and hostile files do no harm."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from api.app import create_app
from api.faults import NotFound
from api.settings import ApiSettings
from tests.api.house import House, make_alert

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

SECRET = b"PatientName=YAMADA^TARO"


def udp_packet(payload: bytes, port: int) -> bytes:
    """Ethernet, IPv4 and UDP from 10.1.0.5 to 10.1.0.9."""
    udp = struct.pack("!HHHH", 50000, port, 8 + len(payload), 0) + payload
    ends = bytes([10, 1, 0, 5, 10, 1, 0, 9])
    ip = struct.pack("!BBHHHBBH8s", 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0, ends)
    return bytes.fromhex("020000000009 020000000005 0800") + ip + udp


def capture(packets: list[bytes]) -> bytes:
    """A classic little-endian pcap, one packet a second."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    return head + b"".join(
        struct.pack("<IIII", 1_750_000_000 + n, 0, len(p), len(p)) + p
        for n, p in enumerate(packets)
    )


DNS = bytes.fromhex("1234 0100 0001 0000 0000 0000 03 656d72 05 6c6f63616c 00 0001 0001")


def keep(house: House, content: bytes, alert_id: str = "a1") -> Path:
    folder = house.settings.state_dir / "evidence"
    folder.mkdir(exist_ok=True)
    file = folder / f"{alert_id}.pcap"
    file.write_bytes(content)
    return file


@needs_tshark
async def test_packets_are_taken_apart_without_their_payload(house: House) -> None:
    keep(house, capture([udp_packet(DNS, 53), udp_packet(SECRET, 9999), udp_packet(DNS, 53)]))
    async with house.client("analyst1") as client:
        answer = await client.get("/api/v1/alerts/a1/packets?limit=2")
    told = answer.json()
    assert [p["number"] for p in told["packets"]] == [1, 2]
    assert told["has_more"] is True
    first = told["packets"][0]
    assert first["protocols"][-1] == "dns"
    assert first["time"].startswith("1750000000")
    fields = {k: v for layer in first["layers"] for k, v in layer["fields"].items()}
    assert fields["ip.src"] == "10.1.0.5"
    assert fields["udp.dstport"] == "53"
    assert fields["dns.qry.name"] == "emr.local"
    assert "YAMADA" not in answer.text
    assert SECRET.hex() not in answer.text
    assert house.actions() == [("analyst1", "evidence.dissect", "allowed")]


@needs_tshark
async def test_a_damaged_capture_yields_what_can_be_read(house: House) -> None:
    keep(house, capture([udp_packet(DNS, 53)] * 2)[:-5])
    async with house.client("analyst1") as client:
        told = (await client.get("/api/v1/alerts/a1/packets")).json()
    assert [p["number"] for p in told["packets"]] == [1]
    assert "damaged" in told["note"]


@needs_tshark
async def test_what_is_no_capture_is_a_clear_error(house: House) -> None:
    async with house.client("analyst1") as client:
        for content in (b"", b"#!/bin/sh\n", b"\xd4\xc3\xb2\xa1" + b"\xff" * 50):
            keep(house, content)
            answer = await client.get("/api/v1/alerts/a1/packets")
            assert answer.status_code == 422, answer.text


@needs_tshark
async def test_taking_apart_ends_in_time(
    house: House, make_settings: Callable[..., ApiSettings]
) -> None:
    keep(house, capture([udp_packet(DNS, 53)] * 1000))
    settings = make_settings(dissect_timeout_s=0.05)
    app = create_app(settings, house.store, now_ns=house.clock)
    hurried = House(**{**house.__dict__, "app": app})
    async with app.router.lifespan_context(app), hurried.client("analyst1") as client:
        answer = await client.get("/api/v1/alerts/a1/packets")
    assert answer.status_code == 422
    assert "0.05 s" in answer.json()["detail"]


async def test_a_download_is_the_file_and_on_record(house: House) -> None:
    file = keep(house, capture([udp_packet(DNS, 53)]))
    async with house.client("analyst1") as client:
        answer = await client.get("/api/v1/alerts/a1/evidence.pcap")
    assert answer.content == file.read_bytes()
    assert answer.headers["content-disposition"] == 'attachment; filename="a1.pcap"'
    assert house.actions() == [("analyst1", "evidence.download", "allowed")]


async def test_a_redacted_download_has_no_payload_and_is_on_record(house: House) -> None:
    file = keep(house, capture([udp_packet(DNS, 53)]))
    async with house.client("analyst1") as client:
        answer = await client.get("/api/v1/alerts/a1/evidence.pcap?redacted=true")
    assert answer.status_code == 200
    assert 0 < len(answer.content) < len(file.read_bytes())
    assert house.actions() == [("analyst1", "evidence.redacted", "allowed")]


async def test_absent_evidence_and_crooked_names_are_not_found(house: House) -> None:
    (house.settings.state_dir / "outside.pcap").write_bytes(capture([]))
    async with house.client("analyst1") as client:
        for name in ("a2", "zz", "..%2Foutside", "%2e%2e%2foutside", "a1%00"):
            for what in ("packets", "evidence.pcap"):
                answer = await client.get(f"/api/v1/alerts/{name}/{what}")
                assert answer.status_code == 404, (name, what)


async def test_an_alert_named_like_a_path_leads_nowhere(house: House) -> None:
    (house.settings.state_dir / "outside.pcap").write_bytes(capture([]))
    house.store.save_alerts([make_alert("../outside")])
    evidence = house.app.state.services.evidence
    analyst = house.app.state.services.login.person_of_session(
        house.accounts.start_session("analyst1"), "192.0.2.7"
    )
    with pytest.raises(NotFound):
        evidence.download(analyst, "../outside")


@needs_tshark
async def test_real_captures_are_taken_apart(house: House, captures: Path) -> None:
    found = sorted((captures / "robustness").glob("*.pcap"))[:3]
    async with house.client("analyst1") as client:
        for file in found:
            keep(house, file.read_bytes())
            answer = await client.get("/api/v1/alerts/a1/packets?limit=5")
            assert answer.status_code in (200, 422), file.name
