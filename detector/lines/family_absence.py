"""EX-1, family 6: what a host always did over this LAN stops, though it goes on working.

Judged when a local day ends, for hosts known for ten days or more; a change that three in ten of
the hosts with the same habit share is a roll-out or a fault of the network, and says nothing.
Failed SYN and lost habits also show in flow exports; half-seen talks need packets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detector.detection import Window
from detector.lines.clues import Clue
from detector.lines.family_leak import LOOK
from detector.lines.habit_kernels import (
    ATTEMPTS,
    HALF_SEEN,
    INTERNAL,
    PROXY,
    RESOLVED,
    TIME,
    UNUSED,
    UPDATES,
    WHOLE,
)
from detector.lines.habits import Habits
from detector.lines.surroundings import Surroundings
from detector.words import Text

MIN_DAYS: Final = 10
MIN_ATTEMPTS: Final = 20
PEER_SHARE: Final = 0.3
MIN_NAMES: Final = 20
MIN_HALF_SEEN: Final = 20

_WORDS: Final = {
    "attempts": Text(
        ja="毎日 {usual} 回失敗していた外部への接続試行が止まり、院内の通信だけが続いている"
        "（別の出口を得た可能性）",
        en="{usual} vain attempts a day to go outside have stopped while its work goes on: it may "
        "have found another way out",
    ),
    "split": Text(
        ja="外部の名前を {usual} 件解決したのに、その大半に LAN からは接続していない",
        en="it resolved {usual} outside names and went to most of them, but not over this LAN",
    ),
    "proxy": Text(
        ja="毎日使っていたプロキシを使わなくなった", en="it no longer uses the proxy it used daily"
    ),
    "updates": Text(
        ja="毎日接続していた更新配信サーバ（WSUS）に接続しなくなった",
        en="it no longer calls on the update server (WSUS) it called on daily",
    ),
    "time": Text(
        ja="毎日使っていた院内の時刻サーバを使わなくなった",
        en="it no longer asks the time server inside that it asked daily",
    ),
    "half": Text(
        ja="この機器の通信だけ片方向しか見えない（{usual} 件。戻りが別経路）",
        en="only one direction of its talks is seen ({usual}); the other goes another way",
    ),
}


def find_absence(window: Window, around: Surroundings, habits: Habits) -> Iterator[Clue]:
    """Signs of the day that has ended; nothing within a day."""
    if not habits.observe(window, around.bits):
        return
    numbers = np.array(list(habits.row_of), np.uint32)
    count = len(numbers)
    today, past = habits.today[:count].astype(float), habits.past[:count].astype(float)
    known = habits.known_days[:count]
    usual = _usual(past, known)
    works = (known >= MIN_DAYS) & (today[:, INTERNAL] >= 0.5 * usual[:, INTERNAL])
    works &= usual[:, INTERNAL] > 0
    signs: list[tuple[str, float, NDArray[np.int64], NDArray[np.float64]]] = []
    tried = (known >= MIN_DAYS) & (usual[:, ATTEMPTS] >= MIN_ATTEMPTS)
    stopped = tried & (today[:, ATTEMPTS] <= 0.05 * usual[:, ATTEMPTS])
    signs.append(("attempts", 1.5, _unshared(stopped & works, stopped, tried), usual[:, ATTEMPTS]))
    habits_lost = np.zeros(count)
    for name, kind in (("proxy", PROXY), ("updates", UPDATES), ("time", TIME)):
        had = (known >= MIN_DAYS) & ((past[:, :MIN_DAYS, kind] > 0).sum(axis=1) >= MIN_DAYS)
        lost = had & (today[:, kind] == 0)
        rows = _unshared(lost & works, lost, had)
        habits_lost[rows] += 1
        signs.append((name, 1.0, rows, usual[:, kind]))
    unused = today[:, UNUSED] / np.maximum(today[:, RESOLVED], 1)
    before = past[:, :, UNUSED].sum(axis=1) / np.maximum(past[:, :, RESOLVED].sum(axis=1), 1)
    resolves = (today[:, RESOLVED] >= MIN_NAMES) & (past[:, :, RESOLVED].sum(axis=1) > MIN_NAMES)
    resolves &= (known >= 3) & (before <= 0.2)
    split = resolves & (unused >= 0.8)
    signs.append(("split", 1.5, _unshared(split, split, resolves), today[:, RESOLVED]))
    talks = today[:, HALF_SEEN] + today[:, WHOLE]
    share = today[:, HALF_SEEN] / np.maximum(talks, 1)
    enough = talks >= MIN_HALF_SEEN
    half = enough & (today[:, HALF_SEEN] >= MIN_HALF_SEEN) & (share >= 0.5)
    if enough.sum() >= 5 and today[:, HALF_SEEN].sum() <= 0.2 * talks.sum():
        signs.append(("half", 1.5, _unshared(half, half, enough, 0.05), today[:, HALF_SEEN]))
    for name, weight, rows, amount in signs:
        for row in rows.tolist():
            both = name in ("proxy", "updates", "time") and habits_lost[row] >= 2
            yield _clue(window, int(numbers[row]), name, 2.0 if both else weight, amount[row])
    habits.turn(window)
    habits.observe(window, around.bits)


def _usual(past: NDArray[np.float64], known: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Median of a host's own active days, by kind."""
    masked = np.where(np.arange(past.shape[1])[None, :, None] < known[:, None, None], past, np.nan)
    usual = np.zeros((past.shape[0], past.shape[2]))
    some = known > 0
    if some.any():
        usual[some] = np.nanmedian(masked[some], axis=1)
    return usual


def _unshared(
    chosen: NDArray[np.bool_],
    changed: NDArray[np.bool_],
    habit: NDArray[np.bool_],
    most: float = PEER_SHARE,
) -> NDArray[np.int64]:
    """The rows chosen, unless too many of those with the habit changed with them."""
    rows: NDArray[np.int64] = np.flatnonzero(chosen)
    if int(changed.sum()) > 1 and changed.sum() >= most * habit.sum():
        return rows[:0]
    return rows


def _clue(window: Window, number: int, name: str, weight: float, usual: float) -> Clue:
    return Clue(
        host=window.hosts.ip(number),
        family="absence",
        signal=f"habit lost: {name}",
        weight=weight,
        time_ns=window.start_ns,
        what=_WORDS[name].fill({"usual": int(usual)}),
        confirm=LOOK,
        fields={"habit": name, "usual": int(usual)},
    )
