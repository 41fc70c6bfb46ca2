"""Suricata's EVE records (eve.json): flows, names, handshakes, and what its rules said."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from collector.apps import APP_CODE
from collector.exports.states import states_of
from collector.flows import FlowBatch
from collector.foreign.cells import address, iso_ns, mac, number, plain
from collector.foreign.columns import (
    PROTOCOLS,
    Rows,
    name_by_port,
    new_rows,
    ports_of,
    set_family,
)
from collector.foreign.parsing import cell_text
from collector.monitors.ids import is_stopped, techniques_in
from collector.sightings import (
    Dns,
    Http,
    IdsAlert,
    Sighting,
    SshBanner,
    TlsCertificate,
    TlsClientHello,
)

Told = Mapping[str, Any]
#: Suricata counts whole frames; flows count IP.
_FRAME: Final = 14
_SURE: Final = 95
#: Suricata's names of protocols where they differ from ours.
_APPS: Final = {
    "krb5": "kerberos", "dcerpc": "dcerpc", "dhcp": "dhcp", "pgsql": "postgres", "ikev2": "ikev2",
    "ike": "ikev2", "rfb": "vnc", "http2": "http", "enip": "unknown", "failed": "unknown",
}  # fmt: skip
_COLUMNS: Final = (
    "first", "last", "src_ip", "dest_ip", "src_port", "dest_port", "proto", "packets",
    "reply_packets", "bytes", "reply_bytes", "vlan", "app_proto", "flags", "reply_flags",
    "reason", "src_mac", "dest_mac",
)  # fmt: skip
_REASONS: Final = {"timeout": 1, "forced": 4, "shutdown": 4, "tcp_reuse": 3}


def read_eve(
    records: Sequence[Told], sensor: str, malformed: Counter[str]
) -> tuple[FlowBatch, list[Sighting]]:
    """Records as flows and sightings; those that cannot be read are counted."""
    flows: list[dict[str, str | None]] = []
    sightings: list[Sighting] = []
    for told in records:
        event = str(told.get("event_type"))
        try:
            if event == "flow":
                flows.append(_flow_cells(told))
            elif event in _READERS:
                sightings += _READERS[event](told, _ends(told, sensor))
        except (ValueError, TypeError, AttributeError, KeyError):
            malformed[f"suricata: {event} record that cannot be read"] += 1
    return _flows(flows, malformed), sightings


def _part(told: Told, name: str) -> Told:
    part = told.get(name)
    return part if isinstance(part, dict) else {}


def _flow_cells(told: Told) -> dict[str, str | None]:
    flow, tcp, ether = _part(told, "flow"), _part(told, "tcp"), _part(told, "ether")
    is_icmp = str(told.get("proto", "")).upper() in ("ICMP", "IPV6-ICMP")
    vlans = told.get("vlan")
    cells = {
        "first": iso_ns(str(flow["start"])),
        "last": iso_ns(str(flow.get("end") or told["timestamp"])),
        "src_ip": address(str(told["src_ip"])),
        "dest_ip": address(str(told["dest_ip"])),
        "src_port": told.get("icmp_type") if is_icmp else told.get("src_port"),
        "dest_port": told.get("icmp_code") if is_icmp else told.get("dest_port"),
        "proto": told.get("proto"),
        "packets": flow.get("pkts_toserver"),
        "reply_packets": flow.get("pkts_toclient"),
        "bytes": flow.get("bytes_toserver"),
        "reply_bytes": flow.get("bytes_toclient"),
        "vlan": vlans[-1] if isinstance(vlans, list) and vlans else vlans,
        "app_proto": told.get("app_proto"),
        "flags": int(str(tcp.get("tcp_flags_ts") or "0"), 16) & 255,
        "reply_flags": int(str(tcp.get("tcp_flags_tc") or "0"), 16) & 255,
        "reason": flow.get("reason"),
        "src_mac": _one_mac(ether, "src_mac"),
        "dest_mac": _one_mac(ether, "dest_mac"),
    }
    return {name: cell_text(value) for name, value in cells.items()}


def _one_mac(ether: Told, name: str) -> str:
    many = ether.get(f"{name}s")
    one = many[0] if isinstance(many, list) and many else ether.get(name)
    return mac(str(one or ""))


def _flows(told: Sequence[Mapping[str, str | None]], malformed: Counter[str]) -> FlowBatch:
    if not told:
        return FlowBatch.empty()
    columns = {name: pa.array([cells[name] for cells in told], pa.string()) for name in _COLUMNS}
    lines = Rows(pa.table(columns), malformed)
    rows = new_rows(len(told))
    rows["first_ns"] = [int(cells["first"] or 0) for cells in told]
    rows["last_ns"] = [int(cells["last"] or 0) for cells in told]
    rows["last_ns"] = rows["reported_ns"] = np.maximum(rows["first_ns"], rows["last_ns"])
    rows["source"], _ = lines.addresses("src_ip")
    rows["destination"], _ = lines.addresses("dest_ip")
    rows["protocol"] = lines.mapped("proto", PROTOCOLS, 255)
    set_family(rows)
    rows["protocol"][(rows["protocol"] == 1) & (rows["family"] == 6)] = 58
    rows["source_port"] = ports_of(lines.number("src_port"))
    rows["destination_port"] = ports_of(lines.number("dest_port"))
    for ours in ("packets", "reply_packets"):
        rows[ours] = lines.number(ours)
    for ours, frames in (("bytes", "packets"), ("reply_bytes", "reply_packets")):
        rows[ours] = np.maximum(lines.number(ours) - _FRAME * lines.number(frames), 0)
    rows["vlan"] = np.minimum(lines.number("vlan"), 4095)
    rows["flags"], rows["reply_flags"] = lines.number("flags"), lines.number("reply_flags")
    rows["source_mac"], rows["destination_mac"] = lines.macs("src_mac"), lines.macs("dest_mac")
    rows["end_reason"] = lines.mapped("reason", _REASONS, 3)
    words = lines.mapped("app_proto", {_our(name): code for name, code in _codes()}, 0)
    rows["app"], rows["app_confidence"] = words, np.where(words > 0, _SURE, 0)
    name_by_port(rows)
    rows["state"] = states_of(rows)
    return FlowBatch(rows)


def _codes() -> Iterator[tuple[str, int]]:
    yield from APP_CODE.items()
    for theirs, ours in _APPS.items():
        yield theirs, APP_CODE.get(ours, 0)


def _our(name: str) -> str:
    return name.lower()


def _ends(told: Told, sensor: str) -> dict[str, Any]:
    """Who spoke to whom, as the record has it."""
    ether, vlans = _part(told, "ether"), told.get("vlan")
    vlan = vlans[-1] if isinstance(vlans, list) and vlans else vlans
    return {
        "time_ns": iso_ns(str(told["timestamp"])),
        "sensor": sensor,
        "vlan": number(str(vlan or 0), 4095),
        "ip": address(str(told.get("src_ip") or "")),
        "port": number(str(told.get("src_port") or 0), 65_535),
        "peer_ip": address(str(told.get("dest_ip") or "")),
        "peer_port": number(str(told.get("dest_port") or 0), 65_535),
        "mac": _one_mac(ether, "src_mac"),
        "peer_mac": _one_mac(ether, "dest_mac"),
    }


def _turned(ends: Mapping[str, Any]) -> dict[str, Any]:
    other = {"ip": "peer_ip", "port": "peer_port", "mac": "peer_mac"}
    swapped = {a: ends[b] for a, b in other.items()} | {b: ends[a] for a, b in other.items()}
    return {**ends, **swapped}


def _dns(told: Told, ends: dict[str, Any]) -> Iterator[Sighting]:
    dns = _part(told, "dns")
    is_response = dns.get("type") in ("answer", "response")
    # Versions differ in whose address an answer's record names first; the port tells the server.
    is_server_first = ends["port"] == 53 and ends["peer_port"] != 53
    ends = _turned(ends) if is_server_first != is_response else ends
    queries = dns.get("queries")
    asked = queries[0] if isinstance(queries, list) and queries else dns
    found = dns.get("answers")
    answers = [a for a in found if isinstance(a, dict)] if isinstance(found, list) else [dns]
    texts = tuple(plain(str(a["rdata"])).lower() for a in answers[:64] if a.get("rdata"))
    yield Dns(
        **ends,
        transport=str(told.get("proto", "udp")).lower(),
        is_response=is_response,
        name=plain(str(asked.get("rrname", ""))).lower(),
        query_type=plain(str(asked.get("rrtype", ""))),
        response_code=_CODES.get(str(dns.get("rcode", "")), 0),
        answers=texts,
        answer_bytes=sum(map(len, texts)),
    )


_CODES: Final = {
    "NOERROR": 0,
    "FORMERR": 1,
    "SERVFAIL": 2,
    "NXDOMAIN": 3,
    "NOTIMP": 4,
    "REFUSED": 5,
}


def _tls(told: Told, ends: dict[str, Any]) -> Iterator[Sighting]:
    tls = _part(told, "tls")
    yield TlsClientHello(
        **ends,
        sni=plain(str(tls.get("sni") or "")).lower(),
        ja4=plain(str(tls.get("ja4") or "")),
        version=plain(str(tls.get("version") or "")),
    )
    if tls.get("subject"):
        names = tls.get("subjectaltname")
        yield TlsCertificate(
            **_turned(ends),
            subject=plain(str(tls["subject"])),
            issuer=plain(str(tls.get("issuerdn") or "")),
            names=tuple(plain(str(n)) for n in names[:64]) if isinstance(names, list) else (),
            not_after=plain(str(tls.get("notafter") or "")),
        )


def _ssh(told: Told, ends: dict[str, Any]) -> Iterator[Sighting]:
    for side, way in (("client", ends), ("server", _turned(ends))):
        of_side = _part(_part(told, "ssh"), side)
        if of_side.get("software_version"):
            version = of_side.get("proto_version", "2.0")
            yield SshBanner(**way, banner=plain(f"SSH-{version}-{of_side['software_version']}"))


def _http(told: Told, ends: dict[str, Any]) -> Iterator[Sighting]:
    http = _part(told, "http")
    if http.get("http_method"):
        yield Http(
            **ends,
            method=plain(str(http["http_method"])),
            host=plain(str(http.get("hostname") or "")),
            path=plain(str(http.get("url") or "").partition("?")[0]),
            user_agent=plain(str(http.get("http_user_agent") or "")),
        )


def _alert(told: Told, ends: dict[str, Any]) -> Iterator[Sighting]:
    alert = _part(told, "alert")
    metadata = _part(alert, "metadata")
    action = str(alert.get("action") or "")
    yield IdsAlert(
        **ends,
        monitor="suricata",
        signature=plain(str(alert.get("signature") or ""))[:200],
        signature_id=f"{alert.get('gid', 1)}:{alert['signature_id']}"[:20],
        category=plain(str(alert.get("category") or ""))[:100],
        severity=_severity(alert.get("severity"), metadata),
        is_stopped=is_stopped(action) or _part(told, "verdict").get("action") == "drop",
        reporter_ip="",
        techniques=techniques_in(json.dumps(metadata)),
    )


#: Suricata's priorities, and what its rules' authors say of them in the metadata.
_PRIORITIES: Final = {"1": "high", "2": "medium", "3": "low"}
_AUTHORS: Final = {
    "critical": "critical", "major": "high", "minor": "low", "informational": "info",
    "audit": "info", "unknown": "",
}  # fmt: skip


def _severity(priority: Any, metadata: Told) -> str:
    """The author's word where there is one, else the priority."""
    said = metadata.get("signature_severity")
    word = str(said[0] if isinstance(said, list) and said else said or "").lower()
    return _AUTHORS.get(word, "") or _PRIORITIES.get(str(priority), "info")


_READERS: Final[Mapping[str, Callable[[Told, dict[str, Any]], Iterator[Sighting]]]] = {
    "dns": _dns, "tls": _tls, "ssh": _ssh, "http": _http, "alert": _alert,
}  # fmt: skip
