"""The attack path of an incident, drawn as SVG: hosts as boxes, numbered arrows as events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from detector.alerts import Alert, Party

_BOX_W, _BOX_H = 164, 58
_GAP_X, _GAP_Y = 146, 30
_MOST_TARGETS = 3  # of one event; the rest is gathered in one box
_MOST_BOXES = 24
#: Where on an arrow its numbers may stand, and how far above or below others': best with room for
#: the words below them, else for the numbers alone.
_ROOM = 34
_PLACES = (
    (0.5, _ROOM), (0.62, _ROOM), (0.38, _ROOM),
    (0.5, 20), (0.7, 20), (0.3, 20), (0.8, 20), (0.2, 20),
)  # fmt: skip


@dataclass
class Node:
    """A host, a group of hosts, or an outside end."""

    key: str
    name: str
    sub: str
    link: str = ""
    kinds: set[str] = field(default_factory=set)  # source, outside, care
    column: int = 0
    row: int = 0

    @property
    def x(self) -> int:
        return 8 + self.column * (_BOX_W + _GAP_X)

    @property
    def y(self) -> int:
        return 14 + self.row * (_BOX_H + _GAP_Y)


@dataclass
class Edge:
    """What one host did to another: the events' numbers, in the order of the story."""

    source: str
    target: str
    how: str
    severity: str
    numbers: list[int]


def draw_path(
    alerts: Sequence[Alert],
    describe: Callable[[Party], Node],
    how: Callable[[Alert], str],
    others: Callable[[int], str],
    title: str,
) -> Markup:
    """Draw events in the given order; the numbers on the arrows are those of the story.

    `describe` makes a host's box, `how` names what an event did, `others(n)` names a group of n.
    Empty when no event leads from one host to another.
    """
    nodes, edges = _gather(alerts, describe, how, others)
    if not edges:
        return Markup("")
    _place(nodes, list(edges.values()))
    width = max(n.x for n in nodes.values()) + _BOX_W + 8
    height = max(n.y for n in nodes.values()) + _BOX_H + 14
    marks: list[tuple[float, float, float]] = []
    arrows = Markup("").join(_arrow(e, nodes, marks) for e in edges.values())
    boxes = Markup("").join(_box(n) for n in nodes.values())
    return Markup(
        '<svg class="path" viewBox="0 0 {} {}" width="{}" role="group" aria-label="{}">{}{}</svg>'
    ).format(width, height, width, title, arrows, boxes)


def _gather(
    alerts: Sequence[Alert],
    describe: Callable[[Party], Node],
    how: Callable[[Alert], str],
    others: Callable[[int], str],
) -> tuple[dict[str, Node], dict[tuple[str, str], Edge]]:
    nodes: dict[str, Node] = {}
    edges: dict[tuple[str, str], Edge] = {}
    for number, alert in enumerate(alerts, 1):
        source = _known(nodes, describe(alert.source))
        source.kinds.add("source")
        shown = list(alert.targets[:_MOST_TARGETS])
        if len(alert.targets) == _MOST_TARGETS + 1:
            shown = list(alert.targets)
        targets = [_known(nodes, describe(p)) for p in shown]
        rest = len(alert.targets) - len(shown)
        if rest:
            targets.append(_known(nodes, Node(f"{alert.id}+", others(rest), "")))
        # What went by way of another host is a chain; all else came from the source itself.
        is_chain = alert.facts.get("path") == [alert.source.ip, *(t.ip for t in alert.targets)]
        begins = [source, *targets[:-1]] if is_chain else [source] * len(targets)
        for begin, target in zip(begins, targets, strict=True):
            if target.key == begin.key or len(nodes) > _MOST_BOXES:
                continue
            edge = edges.setdefault(
                (begin.key, target.key), Edge(begin.key, target.key, "", "info", [])
            )
            edge.numbers.append(number)
            edge.how = how(alert)
            edge.severity = alert.severity
    used = {key for pair in edges for key in pair}
    return {k: n for k, n in nodes.items() if k in used}, edges


def _known(nodes: dict[str, Node], node: Node) -> Node:
    return nodes.setdefault(node.key, node)


def _place(nodes: Mapping[str, Node], edges: Sequence[Edge]) -> None:
    """Columns by distance from where the story begins; rows in the order of the story."""
    column: dict[str, int] = {}
    for edge in edges:
        column.setdefault(edge.source, 0)
        column.setdefault(edge.target, column[edge.source] + 1)
    filled: dict[int, int] = {}
    for key, node in nodes.items():
        node.column = column[key]
        node.row = filled.get(node.column, 0)
        filled[node.column] = node.row + 1


