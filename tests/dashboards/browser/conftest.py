"""A real server on loopback and a real Chromium for the console's tests.

`tests/dashboards/test_browser.py` runs these files, each in a process of its own; by hand,
`pytest tests/dashboards/browser/test_walk.py`. A process whose browser stands still ends itself
with the exit code STOOD_STILL, and prints where it stood.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import greenlet
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from detector.store import Store
from tests.dashboards.example import example_app, example_hospital, fill

PASSWORD = "Round-of-the-wards-3"
# The shell is Chromium without its own windows, passwords and updates; the whole program in its
# headless mode now and then never answered the first click, and the tests stood still for ever.
CHROMIUM = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium"))), "")
STOOD_STILL = 75
_PATIENCE_S = 120
_ARGUMENTS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Console:
    """The running console, and what its browser complained about."""

    url: str
    browser: Browser
    store: Store
    admin: BrowserContext
    complaints: list[str] = field(default_factory=list)

    def page(self, context: BrowserContext | None = None) -> Page:
        """A new tab, logged in as the admin unless another context is given."""
        page = (context or self.admin).new_page()
        page.on("console", lambda m: self._note(f"console {m.type}: {m.text}"))
        page.on("pageerror", lambda e: self._note(f"script: {e}"))
        page.on("requestfailed", lambda r: self._note_failure(r.url, r.failure or ""))
        page.on("response", lambda r: self._note_status(r.status, r.url))
        page.goto(self.url + "/")
        return page

    def context(self, **options: object) -> BrowserContext:
        """A browser of its own for the admin: another screen, another light."""
        state = self.admin.storage_state()
        return self.browser.new_context(base_url=self.url, storage_state=state, **options)

    def log_in(self, login: str, password: str) -> BrowserContext:
        """Log somebody in for the first time, choosing PASSWORD."""
        context = self.browser.new_context(base_url=self.url)
        page = context.new_page()
        page.goto("/")
        page.fill("input[name=login]", login)
        page.fill("input[name=password]", password)
        page.click("button[type=submit]")
        page.fill("input[name=old]", password)
        page.fill("input[name=new]", PASSWORD)
        page.fill("input[name=again]", PASSWORD)
        page.click("button.primary")
        page.wait_for_url("**/?notice=password")
        page.close()
        return context

    def _note(self, complaint: str) -> None:
        self.complaints.append(complaint)

    def _note_failure(self, url: str, failure: str) -> None:
        if failure != "net::ERR_ABORTED":  # the test went on to the next page
            self.complaints.append(f"{failure}: {url}")

    def _note_status(self, status: int, url: str) -> None:
        if status >= 400:
            self.complaints.append(f"{status}: {url}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no Chromium; apt-get install chromium-headless-shell")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def console(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The example hospital, served; one for each file of tests, because tests change it."""
    folder = tmp_path_factory.mktemp("console")
    store = Store(folder / "mimawari.db").open()
    fill(store, example_hospital())
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(example_app(folder, store), log_config=None, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            _wait(server)
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            told = (folder / "first-login.txt").read_text()
            password = told.split("password: ")[1].strip()
            opened = Console(url, browser, store, browser.new_context())
            opened.admin = opened.log_in("admin", password)
            yield opened
            opened.admin.close()
        finally:
            server.should_exit = True
            server.force_exit = True
            thread.join(timeout=10)
            store.close()
            shutil.rmtree(folder)


def _wait(server: uvicorn.Server) -> None:
    end = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < end, "the server did not start"
        time.sleep(0.05)


class _Watch:
    """Ends a process whose browser stands still, having told where."""

    def __init__(self, config: pytest.Config) -> None:
        self.capture = config.pluginmanager.getplugin("capturemanager")
        self.moved = time.monotonic()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def pytest_runtest_logreport(self) -> None:
        self.moved = time.monotonic()  # a set-up, a test or its clearing away has ended

    def _watch(self) -> None:
        while time.monotonic() - self.moved < _PATIENCE_S:
            time.sleep(1)
        self.capture.suspend_global_capture()
        print(f"the browser stood still for {_PATIENCE_S} s, here:", file=sys.stderr)
        for waiting in gc.get_objects():
            if isinstance(waiting, greenlet.greenlet) and waiting.gr_frame is not None:
                traceback.print_stack(waiting.gr_frame, file=sys.stderr)
        sys.stderr.flush()
        for child in _descendants(os.getpid()):
            os.kill(child, signal.SIGKILL)
        os._exit(STOOD_STILL)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Watch(config))


def _descendants(process: int) -> Iterator[int]:
    for thread in Path(f"/proc/{process}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from _descendants(int(child))
            yield int(child)
