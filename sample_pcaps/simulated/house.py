"""Who stands where in the simulated hospital: hosts, segments, outside lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

NAME: Final = "みまわり中央病院"
CORE_MAC: Final = 0x0012E2300001
FIREWALL_MAC: Final = 0x906CAC900001

#: name, VLAN, prefix, closed; the wards and the clinics hold 512 addresses each.
SEGMENTS: Final = (
    ("電子カルテサーバ", 110, "10.30.10.0/24", True),
    ("病棟端末", 120, "10.30.20.0/23", True),
    ("外来端末", 124, "10.30.24.0/23", True),
    ("事務・部門端末", 128, "10.30.28.0/24", True),
    ("放射線", 130, "10.30.30.0/24", True),
    ("検査", 140, "10.30.40.0/24", True),
    ("薬剤", 144, "10.30.44.0/24", True),
    ("栄養", 148, "10.30.48.0/24", True),
    ("生体情報モニタ", 150, "10.30.50.0/24", True),
    ("プリンタ", 160, "10.30.60.0/24", True),
    ("電話・ナースコール", 164, "10.30.64.0/24", True),
    ("業者着地", 170, "10.30.70.0/24", False),
    ("管理", 180, "10.30.80.0/24", False),
    ("対外接続", 190, "10.30.90.0/23", False),
)

#: group, role, VLAN, first last octet, how many of 400 beds, department, vendor, class, MAC head
_GROUPS: Final = (
    ("EMR-AP", "emr_server", 110, 11, 6, "医療情報部", "富士通", "C3", 0x901B0E, 0),
    ("EMR-DB", "database", 110, 21, 2, "医療情報部", "富士通", "C3", 0x901B0E, 0),
    ("DC", "domain_controller", 110, 31, 2, "医療情報部", "富士通", "C3", 0x901B0E, 0),
    ("FS", "file_server", 110, 41, 2, "医療情報部", "富士通", "C3", 0x901B0E, 0),
    ("HL7", "hl7_engine", 110, 51, 1, "医療情報部", "富士通", "C3", 0x901B0E, 0),
    ("WARD", "terminal", 120, 10, 280, "病棟", "デル", "C1", 0x484D7E, 1),
    ("CLINIC", "terminal", 124, 10, 200, "外来", "デル", "C1", 0x484D7E, 1),
    ("OFFICE", "terminal", 128, 10, 120, "医事課", "HP", "C1", 0xB00CD1, 1),
    ("TABLET", "terminal", 120, 300, 52, "病棟", "富士通", "C1", 0x3C95092, 1),
    ("PACS", "pacs", 130, 10, 2, "放射線部", "富士フイルム", "C3", 0x1866DA, 0),
    ("RIS", "server", 130, 15, 2, "放射線部", "富士フイルム", "C3", 0x1866DA, 0),
    ("CT", "modality", 130, 21, 3, "放射線部", "シーメンス", "C2", 0x000E8C, 0),
    ("MR", "modality", 130, 26, 2, "放射線部", "シーメンス", "C2", 0x000E8C, 0),
    ("DR", "modality", 130, 31, 10, "放射線部", "キヤノン", "C2", 0x001E8F, 0),
    ("US", "modality", 130, 51, 20, "生理検査室", "キヤノン", "C2", 0x000039, 0),
    ("VIEW", "viewer", 130, 101, 40, "放射線部", "デル", "C1", 0x484D7E, 0),
    ("LIS", "server", 140, 10, 2, "検査部", "シスメックス", "C3", 0xF8BC12, 0),
    ("ANA", "analyser", 140, 21, 25, "検査部", "シスメックス", "C2", 0x000BAB, 0),
    ("PHARM-SV", "pharmacy", 144, 10, 3, "薬剤部", "湯山製作所", "C3", 0x246E96, 0),
    ("PHARM", "terminal", 144, 21, 8, "薬剤部", "湯山製作所", "C1", 0xB00CD1, 0),
    ("NUTRI-SV", "server", 148, 10, 1, "栄養部", "デル", "C2", 0xF8BC12, 0),
    ("NUTRI", "terminal", 148, 21, 2, "栄養部", "HP", "C1", 0xB00CD1, 0),
    ("MON-CS", "medical_device", 150, 10, 8, "病棟", "日本光電", "C4", 0x00306E, 0),
    ("MON", "monitor", 150, 21, 80, "病棟", "日本光電", "C4", 0x00306E, 0),
    ("PRT", "printer", 160, 11, 120, "病棟", "リコー", "C1", 0x002673, 0),
    ("PHONE", "unknown", 164, 11, 100, "病棟", "NEC", "C1", 0x0060B9, 0),
    ("CAM", "camera", 164, 201, 24, "施設課", "アクシス", "C1", 0x00408C, 0),
    ("NVR", "server", 164, 240, 1, "施設課", "アクシス", "C1", 0x00408C, 0),
    ("VR", "vendor_router", 170, 2, 12, "医療情報部", "各社", "C0", 0x00A0DE, 0),
    ("IT", "admin", 180, 21, 6, "医療情報部", "デル", "C1", 0x484D7E, 0),
    ("BASTION", "bastion", 180, 31, 1, "医療情報部", "デル", "C3", 0x1866DA, 0),
    ("SCANNER", "scanner", 180, 32, 1, "医療情報部", "デル", "C1", 0x1866DA, 0),
    ("WSUS", "wsus", 180, 41, 1, "医療情報部", "デル", "C3", 0x1866DA, 0),
    ("AV", "server", 180, 42, 1, "医療情報部", "デル", "C3", 0x1866DA, 0),
    ("BACKUP", "backup", 180, 51, 2, "医療情報部", "デル", "C3", 0x1866DA, 0),
    ("QUALIFY", "server", 190, 11, 2, "医事課", "NTT", "C2", 0x0080BD, 0),
    ("RECEIPT", "terminal", 190, 21, 4, "医事課", "HP", "C1", 0xB00CD1, 0),
    ("PROXY", "server", 190, 31, 1, "医療情報部", "デル", "C3", 0x1866DA, 0),
    ("FW", "gateway", 190, 1, 1, "医療情報部", "フォーティネット", "C3", 0x906CAC, 0),
)  # fmt: skip

#: id, vendor, system, landing group, allowed targets (group:port), outside prefix, hours, contact
LINES: Final = (
    ("L01", "富士通", "電子カルテ保守", "EMR-AP", ("EMR-AP:3389", "EMR-DB:22"), "192.0.2.16/28"),
    ("L02", "富士フイルム", "PACS保守", "PACS", ("PACS:3389", "RIS:3389"), "192.0.2.32/28"),
    ("L03", "シーメンス", "CT・MR保守", "CT", ("CT:443", "MR:443"), "192.0.2.48/28"),
    ("L04", "キヤノン", "DR・超音波保守", "DR", ("DR:5900",), "192.0.2.64/28"),
    ("L05", "シスメックス", "検査システム保守", "LIS", ("LIS:3389",), "192.0.2.80/28"),
    ("L06", "湯山製作所", "薬剤システム保守", "PHARM-SV", ("PHARM-SV:3389",), "192.0.2.96/28"),
    ("L07", "ミールサービス", "給食管理", "NUTRI-SV", ("NUTRI-SV:3389", "NUTRI-SV:443"),
     "192.0.2.112/28"),
    ("L08", "日本光電", "モニタ保守", "MON-CS", ("MON-CS:5900",), "198.51.100.16/28"),
    ("L09", "リコー", "複合機保守", "PRT", ("PRT:443",), "198.51.100.32/28"),
    ("L10", "NEC", "電話交換機保守", "PHONE", ("PHONE:443",), "198.51.100.48/28"),
    ("L11", "NTT", "資格確認・レセプト", "QUALIFY", ("QUALIFY:443",), "198.51.100.64/28"),
    ("L12", "デル", "サーバ保守", "BACKUP", ("BACKUP:443",), "198.51.100.80/28"),
)  # fmt: skip
VPN_POOL: Final = "10.30.91.0/26"  # staff and head of IT from home, by the firewall's SSL-VPN
PUBLIC: Final = "203.0.113.0/29"  # the hospital's own block
VPN_OUTSIDE: Final = "203.0.113.1"  # the firewall's outside address

#: Groups whose addresses the ledger does not list: the core's own stand in the plan by MAC.
UNLISTED: Final = ("outside", "pool", "vpn", "core")


@dataclass
class House:
    """Columns over hosts: place in the tables is the host's number; outside hosts come last."""

    names: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    departments: list[str] = field(default_factory=list)
    vendors: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    vlan: list[int] = field(default_factory=list)
    address: list[int] = field(default_factory=list)  # IPv4 as a number
    mac: list[int] = field(default_factory=list)
    switch: list[int] = field(default_factory=list)  # access switch; 0 = hangs on the core
    leased: list[bool] = field(default_factory=list)
    outside: dict[str, int] = field(default_factory=dict)
    listed: int = 0  # the hospital's own hosts; whoever is added later has a higher number

    def __len__(self) -> int:
        return len(self.names)

    def of(self, group: str) -> NDArray[np.int64]:
        """Numbers of a group's hosts, in order."""
        return np.array([n for n, g in enumerate(self.groups) if g == group], np.int64)

    def ip(self, host: int) -> str:
        return dotted(self.address[host])

    def mac_text(self, host: int) -> str:
        return ":".join(f"{self.mac[host] >> s & 255:02x}" for s in range(40, -8, -8))

    def is_mirrored(self, source: int, target: int) -> bool:
        """Does what one sends the other pass the core: not if both hang on one access switch."""
        return self.switch[source] != self.switch[target] or self.switch[source] == 0

    def add(self, name: str, group: str, ip: str, **columns: Any) -> int:
        """One more host (of an attacker, a visitor, the outside); its number."""
        self.names.append(name)
        self.groups.append(group)
        self.address.append(number_of(ip))
        self.roles.append(columns.get("role", "unknown"))
        self.departments.append(columns.get("department", ""))
        self.vendors.append(columns.get("vendor", ""))
        self.classes.append(columns.get("care_class", ""))
        self.vlan.append(columns.get("vlan", 190))
        self.mac.append(columns.get("mac", FIREWALL_MAC))
        self.switch.append(columns.get("switch", 0))
        self.leased.append(False)
        return len(self.names) - 1

    def place(self, ip: str) -> int:
        """The number of an outside address, made on first use; it enters by the firewall."""
        if ip not in self.outside:
            self.outside[ip] = self.add(ip, "outside", ip)
        return self.outside[ip]

    def gateway(self, vlan: int) -> int:
        """The number of a segment's gateway: the firewall at the border, else the core itself."""
        if vlan == 190:
            return int(self.of("FW")[0])
        prefix = next(ip_network(p) for _, v, p, _ in SEGMENTS if v == vlan)
        ip = str(prefix.broadcast_address - 1)
        if ip not in self.outside:
            self.outside[ip] = self.add(ip, "core", ip, vlan=vlan, mac=CORE_MAC, role="gateway")
        return self.outside[ip]

    def pool(self, line: int, host: int) -> int:
        """A vendor's address inside: the pool of its line, behind its own router."""
        ip = f"10.30.70.{32 + line * 16 + host}"
        if ip not in self.outside:
            router = int(self.of("VR")[line - 1])
            self.outside[ip] = self.add(
                ip, "pool", ip, vlan=170, mac=self.mac[router], role="vendor_landing"
            )
        return self.outside[ip]


