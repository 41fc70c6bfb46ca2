"""Roles that show only against partners: laboratories, image archives, and who reads images.

An analyser and its laboratory speak the same protocol, an archive and a viewer both receive
images. Who has many partners is the centre; the others are what their partners make them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from collector.apps import APP_CODE
from collector.fastlane.layout import OUTPUT_DTYPE
from collector.sightings import Dicom, Hl7
from detector.detection import Window
from detector.edges import DAY_NS
from detector.window_kernels import SERVED

#: (host number, role, reason, weight)
Note = Callable[[int, str, str, float], None]

_MODALITY_WORKLIST: Final = "1.2.840.10008.5.1.4.31"
_QUERY_RETRIEVE: Final = "1.2.840.10008.5.1.4.1.2"
_HUB: Final = 3  # partners of a centre
_MOST_PARTNERS: Final = 64
_MOST_HUBS: Final = 20_000
#: A study drawn from the archive, and how many a day make somebody who reads images.
_STUDY_BYTES: Final = 5_000_000
_STUDIES_A_DAY: Final = 20
_WEB: Final = (APP_CODE["tls"], APP_CODE["http"])


class Partners:
    """Who was met in which trade, as far as it is needed to tell the centre from the others."""

    def __init__(self) -> None:
        self._met: dict[tuple[str, int], set[int]] = {}
        self._drawn: dict[int, int] = {}
        self._day = 0

    def _meet(self, trade: str, whose: int, partner: int) -> set[int]:
        key = (trade, whose)
        if key not in self._met and len(self._met) >= _MOST_HUBS:
            return {partner}
        met = self._met.setdefault(key, set())
        if len(met) < _MOST_PARTNERS:
            met.add(partner)
        return met

    def speak_astm(self, one: int, other: int, note: Note) -> None:
        """Two speak ASTM; who does so with three is the laboratory's system, whoever calls whom."""
        for whose, partner in ((one, other), (other, one)):
            met = self._meet("astm", whose, partner)
            if len(met) < _HUB:
                continue
            note(whose, "server", "takes results of analysers", 3.5)
            for analyser in sorted(met):
                if len(self._met.get(("astm", analyser), ())) < _HUB:
                    note(analyser, "analyser", "speaks ASTM with a laboratory's system", 3.0)

    def hear(self, message: Hl7, sender: int, note: Note) -> None:
        """A laboratory's system sends results too, but only an analyser asks what to measure."""
        if message.message_type.startswith("QBP^Q11"):
            note(sender, "analyser", "asks by HL7 what to measure", 3.5)
        elif not message.message_type.startswith("OUL^R2"):
            note(sender, "server", "sends HL7", 1.5)

    def exchange(self, image: Dicom, sender: int, peer: int, note: Note) -> None:
        """DICOM of `sender`; `peer` is -1 where it is not the hospital's."""
        is_query = image.sop_class.startswith(_QUERY_RETRIEVE)
        if image.message == "c_store":
            if not self._archives(sender, peer):
                note(sender, "modality", "sends images", 2.0)
            if peer >= 0:
                self._receive(sender, peer, note)
        elif image.message == "c_find" and image.sop_class.startswith(_MODALITY_WORKLIST):
            note(sender, "modality", "asks for the worklist", 3.0)
            if peer >= 0:
                note(peer, "server", "keeps the worklist", 2.5)
                if len(self._meet("worklist", peer, sender)) >= _HUB:
                    note(peer, "server", "keeps the worklist of 3", 2.0)
        elif image.message == "c_find" and is_query:
            note(sender, "viewer", "queries the image archive", 1.5)
        elif image.message in ("c_move", "c_get") and is_query:
            note(sender, "viewer", "retrieves images", 2.0)

    def _archives(self, host: int, but_of: int = -1) -> bool:
        """Does it receive images of others than this one."""
        return bool(self._met.get(("images", host), set()) - {but_of})

    def _receive(self, sender: int, peer: int, note: Note) -> None:
        senders = self._meet("images", peer, sender)
        if self._archives(sender, peer):
            note(peer, "viewer", "is sent images by an archive", 2.0)
            senders.discard(sender)
            return
        note(peer, "pacs", "receives images", 1.0)
        if len(senders) > 1:
            note(peer, "pacs", "receives images of several", 2.5)

    def draw(self, window: Window, note: Note) -> None:
        """Whoever draws studies from an archive over the web all day reads them."""
        rows = window.flows.rows.view(OUTPUT_DTYPE)
        large = np.flatnonzero(
            (rows["reply_bytes"] >= _STUDY_BYTES)
            & (window.marks & SERVED != 0)
            & np.isin(rows["app"], _WEB)
        )
        for row in large.tolist():
            server, reader = int(window.destination[row]), int(window.source[row])
            if window.hosts.get(server).role != "pacs" or not window.hosts.get(reader).is_inside:
                continue
            day = int(rows["first_ns"][row]) // DAY_NS
            if day > self._day:
                self._day = day
                self._drawn.clear()
            if len(self._drawn) < _MOST_HUBS or reader in self._drawn:
                self._drawn[reader] = self._drawn.get(reader, 0) + 1
                if self._drawn[reader] == _STUDIES_A_DAY:
                    note(reader, "viewer", "draws 20 studies a day from the archive", 4.5)
