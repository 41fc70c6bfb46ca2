"""The server under TLS, on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
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


async def test_a_login_under_tls_gets_a_cookie_for_this_host_only(
    house: House, certificate: tuple[Path, Path], make_settings: Callable[..., ApiSettings]
) -> None:
    house.accounts.add("nurse", "Nurse", ["viewer"], "ja", Passwords().hash("correct horse bat"))
    settings = make_settings(tls_cert=certificate[0], tls_key=certificate[1])
    server = make_server(create_app(settings, house.store, now_ns=house.clock), settings)
    server.config.port = 0
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done(), "the server did not start"
        await asyncio.sleep(0)
    port = server.servers[0].sockets[0].getsockname()[1]
    trust = ssl.create_default_context(cafile=str(certificate[0]))
    async with httpx.AsyncClient(base_url=f"https://127.0.0.1:{port}", verify=trust) as client:
        body = {"login": "nurse", "password": "correct horse bat"}
        origin = {"Origin": f"https://127.0.0.1:{port}"}
        answer = await client.post("/api/v1/login", json=body, headers=origin)
        me = await client.get("/api/v1/me")
    server.should_exit = True
    await running
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-mimawari=")
    assert "Secure" in cookie
    assert "Domain" not in cookie
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert "server" not in answer.headers
    assert me.json()["login"] == "nurse"
