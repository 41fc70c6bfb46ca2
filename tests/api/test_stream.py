"""Live updates over a real connection on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest_asyncio
import uvicorn

from api.app import create_app
from api.server import make_server
from api.settings import ApiSettings
from api.stream import LiveStream
from tests.api.house import House, make_alert

_servers: dict[str, uvicorn.Server] = {}

Event = tuple[str, str, dict[str, Any]]  # (name, id, data)


@pytest_asyncio.fixture
async def served(house: House, make_settings: Callable[..., ApiSettings]) -> AsyncIterator[str]:
    """The address of a running server that lets two live streams in."""
    settings = make_settings(stream_poll_s=0.01, most_streams=2)
    app = create_app(settings, house.store, now_ns=house.clock)
    app.state.live = LiveStream(house.store, settings.stream_poll_s, 2, heartbeat_s=0.05)
    server = make_server(app, settings)
    server.config.port = 0
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done(), "the server did not start"
        await asyncio.sleep(0)
    port = server.servers[0].sockets[0].getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    _servers[address] = server
    yield address
    server.should_exit = True
    await running


def running_server(served: str) -> uvicorn.Server:
    return _servers[served]


@asynccontextmanager
async def follow(house: House, served: str, last_id: str = "") -> AsyncIterator[httpx.Response]:
    cookies = {"mimawari": house.accounts.start_session("viewer1")}
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with (
        httpx.AsyncClient(base_url=served, cookies=cookies, timeout=20) as client,
        client.stream("GET", "/api/v1/stream", headers=headers) as answer,
    ):
        yield answer


async def events(answer: httpx.Response) -> AsyncIterator[Event]:
    told: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            told[name] = value
            continue
        if "event" in told:
            yield told["event"], told.get("id", ""), json.loads(told["data"])
        told = {}


async def take(stream: AsyncIterator[Event], count: int) -> list[Event]:
    return [await anext(stream) for _ in range(count)]


async def test_a_lost_connection_goes_on_where_it_was(house: House, served: str) -> None:
    house.store.save_alerts([make_alert("b1"), make_alert("b2")])
    newest = house.store.last_change()
    async with follow(house, served, last_id=str(newest - 2)) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = events(answer)
        told = await take(stream, 2)
        assert [(name, number, data["id"]) for name, number, data in told] == [
            ("alert", str(newest - 1), "b1"), ("alert", str(newest), "b2"),
        ]  # fmt: skip
        house.store.save_alerts([make_alert("b3")])
        assert (await anext(stream))[1:] == (str(newest + 1), make_alert("b3").to_json())


async def test_incidents_tell_when_they_change_and_close(house: House, served: str) -> None:
    incident = house.store.incidents()[0]
    house.store.save_alerts([make_alert("b1")])
    async with follow(house, served, last_id=str(house.store.last_change() - 1)) as answer:
        stream = events(answer)
        assert (await anext(stream))[2]["id"] == "b1"  # from here on the stream follows
        house.store.save_incidents([replace(incident, priority=99.0)])
        name, _, data = await anext(stream)
        assert (name, data["priority"]) == ("incident", 99.0)
        house.store.save_incidents([replace(incident, state="closed")])
        name, _, data = await anext(stream)
        assert (name, data["state"]) == ("incident", "closed")


async def test_a_number_from_another_store_starts_anew(house: House, served: str) -> None:
    async with follow(house, served, last_id="999999") as answer:
        stream = events(answer)
        assert (await anext(stream))[0] == "reset"
        house.store.save_alerts([make_alert("b1")])
        assert (await anext(stream))[2]["id"] == "b1"


async def test_only_so_many_streams_are_open(house: House, served: str) -> None:
    async with follow(house, served, "0") as one, follow(house, served, "0") as two:
        both = events(one), events(two)  # kept, because a forgotten generator hangs up
        for stream in both:
            await take(stream, 1)
        async with follow(house, served, "0") as three:
            assert three.status_code == 503
            assert three.headers["retry-after"] == "30"


async def test_a_stream_beats_and_ends_with_its_session(house: House, served: str) -> None:
    async with follow(house, served) as answer:
        lines = answer.aiter_lines()
        async for line in lines:
            if line.startswith(":"):
                break
        house.accounts.end_sessions("viewer1")
        rest = [line async for line in lines]  # comes to an end
    assert len(rest) < 100


async def test_the_server_ends_though_a_stream_is_open(house: House, served: str) -> None:
    async with follow(house, served, "0") as answer:
        stream = events(answer)
        await take(stream, 1)
        running_server(served).should_exit = True
        rest = [name async for name, _, _ in stream]  # ends by itself, not cut off
    assert rest == ["alert", "alert"]


async def test_strangers_do_not_follow(served: str) -> None:
    async with httpx.AsyncClient(base_url=served) as client:
        assert (await client.get("/api/v1/stream")).status_code == 401
