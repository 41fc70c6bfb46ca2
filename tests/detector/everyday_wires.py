"""What hospital networks do all day, as packets: management tools, directories, printing, images.

Each function adds frames to a span from `at` (ns) on. None of it is an attack, though much of it
uses the very calls that intruders use.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final
from uuid import UUID

from sample_pcaps import clinical, day, directory, links, names, ntlm, office
from sample_pcaps.dcerpc import Pipe, ServiceControl
from sample_pcaps.hospital import DOMAIN, HOSTS, PRINTERS, TERMINALS, Host, group
from sample_pcaps.smb2 import Smb2
from sample_pcaps.tcp import Tcp
from sample_pcaps.wire import SECOND, Span, checksum

Scene = Callable[[Span, int], None]
MINUTE: Final = 60 * SECOND

SPOOLSS = (UUID("12345678-1234-abcd-ef00-0123456789ab"), 1)
DRSUAPI = (UUID("e3514235-4b06-11d1-ab04-00c04fc2dcd2"), 4)
SRVSVC = (UUID("4b324fc8-1670-01d3-1278-5a47bf6ee188"), 3)
LSARPC = (UUID("12345778-1234-abcd-ef00-0123456789ab"), 0)
WINREG = (UUID("338cd001-2244-31f1-aaaa-900038001003"), 1)
EPM = (UUID("e1af8308-5d1f-11c9-91a4-08002b14a0fa"), 3)
ACTIVATOR = (UUID("000001a0-0000-0000-c000-000000000046"), 0)
WBEM_LOGIN = (UUID("f309ad18-d86a-11d0-a075-00c04fb68820"), 0)
NETLOGON = (UUID("12345678-1234-abcd-ef00-01234567cffb"), 1)
NSPI = (UUID("f5cc5a18-4264-101a-8c59-08002b2f8426"), 56)
WBEM = (UUID("9556dc99-828c-11cf-a37e-00aa003240c7"), 0)
_NDR = UUID("8a885d04-1ceb-11c9-9fe8-08002b104860").bytes_le + struct.pack("<I", 2)

#: Servers that stand in no ledger: a console of the asset tool, one that polls, a print server.
CONSOLE = Host("ASSET-SV", "10.20.80.70", "3c:52:82:80:00:70")
MONITOR = Host("MONITOR", "10.20.80.71", "3c:52:82:80:00:71")
PRINT = Host("PRINT-SV", "10.20.80.72", "3c:52:82:80:00:72")
RDS = Host("RDS-SV", "10.20.80.73", "3c:52:82:80:00:73")
SYNC = Host("ENTRA-SV", "10.20.80.74", "3c:52:82:80:00:74")
SERVERS: Final = tuple(
    HOSTS[n] for n in ("EMR-AP1", "EMR-AP2", "PHARM-SV", "PACS1", "RIS", "LIS", "NUTRI-SV", "FS1")
)


def session(span: Span, at: int, client: Host, server: Host, user: str) -> Smb2:
    return Smb2(Tcp(span, client, server, 445, at).open()).log_on(user)


def rpc(
    span: Span, at: int, ends: tuple[Host, Host, int], interface: tuple[UUID, int],
    calls: tuple[int, ...], answer: int = 300,
) -> int:  # fmt: skip
    """DCE/RPC straight over TCP, signed with NTLM as Windows does: bind, then calls."""
    tcp = Tcp(span, *ends, at).open()

    def pdu(kind: int, number: int, body: bytes, token: bytes = b"") -> bytes:
        body += b"\0" * (-len(body) % 4)
        if token:
            body += struct.pack("<BBBBI", 10, 5, 0, 0, 79231)
        size = 16 + len(body) + len(token)
        head = struct.pack("<BBBBIHHI", 5, 0, kind, 3, 0x10, size, len(token), number)
        return head + body + token

    abstract = interface[0].bytes_le + struct.pack("<HH", interface[1], 0)
    body = struct.pack("<HHIB3x", 5840, 5840, 0, 1) + struct.pack("<HBx", 0, 1) + abstract + _NDR
    tcp.send(pdu(11, 1, body, ntlm.negotiate(ends[0])[:40])).wait(0.001)
    back = struct.pack("<HHIH", 5840, 5840, 0x1234, 6) + b"49667\0"
    back += b"\0" * (-len(back) % 4) + struct.pack("<B3xHH", 1, 0, 0) + _NDR
    tcp.reply(pdu(12, 1, back)).wait(0.001)
    for number, operation in enumerate(calls, 2):
        stub = span.random.randbytes(120)
        ask = struct.pack("<IHH", len(stub), 0, operation) + stub
        tcp.send(pdu(0, number, ask, span.random.randbytes(16))).wait(0.002)
        sent = span.random.randbytes(answer)
        head = struct.pack("<IHBx", len(sent), 0, 0)
        tcp.reply(pdu(2, number, head + sent, span.random.randbytes(16))).wait(0.002)
    return tcp.close().now


def calls(pipe: Pipe, *operations: int) -> None:
    for operation in operations:
        pipe.call(operation, pipe.smb.random.randbytes(60), pipe.smb.random.randbytes(80))


def printing(span: Span, at: int) -> None:
    """Three clients open their printer on a print server and ask to be told of changes.

    The server calls each of them back (RpcReplyOpenPrinter) under its own name.
    """
    for n, client in enumerate(TERMINALS[:3]):
        smb = session(span, at + n * 90 * SECOND, client, PRINT, day.user_of(client))
        pipe = Pipe(smb, "spoolss", SPOOLSS)
        calls(pipe, 69, 8, 26, 65, 17, 19, 23)  # OpenPrinterEx, GetPrinter … StartDoc, EndDoc
        back = session(span, smb.tcp.now + SECOND, PRINT, client, "PRINT-SV$")
        calls(Pipe(back, "spoolss", SPOOLSS), 58, 66)
        back.log_off()
        calls(pipe, 56, 29)
        pipe.close()
        smb.log_off()


def controllers_replicate(span: Span, at: int) -> None:
    """Each tells the other that there is news, and the other fetches it."""
    one, other = HOSTS["DC1"], HOSTS["DC2"]
    for turn in range(4):
        one, other = other, one
        now = at + turn * 5 * MINUTE
        now = rpc(span, now, (one, other, 49667), DRSUAPI, (0, 2))
        rpc(span, now + 3 * SECOND, (other, one, 49667), DRSUAPI, (0, 3, 3, 3, 4), answer=50_000)


def replication_shown(span: Span, at: int) -> None:
    """An administrator lets repadmin show the states of replication: much comes back."""
    it, calls_ = HOSTS["IT-PC1"], (0, 19, 19, 19, 19, 1)
    rpc(span, at, (it, HOSTS["DC1"], 49667), DRSUAPI, calls_, answer=40_000)


def policy_refresh(span: Span, at: int) -> None:
    for n, terminal in enumerate(TERMINALS):
        now = directory.ldap_search(span, at + n * 7 * SECOND, terminal)
        office.group_policy(span, now, terminal, day.user_of(terminal))
        office.check_updates(span, now + 2 * SECOND, terminal)


def polling_by_wmi(span: Span, at: int) -> None:
    """A monitor asks every server by WMI: activate, log on, query."""
    for n, server in enumerate(SERVERS):
        now = rpc(span, at + n * 20 * SECOND, (MONITOR, server, 135), EPM, (3,))
        now = rpc(span, now, (MONITOR, server, 135), ACTIVATOR, (4,))
        now = rpc(span, now, (MONITOR, server, 49700), WBEM_LOGIN, (6,))
        rpc(span, now, (MONITOR, server, 49700), WBEM, (20, 20))


def polling_of_services(span: Span, at: int) -> None:
    """A monitor asks whether services run, and reads counters from the registry."""
    for n, server in enumerate(SERVERS):
        smb = session(span, at + n * 20 * SECOND, MONITOR, server, "svc-monitor")
        control = Pipe(smb, "svcctl", (UUID("367abb81-9844-35f1-ad32-98f038001003"), 2))
        calls(control, 15, 16, 6, 0)  # OpenSCManager, OpenService, QueryServiceStatus, close
        control.close()
        registry = Pipe(smb, "winreg", WINREG)
        calls(registry, 2, 15, 17, 5)  # OpenLocalMachine, OpenKey, QueryValue, CloseKey
        registry.close()
        smb.log_off()


def browsing_shares(span: Span, at: int) -> None:
    """People open the file server in the explorer."""
    for n, terminal in enumerate(TERMINALS[:10]):
        smb = session(span, at + n * 30 * SECOND, terminal, HOSTS["FS1"], day.user_of(terminal))
        pipe = Pipe(smb, "srvsvc", SRVSVC)
        calls(pipe, 15, 16, 21)  # shares, one share, the server
        pipe.close()
        names_ = Pipe(smb, "lsarpc", LSARPC)
        calls(names_, 44, 57, 0)
        names_.close()
        smb.log_off()


def monday_morning(span: Span, at: int) -> None:
    """On a terminal server twenty people mistype their new password once, and then get in."""
    for n in range(20):
        now = directory.mistype(span, at + n * 40 * SECOND, RDS, f"u{2000 + n}")
        if n % 3 == 0:
            now = directory.mistype(span, now + 8 * SECOND, RDS, f"u{2000 + n}")
        directory.log_on(span, now + 9 * SECOND, RDS, f"u{2000 + n}", (f"cifs/fs1.{DOMAIN}",))


def names_shouted(span: Span, at: int) -> None:
    """A file server is gone: all look for it by every means they have."""
    for n, terminal in enumerate(TERMINALS):
        for turn in range(6):
            now = at + turn * 40 * SECOND + n * SECOND
            names.llmnr_query(span, now, terminal, "OLD-FS")
            names.netbios_query(span, now, terminal, "OLD-FS", "10.20.21.255")
        names.mdns_query(span, at + n * SECOND, terminal)
        names.ssdp_search(span, at + n * 2 * SECOND, terminal)


def devices_discovered(span: Span, at: int) -> None:
    """Windows looks for printers by WS-Discovery; building controls call Who-Is and I-Am."""
    probe = (
        b'<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">'
        b"<s:Body><d:Probe><d:Types>wsdp:Device</d:Types></d:Probe></s:Body></s:Envelope>"
    )
    for n, terminal in enumerate(TERMINALS):
        span.udp(at + n * SECOND, terminal, 50_100, group("wsd", "239.255.255.250"), 3702, probe)
    everyone = group("bacnet", "10.20.80.255")
    for n in range(30):
        unit = Host(f"AHU-{n}", f"10.20.80.{150 + n}", f"00:60:2d:80:01:{n:02x}", system="device")
        who_is = bytes.fromhex("810b000c0120ffff00ff1008")
        i_am = bytes.fromhex("810b00140100100 0c4020000".replace(" ", "")) + bytes([n]) + b"\x22"
        span.udp(at + n * SECOND, unit, 47_808, everyone, 47_808, who_is)
        span.udp(at + n * SECOND + 200, unit, 47_808, everyone, 47_808, i_am + b"\x01\xe0\x91\0")


def terminals_start(span: Span, at: int) -> None:
    """08:00: all terminals are switched on within three minutes; everything keeps the time."""
    for n, terminal in enumerate(TERMINALS):
        day.log_on(span, at + n * 10 * SECOND, terminal)
        links.ntp(span, at + n * 11 * SECOND, terminal)
        office.emr_page(span, at + n * 10 * SECOND + 40 * SECOND, terminal, HOSTS["EMR-AP1"], 3)


def images_fetched_before_visits(span: Span, at: int) -> None:
    """By night the PACS sends tomorrow's patients' old studies to every viewer, and asks for it."""
    for n in range(15):
        viewer = Host(f"VIEW-{n}", f"10.20.30.{120 + n}", f"48:4d:7e:30:02:{n:02x}")
        clinical.store(span, at + n * 20 * SECOND, HOSTS["PACS1"], viewer, 2, 200_000)


def printers_polled(span: Span, at: int) -> None:
    for turn in range(3):
        for n, printer in enumerate(PRINTERS):
            links.snmp_get(span, at + turn * MINUTE + n * SECOND, PRINT, printer)
            office.print_page(span, at + turn * MINUTE + n * 3 * SECOND, PRINT, printer)


def sealed_backup(span: Span, at: int) -> None:
    """Nightly backup to a share with SMB3 encryption: megabytes one way, in sealed messages."""
    smb = session(span, at, HOSTS["FS1"], HOSTS["BACKUP"], "svc-backup")
    head = b"\xfdSMB" + bytes(32)
    for _ in range(60):
        size = 66_000
        sealed = head + struct.pack("<IHHQ", size, 0, 1, 77) + bytes(size)
        smb.tcp.send(struct.pack("!I", len(sealed)) + sealed, cut=120).wait(0.05)
        answer = head + struct.pack("<IHHQ", 84, 0, 1, 77) + bytes(84)
        smb.tcp.reply(struct.pack("!I", len(answer)) + answer, cut=120)
    smb.tcp.close()


def ping(span: Span, at: int, asker: Host, asked: Host, *, answers: bool) -> None:
    body = struct.pack("!HH", 1, 7) + b"abcdefghijklmnopqrstuvwabcdefghi"
    for kind, ends in ((8, (asker, asked)), (0, (asked, asker)))[: 1 + answers]:
        head = struct.pack("!BBH", kind, 0, 0)
        sent = struct.pack("!BBH", kind, 0, checksum(head + body)) + body
        span.ip(at + (kind == 0) * 400_000, *ends, 1, sent)


def clients_identified(span: Span, at: int) -> None:
    """A directory-security sensor on a controller asks who is behind each address it hears.

    By NTLM over RPC, by NetBIOS, and by the first packet of RDP.
    """
    for n, terminal in enumerate(TERMINALS):
        now = at + n * 30 * SECOND
        rpc(span, now, (HOSTS["DC1"], terminal, 135), EPM, ())
        tcp = Tcp(span, HOSTS["DC1"], terminal, 3389, now + SECOND)
        tcp.probe("open" if n % 3 else "refused")
        span.udp(now, HOSTS["DC1"], 137, terminal, 137, bytes.fromhex(
            "a2480000000100000000000020434b4141414141414141414141414141414141414141414141414141414141"
            "4141410000210001"))  # fmt: skip


def doors_opened_by_radius(span: Span, at: int) -> None:
    """Thirty wireless clients are let in: eight requests each, every one challenged."""
    point = Host("AP-3E", "10.20.80.90", "00:12:e2:80:00:90", system="device")
    for n in range(30):
        port = 40_000 + n
        for turn in range(8):
            now = at + n * 5 * SECOND + turn * 20_000_000
            name = f"host/PC{n}.mimawari-hp.example".encode()
            sent = bytes([1, len(name) + 2]) + name + bytes([79, 12]) + span.random.randbytes(10)
            there, back = (point, port, HOSTS["DC2"], 1812), (HOSTS["DC2"], 1812, point, port)
            for code, ends in ((1, there), (11 if turn < 7 else 2, back)):
                head = struct.pack("!BBH16s", code, turn, 20 + len(sent), span.random.randbytes(16))
                span.udp(now + code * 100_000, *ends, head + sent)


def machines_prove_themselves(span: Span, at: int) -> None:
    """After a controller's restart every member sets up its secure channel; some change keys."""
    for n, terminal in enumerate(TERMINALS):
        operations = (4, 26, 29) + ((30,) if n % 4 == 0 else ())
        now = at + n * 4 * SECOND
        rpc(span, now, (terminal, HOSTS["DC1"], 135), EPM, (3,))
        rpc(span, now + SECOND, (terminal, HOSTS["DC1"], 49670), NETLOGON, operations)


