"""Guessed passwords, abused tickets, directory questions."""

import pytest

from collector.sightings import Dns, Http, Kerberos, Ldap, Ntlm, Smb, WebLogon
from detector.detection import Detector
from detector.lateral.directory_search import DirectorySearch
from detector.lateral.guessing import PasswordGuessing
from detector.lateral.tickets import TicketAbuse
from tests.detector.windows import START_NS, S, World, flow

CLIENT, SERVER = "10.0.1.7", "10.0.2.9"


def packet(kind: type, at: float = 0.0, answer: bool = False, port: int = 50000, **fields: object):
    ends = {"ip": CLIENT, "port": port, "peer_ip": SERVER, "peer_port": 88}
    if answer:
        ends = {"ip": SERVER, "port": 88, "peer_ip": CLIENT, "peer_port": port}
    return kind(time_ns=START_NS + int(at * S), **{**ends, **fields})


def found(detector: Detector, sightings: list = (), flows: list = ()) -> list[tuple[str, str]]:
    """(variant, first technique) of what is found; source and target are always the same."""
    world = World()
    several = world.run(detector, world.window(flows, sightings))
    assert all(f.source == CLIENT and f.targets == (SERVER,) for f in several)
    return [(f.variant, f.techniques[0]) for f in several]


def failed_logons(accounts: list[str], error: int = 24) -> list:
    seen = []
    for i, account in enumerate(accounts):
        seen.append(packet(Kerberos, i, port=50000 + i, message="as_req", client=account))
        seen.append(packet(Kerberos, i + 0.1, True, 50000 + i, message="krb_error", error=error))
    return seen


def test_a_spray_is_many_accounts() -> None:
    spray = failed_logons([f"user{i}" for i in range(8)])
    assert found(PasswordGuessing(), spray) == [("spray", "T1110.003")]
    assert found(PasswordGuessing(), spray[:-2]) == []


def test_asking_for_preauthentication_is_no_failure() -> None:
    assert found(PasswordGuessing(), failed_logons([f"u{i}" for i in range(30)], 25)) == []


def test_an_expired_service_password_is_no_spray() -> None:
    assert found(PasswordGuessing(), failed_logons(["svc"] * 12)) == []
    assert found(PasswordGuessing(), failed_logons(["svc"] * 25)) == [("brute_force", "T1110.001")]


@pytest.mark.parametrize("status", [0xC000006D, 0xC0000071, 0xC0000224, 0xC000015B])
def test_smb_logons_that_fail(status: int) -> None:
    seen = []
    for i in range(8):
        seen.append(packet(Ntlm, i, port=50000 + i, message="authenticate", user=f"u{i}"))
        seen.append(packet(Smb, i + 0.1, True, 50000 + i, dialect=2, command=1, is_response=True,
                           status=status))  # fmt: skip
    assert found(PasswordGuessing(), seen) == [("spray", "T1110.003")]


def binds(count: int, result: int, ntlm: bool = False) -> list:
    seen = []
    for i in range(count):
        port = 50000 + i
        name = "" if ntlm else f"cn=u{i},dc=hosp"
        seen.append(packet(Ldap, i, port=port, operation="bind", name=name))
        if ntlm:
            seen.append(packet(Ntlm, i, port=port, message="authenticate", user=f"u{i}"))
        seen.append(packet(Ldap, i + 0.1, True, port, operation="bind_answer", result=result))
    return seen


@pytest.mark.parametrize("ntlm", [True, False])
def test_directory_logons_that_fail(ntlm: bool) -> None:
    assert found(PasswordGuessing(), binds(8, 49, ntlm)) == [("spray", "T1110.003")]
    assert found(PasswordGuessing(), binds(7, 49, ntlm)) == []
    assert found(PasswordGuessing(), binds(20, 0, ntlm) + binds(20, 14, ntlm)) == []


def test_many_short_ssh_sessions() -> None:
    short = {"app": "ssh", "packets": 15, "reply_packets": 14, "reply_bytes": 3500}
    tries = [flow(CLIENT, SERVER, 22, i * 3, **short) for i in range(10)]
    assert found(PasswordGuessing(), flows=tries) == [("sessions", "T1110.001")]
    assert found(PasswordGuessing(), flows=tries[:9]) == []
    work = [flow(CLIENT, SERVER, 22, i, app="ssh", reply_bytes=90_000) for i in range(20)]
    assert found(PasswordGuessing(), flows=work) == []
    # A configuration tool: a command and some input each, little comes back.
    commands = [flow(CLIENT, SERVER, 22, i, **{**short, "bytes": 8200}) for i in range(60)]
    assert found(PasswordGuessing(), flows=commands) == []


