"""Programs fetched by the web from where programs do not come from."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any, ClassVar, Final

from collector.sightings import AttackBytes, Http
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.lateral.calls import flow_of
from detector.words import Text, Wording

#: What a page or a picture is called; a program under such a name hides.
_NOT_A_PROGRAM: Final = re.compile(
    r"\.(?:jpe?g|png|gif|bmp|ico|svg|webp|txt|css|html?|js|json|xml|pdf|docx?|xlsx?|mp3|woff2?)$",
    re.I,
)
_TOOL_AGENT: Final = re.compile(
    r"powershell|certutil|curl/|wget/|python-|winhttp|urlmon|bitsadmin|go-http|^mozilla/4\.0$|^$",
    re.I,
)


class FetchedProgram(Detector):
    """A host fetched a program over plain HTTP from a bare address or under a false name.

    Told by the first bytes of what the server sends (a Windows or Linux program, a shell script),
    not by its name. Counted are: a server asked for by its bare address, a name or content type
    that promises a picture or a page, and a client that is a command tool and not a browser.

    Why it matters: the first step of most infections, and of an intruder who brings his tools.

    False alarms: anti-virus and asset tools that distribute from a server named by its address
    inside the hospital (one sign alone from an inside server stays silent).
    """

    id = "fetched_program"
    category: ClassVar[Category] = "command_and_control"
    techniques = ("T1105", "T1071.001")
    reads = Reads(sightings=(Http, AttackBytes))
    wordings = {
        "": Wording(
            Text(
                "{source} が {target} から不審な形で実行ファイルを取得しました（{format}）",
                "{source} fetched a program from {target} in a suspicious way ({format})",
            ),
            Text(
                "{signs}。感染の最初の段階や、侵入者が道具を持ち込むときの形です。",
                "{signs_en}. Infections begin like this, and intruders bring their tools so.",
            ),
            Text(
                "{source} の利用者に、いま何を実行したか電話で聞いてください。心当たりがなければ "
                "{source} を LAN から外し、{target} への通信をファイアウォールで止め、"
                "ウイルス検査をしてください。",
                "Phone the user of {source} and ask what was run. If nothing, take {source} off "
                "the "
                "LAN, block {target} at the firewall and scan the machine.",
            ),
        )
    }

    def remember(self) -> OrderedDict[tuple[str, int, str, int], Http]:
        return OrderedDict()  # connection → its last request

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        for request in window.of(Http):
            memory[request.ip, request.port, request.peer_ip, request.peer_port] = request
        while len(memory) > 20_000:
            memory.popitem(last=False)
        for sent in window.of(AttackBytes):
            if sent.mark not in ("http_program", "raw_program"):
                continue
            request = memory.get((sent.peer_ip, sent.peer_port, sent.ip, sent.port))
            if request is None:
                continue
            found = self._judge(window, request, sent)
            if found is not None:
                yield found

    def _judge(self, window: Window, request: Http, sent: AttackBytes) -> Finding | None:
        is_outside = not window.hospital.is_inside(sent.ip)
        signs: list[tuple[str, str]] = []
        if is_bare(request.host):
            signs.append(("名前でなく IP アドレスで取得", "asked for by a bare address"))
        if _NOT_A_PROGRAM.search(request.path) or sent.excerpt.startswith(("image/", "text/")):
            signs.append(("画像や文書を装った実行ファイル", "it poses as a picture or a page"))
        if _TOOL_AGENT.search(request.user_agent):
            signs.append(("ブラウザーでなくコマンドで取得", "fetched by a command tool"))
        if len(signs) + is_outside < 2 or not signs:
            return None
        return Finding(
            source=sent.peer_ip,
            targets=(sent.ip,),
            score=min(90.0, 30.0 + 22.0 * len(signs) + (15.0 if is_outside else 0.0)),
            confidence=0.9,
            first_ns=request.time_ns,
            last_ns=sent.time_ns,
            facts={
                "format": sent.format,
                "path": request.path,
                "signs": "、".join(ja for ja, _ in signs),
                "signs_en": "; ".join(en for _, en in signs).capitalize(),
            },
            app="http",
            flows=(flow_of(request),),
        )


def is_bare(host: str) -> bool:
    name = host.rsplit(":", 1)[0] if host.count(":") == 1 else host.strip("[]")
    try:
        ip_address(name)
    except ValueError:
        return not host
    return True
