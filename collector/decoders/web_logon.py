"""Logons with a name and a password in HTTP's fields (Basic RFC 7617, Digest RFC 7616): whose."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Final

from collector.decoders.decoder import Seen
from collector.decoders.wire import readable
from collector.sightings import WebLogon

_SCHEMES: Final = ("basic", "digest")
_USERNAME: Final = re.compile(r'username="((?:[^"\\]|\\.){1,128})"')


def read_name(value: str, seen: Seen) -> Iterator[WebLogon]:
    """Who a client says it is; of what follows the name nothing is kept."""
    scheme, _, rest = value.partition(" ")
    if scheme.lower() == "basic":
        text = rest.strip()
        try:
            name, colon, _ = binascii.a2b_base64(text[: len(text) // 4 * 4]).partition(b":")
        except ValueError:
            return
        if colon and name:
            yield WebLogon(**seen, message="asked", user=readable(name))
    elif scheme.lower() == "digest" and (named := _USERNAME.search(rest)):
        yield WebLogon(**seen, message="asked", user=named[1])


def read_answer(first: bytes, value: str, seen: Seen) -> Iterator[WebLogon]:
    """A server's 401 that wants such a logon and takes none so far."""
    if first[9:12] == b"401" and value.partition(" ")[0].lower() in _SCHEMES:
        yield WebLogon(**seen, message="refused")
