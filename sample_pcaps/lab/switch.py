"""The lab's switch: VLANs, a mirror port for SPAN, one for the routed part, one VLAN listener."""

from __future__ import annotations

from pathlib import Path

from sample_pcaps.lab.hosts import Machine, call

_SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")

#: Where each lane is captured: the free end of a cable whose other end hangs on the switch.
SPAN, ROUTED, LISTENER = "span", "routed", "listener"


class Switch:
    """Open vSwitch with its user-space datapath in one namespace.

    `span` carries every frame that enters by a host's port, once, with its VLAN tag; `routed`
    every frame that enters the core; `listener` is an ordinary trunk port, member of all VLANs.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._folder = machine.folder / "run"
        base = str(self._folder / "conf.db")
        self._database = f"unix:{self._folder / 'db.sock'}"
        machine.run("ovsdb-tool", "create", base, _SCHEMA)
        served = f"--remote=p{self._database}"
        control = f"--unixctl={self._folder / 'db.ctl'}"
        server = machine.start("ovsdb-server", base, served, control)
        server.wait_until((self._folder / "db.sock").exists)
        self.configure("--no-wait", "init")
        machine.start(
            "ovs-vswitchd",
            self._database,
            f"--unixctl={self._folder / 'vs.ctl'}",
            environment={"OVS_RUNDIR": str(self._folder)},
        )
        self.configure("add-br", "sw", "--", "set", "bridge", "sw", "datapath_type=netdev")
        for lane in (SPAN, ROUTED, LISTENER):
            self._lane_port(lane)
        self._mirrors()

    def configure(self, *words: str) -> None:
        """One `ovs-vsctl` transaction."""
        call("ovs-vsctl", f"--db={self._database}", "--timeout=20", *words)

    def plug(self, port: str, vlan: int, *, is_core: bool = False) -> None:
        """Make the interface an access port of a VLAN, and mirror it."""
        self._up(port)
        mirror, column = (ROUTED, "select_dst_port") if is_core else (SPAN, "select_src_port")
        self.configure(
            "add-port", "sw", port, f"tag={vlan}",
            "--", "--id=@p", "get", "port", port, "--", "add", "mirror", mirror, column, "@p",
        )  # fmt: skip

    def _lane_port(self, lane: str) -> None:
        inside = ["ip", "-n", self.machine.namespace, "link"]
        call(*inside, "add", f"{lane}-in", "type", "veth", "peer", "name", lane)
        for end in (f"{lane}-in", lane):
            call(*inside, "set", end, "mtu", "2000")
            self._up(end)
        self.configure("add-port", "sw", f"{lane}-in")

    def _mirrors(self) -> None:
        words: list[str] = []
        for lane in (SPAN, ROUTED):
            words += [
                "--", f"--id=@{lane}port", "get", "port", f"{lane}-in",
                "--", f"--id=@{lane}", "create", "mirror", f"name={lane}",
                f"output-port=@{lane}port",
            ]  # fmt: skip
        self.configure("set", "bridge", "sw", f"mirrors=@{SPAN},@{ROUTED}", *words)

    def _up(self, interface: str) -> None:
        inside = ["ip", "-n", self.machine.namespace, "link", "set", interface]
        call(*inside, "up", "promisc", "on")
