"""Logons that nobody can read, judged by the shape of their sessions: does anybody get in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.apps import APP_CODE
from detector.detection import Window, app_table
from detector.window_kernels import OURS, THEIRS

#: (service, most reply bytes of a session in which only a logon failed, how many times as many
#: sessions it takes as with people's services). Programs log on to the last ones by themselves.
_SERVICES: Final = (
    ("ssh", 9000, 1), ("rdp", 12_000, 1), ("vnc", 4000, 1), ("telnet", 3000, 1), ("winrm", 9000, 1),
    ("ftp", 3000, 3), ("imap", 6000, 3), ("pop3", 3000, 3), ("smtp", 3000, 5),
    ("mssql", 4000, 10), ("mysql", 2000, 10), ("postgres", 2000, 10),
)  # fmt: skip
LOGON_SERVICES: Final = tuple(app for app, _, _ in _SERVICES)
_IS_LOGON: Final = app_table(LOGON_SERVICES)
_MOST_BYTES: Final = np.zeros(1 << 16, np.int64)
_MOST_BYTES[[APP_CODE[app] for app in LOGON_SERVICES]] = [most for _, most, _ in _SERVICES]
_TIMES: Final = {APP_CODE[app]: times for app, _, times in _SERVICES}
_SSH: Final = APP_CODE["ssh"]
#: What a client sends that was refused six times (OpenSSH's MaxAuthTries), as IP bytes. OpenSSH 9.2
#: was measured at 3,213 with curve25519, 3,709 with an older exchange of 4096 bits and 4,545 with
#: the hybrid one (RFC 4253 §7, 4252 §8); 1,455 are left for longer lists of algorithms. Who sends
#: more has got in. A key that fits and one short command send 3,349 to 5,721: that differs only by
#: how often it comes.
_SSH_SENT: Final = 6_000
#: A session without a key exchange (a check whether the port answers) tries no password.
_SSH_RECEIVED: Final = 1_200
_SHORT_NS: Final = 60_000_000_000
_SPAN_NS: Final = 600_000_000_000
_DAY_NS: Final = 86_400_000_000_000
#: Sessions that begin this close to two others: no person, and no program that works, does so.
_AT_ONCE_NS: Final = 1_000_000_000
_CROWD: Final = 3
#: Of the sessions, those in which nobody gets in; and how far their sizes may lie apart.
_FAILING_SHARE: Final = 0.8
_ALIKE: Final = 2.0
#: Times the most of earlier days.
_UNUSUAL: Final = 3
_MOST_KEPT: Final = 300


#: Start, bytes sent, bytes received, and can it have held only logons that failed.
Session = tuple[int, int, int, bool]


@dataclass
class LogonSessions:
    """Sessions of one source with one service of one host, of the last ten minutes."""

    last: deque[Session] = field(default_factory=lambda: deque(maxlen=_MOST_KEPT))
    day: int = 0
    most: int = 0  # short ones within ten minutes, today
    usual: int = 0  # the same on the days before

    def failing(self, least: int) -> NDArray[np.int64]:
        """When the failing ones began, in order, if they are at least so many; else none."""
        now_ns = max(start for start, *_ in self.last)
        recent = [one for one in self.last if one[0] > now_ns - _SPAN_NS]
        short = [one for one in recent if one[3]]
        self._turn(now_ns // _DAY_NS, len(short))
        least = max(least, _UNUSUAL * self.usual)
        if 2 * len(short) < least or len(short) < _FAILING_SHARE * len(recent):
            return np.zeros(0, np.int64)  # mostly so, and left before numpy is asked
        start, sent, received, _ = np.array(short, np.int64).reshape(-1, 4).T
        starts = np.sort(start)
        if len(starts) + _crowded(starts) < least:
            return starts[:0]
        low, high = np.percentile((sent, received), (10, 90), axis=1)
        return starts if (high <= _ALIKE * low).all() else starts[:0]

    def _turn(self, day: int, count: int) -> None:
        if day != self.day:
            self.usual = max(self.most, self.usual * 9 // 10)
            self.day, self.most = day, 0
        self.most = max(self.most, count)


def logon_sessions(
    window: Window,
) -> Iterator[tuple[tuple[int, int, int], NDArray[np.intp], list[Session]]]:
    """The window's ended logon sessions by (source, destination, application).

    Of each group its rows in order of their beginning, and what `LogonSessions` keeps of them.
    """
    flows = window.flows
    rows = np.flatnonzero(_IS_LOGON[flows.app] & (flows.reply_packets >= 5) & (flows.part == 0))
    rows = rows[window.marks[rows] & (OURS | THEIRS) != 0]
    rows = rows[(flows.app[rows] != _SSH) | (flows.reply_bytes[rows] >= _SSH_RECEIVED)]
    if not len(rows):
        return
    ends = (window.destination[rows], window.source[rows])
    rows = rows[np.lexsort((flows.first_ns[rows], flows.app[rows], *ends))]
    columns = (flows.first_ns[rows], flows.bytes[rows], flows.reply_bytes[rows])
    short = _is_short(window, rows).tolist()
    kept = list(zip(*(column.tolist() for column in columns), short, strict=True))
    columns = (window.source[rows], window.destination[rows], flows.app[rows])
    keys = list(zip(*(column.tolist() for column in columns), strict=True))
    start = 0
    for at in range(1, len(keys) + 1):
        if at == len(keys) or keys[at] != keys[start]:
            yield keys[start], rows[start:at], kept[start:at]
            start = at


def _is_short(window: Window, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Can these sessions have held nothing but logons that failed."""
    flows = window.flows
    short = flows.reply_bytes[rows] <= _MOST_BYTES[flows.app[rows]]
    short &= (flows.app[rows] != _SSH) | (flows.bytes[rows] <= _SSH_SENT)
    short &= flows.last_ns[rows] - flows.first_ns[rows] <= _SHORT_NS
    return np.asarray(short, bool)


def least_of(app: int, least: int) -> int:
    """How many failing sessions are told, where `least` are with people's services."""
    return least * _TIMES[app]


def _crowded(starts: NDArray[np.int64]) -> int:
    near = np.searchsorted(starts, starts + _AT_ONCE_NS, "right")
    near -= np.searchsorted(starts, starts - _AT_ONCE_NS, "left")
    return int((near >= _CROWD).sum())
