"""Machine code of compiled kernels, kept on disk and called without numba.

To load even what it has cached, numba imports itself and sets up its types: 0.3 s, more than most captures take
altogether. llvmlite, on which it stands, loads the same object code in a sixth of that. So the object file of a kernel
is kept beside numba's cache, and called by numba's own calling convention: ``status f(result*, error**, arguments...)``
with an array as (owner, parent, items, item bytes, data, shape, strides) and a tuple as its members.

Only kernels whose arguments are integers, one-dimensional arrays and tuples of these are kept, and that return integers
or nothing; they allocate nothing, so numba's runtime is never called. What cannot be kept or loaded is left to numba.
"""

import ctypes
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WORD = ctypes.c_int64
OK_STATUSES = (0, -2)
"""A value; None."""
FROM_C = ("memcpy", "memmove", "memset")
"""What LLVM may call without the source saying so."""
OF_RUNTIME = ("NRT_", "numba_")
"""Symbols of numba's runtime and of its wrapper for Python, which nobody calls here."""


class NotKept(Exception):
    """A kernel that this module cannot keep or load, and why."""


class MachineCode:
    """A kernel as a C function. Called as the Python function would be; runs outside Python's lock."""

    def __init__(self, address: int, results: int, signature: str) -> None:
        self._address = address
        self._results = results
        self._signature = signature
        self._checked: tuple[Any, ...] | None = None
        self._call: Any = None

    def fits(self, arguments: tuple[Any, ...]) -> bool:
        """Whether it was compiled for arguments of these types; to be asked before the first call."""
        try:
            types = tuple(_types(arguments))
        except NotKept:
            return False
        if _signature(types) != self._signature:
            return False
        words = [WORD] * len(list(_words(arguments)))
        prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *words)
        self._checked, self._call = types, prototype(self._address)
        return True

    def __call__(self, *arguments: Any) -> Any:
        """Runs the kernel. NotKept for arguments of other types than it was compiled for."""
        types = tuple(_types(arguments))
        if types != self._checked:
            raise NotKept(f"compiled for {self._checked}, called with {types}")
        result = (WORD * max(self._results, 1))()
        error = ctypes.c_void_p()
        status = self._call(ctypes.addressof(result), ctypes.addressof(error), *_words(arguments))
        if status not in OK_STATUSES:
            raise RuntimeError(f"a kernel failed with status {status}")
        if self._results == 0:
            return None
        return result[0] if self._results == 1 else tuple(result)


def keep(folder: Path, name: str, dispatcher: Any, arguments: tuple[Any, ...]) -> None:
    """Keeps what numba has just compiled for these arguments.

    Raises NotKept, or OSError where the folder cannot be written.
    """
    (compiled,) = (overload._asdict() for overload in dispatcher.overloads.values())
    code, description = compiled["library"], compiled["fndesc"]
    functions = code._final_module.functions
    wanted = sorted({one.name for one in functions if one.is_declaration and not one.name.startswith("llvm.")})
    if any("alloc" in name.lower() for name in wanted):
        raise NotKept("it allocates")
    facts: dict[str, Any] = {
        "symbol": description.llvm_func_name,
        "wanted": wanted,
        "results": _results(description.restype),
        "signature": _signature(tuple(_types(arguments))),
    }
    try:
        data = code._get_compiled_object()
    except RuntimeError as error:  # it came from numba's cache, which does not give it out
        raise NotKept(str(error)) from None
    facts["digest"] = hashlib.sha256(data).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / f"{name}-{_machine()}.o", data)
    _write(folder / f"{name}-{_machine()}.json", json.dumps(facts).encode())


def load(folder: Path, name: str) -> MachineCode:
    """The kernel of this name as :func:`keep` left it. Raises NotKept where there is none for this machine."""
    base = folder / f"{name}-{_machine()}"
    try:
        facts = json.loads(base.with_suffix(".json").read_bytes())
        code = base.with_suffix(".o").read_bytes()
        symbol, wanted = str(facts["symbol"]), [str(one) for one in facts["wanted"]]
        results, signature = int(facts["results"]), str(facts["signature"])
        whole = facts["digest"] == hashlib.sha256(code).hexdigest()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotKept(str(error)) from None
    if not whole:
        raise NotKept("the object file is damaged, or of another run")
    return MachineCode(_linked(code, symbol, wanted), results, signature)


_engines: list[Any] = []
"""What holds the loaded code; as long as the process."""


def _linked(code: bytes, symbol: str, wanted: list[str]) -> int:
    """Loads object code; the address of its function."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    process = ctypes.CDLL(None)
    for name in {*wanted, *FROM_C}:
        if llvm.address_of_symbol(name) is not None:
            continue  # numba is here, too, and must keep its own
        if name.startswith(OF_RUNTIME):
            llvm.add_symbol(name, _address(_never))
        elif hasattr(process, name):
            llvm.add_symbol(name, _address(getattr(process, name)))
        else:
            raise NotKept(f"{name} is not in this process")
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address: int = engine.get_function_address(symbol)
    if not address:
        raise NotKept("the object file has not the function that it should have")
    _engines.append(engine)
    return address


def _abort() -> None:
    os._exit(70)  # numba's runtime is called only by kernels that allocate, and these are not kept


_never = ctypes.CFUNCTYPE(None)(_abort)


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _machine() -> str:
    """What the code was made for: this processor and this llvmlite."""
    import llvmlite
    import llvmlite.binding as llvm

    parts = (llvmlite.__version__, llvm.get_process_triple(), llvm.get_host_cpu_name())
    features = llvm.get_host_cpu_features().flatten()
    return hashlib.blake2b("|".join((*parts, features)).encode(), digest_size=6).hexdigest()


def _results(kind: Any) -> int:
    """How many integers a numba type of result is; 0 for None."""
    if str(kind) == "none":
        return 0
    members = list(kind) if hasattr(kind, "count") else [kind]
    if any(str(member) != "int64" for member in members):
        raise NotKept(f"returns {kind}")
    return len(members)


def _types(arguments: tuple[Any, ...]) -> Iterator[Any]:
    """The types of the arguments, tuples flattened; a dtype for an array."""
    for one in arguments:
        if isinstance(one, tuple):
            yield from _types(one)
        elif hasattr(one, "dtype") and one.ndim == 1 and one.flags.c_contiguous:
            yield one.dtype
        elif type(one) is int:
            yield int
        else:
            raise NotKept(f"an argument is {type(one).__name__}")


def _signature(types: tuple[Any, ...]) -> str:
    return hashlib.blake2b(repr(types).encode(), digest_size=16).hexdigest()


def _words(arguments: tuple[Any, ...]) -> Iterator[int]:
    """The arguments as 64-bit words."""
    for one in arguments:
        if isinstance(one, tuple):
            yield from _words(one)
        elif isinstance(one, int):
            yield one
        else:
            yield from (0, 0, one.size, one.itemsize, one.ctypes.data, one.shape[0], one.strides[0])


def _write(path: Path, data: bytes) -> None:
    """At once, so that another process never sees half of it."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)
