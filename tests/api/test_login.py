"""Logging in: first start, own password, sessions that end, guesses that are slowed down."""

from __future__ import annotations

import stat

import pytest

from api.passwords import Passwords, password_faults
from api.settings import ApiSettings
from api.throttle import Throttle
from tests.api.house import Clock, House

GOOD = "correct horse battery"


def first_password(new_house: House) -> str:
    told = (new_house.settings.state_dir / "first-login.txt").read_text()
    return told.split("password: ")[1].strip()


async def test_first_start_makes_one_admin_who_must_choose_a_password(new_house: House) -> None:
    file = new_house.settings.state_dir / "first-login.txt"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(new_house.database.path.stat().st_mode) == 0o600
    old = first_password(new_house)
    async with new_house.client() as client:
        answer = await client.post("/api/v1/login", json={"login": "Admin ", "password": old})
        assert answer.json()["must_change_password"] is True
        refused = await client.get("/api/v1/alerts")
        assert refused.json()["type"] == "urn:mimawari:problem:password-change-due"
        changed = await client.post("/api/v1/me/password", json={"old": old, "new": GOOD})
        assert changed.json()["must_change_password"] is False
        assert not file.exists()
        assert (await client.get("/api/v1/alerts")).status_code == 200
    async with new_house.client() as again:
        answer = await again.post("/api/v1/login", json={"login": "admin", "password": old})
        assert answer.status_code == 401


async def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(new_house: House) -> None:
    async with new_house.client() as client:
        body = {"login": "admin", "password": first_password(new_house)}
        cookie = (await client.post("/api/v1/login", json=body)).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie  # plain HTTP on loopback


async def test_a_new_password_tells_all_its_faults(new_house: House) -> None:
    old = first_password(new_house)
    async with new_house.client() as client:
        await client.post("/api/v1/login", json={"login": "admin", "password": old})
        answer = await client.post("/api/v1/me/password", json={"old": old, "new": "admin"})
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 3 - 1  # too short, holds the login
    assert password_faults("a" * 12, "x") == ["password: at least 5 different characters"]
    assert password_faults(GOOD, "admin") == []


async def test_wrong_logins_look_alike(house: House) -> None:
    house.accounts.add("admin", "Admin", ["admin"], "ja", Passwords().hash(GOOD))
    house.accounts.change("target1", is_active=0)
    answers = []
    async with house.client() as client:
        for login in ("admin", "target1", "nobody.knows"):
            answer = await client.post("/api/v1/login", json={"login": login, "password": "x"})
            answers.append((answer.status_code, {**answer.json(), "request_id": ""}))
    assert answers[0][0] == 401
    assert answers[0] == answers[1] == answers[2]
    assert house.actions() == [
        (w, "login", "refused") for w in ("admin", "target1", "nobody.knows")
    ]


async def test_guessing_is_slowed_down_even_with_the_right_password(
    new_house: House, clock: Clock
) -> None:
    right = {"login": "admin", "password": first_password(new_house)}
    async with new_house.client() as client:
        for _ in range(5):
            await client.post("/api/v1/login", json={"login": "admin", "password": "wrong"})
        blocked = await client.post("/api/v1/login", json=right)
        assert blocked.status_code == 429
        assert blocked.headers["retry-after"] == "2"
    async with new_house.client(address="192.0.2.8") as elsewhere:
        assert (await elsewhere.post("/api/v1/login", json=right)).status_code == 200
    clock.pass_time(seconds=2)
    async with new_house.client() as client:
        assert (await client.post("/api/v1/login", json=right)).status_code == 200


def test_throttle_grows_is_bounded_and_forgets() -> None:
    clock = Clock()
    throttle = Throttle(clock, most=100)
    waits = []
    for _ in range(16):
        throttle.count_wrong("a", "10.0.0.1")
        waits.append(throttle.wait_s("a", "10.0.0.1"))
    assert waits[:4] == [0, 0, 0, 0]
    assert waits[4:8] == [2, 4, 8, 16]
    assert waits[-1] == 900
    for n in range(1000):
        throttle.count_wrong(f"name{n}", "10.0.0.2")
    assert len(throttle) <= 100
    assert throttle.wait_s("another", "10.0.0.2") == 900  # spraying many names from one address
    clock.pass_time(days=2)
    throttle.count_wrong("a", "10.0.0.2")
    assert throttle.wait_s("a", "10.0.0.2") == 0


def test_a_ward_that_mistypes_now_and_then_is_not_shut_out() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for n in range(200):
        throttle.count_wrong(f"nurse{n}", "10.0.0.1")
        clock.pass_time(seconds=10 * 60)
    assert throttle.wait_s("nurse", "10.0.0.1") == 0


def test_right_logins_from_one_address_never_add_up() -> None:
    throttle = Throttle(Clock())
    for _ in range(200):
        throttle.count_wrong("a", "10.0.0.1")
        throttle.forgive("a", "10.0.0.1")
    assert throttle.wait_s("b", "10.0.0.1") == 0


async def test_a_session_ends_idle_or_after_its_hours(house: House, clock: Clock) -> None:
    async with house.client("viewer1") as client:
        for _ in range(24):
            clock.pass_time(seconds=29 * 60)
            assert (await client.get("/api/v1/me")).status_code == 200
        clock.pass_time(seconds=29 * 60)  # 12 h 5 min after the login, never idle
        assert (await client.get("/api/v1/me")).status_code == 401
    async with house.client("viewer1") as client:
        clock.pass_time(seconds=30 * 60 + 1)
        assert (await client.get("/api/v1/me")).status_code == 401


async def test_logout_and_closing_an_account_end_sessions(house: House) -> None:
    async with house.client("viewer1") as client:
        assert (await client.post("/api/v1/logout")).status_code == 204
        client.cookies.set("mimawari", house.accounts.start_session("viewer1"))
        assert (await client.get("/api/v1/me")).status_code == 200
        async with house.client("admin1") as admin:
            await admin.post("/api/v1/people/viewer1/close")
        assert (await client.get("/api/v1/me")).status_code == 401


def test_tokens_are_stored_hashed_and_few(house: House) -> None:
    tokens = [house.accounts.start_session("viewer1") for _ in range(15)]
    rows = house.database.read("SELECT hash FROM session WHERE login = 'viewer1'")
    assert len(rows) == 10
    assert not {row["hash"] for row in rows} & set(tokens)
    assert house.accounts.session(tokens[0]) is None
    assert house.accounts.session(tokens[-1]) is not None


def test_passwords_are_argon2id_and_fold_full_width_digits() -> None:
    passwords = Passwords()
    stored = passwords.hash("ナース12345678")
    assert stored.startswith("$argon2id$")
    assert passwords.fits("ナース１２３４５６７８", stored)
    assert not passwords.fits("ナース12345679", stored)
    assert not passwords.fits("", "")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "hospital.example"])
def test_no_passwords_over_the_network_without_tls(host: str, house: House) -> None:
    folder = house.settings.state_dir
    with pytest.raises(ValueError, match="readable"):
        ApiSettings(state_dir=folder, host=host)
    assert ApiSettings(state_dir=folder, host=host, tls_proxy=("192.0.2.9",)).has_tls
    assert not ApiSettings(state_dir=folder, host="::1").has_tls