def _box(node: Node) -> Markup:
    drawn = Markup(
        '<g class="node {}"><title>{}</title>'
        '<rect class="box" x="{}" y="{}" width="{}" height="{}" rx="7"/>'
        '<text x="{}" y="{}">{}</text><text class="sub" x="{}" y="{}">{}</text></g>'
    ).format(
        " ".join(sorted(node.kinds)), f"{node.name} {node.sub}",
        node.x, node.y, _BOX_W, _BOX_H,
        node.x + 11, node.y + 25, cut(node.name, 20),
        node.x + 11, node.y + 44, cut(node.sub, 26),
    )  # fmt: skip
    return Markup('<a href="{}">{}</a>').format(node.link, drawn) if node.link else drawn


def _arrow(
    edge: Edge, nodes: Mapping[str, Node], marks: list[tuple[float, float, float]]
) -> Markup:
    """One arrow with its numbers; `marks` are those already drawn: (x, y, half their width)."""
    source, target = nodes[edge.source], nodes[edge.target]
    if target.column > source.column:
        x1, x2, lean, end_lean = source.x + _BOX_W, target.x - 9, 44, 44
        tip = (target.x, -9)
    elif target.column == source.column:  # beside each other: bow out to the right
        x1, x2, lean, end_lean = source.x + _BOX_W, target.x + _BOX_W + 9, 52, -52
        tip = (target.x + _BOX_W, 9)
    else:
        x1, x2, lean, end_lean = source.x, target.x + _BOX_W + 9, -44, -44
        tip = (target.x + _BOX_W, 9)
    y1, y2 = source.y + _BOX_H / 2, target.y + _BOX_H / 2
    if target.column < source.column:
        y1, y2 = y1 + 13, y2 + 13
    curve = ((x1, y1), (x1 + lean, y1), (x2 - end_lean, y2), (x2, y2))
    told = "·".join(str(n) for n in edge.numbers[:4]) + ("…" if len(edge.numbers) > 4 else "")
    half = 6 + 3.6 * len(told)
    mid_x, mid_y, has_room = _free_place(curve, half, marks)
    marks.append((mid_x, mid_y, half))
    return Markup(
        '<path class="edge is-{}" d="M{:.0f},{:.0f} C{:.0f},{:.0f} {:.0f},{:.0f} {:.0f},{:.0f}"/>'
        '<path class="tip is-{}" d="M{},{:.0f} l{},-5.5 v11 z"/>'
        '<rect class="mark" x="{:.0f}" y="{:.0f}" width="{:.0f}" height="18" rx="9"/>'
        '<text x="{:.0f}" y="{:.0f}">{}</text>'
        '<text class="how" x="{:.0f}" y="{:.0f}">{}</text>'
    ).format(
        edge.severity, *(value for point in curve for value in point),
        edge.severity, tip[0], y2, tip[1],
        mid_x - half, mid_y - 9, 2 * half,
        mid_x, mid_y + 4, told,
        mid_x, mid_y + 22, cut(edge.how, 22) if has_room else "",
    )  # fmt: skip


def _free_place(
    curve: Sequence[tuple[float, float]], half: float, marks: Sequence[tuple[float, float, float]]
) -> tuple[float, float, bool]:
    """A point of the curve, near its middle, where numbers hide no others; is there room for words?

    Where every place is taken: the middle.
    """
    for at, apart in _PLACES:
        weights = ((1 - at) ** 3, 3 * at * (1 - at) ** 2, 3 * at**2 * (1 - at), at**3)
        x = sum(w * point[0] for w, point in zip(weights, curve, strict=True))
        y = sum(w * point[1] for w, point in zip(weights, curve, strict=True))
        if all(abs(x - mx) > half + mhalf + 4 or abs(y - my) > apart for mx, my, mhalf in marks):
            return x, y, apart == _ROOM
    return (curve[0][0] + curve[3][0]) / 2, (curve[0][1] + curve[3][1]) / 2, False


def cut(text: str, width: int) -> str:
    """Cut to a width in Latin letters; a Japanese character is two wide."""
    taken = 0
    for position, letter in enumerate(text):
        taken += 1 if ord(letter) < 0x2E80 else 2
        if taken > width:
            return text[: max(1, position - 1)] + "…"
    return text
