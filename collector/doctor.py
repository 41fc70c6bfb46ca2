"""What this machine can and cannot see, and what to do about it."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from collector.lasting import PLACE
from collector.orphans import orphans
from collector.settings import CollectorSettings
from collector.shedding import why_shed
from collector.sources.flow_listener import FlowListener
from collector.sources.interface import InterfaceSource

Tone = Literal["ok", "look", "blind"]
_CAP_NET_RAW: Final = 13
_GIB: Final = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One line: `ok` is fine, `look` wants a look, `blind` means something is not seen."""

    tone: Tone
    topic: str
    ja: str
    en: str

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def examine(settings: CollectorSettings, state_dir: Path) -> Iterator[Finding]:
    """Look at the machine; nothing is changed and nothing is sent."""
    interfaces = [s for s in settings.sources if isinstance(s, InterfaceSource)]
    listeners = [s for s in settings.sources if isinstance(s, FlowListener)]
    yield from _sources(settings)
    if interfaces:
        yield _capability()
    for source in interfaces:
        yield from _interface(source.interface, source.ring_mib * source.workers)
    for listener in listeners:
        yield _receive_buffer(listener)
    yield _tshark(settings)
    yield _lasting(sum(s.workers for s in interfaces) * settings.fast_lane.max_flows)
    yield from left_over()
    yield _disk(state_dir, settings.live.spool_mib + settings.live.packets_mib)
    yield _memory(sum(s.ring_mib * s.workers for s in interfaces))
    yield _clock()


def _sources(settings: CollectorSettings) -> Iterator[Finding]:
    if not settings.sources:
        yield Finding(
            "blind", "sources",
            "入力が 1 つも設定されていません。設定ファイルに [[collector.sources]] を追加して"
            "ください。",
            "No source is set: add [[collector.sources]] to the settings file.",
        )  # fmt: skip
        return
    names = ", ".join(source.name for source in settings.sources)
    yield Finding("ok", "sources", f"入力：{names}", f"Sources: {names}")


def _capability() -> Finding:
    held = int(_status("CapEff") or "0", 16)
    if held >> _CAP_NET_RAW & 1:
        return Finding(
            "ok", "capability", "パケットを受信する権限があります。", "Packets may be captured."
        )
    return Finding(
        "blind", "capability",
        "パケットを受信する権限 CAP_NET_RAW がありません。systemd のユニットに "
        "AmbientCapabilities=CAP_NET_RAW を設定してください。",
        "The right to capture (CAP_NET_RAW) is missing: set AmbientCapabilities=CAP_NET_RAW in the "
        "systemd unit.",
    )  # fmt: skip


def _interface(name: str, ring_mib: int) -> Iterator[Finding]:
    topic = f"interface {name}"
    try:
        flags = _flags(name)
    except OSError:
        known = ", ".join(name for _, name in socket.if_nameindex())
        yield Finding(
            "blind", topic,
            f"インターフェース {name} がありません。あるのは {known} です。",
            f"There is no interface {name}; there are {known}.",
        )  # fmt: skip
        return
    if not flags & 1:
        yield Finding(
            "blind", topic,
            f"{name} が停止しています。ip link set {name} up を実行してください。",
            f"{name} is switched off: run ip link set {name} up.",
        )  # fmt: skip
        return
    if not flags & 0x40:
        yield Finding(
            "blind", topic,
            f"{name} がリンクしていません。ケーブルと相手側のポートを確認してください。",
            f"{name} has no link: look at the cable and the port at its other end.",
        )  # fmt: skip
        return
    yield Finding(
        "ok", topic,
        f"{name} はリンクしています（受信バッファ {ring_mib} MiB）。",
        f"{name} has a link (rings of {ring_mib} MiB).",
    )  # fmt: skip
    yield from _offloads(name, topic)