def logons(app: str, starts: list[float], port: int = 22, **columns: int) -> list:
    shape = {"packets": 15, "bytes": 2200, "reply_packets": 14, "reply_bytes": 2900, **columns}
    return [flow(CLIENT, SERVER, port, at, app=app, seconds=0.3, **shape) for at in starts]


def test_sessions_that_begin_at_once_count_twice() -> None:
    assert found(PasswordGuessing(), flows=logons("ssh", [0, 0.1, 0.2, 0.3, 30, 30.1, 30.2])) == [
        ("sessions", "T1110.001")
    ]
    assert found(PasswordGuessing(), flows=logons("ssh", [0, 1, 5, 9, 30, 31, 35])) == []


def test_programs_that_log_on_by_themselves_are_silent() -> None:
    often = [i * 0.6 for i in range(50)]
    assert found(PasswordGuessing(), flows=logons("mysql", often, 3306, reply_bytes=900)) == []
    polls = [i * 20.0 for i in range(29)]
    assert found(PasswordGuessing(), flows=logons("imap", polls, 143)) == []
    guesses = [i * 0.2 for i in range(110)]
    assert found(PasswordGuessing(), flows=logons("mysql", guesses, 3306, reply_bytes=900)) == [
        ("sessions", "T1110.001")
    ]


def test_who_mostly_gets_in_does_not_guess() -> None:
    checks = logons("ssh", [i * 10.0 for i in range(12)])
    work = logons("ssh", [i * 30.0 for i in range(4)], reply_bytes=50_000)
    assert found(PasswordGuessing(), flows=checks + work) == []
    got_in = logons("ssh", [130.0], reply_bytes=50_000)
    assert found(PasswordGuessing(), flows=checks + got_in) == [("sessions", "T1110.001")]


def test_queries_of_all_sizes_are_no_guessing() -> None:
    sizes = [300 + 37 * (i % 40) for i in range(120)]
    queries = [
        row
        for i, size in enumerate(sizes)
        for row in logons("postgres", [i * 0.2], 5432, bytes=size, reply_bytes=size)
    ]
    assert found(PasswordGuessing(), flows=queries) == []


def test_what_was_usual_on_days_before_is_told_only_when_it_trebles() -> None:
    world, told = World(), []
    for day, count in enumerate([12, 12, 30, 50]):
        tries = logons("ssh", [day * 86_400 + i * 10.0 for i in range(count)])
        window = world.window(tries, start_s=day * 86_400, seconds=600)
        told.append(len(world.run(PasswordGuessing(), window)))
    assert told == [1, 0, 0, 0]  # 50 are less than thrice the thirty of the day before
    window = world.window(
        logons("ssh", [5 * 86_400 + i * 3.0 for i in range(160)]), start_s=5 * 86_400, seconds=600
    )
    assert len(world.run(PasswordGuessing(), window)) == 1


def tickets(spns: list[str], etype: int = 23) -> list:
    return [
        packet(Kerberos, i, True, message="tgs_rep", service=s, encryption=etype)
        for i, s in enumerate(spns)
    ]


def test_kerberoasting_is_rc4_for_several_services() -> None:
    spns = ["MSSQLSvc/a", "HTTP/b", "svc/c"]
    assert found(TicketAbuse(), tickets(spns)) == [("kerberoast", "T1558.003")]
    assert found(TicketAbuse(), tickets(spns[:2])) == []
    assert found(TicketAbuse(), tickets(spns, etype=18)) == []
    assert found(TicketAbuse(), tickets(["krbtgt/X"] * 5)) == []


def strong_asks(services: list[str], apart_s: float = 1.0) -> list:
    return [
        packet(Kerberos, i * apart_s, message="tgs_req", service=service, encryptions=(18, 17, 23))
        for i, service in enumerate(services)
    ]


def test_kerberoasting_with_strong_ciphers_is_many_accounts_at_once() -> None:
    accounts = [f"MSSQLSvc/db{i}.hosp.local:1433" for i in range(10)]
    assert found(TicketAbuse(), strong_asks(accounts)) == [("many_tickets", "T1558.003")]
    assert found(TicketAbuse(), strong_asks(accounts[:9])) == []
    assert found(TicketAbuse(), strong_asks(accounts, apart_s=30)) == []
    assert found(TicketAbuse(), strong_asks([f"cifs/fs{i}" for i in range(30)])) == []
    assert found(TicketAbuse(), strong_asks([f"PC{i}$" for i in range(30)])) == []


