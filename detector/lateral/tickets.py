"""Kerberos tickets (LM-5): tickets asked for so that passwords can be cracked or hashes be used."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from pydantic import Field

from collector.sightings import Kerberos, Ntlm
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.lateral.calls import flow_of
from detector.words import Text, Wording

_RC4: Final = frozenset({23, 24, -133, -128, -135})
_DES: Final = frozenset({1, 2, 3})
_AES: Final = frozenset({17, 18, 19, 20})
_RC4_HMAC: Final = 23
_PROOF_WANTED: Final = 25  # KDC_ERR_PREAUTH_REQUIRED
_MINUTE_NS: Final = 60_000_000_000

_NEXT_STEP = Text(
    ja="情報システム責任者に連絡し、対象のサービス用アカウント（{services}）"
    "のパスワードを長い乱数に変更して"
    "ください。{source} の利用者と、実行中のプログラムを確認してください。",
    en="Tell the head of IT, change the passwords of the accounts named ({services}) to long "
    "random "
    "ones, and find out who uses {source} and which program runs on it.",
)

_MACHINE_SERVICES: Final = frozenset(
    {"cifs", "ldap", "host", "gc", "dns", "rpcss", "rpc", "wsman", "termsrv", "protectedstorage",
     "restrictedkrbhost", "e3514235-4b06-11d1-ab04-00c04fc2dcd2", "nfs", "dfsr"}
)  # fmt: skip


@dataclass
class _Client:
    """What one client asked one domain controller for."""

    rc4_services: OrderedDict[str, int] = field(default_factory=OrderedDict)  # SPN → when
    asked_rc4_only: set[str] = field(default_factory=set)
    no_preauth: OrderedDict[str, int] = field(default_factory=OrderedDict)  # account → when
    asked: OrderedDict[str, int] = field(default_factory=OrderedDict)  # accounts' services → when
    unproven: OrderedDict[str, int] = field(default_factory=OrderedDict)  # asked for proof → when


@dataclass
class _Memory:
    clients: OrderedDict[tuple[str, str], _Client] = field(default_factory=OrderedDict)
    asked: OrderedDict[tuple[str, int, str], Kerberos] = field(default_factory=OrderedDict)
    weak_users: OrderedDict[str, set[str]] = field(default_factory=OrderedDict)  # SPN → clients
    names: OrderedDict[str, str] = field(default_factory=OrderedDict)  # server → its name


class TicketAbuse(Detector):
    """Kerberos tickets that serve an attacker: kerberoasting, AS-REP roasting, overpass-the-hash.

    Kerberoasting shows by RC4 tickets for three or more services in ten minutes, or by a request
    that offers only RC4 (no AES, no DES) for a service account: today's systems offer AES first,
    old ones also DES. AS-REP roasting shows by an answer to a request without pre-authentication,
    RC4 or for two or more accounts. Tickets for ten services' accounts within a minute are told
    whatever their cipher, and so are ten accounts that were tried without a password and left at
    that, which is how valid names are sought. A first ticket asked for with RC4 only is how a
    stolen NTLM hash is turned into a ticket. A ticket asked for in a domain controller's own name,
    without the $ of machine accounts, is how an account that was renamed becomes it (NoPac).

    Why it matters: service accounts often have old, weak passwords and administrator's rights.

    False alarms: old modalities that know only RC4; accept them by role. Encrypted channels
    (Kerberos armoring) hide the details.
    """

    id = "ticket_abuse"
    category: ClassVar[Category] = "credential_access"
    techniques = ("T1558",)
    reads = Reads(sightings=(Kerberos, Ntlm))
    wordings = {
        "kerberoast": Wording(
            Text(
                "{source} がサービス用アカウントの弱い暗号のチケットを要求しています（Kerberoastin"
                "g）",
                "{source} asks for weakly encrypted tickets of service accounts (Kerberoasting)",
            ),
            Text(
                "チケットを持ち帰ってパスワードを解読する攻撃です。対象：{services}。",
                "The tickets are taken home to crack the passwords. Services: {services}.",
            ),
            _NEXT_STEP,
        ),
        "asrep_roast": Wording(
            Text(
                "{source} が事前認証なしのアカウントの情報を取得しました（AS-REP Roasting）",
                "{source} fetched answers for accounts without pre-authentication (AS-REP "
                "roasting)",
            ),
            Text(
                "返された情報からパスワードを解読できます。対象：{services}。",
                "The answers let passwords be cracked. Accounts: {services}.",
            ),
            _NEXT_STEP,
        ),
        "many_tickets": Wording(
            Text(
                "{source} が 1 分間に {count} 個のサービス用アカウントのチケットを要求しました",
                "{source} asked for tickets of {count} service accounts within a minute",
            ),
            Text(
                "暗号は強くても、持ち帰ってパスワードを解読する攻撃（Kerberoasting）の形です。"
                "監視ソフトなどが多くのサーバーに続けて接続するときにも見られます。"
                "対象：{services}。",
                "It has the form of Kerberoasting even though the cipher is strong: tickets are "
                "taken home to crack the passwords. A monitoring program that connects to many "
                "servers at once looks alike. Services: {services}.",
            ),
            _NEXT_STEP,
        ),
        "name_probe": Wording(
            Text(
                "{source} が {count} 個のアカウント名の有無を {target} で調べています",
                "{source} is trying {count} account names on {target}",
            ),
            Text(
                "パスワードを示さずにログオンを始め、名前が実在するかだけを確かめています。"
                "パスワードスプレーや AS-REP Roasting の下調べです。名前：{services}。",
                "Logons are begun without a password, only to learn whether the name exists: the "
                "preparation of a password spray or of AS-REP roasting. Names: {services}.",
            ),
            _NEXT_STEP,
        ),
        "weak_service": Wording(
            Text(
                "{source} が RC4 で暗号化されたサービスチケットを受け取りました（{services}）",
                "{source} received an RC4 service ticket ({services})",
            ),
            Text(
                "AES を求めたのに弱い RC4 で返されました。サービス用アカウントの設定が古く、"
                "パスワードを"
                "解読されるおそれがあります（Kerberoasting の標的）。攻撃とは限りません。",
                "AES was offered, weak RC4 came back: the service account is set up in an old way "
                "and its password can be cracked (Kerberoasting). Not necessarily an attack.",
            ),
            _NEXT_STEP,
        ),
        "controller_name": Wording(
            Text(
                "{source} が {target} 自身の名前（{services}）でチケットを要求しました（NoPac）",
                "{source} asked {target} for a ticket in that controller's own name "
                "({services} without $, NoPac)",
            ),
            Text(
                "別のアカウントをドメインコントローラーと同じ名前に変え、その権限を奪う攻撃です"
                "（CVE-2021-42278、42287）。人の利用者がこの名前を使うことはありません。",
                "An account was renamed after the domain controller in order to get its rights "
                "(CVE-2021-42278, 42287). No person's account has this name.",
            ),
            Text(
                "直ちに情報システム責任者に電話し、{source} を LAN から外してください。"
                "最近作られたか改名されたコンピューターアカウントを調べ、{target} に"
                "更新プログラムを当てます。",
                "Phone the head of IT at once and take {source} off the LAN. Look for computer "
                "accounts that were made or renamed of late, and patch {target}.",
            ),
        ),
        "rc4_logon": Wording(
            Text(
                "{source} が RC4 だけを使ってチケットを要求しました（アカウント：{services}）",
                "{source} asked for a ticket with RC4 only (account: {services})",
            ),
            Text(
                "盗んだパスワードハッシュでなりすます手口（Overpass-the-Hash）の特徴です。現在の "
                "Windows は"
                "より強い暗号を先に要求します。",
                "The mark of using a stolen password hash (overpass-the-hash): today's Windows "
                "offers stronger ciphers first.",
            ),
            _NEXT_STEP,
        ),
    }

    known_clients: int = Field(
        default=4, ge=2, description="clients after which a service with RC4 is taken for usual"
    )
    many_services: int = Field(
        default=10, ge=3, description="services' accounts asked for in a minute"
    )
    probed_names: int = Field(
        default=10, ge=3, description="accounts tried without a password in ten minutes"
    )
    least_services: int = Field(default=3, ge=2, description="RC4 services in ten minutes")

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        for logon in window.of(Ntlm):
            if logon.message == "challenge" and logon.server_name:
                memory.names[logon.ip] = logon.server_name.split(".")[0].lower()
        for ticket in window.of(Kerberos):
            if ticket.message == "as_req" and ticket.client:
                yield from self._renamed(memory, ticket)
            if ticket.message in ("as_req", "tgs_req"):
                memory.asked[ticket.ip, ticket.port, ticket.peer_ip] = ticket
                if ticket.message == "as_req" and _offers_only_rc4(ticket):
                    yield self._finding(
                        ticket, ticket.ip, ticket.peer_ip, "rc4_logon", 60.0, [ticket.client],
                        ("T1550.002", "T1558"),
                    )  # fmt: skip
                elif ticket.message == "tgs_req" and _offers_only_rc4(ticket):
                    yield from self._service(memory, ticket, ticket.ip, ticket.peer_ip, True)
                elif ticket.message == "tgs_req":
                    yield from self._many(memory, ticket)
                if ticket.message == "as_req" and ticket.has_preauth:
                    self._client(memory, ticket).unproven.pop(ticket.client.lower(), None)
                continue
            asked = memory.asked.get((ticket.peer_ip, ticket.peer_port, ticket.ip))
            if ticket.message == "tgs_rep" and ticket.encryption == _RC4_HMAC:
                # Who offers DES and RC4 but no AES lives in an old domain, where all is RC4.
                if asked is None or set(asked.encryptions) & _AES or _offers_only_rc4(asked):
                    yield from self._service(memory, ticket, ticket.peer_ip, ticket.ip, False)
                if asked is not None and set(asked.encryptions) & _AES:
                    yield from self._weak_service(memory, ticket)
            elif ticket.message == "as_rep" and asked is not None and not asked.has_preauth:
                yield from self._roasted(memory, ticket)
            elif ticket.error == _PROOF_WANTED and asked is not None and not asked.has_preauth:
                yield from self._probed(memory, asked)
        while len(memory.clients) > 50_000:
            memory.clients.popitem(last=False)
        while len(memory.weak_users) > 20_000:
            memory.weak_users.popitem(last=False)
        while len(memory.asked) > 50_000:
            memory.asked.popitem(last=False)
        while len(memory.names) > 20_000:
            memory.names.popitem(last=False)

    def _renamed(self, memory: _Memory, asked: Kerberos) -> Iterator[Finding]:
        """A logon in the name of the very controller that is asked, as NTLM tells that name."""
        if asked.client.lower() == memory.names.get(asked.peer_ip) and asked.ip != asked.peer_ip:
            yield self._finding(
                asked, asked.ip, asked.peer_ip, "controller_name", 90.0, [asked.client],
                ("T1068", "T1558"),
            )  # fmt: skip

    def _service(
        self, memory: _Memory, ticket: Kerberos, client: str, server: str, rc4_only: bool
    ) -> Iterator[Finding]:
        service = ticket.service
        if not service or service.lower().startswith("krbtgt"):
            return
        service = _account_of(service)
        past = memory.clients.setdefault((client, server), _Client())
        if service:
            past.rc4_services[service] = ticket.time_ns
            if rc4_only:
                past.asked_rc4_only.add(service)
        recent = [s for s, t in past.rc4_services.items() if ticket.time_ns - t <= 600_000_000_000]
        if len(past.rc4_services) > 1000:
            past.rc4_services.popitem(last=False)
        is_account = bool(service) and not service.split("/")[0].endswith("$")
        if len(recent) >= self.least_services:
            yield self._finding(ticket, client, server, "kerberoast", 75.0, recent, ("T1558.003",))
        elif is_account and service in past.asked_rc4_only:
            yield self._finding(ticket, client, server, "kerberoast", 65.0, recent, ("T1558.003",))

    def _weak_service(self, memory: _Memory, ticket: Kerberos) -> Iterator[Finding]:
        """RC4 although AES was offered: the service runs under an account that can be cracked.

        A service that several clients use this way is just an old account, not an attack.
        """
        service, client = ticket.service, ticket.peer_ip
        if not service or service.lower().startswith("krbtgt"):
            return
        clients = memory.weak_users.setdefault(service, set())
        if len(clients) < self.known_clients:
            clients.add(client)
        if len(clients) < self.known_clients:
            yield self._finding(
                ticket, client, ticket.ip, "weak_service", 45.0, [service], ("T1558.003",)
            )

    def _client(self, memory: _Memory, asked: Kerberos) -> _Client:
        """What the sender of a request asked its domain controller so far."""
        return memory.clients.setdefault((asked.ip, asked.peer_ip), _Client())

    def _many(self, memory: _Memory, asked: Kerberos) -> Iterator[Finding]:
        """Tickets for many accounts of services at once, by a strong cipher."""
        account = "" if asked.service.lower().startswith("krbtgt") else _account_of(asked.service)
        if not account or account.endswith("$"):
            return
        recent = _latest(self._client(memory, asked).asked, account, asked.time_ns, _MINUTE_NS)
        if len(recent) >= self.many_services:
            score = min(70.0, 45.0 + len(recent))
            yield self._finding(
                asked, asked.ip, asked.peer_ip, "many_tickets", score, recent, ("T1558.003",)
            )

    def _probed(self, memory: _Memory, asked: Kerberos) -> Iterator[Finding]:
        """Names that were tried and answered, and to which no password followed."""
        unproven = self._client(memory, asked).unproven
        recent = _latest(unproven, asked.client.lower(), asked.time_ns, 10 * _MINUTE_NS)
        if len(recent) >= self.probed_names:
            yield self._finding(
                asked, asked.ip, asked.peer_ip, "name_probe", 65.0, recent,
                ("T1087.002", "T1558.004"),
            )  # fmt: skip

    def _roasted(self, memory: _Memory, ticket: Kerberos) -> Iterator[Finding]:
        client, server = ticket.peer_ip, ticket.ip
        past = memory.clients.setdefault((client, server), _Client())
        past.no_preauth[ticket.client] = ticket.time_ns
        if len(past.no_preauth) > 1000:
            past.no_preauth.popitem(last=False)
        recent = [a for a, t in past.no_preauth.items() if ticket.time_ns - t <= 600_000_000_000]
        if ticket.encryption == _RC4_HMAC or len(recent) >= 2:
            yield self._finding(ticket, client, server, "asrep_roast", 75.0, recent, ("T1558.004",))

    def _finding(
        self,
        ticket: Kerberos,
        client: str,
        server: str,
        variant: str,
        score: float,
        services: list[str],
        techniques: tuple[str, ...],
    ) -> Finding:
        return Finding(
            source=client,
            targets=(server,),
            score=score,
            confidence=0.85,
            first_ns=ticket.time_ns,
            last_ns=ticket.time_ns,
            facts={"services": services[:20], "count": len(services)},
            variant=variant,
            techniques=techniques,
            app="kerberos",
            flows=(flow_of(ticket, from_server=ticket.ip == server),),
        )


def _latest(seen: OrderedDict[str, int], name: str, now_ns: int, span_ns: int) -> list[str]:
    """Note a name; returns those of the last `span_ns`, the others are forgotten."""
    seen[name] = now_ns
    seen.move_to_end(name)
    while len(seen) > 1000 or now_ns - next(iter(seen.values())) > span_ns:
        seen.popitem(last=False)
    return list(seen)


def _account_of(service: str) -> str:
    """What tells services of one account apart; "" for those of a machine's own account.

    A machine's own services carry a long random password that nobody cracks.
    """
    kind, slash, host = service.lower().partition("/")
    if not slash:
        return kind
    if kind in _MACHINE_SERVICES:
        return ""
    return f"{kind}/{host.split('/')[0].split(':')[0].split('.')[0]}"


def _offers_only_rc4(ticket: Kerberos) -> bool:
    """RC4 alone: today's clients offer AES, old ones DES beside it."""
    offered = set(ticket.encryptions)
    return _RC4_HMAC in offered and not offered & (_AES | _DES)
