"""Tunnels: GRE, ERSPAN, and those in UDP; each tells what its inside starts with."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

from numba import njit

from collector.fastlane.steps import ETHERNET, IP, MPLS, PPP, STOP, TYPE, WIFI
from collector.fastlane.wire import Buffer, read8, read16, read32


@njit(cache=True, nogil=True)
def read_gre(buffer: Buffer, at: int, end: int) -> tuple[int, int, int]:
    """Step into GRE (RFC 2784, 2890, 2637) and ERSPAN; STOP where its inside is not ours."""
    if at + 4 > end:
        return STOP, at, 0
    flags, kind = read16(buffer, at), read16(buffer, at + 2)
    at += 4
    if flags & 0x4000 or flags & 7 > 1:  # source routing was never used
        return STOP, at, 0
    at += 4 if flags & 0x8000 else 0
    at += 4 if flags & 0x2000 else 0
    at += 4 if flags & 0x1000 else 0
    if flags & 7 == 1:
        at += 4 if flags & 0x80 else 0
        return (PPP if kind == 0x880B else STOP), at, 0
    if kind == 0x88BE:
        return ETHERNET, at + (8 if flags & 0x1000 else 0), 0
    if kind == 0x22EB:
        if at + 12 > end:
            return STOP, at, 0
        return ETHERNET, at + (20 if buffer[at + 11] & 1 else 12), 0
    if kind & 0xFF8F == 0x8200:  # Aruba access points: frames of 802.11
        return WIFI, at, 0
    if kind in (0x0800, 0x86DD, 0x6558, 0x8847, 0x8848, 0x8100, 0x88A8, 0x894F):
        return TYPE, at, kind
    return STOP, at, 0


@njit(cache=True, nogil=True)
def enter_udp(buffer: Buffer, row: Any) -> tuple[int, int, int]:
    """Step into a tunnel by its port and by what is fixed in its header.

    VXLAN (RFC 7348), VXLAN-GPE, GENEVE (RFC 8926), L2TP, MPLS (RFC 7510), GTP-U, AYIYA, Teredo.
    """
    at, end = row.payload_at, row.payload_end
    source, destination = row.source_port, row.destination_port
    if at + 8 > end:
        return STOP, at, 0
    if destination == 4789 or destination == 8472:
        if buffer[at] & 0x08 and read32(buffer, at) & 0x00FFFFFF == 0:
            return ETHERNET, at + 8, 0
    elif destination == 4790:
        return _enter_vxlan_gpe(buffer, at)
    elif destination == 6081:
        if buffer[at] & 0xC0 == 0:
            kind = read16(buffer, at + 2)
            at += 8 + (read8(buffer, at) & 0x3F) * 4
            if kind in (0x0800, 0x86DD, 0x6558):
                return TYPE, at, kind
    elif destination == 1701 or source == 1701:
        return _enter_l2tp(buffer, at, end)
    elif destination == 6635:
        return MPLS, at, 0
    elif destination == 5072:
        return _enter_ayiya(buffer, at, end)
    elif destination == 2152 or source == 2152:
        return _enter_gtp(buffer, at, end)
    elif (
        (destination == 3544 or source == 3544)
        and at + 40 <= end
        and buffer[at] >> 4 == 6
        and read16(buffer, at + 4) + 40 == row.payload_wire
    ):
        return IP, at, 0
    return STOP, at, 0


@njit(cache=True, nogil=True)
def _enter_vxlan_gpe(buffer: Buffer, at: int) -> tuple[int, int, int]:
    """draft-ietf-nvo3-vxlan-gpe §3; the caller made sure of its 8 bytes."""
    if buffer[at] & 0x0C != 0x0C:
        return STOP, at, 0
    kind = buffer[at + 3]
    if kind == 1 or kind == 2:
        return IP, at + 8, 0
    if kind == 3:
        return ETHERNET, at + 8, 0
    return (TYPE, at + 8, 0x894F) if kind == 4 else (STOP, at, 0)


@njit(cache=True, nogil=True)
def _enter_l2tp(buffer: Buffer, at: int, end: int) -> tuple[int, int, int]:
    """A data message of L2TP version 2 (RFC 2661 §3.1) carries PPP."""
    flags = read16(buffer, at)
    if flags & 0x8000 or flags & 0x000F != 2 or flags & 0x34F0:
        return STOP, at, 0
    at += 8 if flags & 0x4000 else 6
    if flags & 0x0800:
        at += 4
    if flags & 0x0200:
        if at + 2 > end:
            return STOP, at, 0
        at += 2 + read16(buffer, at)
    return (PPP, at, 0) if at + 4 <= end else (STOP, at, 0)


@njit(cache=True, nogil=True)
def _enter_ayiya(buffer: Buffer, at: int, end: int) -> tuple[int, int, int]:
    """Anything in Anything (an IPv6 broker's tunnel): identity and signature, then the packet."""
    identity, signature = read8(buffer, at) >> 4, read8(buffer, at + 1) >> 4
    is_forward, kind = buffer[at + 2] & 15 == 1, buffer[at + 3]
    at += 8 + (1 << identity) + signature * 4
    if is_forward and (kind == 41 or kind == 4) and at < end:
        return IP, at, 0
    return STOP, at, 0


@njit(cache=True, nogil=True)
def _enter_gtp(buffer: Buffer, at: int, end: int) -> tuple[int, int, int]:
    flags = read8(buffer, at)
    if flags & 0xF0 != 0x30 or buffer[at + 1] != 0xFF:
        return STOP, at, 0
    at += 8
    if flags & 0x07:
        at += 4
        if at > end:
            return STOP, at, 0
        following = read8(buffer, at - 1) if flags & 0x04 else 0
        for _ in range(8):
            if following == 0:
                break
            if at >= end:
                return STOP, at, 0
            at += max(1, read8(buffer, at)) * 4
            if at > end:
                return STOP, at, 0
            following = read8(buffer, at - 1)
    if at < end and (buffer[at] >> 4 == 4 or buffer[at] >> 4 == 6):
        return IP, at, 0
    return STOP, at, 0