def _offloads(name: str, topic: str) -> Iterator[Finding]:
    """GRO and LRO glue packets together before we see them."""
    if shutil.which("ethtool") is None:
        yield Finding(
            "look", topic,
            f"{name} のオフロード設定を確認できません。ethtool を導入してください。",
            f"The offloads of {name} cannot be read: install ethtool.",
        )  # fmt: skip
        return
    told = _run("ethtool", "-k", name)
    glued = [
        short
        for short, long in (
            ("gro", "generic-receive-offload"),
            ("lro", "large-receive-offload"),
            ("rx-gro-hw", "rx-gro-hw"),
        )
        if f"{long}: on" in told
    ]
    if glued:
        off = " ".join(f"{short} off" for short in glued)
        yield Finding(
            "look", topic,
            f"{name} が受信パケットを結合しています（{', '.join(glued)}）。パケット数と長さが実際と"
            f"異なります。ethtool -K {name} {off} で止めてください。",
            f"{name} glues packets together ({', '.join(glued)}), so that their number and length "
            f"are not those of the wire: run ethtool -K {name} {off}.",
        )  # fmt: skip


def _receive_buffer(listener: FlowListener) -> Finding:
    most = int(_text("/proc/sys/net/core/rmem_max") or 0)
    wanted = listener.receive_mib << 20
    if most >= wanted:
        return Finding(
            "ok", listener.name, "UDP の受信バッファは足りています。", "The UDP buffer is as set."
        )
    return Finding(
        "look", listener.name,
        f"UDP の受信バッファが {most >> 10} KiB に制限されています。"
        f"sysctl net.core.rmem_max={wanted} を設定してください。",
        f"The UDP buffer is limited to {most >> 10} KiB: set sysctl net.core.rmem_max={wanted}.",
    )  # fmt: skip


def _tshark(settings: CollectorSettings) -> Finding:
    program = settings.deep_lane.program
    if settings.deep_lane.enabled and shutil.which(program):
        version = _run(program, "--version").splitlines()[:1]
        words = version[0] if version else program
        return Finding("ok", "tshark", words, words)
    return Finding(
        "blind", "tshark",
        "tshark が使えないため、SMB・リモート呼び出し・認証の中身が見えません。"
        "tshark パッケージを導入してください。",
        "tshark cannot be used: SMB, remote calls and logons are not seen inside. Install the "
        "package tshark.",
    )  # fmt: skip


def _lasting(flows: int) -> Finding:
    """Whether flows outlive a collector that is killed by force."""
    needed, place = flows * 192 + (256 << 20), PLACE
    free = shutil.disk_usage(place).free if place.is_dir() else 0
    if free >= needed:
        return Finding(
            "ok", "restart",
            "収集プロセスが強制終了しても、フローは失われません。",
            "No flow is lost if the collector is killed by force.",
        )  # fmt: skip
    return Finding(
        "look", "restart",
        f"{place} の空きが {free >> 20} MiB です（{needed >> 20} MiB 必要）。収集プロセスが強制終了"
        f"すると、進行中のフローが失われます。{place} を広げるか、max_flows を減らしてください。",
        f"{place} has {free >> 20} MiB free and {needed >> 20} are needed: open flows are lost if "
        f"the collector is killed by force. Enlarge {place}, or lower max_flows.",
    )  # fmt: skip


def left_over(place: Path = PLACE) -> Iterator[Finding]:
    """Shared memory of collectors whose state folder was deleted."""
    for orphan in orphans(place):
        room = f"{orphan.bytes / (1 << 20):.0f} MiB"
        ja = "次に収集を開始すると自動で削除します。"
        en = "The next collector that starts removes it."
        if orphan.is_in_use:
            ja = "収集プロセスがまだ動作しています。停止してください。"
            en = "A collector still runs there: stop it."
        yield Finding(
            "look", "memory",
            f"{orphan.folder} ({room}) の状態フォルダ {orphan.state_dir} がありません。{ja}",
            f"{orphan.folder} ({room}): its state folder {orphan.state_dir} is gone. {en}",
        )  # fmt: skip


def _disk(state_dir: Path, wanted_mib: int) -> Finding:
    folder = next(p for p in (state_dir, *state_dir.absolute().parents) if p.exists())
    free = shutil.disk_usage(folder).free
    enough = free > (wanted_mib << 20) + 5 * _GIB
    room = f"{free / _GIB:.0f} GiB"
    if enough:
        return Finding(
            "ok", "disk", f"{folder} の空きは {room} です。", f"{room} are free at {folder}."
        )
    return Finding(
        "look", "disk",
        f"{folder} の空きが {room} しかありません。スプールとパケット保存に {wanted_mib} MiB、"
        "通信記録にさらに必要です。",
        f"Only {room} are free at {folder}: spool and packets take {wanted_mib} MiB, and flows "
        "more.",
    )  # fmt: skip


