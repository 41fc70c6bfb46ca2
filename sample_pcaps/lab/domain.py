"""The lab's Active Directory: a Samba domain controller with invented people and services."""

from __future__ import annotations

import shutil
from pathlib import Path

from sample_pcaps.hospital import DOMAIN, HOSTS, NETBIOS_DOMAIN
from sample_pcaps.lab.hosts import Machine, Program, call

REALM = DOMAIN.upper()
PASSWORD = "Lab-Admin-2026"
USER_PASSWORD = "Kango-Shi-2026"
USERS = ("sato", "suzuki", "takahashi", "tanaka", "ito", "watanabe", "yamamoto", "nakamura",
         "kobayashi", "kato")  # fmt: skip
SERVICES = ("svc-pacs", "svc-ris", "svc-sql", "svc-backup")
NEEDS = ("samba:samba-ad-dc", "samba-tool:samba", "kinit:krb5-user", "ldbmodify:ldb-tools",
         "/usr/share/samba/setup:samba-ad-provision")  # fmt: skip

_PROVISIONED = "_domain"


def domain_controller(machine: Machine) -> Program:
    """Start the domain controller; the domain is made once and copied from then on."""
    made = machine.folder.parents[2] / _PROVISIONED
    if not (made / "done").exists():
        _provision(machine, made)
    home = machine.folder / "files" / "ad"
    call("cp", "-a", str(made), str(home))
    conf = home / "etc" / "smb.conf"
    told = conf.read_text().replace(str(made), str(home))
    # As most hospitals' domain controllers: LDAP binds with a plain password are taken.
    conf.write_text(told.replace("[global]", "[global]\nldap server require strong auth = no", 1))
    for secret in (home / "private").glob("krb5.conf"):
        secret.write_text(secret.read_text().replace(str(made), str(home)))
    (machine.folder / "run" / "samba").mkdir(exist_ok=True)
    server = machine.start("samba", "-F", "--no-process-group", "--debug-stdout", "-s", conf)
    for port in (88, 389, 445, 135):
        server.wait_until(lambda port=port: machine.listens(port), 40)  # type: ignore[misc]
    return server


def _provision(machine: Machine, made: Path) -> None:
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    machine.run(
        "samba-tool", "domain", "provision", f"--targetdir={made}", f"--realm={REALM}",
        f"--domain={NETBIOS_DOMAIN}", f"--adminpass={PASSWORD}", f"--host-ip={machine.ip}",
        f"--host-name={machine.name}", "--server-role=dc", "--dns-backend=SAMBA_INTERNAL",
        "--option=bind interfaces only=no", timeout_s=90,
    )  # fmt: skip
    base = ("-H", made / "private" / "sam.ldb", "-s", made / "etc" / "smb.conf")
    simple = "--complexity=off"
    machine.run("samba-tool", "domain", "passwordsettings", "set", simple,
                "--account-lockout-threshold=0", *base)  # fmt: skip
    for user in USERS:
        machine.run("samba-tool", "user", "create", user, USER_PASSWORD, *base)
    for service in SERVICES:
        machine.run("samba-tool", "user", "create", service, f"{service}-Himitsu", *base)
        spn = f"MSSQLSvc/{service}.{DOMAIN}:1433"
        machine.run("samba-tool", "spn", "add", spn, service, "-s", made / "etc" / "smb.conf")
    root = ",".join(f"DC={part}" for part in DOMAIN.split("."))
    for user in USERS[:3]:
        # 0x400000: no pre-authentication asked for, which AS-REP roasting looks for.
        change = (f"dn: CN={user},CN=Users,{root}\nchangetype: modify\n"
                  "replace: userAccountControl\nuserAccountControl: 4194816\n")  # fmt: skip
        machine.run("ldbmodify", "-H", made / "private" / "sam.ldb", given=change)
    (made / "done").touch()


def kerberos(client: Machine) -> dict[str, str]:
    """Kerberos settings of a client, as environment of its programs."""
    conf = client.write(
        "krb5.conf",
        f"[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\nrdns = false\n"
        f"udp_preference_limit = 0\n[realms]\n{REALM} = {{\n kdc = {HOSTS['DC1'].ip}\n}}\n",
    )
    cache = client.folder / "files" / "krb5cc"
    return {"KRB5_CONFIG": str(conf), "KRB5CCNAME": f"FILE:{cache}"}


def samba_folders(machine: Machine) -> str:
    """Make Samba's own folders in the machine's /run; returns the settings that name them.

    Its sockets lie there: a path of theirs may have no more than 107 characters.
    """
    for sub in ("private", "lock", "state", "cache", "ncalrpc"):
        (machine.folder / "run" / "samba" / sub).mkdir(parents=True, exist_ok=True)
    return (
        "private dir = /run/samba/private\nlock directory = /run/samba/lock\n"
        "state directory = /run/samba/state\ncache directory = /run/samba/cache\n"
        "pid directory = /run/samba\nncalrpc dir = /run/samba/ncalrpc\nload printers = no\n"
    )


def standalone_server(machine: Machine, shares: dict[str, Path], more: str = "") -> Program:
    """A Samba file server of its own with one account, `kanri`, and the shares as named."""
    listed = "".join(
        f"[{name}]\npath = {path}\nread only = no\nforce user = root\n"
        for name, path in shares.items()
    )
    names = machine.write("users.map", "root = kanri administrator\n")
    conf = machine.write(
        "smb.conf",
        f"[global]\nnetbios name = {machine.name}\nworkgroup = {NETBIOS_DOMAIN}\n"
        f"server role = standalone\nusername map = {names}\npassdb backend = tdbsam\n"
        f"{samba_folders(machine)}{more}{listed}",
    )
    machine.run("smbpasswd", "-c", conf, "-a", "-s", "root", given=f"{PASSWORD}\n{PASSWORD}\n")
    for path in shares.values():
        path.mkdir(parents=True, exist_ok=True)
    return machine.serve(445, "smbd", "-F", "--no-process-group", "--debug-stdout", "-s", conf)
