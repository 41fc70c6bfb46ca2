"""DCSync whose calls are sealed: a bind to the replication interface, and then much data back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from pydantic import Field

from collector.apps import APP_CODE
from collector.sightings import Dcerpc
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.hospital import REPLICATORS
from detector.lateral.calls import requests
from detector.lateral.contacts import flow_keys
from detector.lateral.rpc_rules import DRSUAPI, REPLICA_SYNC
from detector.words import Text, Wording

_Connection = tuple[str, int, str, int]
#: Calls by which nothing is fetched: names turned into others, servers listed, states shown.
_HARMLESS: Final = frozenset({-1, 0, 1, 12, 13, 16, 19})


@dataclass
class _Bind:
    time_ns: int
    operations: set[int] = field(default_factory=set)

    @property
    def is_read(self) -> bool:
        """Its calls could be read, and none of them fetches; `repadmin` shows much by these."""
        return self.operations <= _HARMLESS and self.operations != {-1}


@dataclass
class _Memory:
    binds: OrderedDict[_Connection, _Bind] = field(default_factory=OrderedDict)
    partners: OrderedDict[tuple[str, str], int] = field(default_factory=OrderedDict)
    # who was called by a controller to fetch → when


class SealedSync(Detector):
    """A host that is no domain controller binds to drsuapi, and the controller sends much back.

    Programs bind to it to turn names into others, which brings a few kilobytes. Replication, with
    which all password hashes can be fetched, brings hundreds. The bind stays readable when the
    calls are sealed.

    Why it matters: DCSync hands the whole domain to the intruder.

    False alarms: a new domain controller before its role is known; directory synchronisation to a
    cloud such as Entra Connect (give it the role `directory_sync` in the ledger).
    """

    id = "sealed_sync"
    category: ClassVar[Category] = "credential_access"
    techniques = ("T1003.006",)
    reads = Reads(sightings=(Dcerpc,), apps=("dcerpc",))
    wordings = {
        "": Wording(
            Text(
                "{source} が {target} から認証情報をまとめて取り出した疑いがあります（{kb} KB）",
                "{source} may have fetched the credentials of the domain from {target} ({kb} KB)",
            ),
            Text(
                "ドメインコントローラ同士の複製機能（drsuapi）に、そうではない機器が接続し、"
                "大量の応答を受け取りました。中身は暗号化されて見えませんが、DCSync 攻撃の形です。",
                "A host that is no domain controller bound to the replication interface (drsuapi) "
                "and got much back. The content is sealed, but DCSync looks like this.",
            ),
            Text(
                "まず情報システム責任者に電話し、{source} がクラウド同期サーバ（Entra Connect "
                "など）や新設のドメインコントローラかを確かめてください。"
                "そうなら台帳の役割を「ディレクトリ同期」か「ドメインコントローラ」にします。"
                "どちらでもなければ、直ちに {source} を LAN から外してください。",
                "First phone the head of IT and ask whether {source} is a synchroniser to a cloud "
                "(Entra Connect or the like) or a new domain controller. If so, give it the role "
                "directory synchroniser or domain controller in the ledger. If neither, take "
                "{source} off the LAN at once.",
            ),
        )
    }

    least_kb: int = Field(default=100, ge=10, description="KB sent back that tell")

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        for call, interface, operation in requests(window):
            if interface == DRSUAPI:
                ends = (call.ip, call.port, call.peer_ip, call.peer_port)
                memory.binds.setdefault(ends, _Bind(call.time_ns)).operations.add(operation)
                if operation == REPLICA_SYNC:
                    memory.partners[call.peer_ip, call.ip] = call.time_ns
        for kept in (memory.binds, memory.partners):
            while len(kept) > 5_000:
                kept.popitem(last=False)
        if not memory.binds or len(window.flows) == 0:
            return
        flows = window.flows
        much = (flows.app == APP_CODE["dcerpc"]) & (flows.reply_bytes >= self.least_kb * 1000)
        for row in np.flatnonzero(much).tolist():
            source = window.hosts.ip(int(window.source[row]))
            target = window.hosts.ip(int(window.destination[row]))
            ports = (int(flows.source_port[row]), int(flows.destination_port[row]))
            bind = memory.binds.pop((source, ports[0], target, ports[1]), None)
            if bind is None or bind.is_read or window.hosts.at(source).role in REPLICATORS:
                continue
            if (source, target) in memory.partners:
                continue
            yield Finding(
                source=source,
                targets=(target,),
                score=85.0,
                confidence=0.9,
                first_ns=min(bind.time_ns, int(flows.first_ns[row])),
                last_ns=int(flows.last_ns[row]),
                facts={"kb": round(int(flows.reply_bytes[row]) / 1000)},
                app="dcerpc",
                flows=flow_keys(flows, [row]),
            )
