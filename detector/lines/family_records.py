"""EX-1, family 9: what other monitors wrote down: switches, wireless, asset tools, routers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from collector.sightings import MonitorEvent
from detector.detection import Window
from detector.lines.clues import Clue, Family
from detector.lines.family_leak import LOOK
from detector.lines.family_router import FIND_IT
from detector.lines.surroundings import Surroundings
from detector.words import Text


@dataclass(frozen=True)
class _Record:
    """How much a kind of record weighs, and what it says."""

    weight: float
    what: Text
    confirm: Text
    family: Family = "records"


_RECORDS: Final[dict[str, _Record]] = {
    "usb_modem": _Record(4, Text(
        ja="資産管理ツールなどに USB モデム・テザリング機器の接続が記録された（{detail}）",
        en="a USB modem or tethered phone was recorded ({detail})"), LOOK),
    "usb_network": _Record(4, Text(
        ja="USB ネットワーク機器の接続が記録された（{detail}）",
        en="a USB network device was recorded ({detail})"), LOOK),
    "wan_interface": _Record(4, Text(
        ja="外部回線のインタフェース {port} が現れた（{detail}）",
        en="an interface to outside, {port}, has appeared ({detail})"), LOOK),
    "mobile_line": _Record(4, Text(
        ja="ルータの設定でモバイル回線が有効になっている（{detail}）",
        en="a router's settings turn a mobile line on ({detail})"), FIND_IT),
    "dial_up": _Record(4, Text(
        ja="機器の設定でダイヤルアップが有効になっている（{detail}）",
        en="a device's settings allow dial-up ({detail})"), FIND_IT),
    "new_mac": _Record(1, Text(
        ja="スイッチのポート {port} に新しい MAC が現れた", en="a new MAC on switch port {port}"),
        FIND_IT),
    "rogue_ssid": _Record(1, Text(
        ja="無線 LAN コントローラが未登録の SSID {port} を検知した",
        en="the wireless controller saw the unlisted SSID {port}"), FIND_IT),
    "mac_moved": _Record(1, Text(
        ja="同じ MAC が 2 つのポートに現れた（{port}）", en="one MAC is on two ports ({port})"),
        FIND_IT, "identity"),
}  # fmt: skip


def find_records(window: Window, around: Surroundings) -> Iterator[Clue]:
    """Weigh each record; a modem or a mobile line on record is proof by itself."""
    names: dict[str, str] = {}
    for event in window.of(MonitorEvent):
        record = _RECORDS.get(event.event)
        if record is None:
            continue
        if event.host_name and not names:
            names = {a.name.casefold(): a.ip for a in window.hospital.assets if a.name}
        named = names.get(event.host_name.casefold(), "") if event.host_name else ""
        host = event.ip or around.home_of(event.mac, window) or named
        host = host or event.mac or event.host_name or event.reporter_ip
        if not host:
            continue
        yield Clue(
            host=host,
            mac=event.mac,
            family=record.family,
            signal=f"record: {event.event}",
            weight=record.weight,
            time_ns=event.time_ns,
            what=record.what.fill({"detail": event.detail or "-", "port": event.port_name or "-"}),
            confirm=record.confirm,
            may_stand_alone=record.weight >= 4,
            shared="" if record.weight >= 4 else f"{event.event} {event.reporter_ip}",
            fields={"monitor": event.monitor, "reporter": event.reporter_ip, "detail": event.detail,
                    "user": event.user, "port_name": event.port_name},
        )  # fmt: skip