def mail_read(span: Span, at: int) -> None:
    """Outlook looks up names in Exchange's address book."""
    for n, terminal in enumerate(TERMINALS[:12]):
        now = rpc(span, at + n * 20 * SECOND, (terminal, SYNC, 135), EPM, (3,))
        rpc(span, now, (terminal, SYNC, 6004), NSPI, (0, 3, 12, 19, 1), answer=1500)


def copies_scanned_to_folders(span: Span, at: int) -> None:
    """A copier prints, and puts scans into shared folders of terminals."""
    copier = PRINTERS[0]
    office.print_page(span, at - MINUTE, TERMINALS[0], copier)
    for n, terminal in enumerate(TERMINALS[:8]):
        smb = session(span, at + n * MINUTE, copier, terminal, "scan")
        smb.tree("scan")
        file_id = smb.create(f"20261005_{n:04}.pdf", disposition=5, access=0x0012019F)
        smb.write(file_id, b"%PDF-1.7" + bytes(60_000), cut=120)
        smb.close(file_id)
        smb.log_off()


def servers_saved_by_drive_shares(span: Span, at: int) -> None:
    """A backup product without agents reads the drives of six servers."""
    for n, server in enumerate(SERVERS[:6]):
        smb = session(span, at + n * 8 * MINUTE, CONSOLE, server, "svc-arcserve")
        smb.tree("C$")
        for number in range(12):
            day.read_whole(smb, f"data\\{number}.dat", 30_000)
        smb.log_off()


