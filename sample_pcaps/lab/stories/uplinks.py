"""A second way out: a phone on a console, a mobile router on a ward, a PC that shares its line.

The phone and the carrier are namespaces of their own: what a console sends that way never crosses
the sensors. Only leaks do, and each story makes one kind of leak by real programs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

from sample_pcaps.hospital import HOSTS, Host
from sample_pcaps.lab.domain import samba_folders
from sample_pcaps.lab.hosts import Machine
from sample_pcaps.lab.network import ip, nft, prefix_of
from sample_pcaps.lab.story import LISTENER, NETFLOW, SPAN, Stage, Story, Truth

_CONSOLE = HOSTS["US1"]
_SITE = "192.0.2.33"
_TECHNIQUES = ("T1200", "T1011", "T1133", "T1557")


@dataclass(frozen=True)
class Uplink:
    """How a kind of phone or stick numbers the link to its host."""

    name: str
    phone: str
    host: str
    length: int
    mac: str


UPLINKS = (
    Uplink("android", "192.168.42.129", "192.168.42.183", 24, "02:4e:1a:6b:9c:21"),
    Uplink("android-new", "10.135.74.1", "10.135.74.203", 24, "be:31:5c:07:aa:12"),
    Uplink("ios", "172.20.10.1", "172.20.10.4", 28, "36:c9:e3:11:90:64"),
    Uplink("hilink", "192.168.8.1", "192.168.8.100", 24, "0c:5b:8f:27:9a:64"),
)


def tether(stage: Stage, console: Machine, uplink: Uplink, *, default: bool = True) -> Machine:
    """Plug a phone into a machine: a private link, NAT, a carrier; returns the phone.

    Before, the machine does some ordinary work on the LAN, as every console does all day.
    """
    console.run("nc", "-w", "1", "-z", HOSTS["PACS1"].ip, "104", check=False)
    phone = stage.network.machine("phone")
    stage.network.link(console, "usb0", phone, "rndis0")
    _to_carrier(stage, phone)
    ip(phone, [f"addr add {uplink.phone}/{uplink.length} dev rndis0", "link set rndis0 up"])
    phone.run("dnsmasq", "-u", "root", "--conf-file=/dev/null", "-p", "0", "--dhcp-authoritative",
              f"--dhcp-range={uplink.host},{uplink.host},5m", "-i", "rndis0",
              f"--dhcp-option=3,{uplink.phone}", f"--dhcp-option=6,{uplink.phone}")  # fmt: skip
    ip(console, [f"link set usb0 address {uplink.mac} up"])
    ip(console, [f"route replace 10.20.0.0/16 via {_gateway(console)}"])
    lease(console, "usb0", default=default)
    return phone


def _gateway(machine: Machine) -> str:
    """The machine's way to the rest of the hospital, which a second line leaves alone."""
    return machine.run("ip", "route", "show", "default").split()[2]


def _to_carrier(stage: Stage, router: Machine) -> None:
    """A mobile line: the carrier's shared address space, NAT at the phone."""
    stage.network.link(router, "lte0", stage.outside, "mobile")
    ip(router, ["addr add 100.64.7.2/30 dev lte0", "link set lte0 up",
                "route replace default via 100.64.7.1"])  # fmt: skip
    ip(stage.outside, ["addr add 100.64.7.1/30 dev mobile", "link set mobile up"])
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    nft(router, 'oifname "lte0" masquerade')


def lease(machine: Machine, interface: str, *words: str, default: bool = True) -> str:
    """Get a lease by DHCP as a Linux device does; with `default`, the line becomes its way out."""
    script = machine.write(
        "lease.sh",
        "#!/bin/sh\n"
        '[ "$1" = bound ] || [ "$1" = renew ] || exit 0\n'
        'ip addr replace "$ip/${mask:-24}" dev "$interface"\n'
        + ('ip route replace default via "$router" dev "$interface"\n' if default else ""),
        0o755,
    )
    return machine.run("busybox", "udhcpc", "-f", "-q", "-n", "-t", "4", "-T", "1", "-i", interface,
                       "-s", script, *words, check=False)  # fmt: skip


def web_site(stage: Stage) -> None:
    stage.network.outside_address(_SITE)
    stage.outside.serve(80, "python3", "-m", "http.server", "80", "--bind", _SITE)


def _browse(machine: Machine, times: int = 5) -> None:
    for _ in range(times):
        machine.run("curl", "-s", "-m", "3", "-o", "/dev/null", f"http://{_SITE}/", check=False)


def _truth(what: str, uplink: Uplink, lanes: tuple[str, ...]) -> Truth:
    also = (_CONSOLE.mac, uplink.host, uplink.mac)
    return Truth(what, _TECHNIQUES, _CONSOLE.ip, (), lanes, also)


