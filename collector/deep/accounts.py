"""NTLM (MS-NLMP) and Kerberos (RFC 4120) out of tshark's lines: who logs on, and how."""

from __future__ import annotations

from typing import Final

from collector.deep.fed import Fed
from collector.deep.fields import Line
from collector.sightings import Kerberos, Ntlm

_NTLM: Final = {1: "negotiate", 2: "challenge", 3: "authenticate"}
_KERBEROS: Final = {
    10: "as_req", 11: "as_rep", 12: "tgs_req", 13: "tgs_rep", 14: "ap_req", 15: "ap_rep",
    20: "krb_safe", 21: "krb_priv", 22: "krb_cred", 30: "krb_error",
}  # fmt: skip
#: PA-ENC-TIMESTAMP, PA-PK-AS-REQ (old and new), PA-ENCRYPTED-CHALLENGE: proof of the password.
_PROOFS: Final = frozenset((2, 14, 16, 138))


def read_ntlm(line: Line, fed: Fed) -> list[Ntlm]:
    """The NTLM messages of a packet; signatures (other types) are left out."""
    messages = dict.fromkeys(line.numbers("ntlmssp.messagetype"))
    return [
        Ntlm(
            **fed.seen,
            message=_NTLM[message],
            user=line.text("ntlmssp.auth.username"),
            domain=line.text("ntlmssp.auth.domain"),
            workstation=line.text("ntlmssp.auth.hostname"),
            build=_build(line),
            server_name=line.text("ntlmssp.challenge.target_info.dns_computer_name")
            or line.text("ntlmssp.challenge.target_info.nb_computer_name")
            or line.text("ntlmssp.challenge.target_name"),
            challenge=_digits(line.text("ntlmssp.ntlmserverchallenge")),
        )
        for message in messages
        if message in _NTLM
    ]


def _digits(text: str) -> str:
    """Bytes as tshark writes them, with or without colons."""
    return text.replace(":", "").lower()


def _build(line: Line) -> str:
    if not line.has("ntlmssp.version.build_number"):
        return ""
    version = line.number("ntlmssp.version.major"), line.number("ntlmssp.version.minor")
    return f"{version[0]}.{version[1]}.{line.number('ntlmssp.version.build_number')}"


def read_kerberos(line: Line, fed: Fed) -> list[Kerberos]:
    """The outermost Kerberos message of a packet; a TGS-REQ holds an AP-REQ, which is left out."""
    messages = line.numbers("kerberos.msg_type")
    if not messages or messages[0] not in _KERBEROS:
        return []
    message = _KERBEROS[messages[0]]
    clients = _names(line, "kerberos.CNameString", "kerberos.cname_string")
    services = _names(line, "kerberos.SNameString", "kerberos.sname_string")
    realms = line.texts("kerberos.realm") or line.texts("kerberos.crealm")
    types = line.numbers("kerberos.etype")
    # In a TGS-REQ the ticket that is shown stands before the body that asks.
    place = -1 if message == "tgs_req" else 0
    return [
        Kerberos(
            **fed.seen,
            message=message,
            client=clients[0] if clients else "",
            realm=realms[place] if realms else "",
            service=services[place] if services else "",
            encryption=_encryption(message, types),
            encryptions=tuple(line.numbers("kerberos.ENCTYPE")),
            error=line.number("kerberos.error_code"),
            has_preauth=not _PROOFS.isdisjoint(line.numbers("kerberos.padata_type")),
        )
    ]


def _names(line: Line, parts_field: str, counts_field: str) -> list[str]:
    """Names with their parts joined by "/", e.g. cifs/server; the counts say where one ends."""
    parts = line.texts(parts_field)
    names: list[str] = []
    for count in line.numbers(counts_field) or [len(parts)]:
        if parts[:count]:
            names.append("/".join(parts[:count]))
        parts = parts[count:]
    return names


def _encryption(message: str, types: list[int]) -> int:
    """Answers end with the ticket's type and then their own; offered types may go before."""
    if message == "tgs_rep" and len(types) > 1:
        return types[-2]
    if message in ("as_rep", "tgs_rep"):
        return types[-1] if types else 0
    return types[0] if types and message == "ap_req" else 0
