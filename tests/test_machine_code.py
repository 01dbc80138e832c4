"""Machine code kept on disk: equal results without numba and beside it, and nothing of it where it does not fit."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.generate import write
from pcapdx.capture.source import FAST_BYTES
from pcapdx.machine_code import NotKept, keep, load
from tests.conftest import ROOT

ROW = np.dtype([("a", "i8"), ("b", "i4")])


def summed(data: Any, rows: Any, factor: int) -> tuple[int, int]:
    """A kernel."""
    total = 0
    for i in range(len(data)):
        total += data[i] * factor
    for i in range(len(rows)):
        rows[i]["a"] = total + i
    return total, len(rows)


def nothing(data: Any) -> None:
    """A kernel that returns nothing."""
    data[0] = 5


def halved(data: Any) -> Any:
    """One that returns no integer."""
    return data[0] / 2


def doubled(data: Any) -> int:
    """One that allocates."""
    return len(np.zeros(len(data)))


def given() -> tuple[Any, ...]:
    """What ``summed`` is called with."""
    return np.arange(10, dtype=np.int64), np.zeros(3, ROW), 7


def compile_and_keep(folder: Path, function: Any, arguments: tuple[Any, ...]) -> None:
    import numba

    typeof: Any = numba.typeof
    dispatcher = numba.njit(function)
    dispatcher.compile(tuple(typeof(one) for one in arguments))
    keep(folder, function.__name__, dispatcher, arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two kernels."""
    path = tmp_path_factory.mktemp("kernels")
    compile_and_keep(path, summed, given())
    compile_and_keep(path, nothing, (np.zeros(2, np.int64),))
    return path


def in_a_process(folder: Path, *lines: str) -> list[str]:
    """What these lines print in a process of their own."""
    begin = (
        "import sys, numpy as np; from pathlib import Path; from pcapdx.machine_code import load",
        "from tests.test_machine_code import given, summed, nothing",
        f"folder = Path({str(folder)!r})",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join((*begin, *lines))], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_it_runs_without_numba(folder: Path) -> None:
    expected = summed(*given())
    said = in_a_process(
        folder,
        "code = load(folder, 'summed'); arguments = given()",
        "assert code.fits(arguments)",
        "print(*code(*arguments), arguments[1]['a'][2], 'numba' in sys.modules)",
    )
    assert said == [str(expected[0]), str(expected[1]), str(expected[0] + 2), "False"]


def test_it_runs_beside_numba(folder: Path) -> None:
    """Numba's runtime stays numba's: what it compiles before and after a kept kernel is loaded works."""
    said = in_a_process(
        folder,
        "import numba",
        "before = numba.njit(lambda a: (a + a).sum())",
        "print(before(np.arange(4)))",
        "code = load(folder, 'summed'); code.fits(given()); print(code(*given())[0])",
        "after = numba.njit(lambda a: (a * a).copy())",
        "print(after(np.arange(4))[3], before(np.arange(5)))",
    )
    assert said == ["12", str(summed(*given())[0]), "9", "20"]


def test_nothing_is_none(folder: Path) -> None:
    code, data = load(folder, "nothing"), np.zeros(2, np.int64)
    assert code.fits((data,))
    assert code(data) is None
    assert data.tolist() == [5, 0]


@pytest.mark.parametrize(
    "arguments",
    [
        (np.arange(10, dtype=np.int32), np.zeros(3, ROW), 7),
        (np.arange(20, dtype=np.int64)[::2], np.zeros(3, ROW), 7),
        (np.arange(10, dtype=np.int64), np.zeros(3, ROW)),
        (np.arange(10, dtype=np.int64), np.zeros(3, ROW), 7.0),
    ],
    ids=["other items", "strided", "too few", "a float"],
)
def test_other_arguments_do_not_fit(folder: Path, arguments: tuple[Any, ...]) -> None:
    code = load(folder, "summed")
    assert not code.fits(arguments)
    assert code.fits(given())
    with pytest.raises(NotKept):
        code(*arguments)


@pytest.mark.parametrize(("function", "why"), [(halved, "returns"), (doubled, "allocates")])
def test_what_needs_numbas_runtime_is_not_kept(tmp_path: Path, function: Any, why: str) -> None:
    with pytest.raises(NotKept, match=why):
        compile_and_keep(tmp_path, function, (np.zeros(2, np.int64),))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [".o", ".json"])
@pytest.mark.parametrize("data", [b"", b"{}", b"\x7fELF" + bytes(60)])
def test_damaged_files_are_as_none(folder: Path, tmp_path: Path, ending: str, data: bytes) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(data if path.suffix == ending else path.read_bytes())
    with pytest.raises(NotKept):
        load(tmp_path, "summed")


def test_a_symbol_that_nobody_has(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (facts,) = tmp_path.glob("summed-*.json")
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {"wanted": ["no_such_function_anywhere"]}))
    with pytest.raises(NotKept, match="no_such_function_anywhere"):
        load(tmp_path, "summed")


def test_only_the_first_large_capture_waits_for_the_compiler(tmp_path: Path) -> None:
    """And says why; the second process loads what the first has kept, and comes to the same report."""
    capture = tmp_path / "trunk.pcap"
    write(capture, 1500, 60)
    assert capture.stat().st_size > FAST_BYTES
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("PCAPDX_BOUNDSCHECK", None)
    environment.pop("NUMBA_CACHE_DIR", None)
    program = (
        "import sys; from pcapdx.cli import main\ntry: main()\nfinally: print('numba' in sys.modules, file=sys.stderr)"
    )
    first, second = (
        subprocess.run(
            [sys.executable, "-c", program, "analyze", str(capture), "--format", "json"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for _ in range(2)
    )
    assert "compiling the kernels" in first.stderr
    assert first.stderr.split()[-1] == "True"
    assert second.stderr.split() == ["False"]
    assert first.stdout == second.stdout != ""
