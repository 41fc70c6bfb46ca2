"""The outside-connection register (外部接続台帳): CSV or Excel in and out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, get_args

from detector.cells import (
    read_address,
    read_date,
    read_mac,
    read_outside,
    read_protocols,
    read_targets,
    read_windows,
    read_yes,
    write_date,
    write_list,
    write_yes,
)
from detector.hospital import LineType, RegisteredLine
from detector.sheet import (
    Column,
    Fault,
    Form,
    Language,
    plain,
    read_whole_rows,
    write_records,
)

_LINE_TYPES: Final[dict[str, LineType]] = {
    "専用回線": "専用線", "広域イーサ": "専用線", "広域イーサネット": "専用線",
    "ipvpn": "IP-VPN", "ip-vpn網": "IP-VPN", "オンデマンドvpn": "IP-VPN",
    "サイト間vpn": "拠点間VPN", "ipsec": "拠点間VPN", "ipsec-vpn": "拠点間VPN",
    "インターネットvpn": "拠点間VPN", "vpn": "拠点間VPN", "site-to-site vpn": "拠点間VPN",
    "リモートvpn": "リモートアクセスVPN", "remote access vpn": "リモートアクセスVPN",
    "リモートアクセス": "リモートアクセスVPN", "リモート保守": "リモートアクセスVPN",
    "sslvpn": "SSL-VPN", "sase": "SASE/SSE", "sse": "SASE/SSE", "ztna": "SASE/SSE",
    "lte": "LTE/5G", "5g": "LTE/5G", "4g": "LTE/5G", "モバイル": "LTE/5G", "携帯回線": "LTE/5G",
    "モバイル回線": "LTE/5G", "モバイルルータ": "LTE/5G", "mobile": "LTE/5G",
    "isdn": "PSTN/ISDN", "pstn": "PSTN/ISDN", "電話回線": "PSTN/ISDN",
    "ダイヤルアップ": "PSTN/ISDN",
    "プロキシ": "プロキシ経由", "proxy": "プロキシ経由", "secure browser": "セキュアブラウザ",
    "仮想デスクトップ": "VDI", "閉域網": "閉域クラウド", "private cloud": "閉域クラウド",
    "leased line": "専用線",
}  # fmt: skip
_INITIATORS: Final = {
    "vendor": "vendor", "ベンダ": "vendor", "ベンダー": "vendor", "業者": "vendor",
    "保守業者": "vendor", "事業者": "vendor", "外部": "vendor", "hospital": "hospital",
    "病院": "hospital", "当院": "hospital", "院内": "hospital",
}  # fmt: skip


def read_line_type(text: str) -> LineType:
    """One of the register's line types, or what people call it."""
    folded = plain(text).casefold()
    by_name = {name.casefold(): name for name in get_args(LineType)}
    found = by_name.get(folded) or _LINE_TYPES.get(folded)
    if found is None:
        names = "、".join(get_args(LineType))
        raise ValueError(f"回線種別は {names} のいずれかです。 / Choose one of: {names}.")
    return found


def read_initiator(text: str) -> str:
    found = _INITIATORS.get(plain(text).casefold())
    if found is None:
        raise ValueError("「ベンダ」か「病院」と書いてください。 / Write vendor or hospital.")
    return found


#: Stands in the templates' example rows.
EXAMPLE_ID: Final = "記入例"


def read_id(text: str) -> str:
    if text.startswith(EXAMPLE_ID):
        raise ValueError(
            "記入例の行です。自院の内容に書き換えるか、行を消してください。"
            " / This is the example: write your own line over it, or delete the row."
        )
    return text


