"""The map of blind spots in a real browser, and through the API."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.dashboards.browser.conftest import Console


@pytest.mark.parametrize(
    ("language", "remedy"), [("ja", "ミラー（SPAN）"), ("en", "Mirror the VLAN (SPAN)")]
)
def test_each_vlan_tells_what_is_unseen_and_what_would_show_it(
    console: Console, language: str, remedy: str
) -> None:
    page = console.page(console.context())
    page.goto(f"/coverage?lang={language}")
    rows = page.request.get("/api/v1/coverage").json()
    expect(page.locator("tbody tr")).to_have_count(len(rows))
    assert {kind for row in rows for kind in row["blind"]}
    for kind in ("broadcast", "unicast", "flow"):
        where = page.locator(f"section[aria-labelledby=blind-{kind}] dd").first.inner_text()
        told = {int(n) for n in re.findall(r"(?:^|, |、)(\d+)", where)}
        assert told == {r["vlan"] for r in rows if kind in r["blind"] and r["vlan"]}, kind
    expect(page.locator("section[aria-labelledby=blind-unicast]")).to_contain_text(remedy)
    page.close()
    assert console.complaints == []
