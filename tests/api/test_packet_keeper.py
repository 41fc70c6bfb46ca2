"""Evidence of alerts, within its room: that of the oldest alerts goes first."""

from __future__ import annotations

import os
from pathlib import Path

from api.watching import PacketKeeper


def test_evidence_of_the_oldest_alerts_goes_past_its_room(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    for number in range(10):
        path = evidence / f"{number}.pcap"
        path.write_bytes(bytes(1000))
        os.utime(path, ns=(number, number))
    keeper = PacketKeeper(tmp_path / "packets", evidence, most_bytes=3500)
    keeper.make_room()
    assert sorted(path.stem for path in evidence.iterdir()) == ["7", "8", "9"]
    keeper.make_room()
    assert len(list(evidence.iterdir())) == 3
