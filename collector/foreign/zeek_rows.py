"""Lines of Zeek's dns, ssl, ssh, http, dhcp, ntlm, files and notice logs as sightings.

A line tells of both directions; it becomes what the sensor would have seen of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from collector.foreign.cells import address, list_of, mac, ns_of, number, plain
from collector.monitors.ids import techniques_in
from collector.sightings import (
    AttackBytes,
    Dhcp,
    Dns,
    Http,
    IdsAlert,
    Ntlm,
    Sighting,
    SshBanner,
    TlsCertificate,
    TlsClientHello,
)

Cells = Mapping[str, str]
#: Zeek's names of record types that differ from ours, and of TLS versions.
_TYPES: Final = {"*": "ANY"}
_VERSIONS: Final = {
    "SSLv3": "SSL 3.0", "TLSv10": "TLS 1.0", "TLSv11": "TLS 1.1", "TLSv12": "TLS 1.2",
    "TLSv13": "TLS 1.3",
}  # fmt: skip
_PROGRAMS: Final = {
    "application/x-dosexec": "pe", "application/x-executable": "elf", "application/x-elf": "elf",
    "application/x-sharedlib": "elf",
}  # fmt: skip


def sightings_of(log: str, cells: Cells, sensor: str) -> Iterator[Sighting]:
    """What one line of the log of this name tells; ValueError if it has no time or address."""
    time_ns = ns_of(cells.get("ts", ""))
    there = {
        "time_ns": time_ns,
        "sensor": sensor,
        "vlan": number(cells.get("vlan", ""), 4095),
        "ip": address(cells.get("id.orig_h") or cells.get("src", "")),
        "port": number(cells.get("id.orig_p", ""), 65_535),
        "peer_ip": address(cells.get("id.resp_h") or cells.get("dst", "")),
        "peer_port": number(cells.get("id.resp_p", ""), 65_535),
    }
    yield from _READERS[log](cells, there)


def _back(there: Mapping[str, Any], later_s: str = "") -> dict[str, Any]:
    """The answer's way."""
    return {
        **there,
        "time_ns": there["time_ns"] + ns_of(later_s or "0"),
        "ip": there["peer_ip"], "port": there["peer_port"],
        "peer_ip": there["ip"], "peer_port": there["port"],
    }  # fmt: skip


def _dns(cells: Cells, there: dict[str, Any]) -> Iterator[Sighting]:
    said: dict[str, Any] = {
        "transport": cells.get("proto", "udp"),
        "name": plain(cells.get("query", "")).lower(),
        "query_type": _TYPES.get(cells.get("qtype_name", ""), cells.get("qtype_name", "")),
    }
    yield Dns(**there, **said, is_response=False)
    if cells.get("rcode"):
        answers = tuple(plain(a).lower() for a in list_of(cells.get("answers", "")))
        size = sum(map(len, answers))
        code = number(cells["rcode"], 4095)
        yield Dns(
            **_back(there, cells.get("rtt", "")), **said, is_response=True,
            response_code=code, answers=answers, answer_bytes=size,
        )  # fmt: skip


def _ssl(cells: Cells, there: dict[str, Any]) -> Iterator[Sighting]:
    version = cells.get("version", "")
    yield TlsClientHello(
        **there,
        sni=plain(cells.get("server_name", "")).lower(),
        alpn=tuple(list_of(cells.get("next_protocol", ""))),
        ja4=plain(cells.get("ja4", "")),
        version=_VERSIONS.get(version, version),
    )
    if cells.get("subject"):
        yield TlsCertificate(
            **_back(there), subject=plain(cells["subject"]), issuer=plain(cells.get("issuer", ""))
        )


def _ssh(cells: Cells, there: dict[str, Any]) -> Iterator[Sighting]:
    if cells.get("client"):
        yield SshBanner(**there, banner=plain(cells["client"]))
    if cells.get("server"):
        yield SshBanner(**_back(there), banner=plain(cells["server"]))


