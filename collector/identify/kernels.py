"""The entry: which application a payload shows, by its bytes first and by ports last."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.apps import APP_CODE
from collector.identify.databases import database_tcp
from collector.identify.hospital import hospital_tcp, hospital_udp
from collector.identify.names import app_of_name
from collector.identify.network import network_tcp, network_udp
from collector.identify.ports import ip_protocol_app, tcp_port_app, udp_port_app
from collector.identify.remote import remote_tcp, remote_udp
from collector.identify.tls_marks import (
    certificate_tool,
    is_resolver_name,
    is_resolver_port,
    looks_like_tor,
    tool_by_alpn,
)
from collector.identify.tunnels import tunnel_tcp, tunnel_udp
from collector.identify.web import (
    dtls,
    http,
    http_host,
    is_client_hello,
    is_old_hello,
    is_quic,
    is_server_hello,
    is_tls_record,
    server_name,
)
from collector.identify.windows import windows_tcp, windows_udp
from collector.identify.wire import (
    HELLO,
    LIKELY,
    NAMED,
    NOTHING,
    PORT_ONLY,
    SHAPED,
    SURE,
    Bytes,
    on,
)

HTTP, TLS, QUIC, RDP = APP_CODE["http"], APP_CODE["tls"], APP_CODE["quic"], APP_CODE["rdp"]
TOR, DOH = APP_CODE["tor"], APP_CODE["doh"]
TCP, UDP = 6, 17


@njit(cache=True, nogil=True)
def identify(
    buffer: Bytes,
    start: int,
    end: int,
    protocol: int,
    source_port: int,
    destination_port: int,
    is_reply: bool,
    names: NDArray[Any] | None = None,
) -> tuple[int, int]:
    """The application that `buffer[start:end]` shows, and the confidence; (0, 0) if unknown.

    `buffer` is u8; nothing outside [start, end) is read. The ports are the packet's own.
    `names` is `name_table` of the listed tools; without it a TLS hello is just `tls`.
    """
    if end <= start:
        return NOTHING
    if protocol == TCP:
        app, confidence = _identify_tcp(buffer, start, end, source_port, destination_port, is_reply)
    elif protocol == UDP:
        app, confidence = _identify_udp(buffer, start, end, source_port, destination_port)
    else:
        return ip_protocol_app(protocol)
    if names is not None:
        if app == TLS and is_client_hello(buffer, start, end):
            at, stop = server_name(buffer, start, end)
            tool = app_of_name(names, buffer, at, stop)
            if tool:
                return tool, NAMED
            if is_resolver_name(buffer, at, stop):
                return DOH, SHAPED
        elif app == HTTP and not is_reply:
            at, stop = http_host(buffer, start, end)
            tool = app_of_name(names, buffer, at, stop)
            if tool:
                return tool, NAMED
    return app, confidence


@njit(cache=True, nogil=True)
def identify_by_port(protocol: int, source_port: int, destination_port: int) -> tuple[int, int]:
    """What the responder's port (or else the IP protocol) suggests; (0, 0) if nothing.

    A port says at most 40 %; an IP protocol that carries one thing only says it surely.
    """
    if protocol in (TCP, UDP):
        app = tcp_port_app(destination_port) if protocol == TCP else udp_port_app(destination_port)
        if app:
            return app, PORT_ONLY
        if source_port < 1024 <= destination_port:
            app = tcp_port_app(source_port) if protocol == TCP else udp_port_app(source_port)
            if app:
                return app, PORT_ONLY // 2
        return NOTHING
    return ip_protocol_app(protocol)


@njit(cache=True, nogil=True)
def _identify_tcp(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int, is_reply: bool
) -> tuple[int, int]:
    if is_tls_record(buffer, start, end):
        return _identify_tls(buffer, start, end, source_port, destination_port)
    app, confidence = http(buffer, start, end, source_port, destination_port)
    if app:
        return app, confidence
    app, confidence = windows_tcp(buffer, start, end, source_port, destination_port)
    if app:
        return app, confidence
    app, confidence = remote_tcp(buffer, start, end, source_port, destination_port)
    if app:
        return app, confidence
    app, confidence = hospital_tcp(buffer, start, end, source_port, destination_port)
    if app:
        return app, confidence
    app, confidence = database_tcp(buffer, start, end, source_port, destination_port, is_reply)
    if app:
        return app, confidence
    app, confidence = network_tcp(buffer, start, end, source_port, destination_port, is_reply)
    if app:
        return app, confidence
    app, confidence = tunnel_tcp(buffer, start, end, source_port, destination_port, is_reply)
    if app:
        return app, confidence
    if is_old_hello(buffer, start, end):
        return TLS, SHAPED
    return NOTHING


@njit(cache=True, nogil=True)
def _identify_tls(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int
) -> tuple[int, int]:
    if is_client_hello(buffer, start, end):
        tool = tool_by_alpn(buffer, start, end)
        if tool:
            return tool, SURE
    if is_resolver_port(source_port, destination_port):
        return DOH, SHAPED
    if is_client_hello(buffer, start, end):
        if looks_like_tor(buffer, start, end):
            return TOR, SHAPED
        return (RDP, SHAPED) if destination_port == 3389 else (TLS, HELLO)
    if is_server_hello(buffer, start, end):
        tool = certificate_tool(buffer, start, end, source_port)
        if tool:
            return tool, SURE
        return (RDP, SHAPED) if source_port == 3389 else (TLS, HELLO)
    return (RDP if on(source_port, destination_port, 3389) else TLS), LIKELY


@njit(cache=True, nogil=True)
def _identify_udp(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int
) -> tuple[int, int]:
    app, confidence = network_udp(buffer, start, end, source_port, destination_port)
    if confidence > PORT_ONLY:
        return app, confidence
    weak_app, weak_confidence = app, confidence
    app, confidence = tunnel_udp(buffer, start, end, source_port, destination_port)
    if app:
        return app, confidence
    if is_quic(buffer, start, end):
        return (DOH, SHAPED) if is_resolver_port(source_port, destination_port) else (QUIC, SURE)
    app, confidence = dtls(buffer, start, end)
    if app:
        return app, confidence
    app, confidence = remote_udp(buffer, start, end, source_port, destination_port)
    if app:
        return app, confidence
    app, confidence = windows_udp(buffer, start, end, source_port, destination_port)
    if app:
        return app, confidence
    app, confidence = hospital_udp(buffer, start, end, source_port, destination_port)
    if app:
        return app, confidence
    return weak_app, weak_confidence


@njit(cache=True, nogil=True)
def identify_ports(
    protocol: NDArray[Any],
    source_port: NDArray[Any],
    destination_port: NDArray[Any],
    app: NDArray[Any],
    confidence: NDArray[Any],
) -> None:
    """Fill `app` and `confidence` of flows that come without bytes."""
    for row in range(len(protocol)):
        app[row], confidence[row] = identify_by_port(
            np.int64(protocol[row]), np.int64(source_port[row]), np.int64(destination_port[row])
        )
