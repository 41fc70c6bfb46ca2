"""Builds frames, chunks and flows for the fast lane's tests."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_address

import numpy as np

from collector.capture import INDEX_DTYPE, Chunk
from collector.fastlane.lane import FastLane, FastLaneSettings
from collector.flows import STATES, FlowBatch, address_text

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def ethernet(payload: bytes, kind: int = 0x0800, vlan: int | None = None) -> bytes:
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return bytes.fromhex("020000000002020000000001") + tag + struct.pack("!H", kind) + payload


def ipv4(
    source: str,
    destination: str,
    protocol: int,
    payload: bytes,
    ttl: int = 64,
    fragment: int = 0,
    ident: int = 1,
) -> bytes:
    head = struct.pack(
        "!BBHHHBBH4s4s",
        0x45,
        0,
        20 + len(payload),
        ident,
        fragment,
        ttl,
        protocol,
        0,
        ip_address(source).packed,
        ip_address(destination).packed,
    )
    return head + payload


def ipv6(source: str, destination: str, protocol: int, payload: bytes) -> bytes:
    head = struct.pack("!IHBB", 0x60000000, len(payload), protocol, 64)
    return head + ip_address(source).packed + ip_address(destination).packed + payload


def tcp(
    source: int,
    destination: int,
    flags: int,
    payload: bytes = b"",
    seq: int = 0,
    ack: int = 0,
    options: bytes = b"",
) -> bytes:
    head = struct.pack(
        "!HHIIBBHHH", source, destination, seq, ack, (20 + len(options)) << 2, flags, 8192, 0, 0
    )
    return head + options + payload


def udp(source: int, destination: int, payload: bytes = b"") -> bytes:
    return struct.pack("!HHHH", source, destination, 8 + len(payload), 0) + payload


def icmp(kind: int, code: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack("!BBHHH", kind, code, 0, 1, 1) + payload


def chunk(frames: Iterable[tuple[float, bytes]], link_type: int = 1) -> Chunk:
    """One chunk of frames, each at seconds after START."""
    frames = list(frames)
    index = np.zeros(len(frames), INDEX_DTYPE)
    at = 0
    for row, (second, frame) in zip(index, frames, strict=True):
        row["offset"], row["captured"], row["wire"] = at, len(frame), len(frame)
        row["time_ns"], row["link_type"] = START + int(second * SECOND), link_type
        at += len(frame)
    return Chunk(np.frombuffer(b"".join(f for _, f in frames) or b"\0", np.uint8), index)


def cut(whole: Chunk, size: int) -> list[Chunk]:
    """The same packets in chunks of `size`."""
    pieces = range(0, len(whole), size)
    return [Chunk(whole.buffer, whole.index[at : at + size]) for at in pieces]


def run(chunks: Iterable[Chunk], **settings: float | bool) -> FlowBatch:
    """All flows of the chunks."""
    lane = FastLane(FastLaneSettings.model_validate(settings))
    outputs = [lane.feed(piece) for piece in chunks]
    return FlowBatch.join([*(o.flows for o in outputs), lane.finish().flows])


def ends(flows: FlowBatch) -> list[str]:
    """Each flow as `source:port > destination:port packets/replies STATE`."""
    lines = []
    for row in flows.rows:
        source, destination = address_text(*row["source"]), address_text(*row["destination"])
        lines.append(
            f"{source}:{row['source_port']} > {destination}:{row['destination_port']} "
            f"{row['packets']}/{row['reply_packets']} {STATES[row['state']]}"
        )
    return lines