def _http(cells: Cells, there: dict[str, Any]) -> Iterator[Sighting]:
    if cells.get("method"):
        yield Http(
            **there,
            method=plain(cells["method"]),
            host=plain(cells.get("host", "")),
            path=plain(cells.get("uri", "").partition("?")[0]),
            user_agent=plain(cells.get("user_agent", "")),
        )


def _dhcp(cells: Cells, there: dict[str, Any]) -> Iterator[Sighting]:
    client, server = address(cells.get("client_addr", "")), address(cells.get("server_addr", ""))
    hardware = mac(cells.get("mac", ""))
    ends = {"time_ns": there["time_ns"], "sensor": there["sensor"], "client_mac": hardware}
    name = plain(cells.get("host_name", "") or cells.get("client_fqdn", ""))
    for message in list_of(cells.get("msg_types", "")):
        is_answer = message in ("OFFER", "ACK", "NAK")
        yield Dhcp(
            **ends,
            mac="" if is_answer else hardware,
            ip=server if is_answer else client,
            port=67 if is_answer else 68,
            peer_mac=hardware if is_answer else "",
            peer_port=68 if is_answer else 67,
            message=message.lower(),
            client_ip="" if is_answer else client,
            your_ip=address(cells.get("assigned_addr", "")) if is_answer else "",
            requested_ip=address(cells.get("requested_addr", "")),
            server_id=server,
            domain=plain(cells.get("domain", "")) if is_answer else "",
            host_name="" if is_answer else name,
        )


def _ntlm(cells: Cells, there: dict[str, Any]) -> Iterator[Sighting]:
    yield Ntlm(
        **there,
        message="authenticate",
        user=plain(cells.get("username", "")),
        domain=plain(cells.get("domainname", "")),
        workstation=plain(cells.get("hostname", "")),
        server_name=plain(cells.get("server_nb_computer_name", "")),
    )


def _files(cells: Cells, there: dict[str, Any]) -> Iterator[Sighting]:
    """A program that came over HTTP; of other files nothing is kept."""
    program = _PROGRAMS.get(cells.get("mime_type", ""))
    if program is None or cells.get("source") != "HTTP":
        return
    sender = list_of(cells.get("tx_hosts", "")) or [there["peer_ip"]]
    receiver = list_of(cells.get("rx_hosts", "")) or [there["ip"]]
    ends = {"ip": address(sender[0]), "peer_ip": address(receiver[0])}
    yield AttackBytes(
        **{**_back(there), **ends}, mark="http_program", format=program,
        size=number(cells.get("seen_bytes", ""), 1 << 48), excerpt=plain(cells["mime_type"]),
    )  # fmt: skip


#: Notices that tell of an attack; others (a certificate that expires) are the network's own.
_NOTICES: Final = (
    ("attack", "high"), ("exploit", "high"), ("backdoor", "high"), ("malware", "high"),
    ("sql_injection", "medium"), ("password_guess", "medium"), ("bruteforc", "medium"),
    ("heartbleed", "high"), ("scan", "medium"), ("intel::", "high"),
)  # fmt: skip


def _notice(cells: Cells, there: dict[str, Any]) -> Iterator[Sighting]:
    note = plain(cells.get("note", ""))[:100]
    if not note:
        raise ValueError("notice without a name")
    words = (plain(cells.get("msg", "")), plain(cells.get("sub", "")))
    said = note.lower()
    yield IdsAlert(
        **there,
        monitor="zeek",
        signature=f"{note} {words[0]}".strip()[:200],
        signature_id=note[:60],
        category=note.partition("::")[2] or note,
        severity=next((level for word, level in _NOTICES if word in said), "info"),
        is_stopped="Notice::ACTION_DROP" in cells.get("actions", ""),
        techniques=techniques_in(" ".join(words)),
    )


_READERS: Final[Mapping[str, Callable[[Cells, dict[str, Any]], Iterator[Sighting]]]] = {
    "dns": _dns, "ssl": _ssl, "ssh": _ssh, "http": _http, "dhcp": _dhcp, "ntlm": _ntlm,
    "files": _files, "notice": _notice,
}  # fmt: skip
LOGS: Final = frozenset(_READERS)
