"""The whole run on one page: captures in, a diagnosed case out. Everything the command line can do starts here."""

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from pcapdx.capture.records import Block, CaptureFacts, Reader
from pcapdx.capture.rotated import open_captures, rotated_sets
from pcapdx.case import Case, View, ViewTables, route_of
from pcapdx.diagnosis import Diagnosed, diagnose
from pcapdx.dissect import Dissector
from pcapdx.dissection.feed import Feed
from pcapdx.flowtable import FlowTable
from pcapdx.inference import infer
from pcapdx.model import Doubt, Finding, InternalError, Proof, Verdict
from pcapdx.path.route import in_order
from pcapdx.path.trail import Trail
from pcapdx.plugins import Plugins
from pcapdx.rule import Rule, TopicPage
from pcapdx.sieve.columns import Array
from pcapdx.sieve.engine import Sieve
from pcapdx.sieve.sweep import BINDINGS, FLOWS, TALKERS
from pcapdx.site import Site
from pcapdx.values import dataclass
from pcapdx.vantage import CaptureArgument, Role

Progress = Callable[[CaptureFacts], None]
"""Called after each block with what is known of the capture so far."""
Beside = Callable[[str, Sieve], Callable[[Block, Array], None]]
"""For a capture's name and its sieve: who is shown each block, too, and its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """A case and all that was found in it."""

    case: Case
    diagnosed: Diagnosed
    errors: tuple[InternalError, ...]
    packs: tuple[str, ...]
    topics: tuple[TopicPage, ...] = ()

    @property
    def partial(self) -> bool:
        """Some capture was damaged, and the result is of what could be read."""
        return any(not view.capture.complete for view in self.case.views)


def analyze(
    arguments: Sequence[CaptureArgument],
    plugins: Plugins,
    *,
    site: Site | None = None,
    stdin: BinaryIO | None = None,
    progress: Progress | None = None,
    strict: bool = False,
    beside: Beside | None = None,
) -> Analysis:
    """Reads every capture and diagnoses the case; raises CaptureError for one that cannot be opened.

    With ``strict`` a plug-in's bug escapes instead of being reported. ``beside`` goes over the captures, too.
    """
    site = site or Site()
    several = len(vantages(arguments)) > 1
    views = [
        read_view(
            argument,
            reader,
            plugins.dissectors,
            site,
            progress=progress,
            strict=strict,
            trail=Trail() if several else None,
            beside=beside,
        )
        for argument, reader in open_all(arguments, stdin)
    ]
    ordered_by = ""
    if several and not all(one.named for one in arguments):
        views, ordered_by = along_path(views)
    case = Case(views=tuple(views), site=site, ordered_by=ordered_by, route=route_of(views))
    return judge(case, plugins, strict=strict)


def along_path(views: Sequence[View]) -> tuple[list[View], str]:
    """Views in the order of the path as far as they tell it, and what told; as they were where nothing did."""
    trails = [one.trail for one in views if one.trail is not None]
    order, why = in_order([one.name for one in views], [one.vantage.role for one in views], trails)
    return [views[place] for place in order], why or "nothing but the order of the arguments"


def open_all(
    arguments: Sequence[CaptureArgument], stdin: BinaryIO | None = None
) -> Iterator[tuple[CaptureArgument, Reader]]:
    """A reader for each vantage: pieces of one name, or of one rotated set, are one capture."""
    for group in vantages(arguments):
        first = group[0]
        paths = [one.path for one in group]
        yield first, open_captures(paths, name=first.name, stdin=stdin)


def vantages(arguments: Sequence[CaptureArgument]) -> list[list[CaptureArgument]]:
    """Arguments that are one capture together, in order of first appearance; every name once."""
    named: dict[str, list[CaptureArgument]] = {}
    free = [one.path for one in arguments if not one.named]
    sets = {path: pieces[0] for pieces in rotated_sets(free) for path in pieces}
    for one in arguments:
        key = f"={one.name}" if one.named else sets[one.path]
        named.setdefault(key, []).append(one)
    groups = list(named.values())
    taken: set[str] = set()
    for group in groups:
        name, number = group[0].name, 2
        while name in taken:
            name, number = f"{group[0].name}-{number}", number + 1
        taken.add(name)
        group[0] = CaptureArgument(name=name, role=_role_of(group), path=group[0].path, named=group[0].named)
    return groups


def _role_of(group: Sequence[CaptureArgument]) -> Role | None:
    return next((one.role for one in group if one.role is not None), None)


def read_view(
    argument: CaptureArgument,
    reader: Reader,
    dissectors: Sequence[Dissector],
    site: Site,
    *,
    progress: Progress | None = None,
    strict: bool = False,
    thin_out: bool = True,
    trail: Trail | None = None,
    beside: Beside | None = None,
) -> View:
    """Runs one capture through the sieve and the dissectors; ``trail`` is filled where there is one."""
    sieve = Sieve(dissectors, fast=reader.fast, thin_out=thin_out)
    if trail is not None:
        keep = trail.keep
        sieve.watchers.append(lambda _, rows: keep(rows))
    if beside is not None:
        sieve.watchers.append(beside(argument.name, sieve))
    feed = Feed(dissectors, argument.name, strict=strict)
    for claimed in sieve.run(reader):
        feed.offer(claimed, sieve.tables.flows, sieve.tables.sides)
        if progress is not None:
            progress(reader.facts)
    sieve.watchers.clear()  # who watched may hold the sieve: both would stay
    return make_view(argument, reader.facts, sieve, feed, dissectors, site, trail)


def make_view(
    argument: CaptureArgument,
    facts: CaptureFacts,
    sieve: Sieve,
    feed: Feed,
    dissectors: Sequence[Dissector],
    site: Site,
    trail: Trail | None = None,
) -> View:
    """What is known so far, as rules see it; may be asked in mid-run (live capture)."""
    tables, state = sieve.tables, sieve.tables.state
    count = int(state[FLOWS])
    flows = FlowTable(tables.flows[:count], tables.sides[: 2 * count])
    talkers = tables.talkers[: int(state[TALKERS])]
    left_out = {
        one.name: int(counted) + feed.left_out[bit]
        for bit, (one, counted) in enumerate(zip(dissectors, sieve.claims.settings["left_out"].tolist(), strict=False))
        if counted or feed.left_out[bit]
    }
    return View(
        capture=facts,
        vantage=infer(argument, facts, talkers, tables.counters[0]),
        tables=ViewTables(
            flows=flows,
            talkers=talkers,
            bindings=tables.bindings[: int(state[BINDINGS])],
            repeats=tables.repeats,
            counters=tables.counters[0],
        ),
        dissectors=dissectors,
        traffic=feed.traffic(flows),
        site=site,
        anomalies=(*facts.anomalies, *feed.anomalies.rows()),
        left_out=left_out,
        trail=trail,
    )


def judge(case: Case, plugins: Plugins, *, strict: bool = False) -> Analysis:
    """Runs every rule over every view and links what they say."""
    findings: list[Finding] = []
    proofs: list[Proof] = []
    doubts: list[Doubt] = []
    errors = [*case.errors, *plugins.errors]
    for rule in plugins.rules:
        for verdict in _run(rule, case, errors, strict):
            if isinstance(verdict, Finding):
                findings.append(verdict)
            elif isinstance(verdict, Proof):
                proofs.append(verdict)
            else:
                doubts.append(verdict)
    diagnosed = diagnose(case, findings, proofs, doubts, plugins.rules, plugins.topics)
    return Analysis(case=case, diagnosed=diagnosed, errors=tuple(errors), packs=plugins.packs, topics=plugins.topics)


def _run(rule: Rule, case: Case, errors: list[InternalError], strict: bool) -> Iterator[Verdict]:
    """A rule's verdicts on each view, and on the path where there are several; a bug in it is reported."""
    try:
        if rule.check is not None:
            for view in case.views:
                yield from rule.check(view)
        if rule.check_path is not None and len(case.views) > 1:
            yield from rule.check_path(case)
    except Exception as bug:  # a plug-in's bug must not end the run
        if strict:
            raise
        errors.append(InternalError(plugin=rule.code, what=f"{type(bug).__name__}: {bug}"))
