"""What holds of everything that loads, and of every file; nobody keeps lists, so the tests look at all there are."""

import ast
import re
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from captures.lab.truth import TOPICS
from pcapdx.model import Topic
from pcapdx.plugins import Plugins, load
from pcapdx.rule import HEADINGS, Rule
from tests import labelled
from tests.conftest import ROOT

PLUGINS = load()
MODULES = {PLUGINS.modules[rule.code] for rule in PLUGINS.rules}
PYTHON = sorted(
    path
    for folder in ("pcapdx", "dissectors", "captures", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)
NO_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc"}
LONGEST_FILE = 450
LONG = {"pcapdx/sieve/layers.py": "one kernel, whose parts call each other for every frame and mean nothing alone"}
NOT_SHOWN: dict[str, str] = {}
"""Rules that no labelled capture shows, and why; every other one has at least one."""

each_rule = pytest.mark.parametrize("rule", PLUGINS.rules, ids=lambda rule: rule.code)
each_module = pytest.mark.parametrize("module", sorted(MODULES))
each_file = pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))


def rules_of(module: str) -> list[Rule]:
    return [rule for rule in PLUGINS.rules if PLUGINS.modules[rule.code] == module]


def page_of(module: str) -> str:
    return PLUGINS.pages[rules_of(module)[0].code]


def test_everything_loads() -> None:
    assert PLUGINS.errors == ()
    assert len(PLUGINS.rules) > 50
    assert {page.topic for page in PLUGINS.topics} == set(Topic)


@each_rule
def test_code_and_name(rule: Rule) -> None:
    """The code's letters tell the topic; the name is the fault in words."""
    letters = re.fullmatch(r"([A-Z]+)\d{3}", rule.code)
    assert letters
    assert Topic(TOPICS[letters[1]]) is rule.topic
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
    assert re.fullmatch(r"\d+\.\d+\.\d+", rule.since)


def test_names_are_unique() -> None:
    names = [(rule.topic, rule.name) for rule in PLUGINS.rules]
    assert len(set(names)) == len(names)


@each_rule
def test_what_is_explained_exists(rule: Rule) -> None:
    """An edge to a rule that there is not would never hold, and a rule does not explain itself."""
    finding = {other.code for other in PLUGINS.rules if other.severity is not None}
    assert rule.code not in rule.explains
    assert set(rule.explains) <= finding
    assert rule.severity is not None or not rule.explains


@each_module
def test_layout(module: str) -> None:
    """A rule lies in its topic's folder, in a file named after its fault or, of siblings, after what they share."""
    _, _, folder, file = module.split(".")
    assert {rule.topic.value.replace("-", "_") for rule in rules_of(module)} == {folder}
    names = {rule.name.replace("-", "_") for rule in rules_of(module)}
    if len(names) == 1:
        assert file in names.pop()


@each_module
def test_manual_page(module: str) -> None:
    """The title names every code; the headings are those of the contract, in order, each underlined and with a text."""
    page = page_of(module)
    title = " ".join(page.partition("\n\n")[0].split())
    for rule in rules_of(module):
        assert f"{rule.code} {rule.name}" in title
    lines = page.splitlines()
    headings = [above for above, line in pairwise(lines) if set(line) == {"-"}]
    proofs_only = all(rule.severity is None for rule in rules_of(module))
    assert headings == list(HEADINGS[:2] if proofs_only else HEADINGS)
    for above, line, below in zip(lines, lines[1:], lines[2:], strict=False):
        if above in HEADINGS:
            assert line == "-" * len(above)
            assert below.strip()


@each_rule
def test_a_capture_shows_it(rule: Rule) -> None:
    """Some truth file names the code: as fault, consequence, remark or proof."""
    shown = {
        label["code"]
        for case in labelled.CASES.values()
        for kind in ("faults", "consequences", "infos", "proofs")
        for label in case.truth.get(kind, ())
    }
    assert (rule.code in shown) is (rule.code not in NOT_SHOWN)


@pytest.mark.parametrize("name", sorted(one.name for one in PLUGINS.dissectors))
def test_every_dissector_has_tests(name: str) -> None:
    file = PLUGINS.modules[name].rpartition(".")[2]
    assert (ROOT / "tests/dissectors" / f"test_{file}.py").exists()


@each_file
def test_names_say_something(path: Path) -> None:
    assert not NO_NAMES & {path.stem.strip("_").lower(), *(part.lower() for part in path.relative_to(ROOT).parts)}


@each_file
def test_files_are_short(path: Path) -> None:
    long = len(path.read_text(encoding="utf-8").splitlines()) >= LONGEST_FILE
    assert long is (str(path.relative_to(ROOT)) in LONG)


def undocumented(path: Path) -> Iterator[str]:
    """Public modules, classes and functions without a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    todo: list[tuple[str, ast.AST]] = [(path.stem, tree)]
    while todo:
        name, node = todo.pop()
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            if not ast.get_docstring(node) and not (isinstance(node, ast.Module) and not node.body):
                yield name
            if not isinstance(node, ast.FunctionDef):
                named = [one for one in node.body if isinstance(one, (ast.ClassDef, ast.FunctionDef))]
                todo += [(f"{name}.{one.name}", one) for one in named if not one.name.startswith("_")]


@pytest.mark.parametrize(
    "path",
    [path for path in PYTHON if path.relative_to(ROOT).parts[0] in ("pcapdx", "dissectors")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_what_is_public_is_documented(path: Path) -> None:
    assert not list(undocumented(path))


def tracked() -> list[Path]:
    """Every text file of the repository."""
    run = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=False
    )
    if run.returncode:
        pytest.skip("not a git checkout")
    names = run.stdout.decode().splitlines()
    suffixes = {".py", ".md", ".toml", ".j2", ".json", ".txt", ".yml", ".yaml", ".sh", ""}
    return [ROOT / name for name in names if Path(name).suffix in suffixes and (ROOT / name).is_file()]


def test_no_file_speaks_of_the_machine_it_was_written_on() -> None:
    """No absolute path of a working copy or a home, and nothing put off until later."""
    unwanted = re.compile(r"(?<![\w.])/(?:[w]ork|[h]ome/\w+)/|\b(?:[T]ODO|[F]IXME)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in tracked()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if unwanted.search(line)
    ]
    assert not found, "\n".join(found)


def test_plugins_come_in_by_their_own_door(plugins: Plugins) -> None:
    """No module of the core imports a dissector or a rule by name; lint-imports says it for packages, this for text."""
    for path in (ROOT / "pcapdx").glob("*.py"):
        assert not re.search(r"^\s*(from|import) (dissectors|pcapdx\.rules)\b", path.read_text(), re.MULTILINE), path
    assert any(pack.startswith("pcapdx ") for pack in plugins.packs)
