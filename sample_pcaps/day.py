"""An ordinary day: what happens on the wards, in radiology, in the laboratory, and at night."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sample_pcaps import clinical, directory, links, names, office, remote, tunnels
from sample_pcaps.hospital import (
    CATERING_ENGINEER,
    CATERING_GATEWAY,
    CT_ENGINEER,
    CT_VENDOR_GATEWAY,
    DOMAIN,
    HOSTS,
    PRINTERS,
    TERMINALS,
    WINDOWS_UPDATE,
    Host,
)
from sample_pcaps.smb2 import Smb2
from sample_pcaps.tcp import Tcp
from sample_pcaps.wire import SECOND, Span

MINUTE = 60 * SECOND
_WARD_PRINTER = {"3E": "PRT-3E", "3W": "PRT-3W", "4E": "PRT-4E", "OPD": "PRT-OPD"}
_MODALITIES = ("CT1", "CT2", "MR1", "DR1", "US1")
_SWITCHES = ("SW-V10-1", "SW-V20-1", "SW-V30-1", "SW-V50-1", "SW-V80-1")


def clock(day: str, time_of_day: str) -> int:
    """Japan time ("2026-10-01", "08:30") in ns since 1970 UTC."""
    moment = datetime.fromisoformat(f"{day}T{time_of_day}").replace(tzinfo=ZoneInfo("Asia/Tokyo"))
    return int(moment.timestamp()) * SECOND


def user_of(host: Host) -> str:
    """The account a person at this machine uses."""
    return f"u{sum(host.name.encode()) * 7 % 9000 + 1000}"


def bustle(span: Span, at: int, minutes: float, share: float = 1.0) -> None:
    """Some minutes of working hours; `share` thins it out."""
    end = at + int(minutes * MINUTE)
    r = span.random
    rates = (
        (5.0, _emr), (3.0, _database), (2.0, _name_lookup), (1.2, _order), (1.0, _worklist),
        (0.35, _study), (0.7, _print), (0.4, _document), (0.5, _result), (0.8, _clock),
        (1.5, _arp), (0.5, _outside_name), (0.3, _poll), (0.3, _view), (0.25, _updates),
        (0.15, _old_name),
        (0.5, _shouting),
    )  # fmt: skip
    for rate, happen in rates:
        moment = at
        while True:
            moment += int(r.expovariate(rate * share) * MINUTE)
            if moment >= end:
                break
            happen(span, moment)
    for index, switch in enumerate(_SWITCHES):
        for moment in range(at + index * 3 * SECOND, end, 30 * SECOND):
            links.lldp(span, moment, switch, "0/25", f"00:12:e2:10:21:{index:02x}")


def arrivals(span: Span, at: int, count: int) -> None:
    """People come in, start their terminals and log on to the domain."""
    for terminal in span.random.sample(TERMINALS, count):
        log_on(span, at, terminal)
        at += int(span.random.uniform(3, 9) * SECOND)


def log_on(span: Span, at: int, terminal: Host) -> None:
    """One terminal from power-on to its policy."""
    if terminal.role == "terminal" and terminal.name.startswith("EMR"):
        at = links.dhcp_lease(span, at, terminal)
    links.arp_gateway(span, at, terminal)
    at = names.register(span, at + SECOND, terminal, [terminal.ip])
    at = directory.ldap_search(span, at, terminal)
    user = user_of(terminal)
    at = directory.log_on(span, at, terminal, user, (f"cifs/dc1.{DOMAIN}", f"ldap/dc1.{DOMAIN}"))
    office.group_policy(span, at, terminal, user)


def night(span: Span, at: int) -> None:
    """The backup server reads the file server; analysers and monitors stay quiet."""
    smb = Smb2(Tcp(span, HOSTS["BACKUP"], HOSTS["FS1"], 445, at).open()).log_on("svc-backup")
    smb.tree("IPC$")
    smb.tree("部門共有")
    for index in range(12):
        read_whole(smb, f"栄養\\献立{index:02}.xlsx", 60_000)
    smb.log_off()
    for host in ("EMR-AP1", "EMR-AP2", "PACS1"):
        links.ntp(span, at + span.random.randrange(30) * SECOND, HOSTS[host])
    _database(span, at + 5 * SECOND)


def read_whole(smb: Smb2, name: str, size: int) -> None:
    """Open, read and close one file; only its first bytes are captured."""
    file_id = smb.create(name, size=size)
    smb.read(file_id, bytes(size), cut=120)
    smb.close(file_id)


def ct_vendor_visit(span: Span, at: int, seconds: float) -> None:
    """Line L-001: the engineer lands on LAND-SV and looks at the RIS, as registered."""
    tunnel = tunnels.Ipsec(span, HOSTS["VPN-CT"], CT_VENDOR_GATEWAY)
    tunnel.carry(tunnel.open(at), seconds)
    at += 4 * SECOND
    remote.rdp(span, at, CT_ENGINEER, HOSTS["LAND-SV"], "ctservice", seconds - 8, rate=0.6)
    remote.rdp(span, at + 9 * SECOND, HOSTS["LAND-SV"], HOSTS["RIS"], "ctservice", seconds - 22)


def catering_visit(span: Span, at: int, seconds: float) -> None:
    """Line L-002: the caterer's head office looks after its menu server, as registered."""
    tunnel = tunnels.Ipsec(span, HOSTS["VPN-KYUSHOKU"], CATERING_GATEWAY)
    tunnel.carry(tunnel.open(at), seconds)
    at += 4 * SECOND
    remote.rdp(span, at, CATERING_ENGINEER, HOSTS["NUTRI-SV"], "kyushoku", seconds - 8, rate=0.6)


