"""Turns a kernel function into its compiled twin.

A kernel is written as plain module-level functions over bytes and NumPy record arrays. Small captures and the tests run
them as they are; large ones run what :func:`compiled` makes of them. So both are one source, and a capture of a hundred
frames never waits for numba to be imported.

Rules for kernel code, so that both twins give equal results:

- bytes come as ``memoryview`` (plain twin) or ``uint8`` array (compiled twin); indexing gives an int in both;
- bytes and fields of record arrays are read through ``int(...)``: the plain twin then computes with unbounded ints, and
  in the compiled one ``int`` is a cast to ``int64`` (left alone, a byte shifted is unsigned, and signed with unsigned
  is float);
- a byte is indexed by ``data[place(at)]``: an index that is known to be positive spares compiled code a comparison, so
  that it reads four neighbouring bytes as one word; ``place`` of a sum, never a sum of ``place``;
- no sum, product or shift may leave 63 bits: compiled code takes signed overflow for impossible and computes nonsense;
- no floats, no closures, no keyword arguments, no allocation a frame, no Python objects.
"""

import atexit
import contextlib
import os
import pwd
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., object])

_twins: dict[FunctionType, Callable[..., object]] = {}
_inner: dict[FunctionType, Callable[..., object]] = {}


def compiled(function: F) -> F:
    """The compiled twin of ``function``; the kernel functions it calls are compiled with it.

    Compiles at the first call on this machine (seconds) and keeps the machine code on disk; later runs load it. Set
    ``PCAPDX_BOUNDSCHECK=1`` to compile with numba's bounds checks (nothing is kept then).
    """
    key = cast(FunctionType, function)
    if key not in _twins:
        _twins[key] = _by_numba(key) if _bounds_checked() else _Kernel(key)
    return cast(F, _twins[key])


before_compiling: list[Callable[[], None]] = []
"""Called once before this process compiles for the first time; for whoever can tell a person why it takes so long."""


class _Kernel:
    """A compiled kernel: kept machine code where there is some for the arguments, else what numba compiles."""

    def __init__(self, function: FunctionType) -> None:
        self._function = function
        self._run: Callable[..., object] | None = None

    def __call__(self, *arguments: object) -> object:
        if self._run is None:
            self._run = self._kept(arguments) or self._fresh(arguments)
        return self._run(*arguments)

    def _kept(self, arguments: tuple[object, ...]) -> Callable[..., object] | None:
        from pcapdx import machine_code  # what loads machine code is imported where there is a large capture

        try:
            code = machine_code.load(cache_folder(), self._function.__name__)
            return code if code.fits(arguments) else None
        except machine_code.NotKept:
            return None

    def _fresh(self, arguments: tuple[object, ...]) -> Callable[..., object]:
        """Compiles without running, and keeps the code where that can be done."""
        while before_compiling:
            before_compiling.pop()()
        dispatcher: Any = _by_numba(self._function)
        dispatcher.compile(tuple(_numba().typeof(one) for one in arguments))
        from pcapdx import machine_code

        with contextlib.suppress(machine_code.NotKept, OSError):  # then numba's own cache is used
            machine_code.keep(cache_folder(), self._function.__name__, dispatcher, arguments)
        return cast(Callable[..., object], dispatcher)


def _by_numba(function: FunctionType) -> Callable[..., object]:
    """A function that Python can call."""
    return _jitted(function, cache=not _bounds_checked())


def _jitted(function: FunctionType, **options: bool) -> Callable[..., object]:
    numba = _numba()
    scope = dict(function.__globals__)
    scope["int"], scope["place"] = numba.int64, numba.uint64
    for name in function.__code__.co_names:
        callee = scope.get(name)
        if isinstance(callee, FunctionType):
            if callee not in _inner:
                # only what Python calls needs a wrapper and a place on disk: halves the time to compile
                _inner[callee] = _jitted(callee, no_cpython_wrapper=True, no_cfunc_wrapper=True)
            scope[name] = _inner[callee]
    bound = FunctionType(function.__code__, scope, function.__name__, function.__defaults__)
    bound.__module__ = function.__module__
    bound.__qualname__ = function.__qualname__
    jitted: Callable[..., object] = numba.njit(nogil=True, boundscheck=_bounds_checked(), **options)(bound)
    return jitted


def _bounds_checked() -> bool:
    return os.environ.get("PCAPDX_BOUNDSCHECK") == "1"


def _numba() -> Any:
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder()))
    import numba

    return numba


@cache
def cache_folder() -> Path:
    """Where compiled kernels of exactly these sources live.

    numba looks only at the file of the outermost function when it judges whether a cached kernel is fresh, so the
    folder is named by a digest of every kernel file. Machine code of another user's home is never run: root under
    ``sudo -E`` has a cache of its own.
    """
    import hashlib
    import tempfile

    package = Path(__file__).parent
    digest = hashlib.blake2b(digest_size=8)
    own = (package / "compiled.py", package / "machine_code.py")
    kernels = [*package.glob("sieve/*.py"), *package.glob("capture/*.py")]
    kernels += [package / "annotate" / f"{name}.py" for name in ("needles", "screen", "spots", "weave")]
    for source in sorted([*own, *kernels]):
        digest.update(source.read_bytes())
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pcapdx"
    try:
        base.mkdir(parents=True, exist_ok=True)
        if base.stat().st_uid != os.geteuid():
            base = Path(pwd.getpwuid(os.geteuid()).pw_dir) / ".cache" / "pcapdx"
            base.mkdir(parents=True, exist_ok=True)
        (base / digest.hexdigest()).mkdir(exist_ok=True)
    except (OSError, KeyError):  # no home that can be written: compile anew in each process
        base = Path(tempfile.mkdtemp(prefix="pcapdx-"))
        atexit.register(_remove, base)
    return base / digest.hexdigest()


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