COLUMNS: Final[tuple[Column, ...]] = (
    Column("id", "管理番号", "ID", ("No", "番号", "台帳番号", "項番", "接続ID", "回線ID"),
           read=read_id, is_required=True),
    Column("vendor", "接続事業者", "Vendor",
           ("ベンダ", "ベンダー", "事業者", "業者", "業者名", "事業者名", "保守ベンダ",
            "接続先事業者", "会社名", "保守業者", "委託先", "接続元事業者"),
           is_required=True, is_carried_down=True),
    Column("system", "対象システム", "System",
           ("システム", "システム名", "部門システム", "接続対象システム", "用途"),
           is_carried_down=True),
    Column("use_case", "利用目的", "Use case", ("目的", "業務", "利用業務", "接続目的", "purpose")),
    Column("line_type", "回線種別", "Line type",
           ("接続方式", "回線", "接続種別", "接続形態", "回線種類", "type"), read=read_line_type,
           is_required=True, is_carried_down=True),
    Column("contract", "契約番号", "Contract",
           ("契約書番号", "契約No", "契約名", "contract number")),
    Column("contract_end", "契約期限", "Contract end",
           ("契約終了日", "契約満了日", "有効期限", "契約終了", "終了日", "expiry", "契約期間終了"),
           read=read_date, write=write_date),
    Column("device_ip", "接続機器IPアドレス", "Device IP",
           ("機器IP", "装置IP", "院内IP",
            "VPN装置IP", "ルータIP", "IPアドレス", "IP", "接続機器IP",
            "院内機器IPアドレス"), read=read_address),
    Column("device_mac", "接続機器MACアドレス", "Device MAC",
           ("MACアドレス", "MAC", "機器MAC", "装置MAC", "接続機器MAC"), read=read_mac),
    Column("device_serial", "接続機器シリアル番号", "Device serial",
           ("シリアル番号", "製造番号", "S/N", "serial", "機器シリアル")),
    Column("device_port", "接続ポート", "Device port",
           ("スイッチポート", "収容ポート", "接続スイッチ", "switch port")),
    Column("demarcation", "責任分界点", "Demarcation", ("責任分界", "分界点", "責任範囲")),
    Column("circuit", "回線番号", "Circuit",
           ("SIM番号", "回線ID番号", "電話番号(回線)", "お客様番号", "CAF番号", "circuit number",
            "SIM", "ICCID")),
    Column("outside", "接続先", "Outside",
           ("接続先アドレス", "接続先IP", "対向IP", "対向先", "外部IP", "外部アドレス", "接続元IP",
            "グローバルIP", "接続先IPアドレス", "endpoint", "endpoints", "対向"),
           read=read_outside, write=write_list, is_list=True),
    Column("protocols", "プロトコル", "Protocols",
           ("通信方式", "接続プロトコル", "protocol", "使用プロトコル", "ツール"),
           read=read_protocols, write=write_list, is_list=True),
    Column("landing", "着地機器", "Landing",
           ("接続先サーバ", "踏み台", "着信機器", "ログイン先", "landing hosts", "着地サーバ"),
           read=read_targets, write=write_list, is_list=True),
    Column("allowed_targets", "許可対象", "Allowed targets",
           ("許可範囲", "アクセス許可先", "許可先", "許可機器", "保守対象機器", "アクセス可能範囲"),
           read=read_targets, write=write_list, is_list=True),
    Column("windows", "利用時間", "Windows",
           ("利用時間帯", "接続時間", "作業時間", "保守時間", "時間帯", "接続可能時間", "hours"),
           read=read_windows, write=write_list, is_list=True),
    Column("initiator", "接続開始側", "Initiator", ("発信側", "開始側", "起点", "接続元"),
           read=read_initiator),
    Column("mfa", "多要素認証", "MFA", ("二要素認証", "2要素認証", "二段階認証", "MFAの有無"),
           read=read_yes, write=write_yes),
    Column("firmware_date", "ファームウェア更新日", "Firmware date",
           ("ファーム更新日", "ファームウェア日付", "最終更新日(機器)", "FW更新日"), read=read_date,
           write=write_date),
    Column("approver", "承認者", "Approver", ("承認", "責任者", "許可者")),
    Column("contact", "連絡先", "Contact", ("電話番号", "電話", "緊急連絡先", "担当者連絡先")),
    Column("last_review", "最終点検日", "Last review",
           ("点検日", "棚卸日", "最終確認日", "確認日", "見直し日"), read=read_date,
           write=write_date),
    Column("mds_sds", "MDS/SDS", "MDS/SDS", ("MDS", "SDS", "開示書", "MDS/SDSの有無")),
    Column("note", "備考", "Note", ("メモ", "特記事項", "remarks", "notes")),
)  # fmt: skip


def read_register(source: Path | bytes) -> tuple[list[RegisteredLine], list[Fault]]:
    """Read the register; rows that are not whole come back as faults, with their text."""
    return read_whole_rows(source, COLUMNS, RegisteredLine, key="id")


def write_register(
    lines: Iterable[RegisteredLine], language: Language = "ja", form: Form = "csv"
) -> bytes:
    """Write the register so that `read_register` gives the same lines."""
    return write_records((line.model_dump() for line in lines), COLUMNS, language, form)
