"""Holds what pcapdx says of labelled captures against what is true of them.

    python -m captures.accuracy [FOLDER]
    python -m captures.accuracy --readme     # and puts the table into the project's README

Works on any folder of captures with truth files (see README.md beside this). For each topic: how many injected faults
were named (recall), how many claims at warning or above were true (precision), how often the first diagnosis was the
injected fault, and how many healthy captures were accused.
"""

import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pcapdx.diagnose import Analysis, analyze
from pcapdx.model import Finding, Severity
from pcapdx.plugins import Plugins, load
from pcapdx.site import load_site
from pcapdx.vantage import CaptureArgument, Role

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
MARKS = ("<!-- accuracy -->", "<!-- /accuracy -->")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One truth file and its captures."""

    name: str
    truth: dict[str, Any]
    arguments: tuple[CaptureArgument, ...]
    site: Path | None

    @property
    def faults(self) -> list[dict[str, Any]]:
        """What was injected."""
        faults: list[dict[str, Any]] = self.truth.get("faults", [])
        return faults

    @property
    def allowed(self) -> frozenset[str]:
        """Codes that may be reported at warning or above."""
        return frozenset(one["code"] for one in (*self.faults, *self.truth.get("consequences", ())))


@dataclass(slots=True, kw_only=True)
class Verdict:
    """How one case came out; empty lists are what is hoped for."""

    case: Case
    analysis: Analysis
    missed: list[str] = field(default_factory=list)
    """Injected faults that no finding at all names."""
    not_first: list[str] = field(default_factory=list)
    """The first diagnosis, where it is not an injected fault with a decisive frame in its evidence."""
    untrue: list[str] = field(default_factory=list)
    """Codes reported at warning or above that the truth file does not name."""
    unproven: list[str] = field(default_factory=list)
    """Proofs that the truth file names and pcapdx does not give."""

    @property
    def right(self) -> bool:
        """Nothing missed, nothing invented, the root first."""
        return not (self.missed or self.not_first or self.untrue or self.unproven)

    def __str__(self) -> str:
        parts = [
            f"{what} {', '.join(codes)}"
            for what, codes in (
                ("missed", self.missed),
                ("first was", self.not_first),
                ("not true:", self.untrue),
                ("not proven:", self.unproven),
            )
            if codes
        ]
        return f"{self.case.name}: {'; '.join(parts) or 'right'}"


def cases(folder: Path = HERE) -> list[Case]:
    """Every labelled case of a folder, by name."""
    return [_case(path) for path in sorted(folder.glob("*.toml")) if not path.name.endswith(".site.toml")]


def _case(path: Path) -> Case:
    truth = tomllib.loads(path.read_text(encoding="utf-8"))
    described = truth.get("captures", [{"name": path.stem, **truth}])
    arguments = tuple(
        CaptureArgument(
            name=one["name"],
            role=Role(one["role"]) if one.get("role") else None,
            path=str(path.parent / one["file"]),
            named=True,
        )
        for one in described
    )
    site = path.parent / truth["site"] if truth.get("site") else None
    return Case(name=path.stem, truth=truth, arguments=arguments, site=site)


def judge(case: Case, plugins: Plugins) -> Verdict:
    """Analyses a case and compares."""
    site = load_site(case.site) if case.site else None
    analysis = analyze(case.arguments, plugins, site=site, strict=True)
    diagnosed = analysis.diagnosed
    findings = [one.finding for one in diagnosed.findings]
    grave = [one for one in findings if one.severity is not Severity.INFO]
    found = {one.code for one in findings}
    proven = {one.code for one in diagnosed.proofs}
    verdict = Verdict(case=case, analysis=analysis)
    verdict.missed = sorted({one["code"] for one in case.faults} - found)
    verdict.untrue = sorted({one.code for one in grave} - case.allowed)
    verdict.unproven = sorted({one["code"] for one in case.truth.get("proofs", ())} - proven)
    if case.faults:
        first = diagnosed.diagnoses[0].root.finding if diagnosed.diagnoses else None
        if first is None or not any(_is(first, fault) for fault in case.faults):
            verdict.not_first = [first.code if first else "nothing"]
    return verdict


def _is(finding: Finding, fault: dict[str, Any]) -> bool:
    """Same code, no contradiction in the subject, and a decisive frame among the evidence."""
    subject = finding.subject.as_dict()
    if finding.code != fault["code"] or any(
        subject.get(key, value) != value for key, value in fault.get("subject", {}).items()
    ):
        return False
    cited = {number for piece in finding.evidence for number in piece.frames}
    decisive = set(_decisive(fault))
    return not decisive or bool(cited & decisive)


def _decisive(fault: dict[str, Any]) -> Iterator[int]:
    """Frame numbers, given as a list or by capture."""
    decisive = fault.get("decisive", [])
    for value in decisive.values() if isinstance(decisive, dict) else [decisive]:
        yield from value


def table(verdicts: Sequence[Verdict]) -> str:
    """The accuracy table, Markdown."""
    lines = [
        "| topic | injected faults | named | named first | claims at warning or above | true |",
        "|---|---|---|---|---|---|",
    ]
    topics = sorted({fault["topic"] for one in verdicts for fault in one.case.faults})
    for topic in topics:
        faulty = [one for one in verdicts if any(fault["topic"] == topic for fault in one.case.faults)]
        named = sum(not one.missed for one in faulty)
        first = sum(not one.not_first for one in faulty)
        claims = [
            (one, finding.finding)
            for one in verdicts
            for finding in one.analysis.diagnosed.findings
            if finding.finding.topic.value == topic and finding.finding.severity is not Severity.INFO
        ]
        true = sum(finding.code in one.case.allowed for one, finding in claims)
        lines.append(f"| {topic} | {len(faulty)} | {named} | {first} | {len(claims)} | {true} |")
    healthy = [one for one in verdicts if not one.case.faults]
    accused = sum(bool(one.untrue) for one in healthy)
    right = sum(one.right for one in verdicts)
    lines.append("")
    lines.append(
        f"{len(verdicts)} cases, {len(healthy)} of them healthy: {right} right in every respect, "
        f"{accused} healthy ones accused."
    )
    return "\n".join(lines)


def with_table(readme: str, made: str) -> str:
    """The README's text with this table between its markers."""
    head, _, rest = readme.partition(MARKS[0])
    _, _, tail = rest.partition(MARKS[1])
    return f"{head}{MARKS[0]}\n{made}\n{MARKS[1]}{tail}"


def main() -> None:
    """Prints the table and what is not right; exits 1 when anything is not."""
    arguments = [one for one in sys.argv[1:] if one != "--readme"]
    plugins = load()
    verdicts = [judge(case, plugins) for case in cases(Path(arguments[0]) if arguments else HERE)]
    print(table(verdicts))
    if "--readme" in sys.argv:
        README.write_text(with_table(README.read_text(encoding="utf-8"), table(verdicts)), encoding="utf-8")
    wrong = [one for one in verdicts if not one.right]
    for one in wrong:
        print(f"- {one}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
