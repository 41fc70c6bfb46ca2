"""What is wrong with the sensor is told in the reader's language, with what to do about it."""

from __future__ import annotations

from collections import Counter

import pytest

from api.people import Language
from api.services.health import Health
from collector.observations import CollectorHealth
from collector.sources.source import SourceHealth
from collector.words import Text
from dashboards.checks import check_sensor
from dashboards.clock import Clock
from dashboards.words import words

CABLE = Text("ケーブルを確認してください。", "look at the cable")
TSHARK = Text("tshark がありません。", "tshark is not installed")


@pytest.mark.parametrize("language", ["ja", "en"])
def test_reasons_are_in_the_reader_s_language(language: Language) -> None:
    source = SourceHealth("interface", state="down", why=CABLE, packets=3)
    told = CollectorHealth(
        packets=3, malformed=Counter(), blind={"deep": TSHARK}, is_live=True,
        sources={"interface eth1": source.to_json()},
    ).to_json()  # fmt: skip
    assert CollectorHealth.from_json(told).blind == {"deep": TSHARK}
    checks = check_sensor(Health("1", 0, 0, told, {}), words(language), Clock("Asia/Tokyo"))
    said = " ".join(f"{check.text} {check.advice}" for check in checks)
    for wanted in (CABLE, TSHARK):
        assert getattr(wanted, language) in said
        assert getattr(wanted, "en" if language == "ja" else "ja") not in said
