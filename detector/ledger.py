"""The asset ledger (機器台帳): CSV or Excel in and out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, get_args

from detector.cells import read_address, read_date, read_mac, read_macs, read_vlan, write_list
from detector.hospital import Asset, CareClass, Role
from detector.sheet import (
    Column,
    Fault,
    Form,
    Language,
    plain,
    read_whole_rows,
    write_records,
)

_ROLES: Final[dict[str, Role]] = {
    "端末": "terminal", "pc": "terminal", "クライアント": "terminal", "電子カルテ端末": "terminal",
    "ノートpc": "terminal", "サーバ": "server", "サーバー": "server", "部門サーバ": "server",
    "電子カルテ": "emr_server", "電子カルテサーバ": "emr_server", "データベース": "database",
    "db": "database", "dbサーバ": "database", "ドメインコントローラ": "domain_controller",
    "ad": "domain_controller", "dc": "domain_controller", "adサーバ": "domain_controller",
    "dnsサーバ": "dns", "dhcpサーバ": "dhcp", "ファイルサーバ": "file_server",
    "ファイルサーバー": "file_server", "nas": "file_server", "pacsサーバ": "pacs",
    "モダリティ": "modality", "撮影装置": "modality", "ct": "modality", "mri": "modality",
    "mr": "modality", "超音波": "modality", "内視鏡": "modality", "ビューア": "viewer",
    "読影端末": "viewer", "連携サーバ": "hl7_engine", "hl7": "hl7_engine", "分析装置": "analyser",
    "検査装置": "analyser", "薬剤": "pharmacy", "調剤": "pharmacy", "プリンタ": "printer",
    "プリンター": "printer", "複合機": "printer", "カメラ": "camera", "監視カメラ": "camera",
    "生体情報モニタ": "monitor", "セントラルモニタ": "monitor", "モニタ": "monitor",
    "ネットワーク機器": "network_device", "スイッチ": "network_device", "hub": "network_device",
    "ap": "network_device", "無線ap": "network_device", "ルータ": "gateway", "ルーター": "gateway",
    "ファイアウォール": "gateway", "fw": "gateway", "ゲートウェイ": "gateway",
    "踏み台": "bastion", "踏み台サーバ": "bastion", "脆弱性診断": "scanner",
    "バックアップ": "backup", "バックアップサーバ": "backup", "管理端末": "admin",
    "保守端末": "vendor_landing", "リモート保守端末": "vendor_landing",
    "保守ルータ": "vendor_router", "保守用ルータ": "vendor_router", "vpnルータ": "vendor_router",
    "医療機器": "medical_device", "不明": "unknown", "その他": "unknown",
    "ディレクトリ同期": "directory_sync",
    "ディレクトリ同期サーバ": "directory_sync", "ad同期": "directory_sync",
    "ad同期サーバ": "directory_sync", "entra connect": "directory_sync",
    "azure ad connect": "directory_sync", "管理者端末": "admin", "更新配信サーバ": "wsus",
    "配布サーバ": "wsus", "更新サーバ": "wsus", "保守業者の接続先": "vendor_landing",
    "保守回線のルータ": "vendor_router", "ris": "server", "lis": "server", "his": "server",
    "emr server": "emr_server", "image viewer": "viewer", "hl7 engine": "hl7_engine",
    "pharmacy system": "pharmacy", "jump server": "bastion", "admin workstation": "admin",
    "vendor landing host": "vendor_landing", "vendor router": "vendor_router",
    "update server": "wsus", "directory synchroniser": "directory_sync",
}  # fmt: skip
#: Where a kind of machine is written in other words: the first whose word stands in it.
_ROLE_WORDS: Final[tuple[tuple[Role, tuple[str, ...]], ...]] = (
    ("server", ("プリントサーバ", "モニタサーバ", "録画サーバ", "レコーダ")),
    ("scanner", ("脆弱性", "診断スキャナ")),
    ("domain_controller", ("domain controller", "ドメインコントローラ", "active directory")),
    ("printer", ("プリンタ", "複合機", "printer")),
    ("camera", ("カメラ",)),
    ("file_server", ("ファイルサーバ", "file server")),
    ("dns", ("dns",)),
    ("dhcp", ("dhcp",)),
    ("backup", ("バックアップ",)),
    ("hl7_engine", ("hl7", "連携サーバ", "連携エンジン")),
    ("pacs", ("pacs", "画像サーバ")),
    ("viewer", ("ビューア", "ビューワ", "読影")),
    ("pharmacy", ("薬剤", "調剤")),
    ("vendor_router", ("保守ルータ", "保守用ルータ", "vpnルータ")),
    ("network_device", ("スイッチ", "ハブ", "アクセスポイント", "無線lan", "network device")),
    ("gateway", ("ルータ", "ファイアウォール", "utm")),
    ("modality", ("モダリティ", "撮影", "ct装置", "mri", "x線", "レントゲン", "内視鏡", "超音波",
                  "エコー", "マンモ", "透視", "アンギオ", "血管造影", "心電計", "眼底")),
    ("analyser", ("分析", "検査装置", "検査機器", "血液ガス")),
    ("monitor", ("モニタ", "monitor")),
    ("medical_device", ("呼吸器", "ポンプ", "透析", "麻酔", "保育器", "除細動", "ナースコール",
                        "治療装置", "医療機器", "medical device")),
    ("server", ("サーバ", "システム", "server", "プロキシ")),
    ("terminal", ("端末", "パソコン", "タブレット", "ipad", "スマートフォン", "ノート")),
)  # fmt: skip


_GONE: Final = frozenset(
    {"廃棄", "廃棄済", "廃棄済み", "撤去", "撤去済", "撤去済み", "返却", "返却済", "返却済み",
     "除却", "使用終了", "退役", "廃止", "有", "○", "retired", "disposed", "yes", "true", "1"}
)  # fmt: skip
_IN_USE: Final = frozenset(
    {"使用中", "稼働中", "稼働", "運用中", "現役", "利用中", "保管", "予備", "予備機", "無", "×",
     "-", "なし", "in use", "active", "no", "false", "0"}
)  # fmt: skip


def read_role(text: str) -> Role:
    """One of the roles, what people call it, or the kind of machine that their words name."""
    folded = plain(text).casefold()
    found = _ROLES.get(folded) or next((r for r in get_args(Role) if r == folded), None)
    found = found or next((r for r, names in _ROLE_WORDS if any(n in folded for n in names)), None)
    if found is None:
        raise ValueError(
            "役割は 端末、サーバ、モダリティ、プリンタ、ネットワーク機器、医療機器 などから選び、"
            "分からなければ空欄にしてください。"
            f" / Choose one of {', '.join(get_args(Role))}, or leave it empty."
        )
    return found


def read_care_class(text: str) -> CareClass:
    folded = plain(text).upper()
    for name in get_args(CareClass):
        if folded == name:
            return name  # type: ignore[no-any-return]
    raise ValueError("C0 から C4 で書いてください。 / Write C0 to C4.")


COLUMNS: Final[tuple[Column, ...]] = (
    Column("ip", "IPアドレス", "IP address", ("IP", "IPv4", "IPv4アドレス", "アドレス"),
           read=read_address, is_required=True),
    Column("mac", "MACアドレス", "MAC address", ("MAC", "物理アドレス"), read=read_mac),
    Column("name", "ホスト名", "Host name",
           ("機器名", "コンピュータ名", "端末名", "名称", "機器名称", "hostname", "装置名")),
    Column("role", "役割", "Role", ("種別", "機器種別", "機器分類", "分類", "用途", "type"),
           read=read_role, write=str),
    Column("department", "部署", "Department", ("部門", "所属", "設置部署", "診療科", "管理部署")),
    Column("vendor", "ベンダ", "Vendor",
           ("ベンダー", "メーカー", "メーカ", "製造元", "製造販売業者")),
    Column("place", "設置場所", "Place", ("場所", "設置", "フロア", "部屋", "location")),
    Column("contact", "連絡先", "Contact", ("電話", "内線", "担当者", "管理者", "電話番号")),
    Column("care_class", "ケア影響度", "Care class", ("重要度", "影響度"), read=read_care_class,
           write=lambda value: value or ""),
    Column("switch", "接続スイッチ", "Switch", ("スイッチ", "収容スイッチ", "HUB名")),
    Column("switch_port", "スイッチポート", "Switch port", ("ポート", "収容ポート", "port")),
    Column("private_nics", "既知の第2NIC", "Known second NICs",
           ("第2NIC", "プライベートNIC", "内部NIC", "専用NIC"),
           read=lambda text: _second_nics(text),
           write=write_list),
    Column("os", "OS", "OS", ("OS名", "OSバージョン", "基本ソフト", "operating system")),
    Column("maintenance", "保守", "Maintenance",
           ("保守業者", "保守契約", "リモート保守", "保守ベンダ", "リモートメンテナンス")),
    Column("vlan", "VLAN", "VLAN", ("VLAN番号", "VLAN ID", "VID", "セグメント番号"), read=read_vlan,
           write=lambda value: str(value or "")),
    Column("is_retired", "廃棄", "Retired",
           ("状態", "使用状況", "稼働状況", "廃棄済", "廃棄日", "撤去", "status"),
           read=lambda text: _is_retired(text), write=lambda value: "廃棄済" if value else ""),
    Column("note", "備考", "Note", ("メモ", "特記事項", "remarks", "notes")),
)  # fmt: skip


def _is_retired(text: str) -> bool:
    """What people write of a machine's state; a date in a column of disposal means it is gone."""
    folded = plain(text).casefold()
    if folded in _GONE:
        return True
    if folded in _IN_USE:
        return False
    try:
        return read_date(folded) is not None
    except ValueError:
        raise ValueError(
            "「廃棄済」か「使用中」、または廃棄日を書いてください。"
            " / Write retired or in use, or the date of disposal."
        ) from None


def _second_nics(text: str) -> tuple[str, ...]:
    """MACs or addresses of second network cards."""
    nics: list[str] = []
    for part in filter(None, (p.strip() for p in plain(text).replace("、", ";").split(";"))):
        try:
            nics.append(read_address(part))
        except ValueError:
            nics.extend(read_macs(part))
    return tuple(nics)


def read_ledger(source: Path | bytes) -> tuple[list[Asset], list[Fault]]:
    """Read the ledger; rows that are not whole come back as faults, with their text."""
    return read_whole_rows(source, COLUMNS, Asset, key="ip")


def write_ledger(assets: Iterable[Asset], language: Language = "ja", form: Form = "csv") -> bytes:
    """Write the ledger so that `read_ledger` gives the same assets."""
    return write_records((asset.model_dump() for asset in assets), COLUMNS, language, form)
