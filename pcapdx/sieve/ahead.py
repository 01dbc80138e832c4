"""Runs an iterator in a thread of its own, some items ahead of whoever takes them."""

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """Something that knows how much memory it takes."""

    @property
    def nbytes(self) -> int:
        """Bytes."""
        ...


T = TypeVar("T", bound=Sized)


def ahead(items: Iterator[T], *, most_bytes: int) -> Iterator[T]:
    """The same items; the thread rests while those not yet taken hold ``most_bytes``.

    What ``items`` raises is raised here, after the items before it. Whoever stops taking early makes the thread stop
    after the item at hand.
    """
    relay: _Relay[T] = _Relay(most_bytes)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            for item in items:
                if not relay.put(item):
                    break
        except BaseException as error:  # raised again where the items are taken
            failed.append(error)
        finally:
            relay.end()

    worker = threading.Thread(target=run, name="ahead", daemon=True)
    worker.start()
    try:
        while (item := relay.take()) is not None:
            yield item
    finally:
        relay.stop()
        worker.join()
    if failed:
        raise failed[0]


class _Relay(Generic[T]):
    """A queue between two threads, bounded by the memory of what is in it."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._items: deque[T] = deque()
        self._held = 0
        self._changed = threading.Condition()
        self._ended = False
        self._stopped = False

    def put(self, item: T) -> bool:
        """Adds an item and waits while there is too much; False when no more are wanted."""
        with self._changed:
            self._items.append(item)
            self._held += item.nbytes
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._held < self._most_bytes or self._stopped)
            return not self._stopped

    def take(self) -> T | None:
        """The next item, waited for; None after the last."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended)
            if not self._items:
                return None
            item = self._items.popleft()
            self._held -= item.nbytes
            self._changed.notify_all()
            return item

    def end(self) -> None:
        """No more items will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stop(self) -> None:
        """No more items are wanted."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
