"""Turns a kernel function into its compiled twin.

A kernel is written as plain module-level functions over bytes and NumPy record arrays. Small captures and the tests run
them as they are; large ones run what :func:`compiled` makes of them. So both are one source, and a capture of a hundred
frames never waits for numba to be imported.

Rules for kernel code, so that both twins give equal results:

- bytes come as ``memoryview`` (plain twin) or ``uint8`` array (compiled twin); indexing gives an int in both;
- bytes and fields of record arrays are read through ``int(...)``: the plain twin then computes with unbounded ints, and
  in the compiled one ``int`` is a cast to ``int64`` (left alone, a byte shifted is unsigned, and signed with unsigned
  is float);
- no sum, product or shift may leave 63 bits: compiled code takes signed overflow for impossible and computes nonsense;
- no floats, no closures, no keyword arguments, no allocation a frame, no Python objects.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., object])

_twins: dict[tuple[FunctionType, bool], Callable[..., object]] = {}


def cache_folder(sources: list[Path]) -> Path:
    """Where compiled kernels of exactly these sources live.

    numba looks only at the file of the outermost function when it judges whether a cached kernel is fresh, so the
    folder is named by a digest of every kernel file.
    """
    digest = hashlib.blake2b(digest_size=8)
    for source in sorted(sources):
        digest.update(source.read_bytes())
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "pcapdx" / digest.hexdigest()


def compiled(function: F) -> F:
    """The compiled twin of ``function``; the kernel functions it calls are compiled with it.

    Compiles at the first call (seconds) and caches the machine code on disk; later runs load it. Set
    ``PCAPDX_BOUNDSCHECK=1`` to compile with numba's bounds checks (no disk cache then).
    """
    return cast(F, _twin(cast(FunctionType, function), outermost=True))


def _twin(function: FunctionType, *, outermost: bool) -> Callable[..., object]:
    key = function, outermost
    if key not in _twins:
        numba = _numba()
        scope = dict(function.__globals__)
        scope["int"] = numba.int64
        for name in function.__code__.co_names:
            callee = scope.get(name)
            if isinstance(callee, FunctionType):
                scope[name] = _twin(callee, outermost=False)
        bound = FunctionType(function.__code__, scope, function.__name__, function.__defaults__)
        bound.__module__ = function.__module__
        bound.__qualname__ = function.__qualname__
        check = os.environ.get("PCAPDX_BOUNDSCHECK") == "1"
        # only what Python calls needs a wrapper and a place on disk: halves the time to compile
        options = {"cache": not check} if outermost else {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        _twins[key] = numba.njit(nogil=True, boundscheck=check, **options)(bound)
    return _twins[key]


def _numba() -> Any:
    package = Path(__file__).parent
    sources = [Path(__file__), *package.glob("sieve/*.py"), *package.glob("capture/*.py")]
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder(sources)))
    import numba

    return numba
