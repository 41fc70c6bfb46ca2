"""The asset ledger comes in as people keep it and goes out as it came."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from detector.hospital import Asset
from detector.ledger import read_ledger, read_role, write_ledger

ASSET = Asset(
    ip="192.168.10.21",
    mac="00:11:22:aa:bb:cc",
    name="CT-2",
    role="modality",
    department="放射線科",
    vendor="A社",
    place="本館1階 CT室",
    contact="内線 1234",
    care_class="C2",
    switch="SW-1F-1",
    switch_port="Gi1/0/5",
    private_nics=("10.254.0.1", "00:11:22:aa:bb:cd"),
    os="Windows 10 IoT",
    maintenance="リモート保守あり",
    note="-5度以下で使用不可",
)


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_goes_out_as_it_came(language: str, form: str) -> None:
    bare = Asset(ip="2001:db8::1")
    assets, faults = read_ledger(write_ledger([ASSET, bare], language, form))  # type: ignore[arg-type]
    assert faults == []
    assert assets == [ASSET, bare]


def test_reads_what_hospitals_write() -> None:
    text = (
        "機器名,ＩＰアドレス,MAC,設置場所,部署,ベンダ,OS,保守,役割,連絡先,購入年\n"
        "CT-1,１９２.１６８.１０.２０,00-11-22-AA-BB-CC,CT室,放射線科,A社,Win10,B社,撮影装置,1234,2019\n"
        "PC-5,192.168.10.50,,2東,看護部,,,,端末,,\n"
    )
    assets, faults = read_ledger(text.encode("cp932"))
    assert faults == []
    assert (assets[0].ip, assets[0].role, assets[0].os) == ("192.168.10.20", "modality", "Win10")
    assert assets[0].note == "購入年: 2019"
    assert assets[1].place == "2東"
    assert assets[1].vendor == ""


@pytest.mark.parametrize("language", ["ja", "en"])
def test_reads_roles_as_the_console_writes_them(language: str) -> None:
    messages = Path(__file__).parents[2] / f"dashboards/messages/{language}.toml"
    roles = tomllib.loads(messages.read_text(encoding="utf-8"))["role"]
    assert {name: read_role(label) for name, label in roles.items()} == {n: n for n in roles}


@pytest.mark.parametrize(
    ("words", "role"),
    [
        ("プリントサーバ", "server"), ("複合機", "printer"), ("人工呼吸器", "medical_device"),
        ("一般撮影装置", "modality"), ("オーダ端末", "terminal"), ("無線LAN親機", "network_device"),
        ("脆弱性スキャナ", "scanner"), ("その他", "unknown"), ("RIS", "server"),
    ],
)  # fmt: skip
def test_reads_kinds_of_machines_in_other_words(words: str, role: str) -> None:
    assert read_role(words) == role


def test_names_every_faulty_row() -> None:
    text = (
        "ホスト名,IPアドレス,MAC,役割\n"
        "A,192.168.10.1,xx,端末\n"
        "B,,,\n"
        "C,192.168.10.3,,電話交換機\n"
        "D,192.168.10.4,,\n"
        "E,192.168.10.4,,\n"
    )
    assets, faults = read_ledger(text.encode())
    assert [a.name for a in assets] == ["D"]
    assert [(f.row, f.column) for f in faults] == [
        (2, "MACアドレス"), (3, "IPアドレス"), (4, "役割"), (6, "IPアドレス"),
    ]  # fmt: skip
    assert all(f.raw for f in faults)