def administration(span: Span, at: int, server: Host, seconds: float) -> None:
    """The hospital's own administrator works on a server by RDP."""
    remote.rdp(span, at, HOSTS["IT-PC1"], server, "it-admin", seconds, rate=0.5)


def _emr(span: Span, at: int) -> None:
    terminal = span.random.choice(TERMINALS)
    server = HOSTS[span.random.choice(("EMR-AP1", "EMR-AP2"))]
    if span.random.random() < 0.4:
        at = names.ask(span, at, terminal, f"emr.{DOMAIN}", server.ip)
    office.emr_page(span, at, terminal, server, span.random.randrange(1, 5))


def _database(span: Span, at: int) -> None:
    server = HOSTS[span.random.choice(("EMR-AP1", "EMR-AP2"))]
    office.database(span, at, server, span.random.randrange(2, 8))


def _name_lookup(span: Span, at: int) -> None:
    wanted = HOSTS[span.random.choice(("FS1", "PACS1", "WSUS", "DC1", "RIS"))]
    names.ask(span, at, span.random.choice(TERMINALS), wanted.fqdn, wanted.ip)


def _outside_name(span: Span, at: int) -> None:
    """A closed network's PCs ask for the Internet all day and get nothing."""
    client = span.random.choice((*TERMINALS, HOSTS["NUTRI-PC1"], HOSTS["LAB-PC1"]))
    names.ask(span, at, client, span.random.choice(("dns.msftncsi.com", "time.windows.com")))


def _old_name(span: Span, at: int) -> None:
    """A PC still looks for a print server that was retired years ago."""
    client = span.random.choice(TERMINALS)
    at = names.ask(span, at, client, f"prtsv-old.{DOMAIN}")
    names.llmnr_query(span, at, client, "prtsv-old")
    names.netbios_query(span, at, client, "PRTSV-OLD", "10.20.21.255")


def _shouting(span: Span, at: int) -> None:
    """What Windows calls into the LAN by itself."""
    client = span.random.choice((*TERMINALS, HOSTS["NUTRI-PC1"], HOSTS["VIEW-302"]))
    links.dhcpv6_solicit(span, at, client)
    at = names.mdns_query(span, at, client)
    names.ssdp_search(span, at, client)


def _order(span: Span, at: int) -> None:
    kind = span.random.choice(("ORM^O01", "ADT^A01", "ADT^A03"))
    at = clinical.hl7(span, at, HOSTS["EMR-AP1"], HOSTS["HL7-ENG"], kind)
    receiver = HOSTS["RIS" if kind.startswith("ORM") else "LIS"]
    clinical.hl7(span, at, HOSTS["HL7-ENG"], receiver, kind)


def _result(span: Span, at: int) -> None:
    analyser = HOSTS[span.random.choice(("ANA-HEMA1", "ANA-CHEM1"))]
    at = clinical.hl7(span, at, analyser, HOSTS["LIS"], "ORU^R01", 2)
    clinical.hl7(span, at, HOSTS["LIS"], HOSTS["HL7-ENG"], "ORU^R01")


def _worklist(span: Span, at: int) -> None:
    modality = HOSTS[span.random.choice(_MODALITIES)]
    clinical.worklist(span, at, modality, span.random.randrange(1, 5))


def _study(span: Span, at: int) -> None:
    modality = HOSTS[span.random.choice(_MODALITIES)]
    size = span.random.randrange(60_000, 130_000)
    clinical.store(span, at, modality, HOSTS["PACS1"], span.random.randrange(1, 3), size)


def _view(span: Span, at: int) -> None:
    viewer = HOSTS[span.random.choice(("VIEW-301", "VIEW-302", "VIEW-303"))]
    query = clinical.Association(span, at, viewer, HOSTS["PACS1"], clinical.STUDY_FIND)
    query.find(span.random.randrange(1, 4))
    query.release()


def _print(span: Span, at: int) -> None:
    terminal = span.random.choice(TERMINALS)
    printer = HOSTS[_WARD_PRINTER[terminal.name.split("-")[1]]]
    at = office.print_ipp(span, at, terminal, printer)
    office.print_page(span, at, terminal, printer, span.random.randrange(8_000, 30_000))


def _poll(span: Span, at: int) -> None:
    for printer in PRINTERS:
        at = links.snmp_get(span, at, HOSTS["IT-PC1"], printer) + SECOND // 5


def _document(span: Span, at: int) -> None:
    client = HOSTS[span.random.choice(("NUTRI-PC1", "NUTRI-PC2", "LAB-PC1"))]
    folder = "栄養" if client.name.startswith("NUTRI") else "検査"
    name = f"{folder}\\記録{span.random.randrange(40):02}.txt"
    office.open_document(span, at, client, user_of(client), name)


def _clock(span: Span, at: int) -> None:
    host = span.random.choice((HOSTS["EMR-AP1"], HOSTS["DC1"], HOSTS["RIS"], HOSTS["CT1"]))
    links.ntp(span, at, host)


def _arp(span: Span, at: int) -> None:
    links.arp_gateway(span, at, span.random.choice((*TERMINALS, HOSTS["RIS"], HOSTS["NUTRI-SV"])))


def _updates(span: Span, at: int) -> None:
    if span.random.random() < 0.3:
        office.fetch_updates(span, at, WINDOWS_UPDATE)
    else:
        office.check_updates(span, at, HOSTS[span.random.choice(("NUTRI-PC1", "RIS", "LAB-PC1"))])
