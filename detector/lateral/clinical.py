"""Clinical-protocol abuse (LM-9): images, HL7 and databases asked by whom they never served."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from pydantic import Field

from collector.apps import APPS, app_name
from collector.sightings import Dicom, Hl7
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.edges import DAY_NS
from detector.lateral.calls import flow_of
from detector.lateral.clinical_words import WORDINGS
from detector.lateral.contacts import flow_keys
from detector.sift import DATABASE_APPS, sift
from detector.sift_kernels import DATABASE

_S: Final = 1_000_000_000
_ASKS: Final = {"c_find": "find", "c_move": "move", "c_get": "move"}
_MOST: Final = 20_000


@dataclass
class _Asker:
    """What one host asks of one image server: when, and the most it asked in an earlier span."""

    times: deque[int] = field(default_factory=lambda: deque(maxlen=4096))
    most: float = 0.0  # in ten minutes, halved every 30 days


@dataclass
class _Memory:
    titles: OrderedDict[tuple[str, str, str], int] = field(default_factory=OrderedDict)
    titles_of: OrderedDict[tuple[str, int, str], str] = field(default_factory=OrderedDict)
    askers: OrderedDict[tuple[str, str, str], _Asker] = field(default_factory=OrderedDict)
    refused: OrderedDict[tuple[str, str], dict[str, int]] = field(default_factory=OrderedDict)
    senders: OrderedDict[tuple[str, str, str], int] = field(default_factory=OrderedDict)
    drawn: OrderedDict[tuple[int, int], float] = field(default_factory=OrderedDict)


class ClinicalAbuse(Detector):
    """Image archives, HL7 engines and databases are asked by hosts, or in amounts, not seen before.

    *Sweep*: queries (C-FIND) or retrievals (C-MOVE, C-GET) within ten minutes far above the most
    that this host ever made; on day one only amounts that no worklist or viewer makes. *Titles*:
    one host tries several called AE titles and is refused. *New title*: an AE title, address and
    partner that never came together, once the memory is two weeks old. *HL7*: a sending
    application from a new address. *Database*: a client that never spoke SQL to this server draws
    more than the limit. Patient values are never looked at.

    Why it matters: whole archives can be copied with the tools every viewer has.

    False alarms: a reading service or AI that is being connected, a migration: registered windows.
    """

    id = "clinical_abuse"
    category: ClassVar[Category] = "exfiltration"
    techniques = ("T1213", "T1005")
    reads = Reads(sightings=(Dicom, Hl7), apps=DATABASE_APPS)
    wordings = WORDINGS

    finds: int = Field(default=200, ge=20, description="C-FINDs in ten minutes, on day one")
    moves: int = Field(default=100, ge=10, description="C-MOVEs and C-GETs in ten minutes")
    ratio: float = Field(default=5.0, ge=1.5, description="times the most so far")
    refusals: int = Field(default=4, ge=2, description="called AE titles refused in ten minutes")
    warm_days: int = Field(default=14, ge=1, description="days after which new pairs are told")
    drawn_mb: float = Field(default=50.0, gt=0, description="MB a new database client may draw")

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        images, messages = window.of(Dicom), window.of(Hl7)
        if images:
            yield from self._images(window, memory, images)
        if messages:
            yield from self._messages(window, memory, messages)
        yield from self._databases(window, memory)

    def _images(
        self, window: Window, memory: _Memory, images: tuple[Dicom, ...]
    ) -> Iterator[Finding]:
        asked: dict[tuple[str, str, str], Dicom] = {}
        stored: dict[tuple[str, str], Dicom] = {}
        for image in images:
            if image.message == "associate_rq":
                memory.titles_of[image.ip, image.port, image.peer_ip] = image.calling_ae
                yield from self._title(window, memory, image)
            elif image.message == "associate_rj":
                yield from self._refusal(memory, image)
            elif image.message in _ASKS:
                key = (image.ip, image.peer_ip, _ASKS[image.message])
                memory.askers.setdefault(key, _Asker()).times.append(image.time_ns)
                asked[key] = image
            elif image.message == "c_store":
                stored[image.ip, image.peer_ip] = image
        for key, last in asked.items():
            yield from self._sweep(window, memory, key, last)
        for kept in (memory.titles, memory.titles_of, memory.askers, memory.refused):
            while len(kept) > _MOST:
                kept.popitem(last=False)

    def _title(self, window: Window, memory: _Memory, asked: Dicom) -> Iterator[Finding]:
        key = (asked.calling_ae, asked.ip, asked.peer_ip)
        is_new = key not in memory.titles
        memory.titles[key] = asked.time_ns
        memory.titles.move_to_end(key)
        if not is_new or window.edges.active_days < self.warm_days:
            return
        others = [ip for ae, ip, _ in memory.titles if ae == asked.calling_ae and ip != asked.ip]
        yield Finding(
            source=asked.ip,
            targets=(asked.peer_ip,),
            score=70.0 if others else 50.0,
            confidence=0.8,
            first_ns=asked.time_ns,
            last_ns=asked.time_ns,
            facts={
                "calling": asked.calling_ae,
                "called": asked.called_ae,
                "others": others[:5] or "-",
            },
            variant="stolen_title" if others else "new_title",
            key=f"{asked.peer_ip} {asked.calling_ae}",
            app="dicom",
            flows=(flow_of(asked),),
            warmth=window.edges.warmth,
        )

    def _refusal(self, memory: _Memory, answer: Dicom) -> Iterator[Finding]:
        """A refusal names nobody: the request before it on the same connection does."""
        title = memory.titles_of.get((answer.peer_ip, answer.peer_port, answer.ip), "?")
        tried = memory.refused.setdefault((answer.peer_ip, answer.ip), {})
        tried[f"{title} {answer.peer_port}"] = answer.time_ns
        since = answer.time_ns - 600 * _S
        for old in [t for t, when in tried.items() if when < since]:
            del tried[old]
        if len(tried) >= self.refusals:
            yield Finding(
                source=answer.peer_ip,
                targets=(answer.ip,),
                score=75.0,
                confidence=0.85,
                first_ns=min(tried.values()),
                last_ns=answer.time_ns,
                facts={"count": len(tried), "titles": sorted({t.split()[0] for t in tried})},
                variant="refused",
                techniques=("T1110", "T1213"),
                category="credential_access",
                app="dicom",
                flows=(flow_of(answer, from_server=True),),
            )

    def _sweep(
        self, window: Window, memory: _Memory, key: tuple[str, str, str], last: Dicom
    ) -> Iterator[Finding]:
        asker = memory.askers[key]
        since = last.time_ns - 600 * _S
        while asker.times and asker.times[0] < since - DAY_NS:
            asker.times.popleft()
        count = sum(when > since for when in asker.times)
        floor = self.finds if key[2] == "find" else self.moves
        usual = asker.most
        limit = max(floor if usual == 0 else floor / 4, self.ratio * usual)
        if count < limit:
            asker.most = max(usual * 0.9999, float(count))
            return
        yield Finding(
            source=key[0],
            targets=(key[1],),
            score=min(90.0, 70.0 + 10 * float(np.log2(count / limit))),
            confidence=0.85,
            first_ns=max(asker.times[0], since),
            last_ns=last.time_ns,
            facts={
                "count": count,
                "usual": round(usual),
                "what": "検索" if key[2] == "find" else "取り出し",
                "what_en": "queries" if key[2] == "find" else "retrievals",
                "title": memory.titles_of.get((last.ip, last.port, last.peer_ip), "?"),
            },
            variant="sweep",
            key=f"{key[1]} {key[2]}",
            app="dicom",
            flows=(flow_of(last),),
            warmth=window.edges.warmth,
        )

    def _messages(
        self, window: Window, memory: _Memory, messages: tuple[Hl7, ...]
    ) -> Iterator[Finding]:
        is_warm = window.edges.active_days >= self.warm_days
        for message in messages:
            key = (message.sending_application, message.ip, message.peer_ip)
            is_new = key not in memory.senders
            memory.senders[key] = message.time_ns
            is_answer = message.message_type.startswith("ACK")
            if is_new and is_warm and not is_answer and message.sending_application:
                yield Finding(
                    source=message.ip,
                    targets=(message.peer_ip,),
                    score=55.0,
                    confidence=0.8,
                    first_ns=message.time_ns,
                    last_ns=message.time_ns,
                    facts={"sender": message.sending_application, "type": message.message_type},
                    variant="hl7",
                    key=f"{message.peer_ip} {message.sending_application}",
                    techniques=("T1565.002", "T1213"),
                    category="lateral_movement",
                    app="hl7",
                    flows=(flow_of(message),),
                    warmth=window.edges.warmth,
                )
        while len(memory.senders) > _MOST:
            memory.senders.popitem(last=False)

    def _databases(self, window: Window, memory: _Memory) -> Iterator[Finding]:
        flows = window.flows
        if len(flows) == 0 or window.edges.active_days < 3:
            return
        rows = window.once(sift).rows(DATABASE)
        if not len(rows):
            return
        known = window.edges.knows_flows(window, rows)
        if not memory.drawn:  # mostly so
            rows, known = rows[~known], known[~known]
        for row, is_known in zip(rows.tolist(), known.tolist(), strict=True):
            pair = (int(window.source[row]), int(window.destination[row]))
            if pair not in memory.drawn and is_known:
                continue
            memory.drawn[pair] = memory.drawn.get(pair, 0.0) + float(flows.reply_bytes[row]) / 1e6
            if memory.drawn[pair] < self.drawn_mb:
                continue
            drawn, memory.drawn[pair] = memory.drawn[pair], 0.0
            yield Finding(
                source=window.hosts.ip(pair[0]),
                targets=(window.hosts.ip(pair[1]),),
                score=65.0,
                confidence=0.8,
                first_ns=int(flows.first_ns[row]),
                last_ns=int(flows.last_ns[row]),
                facts={"mb": round(drawn), "app": app_name(APPS[int(flows.app[row])])},
                variant="database",
                app=APPS[int(flows.app[row])],
                flows=flow_keys(flows, [row]),
                warmth=window.edges.warmth,
            )
        while len(memory.drawn) > _MOST:
            memory.drawn.popitem(last=False)