def build_house(beds: int = 400) -> House:
    """The hospital's hosts; groups of more than three grow and shrink with the beds."""
    house = House()
    head = {vlan: prefix for _, vlan, prefix, _ in SEGMENTS}
    for group, role, vlan, first, of_400, department, vendor, care, oui, leased in _GROUPS:
        fixed = of_400 <= 6 or group == "VR"
        count = of_400 if fixed else max(1, min(of_400, round(of_400 * beds / 400)))
        for at in range(count):
            host = house.add(
                f"{group}{at + 1:03d}" if count > 9 else f"{group}{at + 1}",
                group,
                dotted(number_of(head[vlan].split("/")[0]) + first + at),
                role=role,
                department=department,
                vendor=vendor,
                care_class=care,
                vlan=vlan,
                mac=FIREWALL_MAC
                if group == "FW"
                else (oui & 0xFFFFFF) << 24 | vlan << 12 | (first + at),
                # 24 ports a switch; the server room (departments' servers too) hangs on the core.
                switch=0
                if vlan in (110, 180, 190) or care == "C3"
                else vlan * 100 + (first + at) // 24,
            )
            house.leased[host] = bool(leased)
    house.listed = len(house)
    return house


def number_of(ip: str) -> int:
    a, b, c, d = (int(part) for part in ip.split("."))
    return a << 24 | b << 16 | c << 8 | d


def dotted(number: int) -> str:
    return ".".join(str(int(number) >> shift & 255) for shift in (24, 16, 8, 0))