def _memory(rings_mib: int) -> Finding:
    free_mib = int(_text("/proc/meminfo").partition("MemAvailable:")[2].split()[0]) >> 10
    tone: Tone = "ok" if free_mib > rings_mib + 2048 else "look"
    return Finding(
        tone, "memory",
        f"使えるメモリは {free_mib} MiB、受信バッファに {rings_mib} MiB 使います。",
        f"{free_mib} MiB of memory are free; rings take {rings_mib} MiB.",
    )  # fmt: skip


def _clock() -> Finding:
    """The kernel says whether something keeps its clock right (adjtimex)."""
    import ctypes

    room = ctypes.create_string_buffer(256)  # struct timex, mode 0: only read
    state = ctypes.CDLL(None).adjtimex(room)
    unsynchronized = struct.unpack_from("i", room.raw, 40)[0] & 0x40
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    if state >= 0 and state != 5 and not unsynchronized:
        return Finding(
            "ok", "clock", f"時刻は同期しています（{now}）。", f"The clock is kept right ({now})."
        )
    return Finding(
        "look", "clock",
        f"時刻が同期していません（現在 {now}）。chrony などで院内の NTP サーバーに合わせて"
        "ください。",
        f"Nothing keeps the clock right (it is {now}): point chrony at the hospital's NTP server.",
    )  # fmt: skip


def what_sources_said(health: Mapping[str, Any]) -> Iterator[Finding]:
    """The health note of a running collector, source by source."""
    for name, told in (health.get("sources") or {}).items():
        counts = f"{told['packets']:,} / {told['dropped']:,}"
        if told["state"] == "up":
            yield Finding("ok", name, f"受信 / 取りこぼし：{counts}", f"received / lost: {counts}")
        else:
            yield Finding("blind", name, told["why"]["ja"], f"{told['state']}: {told['why']['en']}")
        for exporter, counted in (told.get("exporters") or {}).items():
            tone: Tone = "look" if counted["lost"] or counted["malformed"] else "ok"
            yield Finding(
                tone, f"exporter {exporter}",
                f"フロー {counted['flows']:,}、欠落 {counted['lost']:,}、"
                f"不正 {counted['malformed']:,}",
                f"{counted['flows']:,} flows, {counted['lost']:,} lost, {counted['malformed']:,} "
                "malformed",
            )  # fmt: skip
    for lane, why in (health.get("blind") or {}).items():
        yield Finding("blind", lane, why["ja"], why["en"])
    for counter in ("shed", "detector_shed"):
        for cause, count in sorted((health.get(counter) or {}).items()):
            reason = why_shed(cause)
            yield Finding("look", cause, f"{count:,} 件。{reason.ja}", f"{count:,}: {reason.en}")


def cover(vlans: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """One line a VLAN (rows of `detector.coverage`): what of it is seen."""
    for row in vlans:
        seen, missing = row["seen"], row["blind"]
        tone: Tone = "ok" if {"unicast", "flow"} & set(seen) else "look" if seen else "blind"
        told = f"VLAN {row['vlan']} {row['name']}".strip()
        yield Finding(
            tone, told,
            f"見えている：{'・'.join(_KINDS_JA[kind] for kind in seen) or 'なし'}"
            f" / 見えていない：{'・'.join(_KINDS_JA[kind] for kind in missing) or 'なし'}",
            f"seen: {', '.join(seen) or 'nothing'}; not seen: {', '.join(missing) or 'nothing'}",
        )  # fmt: skip


_KINDS_JA: Final = {
    "broadcast": "ブロードキャスト", "unicast": "機器間の通信", "flow": "フロー記録",
}  # fmt: skip


def _flags(name: str) -> int:
    from collector.live.ring import interface_flags

    return interface_flags(name)


def _status(field: str) -> str:
    lines = _text(f"/proc/{os.getpid()}/status").splitlines()
    return next((line.split()[1] for line in lines if line.startswith(field)), "")


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout
