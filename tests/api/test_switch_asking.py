"""Asking switches by SNMP: the real net-snmp agent is asked, and who must not be asked is not."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.asset_rows import known_ports
from api.commands.assets import app
from api.switch_asking import Answered, AskingRefused, Switch, Switches, ask_switches, read_switches
from detector.hospital import Asset, Hospital, Segment
from detector.store import Store
from detector.switch_ports import EdgePort, PortEntry

PLAN = Hospital(segments=(Segment(name="管理", prefixes=(ip_network("127.0.0.0/8"),)),))
AGENT = """
rocommunity lesen 127.0.0.1
agentaddress udp:127.0.0.1:{port}
createUser kanri SHA "lesen-lesen" AES "lesen-lesen"
rouser kanri priv
override .1.3.6.1.2.1.17.1.4.1.2.5 integer 10105
override .1.3.6.1.2.1.31.1.1.1.1.10105 octet_str "Gi1/0/5"
override .1.3.6.1.2.1.17.4.3.1.2.0.17.34.51.68.85 integer 5
"""
V2 = "defVersion 2c\ndefCommunity lesen\n"
V3 = (
    "defVersion 3\ndefSecurityName kanri\ndefSecurityLevel authPriv\ndefAuthType SHA\n"
    "defPrivType AES\ndefPassphrase lesen-lesen\n"
)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[int]:
    """A net-snmp agent on loopback that answers as a small switch; its port."""
    for program in ("snmpd", "snmpbulkwalk"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (apt install snmpd snmp)")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    conf = tmp_path / "snmpd.conf"
    conf.write_text(AGENT.format(port=port))
    environment = {"SNMP_PERSISTENT_DIR": str(tmp_path / "kept"), "MIBS": "", "PATH": "/usr/sbin"}
    running = subprocess.Popen(
        ["snmpd", "-f", "-C", "-c", str(conf), "-Lf", str(tmp_path / "log"), "-p",
         str(tmp_path / "pid")],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        executable=shutil.which("snmpd"),
    )  # fmt: skip
    try:
        until = time.monotonic() + 15
        while time.monotonic() < until and not (tmp_path / "pid").exists():
            assert running.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.05)
        yield port
    finally:
        running.terminate()
        running.wait(10)


def switch(tmp_path: Path, port: int, conf: str = V2, mode: int = 0o600) -> Switch:
    folder = tmp_path / "credentials"
    folder.mkdir(exist_ok=True)
    (folder / "snmp.conf").write_text(conf)
    (folder / "snmp.conf").chmod(mode)
    return Switch(name="SW-3F", address="127.0.0.1", credentials=folder, port=port)  # type: ignore[arg-type]


def ask(one: Switch, hospital: Hospital = PLAN) -> Answered:
    (answered,) = ask_switches(Switches(switches=(one,)), hospital)
    return answered


@pytest.mark.parametrize("conf", [V2, V3], ids=["v2c", "v3"])
def test_a_real_agent_tells_who_hangs_where(agent: int, tmp_path: Path, conf: str) -> None:
    answered = ask(switch(tmp_path, agent, conf))
    assert answered.fault == ""
    assert answered.entries == (PortEntry("SW-3F", "Gi1/0/5", "00:11:22:33:44:55"),)


def test_a_wrong_key_is_told(agent: int, tmp_path: Path) -> None:
    wrong = V3.replace("lesen-lesen", "falsch-falsch")
    answered = ask(switch(tmp_path, agent, wrong))
    assert answered.entries == ()
    assert "Authentication failure" in answered.fault


def test_who_must_not_be_asked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AskingRefused, match="chmod 600"):
        ask(switch(tmp_path, 1, mode=0o644))
    with pytest.raises(AskingRefused, match="address plan"):
        ask(switch(tmp_path, 1), Hospital())
    ventilator = Asset(ip="127.0.0.1", care_class="C4")
    with pytest.raises(AskingRefused, match="life-critical"):
        ask(switch(tmp_path, 1), PLAN.model_copy(update={"assets": (ventilator,)}))
    missing = switch(tmp_path, 1).model_copy(update={"credentials": tmp_path / "none"})
    with pytest.raises(AskingRefused, match=r"snmp\.conf is missing"):
        ask(missing)


def test_the_command_asks_keeps_and_refuses(agent: int, tmp_path: Path) -> None:
    switch(tmp_path, agent)
    config = tmp_path / "mimawari.toml"
    config.write_text('[[hospital.segments]]\nname = "管理"\nprefixes = ["127.0.0.0/8"]\n')
    listed = tmp_path / "switches.toml"
    row = '[[switches]]\nname = "SW-3F"\naddress = "{}"\ncredentials = "credentials"\nport = {}\n'
    words = ["ask-switches", str(listed), "--config", str(config), "--state", str(tmp_path / "s")]
    listed.write_text(row.format("127.0.0.1", agent))
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, "SW-3F: 1 machines" in done.output) == (0, True), done.output
    with closing(Store(tmp_path / "s" / "mimawari.db").open()) as store:
        assert known_ports(store) == {"00:11:22:33:44:55": EdgePort("SW-3F", "Gi1/0/5", 1)}
    listed.write_text(row.format("127.0.0.1", agent) + row.format("192.0.2.1", 161))
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, "address plan" in done.output) == (2, True), done.output


def test_the_list_names_its_faults(tmp_path: Path) -> None:
    path = tmp_path / "switches.toml"
    path.write_text('[[switches]]\nname = "SW-3F"\naddress = "10.0.0.1"\ncredentials = "keys"\n')
    assert read_switches(path).switches[0].credentials == tmp_path / "keys"
    path.write_text('[[switches]]\nname = "SW-3F"\naddress = "10.0.0.1"\ncommunity = "secret"\n')
    with pytest.raises(AskingRefused, match="community") as refused:
        read_switches(path)
    assert "secret" not in str(refused.value)


def test_a_table_that_never_ends_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "snmpbulkwalk"
    program.write_text("#!/bin/sh\nexec yes .1.3.6.1.2.1.17.4.3.1.2.0.17.34.51.68.85 = 5\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    answer = ask(switch(tmp_path, 1))
    assert (answer.entries, "longer than 50 MiB" in answer.fault) == ((), True), answer.fault
