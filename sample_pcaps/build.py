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
_HEADERS = ("ホスト名", "IPアドレス", "MACアドレス", "役割", "部署", "ベンダ", "設置場所", "連絡先",
            "ケア影響度", "接続スイッチ", "スイッチポート")  # fmt: skip
_ROLES = {
    "terminal": "電子カルテ端末", "server": "部門サーバ", "emr_server": "電子カルテサーバ",
    "database": "DBサーバ", "domain_controller": "ADサーバ", "dhcp": "DHCPサーバ",
    "file_server": "ファイルサーバ", "pacs": "PACSサーバ", "modality": "モダリティ",
    "viewer": "読影端末", "hl7_engine": "連携サーバ", "analyser": "分析装置", "pharmacy": "調剤",
    "printer": "プリンタ", "gateway": "ファイアウォール", "scanner": "脆弱性診断",
    "backup": "バックアップサーバ", "admin": "管理端末", "vendor_landing": "保守端末",
    "vendor_router": "保守用ルータ", "wsus": "WSUS",
}  # fmt: skip


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
        who = (host.name, host.ip, host.mac, _ROLES[host.role], host.department, host.vendor)
        where = (host.place, f"内線{7000 + number}", host.care_class, host.switch, host.switch_port)
        writer.writerow(who + where)
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
