"""The rest of a hospital's day: EMR pages, its database, printing, files, updates."""

from __future__ import annotations

import struct

from sample_pcaps.hospital import HOSTS, Host
from sample_pcaps.smb2 import Smb2
from sample_pcaps.tcp import Tcp
from sample_pcaps.tls import sealed, shake_hands
from sample_pcaps.wire import Span


def emr_page(span: Span, at: int, terminal: Host, server: Host, pages: int) -> int:
    """A terminal works in the EMR: HTTPS to the application server."""
    tcp = Tcp(span, terminal, server, 443, at).open()
    shake_hands(tcp, "emr.mimawari-hp.example", ("h2", "http/1.1"))
    for _ in range(pages):
        tcp.wait(span.random.uniform(0.5, 4)).send(
            sealed(span.random, span.random.randrange(300, 900))
        )
        tcp.wait(span.random.uniform(0.02, 0.2))
        tcp.reply(sealed(span.random, int(span.random.lognormvariate(7.6, 0.8))), cut=90)
    return tcp.close().now


def database(span: Span, at: int, server: Host, queries: int) -> int:
    """An application server asks the EMR's PostgreSQL."""
    tcp = Tcp(span, server, HOSTS["EMR-DB1"], 5432, at).open()

    def message(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("!I", 4 + len(body)) + body

    start = struct.pack("!I", 196608) + b"user\0emr\0database\0emr\0\0"
    tcp.send(struct.pack("!I", 4 + len(start)) + start).wait(0.002)
    ready = message(b"Z", b"I")
    tcp.reply(message(b"R", b"\0\0\0\0") + message(b"S", b"server_version\x0015.8\0") + ready)
    for _ in range(queries):
        tcp.wait(span.random.uniform(0.05, 0.5))
        tcp.send(message(b"Q", b"SELECT order_id FROM orders WHERE ward = '3E'\0"))
        tcp.wait(0.004)
        column = b"order_id\0" + struct.pack("!IHIhih", 0, 0, 23, 4, -1, 0)
        rows = message(b"T", struct.pack("!H", 1) + column)
        for _ in range(span.random.randrange(1, 20)):
            value = str(span.random.randrange(10**6)).encode()
            rows += message(b"D", struct.pack("!HI", 1, len(value)) + value)
        tcp.reply(rows + message(b"C", b"SELECT 5\0") + ready)
    tcp.send(message(b"X", b""))
    return tcp.close().now


def print_page(span: Span, at: int, client: Host, printer: Host, size: int = 24000) -> int:
    """A raw print job (port 9100) with its PJL header."""
    tcp = Tcp(span, client, printer, 9100, at).open()
    head = b'\x1b%-12345X@PJL JOB NAME="karte"\r\n@PJL ENTER LANGUAGE=PCL\r\n\x1bE'
    tcp.send(head + bytes(size), cut=80).send(b"\x1bE\x1b%-12345X@PJL EOJ\r\n\x1b%-12345X")
    return tcp.wait(0.3).close().now


def print_ipp(span: Span, at: int, client: Host, printer: Host) -> int:
    """Ask a printer for its state over IPP (RFC 8011)."""
    tcp = Tcp(span, client, printer, 631, at).open()

    def attribute(tag: int, name: str, value: str) -> bytes:
        both = (name.encode(), value.encode())
        return bytes([tag]) + b"".join(struct.pack("!H", len(p)) + p for p in both)

    head = struct.pack("!BBHI", 1, 1, 0x000B, 1) + b"\x01"
    head += attribute(0x47, "attributes-charset", "utf-8")
    head += attribute(0x48, "attributes-natural-language", "ja")
    ask = head + attribute(0x45, "printer-uri", f"ipp://{printer.ip}/ipp/print") + b"\x03"
    lines = (
        f"POST /ipp/print HTTP/1.1\r\nHost: {printer.ip}:631\r\nContent-Type: application/ipp\r\n"
    )
    tcp.send(f"{lines}Content-Length: {len(ask)}\r\n\r\n".encode() + ask).wait(0.02)
    state = struct.pack("!BBHI", 1, 1, 0, 1) + b"\x01"
    state += attribute(0x47, "attributes-charset", "utf-8")
    state += attribute(0x48, "attributes-natural-language", "ja") + b"\x04"
    state += b"\x23" + struct.pack("!H", 13) + b"printer-state" + struct.pack("!HI", 4, 3) + b"\x03"
    lines = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\nContent-Length: {len(state)}\r\n\r\n"
    )
    tcp.reply(lines.encode() + state)
    return tcp.wait(0.05).close().now


def group_policy(span: Span, at: int, client: Host, user: str) -> int:
    """A domain member reads its policy from SYSVOL at logon."""
    smb = Smb2(Tcp(span, client, HOSTS["DC1"], 445, at).open()).log_on(user)
    smb.tree("IPC$")
    smb.tree("SYSVOL")
    name = "mimawari-hp.example\\Policies\\{31B2F340-016D-11D2-945F-00C04FB984F9}\\gpt.ini"
    file_id = smb.create(name, size=26)
    smb.read(file_id, b"[General]\r\nVersion=65539\r\n")
    smb.close(file_id)
    return smb.log_off().now


def open_document(span: Span, at: int, client: Host, user: str, name: str) -> int:
    """Someone opens a document on the file server and saves it."""
    smb = Smb2(Tcp(span, client, HOSTS["FS1"], 445, at).open()).log_on(user)
    smb.tree("IPC$")
    smb.tree("部門共有")
    text = ("栄養管理計画書 様式 第一号\r\n" * 60).encode("utf-16-le")
    folder = smb.create(name.rsplit("\\", 1)[0], directory=True)
    smb.list(folder, [".", "..", name.rsplit("\\", 1)[1]])
    file_id = smb.create(name, size=len(text), access=0x0012019F)
    smb.read(file_id, text)
    smb.tcp.wait(span.random.uniform(2, 8))
    smb.write(file_id, text)
    smb.close(file_id)
    smb.close(folder)
    return smb.log_off().now


def check_updates(span: Span, at: int, client: Host) -> int:
    """A PC asks the inside WSUS for updates."""
    tcp = Tcp(span, client, HOSTS["WSUS"], 8530, at).open()
    lines = (
        f"Host: {HOSTS['WSUS'].fqdn}:8530\r\nUser-Agent: Windows-Update-Agent/10.0.10011.16384\r\n"
    )
    tcp.send(f"GET /SelfUpdate/wuident.cab?2610011230 HTTP/1.1\r\n{lines}\r\n".encode()).wait(0.01)
    tcp.reply(b"HTTP/1.1 304 Not Modified\r\nServer: Microsoft-IIS/10.0\r\n\r\n")
    return tcp.wait(0.05).close().now


def fetch_updates(span: Span, at: int, outside: Host) -> int:
    """WSUS itself fetches from outside, over its registered line."""
    tcp = Tcp(span, HOSTS["WSUS"], outside, 443, at, delay_ms=6).open()
    shake_hands(tcp, "dl.update.example", ("h2", "http/1.1"))
    tcp.wait(0.1).send(sealed(span.random, 700)).wait(0.1)
    tcp.reply(sealed(span.random, 60_000), cut=70)
    return tcp.wait(0.2).close().now
