"""The hospital's own papers: plan, ledger and register, as its people would have written them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

from sample_pcaps.simulated.house import (
    CORE_MAC,
    FIREWALL_MAC,
    LINES,
    NAME,
    PUBLIC,
    SEGMENTS,
    UNLISTED,
    VPN_OUTSIDE,
    House,
)  # fmt: skip

_ROLES: Final = {
    "emr_server": "電子カルテサーバ",
    "database": "データベース",
    "pacs": "PACS",
    "file_server": "ファイルサーバ",
    "modality": "モダリティ",
    "terminal": "端末",
    "server": "サーバ",
    "printer": "プリンタ",
    "camera": "カメラ",
    "unknown": "",
}


def write_papers(folder: Path, house: House) -> None:
    """mimawari.toml, hospital.toml, assets.csv and register.csv, ready for `--config`."""
    (folder / "mimawari.toml").write_text(
        '[hospital]\nplan_file = "hospital.toml"\nassets_file = "assets.csv"\n'
        'register_file = "register.csv"\n'
    )
    _write_plan(folder / "hospital.toml", house)
    _write_ledger(folder / "assets.csv", house)
    _write_register(folder / "register.csv", house)


def _write_plan(path: Path, house: House) -> None:
    dhcp = house.ip(int(house.of("DC")[0]))
    text = [f'name = "{NAME}"', 'timezone = "Asia/Tokyo"']
    for name, vlan, prefix, closed in SEGMENTS:
        macs = [_mac(CORE_MAC)]
        if vlan == 170:
            macs += sorted({house.mac_text(int(h)) for h in house.of("VR")})
        if vlan == 190:
            macs.append(_mac(FIREWALL_MAC))
        text += [
            "",
            "[[segments]]",
            f'name = "{name}"',
            f"vlan = {vlan}",
            f"prefixes = {_listed([prefix, *([PUBLIC] if vlan == 190 else [])])}",
            f"gateway_macs = {_listed(macs)}",
            f'dhcp_servers = ["{dhcp}"]',
            f"closed = {str(closed).lower()}",
        ]
    path.write_text("\n".join(text) + "\n")


def _write_ledger(path: Path, house: House) -> None:
    """Leased terminals are listed by name and MAC with the address of the day it was written."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(
            [
                "ホスト名",
                "IPアドレス",
                "MACアドレス",
                "役割",
                "部署",
                "ベンダ",
                "ケア影響度",
                "接続スイッチ",
                "スイッチポート",
                "専用NIC",
            ]
        )
        for host in range(len(house)):
            if house.groups[host] in UNLISTED:
                continue
            role = house.roles[host]
            private = "192.168.100.1" if house.groups[host] in ("CT", "MR") else ""
            switch = house.switch[host]
            rows.writerow(
                [
                    house.names[host],
                    house.ip(host),
                    house.mac_text(host),
                    _ROLES.get(role, role),
                    house.departments[host],
                    house.vendors[host],
                    house.classes[host],
                    f"SW-{switch}" if switch else "CORE",
                    f"gi1/0/{host % 24 + 1}",
                    private,
                ]
            )


def _write_register(path: Path, house: House) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(
            [
                "管理番号",
                "接続事業者",
                "回線種別",
                "対象システム",
                "契約期限",
                "接続機器IPアドレス",
                "接続機器MACアドレス",
                "接続先",
                "プロトコル",
                "着地機器",
                "許可対象",
                "利用時間",
                "接続開始側",
                "多要素認証",
                "連絡先",
            ]
        )
        for at, (line, vendor, system, _, allowed, outside) in enumerate(LINES, 1):
            router = int(house.of("VR")[at - 1])
            targets = [t for rule in allowed for t in _targets(house, rule)]
            pool = f"10.30.70.{32 + at * 16}/28"
            hours = "常時" if line == "L11" else "Mon-Fri 09:00-18:00"
            rows.writerow(
                [
                    line,
                    vendor,
                    "拠点間VPN",
                    system,
                    "2028-03-31",
                    house.ip(router),
                    house.mac_text(router),
                    outside,
                    "ikev2;nat_t;esp",
                    pool,
                    ";".join(targets),
                    hours,
                    "業者",
                    "なし",
                    f"内線70{at:02d}",
                ]
            )
        rows.writerow(
            [
                "L21",
                "病院職員",
                "SSL-VPN",
                "自宅からの閲覧",
                "2028-03-31",
                VPN_OUTSIDE,
                _mac(FIREWALL_MAC),
                "203.0.113.128/25",
                "fortinet_sslvpn;tls",
                "10.30.91.0/26",
                f"{house.ip(int(house.of('BASTION')[0]))}:3389",
                "常時",
                "病院",
                "あり",
                "内線7000",
            ]
        )


def _mac(number: int) -> str:
    return ":".join(f"{number >> s & 255:02x}" for s in range(40, -8, -8))


def _listed(words: list[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


def _targets(house: House, rule: str) -> list[str]:
    """Hosts of a group with the port; of a large group its whole segment, as people write it."""
    group, _, port = rule.partition(":")
    hosts = house.of(group)
    if len(hosts) > 6:
        prefix = next(p for _, vlan, p, _ in SEGMENTS if vlan == house.vlan[int(hosts[0])])
        return [f"{prefix}:{port}"]
    return [f"{house.ip(int(host))}:{port}" for host in hosts]
