"""A live run: the same sieve, dissectors and rules over a capture that goes on.

A thread reads; every second the case so far is judged. Silence is judged by the clock, not by the last frame: when
nobody answers, no frame comes.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

from pcapdx.capture.open import open_capture
from pcapdx.capture.records import Reader
from pcapdx.case import Case, View
from pcapdx.diagnose import Analysis, judge, make_view
from pcapdx.diagnosis import LinkedFinding
from pcapdx.dissection.feed import Feed
from pcapdx.errors import CaptureError
from pcapdx.live.child import Child, command
from pcapdx.model import Confidence, Severity, Subject
from pcapdx.plugins import Plugins
from pcapdx.sieve.engine import Sieve
from pcapdx.site import Site
from pcapdx.vantage import CaptureArgument, parse_argument

JUDGE_EVERY_S = 1.0


class Session:
    """One live capture. :meth:`findings` yields what becomes certain; then :meth:`finish` gives the whole analysis."""

    def __init__(
        self,
        argument: CaptureArgument,
        plugins: Plugins,
        *,
        site: Site | None = None,
        expression: str = "",
        stdin: BinaryIO | None = None,
        tool: str | None = None,
    ) -> None:
        self._argument = argument
        self._plugins = plugins
        self._site = site or Site()
        self._child = None if argument.path == "-" else Child(command(argument.path, expression, with_tool=tool))
        stream = stdin if self._child is None else self._child.stdout
        try:
            self._reader: Reader = open_capture("-", name=argument.name, stdin=stream)
        except CaptureError as error:
            if self._child is None:
                raise
            self._child.stop()
            raise self._child.failure(argument.path) from error
        self._reader.facts.path = argument.path
        self._sieve = Sieve(plugins.dissectors, fast=False)
        self._feed = Feed(plugins.dissectors, argument.name)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._failed: BaseException | None = None
        self._told: set[tuple[str, Subject]] = set()
        self._thread = threading.Thread(target=self._read, name="capture", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for block in self._reader.blocks():
                with self._lock:
                    self._sieve.fast = self._reader.fast
                    self._feed.offer(self._sieve.feed(block), self._sieve.tables.flows, self._sieve.tables.sides)
        except BaseException as bug:  # handed to the thread that waits for us
            self._failed = bug
        finally:
            self._ended.set()

    def findings(self, stop: Callable[[], bool], duration_s: float | None = None) -> Iterator[LinkedFinding]:
        """Findings at warning or above as they become certain, until ``stop()``, the duration, or the stream's end."""
        end = None if duration_s is None else time.monotonic() + duration_s
        while not stop() and not self._ended.wait(JUDGE_EVERY_S):
            yield from self._news(self._judge(now=True))
            if end is not None and time.monotonic() >= end:
                return

    def _news(self, analysis: Analysis) -> Iterator[LinkedFinding]:
        for one in analysis.diagnosed.findings:
            key = one.finding.code, one.finding.subject
            grave = one.finding.severity is not Severity.INFO and one.finding.confidence is Confidence.CERTAIN
            if grave and key not in self._told:
                self._told.add(key)
                yield one

    def _judge(self, *, now: bool) -> Analysis:
        with self._lock:
            return judge(Case(views=(self._view(now),), site=self._site), self._plugins)

    def _view(self, now: bool) -> View:
        facts = self._reader.facts
        if now and facts.last_ns is not None:
            facts.last_ns = max(facts.last_ns, time.time_ns())
        return make_view(self._argument, facts, self._sieve, self._feed, self._plugins.dissectors, self._site)

    def finish(self) -> Analysis:
        """Stops capturing, reads what is left, and judges the whole."""
        stopped_ns = time.time_ns()
        if self._child is not None:
            self._child.stop()
        self._thread.join()
        if self._failed is not None:
            raise self._failed
        facts = self._reader.facts
        if self._child is not None:
            dropped = self._child.dropped()
            if dropped is not None and facts.interfaces:
                facts.interfaces[0].dropped = dropped
                facts.interfaces[0].name = facts.interfaces[0].name or self._argument.path
            if facts.last_ns is not None:
                facts.last_ns = max(facts.last_ns, stopped_ns)
        return self._judge(now=False)


def interface_argument(text: str) -> CaptureArgument:
    """``[NAME[:ROLE]=]INTERFACE`` taken apart; ``-`` is a capture on standard input."""
    parsed = parse_argument(text)
    name = "stdin" if parsed.path == "-" else parsed.name if parsed.named else parsed.path
    return CaptureArgument(name=name, role=parsed.role, path=parsed.path, named=True)
