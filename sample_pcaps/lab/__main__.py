"""`python -m sample_pcaps.lab [STORY …] --out DIR`: play stories, check what is told."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from sample_pcaps.lab.check import Verdict, check, keep
from sample_pcaps.lab.hosts import LabError
from sample_pcaps.lab.leftovers import sweep
from sample_pcaps.lab.needs import missing, packages
from sample_pcaps.lab.stories import STORIES
from sample_pcaps.lab.story import Story, play


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sample_pcaps.lab", description=__doc__)
    parser.add_argument("stories", nargs="*", help="names or beginnings of names; none = all")
    parser.add_argument("--out", type=Path, default=Path("lab-runs"), help="folder for the runs")
    parser.add_argument("--list", action="store_true", help="list the stories and what they need")
    parser.add_argument("--packages", action="store_true", help="list the Debian packages needed")
    parser.add_argument("--short", action="store_true", help="only the short stories")
    parser.add_argument("--check", action="store_true", help="replay and compare with the truth")
    parser.add_argument("--no-play", action="store_true", help="check runs that are there already")
    parser.add_argument(
        "--no-plan", action="store_true", help="check as on day one, without a plan"
    )
    parser.add_argument("--clean", action="store_true", help="remove what a crashed run left")
    asked = parser.parse_args()
    if asked.clean:
        print("\n".join(sweep()) or "nothing was left behind")
        return 0
    chosen = chosen_stories(asked.stories, only_short=asked.short)
    if not chosen:
        print(f"no story is called like {' '.join(asked.stories)}; see --list", file=sys.stderr)
        return 2
    if asked.packages:
        print("\n".join(packages(chosen)))
        return 0
    if asked.list:
        for story in chosen:
            print("\n    ".join([f"{story.name:28} {story.title}", *missing(story)]))
        return 0
    faults = 0
    for story in chosen:
        faults += not (asked.no_play or played(story, asked.out))
        if asked.check and (asked.out / story.name / "truth.json").exists():
            verdicts = check(asked.out / story.name, has_plan=not asked.no_plan)
            keep(verdicts, asked.out / story.name)
            show(verdicts)
            faults += sum(v.is_fault for v in verdicts)
    return 1 if faults else 0


def chosen_stories(names: list[str], *, only_short: bool = False) -> list[Story]:
    """The stories whose names begin as asked."""
    wanted = tuple(names) or ("",)
    return [s for s in STORIES if s.name.startswith(wanted) and (s.is_short or not only_short)]


def played(story: Story, out: Path) -> bool:
    """Play one story and say how it went; False if it could not be."""
    causes = missing(story)
    if causes:
        print(f"{story.name}: cannot run here: " + "; ".join(causes), file=sys.stderr)
        return False
    began = time.monotonic()
    try:
        folder = play(story, out.resolve())
    except LabError as fault:
        print(f"{story.name}: FAILED: {fault}", file=sys.stderr)
        return False
    print(f"{story.name}: {time.monotonic() - began:.1f} s, {folder}", flush=True)
    return True


def show(verdicts: list[Verdict]) -> None:
    for verdict in verdicts:
        after = "" if verdict.after_s is None else f" after {verdict.after_s} s"
        print(f"  {verdict.lane:8} {verdict.word:8} {verdict.what}{after}", flush=True)
        for alert in verdict.by[:8]:
            print(f"      {alert}")


if __name__ == "__main__":
    sys.exit(main())
