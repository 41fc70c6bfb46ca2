"""The lab's network: a switch with VLANs, a core that routes, a firewall, an outside world.

Everything is namespaces joined by veth pairs; none has a route to the machine's own network. The
switch is Open vSwitch in user space, which needs no kernel module for VLANs and mirror ports.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path
from types import TracebackType

from sample_pcaps.hospital import CORE_MAC, FIREWALL, HOSTS, VLANS, Host, vlan_of
from sample_pcaps.lab.hosts import Machine, call
from sample_pcaps.lab.leftovers import claim, remove_namespaces, sweep
from sample_pcaps.lab.switch import Switch

#: Between firewall and outside world; the outside world owns every documentation address.
_BORDER = ("203.0.113.1", "203.0.113.254")
_OUTSIDE_RANGES = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")


def gateway_of(vlan: int) -> str:
    """The core's address in a VLAN: the last of its prefix, for the firewall has 10.20.90.1."""
    return str(prefix_of(vlan)[-2])


def prefix_of(vlan: int) -> IPv4Network:
    return IPv4Network(f"{VLANS[vlan]}0/{23 if vlan == 20 else 24}")


class Network:
    """A built network, from `with Network(folder) as network` until the block's end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machines: dict[str, Machine] = {}

    def __enter__(self) -> Network:
        sweep()
        self._prefix, self._mark = claim()
        try:
            self._build()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for machine in reversed(list(self.machines.values())):
            machine.stop()
        remove_namespaces(self._prefix)
        Path(self._mark.name).unlink(missing_ok=True)
        self._mark.close()

    def _build(self) -> None:
        self.switch = Switch(self.machine("switch"))
        self.core = self.machine("core")
        self.core.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0")
        for vlan in VLANS:
            self._core_leg(vlan)
        ip(self.core, [f"route add default via {FIREWALL.ip}"])
        self.firewall = self.join(FIREWALL)
        self.outside = self.machine("outside", ip=_BORDER[1])
        self._border()

    def _core_leg(self, vlan: int) -> None:
        self.link(self.core, f"vlan{vlan}", self.switch.machine, f"core{vlan}")
        length = prefix_of(vlan).prefixlen
        ip(
            self.core,
            [
                f"link set vlan{vlan} address {CORE_MAC} up",
                f"addr add {gateway_of(vlan)}/{length} broadcast + dev vlan{vlan}",
            ],
        )
        self.switch.plug(f"core{vlan}", vlan, is_core=True)

    def _border(self) -> None:
        wall, outside = self.firewall, self.outside
        self.link(wall, "wan", outside, "border")
        ip(wall, [f"addr add {_BORDER[0]}/24 dev wan", "link set wan up"])
        ip(wall, [f"route replace default via {_BORDER[1]}"])
        inside = [f"route replace 10.20.0.0/16 via {gateway_of(90)}"]
        ip(wall, inside)
        wall.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        nft(wall, 'oifname "wan" masquerade')
        ip(outside, [f"addr add {_BORDER[1]}/24 dev border", "link set border up"])
        outside.run("sysctl", "-qw", "net.ipv4.ip_forward=1")

    def machine(self, name: str, ip: str = "", mac: str = "", name_server: str = "") -> Machine:
        """A namespace of its own with nothing but loopback."""
        namespace = f"{self._prefix}-{name}"
        call("ip", "netns", "add", namespace)
        folder = self.folder / "machines" / name
        made = Machine(name, ip, mac, namespace, folder, name_server)
        self.machines[name] = made
        quiet = "net.ipv6.conf.all.disable_ipv6=1"
        made.run("sysctl", "-qw", quiet, "net.ipv6.conf.default.disable_ipv6=1")
        made.run("ip", "link", "set", "lo", "up")
        return made

    def join(
        self,
        host: Host | str,
        *,
        name_server: str = "",
        is_up: bool = True,
        has_address: bool = True,
    ) -> Machine:
        """Plug a host of the sample hospital (or one made for a story) into its VLAN."""
        host = HOSTS[host] if isinstance(host, str) else host
        vlan = vlan_of(host)
        made = self.machine(host.name, host.ip, host.mac, name_server)
        port = f"port{len(self.machines)}"
        self.link(made, "eth0", self.switch.machine, port)
        steps = [f"link set eth0 address {host.mac}"] if host.mac else []
        if has_address:
            length = prefix_of(vlan).prefixlen
            steps.append(f"addr add {host.ip}/{length} broadcast + dev eth0")
        steps += ["link set eth0 up"] if is_up else []
        if has_address and is_up:
            steps.append(f"route add default via {gateway_of(vlan)}")
        ip(made, steps)
        self.switch.plug(port, vlan)
        return made

    def outside_address(self, *addresses: str) -> Machine:
        """Give the outside world these addresses; returns it."""
        ip(self.outside, [f"addr replace {a}/32 dev lo" for a in addresses])
        return self.outside

    def link(self, one: Machine, its: str, other: Machine, others: str) -> None:
        """A cable between two machines, without offloads: what is captured is what a wire shows."""
        words = ["ip", "-n", one.namespace, "link", "add", its, "type", "veth"]
        words += ["peer", "name", others, "netns", other.namespace]
        call(*words)
        for machine, name in ((one, its), (other, others)):
            off = ["tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off"]
            inside = ["nsenter", f"--net=/run/netns/{machine.namespace}"]
            # 1: some of them cannot be changed on veth, which then has none.
            call(*inside, "ethtool", "-K", name, *off, fine=(0, 1))


def ip(machine: Machine, steps: Iterable[str]) -> None:
    """Run `ip` commands in one go."""
    call("ip", "-n", machine.namespace, "-batch", "-", given="\n".join(steps) + "\n")


def nft(machine: Machine, rule: str) -> None:
    """Add a rule to the machine's source NAT."""
    machine.run(
        "nft",
        "add table ip lab; add chain ip lab out { type nat hook postrouting priority 100; }; "
        f"add rule ip lab out {rule}",
    )
