"""Cells of a ledger; where one cannot be read, the ValueError says in ja / en how to write it."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta
from ipaddress import IPv4Address, ip_network, summarize_address_range
from typing import Final

from collector.apps import APP_CODE
from collector.flows import plain_address
from detector.lines.maintenance_window import BOOKING, is_on_request, read_window
from detector.lines.scope import split_target
from detector.lines.tools import TOOLS
from detector.sheet import plain

_ERAS: Final = {
    "令和": 2018, "令": 2018, "r": 2018, "平成": 1988, "平": 1988, "h": 1988,
    "昭和": 1925, "昭": 1925, "s": 1925,
}  # fmt: skip
_NOTHING: Final = frozenset({"-", "ー", "―", "なし", "無し", "無", "n/a", "none", "未定", "不明"})
_NO_END: Final = _NOTHING | {"無期限", "自動更新", "自動継続", "期限なし"}
_YES: Final = frozenset(
    {"有", "有り", "あり", "○", "〇", "◯", "yes", "y", "true", "1", "済", "はい"}
)
_NO: Final = frozenset({"無", "無し", "なし", "×", "x", "no", "n", "false", "0", "未", "いいえ"})

#: What people write for a protocol, where it is not a token or a label of its own.
_PROTOCOL_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "ipsec": ("ikev1", "ikev2", "esp", "nat_t"),
    "ipsec-vpn": ("ikev1", "ikev2", "esp", "nat_t"),
    "ike": ("ikev1", "ikev2"),
    "l2tp/ipsec": ("l2tp", "ikev1", "esp", "nat_t"),
    "ssl-vpn": ("fortinet_sslvpn", "anyconnect", "globalprotect", "pulse", "sstp", "tls"),
    "sslvpn": ("fortinet_sslvpn", "anyconnect", "globalprotect", "pulse", "sstp", "tls"),
    "https": ("tls",),
    "packetix": ("softether",),
}
_LABELS: Final = {tool.label.casefold(): app for app, tool in TOOLS.items()}


def read_date(text: str) -> date | None:
    """ISO, slashes, dots, 年月日, 8 digits, Excel's day numbers, and Japanese eras.

    A bare month means its last day, 年度末 the 31st of March that ends the fiscal year, and a
    period its end.
    """
    folded = re.sub(r"\s*(まで|迄|限り)$", "", plain(text).casefold())
    start, parted, end = folded.partition("~")
    if parted and start.strip() and end.strip():
        read_date(start)
        return read_date(end)
    if folded in _NO_END:
        return None
    folded = re.sub(r"^(令和|平成|r|h)?(元|\d{1,4})年度末?日?$", _end_of_fiscal_year, folded)
    folded = re.sub(r"月末日?$", "月", folded)
    if re.fullmatch(r"[2-7]\d{4}(?:\.\d+)?", folded):  # days since 1899-12-30, 1954 to 2118
        return date(1899, 12, 30) + timedelta(days=int(float(folded)))
    year_text = r"(令和|平成|昭和|令|平|昭|[rhs])?\s*(元|\d{1,4})\s*[年/.\-]\s*"
    month_text = r"(\d{1,2})(?:\s*[月/.\-]\s*(\d{1,2})?)?\s*日?(?:$|[\sTt(])"
    digits = r"()(\d{4})(\d{2})(\d{2})$"
    found = re.match(year_text + month_text, folded) or re.match(digits, folded)
    if found is None:
        raise ValueError(_DATE_HINT)
    era, year_number, month, day = found.groups()
    year = (1 if year_number == "元" else int(year_number)) + (_ERAS[era] if era else 0)
    if year < 1900:  # 24/4/1 may be of three calendars
        raise ValueError(_DATE_HINT)
    try:
        return date(year, int(month), int(day) if day else monthrange(year, int(month))[1])
    except ValueError as error:
        raise ValueError(_DATE_HINT) from error


def _end_of_fiscal_year(found: re.Match[str]) -> str:
    year = (1 if found[2] == "元" else int(found[2])) + (_ERAS[found[1]] if found[1] else 0)
    return f"{year + 1}/3/31"


_DATE_HINT: Final = (
    "日付は 2027-03-31、2027/3/31、令和9年3月31日 のいずれかで書いてください。"
    " / Write dates as 2027-03-31 or 2027/3/31."
)


def read_address(text: str) -> str:
    """One IPv4 or IPv6 address."""
    try:
        return plain_address(plain(text))
    except ValueError as error:
        raise ValueError(
            "IP アドレスは 192.168.10.5 の形で 1 つだけ書いてください。"
            " / Write one IP address, like 192.168.10.5."
        ) from error


def read_mac(text: str) -> str:
    """A MAC in any common writing."""
    digits = re.sub(r"[^0-9a-f]", "", plain(text).casefold())
    separators = re.sub(r"[0-9a-fA-F]", "", plain(text))
    if len(digits) != 12 or set(separators) - set(":-. "):
        raise ValueError(
            "MAC アドレスは 16 進 12 桁 (例 00:11:22:aa:bb:cc) で書いてください。"
            " / Write 12 hexadecimal digits, like 00:11:22:aa:bb:cc."
        )
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def read_macs(text: str) -> tuple[str, ...]:
    return tuple(read_mac(part) for part in re.split(r"[,、;\n]+", plain(text)) if part.strip())


def read_list(text: str) -> tuple[str, ...]:
    """Names or addresses parted by commas, semicolons, blanks or lines."""
    if plain(text).casefold() in _NOTHING:
        return ()
    return tuple(part for part in re.split(r"[,、;\s]+", plain(text)) if part)


def read_outside(text: str) -> tuple[str, ...]:
    """Outside ends: addresses, prefixes or names."""
    parts = _read_places(text)
    for part in parts:
        is_system = re.fullmatch(r"(?i)AS\d{1,10}", part)
        if (
            not _is_network(part)
            and not is_system
            and not re.fullmatch(r"[*\w.\-]+\.(?=[^.]*[^\W\d])[\w\-]{2,}", part)
        ):
            raise ValueError(
                "接続先は IP アドレス、範囲 (203.0.113.0/24)、ホスト名のいずれかで書いてください。"
                " / Write addresses, prefixes (203.0.113.0/24) or host names."
            )
    return parts


def read_targets(text: str) -> tuple[str, ...]:
    """Inside targets: address or prefix, optional :port."""
    parts = _read_places(text)
    for part in parts:
        address, port = split_target(part)
        if not _is_network(address) or (port is not None and not 0 < port < 65536):
            raise ValueError(
                "接続先機器は IP アドレスか範囲、必要なら :ポート を付けて書いてください"
                " (例 10.1.2.3:3389)。"
                " / Write addresses or prefixes, with :port if needed, like 10.1.2.3:3389."
            )
    return parts


def _read_places(text: str) -> tuple[str, ...]:
    """A list in which 192.0.2.1-192.0.2.9 or 192.0.2.1~9 stands for the prefixes it covers."""
    joined = re.sub(r"(?<=[\d.:a-fA-F])\s*[~〜]\s*(?=[\d:])|(?<=\d)\s+-\s+(?=\d)", "-", plain(text))
    places: list[str] = []
    for part in read_list(joined):
        first, parted, last = part.partition("-")
        if parted and last.isdigit() and "." in first:
            last = f"{first.rpartition('.')[0]}.{last}"
        try:
            ends = IPv4Address(first), IPv4Address(last)
            places += map(str, summarize_address_range(*ends)) if parted else (part,)
        except ValueError:
            places.append(part)
    return tuple(p if ":" in p else p.removesuffix("/32") for p in places)


def read_yes(text: str) -> bool | None:
    folded = plain(text).casefold()
    if folded in _YES:
        return True
    if folded in _NO:
        return False
    if folded in _NOTHING:
        return None
    raise ValueError("「有」か「無」で書いてください。 / Write yes or no.")


def read_windows(text: str) -> tuple[str, ...]:
    """Times of use, normalised; none for "always", `booking` for "only when booked"."""
    told = [p for p in re.split(r"[;；\n]+", plain(text)) if p.strip()]
    try:
        parts = [BOOKING if is_on_request(p) else read_window(p) for p in told]
    except ValueError as error:
        raise ValueError(
            "利用時間は「平日 9:00-18:00」や「Mon-Fri 09:00-18:00」の形で、複数は ; で区切って"
            "書いてください。 / Write times like Mon-Fri 09:00-18:00, parted by semicolons."
        ) from error
    return () if None in parts else tuple(str(p) for p in parts)


def read_protocols(text: str) -> tuple[str, ...]:
    """Application tokens, from tokens, labels or what people call them."""
    tokens: dict[str, None] = {}
    for part in re.split(r"[,、;\n]+", plain(text)):
        folded = part.strip().casefold()
        if not folded:
            continue
        if folded in APP_CODE:
            tokens[folded] = None
        elif folded in _LABELS:
            tokens[_LABELS[folded]] = None
        elif folded in _PROTOCOL_GROUPS:
            tokens.update(dict.fromkeys(_PROTOCOL_GROUPS[folded]))
        else:
            raise ValueError(
                "プロトコルは IPsec、OpenVPN、SSL-VPN、TeamViewer などの名前で書いてください。"
                " / Write names such as IPsec, OpenVPN, SSL-VPN or TeamViewer."
            )
    return tuple(tokens)


def read_vlan(text: str) -> int:
    """A VLAN number, with or without the letters."""
    found = re.fullmatch(r"(?i)(?:vlan|vid)?\s*(\d{1,4})", plain(text))
    if found is None or int(found[1]) > 4094:
        raise ValueError(
            "VLAN 番号は 1 から 4094 の数字で書いてください。 / Write a VLAN number, 1 to 4094."
        )
    return int(found[1])


def write_list(values: tuple[str, ...]) -> str:
    return "; ".join(values)


def write_date(value: date | None) -> str:
    return value.isoformat() if value else ""


def write_yes(value: bool | None) -> str:
    return "" if value is None else "有" if value else "無"


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
