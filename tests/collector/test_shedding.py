"""Every cause that is counted as shed says why, and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collector.doctor import what_sources_said
from collector.packet import Pick
from collector.shedding import REASONS, why_shed

ROOT = Path(__file__).parents[2]
#: How causes are written where they are counted.
_COUNTED = re.compile(
    r'\b(?:shed|refused)\[f?"([^"]+)"\]|told\["(\w+: [^"]+)"\]'
    r'|Counter\(\{f?"(\w+: [^"]+)":|_LOST: Final = "([^"]+)"'
)


def causes() -> list[str]:
    """Every cause in the source of collector and detector."""
    found: set[str] = set()
    for package in ("collector", "detector"):
        for file in (ROOT / package).rglob("*.py"):
            text = file.read_text("utf-8")
            if "shed" not in text and "refused" not in text:
                continue
            for groups in _COUNTED.findall(text):
                cause = next(filter(None, groups))
                found.add(f"identity: {cause}" if file.name == "identity.py" else cause)
    return sorted(found)


def test_causes_are_found_in_the_source() -> None:
    assert {"flows of new hosts", "spool: flows, the detector lags"} <= set(causes())
    assert len(causes()) > 12


@pytest.mark.parametrize("cause", causes())
def test_every_cause_has_words(cause: str) -> None:
    assert why_shed(cause) in REASONS, f"{cause}: write its reason in collector/shedding.py"


@pytest.mark.parametrize("kind", [kind for kind in Pick if kind])
def test_every_kind_of_picked_packet_has_words(kind: Pick) -> None:
    assert why_shed(kind.name.lower()) in REASONS


def test_the_doctor_tells_what_was_shed_and_why() -> None:
    note = {"shed": {"dns": 12}, "detector_shed": {"flows of new hosts": 3}}
    told = {finding.topic: finding for finding in what_sources_said(note)}
    assert told["dns"].tone == "look" and "sighting_picks_per_s" in told["dns"].en
    assert "most_hosts" in told["flows of new hosts"].ja
