"""Posts to outside servers as implants make them, and not people with browsers."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar, Final

from collector.sightings import Http
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.lateral.calls import Calls
from detector.outbound.fetched_program import is_bare
from detector.words import Text, Wording

#: Programs that post through WinInet without a name of their own send Internet Explorer 7's.
_OLD_BROWSER: Final = re.compile(r"^Mozilla/[45]\.0 \(compatible; MSIE [5-9]\.")
_COMMON_PORTS: Final = frozenset({80, 443, 631, 8000, 8008, 8080, 8081, 8443, 8888, 3128})
_LETTERS_LAST: Final = re.compile(r"/([A-Za-z0-9_-]{6,40})(?:\.\w{2,4})?$")


class OddPost(Detector):
    """A host posts to an outside web server that it never read a page from, under a random name.

    Signs, one point each: a bare address; a port that is not the web's; a path that looks drawn by
    lot; a program name that is none, one random word, or a browser of fifteen years ago. Two tell
    on a path drawn by lot, else three.

    Why it matters: malware reports in by plain web posts, because they pass every proxy.

    False alarms: old programs of analysers and multi-function printers that report to their
    maker; register the line and they stay quiet.
    """

    id = "odd_post"
    category: ClassVar[Category] = "command_and_control"
    techniques = ("T1071.001",)
    reads = Reads(sightings=(Http,))
    wordings = {
        "": Wording(
            Text(
                "{source} が院外の {target} へ不審な HTTP 送信をしています（{count} 回）",
                "{source} is posting to outside server {target} in a suspicious way ({count} "
                "times)",
            ),
            Text(
                "ページを一度も開かずに、でたらめな名前の URL（{path}）へ送信しています。"
                "マルウェアが指令元へ報告するときの形です（該当 {points} 項目）。",
                "It never read a page there and posts to a name drawn by lot ({path}), as malware "
                "reports to its operators ({points} signs).",
            ),
            Text(
                "{source} の利用者と保守業者に、{target} へ送信するソフトがあるか確認してください。"
                "なければ {source} を LAN から外し、ウイルス検査をしてください。",
                "Ask the user and the vendor of {source} which program reports to {target}. If "
                "none "
                "does, take {source} off the LAN and scan it.",
            ),
        )
    }

    def remember(self) -> OrderedDict[tuple[str, str], bool]:
        return OrderedDict()  # (client, host) → read a page there

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        seen: dict[tuple[str, str], tuple[int, Calls]] = {}
        for request in window.of(Http):
            pair = (request.ip, request.host or request.peer_ip)
            if request.method == "GET":
                memory[pair] = True
            elif request.method == "POST" and request.ip and pair not in memory:
                points = _points(request)
                if points >= 3 and not window.hospital.is_inside(request.peer_ip):
                    kept, calls = seen.setdefault((request.ip, request.peer_ip), (points, Calls()))
                    calls.add(request, request.path[:80])
                    seen[request.ip, request.peer_ip] = (max(kept, points), calls)
        while len(memory) > 50_000:
            memory.popitem(last=False)
        for (source, target), (points, calls) in seen.items():
            yield Finding(
                source=source,
                targets=(target,),
                score=28.0 + 10.0 * points,
                confidence=0.7,
                first_ns=calls.first_ns,
                last_ns=calls.last_ns,
                facts={
                    "count": len(calls.sightings),
                    "path": list(calls.names)[:2],
                    "points": points,
                },
                app="http",
                flows=calls.flows(),
            )


def _points(request: Http) -> int:
    agent = request.user_agent
    is_nameless = not agent or bool(_OLD_BROWSER.match(agent)) or _is_drawn(agent)
    last = _LETTERS_LAST.search(request.path)
    return (
        is_bare(request.host)
        + (request.peer_port not in _COMMON_PORTS)
        + 2 * (last is not None and _is_drawn(last[1]))
        + is_nameless
    )


def _is_drawn(word: str) -> bool:
    """Does this word look drawn by lot: case and digits change all the time, no vowels' rhythm."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{6,}", word):
        return False
    kinds = ["d" if c.isdigit() else "u" if c.isupper() else "l" for c in word]
    changes = sum(a != b for a, b in pairwise(kinds))
    return changes >= max(3, len(word) // 4) and len(set(kinds)) >= 2
