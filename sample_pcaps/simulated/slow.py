"""S11: an attacker in the house from the first day, one new connection a week, for 100 days."""

from __future__ import annotations

from sample_pcaps.simulated.attacks import Stage
from sample_pcaps.simulated.calendar import DAY_S


def s11(stage: Stage, first_day: int, last_day: int) -> None:
    """An office PC that learned everything with the baseline: one more server a week, by day.

    Each edge is used three times a week from then on, as an administrator would use it, and once
    a week it calls out through the proxy.
    """
    rng, house = stage.rng, stage.house
    source = int(rng.choice(house.of("OFFICE")))
    servers = [
        int(s)
        for g in ("RIS", "LIS", "PHARM-SV", "FS", "EMR-AP", "DC", "BACKUP", "EMR-DB")
        for s in house.of(g)
    ]
    order = [int(s) for s in rng.permutation(servers)]
    proxy = int(house.of("PROXY")[0])
    held: list[int] = []
    for day in range(first_day, last_day):
        at = day * DAY_S + float(rng.uniform(9, 17)) * 3600
        if (day - first_day) % 7 == 0 and len(held) < len(order):
            held.append(order[len(held)])
            stage.step("one more server", "T1021", "lateral_movement", at, source, [held[-1]])
            app, port = [("rdp", 3389), ("smb", 445), ("ssh", 22)][int(rng.integers(0, 3))]
            stage.flow(at, source, held[-1], port, app, seconds=400, up=2e5, down=2e6)
        elif held and rng.random() < 0.45:
            target = held[int(rng.integers(0, len(held)))]
            stage.flow(at, source, target, 3389, "rdp", seconds=300, up=2e5, down=2e6)
        if day % 7 == 3:
            stage.flow(at + 900, source, proxy, 3128, "http_proxy", seconds=20, up=4e6, down=3e5)
