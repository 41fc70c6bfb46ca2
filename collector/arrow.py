"""Flows as Arrow tables, whose schema derives from the column table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from collector.apps import APPS
from collector.flows import (
    FLOW_COLUMNS,
    FLOW_DTYPE,
    STATES,
    Column,
    FlowBatch,
    address_number,
    address_text,
)
from collector.numbering import unique_addresses

_TEXT = pa.dictionary(pa.int32(), pa.string())

#: Columns that are stored as text, because people query them by hand.
_NAMED: dict[str, Sequence[str]] = {"app": APPS, "state": STATES}


@lru_cache(maxsize=1)
def arrow_schema() -> pa.Schema:
    """The schema of stored flows; addresses, sensor, state and app are dictionary-coded text."""
    return pa.schema([pa.field(c.name, _type_of(c), metadata=_words(c)) for c in FLOW_COLUMNS])


def _type_of(column: Column) -> Any:
    if column.shape or column.name == "sensor" or column.name in _NAMED:
        return _TEXT
    return pa.from_numpy_dtype(np.dtype(column.dtype))


def _words(column: Column) -> dict[str, str]:
    return {"unit": column.unit, "meaning": column.meaning}


def to_table(flows: FlowBatch) -> pa.Table:
    """Convert a batch; every distinct address is written as text once."""
    arrays = []
    for column in FLOW_COLUMNS:
        values = flows.rows[column.name]
        if column.shape:
            arrays.append(_address_column(values))
        elif column.name == "sensor":
            arrays.append(_named_column(values, flows.sensors))
        elif column.name in _NAMED:
            arrays.append(_named_column(values, _NAMED[column.name]))
        else:
            arrays.append(pa.array(np.ascontiguousarray(values)))
    return pa.Table.from_arrays(arrays, schema=arrow_schema())


def _address_column(values: Any) -> Any:
    known, numbers = unique_addresses(values)
    texts = [address_text(high, low) for high, low in known.tolist()]
    return pa.DictionaryArray.from_arrays(numbers.astype(np.int32), pa.array(texts, pa.string()))


def _named_column(values: Any, names: Sequence[str]) -> Any:
    return pa.DictionaryArray.from_arrays(
        np.ascontiguousarray(values).astype(np.int32), pa.array(list(names), pa.string())
    )


def from_table(table: pa.Table, sensors: tuple[str, ...] = ("local",)) -> FlowBatch:
    """What `to_table` made, back as rows; sensors that are not in `sensors` read as the first."""
    rows = np.zeros(table.num_rows, FLOW_DTYPE)
    for column in FLOW_COLUMNS:
        values = table.column(column.name).combine_chunks()
        if column.shape:
            known, indices = _words_of(values)
            pairs = [address_number(text) for text in known] or [(0, 0)]
            rows[column.name] = np.array(pairs, np.uint64)[indices]
        elif column.name == "sensor" or column.name in _NAMED:
            known, indices = _words_of(values)
            names = list(_NAMED.get(column.name, sensors))
            codes = [names.index(name) if name in names else 0 for name in known] or [0]
            rows[column.name] = np.array(codes, np.int64)[indices]
        else:
            rows[column.name] = values.to_numpy()
    return FlowBatch(rows, sensors)


def _words_of(values: Any) -> tuple[list[str], Any]:
    """The distinct texts of a column, and each row's place among them."""
    coded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.unify_dictionaries().combine_chunks()
    return coded.dictionary.to_pylist(), coded.indices.to_numpy()
