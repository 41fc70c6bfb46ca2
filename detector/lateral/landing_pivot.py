"""Landing pivot (LM-6a): who came in by a vendor's line reaches for what is not in the contract."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from collector.apps import APPS
from detector.addresses import in_networks
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.hospital import RegisteredLine
from detector.landing import allowed_rows, line_networks, networks_of, vendor_networks
from detector.lateral.contacts import ANSWERED, flow_keys, outcomes, texts
from detector.window_kernels import TO_ONE, VENDOR
from detector.words import Text, Wording

_S: Final = 1_000_000_000


@dataclass
class _Memory:
    sessions: dict[str, deque[tuple[int, int]]] = field(default_factory=dict)  # line → spans


class LandingPivot(Detector):
    """A vendor's landing host or line device connects to a host that its line may not reach.

    The register of outside lines says where each line lands and which targets its contract allows.
    While a session of the line is open and for 30 minutes after it, every connection from the
    landing host to another inside host that is not allowed is reported, from the first day on. The
    line's own device and addresses of a landing pool never need a session: what comes from
    there is the vendor. DNS, time, directory and update servers are exempt on their own ports.

    Why it matters: in Osaka in 2022 attackers came in by a caterer's VPN, went on to the hospital's
    server and encrypted over 1,300 machines. This is the step in between.

    False alarms: a register that is out of date; correct the allowed targets, not this detector.
    """

    id = "landing_pivot"
    category: ClassVar[Category] = "lateral_movement"
    techniques = ("T1199", "T1021", "T1133")
    reads = Reads(marks=VENDOR)
    wordings = {
        "": Wording(
            Text(
                "{vendor} の回線（{line_name}）から入った {source} が、契約外の機器 {target} "
                "に接続しました",
                "{source}, entered by the line of {vendor} ({line_name}), connected to {target}, "
                "which is not in its contract",
            ),
            Text(
                "業者の回線から入り、許可された範囲を越えて他の機器へ進んでいます（計 {count} 台）"
                "。回線や"
                "業者側が乗っ取られている場合、これが院内全体への被害の入り口になります。",
                "Someone who came in by a vendor's line goes beyond what is allowed ({count} "
                "hosts). "
                "If the line or the vendor is compromised, this is how the whole hospital is "
                "reached.",
            ),
            Text(
                "まず {vendor}（連絡先：{contact}）に電話し、"
                "いま作業中の人とこの接続の目的を確認して"
                "ください。確認が取れなければ回線 {line_name} を切り、"
                "情報システム責任者へ報告してください。",
                "First phone {vendor} (contact: {contact}): who is working now, and what is this "
                "connection for? If it cannot be confirmed, cut line {line_name} and report to the "
                "head of IT.",
            ),
        ),
        "attempt": Wording(
            Text(
                "{vendor} の回線（{line_name}）から入った {source} が、契約外の {target} "
                "に接続を試みました",
                "{source}, entered by the line of {vendor} ({line_name}), tried to reach {target}, "
                "which is not in its contract",
            ),
            Text(
                "応答はありませんでしたが、許可された範囲の外を探しています（計 {count} 台）。",
                "There was no answer, but it is looking outside what is allowed ({count} hosts).",
            ),
            Text(
                "{vendor}（連絡先：{contact}）に作業内容を確認してください。"
                "心当たりがなければ回線を切って"
                "ください。",
                "Ask {vendor} (contact: {contact}) what is being done. If they do not know, cut "
                "the "
                "line.",
            ),
        ),
    }

    after_s: int = Field(default=1800, ge=0, description="seconds after a session that count")

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        if len(window.flows) == 0:
            return
        to_inside = window.hosts.inside(window.destination) & (window.marks & TO_ONE != 0)
        for line in window.hospital.lines:
            landing = line_networks(line)
            if not landing:
                continue
            self._note_sessions(window, memory, line)
            came = in_networks(window.flows.source, landing) & to_inside
            came &= ~in_networks(window.flows.destination, landing)
            if came.any():
                yield from self._judge(window, memory, line, came)

    def _note_sessions(self, window: Window, memory: _Memory, line: RegisteredLine) -> None:
        """A session is any conversation between the line's outside and its inside end."""
        flows = window.flows
        here = line_networks(line)
        outside = tuple(networks_of(line.outside))
        source_here, target_here = (
            in_networks(flows.source, here),
            in_networks(flows.destination, here),
        )
        if outside:
            with_outside = in_networks(flows.source, outside) & target_here
            with_outside |= in_networks(flows.destination, outside) & source_here
        else:
            inside = window.hospital.inside
            with_outside = target_here & ~in_networks(flows.source, inside)
            with_outside |= source_here & ~in_networks(flows.destination, inside)
            if line.protocols:
                named = [APPS.index(p) for p in line.protocols if p in APPS]
                with_outside &= np.isin(flows.app, named)
        with_outside &= flows.reply_packets > 0
        if with_outside.any():
            spans = memory.sessions.setdefault(line.id, deque(maxlen=10_000))
            first, last = flows.first_ns[with_outside], flows.last_ns[with_outside]
            spans.append((int(first.min()), int(last.max())))
            while spans and spans[0][1] < window.end_ns - 86_400 * _S:
                spans.popleft()

    def _judge(
        self, window: Window, memory: _Memory, line: RegisteredLine, came: NDArray[np.bool_]
    ) -> Iterator[Finding]:
        flows = window.flows
        beyond = came & ~allowed_rows(window, line)
        rows = np.flatnonzero(beyond)
        is_vendor = in_networks(flows.source[rows], vendor_networks(line))
        during = np.array([self._in_session(memory, line, int(t)) for t in flows.first_ns[rows]])
        rows = rows[is_vendor | during.astype(bool)] if len(rows) else rows
        outcome = outcomes(flows)
        by_source: dict[tuple[int, bool], list[int]] = {}
        for row in rows.tolist():
            talked = outcome[row] == ANSWERED or flows.reply_bytes[row] > 200
            by_source.setdefault((int(window.source[row]), bool(talked)), []).append(row)
        for (source, talked), at in by_source.items():
            targets = list(dict.fromkeys(window.destination[at].tolist()))
            yield Finding(
                source=window.hosts.ip(source),
                targets=texts(window, targets),
                score=90.0 if talked else 75.0,
                confidence=0.95,
                first_ns=int(flows.first_ns[at].min()),
                last_ns=int(flows.last_ns[at].max()),
                facts={
                    "vendor": line.vendor,
                    "line_name": line.system or line.id,
                    "contact": line.contact or "台帳に記載なし / not in the register",
                    "count": len(targets),
                    "allowed": list(line.allowed_targets),
                },
                variant="" if talked else "attempt",
                key=line.id,
                line=line.id,
                app=APPS[int(flows.app[at[0]])],
                flows=flow_keys(flows, at),
            )

    def _in_session(self, memory: _Memory, line: RegisteredLine, when: int) -> bool:
        spans = memory.sessions.get(line.id, ())
        return any(start <= when <= end + self.after_s * _S for start, end in spans)
