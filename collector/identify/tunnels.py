"""VPNs and tunnels: IKE, ESP in UDP, L2TP, PPTP, FRP, SOCKS and others, by their own headers.

OpenVPN and the mesh VPNs (WireGuard and its kin) have files of their own.

A false label here becomes a false alarm, so that each check asks for all that the header fixes.
"""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from numba import njit

from collector.apps import APP_CODE
from collector.identify.meshes import mesh_udp, tinc, wireguard
from collector.identify.openvpn import is_scrambled_reset, openvpn
from collector.identify.wire import (
    LIKELY,
    NAMED,
    NOTHING,
    SHAPED,
    SURE,
    Bytes,
    each,
    find,
    first_bytes,
    is_text,
    is_zero,
    on,
    starts,
    u16,
    u32,
)

IKEV1, IKEV2 = APP_CODE["ikev1"], APP_CODE["ikev2"]
IKEV1_AGGRESSIVE = APP_CODE["ikev1_aggressive"]
NAT_T, OPENVPN, WIREGUARD = APP_CODE["nat_t"], APP_CODE["openvpn"], APP_CODE["wireguard"]
VPN_SERVICE, L2TP, PPTP = APP_CODE["vpn_service"], APP_CODE["l2tp"], APP_CODE["pptp"]
SOFTETHER, FRP, CLOUDFLARED = APP_CODE["softether"], APP_CODE["frp"], APP_CODE["cloudflared"]
SOCKS, TEREDO, TINC = APP_CODE["socks"], APP_CODE["teredo"], APP_CODE["tinc"]
GLOBALPROTECT = APP_CODE["globalprotect"]

#: IKEv1's exchange type that RFC 2408 §3.1 calls aggressive.
_AGGRESSIVE = 4


@njit(cache=True, nogil=True)
def tunnel_udp(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int
) -> tuple[int, int]:
    size = end - start
    on_ike_port = on(source_port, destination_port, 500) or on(source_port, destination_port, 4500)
    app = ike(buffer, start, end, on_ike_port)
    if app:
        return app, SURE
    if on(source_port, destination_port, 4500) and size > 32 and is_zero(buffer, start, start + 4):
        app = ike(buffer, start + 4, end, True)
        if app:
            return app, SURE
    app, confidence = mesh_udp(buffer, start, end, source_port, destination_port)
    if app:
        return app, confidence
    confidence = openvpn(buffer, start, end, on(source_port, destination_port, 1194))
    if confidence:
        return OPENVPN, confidence
    confidence = l2tp(buffer, start, end, on(source_port, destination_port, 1701))
    if confidence:
        return L2TP, confidence
    return _tunnel_udp_on_port(buffer, start, end, source_port, destination_port)


@njit(cache=True, nogil=True)
def _tunnel_udp_on_port(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int
) -> tuple[int, int]:
    """Weaker headers that count only on their registered port."""
    size = end - start
    if starts(buffer, start, end, b"IP=") and find(buffer, start, end, b",PORT=") > 0:
        return SOFTETHER, NAMED
    if size == 1 and buffer[start] == 0x41 and on(source_port, destination_port, 5004):
        return SOFTETHER, LIKELY
    if on(source_port, destination_port, 4500):
        if size == 1 and buffer[start] == 0xFF:
            return NAT_T, SHAPED
        if size >= 28 and u32(buffer, start) > 255 and u32(buffer, start + 4) < 1 << 28:
            return NAT_T, LIKELY
    if on(source_port, destination_port, 7844) and size >= 1200 and buffer[start] & 0xC0 == 0xC0:
        return CLOUDFLARED, SHAPED
    if on(source_port, destination_port, 4501) and size >= 28 and u32(buffer, start + 4) < 1 << 28:
        return GLOBALPROTECT, LIKELY
    if on(source_port, destination_port, 3544) and size >= 40:
        at = start
        if starts(buffer, start, end, b"\x00\x01"):  # authentication first, RFC 4380 §5.1.1
            at += 4 + buffer[start + 2] + buffer[start + 3] + 9
        if at + 8 <= end and starts(buffer, at, end, b"\x00\x00"):  # then origin indication
            at += 8
        if at + 40 <= end and buffer[at] >> 4 == 6 and u16(buffer, at + 4) == end - at - 40:
            return TEREDO, SURE
    if is_lightway(buffer, start, end):
        return VPN_SERVICE, NAMED
    return (OPENVPN, SHAPED) if is_scrambled_reset(buffer, start, end) else NOTHING


