"""Flows agree with those of Zeek, Arkime and ipfixprobe on captures that have their output."""

from pathlib import Path

import pytest

from bench.truth_flows import Agreement, compare_arkime, compare_ipfixprobe, compare_zeek

#: Words of docs/flow-truth.md's table that cover a capture where Zeek's log is known to differ.
EXPLAINED = {
    "zeek_tunnels_gre-aruba-amsdu.pcap": "Zeek ran bare",
}


def unexplained(agreement: Agreement) -> list[str]:
    return [line for line in agreement.differences if line.split(":")[0] not in EXPLAINED]


def test_every_difference_to_zeek_is_explained(captures: Path) -> None:
    agreement = compare_zeek(captures)
    if not agreement.total:
        pytest.skip("no Zeek logs beside the captures")
    assert unexplained(agreement) == []


def test_arkime_counts_the_same_packets(captures: Path) -> None:
    agreement = compare_arkime(captures)
    if not agreement.total:
        pytest.skip("no Arkime sessions beside the captures")
    assert agreement.share >= 0.99, agreement.differences


def test_ipfixprobe_counts_the_same_packets(captures: Path) -> None:
    agreement = compare_ipfixprobe(captures)
    if not agreement.total:
        pytest.skip("no ipfixprobe output beside the captures")
    assert agreement.share == 1, agreement.differences


def test_the_explanations_are_written_down() -> None:
    text = (Path(__file__).parents[2] / "docs" / "flow-truth.md").read_text()
    assert [words for words in EXPLAINED.values() if words not in text] == []
