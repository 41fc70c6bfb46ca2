"""Application names beside nDPI's, flow by flow, for VPNs, tunnels and remote control.

    python -m bench.truth_apps FOLDER [--verbose]

FOLDER holds captures with nDPI's text output beside them (NAME.expected.ndpi.out). A label counts
when it comes from bytes or names (confidence above 40 %). Precision is the share of our labels
that nDPI gives too, recall the share of its labels that we give; both over flows.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from collector.apps import APPS
from collector.capture import open_capture
from collector.data import read_reference
from collector.fastlane import FastLane
from collector.flows import address_text
from collector.identify.names import name_table

_LINE = re.compile(
    r"^\t\d+\t(\S+) \[?([0-9A-Fa-f.:]+?)\]?:(\d+) <?->? \[?([0-9A-Fa-f.:]+?)\]?:(\d+) .*?"
    r"\[proto: (?:\w+:)?[\d.]+/((?!DNS\.)[^\]]+)\].*?\[Confidence: DPI"
)
_SUFFIX = ".expected.ndpi.out"
#: nDPI's name → ours; a group of ours that nDPI does not tell apart counts as one.
_SAME = {
    "IPSec": "ipsec", "OpenVPN": "openvpn", "WireGuard": "wireguard", "Tailscale": "tailscale",
    "ZeroTier": "zerotier", "L2TP": "l2tp", "PPTP": "pptp", "GRE": "gre",
    "Softether": "softether", "SoftEther": "softether", "FortiClient": "fortinet_sslvpn",
    "CiscoVPN": "anyconnect", "AnyConnect": "anyconnect", "SOCKS": "socks", "Tor": "tor",
    "HTTP_Connect": "http_proxy", "HTTP_Proxy": "http_proxy", "TeamViewer": "teamviewer",
    "AnyDesk": "anydesk", "RustDesk": "rustdesk", "Radmin": "radmin", "VNC": "vnc", "RDP": "rdp",
    "SSH": "ssh", "Telnet": "telnet", "TELNET": "telnet", "DoH_DoT": "doh", "Teredo": "teredo",
    "GlobalProtect": "globalprotect", "Splashtop": "splashtop", "LogMeIn": "logmein",
    "Cloudflare_Tunnel": "cloudflared", "Mullvad": "wireguard",
}  # fmt: skip
_SAME_FOLDED = {theirs.casefold(): ours for theirs, ours in _SAME.items()}  # its versions differ
_GROUP = {
    "ikev1": "ipsec",
    "ikev2": "ipsec",
    "esp": "ipsec",
    "nat_t": "ipsec",
    "ah": "ipsec",
    "ikev1_aggressive": "ipsec",
}
_OURS = {
    *_SAME.values(), *_GROUP, "hamachi", "sstp", "pulse", "ngrok", "frp", "chisel", "remote_tool",
    "screenconnect", "isl_online", "remoteview", "beyondtrust", "chrome_remote_desktop",
}  # fmt: skip
Flow = frozenset[tuple[str, int]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--verbose", action="store_true")
    chosen = parser.parse_args()
    names = name_table(read_reference().name_suffixes())
    both: Counter[str] = Counter()
    only_ours: Counter[str] = Counter()
    only_ndpi: Counter[str] = Counter()
    for file in sorted(chosen.folder.rglob(f"*{_SUFFIX}")):
        capture = file.with_name(file.name.removesuffix(_SUFFIX))
        ours, theirs = _ours(capture, names), _ndpi(file)
        for flow in ours.keys() | theirs.keys():
            mine, peer = ours.get(flow, ""), theirs.get(flow, "")
            if mine and mine == peer:
                both[mine] += 1
                continue
            if mine:
                only_ours[mine] += 1
            if peer:
                only_ndpi[peer] += 1
            if chosen.verbose and (mine or peer):
                place = capture.relative_to(chosen.folder)
                print(f"{place}: ours {mine or '-'}, nDPI {peer or '-'}: {sorted(flow)}")
    _tell(both, only_ours, only_ndpi)
    return 0


def _ours(capture: Path, names: object) -> dict[Flow, str]:
    lane = FastLane(names=names)  # type: ignore[arg-type] # an array of numpy's
    labels: dict[Flow, str] = {}
    with open_capture(capture) as source:
        batches = [lane.feed(chunk).flows for chunk in source]
    for batch in [*batches, lane.finish().flows]:
        for row in batch.rows:
            app = APPS[row["app"]]
            if app in _OURS and row["app_confidence"] > 40:
                ends = _key(
                    (address_text(*row["source"]), int(row["source_port"])),
                    (address_text(*row["destination"]), int(row["destination_port"])),
                    int(row["protocol"]) in (6, 17),
                )
                labels.setdefault(ends, _GROUP.get(app, app))
    return labels


def _ndpi(file: Path) -> dict[Flow, str]:
    labels: dict[Flow, str] = {}
    for transport, source, source_port, destination, port, name in _lines(file):
        known = [_SAME_FOLDED[part] for part in name.casefold().split(".") if part in _SAME_FOLDED]
        if known:
            has_ports = transport in ("TCP", "UDP")
            ends = _key((source, int(source_port)), (destination, int(port)), has_ports)
            labels[ends] = known[-1]
    return labels


def _lines(file: Path) -> Iterator[tuple[str, ...]]:
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        found = _LINE.match(line)
        if found:
            yield found.groups()


def _key(source: tuple[str, int], destination: tuple[str, int], has_ports: bool) -> Flow:
    return frozenset((end[0], end[1] if has_ports else 0) for end in (source, destination))


def _tell(both: Counter[str], only_ours: Counter[str], only_ndpi: Counter[str]) -> None:
    print(f"{'application':24}{'both':>7}{'ours':>7}{'nDPI':>7}{'precision':>11}{'recall':>8}")
    totals = [0, 0, 0]
    for app in sorted(both.keys() | only_ours.keys() | only_ndpi.keys()):
        counts = both[app], only_ours[app], only_ndpi[app]
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
        print(_line(app, counts))
    print(_line("all", (totals[0], totals[1], totals[2])))


def _line(app: str, counts: tuple[int, int, int]) -> str:
    shared, ours, theirs = counts
    shares = (f"{shared / n:.1%}" if n else "-" for n in (shared + ours, shared + theirs))
    return f"{app:24}{shared:7}{ours:7}{theirs:7}{next(shares):>11}{next(shares):>8}"


if __name__ == "__main__":
    sys.exit(main())
