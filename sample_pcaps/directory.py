"""Logging on to the domain: Kerberos (RFC 4120) and LDAP (RFC 4511) with a domain controller."""

from __future__ import annotations

import struct
import time

from sample_pcaps.asn1 import application, bits, der, field, integer, octets, sequence, text
from sample_pcaps.hospital import DOMAIN, HOSTS, Host
from sample_pcaps.names import SRV, ask
from sample_pcaps.tcp import MILLI, Tcp
from sample_pcaps.wire import Span

REALM = DOMAIN.upper()
AES256, AES128, RC4 = 18, 17, 23
PREAUTH_REQUIRED = 25
PREAUTH_FAILED = 24


def _clock(at_ns: int) -> bytes:
    return text(time.strftime("%Y%m%d%H%M%SZ", time.gmtime(at_ns // 10**9)), 0x18)


def _principal(kind: int, *parts: str) -> bytes:
    return sequence(field(0, integer(kind)), field(1, sequence(*(text(p) for p in parts))))


def _sealed(span: Span, size: int, kvno: int = 0) -> bytes:
    version = field(1, integer(kvno)) if kvno else b""
    return sequence(
        field(0, integer(AES256)), version, field(2, octets(span.random.randbytes(size)))
    )


def _padata(*pairs: tuple[int, bytes]) -> bytes:
    return sequence(*(sequence(field(1, integer(k)), field(2, octets(v))) for k, v in pairs))


def _ticket(span: Span, service: tuple[str, ...]) -> bytes:
    parts = (field(0, integer(5)), field(1, text(REALM)), field(2, _principal(2, *service)))
    return application(1, sequence(*parts, field(3, _sealed(span, 1080, 2))))


def _body(span: Span, at: int, user: str, service: tuple[str, ...]) -> bytes:
    name = field(1, _principal(1, user)) if user else b""
    ciphers = sequence(*(integer(e) for e in (AES256, AES128, RC4)))
    return sequence(
        field(0, bits(bytes.fromhex("40810010"))),
        name,
        field(2, text(REALM)),
        field(3, _principal(2, *service)),
        field(5, _clock(at + 36_000 * 10**9)),
        field(7, integer(span.random.randrange(1 << 30))),
        field(8, ciphers),
    )


def _exchange(span: Span, at: int, client: Host, dc: Host, question: bytes, reply: bytes) -> int:
    tcp = Tcp(span, client, dc, 88, at).open()
    tcp.send(struct.pack("!I", len(question)) + question).wait(0.002)
    tcp.reply(struct.pack("!I", len(reply)) + reply)
    return tcp.close().now


def _answer(span: Span, kind: int, user: str, service: tuple[str, ...]) -> bytes:
    return application(
        kind,
        sequence(
            field(0, integer(5)),
            field(1, integer(kind)),
            field(3, text(REALM)),
            field(4, _principal(1, user)),
            field(5, _ticket(span, service)),
            field(6, _sealed(span, 290)),
        ),
    )


def log_on(span: Span, at: int, client: Host, user: str, services: tuple[str, ...] = ()) -> int:
    """AS exchange with its usual PREAUTH_REQUIRED, then one TGS exchange a service."""
    dc, krbtgt = HOSTS["DC1"], ("krbtgt", REALM)
    at = ask(span, at, client, f"_kerberos._tcp.{DOMAIN}", dc.fqdn, kind=SRV)
    plain = application(
        10,
        sequence(
            field(1, integer(5)),
            field(2, integer(10)),
            field(3, _padata((128, sequence(field(0, b"\x01\x01\xff"))))),
            field(4, _body(span, at, user, krbtgt)),
        ),
    )
    salt = sequence(sequence(field(0, integer(AES256)), field(1, text(REALM + user))))
    refusal = application(
        30,
        sequence(
            field(0, integer(5)),
            field(1, integer(30)),
            field(4, _clock(at)),
            field(5, integer(span.random.randrange(10**6))),
            field(6, integer(PREAUTH_REQUIRED)),
            field(9, text(REALM)),
            field(10, _principal(2, *krbtgt)),
            field(12, octets(_padata((19, salt), (2, b"")))),
        ),
    )
    at = _exchange(span, at, client, dc, plain, refusal)
    proof = _padata((2, _sealed(span, 56)), (128, sequence(field(0, b"\x01\x01\xff"))))
    body = field(4, _body(span, at, user, krbtgt))
    question = sequence(field(1, integer(5)), field(2, integer(10)), field(3, proof), body)
    reply = _answer(span, 11, user, krbtgt)
    at = _exchange(span, at, client, dc, application(10, question), reply)
    for service in services:
        at = _ticket_for(span, at, client, user, tuple(service.split("/")))
    return at


def mistype(span: Span, at: int, client: Host, user: str) -> int:
    """Somebody's password is wrong: the proof is refused with PREAUTH_FAILED."""
    krbtgt = ("krbtgt", REALM)
    proof = _padata((2, _sealed(span, 56)), (128, sequence(field(0, b"\x01\x01\xff"))))
    body = field(4, _body(span, at, user, krbtgt))
    question = sequence(field(1, integer(5)), field(2, integer(10)), field(3, proof), body)
    refusal = sequence(
        field(0, integer(5)),
        field(1, integer(30)),
        field(4, _clock(at)),
        field(5, integer(span.random.randrange(10**6))),
        field(6, integer(PREAUTH_FAILED)),
        field(9, text(REALM)),
        field(10, _principal(2, *krbtgt)),
    )
    asked, refused = application(10, question), application(30, refusal)
    return _exchange(span, at, client, HOSTS["DC1"], asked, refused)


def _ticket_for(span: Span, at: int, client: Host, user: str, service: tuple[str, ...]) -> int:
    proof = application(
        14,
        sequence(
            field(0, integer(5)),
            field(1, integer(14)),
            field(2, bits(b"\0" * 4)),
            field(3, _ticket(span, ("krbtgt", REALM))),
            field(4, _sealed(span, 180)),
        ),
    )
    body = field(4, _body(span, at, "", service))
    parts = (field(1, integer(5)), field(2, integer(12)), field(3, _padata((1, proof))), body)
    question, reply = application(12, sequence(*parts)), _answer(span, 13, user, service)
    return _exchange(span, at, client, HOSTS["DC1"], question, reply)


def ldap_search(span: Span, at: int, client: Host) -> int:
    """Ask the root DSE for the naming context, without a bind."""
    tcp = Tcp(span, client, HOSTS["DC1"], 389, at).open()
    present = der(0x87, b"objectclass")
    wanted = sequence(text("defaultNamingContext", 0x04))
    limits = integer(0) + integer(120) + b"\x01\x01\x00"
    scope = integer(0, 0x0A) + integer(0, 0x0A)
    search = der(0x63, octets(b""), scope, limits, present, wanted)
    tcp.send(sequence(integer(1), search)).wait(0.001)
    base = ",".join(f"DC={part}" for part in DOMAIN.split("."))
    found = sequence(octets(b"defaultNamingContext"), der(0x31, octets(base.encode())))
    entry = sequence(integer(1), der(0x64, octets(b""), sequence(found)))
    done = der(0x65, integer(0, 0x0A), octets(b""), octets(b""))
    tcp.reply(entry + sequence(integer(1), done)).wait(0.005)
    tcp.send(sequence(integer(2), b"\x42\x00"))
    return tcp.close().now + MILLI
