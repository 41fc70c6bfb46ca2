"""Live sources: each a frozen model with one verb, `run`, listed here."""

from typing import Annotated

from pydantic import Field

from collector.sources.flow_listener import FlowListener
from collector.sources.folder import FolderSource
from collector.sources.interface import InterfaceSource
from collector.sources.logs import SuricataLog, ZeekLogs
from collector.sources.source import Source
from collector.sources.syslog import EventFile, SyslogListener

SOURCES: tuple[type[Source], ...] = (
    InterfaceSource,
    FlowListener,
    FolderSource,
    SyslogListener,
    EventFile,
    SuricataLog,
    ZeekLogs,
)

AnySource = Annotated[
    InterfaceSource
    | FlowListener
    | FolderSource
    | SyslogListener
    | EventFile
    | SuricataLog
    | ZeekLogs,
    Field(discriminator="kind"),
]
