"""Hands a target over to atheris (libFuzzer), with its seeds in a folder among the temporary files."""

import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FunctionType

OURS = frozenset({"pcapdx", "dissectors"})


def fuzz(name: str, seeds: Iterable[bytes], check: Callable[[bytes], None]) -> int:
    """Runs until libFuzzer's options say so; where atheris is not installed, says that and nothing else."""
    try:
        import atheris
    except ImportError:
        print(f"atheris is not installed (pip install atheris): fuzzing of {name} skipped", file=sys.stderr)
        return 0
    folder = Path(tempfile.gettempdir()) / "pcapdx-fuzz" / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (folder / f"{number:03}").write_bytes(seed)
    for function in _own_functions():
        atheris.instrument_func(function)
    atheris.Setup([*sys.argv, str(folder)], check)
    atheris.Fuzz()
    return 0


def _own_functions() -> list[FunctionType]:
    """Functions and methods of what is loaded of this project; to instrument all that is loaded takes a minute."""
    found: dict[int, FunctionType] = {}
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] in OURS:
            for value in vars(module).values():
                members = vars(value).values() if isinstance(value, type) else (value,)
                for one in members:
                    inner = getattr(one, "fget", None) or getattr(one, "__func__", None) or one
                    if isinstance(inner, FunctionType) and str(inner.__module__).partition(".")[0] in OURS:
                        found[id(inner)] = inner
    return list(found.values())
