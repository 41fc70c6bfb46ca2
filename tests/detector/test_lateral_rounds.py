"""A tool on its round is one alert for as long as it goes on; a burst is another."""

from __future__ import annotations

from detector.lateral.rounds import Round, Rounds

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


def tool_at_work(rounds: Rounds, days: range, deeds: tuple[str, ...] = ("agent.exe",)) -> Round:
    for day in days:
        for n in range(5):
            turn = rounds.note("av", "program", f"10.1.0.{n + day % 3}", day * DAY + n, deeds)
    return turn


def test_what_was_told_for_three_days_goes_on_as_another_alert_that_weighs_half() -> None:
    rounds = Rounds()
    young = tool_at_work(rounds, range(3))
    assert (young.key("av"), young.weight, young.since_ns(2 * DAY)) == ("av", 1.0, 0)
    old = tool_at_work(rounds, range(3, 20))
    assert (old.key("av"), old.weight, old.since_ns(20 * DAY)) == ("av settled", 0.5, 3 * DAY)


def test_something_else_that_a_settled_tool_does_is_news() -> None:
    rounds = Rounds()
    tool_at_work(rounds, range(8))
    turn = tool_at_work(rounds, range(8, 9), ("agent.exe", "locker.exe"))
    assert (turn.key("av"), turn.weight, turn.since_ns(8 * DAY)) == ("av new deed", 1.0, 8 * DAY)


def test_a_burst_of_what_is_settled_is_told_in_full() -> None:
    rounds = Rounds()
    tool_at_work(rounds, range(8))
    for n in range(15):
        turn = rounds.note("av", "program", f"10.2.0.{n}", 8 * DAY, ("agent.exe",))
    assert (turn.key("av"), turn.weight, turn.since_ns(8 * DAY)) == ("av burst", 1.0, 8 * DAY)
