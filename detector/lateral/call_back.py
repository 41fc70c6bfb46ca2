"""Call-back: a web server that was just asked something fetches from a foreign directory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field

from collector.sightings import Http
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.lateral.contacts import flow_keys
from detector.sift import DIRECTORY_PORTS, sift
from detector.sift_kernels import ODD_LDAP
from detector.words import Text, Wording

#: Where directories really listen: LDAP, LDAPS, global catalogue.


class CallBack(Detector):
    """A server that answered a web request opens LDAP to a port where no directory listens.

    In Log4Shell and its kin a text in the request makes the server look something up on the
    attacker's own LDAP service, on a port of his choice, seconds later. Directories of a hospital
    listen on 389, 636, 3268 and 3269; LDAP by its bytes on another port is rare, and right after a
    web request it is an attack.

    Why it matters: at this moment the server is about to run the attacker's program.

    False alarms: a departmental system with a directory of its own on another port.
    """

    id = "call_back"
    category: ClassVar[Category] = "lateral_movement"
    techniques = ("T1190", "T1105")
    reads = Reads(sightings=(Http,), apps=("ldap",))
    wordings = {
        "": Wording(
            Text(
                "{source} が Web 要求を受けた直後に {target} のポート {port} へ LDAP "
                "で接続しました",
                "{source} answered a web request and then opened LDAP to {target} port {port}",
            ),
            Text(
                "Log4Shell 型の攻撃で、サーバーが攻撃者の機器からプログラムを取りに行く動きです。"
                "要求元は "
                "{asker} です。",
                "In attacks like Log4Shell the server fetches a program from the attacker's "
                "machine "
                "like this. The request came from {asker}.",
            ),
            Text(
                "{source} を管理する業者に連絡し、{target} への通信を止め、"
                "不審なプロセスを確認してください。"
                "診療系のサーバーなら、切り離す前に影響を担当部署と確かめてください。",
                "Call the vendor of {source}, block its traffic to {target} and look for "
                "unexpected "
                "processes. If it serves care, find out what stops before isolating it.",
            ),
        ),
    }

    within_s: int = Field(default=120, ge=1, description="seconds after the request that count")

    def remember(self) -> OrderedDict[str, tuple[int, str]]:
        return OrderedDict()  # server → (last request, who asked)

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        for request in window.of(Http):
            memory[request.peer_ip] = (request.time_ns, request.ip)
            memory.move_to_end(request.peer_ip)
        while len(memory) > 50_000:
            memory.popitem(last=False)
        flows = window.flows
        for row in window.once(sift).rows(ODD_LDAP).tolist():
            if int(flows.source_port[row]) in DIRECTORY_PORTS:
                continue  # a capture that began in the middle
            source = window.hosts.ip(int(window.source[row]))
            when, asker = memory.get(source, (0, ""))
            started = int(flows.first_ns[row])
            if not asker or abs(started - when) > self.within_s * 1_000_000_000:
                continue
            yield Finding(
                source=source,
                targets=(window.hosts.ip(int(window.destination[row])),),
                score=80.0,
                confidence=0.85,
                first_ns=min(when, started),
                last_ns=int(flows.last_ns[row]),
                facts={"port": int(flows.destination_port[row]), "asker": asker},
                app="ldap",
                flows=flow_keys(flows, [row]),
            )
