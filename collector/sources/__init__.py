"""Live sources: each a frozen model with one verb, `run`, listed here."""

from typing import Annotated

from pydantic import Field

from collector.sources.flow_listener import FlowListener
from collector.sources.folder import FolderSource
from collector.sources.interface import InterfaceSource
from collector.sources.source import Source

SOURCES: tuple[type[Source], ...] = (InterfaceSource, FlowListener, FolderSource)

AnySource = Annotated[InterfaceSource | FlowListener | FolderSource, Field(discriminator="kind")]
