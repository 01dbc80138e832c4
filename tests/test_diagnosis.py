"""Findings linked and ranked: one root, its consequences below it, and never a circle."""

import pytest

from pcapdx import diagnosis
from pcapdx.case import Case
from pcapdx.diagnosis import State, agrees, diagnose, merge
from pcapdx.model import Confidence, Doubt, Evidence, Finding, Proof, Severity, Subject, Topic
from pcapdx.rule import Rule, TopicPage

VLAN, DHCP, PWD = Topic.VLAN_TRUNK, Topic.DHCP, Topic.PASSWORD_RESET


def finding(
    code: str,
    topic: Topic = DHCP,
    *,
    subject: Subject | None = None,
    severity: Severity = Severity.ERROR,
    confidence: Confidence = Confidence.CERTAIN,
    first_ns: int | None = None,
    last_ns: int | None = None,
    capture: str = "a",
    frames: tuple[int, ...] = (1,),
) -> Finding:
    return Finding(
        code=code,
        name=code.lower(),
        topic=topic,
        severity=severity,
        confidence=confidence,
        subject=subject or Subject(vlan=101, mac="02:00:00:00:00:01"),
        summary=f"{code} happened.",
        evidence=(Evidence(capture=capture, frames=frames, what="seen"),),
        filter="",
        first_ns=first_ns,
        last_ns=last_ns,
    )


def rule(code: str, *explains: str) -> Rule:
    return Rule(
        code=code, name=code, topic=DHCP, severity=Severity.ERROR, check=lambda view: iter(()), explains=explains
    )


RULES = (rule("A001", "B001"), rule("B001", "C001"), rule("C001", "A001"))


def run(*findings: Finding, rules: tuple[Rule, ...] = RULES[:2]) -> list[tuple[str, str | None]]:
    """(code, code of the cause) in order of rank."""
    done = diagnose(Case(views=()), findings, (), (), rules, ())
    codes = {one.id: one.finding.code for one in done.findings}
    return [(one.finding.code, codes.get(one.explained_by or "")) for one in done.findings]


def test_a_chain_has_one_root() -> None:
    assert run(finding("C001"), finding("B001"), finding("A001")) == [
        ("A001", None),
        ("B001", "A001"),
        ("C001", "B001"),
    ]


def test_consequences_of_consequences_are_below_the_root() -> None:
    done = diagnose(Case(views=()), [finding("C001"), finding("B001"), finding("A001")], (), (), RULES[:2], ())
    (only,) = done.diagnoses
    assert [one.finding.code for one in only.consequences] == ["B001", "C001"]


def test_a_circle_is_cut() -> None:
    linked = run(finding("A001"), finding("B001"), finding("C001"), rules=RULES)
    assert sum(cause is None for _, cause in linked) == 1


def test_subjects_must_agree() -> None:
    other = Subject(vlan=102, mac="02:00:00:00:00:01")
    assert run(finding("A001"), finding("B001", subject=other)) == [("A001", None), ("B001", None)]


def test_subjects_that_share_no_field_do_not_meet() -> None:
    cause = finding("A001", subject=Subject(name="x"))
    assert not agrees(cause, finding("B001", subject=Subject(vlan=1)))


def test_a_cause_without_subject_explains_its_capture_only() -> None:
    whole = finding("A001", subject=Subject())
    assert agrees(whole, finding("B001"))
    assert not agrees(whole, finding("B001", capture="b"))


def test_a_cause_is_not_later_than_its_consequence() -> None:
    assert not agrees(finding("A001", first_ns=10_000_000_000), finding("B001", first_ns=0, last_ns=1))
    assert agrees(finding("A001", first_ns=1_500_000_000), finding("B001", first_ns=0, last_ns=1))
    assert agrees(finding("A001", first_ns=10_000_000_000), finding("B001", first_ns=0, last_ns=20_000_000_000))


