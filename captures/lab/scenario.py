"""Scenarios: functions that build a network, break it or not, record it and say what they did.

A scenario is a function marked with `scenario` in any module below ``captures/lab/scenarios/``; its name, with dashes,
is the name of its capture, and its docstring is the story told in the truth file.
"""

import importlib
import inspect
import pkgutil
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from captures.lab import post
from captures.lab.namespaces import LabError, Namespace, Workspace, end, safe, until
from captures.lab.truth import Label, Stored, Truth, frames

CAPTURES = Path(__file__).resolve().parent.parent
Role = Literal["tap", "bridge", "vlan", "nic", "bond", "trunk", "router", "any"]


@dataclass(slots=True)
class _Recording:
    name: str
    path: Path
    taken_at: Role
    told: bool
    steps: tuple[post.Step, ...]
    compression: str


class Lab(Workspace):
    """A scenario's hand on the world: machines, recorders and the truth."""

    def __init__(self, name: str, truth: Truth) -> None:
        super().__init__()
        self.name = name
        self.truth = truth
        self._recordings: list[_Recording] = []
        self._checks: list[tuple[str, int, int | None]] = []

    @contextmanager
    def record(
        self,
        where: Namespace,
        interface: str,
        taken_at: Role,
        *,
        told: bool = True,
        name: str = "capture",
        bpf: str = "",
        nano: bool = False,
        link_type: str = "",
        steps: tuple[post.Step, ...] = (),
        compress: str = "",
        linger: float = 0.5,
    ) -> Iterator[None]:
        """Record an interface while the block runs.

        ``taken_at`` is where the capture really was taken; the truth file tells it to pcapdx as the role only when
        ``told``. The recorder goes on for ``linger`` seconds after the block. Several recorders keep the order in which
        they were started: start them along the path, client side first.
        """
        path = self.folder / f"{name}.pcap"
        self._recordings.append(_Recording(name, path, taken_at, told, steps, compress))
        options = ["--time-stamp-precision=nano"] if nano else []
        options += ["-y", link_type] if link_type else []
        # Immediate mode has slots of the snap length: the default buffer would hold eight frames.
        words = ["tcpdump", "-i", interface, "-nU", "--immediate-mode", "-B", "65536", "-Z", "root", *options]
        recorder = where.spawn(*words, "-w", str(path), *([bpf] if bpf else []))
        until(lambda: path.exists() and path.stat().st_size >= 24, "tcpdump writes its header")
        yield
        time.sleep(linger)
        end(recorder, signal.SIGINT)
        _, told_at_end = recorder.communicate()
        if "\n0 packets dropped by kernel" not in told_at_end:
            raise LabError(f"the recorder lost frames: {told_at_end.strip()}")

    def fault(self, code: str, decisive: str, **subject: str | int) -> None:
        """Declare what was injected: a root that pcapdx should name first."""
        self.truth.faults.append(Label(code=code, subject=subject, decisive=decisive))

    def consequence(self, code: str, **subject: str | int) -> None:
        """Declare what may rightly be reported beside the fault, because of it."""
        self.truth.consequences.append(Label(code=code, subject=subject))

    def info(self, code: str, decisive: str = "", **subject: str | int) -> None:
        """Declare what a good report mentions, no more: it is no fault."""
        self.truth.infos.append(Label(code=code, subject=subject, decisive=decisive))

    def proof(self, code: str, decisive: str = "", **subject: str | int) -> None:
        """Declare what worked and can be proved."""
        self.truth.proofs.append(Label(code=code, subject=subject, decisive=decisive))

    def secret(self, *texts: str) -> None:
        """Declare texts of the capture that nothing written from it may contain."""
        self.truth.secrets += texts

    def shows(self, show: str, least: int = 1, most: int | None = None) -> None:
        """Demand that a display filter shows so many frames of the finished captures, or the recording fails."""
        self._checks.append((show, least, most))

    def hides(self, show: str) -> None:
        """Demand that a display filter shows nothing."""
        self._checks.append((show, 0, 0))

    def store(self, folder: Path) -> None:
        """Finish the captures, check them, and put them with their truth into ``folder``."""
        if not self._recordings:
            raise LabError(f"{self.name} recorded nothing")
        readable = [self._process(recording) for recording in self._recordings]
        for show, least, most in self._checks:
            count = sum(len(frames(path, show)) for path in readable)
            if count < least or (most is not None and count > most):
                raise LabError(f"{count} frames show {show!r}, not {least}..{most}")
        for old in folder.glob(f"{self.name}.*"):
            old.unlink()
        stored = [self._put(*pair, folder) for pair in zip(self._recordings, readable, strict=True)]
        self.truth.write(folder, self.name, stored)

    def _process(self, recording: _Recording) -> Path:
        path = recording.path
        for step in recording.steps:
            path = step(path)
        return path

    def _put(self, recording: _Recording, readable: Path, folder: Path) -> Stored:
        packed = post.compress(recording.compression)(readable) if recording.compression else readable
        infix = "" if len(self._recordings) == 1 else f".{recording.name}"
        suffix = f"{readable.suffix}.{recording.compression}" if recording.compression else readable.suffix
        file = folder / f"{self.name}{infix}{suffix}"
        shutil.copyfile(packed, file)
        role = recording.taken_at if recording.told else None
        return Stored(name=recording.name, file=file, readable=readable, taken_at=recording.taken_at, role=role)


Body = Callable[[Lab], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named way to make a capture."""

    name: str
    story: str
    source: str
    body: Body

    def record(self, folder: Path = CAPTURES) -> None:
        """Build, run and store it."""
        truth = Truth(scenario=self.source, story=self.story)
        with Lab(self.name, truth) as lab:
            self.body(lab)
            lab.store(folder)


def scenario(body: Body) -> Body:
    """Mark a function as a scenario."""
    setattr(body, "__scenario__", True)  # noqa: B010  a plain assignment has no place in a callable's type
    return body


def scenarios() -> dict[str, Scenario]:
    """Every scenario below ``captures/lab/scenarios/``, by name."""
    package = importlib.import_module("captures.lab.scenarios")
    modules = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    found = [one for module in modules for one in _scenarios_in(importlib.import_module(module.name))]
    return {one.name: one for one in sorted(found, key=lambda one: one.name)}


def _scenarios_in(module: Any) -> Iterator[Scenario]:
    source = Path(module.__file__).resolve().relative_to(CAPTURES.parent).as_posix()
    for name, body in vars(module).items():
        if getattr(body, "__scenario__", False) and body.__module__ == module.__name__:
            yield Scenario(safe(name), " ".join((inspect.getdoc(body) or "").split()), source, body)
