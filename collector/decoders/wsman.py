"""What a WS-Management request (DSP0226, MS-WSMV) asks of a Windows host, as far as it is open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from collector.decoders.wire import header_fields

#: Where Windows and its Exchange servers listen for remote shells. Below /wsman/ events are
#: collected, which every member of a domain does.
PATHS: Final = frozenset({"/wsman", "/powershell"})
#: How much of a body is looked at: the action stands in its head.
_LONGEST: Final = 8192
_SHELLS: Final = (b"/windows/shell", b"/powershell/microsoft.powershell")
_WMI: Final = b"/wsman/1/wmi/"


def is_remote_shell(method: str, path: str) -> bool:
    """A request to where remote shells are asked for."""
    return method == "POST" and path.rstrip("/").lower() in PATHS


def is_cut(payload: bytes) -> bool:
    """Does a request for a remote shell go on, with what it asks not yet said?"""
    if not payload.startswith(b"POST /"):
        return False
    first, fields = header_fields(payload)
    path = first[5:].split(b" ", 1)[0].split(b"?", 1)[0]
    if not is_remote_shell("POST", path.decode("ascii", "replace")):
        return False
    _, end, body = payload.partition(b"\r\n\r\n")
    if not end:
        return True
    length = fields.get("content-length", "")
    is_short = length.isdecimal() and len(body) < min(int(length[:9]), _LONGEST)
    return is_short and wsman_call(fields, body) == "other"


def wsman_call(fields: Mapping[str, str], body: bytes) -> str:
    """One word: `sealed`, `logon`, `shell`, `command`, `process`, `wmi`, `identify` or `other`.

    `sealed` is a body that the logon encrypts (MS-WSMV §2.2.9.1), `process` a program started by
    WMI's Win32_Process. Of a body that follows in other segments the decoder tells `head` first.
    """
    if "session-encrypted" in fields.get("content-type", "").lower():
        return "sealed"
    if fields.get("content-length") == "0":
        return "logon"
    said = body[:_LONGEST].lower()
    if _WMI in said:
        return "process" if b"win32_process/create" in said else "wmi"
    if any(shell in said for shell in _SHELLS):
        is_command = b"/windows/shell/command" in said or b"/windows/shell/send" in said
        return "command" if is_command else "shell"
    return "identify" if b"wsmanidentity" in said else "other"
