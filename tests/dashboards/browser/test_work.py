"""What people do in the console: judge alerts, approve isolation, manage accounts, by keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from detector.alerts import Alert
from tests.dashboards.browser.conftest import Console
from tests.dashboards.example import SAMPLE


def alert_of(console: Console, detector: str) -> Alert:
    return next(a for a in console.store.alerts() if a.detector == detector)


def add_person(console: Console, login: str, role: str) -> str:
    """Make an account as the admin and return its one-time password."""
    page = console.page()
    page.goto("/people")
    form = page.locator("form[action='/people']")
    form.locator("input[name=login]").fill(login)
    form.locator("input[name=name]").fill(f"{login} さん")
    form.locator(f"input[value={role}]").check()
    form.locator("button").click()
    password = page.locator(".notice pre").inner_text()
    page.close()
    return password.strip()


def test_judging_an_alert_needs_a_reason_and_goes_on_record(console: Console) -> None:
    alert = alert_of(console, "remote_tool")
    page = console.page()
    page.goto(f"/alerts/{alert.id}")
    page.select_option("select[name=state]", "benign_explained")
    page.get_by_role("button", name="判断を記録する").click()  # the browser asks for a reason
    assert console.store.alert(alert.id).state == "new"  # type: ignore[union-attr]
    page.fill("input[name=reason]", "3階東病棟に電話。業者の遠隔サポートを依頼済み")
    page.get_by_role("button", name="判断を記録する").click()
    expect(page.locator(".notice")).to_have_text("判断を記録しました。")
    judged = console.store.alert(alert.id)
    assert judged is not None
    assert (judged.state, judged.state_by) == ("benign_explained", "admin")
    page.goto("/audit?action=alert.judge")
    expect(page.locator("tbody tr").first).to_contain_text(alert.id)
    page.close()


def test_several_alerts_are_judged_at_once(console: Console) -> None:
    page = console.page()
    page.goto("/alerts?severity=low&state=new")
    boxes = page.locator("tbody input[type=checkbox]")
    before = boxes.count()
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.fill("input[name=reason]", "更新プログラムの配信元と確認")
    page.select_option("fieldset select[name=state]", "false")
    page.get_by_role("button", name="判断を記録する").click()
    assert "severity=low" in page.url
    expect(boxes).to_have_count(before - 2)
    page.close()


def test_a_settled_incident_asks_nobody_any_more(console: Console) -> None:
    alert = alert_of(console, "host_scan")
    page = console.page()
    told = page.locator("article", has_text=alert.title.ja)
    expect(told).to_have_count(1)
    page.goto(f"/alerts/{alert.id}")
    page.select_option("select[name=state]", "benign_explained")
    page.fill("input[name=reason]", "情報部の点検")
    page.get_by_role("button", name="判断を記録する").click()
    page.goto("/")
    expect(told).to_have_count(0)
    page.close()


def test_an_approver_sees_the_care_impact_before_deciding(console: Console) -> None:
    approver = console.log_in("ansei", add_person(console, "ansei", "approver"))
    incident = console.store.incidents()[0]
    plan = console.store.plans_of(incident.id)[0]
    number = next(n for n, s in enumerate(plan.steps) if s.level == 5 and len(s.stops) == 2)
    page = console.page(approver)
    page.goto(f"/incidents/{incident.id}")
    step = page.locator(f"[id='{plan.id}-{number}']")
    step.get_by_role("link", name="承認する").click()
    expect(page.locator(".stops")).to_contain_text("HL7連携（HL7-ENG）が止まります")
    page.fill("textarea[name=reason]", "薬剤部長と電話で確認。手書き処方で代替")
    page.get_by_role("button", name="承認する").click()  # the box is not ticked yet
    assert console.store.plan(plan.id).steps[number].state == "proposed"  # type: ignore[union-attr]
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="承認する").click()
    expect(step).to_contain_text("承認済")
    expect(step.get_by_role("link", name="実施済みにする")).to_have_count(0)  # another's work
    approver.close()

    page = console.page()
    for move, word in (("実施済みにする", "実施済"), ("復旧済みにする", "復旧済")):
        page.goto(f"/incidents/{incident.id}")
        step = page.locator(f"[id='{plan.id}-{number}']")
        step.get_by_role("link", name=move).click()
        page.fill("textarea[name=reason]", "スイッチで確認")
        page.get_by_role("button", name=move).click()
        expect(step.locator(".badge")).to_have_text(word)
    page.close()


def test_who_proposed_a_plan_is_not_offered_to_approve_it(console: Console) -> None:
    incident = console.store.incidents()[1]
    page = console.page()
    page.goto(f"/incidents/{incident.id}")
    page.get_by_role("button", name="隔離案を作る").click()
    expect(page.locator(".step").first).to_be_visible()
    expect(page.get_by_role("link", name="承認する")).to_have_count(0)
    expect(page.locator("main")).to_contain_text("隔離案を作った本人は承認できません")
    page.close()


def test_a_viewer_sees_no_buttons_and_is_refused_politely(console: Console) -> None:
    viewer = console.log_in("miru", add_person(console, "miru", "viewer"))
    page = viewer.new_page()
    page.goto(f"/alerts/{alert_of(console, 'remote_calls').id}")
    expect(page.get_by_role("button", name="判断を記録する")).to_have_count(0)
    expect(page.get_by_role("link", name="操作記録")).to_have_count(0)
    response = page.goto("/audit")
    assert response is not None and response.status == 403
    expect(page.locator("h1")).to_have_text("この操作の権限がありません")
    viewer.close()


def test_a_faulty_register_changes_nothing_and_names_its_rows(
    console: Console, tmp_path: Path
) -> None:
    rows = (SAMPLE / "register.csv").read_text().splitlines()
    broken = tmp_path / "register.csv"
    broken.write_text("\n".join([*rows, rows[1].replace("拠点間VPN", "糸電話")]))
    page = console.page()
    page.goto("/lines")
    page.set_input_files("input[type=file]", broken)
    with page.expect_response("**/lines/import") as answered:
        page.get_by_role("button", name="読み込む").click()
    assert answered.value.status == 422
    expect(page.locator(".notice")).to_contain_text("5行目")
    assert len(console.store.register()) == 3
    console.complaints.clear()
    page.goto("/lines")
    page.set_input_files("input[type=file]", SAMPLE / "register.csv")
    page.get_by_role("button", name="読み込む").click()
    expect(page.locator(".notice")).to_have_text("台帳を読み込みました。")
    with page.expect_download() as download:
        page.get_by_role("link", name="台帳をCSVで書き出す").click()
    assert "L-002" in download.value.path().read_text(encoding="utf-8-sig")
    page.close()


def test_evidence_is_taken_apart_and_downloaded(console: Console) -> None:
    page = console.page()
    page.goto(f"/alerts/{alert_of(console, 'landing_pivot').id}")
    page.get_by_role("button", name="パケットを解析する").click()
    expect(page.locator("#evidence details").first).to_contain_text("lldp", timeout=40_000)
    with page.expect_download() as download:
        page.get_by_role("link", name="pcapを取り出す").click()
    assert download.value.path().stat().st_size > 1000
    page.close()


def test_the_overview_follows_what_happens_without_a_reload(console: Console) -> None:
    page = console.page()
    skip_without_htmx(page)
    page.goto("/health")
    page.evaluate("window.stays = true")
    note = console.store.note("collector_health")
    console.store.save_note("collector_health", {**note, "packets": 18_402_999})
    expect(page.locator("#health")).to_contain_text("18,402,999", timeout=20_000)
    assert page.evaluate("window.stays")
    page.close()


def test_a_page_that_refreshes_itself_asks_for_the_login_when_the_session_ends(
    console: Console,
) -> None:
    viewer = console.log_in("owari", add_person(console, "owari", "viewer"))
    page = viewer.new_page()
    page.goto("/health")
    skip_without_htmx(page)
    other = console.page()
    other.goto("/people")
    row = other.locator("tr", has_text="owari")
    row.locator("summary").click()
    row.get_by_role("button", name="停止する").click()
    page.wait_for_url("**/login?back=%2Fhealth", timeout=20_000)
    viewer.close()


def test_everything_is_reached_by_keyboard(console: Console) -> None:
    page = console.page()
    page.goto("/")
    page.keyboard.press("Tab")
    assert focused(page) == "本文へ移動"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    for _ in range(12):
        page.keyboard.press("Tab")
        if focused(page) == "内容を見る":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/incidents/*")
    page.close()


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.innerText")).strip()


def skip_without_htmx(page: Page) -> None:
    if page.locator("script[src*=htmx]").count() == 0:
        pytest.skip("htmx is not there: npm ci && npm run vendor in dashboards/")