def probes(count: int, proven: bool) -> list:
    seen = []
    for i in range(count):
        port, name = 50000 + 2 * i, f"user{i}"
        seen.append(packet(Kerberos, i, port=port, message="as_req", client=name))
        seen.append(packet(Kerberos, i + 0.1, True, port, message="krb_error", error=25))
        if proven:
            ask = {"message": "as_req", "client": name, "has_preauth": True}
            seen.append(packet(Kerberos, i + 0.2, port=port + 1, **ask))
    return seen


def test_names_that_are_tried_and_left_are_sought() -> None:
    assert found(TicketAbuse(), probes(10, proven=False)) == [("name_probe", "T1087.002")]
    assert found(TicketAbuse(), probes(9, proven=False)) == []
    assert found(TicketAbuse(), probes(40, proven=True)) == []


def test_a_request_for_rc4_only_needs_one_service() -> None:
    ask = packet(Kerberos, message="tgs_req", service="MSSQLSvc/a", encryptions=(23,))
    old = packet(Kerberos, message="tgs_req", service="MSSQLSvc/a", encryptions=(23, 3, 1))
    new = packet(Kerberos, message="tgs_req", service="MSSQLSvc/a", encryptions=(18, 17, 23))
    assert found(TicketAbuse(), [ask]) == [("kerberoast", "T1558.003")]
    assert found(TicketAbuse(), [old, new]) == []


def test_an_rc4_ticket_though_aes_was_offered_is_told_until_it_is_usual() -> None:
    world, told = World(), []
    for client in range(6):
        ends = {"ip": f"10.0.3.{client}", "port": 50000, "peer_ip": SERVER, "peer_port": 88}
        back = {"ip": SERVER, "port": 88, "peer_ip": f"10.0.3.{client}", "peer_port": 50000}
        seen = [
            Kerberos(time_ns=START_NS, message="tgs_req", encryptions=(18, 23), **ends),
            Kerberos(time_ns=START_NS, message="tgs_rep", service="HTTP/x", encryption=23, **back),
        ]
        told += world.run(TicketAbuse(), world.window([], seen))
    assert [f.variant for f in told] == ["weak_service"] * 3


def test_an_old_domain_where_all_is_rc4_and_machine_accounts_are_silent() -> None:
    ends = {"ip": "10.0.3.1", "port": 50000, "peer_ip": SERVER, "peer_port": 88}
    back = {"ip": SERVER, "port": 88, "peer_ip": "10.0.3.1", "peer_port": 50000}

    def asked(encryptions: tuple[int, ...], *services: str) -> list:
        return [
            seen
            for service in services
            for seen in (
                Kerberos(time_ns=START_NS, message="tgs_req", encryptions=encryptions, **ends),
                Kerberos(
                    time_ns=START_NS, message="tgs_rep", service=service, encryption=23, **back
                ),
            )
        ]

    def variants(seen: list) -> set[str]:
        world = World()
        return {f.variant for f in world.run(TicketAbuse(), world.window([], seen))}

    accounts = ("MSSQLSvc/a.h.jp:1433", "HTTP/b", "svc_backup/c")
    assert variants(asked((23, 3, 1), *accounts)) == set()
    assert "kerberoast" in variants(asked((18, 23), *accounts))
    assert "kerberoast" not in variants(
        asked((18, 23), "cifs/a", "ldap/a", "LDAP/A.h.jp", "host/a")
    )


def as_rep(has_preauth: bool, etype: int) -> list:
    return [
        packet(Kerberos, message="as_req", client="svc", encryptions=(18, 23),
               has_preauth=has_preauth),
        packet(Kerberos, 1, True, message="as_rep", client="svc", encryption=etype),
    ]  # fmt: skip


def test_asrep_roasting_has_no_preauthentication() -> None:
    assert found(TicketAbuse(), as_rep(False, 23)) == [("asrep_roast", "T1558.004")]
    assert found(TicketAbuse(), as_rep(True, 23)) == []
    assert found(TicketAbuse(), as_rep(False, 18)) == []


def test_a_first_ticket_with_rc4_only() -> None:
    ask = packet(Kerberos, message="as_req", client="yamada", encryptions=(23,), has_preauth=True)
    assert found(TicketAbuse(), [ask]) == [("rc4_logon", "T1550.002")]


@pytest.mark.parametrize(
    ("text", "technique"),
    [
        ("(&(objectClass=user)(servicePrincipalName=*)(!samAccountName=krbtgt))", "T1558.003"),
        ("(userAccountControl:1.2.840.113556.1.4.803:=4194304)", "T1558.004"),
        ("(&(objectCategory=group)(cn=Domain Admins))", "T1069.002"),
        ("(&(samAccountType=805306368))", "T1087.002"),
        ("(objectCategory=computer)", "T1018"),
    ],
)
def test_questions_about_all(text: str, technique: str) -> None:
    search = packet(Ldap, operation="search", filter=text)
    assert found(DirectorySearch(), [search]) == [("ldap", technique)]


