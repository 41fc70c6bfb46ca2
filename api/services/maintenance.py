"""Use cases of remote maintenance: what is booked, what was done, and who confirmed it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from api.faults import Conflict, NotFound, Unacceptable
from api.people import Language, Person
from api.services.gate import Gate
from detector.bookings import BookingFault, make_booking
from detector.hospital import Booking, RegisteredLine
from detector.sheet import guarded
from detector.slips import ConfirmedSlip, MaintenanceSlip, SlipTarget
from detector.store import Store

_HEADINGS: Final[dict[Language, tuple[str, ...]]] = {
    "ja": ("伝票番号", "回線番号", "業者", "対象システム", "開始", "終了", "接続元", "着地",
           "接続先", "送信バイト", "受信バイト", "アカウント", "予約", "時間内", "範囲内",
           "確認者", "確認日時", "確認内容"),
    "en": ("Slip", "Line", "Vendor", "System", "Start", "End", "Outside end", "Landed as",
           "Targets", "Bytes out", "Bytes in", "Accounts", "Booking", "In hours", "In scope",
           "Confirmed by", "Confirmed at", "Remark"),
}  # fmt: skip


class MaintenanceService:
    """Book remote maintenance; look at, confirm and write out its slips."""

    def __init__(self, store: Store, gate: Gate, now_ns: Callable[[], int]) -> None:
        self._store = store
        self._gate = gate
        self._now_ns = now_ns

    def bookings(self, person: Person | None) -> list[Booking]:
        """All bookings, the latest first. Needs lines.read."""
        self._gate.look(person, "lines.read", "bookings.list")
        return self._store.bookings()

    def book(
        self,
        person: Person | None,
        line: str,
        start: datetime,
        end: datetime,
        *,
        who: str,
        purpose: str,
        approver: str,
    ) -> Booking:
        """Open a registered line for a time; the times carry a zone. Needs lines.write."""
        with self._gate.act(
            person, "lines.write", "booking.make", f"line/{line}", who=who, purpose=purpose,
            start=str(start), end=str(end), approver=approver,
        ) as maker:  # fmt: skip
            try:
                return make_booking(
                    self._store, line, start, end, person=who, purpose=purpose,
                    approver=approver, made_by=maker.login,
                )  # fmt: skip
            except BookingFault as fault:
                raise Unacceptable("the booking has faults", fault.faults) from None

    def cancel(self, person: Person | None, booking_id: str) -> Booking:
        """Take a booking back; what was done under it stays on its slips. Needs lines.write."""
        with self._gate.act(person, "lines.write", "booking.cancel", f"booking/{booking_id}"):
            booking = next((b for b in self._store.bookings() if b.id == booking_id), None)
            if booking is None:
                raise NotFound(f"there is no booking {booking_id[:60]!r}")
            booking = booking.model_copy(update={"is_cancelled": True})
            self._store.save_booking(booking)
            return booking

    def slips(self, person: Person | None, line: str = "", limit: int = 200) -> list[ConfirmedSlip]:
        """Slips of remote maintenance, the latest first. Needs lines.read."""
        self._gate.look(person, "lines.read", "slips.list", f"line/{line}" if line else "")
        return self._store.slips(line=line, limit=limit)

    def slip(self, person: Person | None, slip_id: str) -> ConfirmedSlip:
        """One slip. Needs lines.read."""
        self._gate.look(person, "lines.read", "slip.read", f"slip/{slip_id}")
        return self._find(slip_id)

    def line_of(self, slip: MaintenanceSlip) -> RegisteredLine | None:
        """The registered line of a slip, as the register has it now."""
        return next((known for known in self._store.register() if known.id == slip.line), None)

    def confirm(self, person: Person | None, slip_id: str, note: str) -> ConfirmedSlip:
        """Say that the hospital has looked at what was done. Needs lines.write."""
        with self._gate.act(
            person, "lines.write", "slip.confirm", f"slip/{slip_id}", note=note[:200]
        ) as confirmer:
            found = self._find(slip_id)
            if found.slip.is_open:
                raise Conflict("the job may still be going on; confirm it when it has ended")
            if not found.slip.is_in_scope and not note.strip():
                raise Unacceptable("note: needed where the job left its scope")
            by = confirmer.name or confirmer.login
            self._store.confirm_slip(slip_id, by, self._now_ns(), note.strip()[:1000])
            return self._find(slip_id)

    def export(
        self, person: Person | None, timezone: str = "Asia/Tokyo", language: Language = "ja"
    ) -> bytes:
        """All slips as CSV with a BOM, so that Excel reads it. Needs lines.read."""
        if timezone not in available_timezones():
            raise Unacceptable(f"timezone: a name such as Asia/Tokyo, not {timezone[:40]!r}")
        with self._gate.act(person, "lines.read", "slips.export", "slips"):
            zone = ZoneInfo(timezone)
            text = io.StringIO(newline="")
            table = csv.writer(text)
            table.writerow(_HEADINGS[language])
            for found in self._store.slips(limit=100_000):
                table.writerow([guarded(cell) for cell in _cells(found, zone, language)])
            return text.getvalue().encode("utf-8-sig")

    def _find(self, slip_id: str) -> ConfirmedSlip:
        found = self._store.slips(slip_id=slip_id) if slip_id else []
        if not found:
            raise NotFound(f"there is no slip {slip_id[:60]!r}")
        return found[0]


def target_text(target: SlipTarget) -> str:
    """A target in one word: address, port and application."""
    return f"{target.ip}:{target.port} ({target.app})"


def _cells(found: ConfirmedSlip, zone: ZoneInfo, language: Language) -> list[str]:
    slip = found.slip
    yes, no = ("はい", "いいえ") if language == "ja" else ("yes", "no")
    outside = " *" if language == "en" else " ※範囲外"
    targets = [target_text(t) + ("" if t.is_allowed else outside) for t in slip.targets]
    return [
        slip.id, slip.line, slip.vendor, slip.system, _time(slip.first_ns, zone),
        _time(slip.last_ns, zone), slip.peer, "; ".join(slip.landed_as), "; ".join(targets),
        str(slip.bytes_out), str(slip.bytes_in), "; ".join(slip.users), slip.booking,
        yes if slip.is_in_hours else no, yes if slip.is_in_scope else no,
        found.confirmed_by, _time(found.confirmed_ns, zone), found.confirmed_note,
    ]  # fmt: skip


def _time(time_ns: int, zone: ZoneInfo) -> str:
    if not time_ns:
        return ""
    at = datetime.fromtimestamp(time_ns / 1e9, UTC).astimezone(zone)
    return at.strftime("%Y-%m-%d %H:%M:%S")
