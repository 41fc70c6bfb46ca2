"""IPsec, L2TP and PPTP lines, and a vendor's registered visit with its evil twin."""

from __future__ import annotations

from functools import partial

from detector.hospital import RegisteredLine
from sample_pcaps.hospital import HOSTS
from sample_pcaps.lab.hosts import Machine
from sample_pcaps.lab.network import ip
from sample_pcaps.lab.stories.tunnels import SSH, TYPING, key_for, sshd
from sample_pcaps.lab.story import NETFLOW, SPAN, Stage, Story, Truth

_CLIENT = HOSTS["LAB-PC1"]
_PEER = "198.51.100.44"
_FAR = "10.95.0.1"
_TECHNIQUES = ("T1572", "T1133")

_CHARON = """charon {
  load = openssl random nonce hmac kdf aes sha1 sha2 pem x509 pubkey pkcs1 kernel-libipsec \
kernel-netlink socket-default vici updown
  i_dont_care_about_security_and_use_aggressive_mode_psk = yes
  install_virtual_ip = no
  filelog { stderr { default = 1 } }
}
"""


def _charon(machine: Machine, version: int, aggressive: bool, ours: tuple[str, str],
            theirs: tuple[str, str]) -> None:  # fmt: skip
    """strongSwan with ESP in user space; `ours` and `theirs` are an address and a prefix each."""
    settings = machine.write("strongswan.conf", _CHARON)
    lines = machine.write(
        "swanctl.conf",
        f"""connections {{ line {{
  version = {version}
  aggressive = {"yes" if aggressive else "no"}
  local_addrs = {ours[0]}
  remote_addrs = {theirs[0]}
  dpd_delay = 5s
  proposals = aes256-sha256-modp2048
  local {{ auth = psk
    id = {"inside" if ours[0] != _PEER else "outside"}.example }}
  remote {{ auth = psk
    id = {"outside" if ours[0] != _PEER else "inside"}.example }}
  children {{ all {{
    local_ts = {ours[1]}
    remote_ts = {theirs[1]}
    esp_proposals = aes256-sha256 }} }}
}} }}
secrets {{ ike-1 {{ secret = Kyoyu-Himitsu }} }}
""",
    )
    environment = {"STRONGSWAN_CONF": str(settings)}
    charon = machine.start("/usr/lib/ipsec/charon", environment=environment)
    charon.wait_until((machine.folder / "run" / "charon.vici").exists)
    machine.run("swanctl", "--load-all", "--file", lines, environment=environment)


def tunnel(stage: Stage, client: Machine, version: int = 2, aggressive: bool = False) -> None:
    """Bring a tunnel up from inside, through the firewall's NAT."""
    outside = stage.network.outside_address(_PEER)
    ip(outside, [f"addr replace {_FAR}/32 dev lo"])
    near, far = f"{client.ip}/32", f"{_FAR}/32"
    _charon(outside, version, aggressive, (_PEER, far), ("%any", near))
    _charon(client, version, aggressive, (client.ip, near), (_PEER, far))
    settings = {"STRONGSWAN_CONF": str(client.folder / "files" / "strongswan.conf")}
    client.run("swanctl", "--initiate", "--child", "all", "--timeout", "10", environment=settings)


def ipsec(stage: Stage, version: int, aggressive: bool, what: str) -> None:
    client = stage[_CLIENT.name]
    truth = Truth(what, _TECHNIQUES, client.ip, (_PEER,), (SPAN, NETFLOW))
    with stage.happens(truth):
        tunnel(stage, client, version, aggressive)
        stage.note(client.run("ping", "-c", "12", "-i", "0.5", "-I", client.ip, _FAR, check=False))


def l2tp(stage: Stage) -> None:
    """The control connection and call of L2TP; PPP inside needs a kernel module."""
    client, outside = stage[_CLIENT.name], stage.network.outside_address(_PEER)
    for machine in (client, outside):
        (machine.folder / "run" / "xl2tpd").mkdir(exist_ok=True)
    server = outside.write("l2tp.conf", f"[global]\nlisten-addr = {_PEER}\n[lns default]\n"
                           "ip range = 10.94.0.2-10.94.0.9\nlocal ip = 10.94.0.1\n")  # fmt: skip
    caller = client.write("l2tp.conf", f"[lac line]\nlns = {_PEER}\nredial = yes\n"
                          "redial timeout = 2\nmax redials = 4\nautodial = yes\n")  # fmt: skip
    outside.start("xl2tpd", "-D", "-c", server, "-C", outside.folder / "run" / "control",
                  "-p", outside.folder / "run" / "pid").wait_until(
        lambda: outside.listens(1701, udp=True))  # fmt: skip
    truth = Truth("L2TP without IPsec to an outside server", _TECHNIQUES, client.ip, (_PEER,),
                  (SPAN, NETFLOW))  # fmt: skip
    with stage.happens(truth):
        client.start("xl2tpd", "-D", "-c", caller, "-C", client.folder / "run" / "control",
                     "-p", client.folder / "run" / "pid")  # fmt: skip
        client.run("sleep", "10")