def idle(stage: Stage, uplink: Uplink) -> None:
    """Everything goes by the phone; the hospital's network sees nothing at all."""
    console = stage[_CONSOLE.name]
    web_site(stage)
    with stage.happens(_truth(f"{uplink.name} tether, browsing, no leak", uplink, ())):
        tether(stage, console, uplink)
        _browse(console)


def unplugged(stage: Stage, uplink: Uplink) -> None:
    """The phone is pulled while connections stand: their last packets leave by the LAN."""
    console = stage[_CONSOLE.name]
    stage.network.outside_address(_SITE)
    stage.outside.serve(8081, "nc", "-lk", _SITE, "8081")
    what = f"{uplink.name} tether pulled: old connections leave by the LAN"
    with stage.happens(_truth(what, uplink, (SPAN, NETFLOW))):
        tether(stage, console, uplink)
        talk = console.start("sh", "-c", "while date; do sleep 0.3; done | nc "
                             f"-s {uplink.host} {_SITE} 8081")  # fmt: skip
        time.sleep(2)
        # As NetworkManager does, the default route goes; the address lingers until the lease ends.
        ip(console, ["link set usb0 down", f"addr add {uplink.host}/32 dev lo",
                     "route replace default via 10.20.30.254"])  # fmt: skip
        time.sleep(4)
        talk.stop()


def arp(stage: Stage, uplink: Uplink) -> None:
    """A program bound to the phone's address talks to the LAN: ARP carries that sender address."""
    console = stage[_CONSOLE.name]
    web_site(stage)
    neighbour = stage["VIEW-301"]
    what = f"{uplink.name} tether: ARP on the LAN carries the phone-side address"
    with stage.happens(_truth(what, uplink, (SPAN, LISTENER))):
        tether(stage, console, uplink)
        _browse(console, 2)
        # Linux answers and asks with whatever address a program is bound to (arp_announce=0).
        console.run("ping", "-c", "3", "-W", "1", "-I", uplink.host, neighbour.ip, check=False)
        console.run("nc", "-w", "1", "-s", uplink.host, "-z", neighbour.ip, "104", check=False)


def dns_update(stage: Stage, uplink: Uplink) -> None:
    """The console registers all its addresses in the hospital's DNS, as domain members do."""
    console = stage[_CONSOLE.name]
    bind(stage["DC1"])
    what = f"{uplink.name} tether: DNS UPDATE registers the phone-side address"
    with stage.happens(_truth(what, uplink, (SPAN,))):
        tether(stage, console, uplink)
        told = console.run("ip", "-4", "-br", "addr")
        addresses = [word.split("/")[0] for word in told.split() if "/" in word]
        mine = [a for a in addresses if not a.startswith("127.")]
        zone = "mimawari-hp.example"
        steps = [f"server {HOSTS['DC1'].ip}", f"zone {zone}", f"update delete us1.{zone} A"]
        steps += [f"update add us1.{zone} 1200 A {a}" for a in mine]
        console.run("nsupdate", given="\n".join([*steps, "send", "quit", ""]))


def bind(server: Machine) -> None:
    """BIND as the hospital's DNS, letting machines register themselves."""
    files = server.folder / "files"
    server.write("zone.db", "$TTL 60\n@ SOA dc1 hostmaster 1 60 60 60 60\n@ NS dc1\n"
                 f"dc1 A {server.ip}\n")  # fmt: skip
    server.write(
        "named.conf",
        f'options {{ directory "{files}"; listen-on {{ any; }}; recursion no; '
        f'pid-file "{files}/named.pid"; session-keyfile "{files}/session.key"; }};\n'
        'zone "mimawari-hp.example" { type master; file "zone.db"; allow-update { any; }; };\n',
    )
    server.serve(53, "named", "-g", "-c", files / "named.conf", udp=True)


def wins(stage: Stage, uplink: Uplink) -> None:
    """Samba's nmbd registers its name with the WINS server once for every adapter."""
    console, server = stage[_CONSOLE.name], stage["DC1"]
    nmbd(server, "DC1", "wins support = yes\n")
    what = f"{uplink.name} tether: NetBIOS registration with WINS names the phone-side address"
    with stage.happens(_truth(what, uplink, (SPAN,))):
        tether(stage, console, uplink)
        nmbd(console, "US1", f"wins server = {server.ip}\n")
        time.sleep(8)


def nmbd(machine: Machine, name: str, more: str) -> None:
    settings = f"[global]\nnetbios name = {name}\nworkgroup = MIMAWARI\n{more}"
    conf = machine.write("smb.conf", settings + samba_folders(machine))
    (machine.folder / "run" / "samba" / "nmbd").mkdir(exist_ok=True)
    machine.start("nmbd", "-F", "--no-process-group", "--debug-stdout", "-s", conf).wait_until(
        lambda: machine.listens(137, udp=True)
    )


