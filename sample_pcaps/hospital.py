"""The people's side of the sample hospital: every host, where it stands and what it is.

みまわり記念病院 does not exist; names, addresses and numbers are made up. Outside addresses are
from the documentation ranges of RFC 5737.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

DOMAIN = "mimawari-hp.example"
NETBIOS_DOMAIN = "MIMAWARI"
CORE_MAC = "00:12:e2:10:20:01"  # the core switch routes between all VLANs with one MAC


@dataclass(frozen=True)
class Host:
    """One machine. `system` names its TCP/IP stack in `wire.STACKS`."""

    name: str
    ip: str
    mac: str = ""
    role: str = "unknown"
    department: str = ""
    vendor: str = ""
    place: str = ""
    care_class: str = ""
    system: str = "windows"
    switch: str = ""
    switch_port: str = ""
    listed: bool = True  # in the asset ledger
    hops: int = 0  # routers passed before the packet reaches the core
    vlan: int = 0  # where it hangs, if its address does not tell

    @property
    def fqdn(self) -> str:
        return f"{self.name.lower()}.{DOMAIN}"


#: (VLAN, first two and a half octets, name); the wards' /23 spans two third octets.
VLANS = {10: "10.20.10.", 20: "10.20.20.", 30: "10.20.30.", 40: "10.20.40.", 50: "10.20.50.",
         60: "10.20.60.", 70: "10.20.70.", 80: "10.20.80.", 90: "10.20.90."}  # fmt: skip


def vlan_of(host: Host) -> int:
    """The VLAN a host hangs on; outside hosts enter on the firewall's, 90."""
    if host.vlan:
        return host.vlan
    for vlan, prefix in VLANS.items():
        if host.ip.startswith(prefix):
            return vlan
    return 20 if host.ip.startswith("10.20.21.") else 90


# name, ip, mac, role, department, vendor, place, care class, stack
_TABLE = """
EMR-AP1    10.20.10.11 90:1b:0e:10:00:11 emr_server 医療情報部 富士通 サーバ室A-01 C3 windows
EMR-AP2    10.20.10.12 90:1b:0e:10:00:12 emr_server 医療情報部 富士通 サーバ室A-01 C3 windows
EMR-DB1    10.20.10.21 90:1b:0e:10:00:21 database 医療情報部 富士通 サーバ室A-02 C3 linux
HL7-ENG    10.20.10.31 90:1b:0e:10:00:31 hl7_engine 医療情報部 富士通 サーバ室A-02 C3 linux
PHARM-SV   10.20.10.41 24:6e:96:10:00:41 pharmacy 薬剤部 湯山製作所 サーバ室A-03 C3 windows
PACS1      10.20.30.10 18:66:da:30:00:10 pacs 放射線部 富士フイルム サーバ室B-01 C3 windows
PACS2      10.20.30.12 18:66:da:30:00:12 pacs 放射線部 富士フイルム サーバ室B-01 C3 windows
RIS        10.20.30.15 18:66:da:30:00:15 server 放射線部 富士フイルム サーバ室B-02 C3 windows
CT1        10.20.30.21 00:0e:8c:30:00:21 modality 放射線部 シーメンス 一般撮影室1 C2 windows7
CT2        10.20.30.22 00:00:39:30:00:22 modality 放射線部 キヤノン 一般撮影室2 C2 windows
MR1        10.20.30.31 00:0e:8c:30:00:31 modality 放射線部 シーメンス MR室1 C2 linux
DR1        10.20.30.41 00:1e:8f:30:00:41 modality 放射線部 キヤノン 一般撮影室3 C2 windows
US1        10.20.30.51 00:00:39:30:00:51 modality 生理検査室 キヤノン エコー室1 C2 windows
VIEW-301   10.20.30.101 48:4d:7e:30:01:01 viewer 放射線部 デル 読影室 C1 windows
VIEW-302   10.20.30.102 48:4d:7e:30:01:02 viewer 放射線部 デル 読影室 C1 windows
VIEW-303   10.20.30.103 48:4d:7e:30:01:03 viewer 整形外科 デル 外来3診 C1 windows
LIS        10.20.40.10 f8:bc:12:40:00:10 server 検査部 シスメックス 検査室 C3 windows
ANA-HEMA1  10.20.40.21 00:0b:ab:40:00:21 analyser 検査部 シスメックス 検査室 C2 windows7
ANA-CHEM1  10.20.40.22 00:30:64:40:00:22 analyser 検査部 日立ハイテク 検査室 C2 device
LAB-PC1    10.20.40.101 b0:0c:d1:40:01:01 terminal 検査部 HP 検査室 C1 windows
NUTRI-SV   10.20.50.10 f8:bc:12:50:00:10 server 栄養部 デル 栄養事務室 C2 windows
NUTRI-PC1  10.20.50.21 b0:0c:d1:50:00:21 terminal 栄養部 HP 栄養事務室 C1 windows
NUTRI-PC2  10.20.50.22 b0:0c:d1:50:00:22 terminal 栄養部 HP 厨房 C1 windows
PRT-3E     10.20.60.11 00:26:73:60:00:11 printer 3階東病棟 リコー 3階東スタッフ室 C1 device
PRT-3W     10.20.60.12 00:26:73:60:00:12 printer 3階西病棟 リコー 3階西スタッフ室 C1 device
PRT-4E     10.20.60.13 00:26:73:60:00:13 printer 4階東病棟 リコー 4階東スタッフ室 C1 device
PRT-OPD    10.20.60.21 00:26:ab:60:00:21 printer 外来 エプソン 外来受付 C1 device
PRT-LAB    10.20.60.31 00:80:77:60:00:31 printer 検査部 ブラザー 検査室 C1 device
PRT-PHARM  10.20.60.41 00:26:73:60:00:41 printer 薬剤部 リコー 薬剤部 C1 device
VPN-CT     10.20.70.2 00:a0:de:70:00:02 vendor_router 放射線部 ヤマハ サーバ室C-01 C0 switch
VPN-KYUSHOKU 10.20.70.3 ac:44:f2:70:00:03 vendor_router 栄養部 ヤマハ サーバ室C-01 C0 switch
LAND-SV    10.20.70.10 54:bf:64:70:00:10 vendor_landing 医療情報部 デル サーバ室C-02 C2 windows
DC1        10.20.80.10 3c:52:82:80:00:10 domain_controller 医療情報部 HPE サーバ室A-10 C3 windows
DC2        10.20.80.11 3c:52:82:80:00:11 domain_controller 医療情報部 HPE サーバ室A-10 C3 windows
DHCP       10.20.80.12 3c:52:82:80:00:12 dhcp 医療情報部 HPE サーバ室A-10 C3 windows
NTP        10.20.80.15 00:90:e8:80:00:15 server 医療情報部 セイコー サーバ室A-10 C2 device
FS1        10.20.80.20 3c:52:82:80:00:20 file_server 医療情報部 HPE サーバ室A-11 C2 windows
BACKUP     10.20.80.30 0c:c4:7a:80:00:30 backup 医療情報部 スーパーマイクロ サーバ室A-12 C3 windows
SCAN       10.20.80.40 00:50:56:80:00:40 scanner 医療情報部 ヴイエムウェア サーバ室A-12 C1 linux
IT-PC1     10.20.80.51 b0:0c:d1:80:00:51 admin 医療情報部 HP 医療情報部 C1 windows
WSUS       10.20.80.60 3c:52:82:80:00:60 wsus 医療情報部 HPE サーバ室A-11 C2 windows
FW1        10.20.90.1 90:6c:ac:90:00:01 gateway 医療情報部 フォーティネット サーバ室C-01 C3 switch
"""

