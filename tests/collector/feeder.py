"""Picks made from a capture in plain Python: a second opinion on what the lanes are fed."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

from collector.flows import address_number
from collector.packet import PICK_DTYPE, Pick

UDP_PORTS = {
    67: Pick.DHCP, 68: Pick.DHCP, 546: Pick.DHCPV6, 547: Pick.DHCPV6, 53: Pick.DNS,
    5353: Pick.MDNS, 5355: Pick.LLMNR, 137: Pick.NBNS, 138: Pick.NBNS, 1900: Pick.SSDP,
    443: Pick.QUIC, 3702: Pick.SSDP,
}  # fmt: skip


def frames_of(path: Path):
    """(time_ns, link type, frame) of a pcap or pcapng file, as scapy reads it."""
    from scapy.utils import RawPcapNgReader, RawPcapReader

    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    reader_type = RawPcapNgReader if raw[:4] == b"\n\r\r\n" else RawPcapReader
    with reader_type(str(path)) as reader:
        for frame, meta in reader:
            if reader_type is RawPcapNgReader:
                ticks = (meta.tshigh << 32) + meta.tslow if meta.tshigh is not None else 0
                yield ticks * 10**9 // (meta.tsresol or 10**6), meta.linktype, frame
            else:
                scale = 1 if reader.nano else 1000
                yield meta.sec * 10**9 + meta.usec * scale, reader.linktype, frame


def picks_of(frames, pick=None):
    """(buffer, picks) of frames, each picked by port and first bytes, or all as `pick`."""
    buffer, rows = bytearray(), []
    for time_ns, link_type, frame in frames:
        row = np.zeros((), PICK_DTYPE)
        row["time_ns"], row["link_type"] = time_ns, link_type
        row["frame_offset"], row["frame_length"] = len(buffer), len(frame)
        row["wire_length"] = len(frame)
        kind = _read(row, link_type, frame)
        row["kind"] = pick or kind
        row["payload_offset"] += len(buffer)
        buffer += frame
        if row["kind"]:
            rows.append(row)
    return bytes(buffer), np.array(rows, PICK_DTYPE)


def _read(row, link_type: int, frame: bytes) -> int:
    if link_type == 1:
        row["destination_mac"] = int.from_bytes(frame[:6], "big")
        row["source_mac"] = int.from_bytes(frame[6:12], "big")
        at = 12
        while frame[at : at + 2] in (b"\x81\x00", b"\x88\xa8"):
            row["vlan"] = int.from_bytes(frame[at + 2 : at + 4], "big") & 4095
            at += 4
        kind = int.from_bytes(frame[at : at + 2], "big")
        at += 2
    elif link_type == 113:
        at, kind = 16, int.from_bytes(frame[14:16], "big")
    elif link_type == 0:
        at, kind = 4, 0x0800
    else:
        at, kind = 0, 0x86DD if frame[:1] and frame[0] >> 4 == 6 else 0x0800
    row["payload_offset"], row["payload_length"] = at, max(0, len(frame) - at)
    if kind == 0x0806:
        return Pick.ARP
    if kind == 0x88CC:
        return Pick.LLDP
    if kind <= 1500 and frame[at : at + 8] == b"\xaa\xaa\x03\x00\x00\x0c\x20\x00":
        return Pick.CDP
    if kind == 0x0800 and len(frame) >= at + 20:
        end = at + int.from_bytes(frame[at + 2 : at + 4], "big")
        protocol, ttl = frame[at + 9], frame[at + 8]
        source, destination = frame[at + 12 : at + 16], frame[at + 16 : at + 20]
        if int.from_bytes(frame[at + 6 : at + 8], "big") & 0x1FFF:
            return Pick.NONE
        at += (frame[at] & 15) * 4
        row["source"] = (0, 0xFFFF << 32 | int.from_bytes(source, "big"))
        row["destination"] = (0, 0xFFFF << 32 | int.from_bytes(destination, "big"))
    elif kind == 0x86DD and len(frame) >= at + 40:
        end = at + 40 + int.from_bytes(frame[at + 4 : at + 6], "big")
        protocol, ttl = frame[at + 6], frame[at + 7]
        row["source"] = struct.unpack_from("!QQ", frame, at + 8)
        row["destination"] = struct.unpack_from("!QQ", frame, at + 24)
        at += 40
        if protocol == 0:
            protocol, at = frame[at], at + 8 * (frame[at + 1] + 1)
    else:
        return Pick.NONE
    row["protocol"], row["ttl"] = protocol, ttl
    end = min(end, len(frame)) if end > at else len(frame)
    if protocol in (6, 17) and at + 8 <= len(frame):
        row["source_port"], row["destination_port"] = struct.unpack_from("!HH", frame, at)
        at += 8 if protocol == 17 else (frame[at + 12] >> 4) * 4 if at + 12 < len(frame) else 20
    if protocol in (1, 58) and at + 8 <= end:
        row["source_port"], row["destination_port"] = frame[at], frame[at + 1]
        at += 8
    row["payload_offset"], row["payload_length"] = at, max(0, end - at)
    return _kind(protocol, row, frame[at:end])


def _kind(protocol: int, row, payload: bytes) -> int:
    ports = (int(row["source_port"]), int(row["destination_port"]))
    if protocol == 58:
        is_taking = ports[0] == 135 and not row["source"].any()
        return Pick.ND if ports[0] in (134, 136, 137) or is_taking else Pick.NONE
    if protocol == 17:
        kind = next((UDP_PORTS[p] for p in ports if p in UDP_PORTS), Pick.NONE)
        return kind if kind != Pick.QUIC or payload[:1] >= b"\xc0" else Pick.NONE
    if protocol != 6 or not payload:
        return Pick.NONE
    if 53 in ports:
        return Pick.DNS
    if payload[:2] == b"\x16\x03" and payload[5:6] in (b"\x01", b"\x02", b"\x0b"):
        return Pick.TLS
    if payload[:4] in (b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"CONN", b"HTTP"):
        return Pick.HTTP
    if payload[:4] == b"SSH-":
        return Pick.SSH
    if payload[:2] == b"\x03\x00" and payload[5:6] in (b"\xe0", b"\xd0"):
        return Pick.RDP
    return Pick.NONE


def packet_rows(*payloads: bytes, kind: Pick, protocol=17, port=40000, peer_port=0):
    """(buffer, picks) of payloads without headers, as if sent by 10.0.0.1 to 10.0.0.2.

    An ICMP payload starts with the ICMP header.
    """
    buffer, rows = bytearray(), []
    for number, payload in enumerate(payloads):
        row = np.zeros((), PICK_DTYPE)
        row["time_ns"], row["kind"], row["protocol"] = number, kind, protocol
        row["payload_offset"], row["payload_length"] = len(buffer), len(payload)
        row["source"], row["destination"] = address_number("10.0.0.1"), address_number("10.0.0.2")
        row["source_port"], row["destination_port"] = port, peer_port
        row["source_mac"], row["destination_mac"] = 0x020000000001, 0x020000000002
        if kind == Pick.ND:
            row["payload_offset"] += 8
            row["payload_length"] = max(0, len(payload) - 8)
        buffer += payload
        rows.append(row)
    return bytes(buffer), np.array(rows, PICK_DTYPE)
