"""The lists of facts read strictly, name their faults, and can be updated without Internet."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from collector.data import DataFault, oui_vendor, read_reference, update_data

RANGES = "# test\nprefix\tgateway\twhat\tweight\n"


def test_the_packaged_lists_read() -> None:
    reference = read_reference()
    assert len(reference.remote_tools) >= 150
    assert any(r.is_strong and str(r.gateway) == "192.168.137.1" for r in reference.tether_ranges)
    assert any(c.asn == 9605 and "spmode.ne.jp" in c.names for c in reference.carriers)
    assert {"modem", "mobile-router", "router"} == {row.kind for row in reference.modem_ouis}


def test_no_suffix_is_listed_twice() -> None:
    suffixes = [suffix for suffix, _ in read_reference().name_suffixes()]
    assert len(suffixes) == len(set(suffixes))


def test_the_longest_suffix_names_the_tool() -> None:
    reference = read_reference()
    tool = reference.tool_of("relay-1.net.AnyDesk.com.")
    assert tool is not None
    assert tool.app == "anydesk"
    assert reference.tool_of("notanydesk.com") is None


def test_an_updated_list_takes_the_packaged_ones_place(tmp_path: Path) -> None:
    file = tmp_path / "tether_ranges.tsv"
    file.write_text(RANGES + "10.9.0.0/24\t10.9.0.1\ta stick\tweak\n", encoding="utf-8")
    assert update_data(file, tmp_path / "state") == ["tether_ranges.tsv"]
    reference = read_reference(tmp_path / "state")
    assert [r.what for r in reference.tether_ranges] == ["a stick"]
    assert len(reference.remote_tools) >= 150


def test_every_fault_is_named_with_its_line_and_nothing_is_taken(tmp_path: Path) -> None:
    bundle = tmp_path / "lists.zip"
    faulty = RANGES + "10.9.0.0/24\t10.8.0.1\tx\tweak\n10.0.0.0/24\t10.0.0.1\tx\tmedium\nshort\n"
    with zipfile.ZipFile(bundle, "w") as out:
        out.writestr("lists/tether_ranges.tsv", faulty)
        out.writestr("lists/doh_resolvers.tsv", "operator\tsuffix\nX\tdoh.example.net\n")
    with pytest.raises(DataFault) as told:
        update_data(bundle, tmp_path / "state")
    lines = str(told.value).splitlines()
    assert [line.split(".tsv:")[1].split(":")[0] for line in lines] == ["3", "4", "5"]
    assert not (tmp_path / "state").exists()


def test_an_unknown_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.tsv"
    file.write_text("a\tb\n1\t2\n", encoding="utf-8")
    with pytest.raises(DataFault, match=r"other\.tsv.*not a list"):
        update_data(file, tmp_path / "state")


def test_a_zip_entry_cannot_leave_the_folder(tmp_path: Path) -> None:
    bundle = tmp_path / "lists.zip"
    with zipfile.ZipFile(bundle, "w") as out:
        out.writestr("../../doh_resolvers.tsv", "operator\tsuffix\nX\tdoh.example.net\n")
    assert update_data(bundle, tmp_path / "state") == ["doh_resolvers.tsv"]
    assert (tmp_path / "state" / "doh_resolvers.tsv").is_file()


def test_vendor_names_come_from_the_registry() -> None:
    assert "amaha" in oui_vendor(0x00A0DE000001).lower()
    assert oui_vendor(0x020000000001) == ""
    assert oui_vendor(0) == ""
