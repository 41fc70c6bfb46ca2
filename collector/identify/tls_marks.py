"""Tools that a TLS hello or a server's certificate gives away without a listed name."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

import numpy as np
from numba import njit

from collector.apps import APP_CODE
from collector.identify.web import find_extension, server_name
from collector.identify.wire import Bytes, find, on, starts

ANYDESK, CLOUDFLARED, DOH = APP_CODE["anydesk"], APP_CODE["cloudflared"], APP_CODE["doh"]
FORTINET, TOR = APP_CODE["fortinet_sslvpn"], APP_CODE["tor"]
REMOTE_TOOL = APP_CODE["remote_tool"]
#: Where FortiGate listens for SSL VPN; its other services show the same certificate.
_FORTINET_PORTS = (10443, 4433, 4443, 8443, 20443)
#: From a to z: letters that follow in names of hosts at least one time in fifty.
_USUAL = (
    "bcdgiklmnprstvy", "aeilorsu", "acehiklorstu", "acegimorsuy", "abcdeglmnprstwx",
    "aefilortu", "aehilnorsu", "aeiortu", "acdegklmnoprstv", "abeiosu", "aehilmorstuy",
    "adeilmostuy", "abeimopsuy", "acdegiklnost", "bcdfgklmnoprstuvw", "aehiloprstu", "aitu",
    "acdeiklmnostuy", "acehikmopstu", "acehiorstuy", "abcdegilmnprst", "aeios", "aehinost",
    "acefhilmopstuxy", "abcdefghilmnoprstuw", "abdehilmopuyz",
)  # fmt: skip
_FOLLOWS = np.array([[chr(letter) in usual for letter in range(97, 123)] for usual in _USUAL])


@njit(cache=True, nogil=True)
def tool_by_alpn(buffer: Bytes, start: int, end: int) -> int:
    """Tools that name themselves in ALPN (RFC 7301)."""
    at, stop = find_extension(buffer, start, end, 16)
    if at == 0:
        return 0
    if starts(buffer, at + 3, stop, b"anydesk/"):
        return ANYDESK
    if starts(buffer, at + 2, stop, b"\x03dot"):
        return DOH
    return CLOUDFLARED if find(buffer, at, stop, b"argotunnel") > 0 else 0


@njit(cache=True, nogil=True)
def is_resolver_port(source_port: int, destination_port: int) -> bool:
    """DNS over TLS (RFC 7858) and over QUIC (RFC 9250), also where it stood before."""
    return on(source_port, destination_port, 853) or on(source_port, destination_port, 784)


@njit(cache=True, nogil=True)
def is_resolver_name(buffer: Bytes, at: int, stop: int) -> bool:
    """A host name that says it is a resolver: `dns` or `dns2` in front, `doh` anywhere but last."""
    if stop - at > 255:
        return False
    label = at
    while label < stop:
        last = label
        while last < stop and buffer[last] != 46:
            last += 1
        if last >= stop:
            return False
        is_first = label == at and starts(buffer, label, last, b"dns")
        if is_first or starts(buffer, label, last, b"doh"):
            rest = label + 3
            while rest < last and (48 <= buffer[rest] <= 57 or buffer[rest] == 45):
                rest += 1
            if rest == last:
                return True
        label = last + 1
    return False


@njit(cache=True, nogil=True)
def certificate_tool(buffer: Bytes, start: int, end: int, server_port: int) -> int:
    """The tool whose own certificate stands in a server's first segment (TLS 1.2 and older)."""
    if find(buffer, start, end, b"AnyNet R") > 0 or find(buffer, start, end, b"AnyDesk Client") > 0:
        return ANYDESK
    if server_port in _FORTINET_PORTS and find(buffer, start, end, b"Fortinet") > 0:
        return FORTINET
    if find(buffer, start, end, b"MeshCentralRoot-") > 0:
        return REMOTE_TOOL  # a server of its own, so that no list can know its name
    return TOR if has_tor_certificate(buffer, start, end) else 0


@njit(cache=True, nogil=True)
def looks_like_tor(buffer: Bytes, start: int, end: int) -> bool:
    """Tor's made-up server name, from a client that offers no ALPN (browsers do).

    Tor also turns tickets off, which few clients do; of those a name that no tongue would make is
    enough.
    """
    at, stop = server_name(buffer, start, end)
    if at == 0 or not starts(buffer, at, stop, b"www."):
        return False
    last = _made_up_label(buffer, at + 4, stop)
    if last == 0 or stop - last != 4 or not starts(buffer, last, stop, b".com"):
        return False
    alpn, _ = find_extension(buffer, start, end, 16)
    if alpn != 0:
        return False
    ticket, _ = find_extension(buffer, start, end, 35)
    if ticket == 0 and _is_unspeakable(buffer, at + 4, last):
        return True
    return last - at >= 12 and _has_inner_digit(buffer, at + 4, last)


@njit(cache=True, nogil=True)
def has_tor_certificate(buffer: Bytes, start: int, end: int) -> bool:
    """Issued by www.<made up>.com to www.<made up>.net, as Tor's relays issue to themselves."""
    at = find(buffer, start, end, b"www.")
    if at < 0:
        return False
    last = _made_up_label(buffer, at + 4, end)
    if last == 0 or not starts(buffer, last, end, b".com"):
        return False
    at = find(buffer, last, end, b"www.")
    if at < 0:
        return False
    last = _made_up_label(buffer, at + 4, end)
    return last > 0 and starts(buffer, last, end, b".net")


@njit(cache=True, nogil=True)
def _made_up_label(buffer: Bytes, at: int, end: int) -> int:
    """Where a label of 7 to 25 base32 characters (a-z, 2-7) ends, or 0."""
    last = at
    while last < end and (97 <= buffer[last] <= 122 or 50 <= buffer[last] <= 55):
        last += 1
    return last if 7 <= last - at <= 25 else 0


@njit(cache=True, nogil=True)
def _has_inner_digit(buffer: Bytes, at: int, end: int) -> bool:
    """A digit between letters, and four letters in a row without a vowel: no word is so."""
    digit, run, longest = False, 0, 0
    for i in range(at, end):
        is_digit = buffer[i] < 58
        digit = digit or (is_digit and at < i < end - 1)
        is_vowel = buffer[i] in (97, 101, 105, 111, 117)
        run = 0 if is_vowel or is_digit else run + 1
        longest = max(longest, run)
    return digit and longest >= 4


@njit(cache=True, nogil=True)
def _is_unspeakable(buffer: Bytes, at: int, end: int) -> bool:
    """Three pairs in five are unusual in names; with a digit between letters, 45 in 100 do.

    Four in five made-up labels are so, and three in a thousand of well-known ones.
    """
    unusual, has_digit = 0, False
    for i in range(at, end - 1):
        one, other = buffer[i], buffer[i + 1]
        if one < 97 or other < 97:
            unusual += 1
            has_digit = has_digit or (one >= 97 and _is_letter_later(buffer, i + 1, end))
        elif not _FOLLOWS[one - 97, other - 97]:
            unusual += 1
    return 100 * unusual >= (45 if has_digit else 60) * (end - 1 - at)


@njit(cache=True, nogil=True)
def _is_letter_later(buffer: Bytes, at: int, end: int) -> bool:
    while at < end and buffer[at] < 97:
        at += 1
    return at < end
