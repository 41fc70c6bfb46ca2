"""Read one step ahead: while a chunk is worked on, a thread fetches and indexes the next."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def read_ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield the same items in the same order; their faults come where they would have come.

    Worth a thread because reading, decompressing and indexing all release the interpreter's lock.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        coming = reader.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = reader.submit(next, items, None)
            yield item
