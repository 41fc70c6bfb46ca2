"""What a record means for us: a new device, a modem, a login, a clock that was set."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from collector.flows import plain_address
from collector.monitors.ids import ids_alert_of
from collector.monitors.records import Record
from collector.sightings import IdsAlert, MonitorEvent

_MAC: Final = re.compile(
    r"(?<![0-9a-fA-F:.\-])((?:[0-9a-fA-F]{2}[:\-]){5}[0-9a-fA-F]{2}|(?:[0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4}"
    r"|[0-9a-fA-F]{12})(?![0-9a-fA-F:.\-])"
)
_ADDRESS: Final = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_DETAIL: Final = 200


@dataclass(frozen=True)
class Rule:
    """Records whose words fit `words` (and, if given, whose `field` fits) mean `event`."""

    event: str
    monitor: str
    words: re.Pattern[str]
    needs_mac: bool = False


def _rule(event: str, monitor: str, words: str, needs_mac: bool = False) -> Rule:
    return Rule(event, monitor, re.compile(words, re.IGNORECASE | re.DOTALL), needs_mac)


#: The first that fits counts. Windows event 6416: a new external device was recognized.
RULES: Final = (
    _rule("usb_modem", "windows", r"\b6416\b.*\b(modem|mobile broadband|wwan)\b"),
    _rule(
        "usb_network",
        "windows",
        r"\b6416\b.*(\bndis\b|rndis|network adapter|\"?class\w*\"?\W+net\b)",
    ),
    _rule(
        "usb_modem", "asset_tool", r"(usb|デバイス|device).{0,80}(modem|モデム|データ通信カード)"
    ),
    _rule(
        "usb_network",
        "asset_tool",
        r"(usb|デバイス|device).{0,80}(tether|テザリング|rndis|remote ndis)",
    ),
    _rule("rogue_ssid", "wireless", r"rogue.?(ap|ssid|access)|不正(な)?(ap|アクセスポイント)"),
    _rule("mac_moved", "switch", r"mac.{0,30}(flap|move)|macflap|host.{0,20}flapping", True),
    _rule(
        "new_mac",
        "switch",
        r"unauthori[sz]ed|unregistered|not registered|port.?security|psecure_violation"
        r"|new (mac|host|device|terminal|endpoint)"
        r"|未登録|未許可|未承認|不正(端末|接続)|新規端末",
        True,
    ),
    _rule(
        "mobile_line",
        "router",
        r"\b(lte|wwan|5g|mobile|モバイル)\b.{0,60}(connect|up\b|接続|on\b)",
    ),
    _rule("dial_up", "router", r"\b(ppp|dialer|isdn|発信)\b.{0,60}(connect|up\b|接続|call)"),
    _rule("wan_interface", "router", r"\bwan\d*\b.{0,60}\b(up|connected)\b|nat descriptor"),
    _rule(
        "clock_step",
        "server",
        r"(time|clock).{0,30}(stepped|step|set|jump|changed)|時刻(が|を)(変更|補正)",
    ),
    _rule(
        "login_failed",
        "server",
        r"(login|logon|log in|authentication|password).{0,40}(fail|denied|invalid)"
        r"|failed (password|login)|status=\"?failed|ログイン.{0,10}失敗|\b4625\b",
    ),
    _rule(
        "login",
        "server",
        r"(login|logon|logged in).{0,40}(success|succeed|accepted)"
        r"|accepted (password|publickey)|action=\"?login\"?.*status=\"?success"
        r"|ログイン.{0,10}成功|\b4624\b",
    ),
    _rule(
        "config_change",
        "router",
        r"config_i\b|configured from|cfgpath=|configuration (was )?(changed|saved)|設定(が|を)変更",
    ),
)


def event_of(
    record: Record, reporter_ip: str, time_ns: int, sensor: str
) -> MonitorEvent | IdsAlert | None:
    """The event that a record tells; None if it is none of those that we use."""
    alert = ids_alert_of(record, reporter_ip, time_ns, sensor)
    if alert is not None:
        return alert
    macs = [_plain_mac(found) for found in _MAC.findall(record.text)]
    words = f"{record.name} {record.text}"
    rule = next((r for r in RULES if r.words.search(words) and (macs or not r.needs_mac)), None)
    if rule is None:
        return None
    ip = record.first("src", "srcip", "ip", "ipaddress", "clientip", "usrip", "dvc")
    return MonitorEvent(
        time_ns=time_ns,
        sensor=sensor,
        ip=_address(ip) or _other_address(record.text, reporter_ip),
        mac=_mac(record.first("smac", "srcmac", "mac", "stamac", "macaddress"))
        or (macs or [""])[0],
        monitor=rule.monitor,
        event=rule.event,
        host_name=record.first(
            "shost", "hostname", "host", "devname", "computer", "srcname", "subjectdomainname"
        )[:100],
        reporter_ip=reporter_ip,
        port_name=record.first("port", "interface", "ssid", "ifname", "devid")[:60],
        user=record.first("suser", "duser", "user", "usrname", "targetusername", "ui")[:60],
        detail=record.text[:_DETAIL],
    )


def _address(text: str) -> str:
    try:
        return plain_address(text)
    except ValueError:
        return ""


def _other_address(text: str, reporter_ip: str) -> str:
    """The one address in the words that is not the reporter's; "" if there are several."""
    found = {_address(told) for told in _ADDRESS.findall(text)} - {"", reporter_ip, "0.0.0.0"}  # noqa: S104 - no listening
    return found.pop() if len(found) == 1 else ""


def _mac(text: str) -> str:
    return _plain_mac(text) if _MAC.fullmatch(text) else ""


def _plain_mac(text: str) -> str:
    digits = re.sub(r"[^0-9a-f]", "", text.lower())
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))
