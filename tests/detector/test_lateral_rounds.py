"""A tool on its round is one alert for as long as it goes on; a burst is another."""

from __future__ import annotations

from detector.lateral.rounds import Rounds

DAY = 86_400_000_000_000


def test_a_round_keeps_its_beginning_and_a_week_of_targets() -> None:
    rounds = Rounds()
    for day in range(20):
        for n in range(4):
            turn = rounds.note("10.0.0.1", "service", f"10.1.{day}.{n}", day * DAY + n)
    assert turn.began_ns == 0
    assert len(turn.targets) == 7 * 4 + 1 or len(turn.targets) == 8 * 4
    assert turn.reached[0] == "10.1.19.3"
    assert not turn.is_burst


def test_thrice_as_many_as_ever_is_a_burst() -> None:
    rounds = Rounds()
    for day in range(5):
        for n in range(5):
            rounds.note("10.0.0.1", "service", f"10.1.0.{n}", day * DAY)
    told = [rounds.note("10.0.0.1", "service", f"10.2.0.{n}", 6 * DAY).is_burst for n in range(15)]
    assert told == [False] * 14 + [True]


def test_the_first_day_is_no_burst_and_a_quiet_week_begins_anew() -> None:
    rounds = Rounds()
    assert not any(rounds.note("a", "x", f"10.2.0.{n}", 0).is_burst for n in range(50))
    assert rounds.note("a", "x", "10.2.0.1", 9 * DAY).began_ns == 9 * DAY