#: FRP's logins, tinc's request, SOCKS' versions.
_TCP_FIRST = first_bytes(*each(b"\x17o\x000\x04\x05"))


@njit(cache=True, nogil=True)
def tunnel_tcp(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int, is_reply: bool
) -> tuple[int, int]:
    size = end - start
    if size >= 12 and u16(buffer, start + 2) == 1 and u32(buffer, start + 4) == 0x1A2B3C4D:
        return PPTP, SURE
    if size >= 16 and 14 <= u16(buffer, start) <= size - 2:
        # On TCP a two-byte length stands before each OpenVPN packet.
        stop = start + 2 + u16(buffer, start)
        confidence = openvpn(
            buffer, start + 2, stop, on(source_port, destination_port, 1194) and stop == end
        )
        if confidence:
            return OPENVPN, confidence
        if stop == end:
            app, confidence = _datagram_in_tcp(buffer, start + 2, end)
            if app:
                return app, confidence
    if is_ike_in_tcp(buffer, start, end):
        return IKEV2, SURE
    if not _TCP_FIRST[buffer[start]]:
        return NOTHING
    if frp(buffer, start, end, on(source_port, destination_port, 7000)):
        return FRP, NAMED
    if tinc(buffer, start, end):
        return TINC, SURE
    confidence = socks(buffer, start, end, source_port, destination_port, is_reply)
    if confidence:
        return SOCKS, confidence
    return NOTHING


@njit(cache=True, nogil=True)
def _datagram_in_tcp(buffer: Bytes, at: int, end: int) -> tuple[int, int]:
    """What a relay puts behind a two-byte length where UDP does not pass."""
    if wireguard(buffer, at, end, 0, 0) == SURE:
        return WIREGUARD, SURE
    return (OPENVPN, SHAPED) if is_scrambled_reset(buffer, at, end) else NOTHING


@njit(cache=True, nogil=True)
def is_ike_in_tcp(buffer: Bytes, start: int, end: int) -> bool:
    """RFC 9329 §3-4: a stream prefix; then a length, four zero bytes and IKE."""
    if starts(buffer, start, end, b"IKETCP"):
        return True
    size = end - start
    if size < 34 or u16(buffer, start) > size or not is_zero(buffer, start + 2, start + 6):
        return False
    return ike(buffer, start + 6, start + u16(buffer, start), False) != 0


@njit(cache=True, nogil=True)
def is_lightway(buffer: Bytes, start: int, end: int) -> bool:
    """ExpressVPN's Lightway: `He`, a version, a session of 8 bytes, then a DTLS record."""
    if not starts(buffer, start, end, b"He") or end - start < 30:
        return False
    is_dtls = 20 <= buffer[start + 16] <= 25 and buffer[start + 17] == 0xFE
    return is_dtls and buffer[start + 18] in (0xFF, 0xFD, 0xFC)


