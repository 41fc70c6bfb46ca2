"""Changes of the directory by LDAP, from hand-made packets."""

import pytest

from collector.apps import APP_CODE
from collector.sightings import Ldap
from detector.detection import Finding
from detector.lateral.directory_change import DirectoryChange
from tests.detector.windows import START_NS, World, flow

CLIENT, SERVER = "10.0.1.7", "10.0.2.9"


def change(*attributes: str, operation: str = "modify", entry: str = "CN=DC1,DC=hosp") -> Ldap:
    return Ldap(time_ns=START_NS, ip=CLIENT, port=50000, peer_ip=SERVER, peer_port=389,
                operation=operation, base=entry, attributes=attributes)  # fmt: skip


def found(*changes: Ldap, world: World | None = None) -> list[Finding]:
    world = world or World()
    return world.run(DirectoryChange(), world.window([], changes))


@pytest.mark.parametrize(
    ("told", "variant", "technique"),
    [
        (change("msDS-KeyCredentialLink"), "take_over", "T1556"),
        (change("msDS-AllowedToActOnBehalfOfOtherIdentity"), "take_over", "T1134.001"),
        (change("nTSecurityDescriptor", entry="DC=hosp"), "take_over", "T1222.001"),
        (change("servicePrincipalName", entry="CN=svc"), "change", "T1558.003"),
        (change("member", entry="CN=Domain Admins"), "change", "T1098.007"),
        (change("objectClass", "objectClass=computer", operation="add"), "change", "T1136.002"),
    ],
)
def test_what_takes_an_account_over_is_told(told: Ldap, variant: str, technique: str) -> None:
    (finding,) = found(told)
    assert (finding.variant, finding.source, finding.targets) == (variant, CLIENT, (SERVER,))
    assert technique in finding.techniques
    assert finding.facts["entry"] == told.base


def test_what_people_change_every_day_is_silent() -> None:
    assert found(change("telephoneNumber", "description"), change("objectClass=user")) == []
    assert found(change("servicePrincipalName", operation="search")) == []


@pytest.mark.parametrize("role", ["domain_controller", "directory_sync"])
def test_who_keeps_the_directory_is_silent(role: str) -> None:
    world = World()
    world.hosts.at(CLIENT).role = role
    assert found(change("msDS-KeyCredentialLink"), change("member"), world=world) == []


def test_administrators_are_told_only_of_what_takes_over() -> None:
    world = World()
    world.hosts.at(CLIENT).role = "admin"
    told = found(change("member"), change("msDS-AllowedToActOnBehalfOfOtherIdentity"), world=world)
    assert [(f.variant, f.score) for f in told] == [("take_over", 56)]


def test_a_machine_that_joins_names_its_own_services() -> None:
    world = World()
    world.hosts.at(CLIENT).names["CT-CONSOLE.hosp.local"] = START_NS
    own = change("servicePrincipalName", entry="CN=ct-console,OU=CT,DC=hosp")
    assert found(own, world=world) == []
    others = change("servicePrincipalName", entry="CN=svc-backup,DC=hosp")
    assert len(found(others, world=world)) == 1


def test_an_approved_edge_counts_less() -> None:
    world = World()
    world.age(1, flow(CLIENT, SERVER, 389, app="ldap"))
    world.edges.approve(CLIENT, SERVER, APP_CODE["ldap"])
    assert [f.score for f in found(change("member"), world=world)] == [pytest.approx(16.5)]
