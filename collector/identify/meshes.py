"""WireGuard and the mesh VPNs: Tailscale, ZeroTier, Nebula, tinc."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from numba import njit

from collector.apps import APP_CODE
from collector.identify.wire import (
    LIKELY,
    NAMED,
    NOTHING,
    SURE,
    Bytes,
    is_zero,
    looks_random,
    on,
    starts,
    u32,
)

WIREGUARD, TAILSCALE = APP_CODE["wireguard"], APP_CODE["tailscale"]
ZEROTIER, NEBULA = APP_CODE["zerotier"], APP_CODE["nebula"]

#: Where Cloudflare WARP's clients speak WireGuard, by its vendor's firewall page.
_WARP_PORT = 2408


@njit(cache=True, nogil=True)
def mesh_udp(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int
) -> tuple[int, int]:
    if starts(buffer, start, end, b"TS\xf0\x9f\x92\xac") and end - start >= 62:
        return TAILSCALE, SURE
    confidence = wireguard(buffer, start, end, source_port, destination_port)
    if confidence:
        on_tailscale = on(source_port, destination_port, 41641)
        return (TAILSCALE if on_tailscale else WIREGUARD), confidence
    confidence = zerotier(buffer, start, end, on(source_port, destination_port, 9993))
    if confidence:
        return ZEROTIER, confidence
    confidence = nebula(buffer, start, end, on(source_port, destination_port, 4242))
    return (NEBULA, confidence) if confidence else NOTHING


@njit(cache=True, nogil=True)
def wireguard(buffer: Bytes, start: int, end: int, source_port: int, destination_port: int) -> int:
    """WireGuard white paper §5.4: type, three zero bytes, and a length fixed by the type.

    WARP writes the client's number into the zero bytes; only its handshake is taken then.
    """
    size = end - start
    if size < 32:
        return 0
    kind = buffer[start]
    if not is_zero(buffer, start + 1, start + 4):
        is_handshake = (kind == 1 and size == 148) or (kind == 2 and size == 92)
        is_warp = is_handshake and on(source_port, destination_port, _WARP_PORT)
        return NAMED if is_warp and looks_random(buffer, start + 12, start + 76) else 0
    if kind == 1 and size == 148 and looks_random(buffer, start + 8, start + 132):
        return SURE
    if kind == 2 and size == 92 and looks_random(buffer, start + 12, start + 76):
        return SURE
    known = on(source_port, destination_port, 51820) or on(source_port, destination_port, 41641)
    if kind == 3 and size == 64 and looks_random(buffer, start + 8, start + 64):
        return SURE if known else LIKELY
    if kind == 4 and size % 16 == 0 and u32(buffer, start + 4) != 0:
        counter_is_low = is_zero(buffer, start + 12, start + 16)
        if counter_is_low and looks_random(buffer, start + 16, end):
            return SURE if known else LIKELY
    return 0


@njit(cache=True, nogil=True)
def zerotier(buffer: Bytes, start: int, end: int, on_zerotier_port: bool) -> int:
    """Two 5-byte addresses after the packet id; a HELLO (verb 1) travels in clear.

    A HELLO carries the sender's identity, which begins with the sender's address again.
    """
    size = end - start
    if size < 28 or buffer[start + 8] == 0xFF or buffer[start + 13] == 0xFF:
        return 0
    if is_zero(buffer, start + 8, start + 13) or is_zero(buffer, start + 13, start + 18):
        return 0
    cipher = buffer[start + 18] >> 3 & 7
    if cipher == 0 and buffer[start + 27] & 31 == 1 and size > 31 and 4 <= buffer[start + 28] <= 20:
        is_identity = size >= 112 and buffer[start + 46] == 0
        for i in range(5):
            is_identity = is_identity and buffer[start + 13 + i] == buffer[start + 41 + i]
        if is_identity and looks_random(buffer, start + 47, start + 111):
            return SURE
        return NAMED if on_zerotier_port else 0
    if not on_zerotier_port or cipher not in (1, 3):
        return 0
    return NAMED if looks_random(buffer, start + 19, end) else 0


@njit(cache=True, nogil=True)
def nebula(buffer: Bytes, start: int, end: int, on_nebula_port: bool) -> int:
    """Version 1, a type, a subtype, two zero bytes, the peer's index, a counter of 8 bytes.

    A handshake's counter is the number of its message; the first knows no index, and shows keys.
    """
    size = end - start
    if size < 32 or buffer[start] >> 4 != 1 or not is_zero(buffer, start + 2, start + 4):
        return 0
    kind, subtype = buffer[start] & 15, buffer[start + 1]
    number = u32(buffer, start + 12)
    if not is_zero(buffer, start + 8, start + 12) or number == 0:
        return 0
    if kind == 0 and subtype == 0 and size >= 96 and looks_random(buffer, start + 16, start + 48):
        return SURE if number in (1, 2) and (u32(buffer, start + 4) == 0) == (number == 1) else 0
    is_known = on_nebula_port and kind in (1, 3, 4, 5) and subtype <= 1
    return LIKELY if is_known and looks_random(buffer, start + 16, end) else 0


@njit(cache=True, nogil=True)
def tinc(buffer: Bytes, start: int, end: int) -> bool:
    """Both ends greet with a line: request 0, the node's name, protocol 17 and perhaps a minor."""
    if not starts(buffer, start, end, b"0 "):
        return False
    at = start + 2
    while at < end and (
        48 <= buffer[at] <= 57 or 65 <= buffer[at] <= 90 or 97 <= buffer[at] <= 122
        or buffer[at] == 95 or buffer[at] == 94
    ):  # fmt: skip
        at += 1
    if at == start + 2 or not starts(buffer, at, end, b" 17"):
        return False
    at += 3
    if at < end and buffer[at] == 46:  # a dot, then the minor version
        at += 1
        while at < end and 48 <= buffer[at] <= 57:
            at += 1
    return at < end and buffer[at] == 10
