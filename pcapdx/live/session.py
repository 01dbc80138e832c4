"""A live run: the same sieve, dissectors and rules over a capture that goes on.

A thread reads; every second or so the case so far is judged. Silence is measured from the moment the latest frames
came in, by this machine's clock, and not from frame to frame: when nobody answers, no frame comes. The clock that
stamped the frames is never compared with ours, for it may be another host's.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO, Self

from pcapdx.capture.open import open_capture
from pcapdx.capture.records import Reader
from pcapdx.case import Case, View
from pcapdx.diagnose import Analysis, judge, make_view
from pcapdx.diagnosis import LinkedFinding
from pcapdx.dissection.feed import Feed
from pcapdx.errors import CaptureError
from pcapdx.live.child import Child, command
from pcapdx.live.remote import remote, remote_command
from pcapdx.model import Confidence, Severity, Subject
from pcapdx.plugins import Plugins
from pcapdx.sieve.engine import Sieve
from pcapdx.site import Site
from pcapdx.vantage import CaptureArgument, parse_argument

JUDGE_EVERY_S = 1.0
JUDGE_SHARE = 5
"""Judging takes a fifth of the time at most: the next time waits so much longer than the last one took."""
PIPE_JOIN_S = 0.5
"""A pipe that is silent cannot be told to end; what it brought is reported."""


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
    ) -> None:
        self._argument = argument
        self._plugins = plugins
        self._site = site or Site()
        self._expression = expression
        self._interface = argument.path
        self._child: Child | None = None
        if (far := remote(argument.path)) is not None:
            self._interface = far.interface
            self._child = Child(remote_command(far, expression), ends_with_input=True)
        elif argument.path != "-":
            self._child = Child(command(argument.path, expression))
        self._reader: Reader | None = None
        self._sieve = Sieve(plugins.dissectors, fast=False)
        self._feed = Feed(plugins.dissectors, argument.name)
        self._heard_at = time.monotonic()
        self._latest_ns: int | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._by_itself = False
        """It had ended before anybody stopped it."""
        self._failed: BaseException | None = None
        self._told: set[tuple[str, Subject]] = set()
        stream = stdin if self._child is None else self._child.stdout
        self._thread = threading.Thread(target=self._read, args=(stream,), name="capture", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *of_error: object) -> None:
        """However this ends, no capturing process is left behind."""
        if self._child is not None:
            self._child.kill()

    def _read(self, stream: BinaryIO) -> None:
        try:
            reader = open_capture("-", name=self._argument.name, stdin=stream)
            reader.facts.path = self._argument.path
            self._reader = reader
            for block in reader.blocks():
                with self._lock:
                    self._heard_at, self._latest_ns = time.monotonic(), reader.facts.last_ns
                    self._sieve.fast = reader.fast
                    self._feed.offer(self._sieve.feed(block), self._sieve.tables.flows, self._sieve.tables.sides)
        except BaseException as bug:  # handed to the thread that waits for us
            self._failed = bug
        finally:
            self._ended.set()

    def findings(self, stop: Callable[[], bool], duration_s: float | None = None) -> Iterator[LinkedFinding]:
        """Findings at warning or above as they become certain, until ``stop()``, the duration, or the stream's end."""
        end = None if duration_s is None else time.monotonic() + duration_s
        pause = JUDGE_EVERY_S
        while not stop() and not self._ended.wait(pause):
            began = time.monotonic()
            if self._reader is not None:
                yield from self._news(self._judge(self._reader))
            if end is not None and time.monotonic() >= end:
                return
            pause = max(JUDGE_EVERY_S, JUDGE_SHARE * (time.monotonic() - began))

    def _news(self, analysis: Analysis) -> Iterator[LinkedFinding]:
        for one in analysis.diagnosed.findings:
            key = one.finding.code, one.finding.subject
            grave = one.finding.severity is not Severity.INFO and one.finding.confidence is Confidence.CERTAIN
            if grave and key not in self._told:
                self._told.add(key)
                yield one

    def _judge(self, reader: Reader, *, until: float | None = None) -> Analysis:
        with self._lock:
            return judge(Case(views=(self._view(reader, until),), site=self._site), self._plugins)

    def _view(self, reader: Reader, until: float | None) -> View:
        """The capture so far, which lasts until now (or a moment of the monotonic clock), whoever was silent since."""
        facts = reader.facts
        if self._child is not None:
            for one in facts.interfaces:
                one.name = one.name or self._interface
                one.filter = one.filter or self._expression or None
        if self._latest_ns is not None:
            silence_s = (time.monotonic() if until is None else until) - self._heard_at
            facts.last_ns = self._latest_ns + max(round(silence_s * 1e9), 0)
        return make_view(self._argument, facts, self._sieve, self._feed, self._plugins.dissectors, self._site)

    def finish(self) -> Analysis:
        """Stops capturing, reads what is left, and judges the whole; raises CaptureError when nothing was captured."""
        stopped = time.monotonic()
        self._by_itself = self._ended.is_set()
        if self._child is not None:
            self._child.stop()
        self._thread.join(PIPE_JOIN_S if self._child is None else None)
        if self._reader is None:
            raise self._no_capture() from self._failed
        if self._failed is not None:
            raise self._failed
        facts = self._reader.facts
        if self._child is not None and facts.interfaces:
            dropped = self._child.dropped()
            facts.interfaces[0].dropped = facts.interfaces[0].dropped if dropped is None else dropped
        return self._judge(self._reader, until=self._heard_at if self._by_itself else stopped)

    def _no_capture(self) -> Exception:
        """Why there is no capture: by the child's word, else what reading the pipe met."""
        if self._child is not None:
            return self._child.failure(self._argument.path)
        if isinstance(self._failed, CaptureError):
            return self._failed
        return CaptureError("standard input: no capture came before the end")

    @property
    def last_words(self) -> str | None:
        """After :meth:`finish`: what the capturing program said, if it ended by itself (an interface vanishes)."""
        return self._child.last_words if self._child is not None and self._by_itself else None


def interface_argument(text: str) -> CaptureArgument:
    """``[NAME[:ROLE]=]INTERFACE`` taken apart; ``-`` is a capture on standard input, ``ssh://`` one on another host."""
    parsed = parse_argument(text)
    far = remote(parsed.path)
    by_path = "stdin" if parsed.path == "-" else parsed.path if far is None else f"{far.host}-{far.interface}"
    name = parsed.name if parsed.named else by_path
    return CaptureArgument(name=name, role=parsed.role, path=parsed.path, named=True)
