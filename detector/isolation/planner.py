"""Plans an isolation: the ladder of detection.md §8, least harm to care first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from detector.alerts import Alert, Party
from detector.care import care_class
from detector.hospital import CareClass, Hospital, RegisteredLine
from detector.incidents import Incident
from detector.isolation.plan import Commands, IsolationPlan, Step, Stop
from detector.isolation.responders import Cut, render_all
from detector.isolation.switch_place import switch_place
from detector.switch_ports import EdgePort
from detector.words import Text

#: What depends on a host at a moment of event time: from the flows that were kept.
Dependencies = Callable[[str, int], tuple[Stop, ...]]

_LINE_CATEGORIES = ("external_line", "remote_access")
_MOST_EDGES = 5
_IT = Text(ja="システム担当者", en="IT staff")
_SAFETY = Text(
    ja="医療情報システム安全管理責任者と、病棟（部門）または臨床工学技士",
    en="safety manager of the information systems, with the ward or clinical engineer",
)
_MANAGEMENT = Text(
    ja="医療情報システム安全管理責任者と経営層",
    en="safety manager of the information systems, with the hospital's management",
)
_BEDSIDE = Text(
    ja="診療責任者と医療機器安全管理責任者（必ずベッドサイドで確認）",
    en="responsible physician and medical-device safety manager, at the bedside",
)
_APPROVER: dict[CareClass, Text] = {
    "C0": _IT, "C1": _SAFETY, "C2": _SAFETY, "C3": _MANAGEMENT, "C4": _BEDSIDE,
}  # fmt: skip


class Planner:
    """Makes a plan for an incident; it proposes, people decide.

    `ports`: by MAC, the switch port that imported MAC tables show.
    """

    def __init__(
        self,
        hospital: Hospital,
        dependencies: Dependencies,
        ports: Mapping[str, EdgePort] | None = None,
    ) -> None:
        self._hospital = hospital
        self._dependencies = dependencies
        self._ports = ports or {}

    def plan(self, incident: Incident, alerts: Sequence[Alert]) -> IsolationPlan:
        """Steps in the order in which to take them; the same incident gives the same plan."""
        at_ns = incident.last_ns
        sources = self._inside_sources(alerts)
        steps = [self._watch(sources, at_ns), *self._call(alerts)]
        spreading = any(a.category == "impact" for a in alerts)
        if spreading:
            steps.append(self._protect_backups())
        steps += self._cut_lines(alerts, at_ns)
        steps += self._block_edges(alerts, at_ns)
        for source in sources:
            steps += self._isolate_host(source, at_ns)
        told = hashlib.sha256(f"{incident.id}/{len(alerts)}".encode()).hexdigest()[:12]
        return IsolationPlan(
            id="p" + told,
            incident=incident.id,
            made_ns=at_ns,
            steps=tuple(steps),
            caveats=self._caveats(sources),
        )

    def _inside_sources(self, alerts: Sequence[Alert]) -> list[Party]:
        """The hosts to contain: inside sources of grave alerts, strongest first, each once."""
        grave = [a for a in alerts if a.score >= 50] or list(alerts)
        ranked = sorted(grave, key=lambda a: -a.score)
        inside = {a.source.ip: a.source for a in ranked if self._is_inside(a.source.ip)}
        return list(inside.values())[:5]

    def _is_inside(self, ip: str) -> bool:
        return bool(ip) and self._hospital.is_inside(ip)

    def _care(self, party: Party) -> CareClass:
        return care_class(party.role, self._hospital.asset_by_ip.get(party.ip))

    def _watch(self, sources: Sequence[Party], at_ns: int) -> Step:
        names = "、".join(_name(s) for s in sources) or "対象機器"
        names_en = ", ".join(_name(s) for s in sources) or "the hosts"
        return Step(
            level=0,
            target=sources[0].ip if sources else "",
            title=Text(
                ja=f"{names} の通信を記録し、見守りを強める",
                en=f"Keep a record of {names_en} and watch closely",
            ),
            reason=Text(
                ja="診療に影響しません。電源は切らないでください（メモリ上の証拠が消えます）。",
                en="No effect on care. Do not power off: evidence in memory would be lost.",
            ),
            stops=(),
            approver=_IT,
            commands=(),
        )

    def _call(self, alerts: Sequence[Alert]) -> list[Step]:
        steps = []
        listed = self._hospital.asset_by_ip
        sources = dict.fromkeys(a.source.ip for a in alerts if a.source.ip in listed)
        called = [listed[ip] for ip in sources][:3]
        for asset in called:
            place = " ".join(w for w in (asset.department, asset.place) if w) or "設置部署"
            contact = f"（連絡先 {asset.contact}）" if asset.contact else ""
            contact_en = f" (contact {asset.contact})" if asset.contact else ""
            steps.append(
                Step(
                    level=1,
                    target=asset.ip,
                    title=Text(
                        ja=f"{place}に電話し、{asset.name or asset.ip} をいま誰が何に使っているか"
                        f"確かめる{contact}",
                        en=f"Call {asset.department or 'the department'}: who is using"
                        f" {asset.name or asset.ip}, and for what{contact_en}",
                    ),
                    reason=Text(
                        ja="正当な作業なら止めずに済みます。",
                        en="If it is legitimate work, nothing needs to stop.",
                    ),
                    stops=(),
                    approver=_IT,
                    commands=(),
                )
            )
        return steps

    def _protect_backups(self) -> Step:
        backups = [a for a in self._hospital.assets if a.role == "backup"]
        names = "、".join(a.name or a.ip for a in backups) or "バックアップ装置"
        names_en = ", ".join(a.name or a.ip for a in backups) or "the backup system"
        commands: list[Commands] = []
        for asset in backups:
            place = switch_place(Party(asset.ip, mac=asset.mac), self._hospital, self._ports)
            if place.port:
                commands += render_all(Cut("port_down", switch_port=place.port))
        return Step(
            level=8,
            target=backups[0].ip if backups else "",
            title=Text(
                ja=f"最優先：{names} のネットワークを切り離す",
                en=f"First of all: disconnect {names_en} from the network",
            ),
            reason=Text(
                ja="暗号化が広がっているときは、まずバックアップを守ります"
                "（厚生労働省 BCP ひな形 3.3.2）。",
                en="While encryption spreads, backups are saved first (MHLW BCP template 3.3.2).",
            ),
            stops=(Stop("バックアップ", ("バックアップ対象サーバ",), 0, False),),
            approver=_MANAGEMENT,
            commands=tuple(commands),
        )

    def _cut_lines(self, alerts: Sequence[Alert], at_ns: int) -> list[Step]:
        steps: dict[str, Step] = {}
        registered = {line.id: line for line in self._hospital.lines}
        for alert in sorted(alerts, key=lambda a: -a.score):
            if alert.category not in _LINE_CATEGORIES and not alert.line:
                continue
            line = registered.get(alert.line)
            key = alert.line or alert.source.ip or alert.source.mac
            if key in steps:
                continue
            steps[key] = (
                self._cut_registered(line, at_ns) if line else self._cut_unregistered(alert)
            )
        return list(steps.values())[:_MOST_EDGES]

    def _cut_registered(self, line: RegisteredLine, at_ns: int) -> Step:
        stops = (Stop(f"{line.vendor} の保守接続（{line.system or line.id}）", (), 0, True),)
        return Step(
            level=2,
            target=line.id,
            title=Text(
                ja=f"登録回線 {line.id}（{line.vendor}）を一時停止する",
                en=f"Suspend registered line {line.id} ({line.vendor})",
            ),
            reason=Text(
                ja=f"業者に先に電話します{'（' + line.contact + '）' if line.contact else ''}。"
                "装置の遠隔監視アラームがこの回線を使っていることがあります。",
                en="Call the vendor first"
                + (f" ({line.contact})" if line.contact else "")
                + ": equipment alarms may use this line.",
            ),
            stops=stops,
            approver=_SAFETY,
            commands=render_all(Cut("host", source=line.device_ip)) if line.device_ip else (),
        )

    def _cut_unregistered(self, alert: Alert) -> Step:
        source = alert.source
        is_inside = self._is_inside(source.ip)
        return Step(
            level=2,
            target=source.ip or source.mac,
            title=Text(
                ja=f"台帳にない外部接続を外す：{_name(source)}",
                en=f"Remove the unregistered outside line at {_name(source)}",
            ),
            reason=Text(
                ja="現地でUSBポート（スマートフォン、LTEドングル）、持ち込みルータ、遠隔操作ソフトを"
                "確かめ、外すか終了させます。院内の業務通信は止まりません。",
                en="On site, look for phones or LTE dongles on USB ports, routers brought in, and"
                " remote-control software; unplug or end it. Traffic inside goes on.",
            ),
            stops=(),
            approver=_IT,
            commands=render_all(Cut("host", source=source.ip)) if is_inside else (),
        )

    def _block_edges(self, alerts: Sequence[Alert], at_ns: int) -> list[Step]:
        steps: dict[tuple[str, str], Step] = {}
        for alert in sorted(alerts, key=lambda a: -a.score):
            if alert.category not in ("lateral_movement", "credential_access", "impact"):
                continue
            for target in alert.targets[:_MOST_EDGES]:
                edge = (alert.source.ip, target.ip)
                if not all(edge) or edge in steps or len(steps) >= _MOST_EDGES:
                    continue
                ports = [f.destination_port for f in alert.flows if f.destination == target.ip]
                steps[edge] = self._block_edge(alert, target, ports[0] if ports else 0, at_ns)
        return list(steps.values())

    def _block_edge(self, alert: Alert, target: Party, port: int, at_ns: int) -> Step:
        shown = Text(f"（TCP {port}）", f" (TCP {port})") if port else Text("", "")
        between = [
            stop
            for stop in self._dependencies(alert.source.ip, at_ns)
            if target.ip in stop.peers or _name(target) in stop.peers
        ]
        return Step(
            level=3,
            target=target.ip,
            title=Text(
                ja=f"{_name(alert.source)} から {_name(target)} への通信だけを止める{shown.ja}",
                en=f"Block only {_name(alert.source)} to {_name(target)}{shown.en}",
            ),
            reason=Text(
                ja="この経路だけが止まり、ほかの業務は続きます。",
                en="Only this path stops; other work goes on.",
            ),
            stops=tuple(between),
            approver=_APPROVER[self._care(target)],
            commands=render_all(Cut("edge", source=alert.source.ip, target=target.ip, port=port)),
        )

    def _isolate_host(self, source: Party, at_ns: int) -> list[Step]:
        care = self._care(source)
        stops = self._dependencies(source.ip, at_ns)
        place = switch_place(source, self._hospital, self._ports)
        segment = self._hospital.segment_of(source.ip)
        vlan = segment.vlan if segment else 0
        quarantine = Cut("quarantine", switch_port=place.port, vlan=vlan)
        cut = Cut("host", source=source.ip) if place.is_shared else quarantine
        title = Text(
            ja=f"{_name(source)} を隔離VLANへ移す{place.where.ja}",
            en=f"Move {_name(source)} to the quarantine VLAN{place.where.en}",
        )
        if place.is_shared:
            title = Text(
                ja=f"{_name(source)} の通信をすべて止める{place.where.ja}",
                en=f"Stop all traffic of {_name(source)}{place.where.en}",
            )
        care_note = (
            Text(
                ja="生命維持に関わる機器です。自動では何もせず、ベッドサイドで代替手段を確保してから。",
                en="Life-critical: nothing automatic; only with a substitute ready at the bedside.",
            )
            if care == "C4"
            else Text(
                ja="ほかの手段で収まらないときに、機器ごと切り離します。",
                en="Cut the whole host off only if the steps above do not contain it.",
            )
        )
        return [
            Step(
                level=5,
                target=source.ip,
                title=title,
                reason=care_note,
                stops=stops,
                approver=_APPROVER[care],
                commands=render_all(cut),
            )
        ]

    def _caveats(self, sources: Sequence[Party]) -> tuple[Text, ...]:
        caveats = [
            Text(
                ja="同じスイッチ内で折り返す通信は、このセンサーからは見えないことがあります。",
                en="Traffic that stays inside one switch may be invisible to this sensor.",
            )
        ]
        if not self._hospital.assets:
            caveats.append(
                Text(
                    ja="機器台帳が未登録のため、設置場所・連絡先・重要度は推定です。",
                    en="No asset ledger: places, contacts and care classes are guesses.",
                )
            )
        return tuple(caveats)


def _name(party: Party) -> str:
    return party.name or party.ip or party.mac
