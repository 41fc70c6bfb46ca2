"""Text of a log as columns of text: tables with a head, and one JSON object a line."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv


def parse_table(
    text: bytes, names: Sequence[str], delimiter: str, malformed: Counter[str]
) -> pa.Table:
    """Lines with as many cells as there are names; others are counted."""

    def skip(row: Any) -> str:
        # "#close" ends every file of Zeek and is no fault.
        if not str(row.text or "").startswith("#"):
            malformed["flow log: line with too few or too many columns"] += 1
        return "skip"

    unique = [n if names.index(n) == at else f"{n}#{at}" for at, n in enumerate(names)]
    return pa.csv.read_csv(
        io.BytesIO(text),
        read_options=pa.csv.ReadOptions(column_names=unique, use_threads=False, encoding="latin-1"),
        parse_options=pa.csv.ParseOptions(
            delimiter=delimiter, quote_char=False, invalid_row_handler=skip
        ),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(unique, pa.string()),
            null_values=["-", "(empty)", ""],
            strings_can_be_null=True,
            check_utf8=False,
        ),
    )


def parse_json(text: bytes, names: Sequence[str], malformed: Counter[str]) -> pa.Table:
    """The columns of these names."""
    columns: dict[str, list[str | None]] = {name: [] for name in names}
    for told in json_objects(text, malformed):
        for name, cells in columns.items():
            cells.append(cell_text(told.get(name)))
    return pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()})


def json_objects(text: bytes, malformed: Counter[str]) -> Iterator[dict[str, Any]]:
    """One object a line; lines that are none are counted."""
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            told = None
        if isinstance(told, dict):
            yield told
        else:
            malformed["flow log: line that is no JSON object"] += 1


def cell_text(value: Any) -> str | None:
    """A JSON value as the table form writes it."""
    if value is None or isinstance(value, dict):
        return None
    if isinstance(value, list):
        return ",".join(str(item) for item in value if isinstance(item, (str, int))) or None
    if isinstance(value, float):
        return f"{value:.6f}" if 0 <= value < 1e15 else None
    if isinstance(value, bool):
        return "T" if value else "F"
    # Half a surrogate pair, as JSON may carry, is no text.
    return str(value).encode("utf-8", "replace").decode()