def old_lease(stage: Stage, uplink: Uplink) -> None:
    """A device that had the phone's lease asks the hospital's LAN for the same address again."""
    console = stage[_CONSOLE.name]
    what = f"{uplink.name} tether: the old lease is asked for on the LAN (DHCP option 50)"
    console.run("nc", "-w", "1", "-z", HOSTS["PACS1"].ip, "104", check=False)
    with stage.happens(_truth(what, uplink, (SPAN, LISTENER))):
        lease(console, "eth0", "-r", uplink.host, default=False)


def split(stage: Stage, uplink: Uplink) -> None:
    """Names are asked of the hospital's DNS, connections go by the phone."""
    console, server = stage[_CONSOLE.name], stage["DC1"]
    console.ask_names_of(server.ip)
    web_site(stage)
    server.serve(53, "dnsmasq", "-k", "-u", "root", "--conf-file=/dev/null", "--no-resolv",
                 "--no-hosts", f"--address=/example/{_SITE}", udp=True)  # fmt: skip
    what = f"{uplink.name} tether: names resolved inside, never connected to on the LAN"
    with stage.happens(_truth(what, uplink, (SPAN,))):
        tether(stage, console, uplink)
        for number in range(30):
            console.run("curl", "-s", "-m", "2", "-o", "/dev/null",
                        f"http://www{number}.shop{number}.example/", check=False)  # fmt: skip
        # What does not follow is known only once it could have been told: two minutes later.
        until = time.monotonic() + 130
        while time.monotonic() < until:
            console.run("nc", "-w", "1", "-z", HOSTS["PACS1"].ip, "104", check=False)
            time.sleep(10)


#: leak: what plays it, hosts beside the console, programs.
_LEAKS = (
    ("idle", idle, (), ()),
    ("unplugged", unplugged, (), ("nc:netcat-openbsd",)),
    ("arp", arp, ("VIEW-301",), ("nc:netcat-openbsd",)),
    ("dns-update", dns_update, ("DC1",), ("named:bind9", "nsupdate:bind9-dnsutils")),
    ("wins", wins, ("DC1",), ("nmbd:samba",)),
    ("old-lease", old_lease, (), ()),
    ("split", split, ("DC1",), ("nc:netcat-openbsd",)),
)
_NEEDS = ("dnsmasq:dnsmasq-base", "busybox:busybox", "curl:curl")
_SHORT = {("android", "dns-update"), ("android-new", "arp")}


def _stories() -> tuple[Story, ...]:
    return tuple(
        Story(
            f"tether-{uplink.name}-{leak}",
            f"{uplink.name} tether on an ultrasound console, {leak}",
            partial(play, uplink=uplink),
            (*_NEEDS, *needs),
            (_CONSOLE.name, *hosts),
            is_short=(uplink.name, leak) in _SHORT,
            limit_s=240 if leak == "split" else 120,
            matrix=("Linux console", uplink.name, leak),
        )
        for uplink in UPLINKS
        for leak, play, hosts, needs in _LEAKS
    )


ROUTER = Host("MOBILE", "192.168.179.1", "98:f1:99:3b:71:0e", vlan=20)


def _router(stage: Stage, address: str, length: int, *, is_leasing: bool) -> Machine:
    """A mobile router (or a PC that shares its phone) plugged into the ward's VLAN."""
    router = stage.network.join(ROUTER, has_address=False)
    _to_carrier(stage, router)
    ip(router, [f"addr add {address}/{length} brd + dev eth0"])
    if is_leasing:
        low, high = (address.rsplit(".", 1)[0] + tail for tail in (".100", ".150"))
        router.run("dnsmasq", "-u", "root", "--conf-file=/dev/null", "--no-resolv",
                   "--dhcp-authoritative", f"--dhcp-range={low},{high},5m", "-i", "eth0",
                   f"--address=/example/{_SITE}")  # fmt: skip
    return router


def mobile_router(stage: Stage) -> None:
    web_site(stage)
    truth = Truth("a mobile router on a ward leases addresses and takes a terminal outside",
                  _TECHNIQUES, ROUTER.ip, (), (SPAN, LISTENER), (ROUTER.mac,))  # fmt: skip
    with stage.happens(truth):
        _router(stage, ROUTER.ip, 24, is_leasing=True)
        terminal = stage["EMR-3E-02"]
        lease(terminal, "eth0")
        _browse(terminal)


