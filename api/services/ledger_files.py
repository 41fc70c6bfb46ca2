"""Ledgers as files: taken whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from api.faults import Unacceptable
from api.people import Language
from detector.sheet import Fault, Form

T = TypeVar("T")
MEDIA_TYPE: dict[Form, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def read_whole(
    read: Callable[[bytes], tuple[list[T], list[Fault]]], content: bytes, language: Language
) -> list[T]:
    """Rows of a CSV or XLSX file; Unacceptable tells every fault at once."""
    rows, faults = read(content)
    if faults:
        words = [fault_text(fault, language) for fault in faults]
        raise Unacceptable("the file has faults; nothing was changed", words)
    return rows


def check_form(form: str) -> Form:
    """csv or xlsx."""
    for known in MEDIA_TYPE:
        if form == known:
            return known
    raise Unacceptable(f"form: must be csv or xlsx, got {form!r}")


def fault_text(fault: Fault, language: Language) -> str:
    """One fault in the reader's language."""
    if language == "ja":
        where: Sequence[str] = (f"{fault.row}行目" if fault.row else "", fault.column)
        return f"{' '.join(filter(None, where))}: {fault.what.ja}{fault.to_do.ja}"
    where = (f"row {fault.row}" if fault.row else "", fault.column)
    return f"{', '.join(filter(None, where)) or 'file'}: {fault.what.en} {fault.to_do.en}"
