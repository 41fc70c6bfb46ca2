"""Zeek's conn.log, tab-separated or JSON, as flows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.apps import APP_CODE
from collector.flows import STATE_CODE, FlowBatch
from collector.foreign.columns import (
    PROTOCOLS,
    Rows,
    name_by_port,
    new_rows,
    ports_of,
    set_family,
)

#: Columns that are read; a log may have any others.
FIELDS: Final = (
    "ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "service", "duration",
    "orig_bytes", "resp_bytes", "conn_state", "history", "orig_pkts", "orig_ip_bytes",
    "resp_pkts", "resp_ip_bytes", "vlan", "inner_vlan", "orig_l2_addr", "resp_l2_addr",
)  # fmt: skip

#: Zeek's names of analyzers (base/protocols/conn) where they differ from ours.
_SERVICES: Final = {
    "ssl": "tls", "krb": "kerberos", "krb_tcp": "kerberos", "dce_rpc": "dcerpc", "ldap_tcp": "ldap",
    "ldap_udp": "ldap", "spicy_ldap_tcp": "ldap", "gssapi": "smb", "ntlm": "smb", "rfb": "vnc",
    "ayiya": "ip_in_ip", "vxlan": "unknown", "pop3": "pop3", "irc": "unknown", "dnp3": "unknown",
    "spicy_wireguard": "wireguard", "spicy_openvpn_udp": "openvpn", "openvpn": "openvpn",
    "ipsec": "ikev2", "spicy_ipsec_udp": "ikev2", "postgresql": "postgres", "mysql": "mysql",
}  # fmt: skip
_HISTORY: Final = (("s", 2), ("h", 18), ("a", 16), ("d", 24), ("f", 1), ("r", 4))
_SURE: Final = 95
_LATEST_S: Final = 9.2e9  # times that flows can carry end in 2262


def flows_of(lines: Rows) -> FlowBatch:
    """One row a line; lines without two addresses or a time are left out and counted."""
    source, has_source = lines.addresses("id.orig_h")
    destination, has_destination = lines.addresses("id.resp_h")
    start_s = lines.number("ts", -1.0)
    duration_s = lines.number("duration")
    good = has_source & has_destination & (start_s >= 0) & (start_s + duration_s < _LATEST_S)
    start_s, duration_s = np.where(good, start_s, 0), np.where(good, duration_s, 0)
    lines.malformed["zeek: line without a time or addresses"] += int((~good).sum())
    rows = new_rows(len(lines))
    rows["source"], rows["destination"] = source, destination
    rows["first_ns"] = np.round(start_s * 1e6).astype(np.int64) * 1000
    duration_ns = np.round(duration_s * 1e6).astype(np.int64) * 1000
    rows["last_ns"] = rows["reported_ns"] = rows["first_ns"] + duration_ns
    rows["protocol"] = lines.mapped("proto", PROTOCOLS, 255)
    set_family(rows)
    rows["protocol"][(rows["protocol"] == 1) & (rows["family"] == 6)] = 58
    rows["source_port"] = ports_of(lines.number("id.orig_p"))
    rows["destination_port"] = ports_of(lines.number("id.resp_p"))
    rows["packets"] = lines.number("orig_pkts")
    rows["reply_packets"] = lines.number("resp_pkts")
    rows["bytes"] = _volume(lines, "orig_ip_bytes", "orig_bytes")
    rows["reply_bytes"] = _volume(lines, "resp_ip_bytes", "resp_bytes")
    rows["state"] = lines.mapped(
        "conn_state", {n.lower(): c for n, c in STATE_CODE.items()}, STATE_CODE["OTH"]
    )
    rows["vlan"] = np.minimum(np.maximum(lines.number("inner_vlan"), lines.number("vlan")), 4095)
    rows["source_mac"], rows["destination_mac"] = (
        lines.macs("orig_l2_addr"),
        lines.macs("resp_l2_addr"),
    )
    _set_flags(rows, lines)
    _set_app(rows, lines)
    return FlowBatch(rows[good])


def _volume(lines: Rows, of_ip: str, of_payload: str) -> NDArray[np.float64]:
    """Bytes of IP; of the payload where the log does not count IP bytes."""
    whole = lines.number(of_ip, -1.0)
    return np.where(whole >= 0, whole, lines.number(of_payload))


def _set_flags(rows: NDArray[Any], lines: Rows) -> None:
    """Unions of TCP flags from the history: capitals are the originator's."""
    words = lines.text("history").fill_null("").dictionary_encode()
    texts = [*words.dictionary.to_pylist(), ""]
    is_tcp = rows["protocol"] == 6
    for column, fold in (("flags", str.upper), ("reply_flags", str.lower)):
        codes = [_union(text, fold) for text in texts]
        rows[column] = np.where(is_tcp, np.array(codes, np.uint8)[words.indices.to_numpy()], 0)


def _union(history: str, fold: Any) -> int:
    flags = 0
    for letter, bits in _HISTORY:
        if fold(letter) in history:
            flags |= bits
    return flags


def _set_app(rows: NDArray[Any], lines: Rows) -> None:
    words = lines.text("service").fill_null("").dictionary_encode()
    codes = [_app(text) for text in words.dictionary.to_pylist()]
    rows["app"] = np.array([*codes, 0], np.uint16)[words.indices.to_numpy()]
    rows["app_confidence"] = np.where(rows["app"] > 0, _SURE, 0)
    name_by_port(rows)


def _app(service: str) -> int:
    """Of several analyzers ("gssapi,smb,ntlm") the one that names the conversation."""
    names = [_SERVICES.get(name, name) for name in service.lower().split(",")]
    codes = [APP_CODE.get(name, 0) for name in names]
    return next((code for code in codes if code), 0)
