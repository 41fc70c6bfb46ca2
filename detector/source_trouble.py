"""A source of the sensor fails: from then on the round is blind there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from collector.sightings import SourceState
from detector.detection import Detector, Finding, Window
from detector.words import Text, Wording

_SCORES = {"down": 65, "silent": 65, "one_way": 55, "losing": 55, "refused": 45}
_MIRROR = Text(
    ja="スイッチのミラーポート設定（対象ポートと方向）と LAN ケーブルを確認し、"
    "「センサーの状態」で復旧を確かめてください。",
    en="Check the switch's mirror session (ports and direction) and the cable, then see on the "
    "sensor's health page that it works again.",
)


class SourceTrouble(Detector):
    """An input of the sensor is away, silent, one-sided or losing packets.

    Why it matters: what happens there meanwhile is not seen, and the absence of alerts means
    nothing. Somebody who cuts a mirror port blinds the sensor.
    False alarms: works on the switch; a segment in which nothing happens at night (raise
    `silent_after_s` of that source).
    """

    id = "source_trouble"
    category = "health"

    wordings: ClassVar = {
        "down": Wording(
            title=Text(ja="{input} から受信できません", en="{input} cannot be read"),
            why=Text(
                ja="この間の通信は見えていません。アラートが出ないことは安全を意味しません。（{reason_ja}）",
                en="Nothing is seen there meanwhile; no alert does not mean no trouble. ({reason})",
            ),
            next_step=Text(
                ja="ケーブルとスイッチのポート、センサーのインターフェースを確認してください。",
                en="Check the cable, the switch port and the sensor's interface.",
            ),
        ),
        "silent": Wording(
            title=Text(ja="{input} に通信が届いていません", en="{input} is silent"),
            why=Text(
                ja="インターフェースは動作していますが、パケットが 1 つも届きません。"
                "ミラー設定が外れた可能性があります。",
                en="The interface works, but not one packet comes: the mirror session may be gone.",
            ),
            next_step=_MIRROR,
        ),
        "one_way": Wording(
            title=Text(
                ja="{input} には片方向の通信しか届いていません",
                en="{input} shows one direction only",
            ),
            why=Text(
                ja="応答が見えないため、通信の成否に基づく検知が働きません。",
                en="Answers are not seen, so whatever is told by success or failure is blind.",
            ),
            next_step=_MIRROR,
        ),
        "losing": Wording(
            title=Text(
                ja="{input} でパケットを {lost} 個取りこぼしました",
                en="{input} lost {lost} packets",
            ),
            why=Text(
                ja="受信量が処理能力を超えました。取りこぼした通信は検知の対象になりません。",
                en="More came than could be read; what was lost is not looked at.",
            ),
            next_step=Text(
                ja="設定 ring_mib または workers を増やすか、ミラー対象を絞ってください。",
                en="Raise ring_mib or workers in the settings, or mirror fewer ports.",
            ),
        ),
        "refused": Wording(
            title=Text(
                ja="{input} に登録外の送信元からデータが届いています",
                en="{input} is sent data by strangers",
            ),
            why=Text(
                ja="許可していない機器からのデータは捨てています。"
                "設定漏れの機器か、偽のデータを送る者がいます。（{reason_ja}）",
                en="Data from senders that are not allowed is thrown away: a device is missing in "
                "the settings, or somebody forges data. ({reason})",
            ),
            next_step=Text(
                ja="送信元が院内の機器なら設定 allow に加え、"
                "心当たりがなければ送信元を調べてください。",
                en="If it is a device of yours, add it to allow; else find out what it is.",
            ),
        ),
    }

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        for seen in window.of(SourceState):
            if seen.state not in _SCORES:
                continue
            yield Finding(
                source=f"{seen.sensor} {seen.source}",
                targets=(),
                score=_SCORES[seen.state],
                confidence=1.0,
                first_ns=seen.time_ns,
                last_ns=seen.time_ns,
                facts={
                    "input": seen.source,
                    "reason": seen.why,
                    "reason_ja": seen.why_ja or seen.why,
                    "lost": seen.lost,
                },
                variant=seen.state,
            )
