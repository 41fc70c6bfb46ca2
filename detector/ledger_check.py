"""How an asset as seen differs from its row in the ledger: the same rules for alerts and pages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from detector.hospital import Asset

_HOST_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,62}(?:\.[A-Za-z0-9.-]+)?$")
#: Windows as NTLM's build tells it: first build of each, and what a ledger may call it.
_WINDOWS: Final[tuple[tuple[tuple[int, int, int], tuple[str, ...]], ...]] = (
    ((10, 0, 26100), ("11", "2025")), ((10, 0, 22000), ("11", "2022", "2025")),
    ((10, 0, 20348), ("2022",)), ((10, 0, 0), ("10", "2016", "2019")),
    ((6, 3, 0), ("8.1", "2012")), ((6, 2, 0), ("8", "2012")), ((6, 1, 0), ("7", "2008")),
    ((6, 0, 0), ("vista", "2008")), ((5, 1, 0), ("xp", "2003")),
)  # fmt: skip
_NO_REMOTE: Final = ("リモート保守なし", "リモート保守無", "遠隔保守なし", "遠隔保守無", "遠隔なし",
                     "オンサイト", "訪問", "来院", "no remote", "on site", "on-site")  # fmt: skip
_REMOTE: Final = ("リモート", "遠隔", "remote")


def differs_in_mac(mac: str, listed: Asset) -> bool:
    """True where both are known, and the card is none of the listed ones."""
    known = {listed.mac.lower().replace("-", ":"), *(n.lower() for n in listed.private_nics)}
    return bool(mac and listed.mac) and mac.lower() not in known


def differs_in_name(names: Iterable[str], listed: Asset) -> bool:
    """True where the ledger gives a host name and none of the names told is it.

    A name that no machine could have (CT室 1号機) is a person's word for it and says nothing.
    """
    told = {n.casefold().split(".")[0] for n in names if n}
    if not told or not _HOST_NAME.match(listed.name):
        return False
    return listed.name.casefold().split(".")[0] not in told


def differs_in_vlan(vlan: int, listed: Asset) -> bool:
    return bool(vlan and listed.vlan) and vlan != listed.vlan


def differs_in_os(build: str, listed: Asset) -> bool:
    """True where the ledger names a Windows that does not go with the build NTLM told."""
    parts = tuple(int(p) for p in build.split(".") if p.isdigit())
    said = listed.os.casefold()
    if len(parts) != 3 or "windows" not in said:
        return False
    names = next((names for first, names in _WINDOWS if parts >= first), ())
    stated = set(re.findall(r"(?<![\d.])(?:\d{4}|11|10|8\.1|8|7|vista|xp)(?![\d.])", said))
    versions = {v for _, several in _WINDOWS for v in several}
    return bool(stated & versions) and not stated & set(names)


def is_remotely_maintained(listed: Asset) -> bool | None:
    """What the ledger says of maintenance from afar; None where it says nothing."""
    said = listed.maintenance.casefold()
    if any(word in said for word in _NO_REMOTE) or said in ("無", "なし", "×", "no"):
        return False
    return True if any(word in said for word in _REMOTE) or said in ("有", "あり", "○") else None
