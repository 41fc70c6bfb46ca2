"""Logons that nobody can read, judged by the shape of their sessions: does anybody get in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.apps import APP_CODE
from collector.fastlane.layout import OUTPUT_DTYPE
from detector.detection import Window
from detector.lateral.logon_kernels import count_recent, gather_sessions
from detector.logon_services import LOGON_APPS, LOGON_SERVICES
from detector.sift import sift
from detector.sift_kernels import LOGON

_MOST_BYTES: Final = np.zeros(1 << 16, np.int64)
_MOST_BYTES[[APP_CODE[app] for app in LOGON_APPS]] = [most for _, most, _ in LOGON_SERVICES]
_TIMES: Final = {APP_CODE[app]: times for app, _, times in LOGON_SERVICES}
_SSH: Final = APP_CODE["ssh"]
#: What a client sends that was refused six times (OpenSSH's MaxAuthTries), as IP bytes. OpenSSH 9.2
#: was measured at 3,213 with curve25519, 3,709 with an older exchange of 4096 bits and 4,545 with
#: the hybrid one (RFC 4253 §7, 4252 §8); 1,455 are left for longer lists of algorithms. Who sends
#: more has got in. A key that fits and one short command send 3,349 to 5,721: that differs only by
#: how often it comes.
_SSH_SENT: Final = 6_000
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


@dataclass
class LogonSessions:
    """Sessions of one source with one service of one host, of the last ten minutes.

    `last` is a ring of start, bytes sent, bytes received, and 1 where it can have held only logons
    that failed; it grows as there is need.
    """

    last: NDArray[np.int64] = field(default_factory=lambda: np.empty((4, 4), np.int64))
    count: int = 0  # sessions that were ever put into it
    day: int = 0
    most: int = 0  # short ones within ten minutes, today
    usual: int = 0  # the same on the days before

    def keep(self, sessions: NDArray[np.int64]) -> None:
        """Put in these (n, 4) sessions; of too many the oldest go."""
        size, more = len(self.last), len(sessions)
        if more == 1 and (self.count < size or size >= _MOST_KEPT):  # mostly so
            self.last[self.count % size] = sessions[0]
            self.count += 1
            return
        if self.count + more > size and size < _MOST_KEPT:
            grown = np.empty((min(_MOST_KEPT, 2 * (size + more)), 4), np.int64)
            grown[: self.count] = self.last[: self.count]
            self.last, size = grown, len(grown)
        if self.count + more <= size:
            self.last[self.count : self.count + more] = sessions
        else:
            sessions = sessions[-size:]
            ends = self.count + more
            self.last[np.arange(ends - len(sessions), ends) % size] = sessions
        self.count += more

    def failing(self, least: int) -> NDArray[np.int64]:
        """When the failing ones began, in order, if they are at least so many; else none."""
        kept = self.last[: min(self.count, len(self.last))]
        now_ns, recent, failing = count_recent(kept, _SPAN_NS)
        self._turn(now_ns // _DAY_NS, failing)
        least = max(least, _UNUSUAL * self.usual)
        if 2 * failing < least or failing < _FAILING_SHARE * recent:
            return np.zeros(0, np.int64)  # mostly so, and left before numpy is asked
        short = kept[(kept[:, 0] > now_ns - _SPAN_NS) & (kept[:, 3] != 0)]
        start, sent, received, _ = short.T
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
) -> Iterator[tuple[tuple[int, int, int], NDArray[np.intp], NDArray[np.int64], bool]]:
    """The window's ended logon sessions by (source, destination, application).

    Of each group its rows in order of their beginning, the (n, 4) that `LogonSessions` keeps, and
    whether any of them can have failed.
    """
    flows, sifted = window.flows, window.once(sift)
    if not sifted.every & LOGON:
        return
    rows, kept, starts, has_short = gather_sessions(
        flows.rows.view(OUTPUT_DTYPE), window.source, window.destination, sifted.whose,
        _MOST_BYTES, _SSH, _SSH_SENT, _SHORT_NS,
    )  # fmt: skip
    first = rows[starts]
    columns = (window.source[first], window.destination[first], flows.app[first])
    keys = zip(*(column.tolist() for column in columns), strict=True)
    begun = starts.tolist()
    until = [*begun[1:], len(rows)]
    for key, start, end, short in zip(keys, begun, until, has_short.tolist(), strict=True):
        yield key, rows[start:end], kept[start:end], short


def least_of(app: int, least: int) -> int:
    """How many failing sessions are told, where `least` are with people's services."""
    return least * _TIMES[app]


def _crowded(starts: NDArray[np.int64]) -> int:
    near = np.searchsorted(starts, starts + _AT_ONCE_NS, "right")
    near -= np.searchsorted(starts, starts - _AT_ONCE_NS, "left")
    return int((near >= _CROWD).sum())
