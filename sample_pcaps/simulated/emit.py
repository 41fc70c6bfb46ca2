"""Flows of one day as columns, from what hosts do to rows of the project's own flow table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.apps import APP_CODE
from collector.flows import FLOW_DTYPE, STATE_CODE
from sample_pcaps.simulated.calendar import midnight_ns
from sample_pcaps.simulated.house import CORE_MAC, House

_S: Final = 1_000_000_000
_ACTIVE_S: Final = 60.0  # long connections are reported every minute
_V4: Final = np.uint64(0xFFFF_0000_0000)
_FLAGS: Final = {
    "SF": (27, 27),
    "S0": (2, 0),
    "REJ": (2, 20),
    "S1": (26, 26),
    "RSTO": (30, 26),
    "RSTR": (26, 30),
    "OTH": (24, 24),
}
#: The SYN of a stack: window, MSS, window scale, layout hash, TTL.
_STACKS: Final = {
    "windows": (64240, 1460, 8, 11, 128),
    "linux": (64240, 1460, 7, 22, 64),
    "windows7": (8192, 1460, 8, 33, 128),
    "device": (5840, 1460, 0, 44, 64),
}
_STACK_OF: Final = {
    "terminal": "windows",
    "viewer": "windows",
    "admin": "windows",
    "emr_server": "windows",
    "domain_controller": "windows",
    "server": "windows",
    "file_server": "windows",
    "pacs": "windows",
    "pharmacy": "windows",
    "backup": "windows",
    "wsus": "windows",
    "modality": "windows7",
    "analyser": "windows7",
    "bastion": "windows",
    "printer": "device",
    "monitor": "device",
    "camera": "device",
    "medical_device": "device",
}
#: What `Day.add` collects of a connection; times are seconds of the local day.
_COLLECTED: Final = np.dtype(
    [("source", "i4"), ("destination", "i4"), ("start", "f8"), ("seconds", "f8"), ("sport", "u2"),
     ("port", "u2"), ("protocol", "u1"), ("app", "u2"), ("state", "u1"), ("up", "f8"),
     ("down", "f8")]
)  # fmt: skip


@dataclass
class Day:
    """Collects what happens on one local day; `rows` makes the table of it."""

    house: House
    number: int
    rng: np.random.Generator
    parts: list[NDArray[Any]] = field(default_factory=list)

    def add(
        self,
        source: Any,
        destination: Any,
        start: Any,
        port: Any,
        app: str,
        *,
        seconds: Any = 0.2,
        up: Any = 800.0,
        down: Any = 2000.0,
        state: str = "SF",
        protocol: int = 6,
    ) -> NDArray[Any]:
        """Connections at these seconds of the day; arguments broadcast. `up`, `down`: payload."""
        start = np.atleast_1d(np.asarray(start, float))
        rows = np.zeros(np.broadcast(start, source, destination).size, _COLLECTED)
        rows["source"], rows["destination"], rows["start"] = source, destination, start
        rows["seconds"], rows["port"], rows["protocol"] = seconds, port, protocol
        rows["sport"] = self.rng.integers(49152, 65535, len(rows))
        rows["app"], rows["state"] = APP_CODE[app], STATE_CODE[state]
        rows["up"], rows["down"] = up, down
        self.parts.append(rows)
        return rows

    def rows(self) -> NDArray[Any]:
        """FLOW_DTYPE rows, in the order in which their records were complete."""
        if not self.parts:
            return np.zeros(0, FLOW_DTYPE)
        whole = np.concatenate(self.parts)
        whole = whole[self._is_mirrored(whole)]
        pieces = np.maximum(1, np.ceil(whole["seconds"] / _ACTIVE_S)).astype(np.int64)
        each = np.repeat(np.arange(len(whole)), pieces)
        part = np.arange(len(each)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        flows, count = whole[each], pieces[each]
        rows = np.zeros(len(flows), FLOW_DTYPE)
        base = midnight_ns(self.number)
        start = flows["start"] + part * _ACTIVE_S
        end = np.minimum(start + _ACTIVE_S, flows["start"] + np.maximum(flows["seconds"], 1e-4))
        rows["first_ns"] = base + (start * 1e6).astype(np.int64) * 1000
        rows["last_ns"] = rows["reported_ns"] = base + (end * 1e6).astype(np.int64) * 1000
        is_last = part == count - 1
        rows["state"] = np.where(is_last, flows["state"], STATE_CODE["S1"])
        rows["end_reason"] = np.where(is_last, 3, 2)
        rows["part"] = part
        rows["protocol"], rows["app"] = flows["protocol"], flows["app"]
        rows["app_confidence"] = np.where(flows["app"] > 0, 95, 0)
        rows["source_port"], rows["destination_port"] = flows["sport"], flows["port"]
        rows["family"], rows["sampling"] = 4, 1
        self._set_hosts(rows, flows)
        self._set_volumes(rows, flows, count)
        return rows[np.argsort(rows["reported_ns"], kind="stable")]

    def _is_mirrored(self, flows: NDArray[Any]) -> NDArray[np.bool_]:
        """What the core mirrors: nothing that stays on one access switch."""
        switch = np.array(self.house.switch)
        source, destination = switch[flows["source"]], switch[flows["destination"]]
        mirrored: NDArray[np.bool_] = (source != destination) | (source == 0)
        return mirrored

    def _set_hosts(self, rows: NDArray[Any], flows: NDArray[Any]) -> None:
        house = self.house
        address = np.array(house.address, np.uint64) | _V4
        vlan, mac = np.array(house.vlan), np.array(house.mac, np.uint64)
        source, destination = flows["source"], flows["destination"]
        rows["source"][:, 1], rows["destination"][:, 1] = address[source], address[destination]
        rows["vlan"] = vlan[source]
        is_routed = vlan[source] != vlan[destination]
        rows["source_mac"] = mac[source]
        rows["destination_mac"] = np.where(is_routed, np.uint64(CORE_MAC), mac[destination])
        stacks = [_STACKS[_STACK_OF.get(role, "linux")] for role in house.roles]
        window, mss, scale, layout, ttl = (np.array(column) for column in zip(*stacks, strict=True))
        is_tcp = flows["protocol"] == 6
        rows["syn_window"] = np.where(is_tcp, window[source], 0)
        rows["syn_mss"] = np.where(is_tcp, mss[source], 0)
        rows["syn_wscale"] = np.where(is_tcp, scale[source], 255)
        rows["syn_layout"] = np.where(is_tcp, layout[source], 0)
        rows["ttl_min"] = rows["ttl_max"] = ttl[source]
        answered = flows["state"] != STATE_CODE["S0"]
        reply_ttl = np.where(answered, ttl[destination] - is_routed, 0)
        rows["reply_ttl_min"] = rows["reply_ttl_max"] = reply_ttl

    def _set_volumes(self, rows: NDArray[Any], flows: NDArray[Any], count: Any) -> None:
        """Bytes of IP and packets from payloads: 1,400 bytes a full packet, an ACK for two."""
        names = list(_FLAGS)
        codes = {STATE_CODE[n]: _FLAGS[n] for n in names}
        ours, theirs = np.zeros(32, np.uint8), np.zeros(32, np.uint8)
        for code, (a, b) in codes.items():
            ours[code], theirs[code] = a, b
        is_tcp = flows["protocol"] == 6
        rows["flags"] = np.where(is_tcp, ours[rows["state"]], 0)
        rows["reply_flags"] = np.where(is_tcp, theirs[rows["state"]], 0)
        up, down = flows["up"] / count, flows["down"] / count
        sent, got = np.ceil(up / 1400), np.ceil(down / 1400)
        sent, got = sent + np.ceil(got / 2), got + np.ceil(sent / 2)
        head = np.where(is_tcp, 40, 28)
        sent, got = sent + np.where(is_tcp, 3, 0), got + np.where(is_tcp, 2, 0)
        failed = (flows["state"] == STATE_CODE["S0"]) | (flows["state"] == STATE_CODE["REJ"])
        sent = np.where(failed, np.where(flows["state"] == STATE_CODE["REJ"], 1, 3), sent)
        sent = np.where(failed & ~is_tcp, 1, np.maximum(sent, 1))
        got = np.where(flows["state"] == STATE_CODE["S0"], 0, np.where(failed, 1, got))
        rows["packets"], rows["reply_packets"] = sent, got
        rows["bytes"] = np.where(failed & is_tcp, 60 * sent, up + head * sent)
        rows["reply_bytes"] = np.where(failed, 40 * got, np.where(got > 0, down + head * got, 0))


def lognormal(rng: np.random.Generator, median: float, sigma: float, n: int) -> NDArray[np.float64]:
    """Sizes and times of human work: lognormal, given by their median."""
    values: NDArray[np.float64] = rng.lognormal(np.log(median), sigma, n)
    return values
