"""DCOM activations: the class that is asked for decides what is told."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from uuid import UUID

import pytest

from api.configuration import Configuration
from collector.replay import Replay
from collector.sightings import Dcerpc
from detector.lateral import rpc_rules as rpc
from detector.lateral.remote_calls import RemoteCalls
from tests.collector.rpc_wires import Conversation, bind, bound, request, told_of
from tests.detector.test_lateral_calls import call, found
from tests.detector.windows import World

SHELL_WINDOWS = "9ba05972-f6a8-11cf-a442-00a0c90a8f39"
MMC = "49b2791a-b1ae-4c90-9b8e-e860ba07f889"
WMI_LOGIN = "8bc3f05e-d86b-11d0-a075-00c04fb68820"
CERTIFICATES = "d99e6e74-fc88-11d0-b498-00a0c90312f3"


@pytest.mark.parametrize(
    ("object_class", "name"), [(MMC, "MMC20.Application"), (SHELL_WINDOWS, "ShellWindows")]
)
def test_a_class_that_runs_programs_is_named(object_class: str, name: str) -> None:
    world = World()
    asked = call(rpc.ACTIVATOR, 4, object_class=object_class)
    (finding,) = world.run(RemoteCalls(), world.window([], [asked]))
    assert (finding.variant, finding.score) == ("dcom", 70)
    assert name in finding.facts["calls"]
    assert "T1021.003" in finding.techniques


def test_the_classes_of_wmi_are_told_as_wmi() -> None:
    assert set(found([call(rpc.ACTIVATOR, 4, object_class=WMI_LOGIN)])) == {"wmi_query"}


def test_who_speaks_wmi_and_starts_a_shell_is_told_of_both() -> None:
    calls = [call(rpc.WBEM_SERVICES, 24), call(rpc.ACTIVATOR, 4, object_class=MMC)]
    assert set(found(calls)) == {"wmi", "dcom"}


def test_members_renew_their_certificates_in_silence() -> None:
    assert found([call(rpc.ACTIVATOR, 4, object_class=CERTIFICATES)]) == {}


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
def test_the_class_is_read_from_the_wire() -> None:
    """RemoteActivation (MS-DCOM §3.1.2.5.2.3.1): ORPCTHIS, and then the class."""
    said = Conversation(135)
    said.ask(bind(rpc.OLD_ACTIVATOR, version=0))
    said.answer(bound())
    this = struct.pack("<HHII", 5, 7, 0, 0) + bytes(16) + bytes(4)
    rest = struct.pack("<IIIIII", 0, 0, 2, 0, 0, 0) + bytes(64)
    said.ask(request(0, this + UUID(MMC).bytes_le + rest))
    classes = [seen.object_class for seen in told_of(said) if isinstance(seen, Dcerpc)]
    assert MMC in classes


def test_a_recorded_activation_shows_its_class(captures: Path) -> None:
    name = "lateral-movement/mordor_empire_dcom_shellwindows_WORKSTATION5_2020-09-18130751.cap"
    asked = [
        seen.object_class
        for chunk in Replay(Configuration.model_validate({}).collector).read([captures / name])
        for seen in chunk.sightings
        if isinstance(seen, Dcerpc) and seen.object_class
    ]
    assert SHELL_WINDOWS in asked