def all_addresses_pinged(span: Span, at: int) -> None:
    """A monitor pings a whole prefix for new devices; two in three addresses are nobody's."""
    for last in range(1, 200):
        asked = Host(f"x{last}", f"10.20.40.{last}", f"b0:0c:d1:40:00:{last:02x}")
        ping(span, at + last * SECOND // 4, MONITOR, asked, answers=last % 3 == 0)
        if last % 3 == 0:
            links.snmp_get(span, at + last * SECOND // 4 + SECOND, MONITOR, asked)


def servers_polled_by_winrm(span: Span, at: int) -> None:
    """A monitor asks every server over WinRM, sealed by SPNEGO."""
    for n, server in enumerate(SERVERS):
        tcp = Tcp(span, MONITOR, server, 5985, at + n * 20 * SECOND).open()
        for turn in range(4):
            body = (
                b'--Encrypted Boundary\r\nContent-Type: application/HTTP-SPNEGO-session-encrypted'
                b"\r\nOriginalContent: type=application/soap+xml;charset=UTF-8;Length=900\r\n"
                b"--Encrypted Boundary\r\nContent-Type: application/octet-stream\r\n"
                + span.random.randbytes(960) + b"--Encrypted Boundary--\r\n"
            )  # fmt: skip
            head = (
                f"POST /wsman HTTP/1.1\r\nHost: {server.name}:5985\r\nUser-Agent: Microsoft WinRM "
                "Client\r\nContent-Type: multipart/encrypted;protocol="
                '"application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"\r\n'
                + ("Authorization: Kerberos YIIG\r\n" if turn == 0 else "")
                + f"Content-Length: {len(body)}\r\n\r\n"
            )
            tcp.send(head.encode() + body).wait(0.05)
            back = f"HTTP/1.1 200 \r\nServer: Microsoft-HTTPAPI/2.0\r\nContent-Length: {len(body)}"
            tcp.reply(back.encode() + b"\r\n\r\n" + body).wait(0.2)
        tcp.close()


QUIET_AT_ONCE: Final[tuple[Scene, ...]] = (
    printing, controllers_replicate, policy_refresh, browsing_shares, monday_morning,
    names_shouted, devices_discovered, terminals_start, images_fetched_before_visits,
    printers_polled, sealed_backup, replication_shown, clients_identified, doors_opened_by_radius,
    machines_prove_themselves, mail_read, copies_scanned_to_folders,
)  # fmt: skip


def software_pushed(span: Span, at: int) -> None:
    """The asset tool puts its agent on five terminals: a program on ADMIN$, then a service."""
    for n in range(5):
        target = span.random.choice(TERMINALS)
        smb = session(span, at + n * 4 * MINUTE, CONSOLE, target, "svc-asset")
        smb.tree("ADMIN$")
        file_id = smb.create("agent\\setup.exe", disposition=5, access=0x0012019F)
        smb.write(file_id, b"MZ\x90\0" + span.random.randbytes(8000), cut=200)
        smb.close(file_id)
        control = ServiceControl(smb)
        control.open_manager(target.name)
        control.create_service("AssetAgent", "%SystemRoot%\\agent\\setup.exe")
        control.start_service()
        control.close_service()
        smb.log_off()


def guests_frozen(span: Span, at: int) -> None:
    """The backup product starts its helper on two servers each night."""
    for n, server in enumerate(SERVERS[:2]):
        smb = session(span, at + n * 10 * MINUTE, CONSOLE, server, "svc-veeam")
        smb.tree("ADMIN$")
        file_id = smb.create("VeeamGuestHelper.exe", disposition=5, access=0x0012019F)
        smb.write(file_id, b"MZ\x90\0" + span.random.randbytes(8000), cut=200)
        smb.close(file_id)
        control = ServiceControl(smb)
        control.open_manager(server.name)
        control.create_service("VeeamGuestHelper", "%SystemRoot%\\VeeamGuestHelper.exe")
        control.start_service()
        control.close_service()
        smb.log_off()


#: What looks like an intrusion until people have said what it is: asked about, and low later.
ASKED_ONCE: Final[tuple[Scene, ...]] = (
    software_pushed, guests_frozen, polling_by_wmi, polling_of_services,
    servers_saved_by_drive_shares, all_addresses_pinged, servers_polled_by_winrm,
)  # fmt: skip


def callback_forced(span: Span, at: int) -> None:
    """PrinterBug: nothing is printed, the server is only made to call."""
    smb = session(span, at, CONSOLE, PRINT, "u1234")
    calls(Pipe(smb, "spoolss", SPOOLSS), 1, 65)


def callback_of_a_controller_forced(span: Span, at: int) -> None:
    """As a print client would ask, but a controller prints nothing for anybody."""
    directory.log_on(span, at, TERMINALS[0], "u1001")
    directory.ldap_search(span, at + SECOND, TERMINALS[0])
    smb = session(span, at + MINUTE, CONSOLE, HOSTS["DC1"], "u1234")
    calls(Pipe(smb, "spoolss", SPOOLSS), 69, 8, 65)


def directory_stolen(span: Span, at: int) -> None:
    rpc(span, at, (CONSOLE, HOSTS["DC1"], 49667), DRSUAPI, (0, 2, 3, 3, 3), answer=50_000)


def passwords_sprayed(span: Span, at: int) -> None:
    """Twenty accounts are tried from a terminal server, two of them with the right password."""
    for n in range(20):
        now = directory.mistype(span, at + n * 20 * SECOND, RDS, f"u{2000 + n}")
        if n in (7, 15):
            directory.log_on(span, now + SECOND, RDS, f"u{2000 + n}")


def tool_turned_against_all(span: Span, at: int) -> None:
    """For a week the asset tool does its work; then it brings something else to three terminals."""
    for number in range(6):
        software_pushed(span, at + number * 24 * 60 * MINUTE)
    for n in range(3):
        smb = session(span, at + 6 * 24 * 60 * MINUTE + n * MINUTE, CONSOLE, TERMINALS[n], "svc")
        smb.tree("ADMIN$")
        file_id = smb.create("agent\\locker.exe", disposition=5, access=0x0012019F)
        smb.write(file_id, b"MZ\x90\0" + span.random.randbytes(8000), cut=200)
        smb.log_off()


#: The same bytes in an intruder's hands: what must be told, by detector and variant.
TWINS: Final[tuple[tuple[Scene, str], ...]] = (
    (callback_forced, "remote_calls/printer_bug"),
    (callback_of_a_controller_forced, "remote_calls/printer_bug"),
    (directory_stolen, "remote_calls/dcsync"),
    (passwords_sprayed, "password_guessing/spray"),
    (tool_turned_against_all, "admin_shares/program"),
)
