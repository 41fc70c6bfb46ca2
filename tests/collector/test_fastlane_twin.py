"""Plain Python twins of the header reader and of the state machine agree with the kernels."""

import struct
from collections.abc import Iterable
from ipaddress import ip_address

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.fastlane import tcp as kernel
from collector.flows import STATES
from tests.collector.fastlane_frames import (
    ACK,
    FIN,
    RST,
    SYN,
    chunk,
    ethernet,
    ipv4,
    ipv6,
    run,
    tcp,
    udp,
)  # fmt: skip

V4 = ("10.0.0.1", "192.0.2.7")
V6 = ("fd00::1", "2001:db8::9")


def read_twin(frame: bytes) -> tuple[object, ...]:
    """(vlan, protocol, source, destination, ports, bytes of IP, flags), read step by step."""
    kind, at, vlan = struct.unpack_from("!H", frame, 12)[0], 14, 0
    while kind in (0x8100, 0x88A8):
        tag, kind = struct.unpack_from("!HH", frame, at)
        vlan, at = tag & 0xFFF, at + 4
    if kind == 0x0800:
        size, protocol = struct.unpack_from("!2xH5xB", frame, at)
        ends = (frame[at + 12 : at + 16], frame[at + 16 : at + 20])
        at += (frame[at] & 15) * 4
    else:
        size, protocol = struct.unpack_from("!4xHB", frame, at)
        ends, size = (frame[at + 8 : at + 24], frame[at + 24 : at + 40]), size + 40
        at += 40
    ports = struct.unpack_from("!HH", frame, at)
    source, destination = (str(ip_address(end)) for end in ends)
    return vlan, protocol, source, destination, ports, size, frame[at + 13] if protocol == 6 else 0


@st.composite
def sound_frames(draw: st.DrawFn) -> bytes:
    ports = st.integers(30000, 65535)
    payload = draw(st.binary(max_size=30))
    if draw(st.booleans()):
        data, protocol = udp(draw(ports), draw(ports), payload), 17
    else:
        data, protocol = tcp(draw(ports), draw(ports), SYN, payload), 6
    vlan = draw(st.one_of(st.none(), st.integers(1, 4095)))
    if draw(st.booleans()):
        return ethernet(ipv4(*V4, protocol, data), vlan=vlan)
    return ethernet(ipv6(*V6, protocol, data), 0x86DD, vlan=vlan)


@settings(deadline=None, max_examples=200)
@given(sound_frames())
def test_the_header_reader_sees_what_its_twin_sees(frame: bytes) -> None:
    from collector.flows import address_text

    flows = run([chunk([(0, frame)])])
    row = flows.rows[0]
    assert read_twin(frame) == (
        row["vlan"], row["protocol"], address_text(*row["source"]),
        address_text(*row["destination"]), (row["source_port"], row["destination_port"]),
        row["bytes"], row["flags"],
    )  # fmt: skip


def state_twin(steps: Iterable[tuple[bool, int, int]]) -> str:
    """The connection state, by the words of its definition rather than by a table of steps."""
    ends = {True: "silent", False: "silent"}
    before = dict(ends)
    sized = False

    def become(end: bool, state: str) -> None:
        if ends[end] != state:
            before[end], ends[end] = ends[end], state

    for is_source, flags, size in steps:
        own, peer = ends[is_source], ends[not is_source]
        sized = sized or (size > 0 and not flags & RST)
        if own == "silent":
            if flags & SYN and is_source:
                become(True, "offered" if flags & ACK else "asked")
            elif flags & SYN:
                if peer == "asked":
                    become(True, "open")
                become(False, "open")
            if flags & RST:
                become(is_source, "reset")
            elif flags & FIN:
                become(is_source, "closed")
            elif ends[is_source] == "silent":
                early = not is_source and size == 0 and ends[True] == "asked"
                if not early:
                    is_open = flags & ACK and ends[not is_source] == "open"
                    become(is_source, "open" if is_open else "partial")
        elif own in ("asked", "offered"):
            if flags & FIN:
                become(is_source, "closed")
            if flags & RST:
                become(is_source, "reset")
        elif own in ("open", "partial"):
            if flags & SYN and own == "partial" and peer == "silent" and not flags & ACK:
                become(is_source, "asked")
            if flags & FIN and not flags & RST:
                become(is_source, "closed")
                if peer == "reset" and before[not is_source] == "closed":
                    become(not is_source, "closed")
            if flags & RST:
                become(is_source, "reset")
        elif own == "closed" and flags & RST and peer != "closed":
            become(is_source, "reset")
    return name_twin(ends[True], ends[False], sized)


def name_twin(source: str, destination: str, sized: bool) -> str:
    quiet = ("silent", "partial")
    if destination == "reset":
        if source in ("asked", "offered") or (source == "reset" and not sized):
            return "REJ"
        return "RSTRH" if source in quiet else "RSTR"
    if source == "reset":
        return "RSTOS0" if destination in quiet else "RSTO"
    if (source, destination) == ("closed", "closed"):
        return "SF"
    if source == "closed":
        return "SH" if destination in quiet else "S2"
    if destination == "closed":
        return "SHR" if source in quiet else "S3"
    if (source, destination) == ("asked", "silent"):
        return "S0"
    return "S1" if (source, destination) == ("open", "open") else "OTH"


@settings(deadline=None, max_examples=500)
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from([SYN, SYN | ACK, ACK, FIN | ACK, FIN, RST, RST | ACK, 0, SYN | FIN]),
            st.integers(0, 2),
        ),
        max_size=8,
    )
)
def test_the_state_machine_agrees_with_its_twin(steps: list[tuple[bool, int, int]]) -> None:
    state, before = np.zeros(2, np.int64), np.zeros(2, np.int64)
    sized = False
    for is_source, flags, size in steps:
        own, peer = (0, 1) if is_source else (1, 0)
        new_own, new_peer, _ = kernel.step_end(
            state[own], before[own], state[peer], before[peer], is_source, flags, size
        )
        for end, new in ((own, new_own), (peer, new_peer)):
            if state[end] != new:
                before[end], state[end] = state[end], new
        sized = sized or (size > 0 and not flags & RST)
    assert STATES[kernel.tcp_state(state[0], state[1], sized)] == state_twin(steps)
