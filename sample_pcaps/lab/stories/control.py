"""Remote control inside: SSH hop by hop, VNC, RDP, and guessing at SSH."""

from __future__ import annotations

from sample_pcaps.lab.hosts import Machine
from sample_pcaps.lab.stories.tunnels import SSH, TYPING, key_for, sshd
from sample_pcaps.lab.story import NETFLOW, SPAN, Stage, Story, Truth

_BOTH = (SPAN, NETFLOW)


def ssh_path(stage: Stage) -> None:
    """A terminal, the RIS, an EMR server: each hop typed by hand over the one before."""
    first, middle, last = stage["EMR-OPD-01"], stage["RIS"], stage["EMR-AP1"]
    key_for(first, middle)
    key_for(middle, last)
    sshd(middle, middle.ip, 22)
    sshd(last, last.ip, 22)
    typed = last.write("typed.sh", TYPING)
    hop = f"cd {middle.folder}/files && {' '.join(SSH)} root@{last.ip} sh {typed}"
    truths = (
        Truth("a terminal controls the RIS by SSH", ("T1021.004",), first.ip, (middle.ip,), _BOTH),
        Truth("the RIS, controlled by it, controls an EMR server", ("T1021.004",), middle.ip,
              (last.ip,), _BOTH),
    )  # fmt: skip
    with stage.happens(*truths):
        for _ in range(3):
            first.run(*SSH, f"root@{middle.ip}", hop, timeout_s=40)


def _screen(machine: Machine, number: int) -> dict[str, str]:
    """A virtual screen with something on it."""
    machine.start("Xvfb", f":{number}", "-screen", "0", "1024x768x24", "-nolisten", "tcp")
    machine.run("sleep", "1.5")
    environment = {"DISPLAY": f":{number}"}
    machine.start("xterm", "-e", "sh", "-c", "while date; do ls -la /etc; sleep 0.5; done",
                  environment=environment)  # fmt: skip
    return environment


def vnc(stage: Stage) -> None:
    host, viewer = stage["EMR-4E-02"], stage["NUTRI-PC1"]
    shown = _screen(host, 61)
    host.serve(5900, "x11vnc", "-display", ":61", "-forever", "-nopw", "-rfbport", "5900",
               "-listen", host.ip, environment=shown)  # fmt: skip
    truth = Truth("a kitchen PC watches a ward terminal by VNC", ("T1021.005",), viewer.ip,
                  (host.ip,), _BOTH)  # fmt: skip
    own = _screen(viewer, 62)
    with stage.happens(truth):
        viewer.start("xtightvncviewer", "-viewonly", host.ip, environment=own)
        viewer.run("sleep", "12")


def rdp(stage: Stage) -> None:
    server, client = stage["RIS"], stage["CT1"]
    conf = server.folder / "files" / "xrdp.ini"
    server.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "xrdp.key",
               "-out", "xrdp.crt", "-days", "30", "-subj", "/CN=RIS")  # fmt: skip
    files = server.folder / "files"
    conf.write_text(
        "[Globals]\nini_version=1\nfork=true\nport=3389\nsecurity_layer=negotiate\n"
        f"crypt_level=high\ncertificate={files}/xrdp.crt\nkey_file={files}/xrdp.key\n"
        "ssl_protocols=TLSv1.2, TLSv1.3\nautorun=\nallow_channels=true\nbitmap_cache=true\n"
        "max_bpp=24\nls_title=RIS\n[Logging]\nLogFile=/dev/null\nLogLevel=INFO\n"
        "[Xvnc]\nname=Xvnc\nlib=libvnc.so\nusername=ask\npassword=ask\nip=127.0.0.1\nport=-1\n"
    )
    server.serve(3389, "xrdp", "-n", "-c", conf)
    truth = Truth("a CT console, which controls nobody, opens RDP to the RIS", ("T1021.001",),
                  client.ip, (server.ip,), (SPAN,))  # fmt: skip
    own = _screen(client, 63)
    with stage.happens(truth):
        words = ("/u:kanri", "/p:machigai", "/cert-ignore", "/size:800x600")
        told = client.run("timeout", "15", "xfreerdp", f"/v:{server.ip}", *words, check=False,
                          environment=own)  # fmt: skip
        stage.note(f"xfreerdp: {told.strip()[-160:]}")


def guess_ssh(stage: Stage) -> None:
    server, attacker = stage["EMR-DB1"], stage["NUTRI-PC2"]
    sshd(server, server.ip, 22, passwords=True)
    attacker.write("words", "\n".join(f"Himitsu{n}" for n in range(40)) + "\n")
    truth = Truth("hydra guesses forty passwords of root by SSH", ("T1110",), attacker.ip,
                  (server.ip,), _BOTH)  # fmt: skip
    with stage.happens(truth):
        attacker.run("hydra", "-I", "-t", "4", "-l", "root", "-P", "words", f"ssh://{server.ip}",
                     check=False, timeout_s=60)  # fmt: skip


def admin_at_work(stage: Stage) -> None:
    """The benign twin: the registered administrator's PC looks after two servers by SSH."""
    admin = stage["IT-PC1"]
    for name in ("EMR-DB1", "RIS"):
        key_for(admin, stage[name])
        sshd(stage[name], stage[name].ip, 22)
        admin.run(*SSH, f"root@{stage[name].ip}", TYPING)


_SSH = ("sshd:openssh-server", "ssh:openssh-client")
_X = ("Xvfb:xvfb", "xterm:xterm")
STORIES = (
    Story("path-ssh", "SSH from hop to hop", ssh_path, _SSH, ("EMR-OPD-01", "RIS", "EMR-AP1"),
          is_short=False),
    Story("path-vnc", "VNC between PCs", vnc,
          (*_X, "x11vnc:x11vnc", "xtightvncviewer:xtightvncviewer"), ("EMR-4E-02", "NUTRI-PC1"),
          is_short=False),
    Story("path-rdp", "RDP from a modality", rdp, (*_X, "xrdp:xrdp", "xfreerdp:freerdp2-x11"),
          ("RIS", "CT1"), is_short=False),
    Story("guess-ssh", "Guessing at SSH", guess_ssh, (*_SSH, "hydra:hydra"),
          ("EMR-DB1", "NUTRI-PC2"), is_short=False),
    Story("benign-admin", "An administrator at work", admin_at_work, _SSH,
          ("IT-PC1", "EMR-DB1", "RIS"), is_short=False, is_benign=True),
)  # fmt: skip