def test_equal_code_and_subject_is_one_finding_with_more_evidence() -> None:
    mild = finding("A001", severity=Severity.WARNING, frames=(7,), first_ns=5)
    (one,) = merge([mild, finding("A001", frames=(9,), first_ns=9)])
    assert one.severity is Severity.ERROR
    assert [piece.frames for piece in one.evidence] == [(9,), (7,)]
    assert one.first_ns == 5


def test_graver_then_surer_then_more_telling_first() -> None:
    remark = finding("X001", severity=Severity.INFO, subject=Subject(vlan=7))
    doubtful = finding("Y001", confidence=Confidence.POSSIBLE, subject=Subject(vlan=8))
    telling = finding("A001", subject=Subject(vlan=9))
    lone = finding("Z001", subject=Subject(vlan=10))
    explained = finding("B001", subject=Subject(vlan=9))
    assert [code for code, _ in run(remark, doubtful, lone, telling, explained)] == [
        "A001",
        "Z001",
        "Y001",
        "X001",
        "B001",
    ]


def test_limits_of_the_capture_come_after_faults_of_the_network() -> None:
    capture = finding("CAP001", Topic.CAPTURE, subject=Subject(vlan=1))
    assert [code for code, _ in run(capture, finding("A001"))] == ["A001", "CAP001"]


def states(findings: list[Finding], proofs: list[Proof], doubts: list[Doubt], seen: str | None = None) -> State:
    page = TopicPage(topic=DHCP, title="DHCP", seen=lambda view: seen, absent="no DHCP")
    done = diagnose(Case(views=()), findings, proofs, doubts, (), (page,))
    return done.topics[0].state


def test_topic_states() -> None:
    proof = Proof(code="P001", name="p", topic=DHCP, subject=Subject(), summary="works", evidence=(), filter="")
    doubt = Doubt(topic=DHCP, why="filter")
    assert states([], [], []) is State.NOT_SEEN
    assert states([], [], [doubt]) is State.CANNOT_TELL
    assert states([], [proof], [doubt]) is State.HEALTHY
    assert states([finding("A001")], [proof], []) is State.FAULTY
    assert states([finding("A001", severity=Severity.INFO)], [proof], []) is State.HEALTHY
    assert states([finding("A001", PWD)], [], []) is State.NOT_SEEN


def test_one_fault_at_two_points_is_one_finding() -> None:
    """The tag that a tap does not show is no contradiction, and the one that is told stays."""
    tap = finding("DHCP001", subject=Subject(vlan=0, mac="02:00:00:00:00:01"), capture="tap")
    nic = finding("DHCP001", subject=Subject(vlan=101, mac="02:00:00:00:00:01"), capture="nic")
    (one,) = merge([tap, nic])
    assert one.subject == Subject(vlan=101, mac="02:00:00:00:00:01")
    assert {piece.capture for piece in one.evidence} == {"tap", "nic"}


def test_two_clients_at_two_points_are_two_findings() -> None:
    here = finding("DHCP001", subject=Subject(vlan=101, mac="02:00:00:00:00:01"), capture="tap")
    there = finding("DHCP001", subject=Subject(vlan=101, mac="02:00:00:00:00:02"), capture="nic")
    assert len(merge([here, there])) == 2


def test_many_findings_are_not_held_each_against_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of forged addresses in two captures: the work grows with the findings, not with their square."""
    compared = []
    same = diagnosis._is_same

    def counted(one: Finding, other: Finding) -> bool:
        compared.append(one)
        return same(one, other)

    monkeypatch.setattr(diagnosis, "_is_same", counted)
    flood = [
        finding("DHCP001", subject=Subject(vlan=tag, mac=f"02:00:00:00:{n >> 8:02x}:{n & 255:02x}"), capture=capture)
        for n in range(2000)
        for capture, tag in (("tap", 0), ("nic", 101))
    ]
    assert len(merge(flood)) == 2000
    assert len(compared) <= 2 * len(flood)
