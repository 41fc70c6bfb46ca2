"""`mimawari evaluate`: hospitals of several seeds, each seen by several kinds of sensor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.evaluation.page import to_page
from bench.evaluation.report import to_json, to_markdown
from bench.evaluation.running import run_tier
from bench.evaluation.scoring import Score, score
from sample_pcaps.simulated.making import Order, simulate


def evaluate(
    folders: Sequence[Path], tiers: Sequence[str], on_run: Callable[[str], None] | None = None
) -> list[Score]:
    """Every hospital by every tier; a run has a process of its own, so that memory is its own."""
    scores = []
    for folder in folders:
        for tier in tiers:
            with get_context("spawn").Pool(1) as pool:
                scores.append(pool.apply(_scored, (folder, tier)))
            if on_run is not None:
                run = scores[-1].run
                on_run(f"{folder.name} {tier}: {run.flows:,} flows in {run.wall_s:.0f} s")
    return scores


def _scored(folder: Path, tier: str) -> Score:
    return score(run_tier(folder, tier))


def write_scoreboard(scores: Sequence[Score], out: Path) -> None:
    """evaluation.json, evaluation.md and evaluation.html."""
    out.mkdir(parents=True, exist_ok=True)
    told: dict[str, Any] = to_json(scores)
    (out / "evaluation.json").write_text(json.dumps(told, ensure_ascii=False, indent=1))
    (out / "evaluation.md").write_text(to_markdown(scores))
    (out / "evaluation.html").write_text(to_page(scores))


@contextmanager
def hospitals(given: Path | None, order: Order, seeds: Sequence[int]) -> Iterator[list[Path]]:
    """The hospitals in a folder (itself, or those in it); without one, made for the occasion."""
    if given is not None:
        found = (
            [given]
            if (given / "truth.json").exists()
            else sorted(path.parent for path in given.glob("*/truth.json"))
        )
        if not found:
            raise ValueError(
                f"{given}: holds no simulated hospital; make one with `mimawari simulate`"
            )
        yield found
        return
    with TemporaryDirectory(prefix="mimawari-evaluate-") as folder:
        made = []
        for seed in seeds:
            path = Path(folder) / f"seed-{seed}"
            simulate(replace(order, seed=seed), path)
            made.append(path)
        yield made
