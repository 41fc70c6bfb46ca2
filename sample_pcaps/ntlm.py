"""NTLMSSP in SPNEGO (MS-NLMP, MS-SPNG): the three messages of a Windows logon."""

from __future__ import annotations

import struct
from random import Random

from sample_pcaps.asn1 import der, field, integer, octets, oid, sequence
from sample_pcaps.hospital import DOMAIN, NETBIOS_DOMAIN, Host

_SPNEGO = oid("1.3.6.1.5.5.2")
_NTLMSSP = oid("1.3.6.1.4.1.311.2.2.10")
_FLAGS = 0xE2888215
BUILDS = {"windows": (10, 0, 19045), "windows7": (6, 1, 7601), "linux": (6, 1, 0)}


def filetime(at_ns: int) -> int:
    """100 ns since 1601 (MS-DTYP)."""
    return at_ns // 100 + 116_444_736_000_000_000


def _version(host: Host) -> bytes:
    major, minor, build = BUILDS.get(host.system, (6, 1, 0))
    return struct.pack("<BBH3xB", major, minor, build, 15)


def _laid_out(head: int, parts: list[bytes]) -> tuple[list[bytes], bytes]:
    """Length, room and offset of each part, and the parts one after another."""
    fields, offset = [], head
    for part in parts:
        fields.append(struct.pack("<HHI", len(part), len(part), offset))
        offset += len(part)
    return fields, b"".join(parts)


def target_info(server: Host, at_ns: int) -> bytes:
    """The AV pairs in which a server names itself."""
    pairs = (
        (2, NETBIOS_DOMAIN.encode("utf-16-le")),
        (1, server.name.encode("utf-16-le")),
        (4, DOMAIN.encode("utf-16-le")),
        (3, server.fqdn.encode("utf-16-le")),
        (7, struct.pack("<Q", filetime(at_ns))),
        (0, b""),
    )
    return b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in pairs)


def mech_list() -> bytes:
    """The server's offer in its negotiate answer (NegTokenInit)."""
    return der(0x60, _SPNEGO, field(0, sequence(field(0, sequence(_NTLMSSP)))))


def negotiate(client: Host) -> bytes:
    """NEGOTIATE_MESSAGE in a NegTokenInit."""
    message = b"NTLMSSP\0" + struct.pack("<II", 1, _FLAGS) + b"\0" * 16 + _version(client)
    token = sequence(field(0, sequence(_NTLMSSP)), field(2, octets(message)))
    return der(0x60, _SPNEGO, field(0, token))


def challenge(server: Host, at_ns: int, random: Random) -> bytes:
    """CHALLENGE_MESSAGE in a NegTokenResp (accept-incomplete)."""
    name, info = NETBIOS_DOMAIN.encode("utf-16-le"), target_info(server, at_ns)
    (name_at, info_at), tail = _laid_out(56, [name, info])
    message = b"NTLMSSP\0" + struct.pack("<I", 2) + name_at + struct.pack("<I", _FLAGS)
    message += random.randbytes(8) + b"\0" * 8 + info_at + _version(server) + tail
    state = field(0, integer(1, 0x0A))
    return field(1, sequence(state, field(1, _NTLMSSP), field(2, octets(message))))


def authenticate(
    client: Host, server: Host, user: str, at_ns: int, random: Random, domain: str = NETBIOS_DOMAIN
) -> bytes:
    """AUTHENTICATE_MESSAGE in a NegTokenResp; the proof bytes are random."""
    info = target_info(server, at_ns)
    proof = random.randbytes(16) + struct.pack("<BBHIQ", 1, 1, 0, 0, filetime(at_ns))
    proof += random.randbytes(8) + b"\0" * 4 + info + b"\0" * 4
    names = [s.encode("utf-16-le") for s in (domain, user, client.name)]
    parts = [*names, b"\0" * 24, proof, random.randbytes(16)]
    (domain_at, user_at, host_at, lm_at, nt_at, key_at), tail = _laid_out(88, parts)
    message = b"NTLMSSP\0" + struct.pack("<I", 3) + lm_at + nt_at + domain_at + user_at + host_at
    message += key_at + struct.pack("<I", _FLAGS) + _version(client) + random.randbytes(16) + tail
    return field(1, sequence(field(0, integer(1, 0x0A)), field(2, octets(message))))


def accepted() -> bytes:
    """NegTokenResp, accept-completed."""
    return field(1, sequence(field(0, integer(0, 0x0A))))
