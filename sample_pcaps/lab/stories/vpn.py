"""VPNs from an EMR terminal to the outside: WireGuard and OpenVPN in its four shapes."""

from __future__ import annotations

from functools import partial

from sample_pcaps.hospital import HOSTS
from sample_pcaps.lab.hosts import Machine
from sample_pcaps.lab.network import ip
from sample_pcaps.lab.story import NETFLOW, SPAN, Stage, Story, Truth

_CLIENT = HOSTS["EMR-3W-01"]
_PEER = "198.51.100.91"
_TECHNIQUES = ("T1572", "T1133")


def _truth(what: str) -> Truth:
    return Truth(what, _TECHNIQUES, _CLIENT.ip, (_PEER,), (SPAN, NETFLOW))


def _talk(stage: Stage, far: str) -> None:
    """Some pings and a slow transfer through the tunnel, as a person at work there."""
    client, outside = stage[_CLIENT.name], stage.outside
    outside.serve(8080, "python3", "-m", "http.server", "8080", "--bind", far)
    outside.write("page.bin", "x" * 200_000)
    for _ in range(3):
        client.run("curl", "-s", "-m", "5", "-o", "/dev/null", f"http://{far}:8080/page.bin")
        client.run("ping", "-c", "4", "-i", "0.5", far)


def wireguard(stage: Stage) -> None:
    client, outside = stage[_CLIENT.name], stage.network.outside_address(_PEER)
    keys = {m.name: m.run("wg", "genkey").strip() for m in (client, outside)}
    public = {m.name: m.run("wg", "pubkey", given=keys[m.name]).strip() for m in (client, outside)}
    for machine, address in ((client, "10.99.0.2/24"), (outside, "10.99.0.1/24")):
        machine.start("wireguard-go", "-f", "wg0").wait_until(
            (machine.folder / "run" / "wireguard" / "wg0.sock").exists
        )
        key = machine.write("wg.key", keys[machine.name], 0o600)
        machine.run("wg", "set", "wg0", "private-key", key, "listen-port", "51820")
        ip(machine, [f"addr add {address} dev wg0", "link set wg0 mtu 1380 up"])
    outside.run("wg", "set", "wg0", "peer", public[client.name], "allowed-ips", "10.99.0.2/32")
    with stage.happens(_truth("WireGuard from an EMR terminal to an outside peer")):
        client.run("wg", "set", "wg0", "peer", public["outside"], "allowed-ips", "10.99.0.0/24",
                   "endpoint", f"{_PEER}:51820", "persistent-keepalive", "5")  # fmt: skip
        _talk(stage, "10.99.0.1")


def openvpn(stage: Stage, protocol: str, port: int, wrap: str) -> None:
    client, outside = stage[_CLIENT.name], stage.network.outside_address(_PEER)
    prints = {m.name: _certificate(m) for m in (client, outside)}
    wrapped: tuple[str, ...] = ()
    if wrap:
        for machine in (client, outside):
            machine.write("ta.key", "", 0o600)
        outside.run("openvpn", "--genkey", "secret", "ta.key")
        client.write("ta.key", (outside.folder / "files" / "ta.key").read_text(), 0o600)
        wrapped = (f"--{wrap}", "ta.key")
    common = ("--dev", "tun", "--cert", "own.crt", "--key", "own.key", "--keepalive", "3", "30",
              "--port", str(port), *wrapped)  # fmt: skip
    is_tcp = protocol == "tcp"
    server = outside.start(
        "openvpn", *common, "--proto", "tcp-server" if is_tcp else "udp", "--local", _PEER,
        "--tls-server", "--dh", "none", "--peer-fingerprint", prints[client.name],
        "--ifconfig", "10.98.0.1", "10.98.0.2",
    )  # fmt: skip
    server.wait_until(lambda: outside.listens(port, udp=not is_tcp))
    what = f"OpenVPN over {protocol.upper()} {port}{f' with {wrap}' if wrap else ''}"
    with stage.happens(_truth(f"{what} from an EMR terminal")):
        client.start(
            "openvpn", *common, "--proto", "tcp-client" if is_tcp else "udp", "--nobind",
            "--tls-client", "--remote", _PEER, "--peer-fingerprint", prints["outside"],
            "--ifconfig", "10.98.0.2", "10.98.0.1",
        ).until_says("Initialization Sequence Completed")  # fmt: skip
        _talk(stage, "10.98.0.1")


def _certificate(machine: Machine) -> str:
    """Make a certificate signed by itself; returns its SHA-256 fingerprint."""
    machine.run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-keyout", "own.key", "-out", "own.crt", "-days", "30", "-subj",
        f"/CN={machine.name}",
    )  # fmt: skip
    told = machine.run("openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", "own.crt")
    return told.strip().rpartition("=")[2]


_SHAPES = (
    ("udp", "udp", 1194, ""), ("tcp", "tcp", 443, ""), ("tls-auth", "udp", 1195, "tls-auth"),
    ("tls-crypt", "udp", 50443, "tls-crypt"), ("tcp-tls-crypt", "tcp", 8443, "tls-crypt"),
)  # fmt: skip


def _openvpn_story(name: str, protocol: str, port: int, wrap: str) -> Story:
    return Story(
        f"openvpn-{name}",
        f"OpenVPN {protocol} {port} {wrap}".strip(),
        partial(openvpn, protocol=protocol, port=port, wrap=wrap),
        needs=("openvpn:openvpn", "openssl:openssl", "curl:curl"),
        hosts=(_CLIENT.name,),
        is_short=name == "tls-auth",
    )


STORIES = (
    Story("wireguard", "WireGuard", wireguard, hosts=(_CLIENT.name,),
          needs=("wireguard-go:wireguard-go", "wg:wireguard-tools", "curl:curl")),
    *(_openvpn_story(*shape) for shape in _SHAPES),
)  # fmt: skip
