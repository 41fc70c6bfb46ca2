"""NTLM logons in HTTP's fields (RFC 4559, MS-NTHT): who logs on, from where, who is refused."""

from __future__ import annotations

import binascii
import struct
from collections.abc import Iterator

from collector.decoders.decoder import Seen
from collector.decoders.wire import readable
from collector.sightings import Ntlm

_SIGNATURE = b"NTLMSSP\0"
_NEGOTIATE, _CHALLENGE, _AUTHENTICATE = 1, 2, 3
_UNICODE = 1
_SCHEMES = ("ntlm", "negotiate")
_NAMES_AT = 28  # domain, user and workstation of an AUTHENTICATE message (MS-NLMP §2.2.1.3)


def read_authorization(value: str, seen: Seen) -> Iterator[Ntlm]:
    """The NTLM message that a client sends, bare or in SPNEGO; nothing where there is none.

    The field may be cut off, as the names stand before the long responses.
    """
    message = _message(value)
    if len(message) < 12:
        return
    kind = struct.unpack_from("<I", message, 8)[0]
    if kind == _NEGOTIATE:
        yield Ntlm(**seen, message="negotiate")
    elif kind == _AUTHENTICATE and len(message) >= 64:
        is_unicode = struct.unpack_from("<I", message, 60)[0] & _UNICODE
        domain, user, workstation = (
            _name(message, _NAMES_AT + 8 * place, bool(is_unicode)) for place in range(3)
        )
        yield Ntlm(
            **seen, message="authenticate", user=user, domain=domain, workstation=workstation
        )


def read_refusal(first: bytes, value: str, seen: Seen) -> Iterator[Ntlm]:
    """What a server's 401 says: its challenge, or that it wants a logon and takes none so far."""
    if first[9:12] != b"401" or value.partition(" ")[0].lower() not in _SCHEMES:
        return
    message = _message(value)
    if not message:
        yield Ntlm(**seen, message="refused")
    elif len(message) >= 32 and message[8] == _CHALLENGE:
        yield Ntlm(**seen, message="challenge", challenge=message[24:32].hex())


def _message(value: str) -> bytes:
    """The NTLM message of a field's token; empty where there is none."""
    scheme, _, text = value.partition(" ")
    if scheme.lower() not in _SCHEMES:
        return b""
    text = text.strip()
    try:
        token = binascii.a2b_base64(text[: len(text) // 4 * 4])
    except ValueError:
        return b""
    at = token.find(_SIGNATURE)
    return token[at:] if at >= 0 else b""


def _name(message: bytes, at: int, is_unicode: bool) -> str:
    """A name by its length and offset; empty where the message ends before it does."""
    length, _, offset = struct.unpack_from("<HHI", message, at)
    raw = message[offset : offset + length]
    if len(raw) < length or not raw:
        return ""
    return readable(raw.decode("utf-16-le", "replace").encode() if is_unicode else raw)
