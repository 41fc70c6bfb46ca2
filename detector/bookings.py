"""Booked maintenance: made by the console, the API or the command, always by the same rules."""

from __future__ import annotations

from datetime import datetime
from secrets import token_hex

from pydantic import ValidationError

from detector.hospital import Booking
from detector.store import Store


class BookingFault(ValueError):
    """What cannot be booked; `faults` names every reason."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def make_booking(
    store: Store,
    line: str,
    start: datetime,
    end: datetime,
    *,
    person: str,
    purpose: str,
    approver: str,
    made_by: str,
) -> Booking:
    """Open a registered line for a time and store that; BookingFault if it cannot be."""
    known = sorted(registered.id for registered in store.register())
    if line not in known:
        listed = ", ".join(known[:20]) or "none"
        raise BookingFault([f"line: the register has no line {line[:60]!r}; it has {listed}"])
    try:
        booking = Booking(
            id=f"B-{token_hex(4)}", line=line, start=start, end=end, person=person.strip(),
            purpose=purpose.strip(), approver=approver.strip(), made_by=made_by,
        )  # fmt: skip
    except ValidationError as fault:
        told = (".".join(map(str, e["loc"])) + f" {e['msg']}" for e in fault.errors())
        raise BookingFault([t.strip() for t in told]) from None
    store.save_booking(booking)
    return booking
