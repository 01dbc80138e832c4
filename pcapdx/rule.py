"""The rule contract: a pure function of one capture's view, and the constant that describes it.

A rule is one module that ends in ``RULE = Rule(...)``; its docstring is its manual page. ``check`` takes a
:class:`~pcapdx.case.View` and yields findings, proofs or doubts. No rule knows another: what a finding explains is
declared as codes, and diagnosis links them.
"""

import re
from collections.abc import Callable, Iterator
from typing import TypedDict

from pcapdx.case import Case, View
from pcapdx.chart import Chart
from pcapdx.model import Confidence, Doubt, Evidence, Finding, NextStep, Proof, Severity, Subject, Topic, Verdict
from pcapdx.values import dataclass

HEADINGS = ("What it does", "Why it matters", "Common causes", "What else it could be", "Next steps")
"""Headings of a rule's docstring, in order. A proof has the first two only."""


_IP_FIELD = re.compile(r"\bip\.(addr|src|dst) == (?=[0-9a-fA-F]*:)")


def _by_version(shown: str) -> str:
    """A display filter whose fields fit the addresses: Wireshark calls those of IPv6 by another name."""
    return _IP_FIELD.sub(r"ipv6.\1 == ", shown)


class Particulars(TypedDict, total=False):
    """Arguments of :meth:`Rule.finding` that close siblings share: ``RULE.finding(summary=..., **particulars)``."""

    subject: Subject
    evidence: tuple[Evidence, ...]
    filter: str
    first_ns: int | None
    last_ns: int | None


class ParticularsWithSteps(Particulars, total=False):
    """The same where siblings share what to do next and what limits them, too."""

    limits: tuple[str, ...]
    next_steps: tuple[NextStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a rule module declares."""

    code: str
    """Topic prefix and three digits; a retired code is never used again."""
    name: str
    """The fault, not the cure; reads well after "this capture shows"."""
    topic: Topic
    severity: Severity | None
    """Of its findings where nothing raises or lowers it; None for a rule that only proves that something worked."""
    check: Callable[[View], Iterator[Verdict]] | None = None
    """Judges one capture."""
    check_path: Callable[[Case], Iterator[Verdict]] | None = None
    """Judges several captures of one incident together, in the order of the path; not asked of a single one."""
    explains: tuple[str, ...] = ()
    """Codes of the findings that this one causes, when their subjects and times agree."""
    known: tuple[int, ...] = ()
    """Published issues and pull requests of apache/cloudstack whose signature on the wire this is."""
    since: str = "0.1.0"

    def finding(
        self,
        *,
        subject: Subject,
        summary: str,
        evidence: tuple[Evidence, ...],
        filter: str,  # the field's word for it
        confidence: Confidence = Confidence.CERTAIN,
        severity: Severity | None = None,
        first_ns: int | None = None,
        last_ns: int | None = None,
        alternatives: tuple[str, ...] = (),
        limits: tuple[str, ...] = (),
        next_steps: tuple[NextStep, ...] = (),
    ) -> Finding:
        """A finding of this rule; raises ValueError without evidence, for there is none without."""
        grade = severity or self.severity
        if grade is None:
            raise ValueError(f"{self.code} proves and does not find")
        if not evidence:
            raise ValueError(f"{self.code}: no evidence, no finding")
        return Finding(
            code=self.code,
            name=self.name,
            topic=self.topic,
            severity=grade,
            confidence=confidence,
            subject=subject,
            summary=summary,
            evidence=evidence,
            filter=_by_version(filter),
            first_ns=first_ns,
            last_ns=last_ns,
            alternatives=alternatives,
            limits=limits,
            next_steps=next_steps,
            known=self.known,
        )

    def proof(
        self,
        *,
        subject: Subject,
        summary: str,
        evidence: tuple[Evidence, ...],
        filter: str,  # the field's word for it
        first_ns: int | None = None,
        last_ns: int | None = None,
    ) -> Proof:
        """A proof of this rule."""
        return Proof(
            code=self.code,
            name=self.name,
            topic=self.topic,
            subject=subject,
            summary=summary,
            evidence=evidence,
            filter=_by_version(filter),
            first_ns=first_ns,
            last_ns=last_ns,
        )

    def doubt(self, why: str) -> Doubt:
        """Something of this rule's topic was there, but cannot be judged from this capture."""
        return Doubt(topic=self.topic, why=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPage:
    """What a topic's package declares as ``TOPIC``."""

    topic: Topic
    title: str
    seen: Callable[[View], str | None]
    """What of this topic the capture holds, in words ("3 DHCP exchanges"); None when nothing."""
    absent: str
    """Why nothing may be there, for the topics table ("not on a guest's tap")."""
    chart: Callable[[View], Chart | None] | None = None
    """The topic at a glance, for pages; None of a view where there is nothing to show."""
