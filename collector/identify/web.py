"""HTTP, TLS, DTLS and QUIC, and what a first segment of them says of the tool inside."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from numba import njit

from collector.apps import APP_CODE
from collector.identify.wire import (
    LIKELY,
    NAMED,
    NOTHING,
    SHAPED,
    SURE,
    Bytes,
    each,
    find,
    find_lower,
    first_bytes,
    on,
    starts,
    u16,
    u24,
    u32,
)

HTTP, HTTP_PROXY, TLS = APP_CODE["http"], APP_CODE["http_proxy"], APP_CODE["tls"]
DTLS, QUIC, UPNP = APP_CODE["dtls"], APP_CODE["quic"], APP_CODE["upnp"]
WINRM, PRINTER, CHISEL = APP_CODE["winrm"], APP_CODE["printer"], APP_CODE["chisel"]
SSTP, SOFTETHER, PULSE = APP_CODE["sstp"], APP_CODE["softether"], APP_CODE["pulse"]
ANYCONNECT, GLOBALPROTECT = APP_CODE["anyconnect"], APP_CODE["globalprotect"]
TEAMVIEWER, DOH = APP_CODE["teamviewer"], APP_CODE["doh"]
TAILSCALE, WSTUNNEL = APP_CODE["tailscale"], APP_CODE["wstunnel"]
RDP, VNC, REMOTE_TOOL = APP_CODE["rdp"], APP_CODE["vnc"], APP_CODE["remote_tool"]

#: Where a header block is searched for marks: the request line and the usual headers.
_HEAD_BYTES = 2048


#: Methods (below), and HTTP's own answers.
_HTTP_FIRST = first_bytes(*each(b"BCDGHMOPRSTU"))


@njit(cache=True, nogil=True)
def is_request(buffer: Bytes, start: int, end: int) -> bool:
    """A method of RFC 9110, 5789, 4918 or Microsoft's remoting, and a space."""
    if end - start < 8:
        return False
    first = buffer[start]
    if first == 71:  # G
        return starts(buffer, start, end, b"GET ")
    if first == 80:  # P
        return (
            starts(buffer, start, end, b"POST ")
            or starts(buffer, start, end, b"PUT ")
            or starts(buffer, start, end, b"PATCH ")
            or starts(buffer, start, end, b"PROPFIND ")
            or starts(buffer, start, end, b"PROPPATCH ")
        )
    if first == 82:  # R
        return (
            starts(buffer, start, end, b"RPC_IN_DATA ")
            or starts(buffer, start, end, b"RPC_OUT_DATA ")
            or starts(buffer, start, end, b"RDG_IN_DATA ")
            or starts(buffer, start, end, b"RDG_OUT_DATA ")
        )
    return (
        starts(buffer, start, end, b"HEAD ")
        or starts(buffer, start, end, b"DELETE ")
        or starts(buffer, start, end, b"OPTIONS ")
        or starts(buffer, start, end, b"TRACE ")
        or starts(buffer, start, end, b"CONNECT ")
        or starts(buffer, start, end, b"SUBSCRIBE ")
        or starts(buffer, start, end, b"UNSUBSCRIBE ")
        or starts(buffer, start, end, b"MKCOL ")
        or starts(buffer, start, end, b"SSTP_DUPLEX_POST ")
        or starts(buffer, start, end, b"BITS_POST ")
    )


@njit(cache=True, nogil=True)
def _names_port(buffer: Bytes, at: int, stop: int) -> bool:
    """Does `host:port` and a blank stand here (RFC 9110 §9.3.6)?"""
    colon = 0
    while at < stop and buffer[at] > 32:
        if buffer[at] == 58:
            colon = at + 1
        at += 1
    return at < stop and buffer[at] == 32 and 0 < colon < at and 48 <= buffer[at - 1] <= 57


@njit(cache=True, nogil=True)
def http(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int
) -> tuple[int, int]:
    """What a request or an answer belongs to, by its method, path and headers."""
    if not _HTTP_FIRST[buffer[start]]:
        return NOTHING
    if starts(buffer, start, end, b"HTTP/1.") or starts(buffer, start, end, b"HTTP/2"):
        return HTTP, SURE
    if not is_request(buffer, start, end):
        return NOTHING
    stop = min(end, start + _HEAD_BYTES)
    path = find(buffer, start, stop, b" ") + 1
    if starts(buffer, path, stop, b"sip:") or starts(buffer, path, stop, b"rtsp"):
        return NOTHING
    if buffer[start] == 67:  # CONNECT; AnyConnect's own path sets it apart from a proxy's
        if starts(buffer, path, stop, b"/CSCOSSLC/tunnel"):
            return ANYCONNECT, SURE
        return (HTTP_PROXY, SURE) if _names_port(buffer, path, stop) else NOTHING
    if starts(buffer, start, end, b"SSTP_"):
        return SSTP, SURE
    if starts(buffer, start, end, b"RDG_"):
        return RDP, SURE  # MS-TSGU §1.3.3.1, behind what takes off its TLS
    if find_lower(buffer, start, stop, b"\r\nuser-agent: netsupport manager") > 0:
        return REMOTE_TOOL, NAMED  # it writes as to a proxy, on any port
    # Some programs write the whole address to a web server itself, always on port 80.
    if starts(buffer, path, stop, b"http://") and (
        destination_port != 80 or find(buffer, path, stop, b"\r\nProxy-") > 0
    ):
        return HTTP_PROXY, SHAPED
    app = _by_path(buffer, start, path, stop)
    if app:
        return app, NAMED
    app = _by_header(buffer, start, stop)
    if app:
        return app, NAMED
    if on(source_port, destination_port, 631):
        return PRINTER, SHAPED
    return HTTP, SURE


