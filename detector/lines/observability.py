"""What the sensor can see of each VLAN: broadcasts, unicast packets, flow exports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.fastlane.layout import OUTPUT_DTYPE
from collector.sightings import Arp, Dhcp, NameAnnouncement
from detector.detection import Window
from detector.lines.speaker_kernels import see_vlans
from detector.words import Text

_KINDS: Final = ("broadcast_ns", "unicast_ns", "flow_ns")  # in the order of `see_vlans`
MAX_VLANS: Final = 4096
_DAY_NS: Final = 86_400_000_000_000

#: By what is missing: what a finding cannot rest on.
BLIND: Final[dict[str, Text]] = {
    "broadcast": Text(
        ja="ARP・DHCP・名前の告知が見えない（VLAN リスナがない）",
        en="ARP, DHCP and announcements are unseen (no listener on the VLAN)",
    ),
    "unicast": Text(
        ja="端末間のパケットが見えず（SPAN なし）、TTL・SMB・DNS の中身による兆候は拾えない",
        en="packets between hosts are unseen (no SPAN): no signs from TTL, SMB or DNS contents",
    ),
    "flow": Text(
        ja="スイッチを越える通信の記録（NetFlow）がない",
        en="there are no records of routed traffic (NetFlow)",
    ),
}
ALWAYS_BLIND: Final = Text(
    ja="機器自身の外部回線を流れる通信そのものは、どの置き方でも見えない",
    en="what flows over a device's own outside line is unseen wherever the sensor stands",
)


@dataclass
class Sight:
    """When each kind was last seen on one VLAN."""

    broadcast_ns: int = 0
    unicast_ns: int = 0
    flow_ns: int = 0

    def seen(self, now_ns: int) -> dict[str, bool]:
        kinds = {"broadcast": self.broadcast_ns, "unicast": self.unicast_ns, "flow": self.flow_ns}
        return {kind: at > 0 and now_ns - at < _DAY_NS for kind, at in kinds.items()}


@dataclass
class Observability:
    """By VLAN; a flow without MACs is an exporter's, one with unicast MACs a mirror port's."""

    vlans: dict[int, Sight] = field(default_factory=dict)
    #: What the pass over a window writes into: kind << 16 | VLAN.
    _is_seen: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(3 << 16, bool))
    _seen: NDArray[np.int64] = field(default_factory=lambda: np.zeros(3 << 16, np.int64))

    def observe(self, window: Window) -> None:
        flows = window.flows
        if len(flows):
            count = see_vlans(flows.rows.view(OUTPUT_DTYPE), self._is_seen, self._seen)
            for code in sorted(self._seen[:count].tolist()):
                self._note(code & 0xFFFF, _KINDS[code >> 16], window.end_ns)
            self._is_seen[self._seen[:count]] = False
        for kind in (Arp, Dhcp, NameAnnouncement):
            for vlan in {s.vlan for s in window.of(kind)}:
                self._note(vlan, "broadcast_ns", window.end_ns)

    def blind_spots(self, vlan: int, now_ns: int) -> Text:
        """What cannot be seen where a host lives; never empty, for nothing sees everything."""
        seen = self.vlans.get(vlan, Sight()).seen(now_ns)
        missing = [BLIND[kind] for kind, is_seen in seen.items() if not is_seen]
        if seen["unicast"]:
            missing = [m for m in missing if m is not BLIND["flow"]]
        missing.append(ALWAYS_BLIND)
        return Text(ja="。".join(m.ja for m in missing), en="; ".join(m.en for m in missing))

    def to_json(self, now_ns: int) -> list[dict[str, Any]]:
        """One row a VLAN, for the coverage page."""
        return [{"vlan": v, **s.seen(now_ns)} for v, s in sorted(self.vlans.items())]

    def _note(self, vlan: int, name: str, at_ns: int) -> None:
        if vlan in self.vlans or len(self.vlans) < MAX_VLANS:
            setattr(self.vlans.setdefault(vlan, Sight()), name, at_ns)
