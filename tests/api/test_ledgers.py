"""Ledger and register: in whole or not at all, out as they came, and their difference."""

from __future__ import annotations

import io

import openpyxl
import pytest

from tests.api.house import House


async def test_the_difference_goes_both_ways(house: House) -> None:
    async with house.client("viewer1") as client:
        page = (await client.get("/api/v1/assets")).json()
        told = {a["ip"]: (a["verdict"], a["differs"]) for a in page["items"]}
        counts = (await client.get("/api/v1/assets/counts")).json()
    assert told == {
        "10.1.0.5": ("match", []),
        "10.1.0.6": ("mismatch", ["mac", "role"]),
        "10.1.0.9": ("missing", []),
        "10.1.0.40": ("unlisted", []),
    }
    assert list(told) == sorted(told, key=lambda ip: int(ip.split(".")[3]))
    assert counts == {"unlisted": 1, "missing": 1, "mismatch": 1, "match": 1}


async def test_assets_are_searched_and_paged(house: House) -> None:
    async with house.client("viewer1") as client:
        found = (await client.get("/api/v1/assets?text=EMR&verdict=missing")).json()
        assert [a["ip"] for a in found["items"]] == ["10.1.0.9"]
        first = (await client.get("/api/v1/assets?limit=3")).json()
        query = {"limit": "3", "cursor": first["next_cursor"]}
        rest = (await client.get("/api/v1/assets", params=query)).json()
        assert [a["ip"] for a in rest["items"]] == ["10.1.0.40"]
        assert (await client.get("/api/v1/assets/10.9.9.9")).status_code == 404


@pytest.mark.parametrize(("what", "count"), [("ledger", 3), ("register", 1)])
@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("language", ["ja", "en"])
async def test_what_goes_out_comes_in_again(
    house: House, what: str, count: int, form: str, language: str
) -> None:
    before = (house.store.ledger(), house.store.register())
    async with house.client("analyst1") as client:
        told = await client.get(f"/api/v1/{what}.{form}?language={language}")
        assert told.headers["content-disposition"] == f'attachment; filename="{what}.{form}"'
        answer = await client.put(f"/api/v1/{what}", content=told.content)
        assert answer.json() == {"count": count}
    assert (house.store.ledger(), house.store.register()) == before


async def test_any_fault_keeps_the_old_ledger_and_all_are_told(house: House) -> None:
    before = house.store.ledger()
    bad = "IPアドレス,役割\n10.0.0.1,端末\n10.0.0.999,端末\n10.0.0.3,とても大事\n"
    async with house.client("operator1") as client:
        answer = await client.put("/api/v1/ledger", content=bad.encode("cp932"))
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 2
    assert answer.json()["errors"][0].startswith("row 3, ")
    assert house.store.ledger() == before
    assert [a[1:] for a in house.actions()] == [
        ("assets.import", "allowed"), ("assets.import", "failed"),
    ]  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"PK\x03\x04broken", b"\xff\xfe\x00"])
async def test_what_is_no_ledger_is_refused(house: House, content: bytes) -> None:
    async with house.client("analyst1") as client:
        for what in ("ledger", "register"):
            assert (await client.put(f"/api/v1/{what}", content=content)).status_code == 422


async def test_templates_hold_headings_only(house: House) -> None:
    async with house.client("viewer1") as client:
        told = await client.get("/api/v1/register-template.xlsx")
    rows = list(openpyxl.load_workbook(io.BytesIO(told.content)).worksheets[0].values)
    assert len(rows) == 1
    assert "管理番号" in rows[0]


async def test_lines_seen_and_registered(house: House) -> None:
    async with house.client("viewer1") as client:
        seen = (await client.get("/api/v1/lines")).json()
        listed = (await client.get("/api/v1/register")).json()
    assert seen == house.store.observed_lines()
    assert [line["vendor"] for line in listed] == ["保守会社"]