@njit(cache=True, nogil=True)
def _by_path(buffer: Bytes, start: int, path: int, stop: int) -> int:
    if starts(buffer, path, stop, b"/wsman") and buffer[start] == 80:
        return WINRM
    if starts(buffer, path, stop, b"/vpnsvc/"):
        return SOFTETHER
    if starts(buffer, path, stop, b"/websockify") and _is_upgrade(buffer, path, stop):
        return VNC  # a page that shows a screen
    if starts(buffer, path, stop, b"/dana-na/"):
        return PULSE
    if starts(buffer, path, stop, b"/ssl-tunnel-connect.sslvpn") or starts(
        buffer, path, stop, b"/global-protect/"
    ):
        return GLOBALPROTECT
    if starts(buffer, path, stop, b"/+CSCOE+/") or starts(buffer, path, stop, b"/+webvpn+/"):
        return ANYCONNECT
    if starts(buffer, path, stop, b"/din.aspx?") and find(buffer, path, stop, b"DynGate") > 0:
        return TEAMVIEWER
    return 0


@njit(cache=True, nogil=True)
def _is_upgrade(buffer: Bytes, at: int, stop: int) -> bool:
    return find_lower(buffer, at, stop, b"\r\nupgrade: websocket") > 0


@njit(cache=True, nogil=True)
def _by_header(buffer: Bytes, start: int, stop: int) -> int:
    if find_lower(buffer, start, stop, b"sec-websocket-protocol: chisel-v") > 0:
        return CHISEL
    if find_lower(buffer, start, stop, b"sec-websocket-protocol: v1, authorization.bearer.") > 0:
        return WSTUNNEL
    if find_lower(buffer, start, stop, b"\r\nupgrade: tailscale-control-protocol") > 0:
        return TAILSCALE
    if find_lower(buffer, start, stop, b"\r\nupgrade: derp\r\n") > 0:
        return TAILSCALE
    if find_lower(buffer, start, stop, b"\r\ncontent-type: application/ipp") > 0:
        return PRINTER
    if find_lower(buffer, start, stop, b": application/dns-message") > 0:
        return DOH  # RFC 8484 §6, from clients that trust what carries them
    if find_lower(buffer, start, stop, b"\r\nx-anyconnect") > 0:
        return ANYCONNECT
    if find_lower(buffer, start, stop, b"\r\nupgrade: if-t/tls") > 0:
        return PULSE
    if find_lower(buffer, start, stop, b"urn:schemas-upnp-org:") > 0:
        return UPNP
    return 0


@njit(cache=True, nogil=True)
def http_host(buffer: Bytes, start: int, end: int) -> tuple[int, int]:
    """Where the Host header's value stands (start, end), or (0, 0)."""
    stop = min(end, start + _HEAD_BYTES)
    at = find_lower(buffer, start, stop, b"\r\nhost: ")
    if at < 0:
        return 0, 0
    at += 8
    last = at
    while last < stop and buffer[last] not in (13, 58, 32):
        last += 1
    return at, last


@njit(cache=True, nogil=True)
def is_tls_record(buffer: Bytes, start: int, end: int) -> bool:
    """RFC 8446 §5.1: known type, version 3.0-3.4, length of at most 2^14 + 2048."""
    if end - start < 6 or not 20 <= buffer[start] <= 24 or buffer[start + 1] != 3:
        return False
    length = u16(buffer, start + 3)
    return buffer[start + 2] <= 4 and 1 <= length <= 18432


@njit(cache=True, nogil=True)
def is_client_hello(buffer: Bytes, start: int, end: int) -> bool:
    return (
        end - start >= 44
        and buffer[start] == 22
        and is_tls_record(buffer, start, end)
        and buffer[start + 5] == 1
        and buffer[start + 6] == 0
        and buffer[start + 9] == 3
    )


@njit(cache=True, nogil=True)
def is_server_hello(buffer: Bytes, start: int, end: int) -> bool:
    return (
        end - start >= 44
        and buffer[start] == 22
        and is_tls_record(buffer, start, end)
        and buffer[start + 5] == 2
        and buffer[start + 9] == 3
    )