@pytest.mark.parametrize(
    "text",
    ["(objectClass=*)", "(&(objectClass=user)(sAMAccountName=yamada))", "(DnsDomain=x.local)",
     "(&(objectCategory=computer)(name=CT-1))", ""],
)  # fmt: skip
def test_questions_about_one_are_silent(text: str) -> None:
    assert found(DirectorySearch(), [packet(Ldap, operation="search", filter=text)]) == []


def test_a_search_of_everything_is_a_dump_if_the_answer_is_long() -> None:
    search = packet(Ldap, operation="search", base="DC=hosp,DC=local", filter="(objectclass=*)")
    answer = flow(CLIENT, SERVER, 389, app="ldap", reply_bytes=200_000)
    assert found(DirectorySearch(), [search], [answer]) == [("ldap", "T1087.002")]
    assert found(DirectorySearch(), [search], [flow(CLIENT, SERVER, 389, app="ldap")]) == []
    assert found(DirectorySearch(), [], [answer]) == []


def test_a_zone_transfer() -> None:
    query = {"transport": "tcp", "is_response": False, "name": "hosp.local"}
    axfr = packet(Dns, query_type="AXFR", **query)
    assert found(DirectorySearch(), [axfr]) == [("zone_transfer", "T1590.002")]
    assert found(DirectorySearch(), [packet(Dns, query_type="A", **query)]) == []


def test_a_ticket_in_the_controllers_own_name_is_nopac() -> None:
    """Machine accounts end in $, and no person is called like a controller."""
    name = packet(Ntlm, message="challenge", answer=True, server_name="DC01.hospital.example")
    logon = packet(Kerberos, 1, message="as_req", client="dc01", has_preauth=True)
    assert found(TicketAbuse(), [name, logon]) == [("controller_name", "T1068")]
    machine = packet(Kerberos, 1, message="as_req", client="DC01$", has_preauth=True)
    other = packet(Kerberos, 1, message="as_req", client="ward01", has_preauth=True)
    assert found(TicketAbuse(), [name, machine, other]) == []


def test_a_web_server_that_refuses_many_accounts_is_sprayed() -> None:
    """The 401 before a logon only asks for it; the one behind it refuses."""
    asked, refused = [], []
    for i in range(8):
        asked.append(packet(Ntlm, i, True, 50000 + i, message="refused"))
        asked.append(packet(Ntlm, i + 0.2, port=50000 + i, message="authenticate", user=f"u{i}"))
        refused.append(packet(Ntlm, i + 0.3, True, 50000 + i, message="refused"))
    assert found(PasswordGuessing(), [*asked, *refused]) == [("spray", "T1110.003")]
    assert found(PasswordGuessing(), asked) == []


def web_logons(count: int, kind: type, is_wrong: bool = True, port: int = 50000) -> list:
    """A client that is asked for a name each time, says one, and is refused (or not)."""
    said = "authenticate" if kind is Ntlm else "asked"
    seen = []
    for i in range(count):
        at = 10.0 * i
        seen.append(packet(Http, at, port=port, method="GET"))
        seen.append(packet(kind, at + 0.1, True, port, message="refused"))
        seen.append(packet(Http, at + 0.2, port=port, method="GET"))
        seen.append(packet(kind, at + 0.2, port=port, message=said, user=f"u{i}"))
        if is_wrong:
            seen.append(packet(kind, at + 0.3, True, port, message="refused"))
    return seen


@pytest.mark.parametrize("kind", [Ntlm, WebLogon])
def test_web_logons_are_refused_across_the_borders_of_windows(kind: type) -> None:
    world, detector = World(), PasswordGuessing()
    told = [f for one in web_logons(9, kind) for f in world.run(detector, world.window((), [one]))]
    assert [(f.variant, f.facts["accounts"]) for f in told] == [("spray", 8), ("spray", 9)]


def test_programs_that_show_their_name_only_when_asked_are_silent() -> None:
    assert found(PasswordGuessing(), web_logons(40, WebLogon, is_wrong=False)) == []


def test_several_binds_of_one_connection_fail_by_their_own_names() -> None:
    seen = []
    for i in range(8):
        seen.append(packet(Ldap, i, operation="bind", name=f"cn=u{i}"))
        seen.append(packet(Ldap, i + 0.1, True, operation="bind_answer", result=49))
    assert found(PasswordGuessing(), seen) == [("spray", "T1110.003")]
