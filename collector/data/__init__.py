"""Facts that age: tool names, carriers, tether ranges, modem makers; files that can be updated.

The packaged TSV files stand beside this module. A file of the same name in the state folder's
`data/` takes its place, so that a site without Internet is updated by carrying files in.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final, TypeVar

from collector.apps import APP_CODE

Row = TypeVar("Row")

_PACKAGED: Final = Path(__file__).parent
_MOST_BYTES: Final = 16 << 20  # no list of facts is longer


class DataFault(ValueError):
    """A list that cannot be used; the message names file, line and fault."""


@dataclass(frozen=True)
class RemoteTool:
    """A remote-control tool or tunnel and a name suffix of its servers."""

    name: str
    suffix: str
    app: str


@dataclass(frozen=True)
class Carrier:
    """Who sells lines; `asn` is 0 where only names are known."""

    asn: int
    carrier: str
    country: str
    kind: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class TetherRange:
    """A range that phones, sticks or small routers hand out; strong = hardly used otherwise."""

    prefix: IPv4Network
    gateway: IPv4Address
    what: str
    is_strong: bool


@dataclass(frozen=True)
class ModemOui:
    """A maker's 24-bit address block; `kind` is modem, mobile-router or router."""

    oui: int
    vendor: str
    kind: str


@dataclass(frozen=True)
class DohResolver:
    """A public resolver that hides DNS in TLS."""

    operator: str
    suffix: str


@dataclass(frozen=True)
class ReputationService:
    """Somebody who is asked by DNS what is known of a file or address: names that are hashes."""

    operator: str
    suffix: str


@dataclass(frozen=True)
class Reference:
    """All lists, read and checked."""

    remote_tools: tuple[RemoteTool, ...]
    carriers: tuple[Carrier, ...]
    tether_ranges: tuple[TetherRange, ...]
    modem_ouis: tuple[ModemOui, ...]
    doh_resolvers: tuple[DohResolver, ...]
    reputation_services: tuple[ReputationService, ...]

    def name_suffixes(self) -> list[tuple[str, int]]:
        """`(suffix, application code)` of tools and resolvers, as `identify.names` wants them."""
        tools = [(tool.suffix, APP_CODE[tool.app]) for tool in self.remote_tools]
        return tools + [(resolver.suffix, APP_CODE["doh"]) for resolver in self.doh_resolvers]

    @cached_property
    def _tool_by_suffix(self) -> dict[str, RemoteTool]:
        return {tool.suffix: tool for tool in self.remote_tools}

    def tool_of(self, host_name: str) -> RemoteTool | None:
        """The tool whose suffix `host_name` ends with; the longest suffix wins."""
        labels = host_name.lower().rstrip(".").split(".")
        for first in range(len(labels)):
            tool = self._tool_by_suffix.get(".".join(labels[first:]))
            if tool is not None:
                return tool
        return None


def read_reference(folder: Path | None = None) -> Reference:
    """Read every list; a file in `folder` takes the packaged one's place. Raises DataFault."""
    return Reference(
        remote_tools=_read(folder, "remote_tools.tsv", _remote_tool),
        carriers=_read(folder, "carriers.tsv", _carrier),
        tether_ranges=_read(folder, "tether_ranges.tsv", _tether_range),
        modem_ouis=_read(folder, "modem_ouis.tsv", _modem_oui),
        doh_resolvers=_read(folder, "doh_resolvers.tsv", _doh_resolver),
        reputation_services=_read(folder, "reputation_services.tsv", _reputation_service),
    )


