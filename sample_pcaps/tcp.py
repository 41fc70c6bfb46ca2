"""One TCP connection between two hosts, from handshake to FIN, with true numbers."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sample_pcaps.hospital import Host
from sample_pcaps.wire import STACKS, Span, checksum, pseudo_header

MILLI = 1_000_000
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


@dataclass
class _End:
    host: Host
    port: int
    next: int  # sequence number of the next byte to send
    unacked: int = 0  # segments received since the last acknowledgement


class Tcp:
    """A connection; `now` is its clock in ns, moved on by every packet and by `wait`."""

    def __init__(
        self,
        span: Span,
        client: Host,
        server: Host,
        port: int,
        at: int,
        *,
        delay_ms: float = 0.3,
        mss: int = 0,
    ) -> None:
        r = span.random
        self.span, self.now, self.delay = span, at, int(delay_ms * MILLI)
        self.client = _End(client, span.ephemeral(client), r.randrange(1 << 32))
        self.server = _End(server, port, r.randrange(1 << 32))
        self.timestamps = STACKS[client.system].timestamps and STACKS[server.system].timestamps
        self.mss = mss or (1448 if self.timestamps else 1460)
        self._clock = r.randrange(1 << 30)

    def open(self) -> Tcp:
        self._emit(self.client, SYN)
        self._emit(self.server, SYN | ACK)
        self._emit(self.client, ACK)
        return self

    def probe(self, answer: str) -> Tcp:
        """Only knock: `answer` is "" (silence), "refused" or "open" (then the client resets)."""
        self._emit(self.client, SYN)
        if answer == "":
            for pause in (1000, 2000):
                self.wait(pause / 1000)
                self.client.next -= 1
                self._emit(self.client, SYN)
        elif answer == "refused":
            self._emit(self.server, RST | ACK)
        else:
            self._emit(self.server, SYN | ACK)
            self._emit(self.client, RST | ACK)
        return self

    def send(self, data: bytes, *, cut: int = 0) -> Tcp:
        """Client to server. With `cut`, only so many bytes of each segment are captured."""
        return self._stream(self.client, self.server, data, cut)

    def reply(self, data: bytes, *, cut: int = 0) -> Tcp:
        """Server to client."""
        return self._stream(self.server, self.client, data, cut)

    def wait(self, seconds: float) -> Tcp:
        self.now += int(seconds * 1e9)
        return self

    def close(self) -> Tcp:
        self._settle()
        self._emit(self.client, FIN | ACK)
        self._emit(self.server, ACK)
        self._emit(self.server, FIN | ACK)
        self._emit(self.client, ACK)
        return self

    def reset(self) -> Tcp:
        self._settle()
        self._emit(self.client, RST | ACK)
        return self

    def _stream(self, sender: _End, receiver: _End, data: bytes, cut: int) -> Tcp:
        for start in range(0, len(data), self.mss):
            piece = data[start : start + self.mss]
            last = start + self.mss >= len(data)
            self._emit(sender, (PSH if last else 0) | ACK, piece, cut)
            receiver.unacked += 1
            if receiver.unacked == 2 and not last:
                self._emit(receiver, ACK)
        return self

    def _settle(self) -> None:
        for end in (self.client, self.server):
            if end.unacked:
                self.now += 40 * MILLI  # delayed acknowledgement
                self._emit(end, ACK)

    def _emit(self, sender: _End, flags: int, data: bytes = b"", cut: int = 0) -> None:
        receiver = self.server if sender is self.client else self.client
        stack = STACKS[sender.host.system]
        options = b""
        window = 1026 if not self.timestamps else 501
        if flags & SYN:
            options, window = stack.syn_options, stack.window
            if b"{ts}" in options:
                other = STACKS[receiver.host.system].timestamps
                stamp = struct.pack("!II", self._tick(sender), 0)
                options = options.replace(b"{ts}", stamp)
                if flags & ACK and not other:
                    options = options[:6] + b"\x01\x01" + options[16:]
            if flags & ACK and len(STACKS[receiver.host.system].syn_options) == 4:
                options = options[:4]  # the client offered nothing but its MSS
        elif self.timestamps and not flags & RST:
            stamps = struct.pack("!II", self._tick(sender), self._tick(receiver))
            options = b"\x01\x01\x08\x0a" + stamps
        options += b"\0" * (-len(options) % 4)
        size = 5 + len(options) // 4
        ack = receiver.next if flags & ACK else 0
        head = struct.pack(
            "!HHIIBBHHH",
            *(sender.port, receiver.port, sender.next, ack, size << 4, flags, window, 0, 0),
        )
        segment = head + options + data
        total = checksum(pseudo_header(sender.host, receiver.host, 6, segment))
        segment = segment[:16] + struct.pack("!H", total) + segment[18:]
        kept = len(head) + len(options) + cut if cut else 0
        self.span.ip(self.now, sender.host, receiver.host, 6, segment, cut=kept)
        sender.next = (sender.next + len(data) + (1 if flags & (SYN | FIN) else 0)) & 0xFFFFFFFF
        sender.unacked = 0
        jitter = self.span.random.uniform(0.5, 1.5)
        self.now += int(self.delay * jitter * (1 if not data else 0.6)) + 1000

    def _tick(self, end: _End) -> int:
        offset = 0 if end is self.client else 77_777
        return (self._clock + offset + self.now // MILLI) & 0xFFFFFFFF
