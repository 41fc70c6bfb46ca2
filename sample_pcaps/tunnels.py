"""Tunnels out of the building: IKEv2 with NAT traversal (RFC 7296, RFC 3948) and WireGuard."""

from __future__ import annotations

import struct

from sample_pcaps.hospital import Host
from sample_pcaps.wire import SECOND, Span

MILLI = 1_000_000
_SA, _KE, _NONCE, _NOTIFY, _SEALED = 33, 34, 40, 41, 46


def _payloads(parts: list[tuple[int, bytes]]) -> bytes:
    out = b""
    for position, (_, body) in enumerate(parts):
        following = parts[position + 1][0] if position + 1 < len(parts) else 0
        out += struct.pack("!BBH", following, 0, 4 + len(body)) + body
    return out


def _proposal() -> bytes:
    """AES-CBC-256, HMAC-SHA2-256, PRF-SHA2-256, group 14."""
    choices = ((1, 12, struct.pack("!HH", 0x800E, 256)), (3, 12, b""), (2, 5, b""), (4, 14, b""))
    transforms = b""
    for position, (kind, number, attribute) in enumerate(choices):
        more = 0 if position == len(choices) - 1 else 3
        size = 8 + len(attribute)
        transforms += struct.pack("!BBHBBH", more, 0, size, kind, 0, number) + attribute
    return struct.pack("!BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, 4) + transforms


class Ipsec:
    """A site-to-site tunnel: `inside` is the hospital's VPN router, `outside` the vendor's."""

    def __init__(self, span: Span, inside: Host, outside: Host) -> None:
        self.span, self.inside, self.outside = span, inside, outside
        r = span.random
        self._spis = (r.randbytes(8), r.randbytes(8))
        self._esp = (r.randbytes(4), r.randbytes(4))
        self._count = [0, 0]

    def open(self, at: int) -> int:
        """The vendor calls in: SA_INIT on 500, AUTH on 4500."""
        r = self.span.random
        for sender, flags, spi in ((1, 0x08, b"\0" * 8), (0, 0x20, self._spis[1])):
            parts = [(_SA, _proposal()), (_KE, struct.pack("!HH", 14, 0) + r.randbytes(256))]
            parts.append((_NONCE, r.randbytes(32)))
            for kind in (16388, 16389):
                parts.append((_NOTIFY, struct.pack("!BBH", 0, 0, kind) + r.randbytes(20)))
            self._send(at, sender, 500, self._message(34, flags, spi, 0, parts))
            at += 12 * MILLI
        for sender, flags in ((1, 0x08), (0, 0x20)):
            sealed = [(_SEALED, r.randbytes(16 + 240 + 16))]
            body = self._message(35, flags, self._spis[1], 1, sealed, inner=35 if sender else 36)
            self._send(at, sender, 4500, b"\0" * 4 + body)
            at += 12 * MILLI
        return at

    def carry(self, at: int, seconds: float, rate: float = 3.0) -> int:
        """ESP in UDP both ways, and the one-byte keepalive every 20 s."""
        end, keepalive = at + int(seconds * SECOND), at + 20 * SECOND
        while at < end:
            at += int(self.span.random.expovariate(rate) * SECOND)
            if at > keepalive:
                self._send(keepalive, 0, 4500, b"\xff")
                keepalive += 20 * SECOND
            self._esp_packet(at, 1, self.span.random.choice((84, 100, 132)))
            self._esp_packet(at + 5 * MILLI, 0, self.span.random.choice((100, 420, 1300)))
        return at

    def _esp_packet(self, at: int, sender: int, size: int) -> None:
        self._count[sender] += 1
        head = self._esp[sender] + struct.pack("!I", self._count[sender])
        self._send(at, sender, 4500, head + self.span.random.randbytes(size))

    def _message(
        self,
        exchange: int,
        flags: int,
        responder: bytes,
        number: int,
        parts: list[tuple[int, bytes]],
        inner: int = 0,
    ) -> bytes:
        body = _payloads(parts)
        if inner:
            body = bytes([inner]) + body[1:]
        head = self._spis[0] + responder
        head += struct.pack("!BBBBII", parts[0][0], 0x20, exchange, flags, number, 28 + len(body))
        return head + body

    def _send(self, at: int, sender: int, port: int, body: bytes) -> None:
        ends = (self.inside, self.outside)
        self.span.udp(at, ends[sender], port, ends[1 - sender], port, body)


def wireguard(span: Span, at: int, client: Host, peer: Host, seconds: float) -> int:
    """Handshakes every 120 s, data and keepalives between them."""
    r, port = span.random, span.ephemeral(client)
    end, rekey = at + int(seconds * SECOND), at
    theirs = ours = b""
    counters = [0, 0]
    while at < end:
        if at >= rekey:
            ours, theirs = r.randbytes(4), r.randbytes(4)
            counters = [0, 0]
            first = b"\x01\0\0\0" + ours + r.randbytes(124) + b"\0" * 16
            span.udp(at, client, port, peer, 51820, first)
            second = b"\x02\0\0\0" + theirs + ours + r.randbytes(64) + b"\0" * 16
            span.udp(at + 18 * MILLI, peer, 51820, client, port, second)
            at, rekey = at + 20 * MILLI, at + 120 * SECOND
        for outward in (True, False):
            size = 16 * r.choice((2, 6, 40, 84)) if outward else 16 * r.choice((2, 6, 20))
            body = b"\x04\0\0\0" + (theirs if outward else ours)
            body += struct.pack("<Q", counters[not outward]) + r.randbytes(size)
            counters[not outward] += 1
            ends = (client, port, peer, 51820) if outward else (peer, 51820, client, port)
            span.udp(at, *ends, body)
            at += 9 * MILLI
        at += int(r.expovariate(0.8) * SECOND)
    return at
