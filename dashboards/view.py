"""What every page gets: who looks, in which language and light, and how to show a template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast, get_args
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import MutableHeaders

from api.faults import Fault, NotLoggedIn, PasswordChangeDue
from api.people import Person
from api.permissions import Permission
from api.services import Services
from api.web.sessions import person_of, services_of, settings_of
from dashboards.charts import gauge
from dashboards.clock import Clock
from dashboards.directory import Directory
from dashboards.settings import ConsoleSettings
from dashboards.urgency import tone_of, urgency_of
from dashboards.words import LANGUAGES, Language, Words, words

Theme = Literal["auto", "light", "dark"]

_FOLDER = Path(__file__).parent
_YEAR_S = 365 * 86_400
#: Parts of an address that say how a page looks or what was just done, not what it shows.
_PASSING = ("lang", "theme", "notice")

#: The menu: name, path, icon, heading above it, and who may open it.
_MENU: Final[tuple[tuple[str, str, str, Permission], ...]] = (
    ("overview", "/", "watch", "alerts.read"),
    ("incidents", "/incidents", "", "incidents.read"),
    ("alerts", "/alerts", "", "alerts.read"),
    ("suppressions", "/suppressions", "", "alerts.read"),
    ("baseline", "/baseline", "", "alerts.read"),
    ("flows", "/flows", "", "flows.read"),
    ("assets", "/assets", "know", "assets.read"),
    ("lines", "/lines", "", "lines.read"),
    ("coverage", "/coverage", "", "lines.read"),
    ("maintenance", "/maintenance", "", "lines.read"),
    ("setup", "/setup", "", "assets.read"),
    ("weekly", "/reports/weekly", "", "incidents.read"),
    ("health", "/health", "manage", "health.read"),
    ("people", "/people", "", "people.manage"),
    ("audit", "/audit", "", "audit.read"),
)

_templates = Environment(
    loader=FileSystemLoader(_FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class MenuEntry:
    name: str
    path: str
    icon: str
    heading: str
    is_current: bool


@dataclass(frozen=True)
class View:
    """One request for a page. `person` is None only where nobody need be known."""

    request: Request
    person: Person | None

    @property
    def services(self) -> Services:
        return services_of(self.request)

    @property
    def settings(self) -> ConsoleSettings:
        return cast(ConsoleSettings, self.request.app.state.console)  # app.state carries no types

    @cached_property
    def t(self) -> Words:
        return words(self.lang)

    @cached_property
    def clock(self) -> Clock:
        return Clock(self.settings.timezone)

    @cached_property
    def directory(self) -> Directory:
        return Directory(self.services, self.person)

    @property
    def lang(self) -> Language:
        """Asked for in the address, else chosen before, else the person's own."""
        own = self.person.language if self.person else LANGUAGES[0]
        return cast(Language, self._choice("lang", LANGUAGES, own))

    @property
    def theme(self) -> Theme:
        return cast(Theme, self._choice("theme", get_args(Theme), "auto"))

    def may(self, permission: Permission) -> bool:
        return self.person is not None and self.person.may(permission)

    def here(self, **changes: Any) -> str:
        """This page's address with some parts changed; an empty value leaves a part out."""
        kept = [(k, v) for k, v in self.request.query_params.multi_items() if k not in _PASSING]
        parts = [(k, v) for k, v in kept if k not in changes]
        parts += [(k, str(v)) for k, v in changes.items() if v not in ("", None)]
        return self.request.url.path + (f"?{urlencode(parts)}" if parts else "")

    def show(self, template: str, code: int = 200, **values: Any) -> Response:
        """The page, made from a template."""
        response = HTMLResponse(_templates.get_template(template).render(self._words(values)), code)
        for name, allowed in (("lang", LANGUAGES), ("theme", get_args(Theme))):
            asked = self.request.query_params.get(name, "")
            if asked in allowed:
                self._remember(response, name, asked)
        return response

    def fault_text(self, fault: Fault) -> str:
        """A refusal in the reader's language, with the particulars as the use case gave them."""
        key = f"problem.{fault.kind}"
        return f"{self.t(key)} ({fault.detail})" if self.t.has(key) else fault.detail

    def go(self, path: str, notice: str = "") -> Response:
        """Send the browser on after a change; `notice` is a key of [notice]."""
        head, mark, fragment = path.partition("#")
        if notice:
            head += ("&" if "?" in head else "?") + urlencode({"notice": notice})
        return RedirectResponse(head + mark + fragment, 303)

    def _words(self, values: Mapping[str, Any]) -> dict[str, Any]:
        notice = f"notice.{self.request.query_params.get('notice', '')}"
        return {
            "t": self.t,
            "clock": self.clock,
            "lang": self.lang,
            "theme": self.theme,
            "person": self.person,
            "may": self.may,
            "directory": self.directory,
            "hospital_name": self.settings.hospital_name,
            "here": self.here(),
            "here_with": self.here,
            "notice": self.t(notice) if self.t.has(notice) else "",
            "menu_entries": self._menu(),
            "has_htmx": (_FOLDER / "static" / "vendor" / "htmx.min.js").is_file(),
            "version": self.request.app.state.console_version,
            "urgency_of": urgency_of,
            "tone_of": tone_of,
            "gauge": gauge,
            **values,
        }

    def _menu(self) -> list[MenuEntry]:
        at = self.request.url.path
        return [
            MenuEntry(
                name, path, name, heading, at == path or (path != "/" and _is_under(at, path))
            )
            for name, path, heading, permission in _MENU
            if self.may(permission)
        ]

    def _choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        for asked in (self.request.query_params.get(name), self.request.cookies.get(name)):
            if asked in allowed:
                return asked
        return default

    def _remember(self, response: Response, name: str, value: str) -> None:
        response.set_cookie(
            name, value, max_age=_YEAR_S, path="/", samesite="lax", httponly=True,
            secure=settings_of(self.request).has_tls,
        )  # fmt: skip


def _is_under(at: str, path: str) -> bool:
    return at.startswith(path + "/")


def open_view(request: Request) -> View:
    """A page that strangers may see too."""
    return View(request, person_of(request))


def known_view(request: Request) -> View:
    """A page for people who are logged in and have chosen their own password."""
    person = person_of(request)
    if person is None:
        raise NotLoggedIn("log in first")
    if person.must_change_password:
        raise PasswordChangeDue("the one-time password must be changed before anything else")
    return View(request, person)


def file_response(content: bytes, name: str, media_type: str) -> Response:
    """Something to download."""
    headers = MutableHeaders({"Content-Disposition": f'attachment; filename="{name}"'})
    return Response(content, headers=headers, media_type=media_type)


def local_path(path: str) -> str:
    """A path of this console and nothing else, so that a link cannot lead people away."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_ours and path.isprintable() else "/"


OpenView = Annotated[View, Depends(open_view)]
KnownView = Annotated[View, Depends(known_view)]
