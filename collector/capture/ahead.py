"""Work ahead: while an item is worked on, a thread makes the next ones."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def read_ahead(items: Generator[T, None, None], most: int = 1) -> Iterator[T]:
    """Yield the same items in the same order, `most` of them made in advance.

    Their faults come where they would have come. Worth a thread where making them releases the
    interpreter's lock: reading, decompressing, indexing, the fast lane's kernels.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        coming = deque(reader.submit(next, items, None) for _ in range(most))
        try:
            while (item := coming.popleft().result()) is not None:
                coming.append(reader.submit(next, items, None))
                yield item
        finally:
            reader.shutdown(cancel_futures=True)
            items.close()
