"""Makes the captures and the asset ledger: `python -m sample_pcaps.build [number or name …]`."""

from __future__ import annotations

import csv
import io
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from sample_pcaps.hospital import HOSTS
from sample_pcaps.wire import Span

FOLDER = Path(__file__).resolve().parent
_HEADERS = ("機器名", "IPアドレス", "MACアドレス", "役割", "部署", "ベンダ", "設置場所", "連絡先",
            "重要度", "スイッチ", "ポート")  # fmt: skip


def scripts() -> list[Path]:
    """Every script that stands beside its capture, in order."""
    return sorted(FOLDER.glob("*.pcap.py"))


def capture_of(script: Path) -> bytes:
    """Run one script's `record` and return the capture's bytes."""
    spec = spec_from_file_location("story_" + script.name.split("_")[0], script)
    if spec is None or spec.loader is None:
        raise ImportError(f"{script}: cannot be loaded")
    story = module_from_spec(spec)
    spec.loader.exec_module(story)
    span: Span = story.record()
    return span.pcap()


def asset_ledger() -> str:
    """The asset ledger (機器台帳) as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_HEADERS)
    for number, host in enumerate(HOSTS.values(), start=1):
        contact = f"内線{7000 + number}"
        writer.writerow(
            (host.name, host.ip, host.mac, host.role, host.department, host.vendor, host.place,
             contact, host.care_class, host.switch, host.switch_port)
        )  # fmt: skip
    return out.getvalue()


def main(wanted: list[str]) -> None:
    """Write the ledger and all captures, or those whose names start as asked."""
    (FOLDER / "assets.csv").write_text(asset_ledger(), encoding="utf-8")
    for script in scripts():
        if wanted and not script.name.startswith(tuple(wanted)):
            continue
        data = capture_of(script)
        script.with_suffix("").write_bytes(data)
        print(f"{script.with_suffix('').name}: {len(data):,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
