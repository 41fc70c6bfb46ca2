"""Incidents as people need them: the story in one line, where it is, and whom to call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from api.people import Person
from api.services import Services
from dashboards.directory import Directory
from dashboards.words import Words
from detector.alerts import Alert
from detector.incidents import Incident

#: Judgements after which an alert asks nothing more of anybody.
SETTLED = frozenset({"benign_explained", "false", "suppressed"})


@dataclass(frozen=True)
class Contact:
    """Whom to call, and how; `contact` is empty where the ledger has none."""

    who: str
    contact: str


@dataclass(frozen=True)
class Task:
    """An incident that may need a person; `alerts` stand in the order of time."""

    incident: Incident
    alerts: tuple[Alert, ...]
    story: str
    place: str
    contacts: tuple[Contact, ...]

    @property
    def contact(self) -> str:
        """The first contact that can be called, in one line."""
        return next((f"{c.who} {c.contact}" for c in self.contacts if c.contact), "")

    @property
    def is_settled(self) -> bool:
        """True once people have explained every alert away."""
        return bool(self.alerts) and all(a.state in SETTLED for a in self.alerts)


def tasks_of(
    services: Services,
    person: Person | None,
    incidents: Sequence[Incident],
    directory: Directory,
    t: Words,
) -> Iterator[Task]:
    """Incidents with their alerts, one by one."""
    for incident in incidents:
        story = services.incidents.story(person, incident.id)
        yield task_of(incident, story.alerts, directory, t)


def task_of(incident: Incident, alerts: Sequence[Alert], directory: Directory, t: Words) -> Task:
    """Tell one incident."""
    ordered = tuple(sorted(alerts, key=lambda a: (a.first_ns, a.id)))
    strongest = max(ordered, key=lambda a: a.score, default=None)
    story = t.of(strongest.title) if strongest else incident.id
    hosts = [known for h in incident.hosts if (known := directory.find(h))]
    places = dict.fromkeys(p for h in hosts if (p := h.department or h.place))
    return Task(
        incident=incident,
        alerts=ordered,
        story=story,
        place=t("list.comma").join(list(places)[:3]),
        contacts=contacts_of(ordered, directory),
    )


def contacts_of(alerts: Sequence[Alert], directory: Directory) -> tuple[Contact, ...]:
    """The people of the machines that acted, then of the lines, then of what was reached."""
    found: dict[str, Contact] = {}
    strongest_first = sorted(alerts, key=lambda a: -a.score)
    for alert in strongest_first:
        _add_host(found, alert.source.ip, directory)
    for alert in strongest_first:
        line = directory.line(alert.line)
        if line is not None:
            found.setdefault(f"line {line.id}", Contact(line.vendor, line.contact))
    for alert in strongest_first:
        for target in alert.targets[:5]:
            _add_host(found, target.ip, directory)
    return tuple(found.values())[:8]


def _add_host(found: dict[str, Contact], ip: str, directory: Directory) -> None:
    known = directory.find(ip)
    if known is not None:
        who = known.department or known.name or known.ip
        found.setdefault(f"{who} {known.contact}", Contact(who, known.contact))
