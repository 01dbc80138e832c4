"""Files made from the code, rewritten by ``make accept``: tables of rules, dissectors, columns; JSON Schema; help."""

import inspect
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from pcapdx.cli import cli
from pcapdx.dissect import Dissector
from pcapdx.model import Finding
from pcapdx.plugins import Plugins
from pcapdx.report.schema import json_schema
from pcapdx.rule import Rule
from pcapdx.sieve import columns
from tests.conftest import ROOT, Golden

TABLES = (
    ("Frames", "One row a frame, as long as its block lives.", columns.FRAME_COLUMNS),
    ("Flows", "One row a flow: 5-tuple within one VLAN or tunnel, both ways.", columns.FLOW_COLUMNS),
    ("Sides", "Two rows a flow: its originator's, its responder's.", columns.SIDE_COLUMNS),
    ("Talkers", "One row a MAC in one VLAN or tunnel.", columns.TALKER_COLUMNS),
    ("Bindings", "One row a MAC and an IP address it used, in one VLAN or tunnel.", columns.BINDING_COLUMNS),
    ("Repeats", "One row a group-addressed frame, by its hash.", columns.REPEAT_COLUMNS),
    ("Counters", "One row a capture.", columns.COUNTER_COLUMNS),
)
HELP_WIDTH = 100


def put(path: Path, marker: str, text: str) -> str:
    """The file's text with this between ``<!-- marker -->`` and ``<!-- /marker -->``; the rest is written by hand."""
    old = path.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
    assert len(pattern.findall(old)) == 1, f"{path.name} needs one pair of {marker} markers"
    return pattern.sub(lambda match: f"{match[1]}\n{text.strip()}\n\n{match[2]}", old)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; cells must be one line."""
    heads = list(heads)
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def what_it_does(rule: Rule, page: str) -> str:
    """A rule in a sentence: by its check where several share a page, else by the page's title, else by what it does."""
    own = " ".join((inspect.getdoc(rule.check or rule.check_path) or "").split("\n\n")[0].split())
    text = own.removeprefix(f"{rule.code}:").strip()
    if text == own or text.startswith("One finding"):
        text = " ".join(page.partition("\n\n")[0].split()).partition(": ")[2]
    if not text:
        section = re.search(r"^What it does\n-+\n(.*?)(?:\n\n|\Z)", page, re.MULTILINE | re.DOTALL)
        assert section, f"{rule.code} does not say what it does"
        text = re.split(r"(?<=[.])\s+(?=[A-Z])", " ".join(section[1].split()))[0]
    return f"{text[:1].upper()}{text[1:]}"


def rules_by_topic(plugins: Plugins) -> Iterator[str]:
    """A table a topic, in the order of its codes."""
    titles = {page.topic: page.title for page in plugins.topics}
    for topic in dict.fromkeys(rule.topic for rule in plugins.rules):
        rows = [
            (
                f"[{rule.code}]({plugins.modules[rule.code].removeprefix('pcapdx.rules.').replace('.', '/')}.py)",
                rule.name,
                rule.severity.value if rule.severity else "proof",
                what_it_does(rule, plugins.pages[rule.code]),
            )
            for rule in plugins.rules
            if rule.topic is topic
        ]
        yield f"### {titles.get(topic, topic.value)} (`{topic.value}`)\n"
        yield f"{table(('code', 'name', 'severity', 'what it does'), rows)}\n"


def test_rules(golden: Golden, plugins: Plugins) -> None:
    path = ROOT / "pcapdx/rules/README.md"
    golden(path, put(path, "rules", "\n".join(rules_by_topic(plugins))))


def test_no_rule_is_both_there_and_left_out(plugins: Plugins) -> None:
    """The list of rules left out names none that exists, and gives each a reason."""
    _, _, left_out = (ROOT / "pcapdx/rules/README.md").read_text(encoding="utf-8").partition("## Left out")
    rows = re.findall(r"^\| ([A-Z]+\d{3}) \| [^|]+ \| ([^|]+) \|$", left_out, re.MULTILINE)
    assert {code for code, _ in rows}.isdisjoint(rule.code for rule in plugins.rules)
    assert rows
    assert all(len(reason.split()) > 2 for _, reason in rows)


