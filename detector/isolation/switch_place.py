"""Where a host's cable ends, as far as is known, and whether that port may be touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from detector.alerts import Party
from detector.hospital import Asset, Hospital
from detector.isolation.responders import Cut
from detector.switch_ports import EdgePort, differs_in_port
from detector.words import Text

_MOST_NAMES = 5


@dataclass(frozen=True)
class SwitchPlace:
    """A switch port as a command names it (empty: none may be written), and how to say so."""

    port: str
    where: Text
    is_shared: bool = False  # others hang on the same port and would go with it


def switch_place(
    source: Party, hospital: Hospital, ports: Mapping[str, EdgePort]
) -> SwitchPlace:  # fmt: skip
    """The port out of the switches' MAC tables (`ports`, by MAC), else the ledger's.

    A port that several machines share gets no command: whoever else hangs there is named. Of a
    host whose MAC only packets show (no ARP, no lease: `Party.asset`), that may be its router's,
    behind whose port a whole segment hangs: it finds no port.
    """
    listed = hospital.asset_by_ip.get(source.ip)
    told = source.mac.lower() if source.asset else ""
    if listed is not None and listed.mac and told not in ("", listed.mac.lower()):
        listed = None  # another machine has the address that the ledger gave to this one
    mac = told or (listed.mac.lower() if listed else "")
    seen = ports.get(mac)
    if seen is not None and seen.machines > 1:
        return _shared(mac, seen, hospital, ports)
    if seen is not None:
        return _alone(seen, listed)
    if listed is not None and listed.switch_port:
        place = f"{listed.switch} {listed.switch_port}"
        return SwitchPlace(
            _in_commands(listed.switch_port), Text(ja=f"（{place}）", en=f" ({place})")
        )
    return SwitchPlace(
        "",
        Text(
            ja="（接続ポートが台帳にも MAC 表にもないため、現地で確かめてから抜線します）",
            en=" (its switch port is in no ledger and no MAC table: find it on site, then unplug)",
        ),
    )


def _alone(seen: EdgePort, listed: Asset | None) -> SwitchPlace:
    ja, en = f"{seen}、スイッチの MAC 表による", f"{seen}, as the switch's MAC table shows"
    if listed is not None and differs_in_port(seen.port, listed.switch_port):
        ja += f"。台帳は {listed.switch_port} なので現地で確かめる"
        en += f"; the ledger says {listed.switch_port}: look on site"
    return SwitchPlace(_in_commands(seen.port), Text(ja=f"（{ja}）", en=f" ({en})"))


def _shared(
    mac: str, seen: EdgePort, hospital: Hospital, ports: Mapping[str, EdgePort]
) -> SwitchPlace:
    others = [other for other, place in ports.items() if place == seen and other != mac]
    names = [_named(other, hospital) for other in sorted(others)[:_MOST_NAMES]]
    return SwitchPlace(
        "",
        Text(
            ja=f"（{seen} には {seen.machines} 台がつながっています：{'、'.join(names)} など。"
            "ポートごと止めず、この機器の通信だけを止めます）",
            en=f" ({seen.machines} machines hang on {seen}, among them {', '.join(names)}: leave "
            "the port up and stop this machine's traffic only)",
        ),
        is_shared=True,
    )


def _named(mac: str, hospital: Hospital) -> str:
    ip = hospital.ip_by_mac.get(mac, "")
    return hospital.asset_by_ip[ip].name or ip if ip else mac


def _in_commands(port: str) -> str:
    """The port without blanks, as switches take it too; empty if no command may hold it."""
    short = port.replace(" ", "")
    try:
        Cut("port_down", switch_port=short)
    except ValueError:
        return ""
    return short
