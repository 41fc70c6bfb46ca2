"""Other monitors' records: syslog over UDP and TCP, and files that are written to."""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from collector.flows import FlowBatch, address_text
from collector.sightings import Sighting
from collector.sources.source import Parcel, Post, Source, SourceHealth
from collector.words import Text

if TYPE_CHECKING:
    from collector.monitors.records import Record
    from collector.monitors.times import Header

_WAIT_S: Final = 0.2
_MOST_CLIENTS: Final = 64
_MOST_RECORDS_PER_S: Final = 2000
_PIECE: Final = 1 << 16


class SyslogListener(Source):
    """Takes records (CEF, LEEF, FortiGate, AX-Network-Manager, Windows 6416 …) over UDP and TCP.

    Only senders that are named may speak. What tells of a new device, a modem, a mobile line, a
    login or a changed clock becomes evidence; the rest is counted and dropped.
    """

    kind: Literal["syslog"]

    address: str = Field("0.0.0.0", description='address to listen on; "::" for IPv6 and IPv4')  # noqa: S104 - a collector listens
    port: int = Field(5514, ge=0, le=65_535, description="below 1024 needs a right of its own")
    allow: tuple[IPv4Network | IPv6Network, ...] = Field(
        min_length=1, description="senders that may speak, such as 10.1.0.0/24"
    )

    @property
    def name(self) -> str:
        return f"syslog {self.address} {self.port}"

    def run(self, post: Post) -> None:
        from collector.live.receiving import Receiver

        health = post.health[self.name] = SourceHealth(self.kind)
        receiver = Receiver(self.address, self.port, 4 << 20)
        taking = _Taking(self, post)
        with _Streams(self.address, receiver.port, taking) as streams:
            health.counts["port"] = receiver.port
            post.tell(self.name, "up")
            while not post.ending.is_set():
                received = receiver.receive(int(_WAIT_S * 1000))
                if received is not None:
                    spans = zip(received.offset.tolist(), received.length.tolist(), strict=True)
                    for (at, size), sender in zip(spans, received.sender.tolist(), strict=True):
                        record = received.buffer[at : at + size].tobytes()
                        taking.take(record, address_text(*sender))
                streams.poll()
                taking.give()
                health.dropped = receiver.dropped()
        receiver.close()


class EventFile(Source):
    """Follows a file to which another program writes one record a line; from its end at first.

    Where it stopped is kept over a restart; a file that was replaced is read from its start.
    """

    kind: Literal["event_file"]

    path: Path = Field(description="the file that is followed")

    @property
    def name(self) -> str:
        return f"event_file {self.path}"

    def run(self, post: Post) -> None:
        health = post.health[self.name] = SourceHealth(self.kind)
        notes, taking = post.notebook(self.name), _Taking(self, post)
        kept = notes.get("at")
        while not post.ending.wait(_WAIT_S):
            try:
                told = self.path.stat()
                at = _resume(kept, told.st_ino, told.st_size)
                with self.path.open("rb") as file:
                    file.seek(at)
                    lines = file.read(1 << 20)
            except OSError as fault:
                why = Text(
                    f"{self.path} を読めません（{fault.strerror}）。",
                    f"{self.path}: {fault.strerror}",
                )
                post.tell(self.name, "down", why)
                continue
            post.tell(self.name, "up")
            whole = lines[: lines.rfind(b"\n") + 1]
            for line in whole.splitlines():
                taking.take(line, "", is_limited=False)
            now = f"{told.st_ino} {at + len(whole)}"
            if now != kept:
                kept = now
                taking.give(stored=now, notes=notes.put)
            health.last_ns = time.time_ns() if whole else health.last_ns


def _resume(kept: str, inode: int, size: int) -> int:
    """Where to read on: the end of a file never seen, the start of one that was replaced."""
    if not kept:
        return size
    known, at = map(int, kept.split())
    return at if known == inode and at <= size else 0


class _Taking:
    """Records become sightings, within a limit a second."""

    def __init__(self, source: SyslogListener | EventFile, post: Post) -> None:
        self._name, self._post = source.name, post
        self._allow = source.allow if isinstance(source, SyslogListener) else ()
        self._found: list[Sighting] = []
        self._traffic: list[tuple[Record, Header]] = []
        self._unread: Counter[str] = Counter()
        self._second = self._count = 0

    def take(self, raw: bytes, sender: str, is_limited: bool = True) -> None:
        from collector.monitors.events import event_of
        from collector.monitors.records import read_record
        from collector.monitors.times import Header
        from collector.monitors.traffic import is_traffic

        health, now_ns = self._post.health[self._name], time.time_ns()
        if self._allow and not _is_in(sender, self._allow):
            self._add("refused")
            why = Text(
                f"{sender} がログを送っていますが、設定の allow にありません。",
                f"{sender} sends records and is not in allow",
            )
            self._post.tell(self._name, "refused", why)
            return
        if now_ns // 1_000_000_000 != self._second:
            self._second, self._count = now_ns // 1_000_000_000, 0
        self._count += 1
        if is_limited and self._count > _MOST_RECORDS_PER_S:
            self._add("flooding")
            return
        health.packets += 1
        health.bytes += len(raw)
        health.last_ns = now_ns
        try:
            record = read_record(raw)
            event = event_of(record, sender, now_ns, self._post.settings.sensor)
        except ValueError:
            self._add("malformed")
            return
        if event is not None:
            self._add("events")
            self._found.append(event)
        if is_traffic(record):
            self._add("flows")
            self._traffic.append((record, Header(now_ns, sender)))

    def give(self, stored: str = "", notes: object = None) -> None:
        """Hand over what was found; for a file, note how far it was read once that is stored."""
        tell = (lambda: notes("at", stored)) if callable(notes) else None
        if self._found or self._traffic or tell:
            found, self._found = tuple(self._found), []
            flows = FlowBatch.empty()
            if self._traffic:
                from collector.monitors.traffic import flows_of_records

                flows, self._traffic = flows_of_records(self._traffic, self._unread), []
                self._post.add_counts(self._name, Counter(), self._unread)
            parcel = Parcel(self._name, time.time_ns(), flows, found, is_last=True, stored=tell)
            self._post.put(parcel, may_wait=True)

    def _add(self, what: str) -> None:
        counts = self._post.health[self._name].counts
        counts[what] = counts.get(what, 0) + 1


def _is_in(sender: str, allowed: Sequence[IPv4Network | IPv6Network]) -> bool:
    address = ip_address(sender)
    return any(address.version == net.version and address in net for net in allowed)


class _Streams:
    """TCP: records end with a line feed, or say their length first (RFC 6587)."""

    def __init__(self, address: str, port: int, taking: _Taking) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listening = socket.create_server((address, port), family=family, backlog=16)
        self._listening.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._clients: dict[socket.socket, tuple[str, bytearray]] = {}
        self._taking = taking

    def __enter__(self) -> _Streams:
        return self

    def __exit__(self, *_: object) -> None:
        for client in list(self._clients):
            self._drop(client)
        self._selector.close()
        self._listening.close()

    def poll(self) -> None:
        """Take what has come, without waiting."""
        for key, _ in self._selector.select(0):
            client = key.fileobj
            assert isinstance(client, socket.socket)
            if client is self._listening:
                self._accept()
            else:
                self._read(client)

    def _accept(self) -> None:
        with suppress(OSError):
            client, sender = self._listening.accept()
            if len(self._clients) >= _MOST_CLIENTS:
                client.close()
                return
            client.setblocking(False)
            address = sender[0].removeprefix("::ffff:")
            self._clients[client] = address, bytearray()
            self._selector.register(client, selectors.EVENT_READ)

    def _read(self, client: socket.socket) -> None:
        sender, waiting = self._clients[client]
        try:
            piece = client.recv(_PIECE)
        except OSError:
            piece = b""
        waiting += piece
        for record in _records(waiting):
            self._taking.take(record, sender)
        if not piece or len(waiting) > _PIECE:
            self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        del self._clients[client]
        self._selector.unregister(client)
        client.close()


def _records(waiting: bytearray) -> list[bytes]:
    """Take the whole records off the front."""
    found = []
    while waiting:
        head, space, _ = waiting[:6].partition(b" ")
        if space and head.isdigit():
            start, size = len(head) + 1, int(head)
            if len(waiting) < start + size:
                break
            found.append(bytes(waiting[start : start + size]))
            del waiting[: start + size]
            continue
        end = waiting.find(b"\n")
        if end < 0:
            break
        if end:
            found.append(bytes(waiting[:end]))
        del waiting[: end + 1]
    return found