def reads(one: Dissector) -> str:
    """What a dissector claims, in words."""
    if one.builds_on:
        return f"the messages of `{one.builds_on}`"
    parts = [
        *(f"ethertype 0x{value:04x}" for value in sorted(one.ethertypes)),
        *(f"LLC SAP 0x{value:02x}" for value in sorted(one.llc_saps)),
        *(f"to {value:012x}" for value in sorted(one.eth_dsts)),
        *(f"IP protocol {value}" for value in sorted(one.ip_protocols)),
        *(f"UDP {value}" for value in sorted(one.udp_ports)),
        *(f"TCP {value}" for value in sorted(one.tcp_ports)),
        *(f"TCP that begins with {value!r}" for value in sorted(one.tcp_starts)),
    ]
    return ", ".join(parts) or one.layer.name.lower()


def test_dissectors(golden: Golden, plugins: Plugins) -> None:
    path = ROOT / "dissectors/README.md"
    rows = [
        (
            f"`{one.name}`",
            one.spec,
            reads(one),
            ", ".join(kind.__name__ for kind in one.messages),
            ", ".join(kind.__name__ for kind in one.exchanges) or "-",
            "; ".join(f"{name}: {why}" for name, why in one.secrets.items()) or "-",
        )
        for one in sorted(plugins.dissectors, key=lambda one: one.name)
    ]
    golden(path, put(path, "dissectors", table(("name", "after", "reads", "messages", "exchanges", "not kept"), rows)))


def test_columns(golden: Golden) -> None:
    path = ROOT / "pcapdx/sieve/README.md"
    parts = []
    for title, about, declared in TABLES:
        rows = [(f"`{one.name}`", " × ".join([one.type, *map(str, one.shape)]), one.doc) for one in declared]
        parts.append(f"### {title}\n\n{about}\n\n{table(('column', 'type', 'meaning'), rows)}\n")
    golden(path, put(path, "columns", "\n".join(parts)))


def test_schema(golden: Golden) -> None:
    golden(ROOT / "pcapdx/report/schema.json", json.dumps(json_schema(), indent=2) + "\n")


def help_pages() -> Iterator[str]:
    """The help of the program and of every command, as a user sees it."""
    # with the program's own settings: a command keeps the first help option it has made
    settings: dict[str, Any] = {**cli.context_settings, "terminal_width": HELP_WIDTH, "max_content_width": HELP_WIDTH}
    yield from _pages(cli, click.Context(cli, info_name="pcapdx", **settings))


def _pages(command: click.Command, context: click.Context) -> Iterator[str]:
    yield command.get_help(context)
    for name, child in sorted(command.commands.items()) if isinstance(command, click.Group) else ():
        yield from _pages(child, click.Context(child, parent=context, info_name=name, terminal_width=HELP_WIDTH))


def test_help(golden: Golden) -> None:
    path = ROOT / "README.md"
    golden(path, put(path, "help", "\n\n".join(f"```\n{page.rstrip()}\n```" for page in help_pages())))


SECTION = "\n\nWhat it does\n------------\nFinds a thing. And more.\n\nWhy"


@pytest.mark.parametrize(
    ("check", "page", "expected"),
    [
        ("XXX001: an empty\nanswer.", f"XXX001 one, XXX002 two: the same.{SECTION}", "An empty answer."),
        ("One finding a client.", f"XXX001 one, XXX002 two: the same.{SECTION}", "The same."),
        ("One finding a client.", f"XXX001 one, XXX002 two.{SECTION}", "Finds a thing."),
    ],
)
def test_a_rule_in_a_sentence(check: str, page: str, expected: str, plugins: Plugins) -> None:
    """Close siblings share a page, and are told apart where their checks do."""

    def nothing(view: object) -> Iterator[Finding]:
        yield from ()

    nothing.__doc__ = check
    assert what_it_does(replace(plugins.rules[0], code="XXX001", check=nothing), page) == expected
