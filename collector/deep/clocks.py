"""Clocks that machines show in passing: SMB2's negotiation and Kerberos' errors."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from collector.decoders.decoder import seen
from collector.packet import Packet
from collector.sightings import Clock

_SMB2: Final = b"\xfeSMB"
_HEADER: Final = 4 + 64  # NetBIOS' length, then the SMB2 header (MS-SMB2 §2.2.1)
_SYSTEM_TIME: Final = _HEADER + 40  # §2.2.4
_START_TIME: Final = _HEADER + 48
_END: Final = _HEADER + 56
_FILETIME_EPOCH: Final = 116_444_736_000_000_000  # 1970 in 100 ns since 1601
_KRB_ERROR: Final = b"\x7e"  # [APPLICATION 30], RFC 4120 §5.9.1
#: [tag] KerberosTime: ctime is 2, stime 4; always 15 characters, in UTC.
_CTIME: Final = b"\xa2\x11\x18\x0f"
_STIME: Final = b"\xa4\x11\x18\x0f"
_NEAR: Final = 120  # bytes; both stand in front of the names


def may_tell_clock(payload: bytes) -> bool:
    """A quick look: an answer to SMB2's NEGOTIATE, or a Kerberos error over UDP or TCP."""
    if payload[4:8] == _SMB2:
        is_negotiate = payload[16:18] == b"\0\0"
        return is_negotiate and len(payload) >= _END and payload[20] & 1 == 1
    return _KRB_ERROR in (payload[:1], payload[4:5])


def read_clocks(packet: Packet) -> Iterator[Clock]:
    """The sender's clock, and of a Kerberos error also the clock of the client it answers."""
    payload = packet.payload
    if payload[4:8] == _SMB2:
        clock_ns = _filetime(payload[_SYSTEM_TIME:_START_TIME])
        if clock_ns > 0:
            started_ns = max(0, _filetime(payload[_START_TIME:_END]))
            yield Clock(**seen(packet), protocol="smb2", clock_ns=clock_ns, started_ns=started_ns)
        return
    if 88 not in (packet.source_port, packet.destination_port):
        return
    server_ns = _kerberos_time(payload, _STIME)
    if server_ns > 0:
        yield Clock(**seen(packet), protocol="kerberos", clock_ns=server_ns)
    client_ns = _kerberos_time(payload, _CTIME)
    if client_ns > 0:
        yield Clock(
            time_ns=packet.time_ns, sensor=packet.sensor, vlan=packet.vlan,
            mac=packet.destination_mac, ip=packet.destination, port=packet.destination_port,
            peer_mac=packet.source_mac, peer_ip=packet.source, peer_port=packet.source_port,
            protocol="kerberos", clock_ns=client_ns,
        )  # fmt: skip


def _filetime(eight: bytes) -> int:
    """100 ns since 1601, little-endian, as ns since 1970."""
    return (int.from_bytes(eight, "little") - _FILETIME_EPOCH) * 100


def _kerberos_time(payload: bytes, mark: bytes) -> int:
    """ns since 1970, to the second; 0 if it is not there. ValueError if it is no time."""
    at = payload.find(mark, 0, _NEAR)
    if at < 0:
        return 0
    text = payload[at + 4 : at + 19].decode("ascii")
    moment = datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000
