"""SMB by an attackers' library: told by its negotiation, which no encryption hides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from collector.apps import APP_CODE
from collector.sightings import Smb
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.lateral.calls import Calls, flow_of
from detector.words import Text, Wording


class AttackLibrary(Detector):
    """A host speaks SMB by a library that hands-on attackers use: impacket, Invoke-TheHash.

    Impacket (psexec.py, secretsdump, NetExec …) makes its client GUID of sixteen letters, which
    chance brings once in 10^11 connections; Invoke-TheHash leaves it empty. The negotiation is in
    clear even where SMB3 seals all that follows, so that what a sealed session did is not told,
    but that it was no Windows, Mac or Samba is.

    Why it matters: remote execution, password dumps and enumeration of accounts by these tools
    leave nothing else to see under SMB3.

    False alarms: vulnerability scanners (give them their role in the ledger), penetration tests,
    scripts of an administrator that use impacket; approve the edge.
    """

    id = "attack_library"
    category: ClassVar[Category] = "lateral_movement"
    techniques = ("T1021.002",)
    reads = Reads(sightings=(Smb,))
    wordings = {
        "": Wording(
            Text(
                "{source} が攻撃によく使われるライブラリ（{tool}）で {target} に SMB 接続しました",
                "{source} connected to {target} by SMB with a library of attack tools ({tool})",
            ),
            Text(
                "psexec.py、secretsdump、NetExec などの道具が使うライブラリで、Windows 標準の"
                "接続とは形が異なります。通信が暗号化されていると、その後の操作内容は見えません。",
                "psexec.py, secretsdump and NetExec are made with it, and it does not connect as "
                "Windows does. Where the session is encrypted, what it did then cannot be seen.",
            ),
            Text(
                "{source} で何のプログラムが動いているか、管理者の作業や診断の予定があるかを"
                "確認してください。なければ {source} を LAN から外し、{target} のログオン記録を"
                "調べます。",
                "Find out which program runs on {source} and whether an administrator or a "
                "security test uses it. If nobody does, take {source} off the LAN and look at the "
                "logons of {target}.",
            ),
        )
    }

    def remember(self) -> None:
        return None

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        met: dict[tuple[str, str, str], Calls] = {}
        for smb in window.of(Smb):
            if smb.client and not smb.is_response:
                met.setdefault((smb.ip, smb.client, smb.peer_ip), Calls()).add(smb)
        for (source, tool, target), calls in met.items():
            role = window.hosts.at(source).role
            if role == "scanner":
                continue
            edge = window.edges.find(source, target, APP_CODE["smb"])
            score = 60.0 * (0.3 if edge is not None and edge.approved else 1.0)
            if tool == "Invoke-TheHash":
                techniques: tuple[str, ...] = ("T1550.002", "T1021.002")
            else:
                techniques = ("T1021.002",)
            yield Finding(
                source=source,
                targets=(target,),
                score=score * (0.7 if role in ("admin", "bastion") else 1.0),
                confidence=0.9,
                first_ns=calls.first_ns,
                last_ns=calls.last_ns,
                facts={"tool": tool},
                key=source,
                techniques=techniques,
                app="smb",
                flows=tuple({flow_of(one): None for one in calls.sightings})[:20],
            )
