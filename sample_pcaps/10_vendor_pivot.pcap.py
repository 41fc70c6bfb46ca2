"""A vendor's line is misused, as in Osaka in 2022.

Wednesday 14 October, 21:10, outside the window of line L-002. Somebody comes in by the caterer's
VPN, lands on the menu server, goes on by RDP to the pharmacy's server, and from there runs a
service on EMR-AP1 as PsExec does: a program written to ADMIN$, a service made and started.
"""

from sample_pcaps import day, remote, tunnels
from sample_pcaps.dcerpc import ServiceControl
from sample_pcaps.hospital import CATERING_ENGINEER, CATERING_GATEWAY, HOSTS, Host
from sample_pcaps.smb2 import Smb2
from sample_pcaps.tcp import Tcp
from sample_pcaps.wire import SECOND, Span


def record() -> Span:
    span = Span("vendor pivot")
    start = day.clock("2026-10-14", "21:10")
    day.bustle(span, start, 4, share=0.3)
    tunnel = tunnels.Ipsec(span, HOSTS["VPN-KYUSHOKU"], CATERING_GATEWAY)
    tunnel.carry(tunnel.open(start), 220, rate=1.5)
    landing, stepping_stone = HOSTS["NUTRI-SV"], HOSTS["PHARM-SV"]
    remote.rdp(span, start + 5 * SECOND, CATERING_ENGINEER, landing, "kyushoku", 200, rate=0.6)
    remote.rdp(span, start + 40 * SECOND, landing, stepping_stone, "administrator", 150, rate=0.6)
    psexec(span, start + 100 * SECOND, stepping_stone, HOSTS["EMR-AP1"])
    return span


def psexec(span: Span, at: int, source: Host, target: Host) -> None:
    """Write PSEXESVC.exe to ADMIN$, make it a service, start it, and open its pipe."""
    smb = Smb2(Tcp(span, source, target, 445, at).open()).log_on("administrator")
    smb.tree("IPC$")
    smb.tree("ADMIN$")
    program = smb.create("PSEXESVC.exe", disposition=5, access=0x0012019F)
    header = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0"
    smb.write(program, header + bytes(48_000), cut=200)
    smb.close(program)
    control = ServiceControl(smb)
    control.open_manager(target.name)
    control.create_service("PSEXESVC", "%SystemRoot%\\PSEXESVC.exe")
    control.start_service()
    control.close_service()
    control.close()
    smb.tcp.wait(0.5)
    pipe = smb.create("PSEXESVC", access=0x0012019F)
    smb.write(pipe, bytes(160))
    smb.tcp.wait(20)
    smb.close(pipe)
    smb.tree("ADMIN$")
    smb.delete(smb.create("PSEXESVC.exe", access=0x00110080))
    smb.log_off()
