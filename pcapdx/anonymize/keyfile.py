"""The key and the names met with it, in a file of the owner's alone. Nothing of it is in what pcapdx writes."""

import json
import os
import secrets
from pathlib import Path
from tempfile import NamedTemporaryFile

from pcapdx.anonymize.pseudonyms import Pseudonyms
from pcapdx.errors import PcapdxError
from pcapdx.values import dataclass

KEY_BYTES = 32
SCHEMA = "pcapdx.anonymize/1"
MOST_BYTES = 64 << 20


@dataclass(slots=True)
class KeyFile:
    """What such a file holds."""

    path: Path
    key: bytes
    names: dict[str, str]
    """Names by their pseudonyms, both in lower case."""

    def keep(self, pseudonyms: Pseudonyms) -> None:
        """Adds the names that were met, and writes the file where there is something new."""
        fresh = {hidden: name for name, hidden in pseudonyms.known.items()}
        if not fresh.items() <= self.names.items():
            self.names |= fresh
            self.write()

    def write(self) -> None:
        """Replaces the file, readable to its owner alone. Raises PcapdxError where that cannot be."""
        told = {"schema": SCHEMA, "key": self.key.hex(), "names": dict(sorted(self.names.items()))}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with NamedTemporaryFile("w", dir=self.path.parent, prefix=f".{self.path.name}.", delete=False) as file:
                json.dump(told, file, indent=1)
            Path(file.name).replace(self.path)
        except OSError as error:
            raise PcapdxError(f"{self.path}: {error.strerror or error}") from None


def default_path() -> Path:
    """Where the key lies when none is named."""
    folder = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(folder).expanduser() / "pcapdx" / "anonymize.key"


def load(path: Path | None, *, make: bool) -> KeyFile:
    """The file, made where there is none and ``make``. Raises PcapdxError for one that is no such file."""
    where = path or default_path()
    try:
        with where.open("rb") as file:
            told = json.loads(file.read(MOST_BYTES))
    except FileNotFoundError:
        if not make:
            raise PcapdxError(f"{where}: no key here; --key names the file that --anonymize wrote") from None
        fresh = KeyFile(where, secrets.token_bytes(KEY_BYTES), {})
        fresh.write()
        return fresh
    except OSError as error:
        raise PcapdxError(f"{where}: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise PcapdxError(f"{where}: not a file with a key of pcapdx") from None
    return _checked(where, told)


def _checked(where: Path, told: object) -> KeyFile:
    if isinstance(told, dict) and told.get("schema") == SCHEMA:
        key, names = told.get("key"), told.get("names")
        if isinstance(key, str) and isinstance(names, dict):
            try:
                packed = bytes.fromhex(key)
            except ValueError:
                packed = b""
            if len(packed) == KEY_BYTES and all(isinstance(one, str) for pair in names.items() for one in pair):
                return KeyFile(where, packed, names)
    raise PcapdxError(f"{where}: not a file with a key of pcapdx")
