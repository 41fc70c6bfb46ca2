"""Scans by nmap and masscan in their shapes and speeds, over living and dead addresses."""

from sample_pcaps.hospital import HOSTS
from sample_pcaps.lab.story import LISTENER, NETFLOW, SPAN, Stage, Story, Truth

_SCANNER = HOSTS["EMR-3E-01"]
_LIVING = ("FS1", "DC1", "WSUS", "EMR-3E-02")
_SERVERS = "10.20.80.0/26"
_WARD = "10.20.20.0/26"
_ONE = HOSTS["FS1"].ip
_FAST = ("-n", "-Pn", "-T4", "--max-retries", "1")

#: name, what happens, one host aimed at or "", lanes that can see it, command.
_SCANS: tuple[tuple[str, str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("syn-sweep", "nmap -sS asks a server VLAN for SMB and RDP", "", (SPAN, NETFLOW),
     ("nmap", "-sS", *_FAST, "-p445,3389", _SERVERS)),
    ("connect-sweep", "nmap -sT, full connections, SMB and RDP over a server VLAN", "",
     (SPAN, NETFLOW), ("nmap", "-sT", *_FAST, "-p445,3389", _SERVERS)),
    ("udp-sweep", "nmap -sU asks a server VLAN for SNMP and NetBIOS names", "", (SPAN, NETFLOW),
     ("nmap", "-sU", *_FAST, "-p161,137", _SERVERS)),
    ("ping-sweep", "nmap -sn pings a server VLAN", "", (SPAN, NETFLOW),
     ("nmap", "-sn", "-n", "-PE", "-T4", _SERVERS)),
    ("arp-sweep", "nmap -sn asks its own VLAN by ARP", "", (SPAN, LISTENER),
     ("nmap", "-sn", "-n", "-T4", _WARD)),
    ("vertical", "nmap tries a thousand ports of one server", _ONE, (SPAN, NETFLOW),
     ("nmap", "-sS", *_FAST, "--top-ports", "1000", _ONE)),
    ("vertical-connect", "nmap -sT tries a hundred ports of one server", _ONE, (SPAN, NETFLOW),
     ("nmap", "-sT", *_FAST, "--top-ports", "100", _ONE)),
    ("versions", "nmap -sV -O asks one server for its services and system", _ONE, (SPAN,),
     ("nmap", "-sS", "-sV", "-O", "-n", "-Pn", "-T4", "-p1-30,445,3389", _ONE)),
    ("fin", "nmap -sF, FIN without connection", _ONE, (SPAN, NETFLOW),
     ("nmap", "-sF", *_FAST, "-p1-100", _ONE)),
    ("xmas", "nmap -sX, FIN PSH URG", _ONE, (SPAN, NETFLOW),
     ("nmap", "-sX", *_FAST, "-p1-100", _ONE)),
    ("null", "nmap -sN, no flags", _ONE, (SPAN, NETFLOW),
     ("nmap", "-sN", *_FAST, "-p1-100", _ONE)),
    ("ack", "nmap -sA, lone ACKs over a server VLAN", "", (SPAN, NETFLOW),
     ("nmap", "-sA", *_FAST, "-p445", _SERVERS)),
    ("slow", "nmap, one probe in two seconds, over twenty addresses", "", (SPAN, NETFLOW),
     ("nmap", "-sS", "-n", "-Pn", "--scan-delay", "2s", "--max-retries", "0", "-p445",
      "10.20.80.8-28")),
    ("masscan", "masscan, 500 probes a second, SMB over a /24", "", (SPAN, NETFLOW),
     ("masscan", "10.20.80.0/24", "-p445", "--rate", "500", "--wait", "1", "--interface", "eth0",
      "--router-mac", "00-12-e2-10-20-01", "--adapter-ip", _SCANNER.ip)),
    ("few", "nmap asks eight addresses, half of them alive, for SMB", "", (SPAN, NETFLOW),
     ("nmap", "-sS", *_FAST, "-p445", "10.20.80.8-11,20-21,60-61")),
)  # fmt: skip


def _scan(stage: Stage, what: str, target: str, lanes: tuple[str, ...], words: list[str]) -> None:
    for name in _LIVING:
        for port in (445, 3389):
            stage[name].serve(port, "nc", "-lk", str(port))
    truth = Truth(what, ("T1046", "T1018"), _SCANNER.ip, (target,) if target else (), lanes)
    with stage.happens(truth):
        stage[_SCANNER.name].run(*words, timeout_s=90)


def _story(row: tuple[str, str, str, tuple[str, ...], tuple[str, ...]]) -> Story:
    name, what, target, lanes, words = row
    return Story(
        name=f"scan-{name}",
        title=what,
        run=lambda stage: _scan(stage, what, target, lanes, list(words)),
        needs=("nmap:nmap", "masscan:masscan", "nc:netcat-openbsd"),
        hosts=(_SCANNER.name, *_LIVING),
        is_short=name in ("syn-sweep", "arp-sweep"),
    )


STORIES = tuple(_story(row) for row in _SCANS)
