"""The same local account on several machines tells; domain accounts and refusals do not."""

from collector.sightings import Ntlm, Smb
from detector.lateral.shared_account import SharedLocalAccount
from tests.detector.windows import START_NS, S, World

CLIENT = "10.0.1.7"


def logon(server: int, domain: str = ".", status: int = 0, at: float = 0.0) -> list:
    ip, when = f"10.0.2.{server}", START_NS + int(at * S)
    ask = Ntlm(time_ns=when, ip=CLIENT, port=50000, peer_ip=ip, peer_port=445, domain=domain,
               message="authenticate", user="Administrator", workstation="PC-7")  # fmt: skip
    grant = Smb(time_ns=when + 1, ip=ip, port=445, peer_ip=CLIENT, peer_port=50000, dialect=2,
                command=1, is_response=True, status=status)  # fmt: skip
    return [ask, grant]


def found(*logons: list) -> list[int]:
    world = World()
    window = world.window([], [s for both in logons for s in both])
    return [len(f.targets) for f in world.run(SharedLocalAccount(), window)]


def test_three_machines_in_an_hour() -> None:
    assert found(logon(1), logon(2, "WORKGROUP"), logon(3, "PC-7")) == [3]
    assert found(logon(1), logon(2)) == []
    assert found(logon(1), logon(2, at=1800), logon(3, at=4000)) == []


def test_domain_accounts_and_refusals_are_silent() -> None:
    assert found(*[logon(i, "HOSP") for i in range(1, 6)]) == []
    assert found(*[logon(i, status=0xC000006D) for i in range(1, 6)]) == []
