"""Twin of the scan: the hospital's own vulnerability scanner, on the Sunday it is meant to run.

Sunday 25 October, 03:00. SCAN sweeps the servers' and the management VLAN. Nothing to report.
"""

from sample_pcaps import day
from sample_pcaps.hospital import HOSTS, VLANS, Host
from sample_pcaps.tcp import MILLI, Tcp
from sample_pcaps.wire import SECOND, Span

PORTS = (22, 80, 135, 443, 445, 1433, 3389, 5432)
OPEN = {"database": (22, 5432), "hl7_engine": (22,)}
WINDOWS_SERVER = (135, 445, 3389)


def record() -> Span:
    span = Span("scanner window")
    start = day.clock("2026-10-25", "03:00")
    by_ip = {h.ip: h for h in HOSTS.values()}
    at = start + 5 * SECOND
    for vlan in (10, 80):
        for last in range(1, 41):
            ip = f"{VLANS[vlan]}{last}"
            if ip == HOSTS["SCAN"].ip:
                continue
            target = by_ip.get(ip, Host(ip, ip))
            served = OPEN.get(target.role, WINDOWS_SERVER if target.system == "windows" else ())
            for port in PORTS:
                answer = "" if ip not in by_ip else "open" if port in served else "refused"
                Tcp(span, HOSTS["SCAN"], target, port, at).probe(answer)
                at += span.random.randrange(10, 30) * MILLI
    return span
