"""A walk through every page in a real browser: nothing may complain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.dashboards.browser.conftest import Console
from tests.dashboards.example import example_alerts, example_hospital

PAGES = (
    "/", "/incidents", "/incidents?state=all", "/alerts", "/suppressions", "/baseline",
    "/alerts?severity=critical", "/alerts?host=10.20.50.10", "/assets", "/assets?verdict=unlisted",
    "/assets?search=放射線部", "/assets/10.20.10.41", "/assets/10.20.20.77", "/lines",
    "/lines/L-002", "/lines/L-003", "/lines/4c3", "/coverage", "/maintenance", "/slips/s1",
    "/slips/s2", "/setup", "/reports/weekly", "/flows", "/flows?host=10.20.10.41", "/health",
    "/account", "/account/password", "/people", "/audit", "/audit?verify=yes",
)  # fmt: skip

MAIN_PAGES = ("/", "/incidents", "/alerts", "/assets", "/lines", "/maintenance", "/health")


@dataclass(frozen=True)
class Look:
    """How a person has set the console up."""

    query: str
    options: dict[str, Any]
    is_whole: bool  # walk through every page, or only the main ones

    @property
    def language(self) -> str:
        return "en" if "lang=en" in self.query else "ja"


_PHONE = {"viewport": {"width": 360, "height": 740}}
LOOKS = {
    "ja": Look("lang=ja", {}, True),
    "phone_en": Look("lang=en", _PHONE, True),
    "phone_ja": Look("lang=ja", _PHONE, False),
    "dark": Look("theme=auto", {"color_scheme": "dark"}, False),
    "light_chosen": Look("theme=light&lang=en", {"color_scheme": "dark"}, False),
}


def all_pages(console: Console) -> list[str]:
    incidents = [f"/incidents/{i.id}" for i in console.store.incidents()[:3]]
    alerts = [f"/alerts/{a.id}" for a in console.store.alerts(limit=8)]
    plan = console.store.plans_of(console.store.incidents()[0].id)[0]
    steps = [f"/plans/{plan.id}/steps/0/approve", f"/plans/{plan.id}/steps/2/approve"]
    return [*PAGES, *incidents, *alerts, *steps]


@pytest.mark.parametrize("name", LOOKS)
def test_no_page_complains(console: Console, name: str) -> None:
    look = LOOKS[name]
    context = console.context(**look.options)
    page = console.page(context)
    page.goto(f"/?{look.query}")
    for path in all_pages(console) if look.is_whole else MAIN_PAGES:
        response = page.goto(path)
        assert response is not None and response.status == 200, path
        assert page.locator("html").get_attribute("lang") == look.language, path
        assert page.locator("h1").count() == 1, path
        spill = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert spill <= 0, f"{path} is {spill} px wider than the screen"
    context.close()
    assert console.complaints == []


def test_english_pages_hold_no_japanese_of_ours(console: Console) -> None:
    context = console.context()
    page = console.page(context)
    page.goto("/health?lang=en")
    told = page.locator("main").inner_text()
    assert "Whether the round itself is being made." in told
    assert not any("\u3040" <= letter <= "\u30ff" for letter in told)
    context.close()


def test_pages_work_without_any_script(console: Console) -> None:
    context = console.context(java_script_enabled=False)
    page = context.new_page()
    page.goto("/alerts")
    page.locator("a.row[href^='/alerts/']").first.click()
    pivot = next(a for a in example_alerts(example_hospital()) if a.detector == "remote_calls")
    assert page.locator("h1").inner_text() == pivot.title.ja
    context.close()


def test_the_policy_forbids_inline_and_foreign_things(console: Console) -> None:
    page = console.page()
    response = page.goto("/")
    assert response is not None
    policy = response.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert page.locator("[style], style, script:not([src])").count() == 0
    page.close()


def test_strangers_are_sent_to_the_login_and_back(console: Console) -> None:
    context = console.browser.new_context(base_url=console.url)
    page = context.new_page()
    page.goto("/lines/L-002")
    assert page.url.endswith("/login?back=%2Flines%2FL-002")
    context.close()


def test_an_incident_prints_dark_on_white_with_its_commands(console: Console) -> None:
    context = console.context(color_scheme="dark")
    page = console.page(context)
    page.goto(f"/incidents/{console.store.incidents()[0].id}?theme=dark")
    page.emulate_media(media="print", color_scheme="dark")
    ground = page.locator(".stops").nth(3).evaluate("e => getComputedStyle(e).backgroundColor")
    assert ground == "rgb(251, 244, 217)"
    assert not page.locator(".side").is_visible()
    assert page.locator(".command pre").first.bounding_box() is not None
    context.close()


def test_a_wrong_password_is_told_in_words(console: Console) -> None:
    context = console.browser.new_context(base_url=console.url)
    page = context.new_page()
    page.goto("/login")
    page.fill("input[name=login]", "admin")
    page.fill("input[name=password]", "not the password")
    page.click("button[type=submit]")
    assert page.locator("[role=alert]").inner_text() == "ログイン名かパスワードが違います。"
    context.close()


def test_a_page_that_is_not_there_says_so(console: Console) -> None:
    context = console.context()
    page = context.new_page()
    response = page.goto("/wards")
    assert response is not None and response.status == 404
    assert page.locator("h1").inner_text() == "見つかりません"
    context.close()
