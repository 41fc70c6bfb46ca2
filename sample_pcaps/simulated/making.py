"""`mimawari simulate`: days of the hospital into a flow lake, sightings, papers and the truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from collector.flows import FLOW_DTYPE, FlowBatch
from collector.lake import Lake
from collector.sightings import Sighting
from sample_pcaps.simulated import border, servers, trades, work
from sample_pcaps.simulated.attacks import Scenario, Stage
from sample_pcaps.simulated.calendar import day_of, is_day_off, midnight_ns
from sample_pcaps.simulated.emit import Day
from sample_pcaps.simulated.house import House, build_house
from sample_pcaps.simulated.intrusions import ATTACKS, Play
from sample_pcaps.simulated.papers import write_papers
from sample_pcaps.simulated.slow import s11
from sample_pcaps.simulated.told import Told, write_sightings
from sample_pcaps.simulated.twins import TWINS

#: Nobody is attacked in the first weeks, while the hospital is being learned.
WARM_DAYS = 28
_ALL = (*ATTACKS, *TWINS)


@dataclass(frozen=True)
class Order:
    """What to make. `volume` thins the terminals' work; `times`: how often each scenario plays."""

    days: int
    seed: int
    scenarios: tuple[str, ...] = _ALL
    warm_days: int = WARM_DAYS
    beds: int = 400
    volume: float = 1.0
    times: int = 1


def simulate(
    order: Order, folder: Path, on_day: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Make the days; the same order gives the same bytes. Returns what was made.

    ValueError if a scenario is unknown or there is no day on which it could play.
    """
    plays = _placed(order)
    house = build_house(order.beds)
    folder.mkdir(parents=True, exist_ok=True)
    write_papers(folder, house)
    inside = len(house)
    lake = Lake(folder / "lake")
    days = {n: _new_day(house, order.seed, n) for n in range(order.days + 8)}
    played: list[Stage] = []
    later = np.zeros(0, FLOW_DTYPE)
    told_later: list[Sighting] = []
    flows = sightings = 0
    for number in range(order.days):
        day, told = days.pop(number)
        days[number] = (day, told)
        for name, draw in plays.get(number, ()):
            played.append(_play(name, draw, house, order, number, days))
        _work(day, told, order.volume)
        for stage in played:
            stage.settle(number)
        rows = np.concatenate([later, day.rows()])
        rows = rows[np.argsort(rows["reported_ns"], kind="stable")]
        is_today = rows["reported_ns"] < midnight_ns(number + 1)
        rows, later = rows[is_today], rows[~is_today]
        flows += len(rows)
        lake.append(FlowBatch(rows))
        lake.flush()
        both = [*told_later, *told.sightings]
        today = [s for s in both if s.time_ns < midnight_ns(number + 1)]
        told_later = [s for s in both if s.time_ns >= midnight_ns(number + 1)]
        sightings += len(today)
        write_sightings(folder / "sightings", day_of(number).isoformat(), today)
        del days[number]
        if on_day is not None:
            on_day(number + 1, order.days)
    made = {
        "seed": order.seed,
        "days": order.days,
        "warm_days": order.warm_days,
        "beds": order.beds,
        "hosts": inside,
        "flows": flows,
        "sightings": sightings,
        "first_ns": midnight_ns(0),
        "last_ns": midnight_ns(order.days),
        "warm_ns": midnight_ns(order.warm_days),
        "volume": order.volume,
        "times": order.times,
        "scenarios": [stage.scenario.to_json() for stage in played],
    }
    (folder / "truth.json").write_text(json.dumps(made, ensure_ascii=False, indent=1))
    return made


def _placed(order: Order) -> dict[int, list[tuple[str, int]]]:
    """On which days what plays: attacks on any day, jobs of vendors and staff on working days."""
    unknown = sorted(set(order.scenarios) - {*_ALL, "S11"})
    if unknown:
        raise ValueError(f"no scenario {', '.join(unknown)}; there are {', '.join([*_ALL, 'S11'])}")
    rng = np.random.default_rng([order.seed, 99])
    last = order.days - 2  # an intrusion may go on for a day
    working = [n for n in range(order.warm_days, last) if not is_day_off(n)]
    every = list(range(order.warm_days, last))
    plays: dict[int, list[tuple[str, int]]] = {}
    for name, draw in [(name, draw) for draw in range(order.times) for name in order.scenarios]:
        if name == "S11":
            plays.setdefault(0, []).append((name, draw))
            continue
        choice = every if name in ("S1", "S2", "S3", "S9", "S10") else working
        if not choice:
            raise ValueError(
                f"{order.days} days leave none for {name} after {order.warm_days} of warm-up; "
                f"ask for {order.warm_days + 10} or more"
            )
        plays.setdefault(int(rng.choice(choice)), []).append((name, draw))
    return plays


def _play(
    name: str,
    draw: int,
    house: House,
    order: Order,
    number: int,
    days: dict[int, tuple[Day, Told]],
) -> Stage:
    # Each scenario draws from its own numbers, so that leaving one out changes no other.
    at = [*_ALL, "S11"].index(name)
    rng = np.random.default_rng([order.seed, 7, at, draw])
    play: Play | None = {**ATTACKS, **TWINS}.get(name)
    words = ((play or s11).__doc__ or "").split("\n")[0]
    stage = Stage(house, rng, days, Scenario(name, words, name.startswith("S")))
    if play is None:
        s11(stage, number, order.days)
    else:
        play(stage, number)
    return stage


def _work(day: Day, told: Told, volume: float) -> None:
    """Everything that happens without a scenario."""
    work.terminals(day, told, volume)
    work.neighbours(day, told)
    trades.imaging(day, told)
    trades.laboratory(day, told)
    trades.cameras(day)
    servers.housekeeping(day, told)
    servers.administration(day, told)
    border.attempts(day, told, volume)
    border.visits(day, told)
    border.backups(day)
    border.scanner(day)
    border.rollout(day, told)
    border.private_nics(day, told)


def _new_day(house: House, seed: int, number: int) -> tuple[Day, Told]:
    """Numbers are drawn by day, so that a day does not depend on how many came before."""
    rng = np.random.default_rng([seed, 1, number])
    return Day(house, number, rng), Told(house, number, np.random.default_rng([seed, 2, number]))


def read_truth(folder: Path) -> dict[str, Any]:
    """The truth of a simulated hospital; ValueError if the folder holds none."""
    path = folder / "truth.json"
    if not path.exists():
        raise ValueError(f"{folder}: no truth.json; make one with `mimawari simulate`")
    truth: dict[str, Any] = json.loads(path.read_text())
    return truth


def scenario_names() -> Sequence[str]:
    return [*_ALL, "S11"]
