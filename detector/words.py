"""What an alert says, in Japanese and English; placeholders are filled from a finding's facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from collector.words import Text

__all__ = ["Text", "Wording", "spoken"]

_UNSEEN: Final = Text("見えていません", "not seen")
#: What clients ask each other about (`detector.lateral.enumeration`), in both languages.
_ASKED: Final = {
    text.en: text
    for text in (
        Text("グループ", "groups"), Text("利用者", "users"), Text("別名グループ", "aliases"),
        Text("グループの構成員", "group members"), Text("別名グループの構成員", "alias members"),
        Text("利用者一覧", "user list"), Text("番号の名前", "names of ids"),
        Text("名前の番号", "ids of names"), Text("接続中の利用者", "sessions"),
        Text("共有", "shares"), Text("ログオン中の利用者", "logged-on users"),
        Text("接続", "connections"), Text("開いているファイル", "open files"),
        Text("ディスク", "disks"), Text("パスワードの規則", "password rules"),
        Text("SID の名前", "names of SIDs"), Text("権限", "rights"),
        Text("ドメインの信頼関係", "trusts"),
    )
}  # fmt: skip


def spoken(fact: str, value: Any) -> Any:
    """A fact as people read it: what was asked for in their language, no dash for nobody."""
    if fact in ("user", "client") and value == "-":
        return _UNSEEN
    if fact == "calls" and isinstance(value, (list, tuple)):
        return [_ASKED.get(v, v) for v in value]
    return value


@dataclass(frozen=True)
class Wording:
    """What an alert says: what happened, why it matters here, what to do next and whom to call."""

    title: Text
    why: Text
    next_step: Text