@njit(cache=True, nogil=True)
def ike(buffer: Bytes, at: int, end: int, on_ike_port: bool) -> int:
    """RFC 2408 §3.1 and RFC 7296 §3.1: the header fixes version, exchange, flags and length."""
    size = end - at
    if size < 28 or is_zero(buffer, at, at + 8):
        return 0
    length = u32(buffer, at + 24)
    if length < 28 or length > 65535 or (length != size and not (on_ike_port and length > size)):
        return 0
    next_payload, version = buffer[at + 16], buffer[at + 17]
    exchange, flags = buffer[at + 18], buffer[at + 19]
    if version == 0x10 and flags & 0xF8 == 0 and (1 <= exchange <= 6 or 32 <= exchange <= 33):
        known = next_payload <= 33 or next_payload >= 128
        if known and exchange == _AGGRESSIVE:
            return IKEV1_AGGRESSIVE
        return IKEV1 if known and (on_ike_port or exchange != 5) else 0
    if version == 0x20 and flags & 0xC7 == 0 and (34 <= exchange <= 38 or 43 <= exchange <= 44):
        return IKEV2 if next_payload == 0 or 33 <= next_payload <= 54 else 0
    return 0


@njit(cache=True, nogil=True)
def l2tp(buffer: Bytes, start: int, end: int, on_l2tp_port: bool) -> int:
    """RFC 2661 §3.1: control messages set T, L and S; data messages only on port 1701."""
    size = end - start
    if size < 8:
        return 0
    flags = u16(buffer, start)
    if flags == 0xC802 and size >= 12 and u16(buffer, start + 2) == size:
        if size == 12:  # a zero-length body acknowledges
            return SURE if on_l2tp_port else 0
        has_message_type = size >= 20 and u16(buffer, start + 12) & 0x3FF == 8
        return SURE if has_message_type and u32(buffer, start + 14) == 0 else 0
    if flags == 0xC803 and size >= 12 and u16(buffer, start + 2) == size:
        return SURE if on_l2tp_port else 0
    if on_l2tp_port and flags & 0xBCF0 == 0 and flags & 15 in (2, 3):
        return SHAPED
    return 0


@njit(cache=True, nogil=True)
def frp(buffer: Bytes, start: int, end: int, on_frp_port: bool) -> bool:
    """A 0x17 before the TLS hello (default before 0.50), a clear login, or yamux on port 7000."""
    if starts(buffer, start, end, b"\x17\x16\x03") and end - start > 10:
        return buffer[start + 6] == 1
    if starts(buffer, start, end, b"o\x00\x00\x00\x00\x00\x00"):
        return starts(buffer, start + 9, end, b'{"version":"')
    if on_frp_port and end - start >= 12:
        return starts(buffer, start, end, b"\x00\x01\x00\x01\x00\x00\x00\x01")
    return False


@njit(cache=True, nogil=True)
def socks(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int, is_reply: bool
) -> int:
    """RFC 1928 §3 greeting, or a SOCKS4 request: short, and complete to the last byte."""
    size = end - start
    on_proxy_port = on(source_port, destination_port, 1080)
    if size >= 2 and buffer[start] == 5 and not is_reply:
        count = buffer[start + 1]
        if size == 2 + count and 1 <= count <= 8:
            for i in range(start + 2, end):
                if buffer[i] > 9 and buffer[i] < 0x80:
                    return 0
            return NAMED if on_proxy_port or buffer[start + 2] in (0, 2) else LIKELY
    if size == 2 and buffer[start] == 5 and is_reply and on_proxy_port:
        return SHAPED if buffer[start + 1] in (0, 1, 2, 0xFF) else 0
    if size >= 9 and buffer[start] == 4 and buffer[start + 1] in (1, 2) and not is_reply:
        return _socks4(buffer, start, end)
    return 0


@njit(cache=True, nogil=True)
def _socks4(buffer: Bytes, start: int, end: int) -> int:
    """Port, address, then a user's name (and in 4a a host's) that ends with zero."""
    address = u32(buffer, start + 4)
    if buffer[end - 1] != 0 or u16(buffer, start + 2) == 0 or address == 0:
        return 0
    stop = start + 8
    while buffer[stop] != 0:
        stop += 1
    is_whole = stop == end - 1 or address < 256
    return SHAPED if is_whole and is_text(buffer, start + 8, stop) else 0
