"""The register's verdicts on a simulated month; the bench runs larger ones."""

from __future__ import annotations

from bench.register_month import make_month
from bench.truth_register import run_month


def test_verdicts_of_a_month_are_right_and_scope_is_told_in_time() -> None:
    """Thirteen lines, one or more of each verdict."""
    outcome = run_month(make_month(1, seed=5, longest_min=12))
    wrong = [
        (line.number, line.verdict, sorted(outcome.told.get(line.number, {})))
        for line in outcome.month.lines
        if not outcome.is_right(line)
    ]
    assert wrong == []
    scope = [x for x in outcome.month.lines if x.verdict == "out_of_scope"]
    delays = [outcome.delay_s(x) for x in scope]
    assert delays and all(d is not None and d <= 120 for d in delays)
