"""The server under TLS, on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from api.app import create_app
from api.passwords import Passwords
from api.server import make_server
from api.settings import ApiSettings
from api.web.patience import PatientProtocol
from tests.api.house import House


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mimawari")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


@asynccontextmanager
async def running(house: House, settings: ApiSettings) -> AsyncIterator[int]:
    """The server on a free port of loopback."""
    server = make_server(create_app(settings, house.store, now_ns=house.clock), settings)
    server.config.port = 0
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done(), "the server did not start"
        await asyncio.sleep(0)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


async def test_a_login_under_tls_gets_a_cookie_for_this_host_only(
    house: House, certificate: tuple[Path, Path], make_settings: Callable[..., ApiSettings]
) -> None:
    house.accounts.add("nurse", "Nurse", ["viewer"], "ja", Passwords().hash("correct horse bat"))
    settings = make_settings(tls_cert=certificate[0], tls_key=certificate[1])
    async with running(house, settings) as port:
        trust = ssl.create_default_context(cafile=str(certificate[0]))
        async with httpx.AsyncClient(base_url=f"https://127.0.0.1:{port}", verify=trust) as client:
            body = {"login": "nurse", "password": "correct horse bat"}
            origin = {"Origin": f"https://127.0.0.1:{port}"}
            answer = await client.post("/api/v1/login", json=body, headers=origin)
            me = await client.get("/api/v1/me")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-mimawari=")
    assert "Secure" in cookie
    assert "Domain" not in cookie
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert "server" not in answer.headers
    assert me.json()["login"] == "nurse"


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionResetError):
            await writer.wait_closed()


async def the_end_of(reader: asyncio.StreamReader) -> bool:
    """Whether the server hangs up without a word."""
    async with asyncio.timeout(20):
        try:
            return await reader.read() == b""
        except ConnectionResetError:
            return True


_HEAD = b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n"


@pytest.mark.parametrize("sent", [b"", b"GET / HT", _HEAD, _HEAD + b"\r\n{"])
async def test_a_request_that_never_comes_whole_is_hung_up_on(
    house: House,
    make_settings: Callable[..., ApiSettings],
    monkeypatch: pytest.MonkeyPatch,
    sent: bytes,
) -> None:
    monkeypatch.setattr(PatientProtocol, "patience_s", 0.1)
    async with running(house, make_settings()) as port, connection(port) as (reader, writer):
        writer.write(sent)
        assert await the_end_of(reader)


async def test_a_slow_answer_is_waited_for(
    house: House, make_settings: Callable[..., ApiSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PatientProtocol, "patience_s", 0.05)
    cookie = f"mimawari={house.accounts.start_session('viewer1')}"
    async with running(house, make_settings(stream_poll_s=1)) as port:
        asked = f"GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n"
        async with connection(port) as (reader, writer):
            writer.write(asked.encode())
            async with asyncio.timeout(20):
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):  # ten times the patience, and it goes on
                    while await reader.read(1000):
                        pass


async def test_one_address_takes_not_all_connections(
    house: House, make_settings: Callable[..., ApiSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PatientProtocol, "most_of_one", 3)
    async with running(house, make_settings()) as port, AsyncExitStack() as held:
        first, *_, last = [await held.enter_async_context(connection(port)) for _ in range(4)]
        assert await the_end_of(last[0])
        first[1].write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(20):
            assert (await first[0].readline()).startswith(b"HTTP/1.1 200")