def update_data(file: Path, folder: Path) -> list[str]:
    """Take new lists from a zip or one TSV into `folder`; all are checked before any is placed.

    Returns the names taken. Raises DataFault where a list is unknown, too long or faulty.
    """
    if zipfile.is_zipfile(file):
        new = _lists_in_zip(file)
    else:
        new = {file.name: _decoded(str(file), file.read_bytes())}
    unknown = sorted(set(new) - set(_PARSERS))
    if unknown or not new:
        known = ", ".join(_PARSERS)
        raise DataFault(f"{file}: {', '.join(unknown) or 'empty'}: not a list (they are: {known})")
    for name, text in new.items():
        _parse(f"{file}:{name}", text, _PARSERS[name])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in new.items():
        waiting = folder / f".{name}.new"
        with waiting.open("w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        waiting.replace(folder / name)
    return sorted(new)


def oui_vendor(mac: int) -> str:
    """The maker in IEEE's registry of a 48-bit MAC; empty if unlisted or locally administered."""
    if mac == 0 or mac >> 41 & 1:
        return ""
    from netaddr import OUI  # the registry loads on first use
    from netaddr.core import NotRegisteredError

    try:
        return str(OUI(mac >> 24).registration().org)
    except NotRegisteredError:
        return ""


def _lists_in_zip(file: Path) -> dict[str, str]:
    with zipfile.ZipFile(file) as bundle:
        entries = [entry for entry in bundle.infolist() if not entry.is_dir()]
        if sum(entry.file_size for entry in entries) > _MOST_BYTES:
            raise DataFault(f"{file}: more than {_MOST_BYTES >> 20} MiB of lists")
        # Only the last part of a name counts, so that no entry lands outside the folder.
        return {
            Path(entry.filename).name: _decoded(f"{file}:{entry.filename}", bundle.read(entry))
            for entry in entries
        }


def _decoded(where: str, content: bytes) -> str:
    if len(content) > _MOST_BYTES:
        raise DataFault(f"{where}: longer than {_MOST_BYTES >> 20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise DataFault(f"{where}: byte {fault.start} is not UTF-8") from None


def _read(
    folder: Path | None, name: str, parse: Callable[[dict[str, str]], Row]
) -> tuple[Row, ...]:
    file = _PACKAGED / name
    if folder is not None and (folder / name).is_file():
        file = folder / name
    return _parse(str(file), _decoded(str(file), file.read_bytes()), parse)


def _parse(where: str, text: str, parse: Callable[[dict[str, str]], Row]) -> tuple[Row, ...]:
    """Comments start with #, the first other line names the columns; all faults are told."""
    rows: list[Row] = []
    faults: list[str] = []
    columns: list[str] = []
    for number, line in enumerate(io.StringIO(text), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.rstrip("\r\n").split("\t")
        if not columns:
            columns = fields
            continue
        if len(fields) != len(columns):
            faults.append(f"{where}:{number}: {len(columns)} columns wanted, got {len(fields)}")
            continue
        try:
            rows.append(parse(dict(zip(columns, fields, strict=True))))
        except KeyError as fault:
            faults.append(f"{where}:{number}: no column or no application called {fault}")
        except ValueError as fault:
            faults.append(f"{where}:{number}: {fault}")
    if not rows and not faults:
        faults.append(f"{where}: no rows")
    if faults:
        raise DataFault("\n".join(faults))
    return tuple(rows)


def _suffix(text: str) -> str:
    labels = text.lower().strip(".").split(".")
    if len(labels) < 2 or not all(label and label.isascii() for label in labels):
        raise ValueError(f"'{text}' is not a name suffix such as example.com")
    return ".".join(labels)


def _remote_tool(row: dict[str, str]) -> RemoteTool:
    app = row["app"]
    if app not in APP_CODE:
        raise ValueError(f"no application is called '{app}'")
    return RemoteTool(row["name"], _suffix(row["suffix"]), app)


def _carrier(row: dict[str, str]) -> Carrier:
    names = tuple(_suffix(name) for name in row["names"].split(",") if name)
    return Carrier(int(row["asn"]), row["carrier"], row["country"], row["kind"], names)


def _tether_range(row: dict[str, str]) -> TetherRange:
    prefix, gateway = IPv4Network(row["prefix"]), IPv4Address(row["gateway"])
    if gateway not in prefix:
        raise ValueError(f"gateway {gateway} is outside {prefix}")
    if row["weight"] not in ("strong", "weak"):
        raise ValueError(f"weight is strong or weak, got '{row['weight']}'")
    return TetherRange(prefix, gateway, row["what"], row["weight"] == "strong")


def _modem_oui(row: dict[str, str]) -> ModemOui:
    if len(row["oui"]) != 6:
        raise ValueError(f"an OUI has 6 hex digits, got '{row['oui']}'")
    if row["kind"] not in ("modem", "mobile-router", "router"):
        raise ValueError(f"kind is modem, mobile-router or router, got '{row['kind']}'")
    return ModemOui(int(row["oui"], 16), row["vendor"], row["kind"])


def _doh_resolver(row: dict[str, str]) -> DohResolver:
    return DohResolver(row["operator"], _suffix(row["suffix"]))


def _reputation_service(row: dict[str, str]) -> ReputationService:
    return ReputationService(row["operator"], _suffix(row["suffix"]))


_PARSERS: Final[dict[str, Callable[[dict[str, str]], object]]] = {
    "remote_tools.tsv": _remote_tool,
    "carriers.tsv": _carrier,
    "tether_ranges.tsv": _tether_range,
    "modem_ouis.tsv": _modem_oui,
    "doh_resolvers.tsv": _doh_resolver,
    "reputation_services.tsv": _reputation_service,
}