_WARDS = (("3E", "3階東病棟"), ("3W", "3階西病棟"), ("4E", "4階東病棟"), ("OPD", "外来"))


def _terminals() -> list[Host]:
    """Four EMR terminals on each of three wards and in the out-patient department."""
    out = []
    for floor, (code, department) in enumerate(_WARDS):
        for seat in range(1, 5):
            third, last = (21, 40 + seat) if code == "OPD" else (20, 30 + floor * 10 + seat)
            out.append(
                Host(
                    f"EMR-{code}-{seat:02}", f"10.20.{third}.{last}",
                    f"2c:d4:44:{third:02x}:{floor:02x}:{seat:02x}", "terminal", department,
                    "富士通", f"{department}スタッフ室", "C1",
                )
            )  # fmt: skip
    return out


def _read(line: str) -> Host:
    name, ip, mac, role, department, vendor, place, care_class, system = line.split()
    return Host(name, ip, mac, role, department, vendor, place, care_class, system)


def _placed(host: Host, count: int) -> Host:
    """Give a host its switch and port: one access switch a VLAN, ports in order."""
    switch = f"SW-V{vlan_of(host)}-1"
    return replace(host, switch=switch, switch_port=f"gi1/0/{count}")


def _all_hosts() -> dict[str, Host]:
    listed = [_read(line) for line in _TABLE.strip().splitlines()] + _terminals()
    ports: dict[int, int] = {}
    out = {}
    for host in listed:
        vlan = vlan_of(host)
        ports[vlan] = ports.get(vlan, 0) + 1
        out[host.name] = _placed(host, ports[vlan])
    return out


HOSTS = _all_hosts()
TERMINALS = tuple(h for h in HOSTS.values() if h.name.startswith("EMR-") and h.role == "terminal")
PRINTERS = tuple(h for h in HOSTS.values() if h.role == "printer")
FIREWALL = HOSTS["FW1"]

#: Outside hosts, all in documentation ranges.
CT_VENDOR_GATEWAY = Host("ct-vendor", "203.0.113.20", system="linux", hops=11)
CATERING_GATEWAY = Host("catering", "198.51.100.40", system="linux", hops=9)
WINDOWS_UPDATE = Host("update", "192.0.2.80", system="windows", hops=12)
NEWS_SITE = Host("news", "192.0.2.33", system="linux", hops=13)
ANYDESK_RELAY = Host("relay", "198.51.100.77", system="linux", hops=14)
WIREGUARD_PEER = Host("wg", "203.0.113.151", system="linux", hops=10)

#: What a vendor's engineer gets inside: an address of the line's pool, routed by its VPN router.
CT_ENGINEER = Host(
    "SVC-NOTE7", "10.20.70.130", HOSTS["VPN-CT"].mac, "vendor_landing", hops=2, listed=False
)
CATERING_ENGINEER = Host(
    "KYUSHOKU-HQ2", "10.20.70.138", HOSTS["VPN-KYUSHOKU"].mac, "vendor_landing", hops=2,
    listed=False,
)  # fmt: skip


def group(name: str, ip: str) -> Host:
    """A multicast or broadcast destination."""
    return Host(name, ip)
