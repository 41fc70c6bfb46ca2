"""Charts and paths as SVG, times, facts and checks in words."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from api.services.health import Health
from dashboards.attack_path import Node, draw_path
from dashboards.charts import Column, stacked_columns
from dashboards.checks import check_sensor
from dashboards.clock import Clock, size, span
from dashboards.facts import shown_facts
from dashboards.urgency import urgency_of
from dashboards.view import local_path
from dashboards.words import words
from detector.alerts import Alert, Party
from tests.dashboards.example import NIGHT_NS, example_alerts, example_hospital

JA, TOKYO = words("ja"), Clock("Asia/Tokyo")


def path_of(alerts: list[Alert]) -> str:
    return str(
        draw_path(
            alerts,
            lambda p: Node(p.ip or p.mac, p.name or p.ip, "", f"/assets/{p.ip}"),
            lambda a: a.detector,
            lambda n: f"他{n}台",
            "経路",
        )
    )


def test_columns_stack_up_to_their_sum() -> None:
    columns = [Column("11-21", {"low": 3, "high": 1}), Column("11-22", {})]
    drawn = ElementTree.fromstring(stacked_columns(columns, {"low": "軽微", "high": "重大"}, "日"))
    bars = [r for r in drawn.iter() if r.tag == "rect"]
    assert [b.find("title").text for b in bars] == ["11-21 軽微: 3", "11-21 重大: 1"]  # type: ignore[union-attr]
    low, high = bars
    assert float(low.attrib["height"]) > 2.5 * float(high.attrib["height"])


def test_control_by_way_of_another_host_is_drawn_as_a_chain() -> None:
    one = example_alerts(example_hospital())[0]
    hosts = [f"10.0.0.{n}" for n in (1, 2, 3)]
    told = replace(
        one, source=Party(ip=hosts[0]), targets=tuple(Party(ip=ip) for ip in hosts[1:]),
        facts={"path": hosts},
    )  # fmt: skip
    drawn = ElementTree.fromstring(path_of([told]))
    boxes = [float(r.attrib["x"]) for r in drawn.iter("rect") if "box" in r.attrib["class"]]
    assert len(set(boxes)) == 3  # one behind the other
    fan = ElementTree.fromstring(path_of([replace(told, facts={})]))
    boxes = [float(r.attrib["x"]) for r in fan.iter("rect") if "box" in r.attrib["class"]]
    assert len(set(boxes)) == 2


def test_numbers_on_arrows_that_cross_hide_no_others() -> None:
    pairs = [("10.0.0.1", "10.0.1.1"), ("10.0.0.1", "10.0.1.2"), ("10.0.0.2", "10.0.1.1")]
    pairs += [("10.0.1.1", "10.0.1.2"), ("10.0.1.1", "10.0.2.1"), ("10.0.1.2", "10.0.2.1")]
    one = example_alerts(example_hospital())[0]
    crossing = [
        replace(one, id=f"a{n}", source=Party(ip=source), targets=(Party(ip=target),))
        for n, (source, target) in enumerate(pairs)
    ]
    drawn = ElementTree.fromstring(path_of(crossing))
    marks = [r.attrib for r in drawn.iter("rect") if r.attrib["class"] == "mark"]
    assert len(marks) == len(pairs)
    for one_mark, other in combinations(marks, 2):
        beside = abs(float(one_mark["x"]) - float(other["x"])) >= float(one_mark["width"])
        assert beside or abs(float(one_mark["y"]) - float(other["y"])) >= 18


def test_the_path_goes_from_left_to_right_and_numbers_the_story() -> None:
    story = [a for a in example_alerts(example_hospital()) if a.line == "L-002"]
    story.sort(key=lambda a: a.first_ns)
    drawn = ElementTree.fromstring(path_of(story))
    boxes = [r for r in drawn.iter("rect") if r.attrib["class"] == "box"]
    places = [float(b.attrib["x"]) for b in boxes]
    assert places == sorted(places) and len(set(places)) == 3
    told = [t.text for t in drawn.iter("text")]
    assert {"1", "2", "NUTRI-SV", "PHARM-SV"} <= set(told)


def test_a_scan_does_not_draw_a_hundred_boxes() -> None:
    scan = next(a for a in example_alerts(example_hospital()) if a.detector == "host_scan")
    assert path_of([scan]).count('class="box"') == 5  # itself, three of them, and "the rest"
    assert "他11台" in path_of([scan])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_any_story_can_be_drawn(steps: list[tuple[int, int]]) -> None:
    plain = example_alerts(example_hospital())[0] if steps else None
    alerts = [
        replace(plain, source=Party(f"10.0.0.{a}"), targets=(Party(f"10.0.0.{b}"),))  # type: ignore[type-var]
        for a, b in steps
    ]
    drawn = path_of(alerts)  # type: ignore[arg-type]
    if drawn:
        ElementTree.fromstring(drawn)


def test_hostile_names_stay_text() -> None:
    evil = replace(
        example_alerts(example_hospital())[0],
        source=Party("10.0.0.1", name='"><script>alert(1)</script>'),
    )
    assert "<script" not in path_of([evil])


def test_times_are_the_hospitals() -> None:
    assert TOKYO.text(NIGHT_NS) == "2026-06-03 21:10:00 JST"
    assert TOKYO.day(NIGHT_NS, JA) == "2026年6月3日（水）"
    assert TOKYO.day(NIGHT_NS, words("en")) == "Wed 2026-06-03"
    assert span(59, JA) == "59秒" and span(7260, JA) == "2時間1分"
    assert size(999) == "999 B" and size(1_200_000) == "1.2 MB"


def test_facts_speak_one_language_and_carry_units() -> None:
    facts = {
        "signs_ja": "名前の登録", "signs_en": "name registered", "bytes_out": 4_812_000,
        "duration_s": 640.0, "ports": [445, 3389], "is_new": True, "vendor": "-",
        "clues": [{"signal": "ARP", "weight": 2, "time_ns": NIGHT_NS, "alone": False}],
    }  # fmt: skip
    shown = {f.label: f.lines for f in shown_facts(facts, JA, TOKYO)}
    assert shown["兆候"] == ("名前の登録",)
    assert shown["送信バイト"] == ("4.8 MB",)
    assert shown["継続時間"] == ("10分",)
    assert shown["ポート"] == ("445, 3389",)
    assert shown["is_new"] == ("はい",)
    assert shown["見つけた兆候"] == ("兆候: ARP · 重み: 2 · 時刻: 2026-06-03 21:10:00 JST",)
    assert "業者" not in shown


def health(**told: object) -> Health:
    collector = {"packets": 1000, "flows": 5, "event_ns": NIGHT_NS, **told}
    return Health("1", NIGHT_NS + 3600 * 10**9, 0, collector, {})


def test_a_blind_or_silent_sensor_is_never_called_good() -> None:
    def tones(**told: object) -> set[str]:
        return {c.tone for c in check_sensor(health(**told), JA, TOKYO)}

    assert tones() == {"ok"}
    assert "critical" in tones(packets=0, flows=0)
    assert "critical" in tones(is_live=True)  # nothing for an hour
    assert "critical" in tones(shed={"queue": 500})
    assert "medium" in tones(blind={"deep": {"ja": "なし", "en": "absent"}})
    assert "critical" in tones(detector_failures={"x: ValueError": 1})
    assert check_sensor(Health("1", 0, 0, {}, {}), JA, TOKYO)[0].tone == "critical"


def test_the_gravest_alert_sets_the_latest_moment() -> None:
    from detector.incidents import join_alerts

    alerts = example_alerts(example_hospital())
    lone = next(a for a in alerts if a.detector == "host_scan")
    office = {lone.source.ip: 0.6}
    assert urgency_of(join_alerts([lone], office)[0]) == "digest"
    assert urgency_of(join_alerts([replace(lone, severity="high", score=75.0)], office)[0]) == (
        "same_day"
    )
    assert urgency_of(join_alerts([replace(lone, score=98.0)], office)[0]) == "immediate"


def test_links_cannot_lead_away() -> None:
    assert local_path("/alerts?state=new") == "/alerts?state=new"
    for path in ("//evil.example", "/\\evil.example", "https://evil.example", "/a\nb", ""):
        assert local_path(path) == "/"
