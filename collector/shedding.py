"""Why something was shed, and what to do about it: words for every cause that is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from collector.packet import Pick


@dataclass(frozen=True)
class Reason:
    """Causes that begin with `cause` (or end with it, where it starts with …), in words."""

    cause: str
    ja: str
    en: str

    def fits(self, told: str) -> bool:
        if self.cause.startswith("…"):
            return told.endswith(self.cause[1:])
        if self.cause == _PICKED:
            return told.upper() in Pick.__members__ and told not in ("deep", "export")
        return told.startswith(self.cause)


#: Stands for every kind of packet that the fast lane picks for a decoder (`Pick`).
_PICKED: Final = "picked"

#: The first that fits counts.
REASONS: Final = (
    Reason(
        "…: ring full",
        "受信バッファがあふれました。ring_mib か workers を増やすか、ミラー対象を絞ってください。",
        "The receive ring was full: raise ring_mib or workers, or mirror fewer ports.",
    ),
    Reason(
        _PICKED,
        "一度に多くの端末が名乗ったため、解析を省きました。fast_lane.sighting_picks_per_s を"
        "増やすか、スキャンや障害がないか確認してください。",
        "More announcements came at once than are decoded: raise fast_lane.sighting_picks_per_s, "
        "or look for a scan or a storm.",
    ),
    Reason(
        "deep_tshark",
        "tshark が停止または遅延し、SMB・認証などの中身を一部見ていません。tshark の状態と CPU を"
        "確認してください。",
        "tshark died or lagged; some SMB, logons and calls were not seen inside. Look at tshark "
        "and the processor.",
    ),
    Reason(
        "deep",
        "中身まで解析する量を超えました。fast_lane.deep_picks_per_s を増やすか CPU を"
        "増強してください。",
        "More packets than are looked into: raise fast_lane.deep_picks_per_s or add processors.",
    ),
    Reason(
        "exports_not_stitched",
        "フロー記録が多く、往復の組み合わせを待たずに片方向のまま出しました。"
        "exports の上限を増やしてください。",
        "Too many flow records waited for their other direction and went on alone: raise the "
        "limits of exports.",
    ),
    Reason(
        "exports: exporters forgotten",
        "送信元の数が上限を超えました。allow で送信元を限定してください。偽装の疑いもあります。",
        "More exporters than are kept: name them in allow; some may be forged.",
    ),
    Reason(
        "exports: templates forgotten",
        "テンプレートが上限を超えました。異常な送信元がないか確認してください。",
        "An exporter announced more templates than are kept: look at what it sends.",
    ),
    Reason(
        "exports: data without template",
        "テンプレートより先に届いたフロー記録です。送信元のテンプレート再送間隔を 1 分以下に"
        "してください。",
        "Flow records came before their template: let the exporter repeat templates every minute.",
    ),
    Reason(
        "exports: flooding",
        "一つの送信元が上限を超えて送りました。送信元の設定か、偽装を確認してください。",
        "One exporter sent more than its share: look at its settings, or at who forges it.",
    ),
    Reason(
        "export",
        "フロー記録のパケットが上限を超えました。fast_lane.export_picks_per_s を増やしてください。",
        "More export packets than are read: raise fast_lane.export_picks_per_s.",
    ),
    Reason(
        "flows of new hosts",
        "記憶できるアドレスの上限に達しました。detector.engine.most_hosts を増やすか、"
        "スキャンやアドレス偽装がないか確認してください。",
        "No more addresses can be numbered: raise detector.engine.most_hosts, or look for a scan "
        "or forged addresses.",
    ),
    Reason(
        "hosts: ",
        "記憶できるアドレスの上限に達し、名前や認証で現れた新しい端末を区別できません（既知の端末の"
        "検知は続きます）。スキャンやアドレス偽装を調べ、detector.engine.most_hosts を増やして"
        "ください。",
        "No more addresses can be numbered, so new hosts that names and logons bring are not told "
        "apart (those known go on): look for a scan or forged addresses, and raise "
        "detector.engine.most_hosts.",
    ),
    Reason(
        "findings about hosts without a number",
        "アドレスの上限を超えた端末についての検知です。どの端末か示せないため知らせていません。"
        "detector.engine.most_hosts を増やしてください。",
        "Found of hosts beyond the limit of addresses; it cannot be said which, so it is not told: "
        "raise detector.engine.most_hosts.",
    ),
    Reason(
        "flows",
        "同時に続く通信が上限を超え、古いものから確定しました。fast_lane.max_flows を増やすか、"
        "スキャンがないか確認してください。",
        "More open flows than are kept; the oldest were closed early: raise fast_lane.max_flows, "
        "or look for a scan.",
    ),
    Reason(
        "picks: decoders too slow",
        "名乗りの解析が追いつきませんでした（通信の記録は失われません）。CPU を増強してください。",
        "Decoders could not keep up (no flow is lost): add processors.",
    ),
    Reason(
        "spool: ",
        "検知処理の遅れかディスクの不足で、保存前の記録を捨てました。ディスクの空きと検知処理の"
        "状態を確認し、live.spool_mib を増やしてください。",
        "The detector lagged or the disk refused: look at both, and raise live.spool_mib.",
    ),
    Reason(
        "packet ring: ",
        "ディスクに書けず、証拠用パケットを残せませんでした。空き容量を確認してください。",
        "Packets for evidence could not be written: look at the disk.",
    ),
    Reason(
        "journal: ",
        "強制終了に備えた控えがあふれました。終了しなければ何も失われません。",
        "The copy kept for the case of a kill was full; nothing is lost unless it is killed.",
    ),
    Reason(
        "lake: files not merged",
        "ディスクが書き込みを受け付けず、小さなファイルをまとめられませんでした（記録は失われません）。"
        "空き容量を確認してください。",
        "The disk refused, so small files stay apart (no flow is lost): look at its free space.",
    ),
    Reason(
        "lake: flows in damaged files",
        "破損した通信記録のファイルを除けて、残りで答えています（state_dir の lake にある "
        ".damaged）。ディスクを点検し、バックアップがあれば戻してください。",
        "Damaged files of flows stand aside (.damaged below lake in state_dir) and the rest is "
        "answered: check the disk, and restore the files if there is a backup.",
    ),
    Reason(
        "lake: lists of merged files",
        "まとめたファイルの一覧が破損し、作り直しました。同じ記録を読み直すと二重になることが"
        "あります。ディスクを点検してください。",
        "A list of merged files was damaged and begun anew; flows that are read once more may then "
        "stand twice: check the disk.",
    ),
    Reason(
        "lake: ",
        "保存領域の上限 flows_gib に達し、古い通信記録から消しました。増やすか保存日数を減らして"
        "ください。",
        "The room of flows_gib was used up and the oldest flows went: raise it or keep fewer days.",
    ),
    Reason(
        "alerts of ",
        "一つの検知器が一日の上限（most_alerts）を超えました。原因の機器を先に調べ、誤検知なら"
        "抑止を登録してください。",
        "One detector passed its daily limit (most_alerts): look at what causes it, or silence it.",
    ),
    Reason(
        "assets: ",
        "一覧に載せられる機器の上限に達しました。スキャンやアドレス偽装がないか確認してください。",
        "The asset list is full: look for a scan or forged addresses.",
    ),
    Reason(
        "edges: ",
        "記憶できる通信相手の組が上限に達し、古い日常の組から忘れました。上限に達する原因の機器を"
        "確認してください。",
        "The memory of who speaks to whom was full and forgot the oldest: look for what fills it.",
    ),
    Reason(
        "identity: ",
        "DHCP や ARP の主張を採用しませんでした。不正な DHCP サーバやなりすましがないか確認して"
        "ください。",
        "A claim by DHCP or ARP was not believed: look for a rogue DHCP server or a spoofer.",
    ),
    Reason(
        "baseline: ",
        "通信量の基準を持てる機器の上限に達しました。超えた機器は量の異常を判定しません。",
        "No more hosts get a baseline of volume; for those beyond, volumes are not judged.",
    ),
)
_UNKNOWN: Final = Reason(
    "", "開発元に知らせてください。", "Tell the makers: this cause has no words yet."
)


def why_shed(cause: str) -> Reason:
    """What a cause means; for one without words, whom to tell."""
    return next((reason for reason in REASONS if reason.fits(cause)), _UNKNOWN)
