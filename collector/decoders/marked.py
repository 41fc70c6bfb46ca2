"""Bytes that an exploit shows, or what it brings: overlong heartbeats, shells, programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final

from collector.decoders.decoder import Decoder, seen
from collector.decoders.wire import readable
from collector.packet import Packet, Pick
from collector.sightings import AttackBytes, Sighting

_HEARTBEAT: Final = 24
_HEARTBEAT_REQUEST, _PADDING = 1, 16
_COMPRESSED: Final = b"\xfcSMB"
#: MS-SMB2 §2.2.42: no message that a server accepts unpacks to more than 8 MiB.
_MOST_UNPACKED: Final = 1 << 24
#: What a command interpreter writes when it starts, or answers to the first commands.
_SHELL: Final = re.compile(
    rb"\s{0,4}(?:Microsoft Windows (?:\[|XP \[|2000 \[)|PS [A-Z]:\\[^\r\n]{0,200}> ?$"
    rb"|[A-Z]:\\[^\r\n<>|\"]{0,200}>\s{0,2}$|Windows PowerShell(?: running as user|\r?\nCopyright)"
    rb"|uid=\d+\([\w.-]+\) gid=\d+|(?:/bin/)?(?:ba|da)?sh: (?:0: can't access tty|no job control)"
    rb"|bash: cannot set terminal process group|Linux \S{1,64} \d+\.\d+\.\d+\S* #\d)"
)
#: Mining: a pool's first request (Stratum, its Monero dialect), a Bitcoin node's version message.
_MINING: Final = re.compile(
    rb"\{.{0,120}\"method\" ?: ?\"(?:mining\.(?:subscribe|authorize|configure)|eth_submitLogin|"
    rb"login)\""
    rb".{0,300}(?:params|agent|xmrig)|\xf9\xbe\xb4\xd9version\x00",
    re.S,
)
_SCRIPT: Final = re.compile(rb"#! ?/(?:usr/)?bin/(?:env )?(?:ba|da|z|k)?sh\b")
#: How position-independent code of the common frameworks begins (x86, x64), and a run of NOPs.
_CODE: Final = re.compile(
    rb"\xfc\xe8[\x80-\x90]\x00\x00\x00\x60|\xfc\x48\x83\xe4\xf0|\x90{16}"
    rb"|\xd9\xeb\x9b\xd9\x74\x24\xf4"
)


def program_format(body: bytes) -> str:
    """ "pe", "elf" or "script" where these bytes begin a program, else ""."""
    if body[:2] == b"MZ" and len(body) >= 64:
        at = int.from_bytes(body[60:64], "little")
        if (
            body[at : at + 4] == b"PE\0\0"
            or b"DOS mode" in body[:512]
            or b"must be run" in body[:512]
        ):
            return "pe"
    if _SCRIPT.match(body):
        return "script"
    if body[:4] == b"\x7fELF" and body[4:5] in (b"\1", b"\2") and body[5:6] in (b"\1", b"\2"):
        return "elf"
    return ""


class MarkedDecoder(Decoder):
    """Tells which mark a packet carries, if it carries one at all.

    The fast lane picks by a few first bytes only; here they are read whole. Of a shell no command
    and no answer is kept, only that there is one.
    """

    pick: ClassVar[Pick] = Pick.MARKED

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        payload = packet.payload
        mark, size, what = "", len(payload), ""
        if payload[:1] == bytes([_HEARTBEAT]) and payload[1:2] == b"\3":
            mark, size = _heartbeat(payload)
        elif payload[4:8] == _COMPRESSED:
            mark = "smbghost" if _is_absurd(payload[4:]) else ""
        elif program_format(payload):
            mark, what = "raw_program", program_format(payload)
        elif program_format(payload[4:]):
            mark, what = "staged_program", program_format(payload[4:])
        elif _CODE.match(payload) or _CODE.match(payload, 4):
            mark = "code"
        elif _MINING.match(payload):
            mark = "mining"
        else:
            shell = _SHELL.match(payload)
            if shell:
                mark, what = "shell", readable(shell[0][:20].strip())
        if mark:
            yield AttackBytes(**seen(packet), mark=mark, size=size, format=what)


def _heartbeat(payload: bytes) -> tuple[str, int]:
    """RFC 6520 §4: a request whose payload does not fit its record reads the server's memory.

    Under encryption only the record's size can be seen, which the detector compares.
    """
    length = int.from_bytes(payload[3:5], "big")
    kind, claimed = payload[5:6], int.from_bytes(payload[6:8], "big")
    if kind == bytes([_HEARTBEAT_REQUEST]) and claimed + 3 + _PADDING > length:
        return "heartbleed", length
    return "heartbeat", length


def _is_absurd(header: bytes) -> bool:
    """CVE-2020-0796: original size plus offset overflow, or the offset lies outside the message."""
    unpacked = int.from_bytes(header[4:8], "little")
    offset = int.from_bytes(header[12:16], "little")
    is_chained = header[10:12] == b"\1\0"
    return unpacked >= _MOST_UNPACKED or (not is_chained and offset >= _MOST_UNPACKED)