def pptp(stage: Stage) -> None:
    """The control connection of PPTP; the server's PPP is a program that only listens."""
    client, outside = stage[_CLIENT.name], stage.network.outside_address(_PEER)
    conf = outside.write("pptpd.conf", f"listen {_PEER}\nlocalip 10.93.0.1\nremoteip 10.93.0.2-9\n"
                         "ppp /bin/cat\n")  # fmt: skip
    outside.serve(1723, "pptpd", "-f", "-c", conf, "-p", outside.folder / "run" / "pptpd.pid")
    truth = Truth("PPTP to an outside server", _TECHNIQUES, client.ip, (_PEER,), (SPAN, NETFLOW))
    with stage.happens(truth):
        stage.note(client.run("timeout", "6", "pptp", _PEER, "--nolaunchpppd", check=False))


_ROUTER, _LANDING = HOSTS["VPN-CT"], HOSTS["LAND-SV"]
#: The sample register's line of the CT vendor, here without a time window.
_LINE = RegisteredLine(
    id="L-001", vendor="架空画像診断機器サービス", line_type="拠点間VPN", device_ip=_ROUTER.ip,
    device_mac=_ROUTER.mac, outside=(_PEER,), protocols=("ikev2", "nat_t", "esp"),
    landing=(_LANDING.ip,), allowed_targets=(f"{HOSTS['RIS'].ip}:22",), initiator="hospital",
)  # fmt: skip


def _visit(stage: Stage, target: str) -> None:
    landing, server = stage[_LANDING.name], stage[target]
    tunnel(stage, stage[_ROUTER.name])
    key_for(landing, server)
    sshd(server, server.ip, 22)
    stage[_ROUTER.name].run("ping", "-c", "8", "-i", "0.5", "-I", _ROUTER.ip, _FAR, check=False)
    for _ in range(2):
        landing.run(*SSH, f"root@{server.ip}", TYPING)


def registered_visit(stage: Stage) -> None:
    """The line as registered, to the target its contract allows."""
    _visit(stage, "RIS")


def visit_elsewhere(stage: Stage) -> None:
    truth = Truth("a vendor's visit goes on to a server outside its contract",
                  ("T1199", "T1021"), _LANDING.ip, (HOSTS["PHARM-SV"].ip,),
                  (SPAN, NETFLOW))  # fmt: skip
    with stage.happens(truth):
        _visit(stage, "PHARM-SV")


_PLUGIN = "/usr/lib/ipsec/plugins/libstrongswan-{}.so:{}"
_SWAN = ("/usr/lib/ipsec/charon:strongswan-charon", "swanctl:strongswan-swanctl",
         _PLUGIN.format("kernel-libipsec", "libcharon-extra-plugins"),
         _PLUGIN.format("openssl", "libstrongswan-standard-plugins"))  # fmt: skip
_SSH = ("sshd:openssh-server", "ssh:openssh-client")
_IKE = (("ikev2", 2, False, "IKEv2 with NAT-T from a laboratory PC"),
        ("ikev1", 1, False, "IKEv1 (main mode) with NAT-T from a laboratory PC"),
        ("ikev1-aggressive", 1, True, "IKEv1 aggressive mode from a laboratory PC"))  # fmt: skip
STORIES = (
    *(
        Story(f"ipsec-{name}", what,
              partial(ipsec, version=version, aggressive=aggressive, what=what),
              _SWAN, (_CLIENT.name,), is_short=False)
        for name, version, aggressive, what in _IKE
    ),
    Story("l2tp", "L2TP", l2tp, ("xl2tpd:xl2tpd",), (_CLIENT.name,), is_short=False),
    Story("pptp", "PPTP", pptp, ("pptpd:pptpd", "pptp:pptp-linux"), (_CLIENT.name,),
          is_short=False),
    Story("visit-elsewhere", "A vendor's visit leaves its contract", visit_elsewhere,
          (*_SWAN, *_SSH), (_ROUTER.name, _LANDING.name, "PHARM-SV"), is_short=False,
          lines=(_LINE,)),
    Story("benign-visit", "A vendor's registered visit", registered_visit, (*_SWAN, *_SSH),
          (_ROUTER.name, _LANDING.name, "RIS"), is_short=False, is_benign=True, lines=(_LINE,)),
)  # fmt: skip
