"""Booking maintenance, confirming slips and the plan, and the map of lines, in a real browser."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.dashboards.browser.conftest import Console


def test_a_job_is_booked_and_taken_back(console: Console) -> None:
    page = console.page()
    page.goto("/maintenance")
    page.select_option("select[name=line]", "L-001")
    page.fill("input[name=start]", "2026-06-04T09:00")
    page.fill("input[name=end]", "2026-06-04T12:00")
    for name, words in (
        ("person", "医用画像社 田中"),
        ("purpose", "定期点検"),
        ("approver", "佐藤"),
    ):
        page.fill(f"input[name={name}]", words)
    page.get_by_role("button", name="作業を予約する").click()
    expect(page.locator(".notice")).to_have_text("保守作業を予約しました。")
    booked = console.store.bookings()
    assert [(b.line, b.person, b.made_by) for b in booked] == [
        ("L-001", "医用画像社 田中", "admin")
    ]
    assert booked[0].start.isoformat() == "2026-06-04T09:00:00+09:00"
    page.get_by_role("button", name="取り消す").click()
    assert [b.is_cancelled for b in console.store.bookings()] == [True]
    page.close()


def test_a_slip_outside_its_scope_is_confirmed_with_a_remark_only(console: Console) -> None:
    page = console.page()
    page.goto("/maintenance")
    page.locator("a[href='/slips/s2']").click()
    expect(page.locator("main")).to_contain_text("10.20.10.41:3389")
    page.get_by_role("button", name="確認した").click()  # the browser asks for a remark
    assert console.store.slips(slip_id="s2")[0].confirmed_by == ""
    page.fill("textarea[name=note]", "業者に電話し、誤接続と確認")
    page.get_by_role("button", name="確認した").click()
    expect(page.locator(".notice")).to_have_text("作業を確認済みにしました。")
    assert console.store.slips(slip_id="s2")[0].confirmed_note == "業者に電話し、誤接続と確認"
    page.close()


def test_a_slip_prints_without_menus(console: Console) -> None:
    page = console.page()
    page.goto("/slips/s1")
    page.emulate_media(media="print")
    assert not page.locator(".side").is_visible()
    expect(page.locator("h1")).to_have_text("遠隔保守作業伝票")
    page.close()


def test_slips_and_templates_are_downloaded(console: Console) -> None:
    page = console.page()
    page.goto("/maintenance")
    with page.expect_download() as told:
        page.get_by_role("link", name="伝票をCSVで書き出す").click()
    assert "医用画像社" in told.value.path().read_text(encoding="utf-8-sig")
    page.goto("/lines")
    page.get_by_text("回線の種類・用途ごとのひな形").click()
    with page.expect_download() as told:
        page.get_by_role("link", name="遠隔読影").click()
    assert "記入例" in told.value.path().read_text(encoding="utf-8-sig")
    page.close()


def test_the_map_leads_to_each_line(console: Console) -> None:
    page = console.page()
    page.goto("/lines")
    drawn = page.locator("svg.path")
    assert drawn.locator("a").count() == 3
    assert drawn.locator(".node.outside").count() == 3
    assert drawn.locator("a[href='/lines/4c3'] path.is-critical").count() == 1
    page.goto("/lines/4c3")
    expect(page.locator("main")).to_contain_text("AnyDesk")
    page.close()


def test_the_plan_is_confirmed_or_its_faults_are_named(console: Console) -> None:
    page = console.page()
    page.goto("/setup")
    expect(page.locator("main")).to_contain_text("192.168.43.1")
    plan = page.locator("textarea[name=plan]")
    proposed = plan.input_value()
    assert "機器 12 台を観測" in proposed
    page.get_by_role("button", name="この構成で確定する").click()
    expect(page.locator(".notice").first).to_contain_text("構成を確定しました")
    page.close()
    context = console.context()
    wrong = context.new_page()
    wrong.goto("/setup")
    wrong.fill("textarea[name=plan]", proposed.replace("/23", "/99"))
    wrong.get_by_role("button", name="この構成で確定する").click()
    expect(wrong.locator("main")).to_contain_text("prefixes")
    context.close()
