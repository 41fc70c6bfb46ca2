"""Sightings of the simulated day: collected by host number, kept as Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from collector.sightings import SIGHTINGS, Sighting
from sample_pcaps.simulated.calendar import midnight_ns
from sample_pcaps.simulated.house import House

_KINDS: Final = {kind.kind: kind for kind in SIGHTINGS}
_COMMON: Final = (
    "time_ns",
    "sensor",
    "vlan",
    "mac",
    "ip",
    "port",
    "peer_mac",
    "peer_ip",
    "peer_port",
)


#: The port from which all packets come that are told.
CLIENT_PORT: Final = 50_000


@dataclass
class Told:
    """What single packets of one day told; times are seconds of the local day."""

    house: House
    number: int
    rng: np.random.Generator
    sightings: list[Sighting] = field(default_factory=list)

    def add(
        self, kind: type[Sighting], at: float, source: int, peer: int, port: int, **fields: Any
    ) -> Sighting:
        """A packet from `source` to a port of `peer`; -1 = everybody on the segment."""
        return self._keep(kind, at, (source, CLIENT_PORT), (peer, port), fields)

    def back(
        self, kind: type[Sighting], at: float, source: int, peer: int, port: int, **fields: Any
    ) -> Sighting:
        """The answer to such a packet."""
        return self._keep(kind, at + 0.002, (peer, port), (source, CLIENT_PORT), fields)

    def tell(self, at: float, kind: type[Sighting], *ends: int, **fields: Any) -> Sighting:
        """As `add`, with the time first, as a scenario's stage tells."""
        return self.add(kind, at, *ends, **fields)

    def answer(self, at: float, kind: type[Sighting], *ends: int, **fields: Any) -> Sighting:
        """As `back`, with the time first."""
        return self.back(kind, at, *ends, **fields)

    def sample(
        self,
        kind: type[Sighting],
        at: Any,
        sources: Any,
        peers: Any,
        port: int,
        share: float,
        **fields: Any,
    ) -> None:
        """The same packet many times; of all of them only a share is kept."""
        kept = np.flatnonzero(self.rng.random(len(at)) < share)
        peers = np.broadcast_to(peers, len(at))
        for i in kept.tolist():
            self.add(kind, float(at[i]), int(sources[i]), int(peers[i]), port, **fields)

    def _keep(
        self,
        kind: type[Sighting],
        at: float,
        sender: tuple[int, int],
        peer: tuple[int, int],
        fields: dict[str, Any],
    ) -> Sighting:
        house = self.house
        whom: dict[str, Any] = {}
        if peer[0] >= 0:
            whom = {"peer_ip": house.ip(peer[0]), "peer_mac": house.mac_text(peer[0])}
        whom["peer_port"] = peer[1]
        own: dict[str, Any] = {"ip": house.ip(sender[0]), "mac": house.mac_text(sender[0])}
        own |= {"vlan": house.vlan[sender[0]], "port": sender[1]}
        time_ns = midnight_ns(self.number) + int(at * 1e6) * 1000
        made = kind(**{"time_ns": time_ns, **own, **whom, **fields})
        if peer[0] < 0 or house.is_mirrored(sender[0], peer[0]):
            self.sightings.append(made)
        return made


def write_sightings(folder: Path, name: str, sightings: list[Sighting]) -> None:
    """One Parquet file a day, in time order; each kind's own fields as JSON."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(sightings, key=lambda s: s.time_ns)
    columns: dict[str, list[Any]] = {c: [getattr(s, c) for s in ordered] for c in _COMMON}
    columns["kind"] = [s.kind for s in ordered]
    columns["fields"] = [
        json.dumps({k: v for k, v in asdict(s).items() if k not in _COMMON}, ensure_ascii=False)
        for s in ordered
    ]
    pq.write_table(pa.table(columns), folder / f"{name}.parquet", compression="zstd")


def read_sightings(path: Path) -> Iterator[Sighting]:
    """What `write_sightings` wrote."""
    import pyarrow.parquet as pq

    for row in pq.read_table(path).to_pylist():
        own = json.loads(row["fields"])
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in own.items()}
        yield _KINDS[row["kind"]](**{c: row[c] for c in _COMMON}, **fields)
