"""A ward terminal looks for file sharing and remote desktops in other departments.

Wednesday 21 October, 16:40. EMR-4E-03 knocks at ports 445 and 3389 of the servers', radiology's,
the laboratory's and the management VLAN, some two hundred addresses, most of which nobody has.
"""

from sample_pcaps import day
from sample_pcaps.hospital import HOSTS, VLANS, Host
from sample_pcaps.tcp import MILLI, Tcp
from sample_pcaps.wire import SECOND, Span

SWEPT = (10, 30, 40, 80)
OPEN = {445: ("emr_server", "pacs", "server", "domain_controller", "file_server", "backup"),
        3389: ("emr_server", "server", "file_server", "admin")}  # fmt: skip


def record() -> Span:
    span = Span("scan")
    start = day.clock("2026-10-21", "16:40")
    day.bustle(span, start, 3, share=0.4)
    sweep(span, start + 45 * SECOND, HOSTS["EMR-4E-03"])
    return span


def sweep(span: Span, at: int, source: Host) -> None:
    """Addresses 1 to 60 of each VLAN, both ports, some forty knocks a second."""
    by_ip = {h.ip: h for h in HOSTS.values()}
    for vlan in SWEPT:
        for last in range(1, 61):
            for port in (445, 3389):
                ip = f"{VLANS[vlan]}{last}"
                target = by_ip.get(ip, Host(ip, ip))
                answer = "" if ip not in by_ip else "refused"
                if target.system == "windows" and target.role in OPEN[port]:
                    answer = "open"
                Tcp(span, source, target, port, at).probe(answer)
                at += span.random.randrange(15, 35) * MILLI