@njit(cache=True, nogil=True)
def is_old_hello(buffer: Bytes, start: int, end: int) -> bool:
    """SSL 2's framing of a hello that offers 3.x (RFC 5246 §E.2)."""
    if end - start < 12 or buffer[start] & 0x80 == 0 or buffer[start + 2] != 1:
        return False
    length = (buffer[start] & 0x7F) << 8 | buffer[start + 1]
    has_specs = u16(buffer, start + 5) % 3 == 0 and u16(buffer, start + 5) > 0
    return buffer[start + 3] == 3 and buffer[start + 4] <= 3 and has_specs and length >= 24


@njit(cache=True, nogil=True)
def hello_extensions(buffer: Bytes, start: int, end: int) -> int:
    """Where a ClientHello's extensions start, or 0; RFC 8446 §4.1.2."""
    at = start + 43
    at += 1 + buffer[at]  # session id
    if at + 2 > end:
        return 0
    at += 2 + u16(buffer, at)  # cipher suites
    if at + 1 > end:
        return 0
    at += 1 + buffer[at]  # compression methods
    return at + 2 if at + 2 <= end else 0


@njit(cache=True, nogil=True)
def find_extension(buffer: Bytes, start: int, end: int, wanted: int) -> tuple[int, int]:
    """The body of the ClientHello's extension `wanted` as (start, end), or (0, 0)."""
    at = hello_extensions(buffer, start, end)
    while 0 < at <= end - 4:
        length = u16(buffer, at + 2)
        if u16(buffer, at) == wanted:
            return at + 4, min(end, at + 4 + length)
        at += 4 + length
    return 0, 0


@njit(cache=True, nogil=True)
def server_name(buffer: Bytes, start: int, end: int) -> tuple[int, int]:
    """Where the server name stands in a ClientHello (RFC 6066 §3), or (0, 0)."""
    at, stop = find_extension(buffer, start, end, 0)
    if at == 0 or stop - at < 6 or buffer[at + 2] != 0:
        return 0, 0
    return at + 5, min(stop, at + 5 + u16(buffer, at + 3))


@njit(cache=True, nogil=True)
def dtls(buffer: Bytes, start: int, end: int) -> tuple[int, int]:
    """RFC 6347 §4.1; version 0100 is Cisco's AnyConnect, which froze an early OpenSSL's."""
    if end - start < 14 or not 20 <= buffer[start] <= 26:
        return NOTHING
    version = u16(buffer, start + 1)
    length = u16(buffer, start + 11)
    if length == 0 or start + 13 + length > end:
        return NOTHING
    if version == 0x0100 and buffer[start] in (20, 22):
        # AnyConnect resumes by DTLS the session that it opened by TLS: 32 bytes of session id.
        # Any old OpenSSL client that resumes looks the same.
        is_hello = buffer[start + 13] == 1 and u24(buffer, start + 14) + 12 == length
        if not is_hello or length < 60:
            return NOTHING
        return (ANYCONNECT, LIKELY) if buffer[start + 59] == 32 else (DTLS, SURE)
    if version not in (0xFEFF, 0xFEFD, 0xFEFC):
        return NOTHING
    if buffer[start] == 22 and buffer[start + 13] == 1 and _shows_app_id(buffer, start, end):
        return ANYCONNECT, SURE
    return DTLS, SURE


@njit(cache=True, nogil=True)
def _shows_app_id(buffer: Bytes, start: int, end: int) -> bool:
    """OpenConnect's extension 48018: the session that it opened by TLS, then a pre-shared key."""
    at = start + 25 + 34  # record, handshake; version and random
    for width in (1, 1, 2, 1):  # session id, cookie, cipher suites, compression methods
        if at + width > end:
            return False
        at += width + (u16(buffer, at) if width == 2 else buffer[at])
    at += 2
    while at + 4 <= end:
        if u16(buffer, at) == 48018:
            return True
        at += 4 + u16(buffer, at + 2)
    return False


@njit(cache=True, nogil=True)
def is_quic(buffer: Bytes, start: int, end: int) -> bool:
    """RFC 9000 §17.2 long header with a version in use, or Google's before it."""
    size = end - start
    if size < 16:
        return False
    first, version = buffer[start], u32(buffer, start + 1)
    if first & 0x80:
        is_ietf = version == 1 or version == 0x6B3343CF or version >> 8 == 0xFF0000
        is_other = version >> 8 in (0x513034, 0x513035, 0x543035, 0xFACEB0)  # Q04x Q05x T05x, mvfst
        if not (is_ietf or is_other):
            return False
        return (version >> 8 == 0x513034) or (
            buffer[start + 5] <= 20 and start + 6 + buffer[start + 5] < end
        )
    # Public header with an 8-byte connection id and a version, then packet number 1.
    return first in (0x09, 0x0D) and size > 200 and u16(buffer, start + 9) in (0x5130, 0x5131)
