"""A small hospital's API: a store with one incident, people of every role, a clock that obeys."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from api.accounts import Accounts
from api.app import create_app
from api.audit import Audit
from api.database import people_database
from api.logs import configure_logs
from api.permissions import ROLES
from api.settings import ApiSettings
from detector.store import Store
from tests.api.house import Clock, House, fill, plan_two_steps


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "detector.db").open()
    fill(store)
    return store


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., ApiSettings]:
    return lambda **given: ApiSettings(state_dir=tmp_path, **given)


@pytest.fixture(autouse=True)
def logs() -> Iterator[io.StringIO]:
    """What the server logs; structlog's own set-up would render tracebacks for seconds."""
    written = io.StringIO()
    configure_logs(written, as_json=True)
    yield written
    structlog.reset_defaults()


@pytest_asyncio.fixture
async def house(
    store: Store, clock: Clock, make_settings: Callable[..., ApiSettings]
) -> AsyncIterator[House]:
    """The application with people whose login is their role's name."""
    settings = make_settings()
    database = people_database(settings.state_dir / "api.db").open()
    accounts = Accounts(database, clock)
    for role in (*ROLES, "target"):
        accounts.add(f"{role}1", role, [role] if role in ROLES else ["viewer"], "en", "-")
        accounts.change(f"{role}1", must_change=0)
    app = create_app(settings, store, planner=plan_two_steps, now_ns=clock)
    async with app.router.lifespan_context(app):
        yield House(app, store, settings, accounts, Audit(database, clock), database, clock)
    database.close()
    store.close()


@pytest_asyncio.fixture
async def new_house(
    store: Store, clock: Clock, make_settings: Callable[..., ApiSettings]
) -> AsyncIterator[House]:
    """The application at its first start: nobody has an account but the first admin."""
    settings = make_settings()
    app = create_app(settings, store, now_ns=clock)
    async with app.router.lifespan_context(app):
        database = people_database(settings.state_dir / "api.db").open()
        accounts, audit = Accounts(database, clock), Audit(database, clock)
        yield House(app, store, settings, accounts, audit, database, clock)
        database.close()
    store.close()