def router_advertising(stage: Stage) -> None:
    """An IPv6 mobile router: radvd announces the carrier's prefix to the ward."""
    truth = Truth("a mobile router announces an IPv6 prefix to a ward", _TECHNIQUES,
                  ROUTER.mac, (), (SPAN, LISTENER),
                  (ROUTER.ip, "fe80::9af1:99ff:fe3b:710e"))  # fmt: skip
    router = _router(stage, ROUTER.ip, 24, is_leasing=False)
    terminal = stage["EMR-3E-02"]
    for machine in (router, terminal):
        machine.run("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=0")
    router.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.eth0.forwarding=1")
    time.sleep(2)
    ip(router, ["addr replace 2001:db8:77:1::1/64 dev eth0 nodad"])
    router.write("radvd.conf", "interface eth0 { AdvSendAdvert on; MinRtrAdvInterval 3; "
                 "MaxRtrAdvInterval 4; prefix 2001:db8:77:1::/64 { }; };\n", 0o600)  # fmt: skip
    with stage.happens(truth):
        router.start("radvd", "-n", "-m", "stderr", "-C", router.folder / "files" / "radvd.conf",
                     "-u", "root", "-p", router.folder / "run" / "radvd.pid")  # fmt: skip
        time.sleep(8)


def router_in_plan(stage: Stage) -> None:
    """A router with an address of the ward's own: a terminal is pointed at it by hand."""
    web_site(stage)
    truth = Truth("a terminal's traffic leaves by a machine of its VLAN that is no gateway",
                  _TECHNIQUES, "10.20.20.199", (), (SPAN,),
                  (ROUTER.mac, HOSTS["EMR-3E-02"].ip))  # fmt: skip
    with stage.happens(truth):
        _router(stage, "10.20.20.199", prefix_of(20).prefixlen, is_leasing=False)
        terminal = stage["EMR-3E-02"]
        ip(terminal, ["route replace default via 10.20.20.199"])
        _browse(terminal)


def sharing(stage: Stage) -> None:
    """Connection sharing as Windows does it: 192.168.137.1 on the LAN, DHCP and NAT to a phone."""
    web_site(stage)
    host = stage["EMR-3E-03"]
    tether(stage, host, UPLINKS[0])
    truth = Truth("a ward PC shares its phone's line on the LAN (192.168.137.0/24)", _TECHNIQUES,
                  "192.168.137.1", (), (SPAN, LISTENER), (host.ip, host.mac))  # fmt: skip
    with stage.happens(truth):
        ip(host, ["addr add 192.168.137.1/24 brd + dev eth0"])
        host.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        nft(host, 'oifname "usb0" masquerade')
        host.run("dnsmasq", "-u", "root", "--conf-file=/dev/null", "--no-resolv", "-i", "eth0",
                 "--dhcp-authoritative", "--dhcp-range=192.168.137.100,192.168.137.200,5m",
                 f"--address=/example/{_SITE}")  # fmt: skip
        terminal = stage["EMR-3E-02"]
        lease(terminal, "eth0")
        _browse(terminal)


def dhcp_of_the_hospital(stage: Stage) -> None:
    """The benign twin: the hospital's own DHCP server leases, and a terminal works inside."""
    server = stage["DHCP"]
    server.run("dnsmasq", "-u", "root", "--conf-file=/dev/null", "-p", "0", "--dhcp-authoritative",
               "--dhcp-range=10.20.21.100,10.20.21.150,255.255.254.0,5m",
               "--dhcp-option=3,10.20.21.254")  # fmt: skip
    stage.network.core.run("dnsmasq", "-u", "root", "--conf-file=/dev/null", "-p", "0",
                           f"--dhcp-relay=10.20.21.254,{server.ip}")  # fmt: skip
    terminal = stage["EMR-3E-02"]
    ip(terminal, ["addr flush dev eth0"])
    stage["FS1"].serve(80, "python3", "-m", "http.server", "80")
    lease(terminal, "eth0")
    for _ in range(5):
        terminal.run("curl", "-s", "-m", "3", "-o", "/dev/null", f"http://{stage['FS1'].ip}/")


STORIES = (
    *_stories(),
    Story("router-mobile", "Mobile router on a ward", mobile_router, _NEEDS, ("EMR-3E-02",),
          matrix=("LAN router", "mobile router", "leases")),
    Story("router-ra", "Mobile router announcing IPv6", router_advertising,
          (*_NEEDS, "radvd:radvd"), ("EMR-3E-02",), is_short=False,
          matrix=("LAN router", "mobile router", "announces")),
    Story("router-static", "Router with an address of the plan", router_in_plan, _NEEDS,
          ("EMR-3E-02",), is_short=False, matrix=("LAN router", "mobile router", "next hop")),
    Story("router-sharing", "Connection sharing", sharing, _NEEDS, ("EMR-3E-02", "EMR-3E-03"),
          is_short=False, matrix=("Ward PC", "connection sharing", "leases")),
    Story("benign-dhcp", "The hospital's own DHCP by relay", dhcp_of_the_hospital, _NEEDS,
          ("EMR-3E-02", "DHCP", "FS1"), is_short=False, is_benign=True),
)  # fmt: skip
