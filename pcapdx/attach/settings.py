"""Which tracker, where, with which credentials: from the environment, the keyring, or a file that only its owner reads.

The file is ``~/.config/pcapdx/attach.toml``, a table a tracker. No credential is ever taken from the command line, and
none is shown: a :class:`Secret` prints as what it is, and what goes to people passes :meth:`Settings.scrubbed`.
"""

import base64
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from pcapdx.errors import PcapdxError
from pcapdx.values import dataclass

FILE = "pcapdx/attach.toml"
SERVICE = "pcapdx"
"""Under which the keyring knows our secrets; the user name there is the tracker's."""
TIMEOUT_S = 120
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_TEXTS = ("kind", "url", "user", "secret", "ca", "from", "to", "subject")
_NUMBERS = ("limit", "timeout")


class SettingsError(PcapdxError):
    """A tracker is not told, or not told well; the message names what is expected, never a secret."""


class Secret:
    """A password, key or token that is not printed."""

    __slots__ = ("_value", "source")

    def __init__(self, value: str, source: str) -> None:
        self._value = value.strip()
        self.source = source
        """Where it came from."""

    def reveal(self) -> str:
        """The secret itself, for the client that sends it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.source})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One tracker as it was told."""

    name: str
    kind: str
    url: str
    user: str = ""
    secret: Secret | None = None
    ca: str = ""
    """File of certificates that are trusted in place of the system's."""
    limit: int | None = None
    """Bytes of a file, where the operator knows it."""
    timeout: int = TIMEOUT_S
    plaintext: bool = False
    """Credentials and files may cross the network unencrypted."""
    mail: Mapping[str, str] = field(default_factory=dict)
    """``from``, ``to``, ``subject``."""

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return urlsplit(self.url).hostname in _LOOPBACK

    @property
    def host(self) -> str:
        """Name and port of the server."""
        return urlsplit(self.url).netloc

    def scrubbed(self, text: str) -> str:
        """A text without the secret, however it is written."""
        for one in sorted(self._spellings(), key=len, reverse=True):
            text = text.replace(one, "***")
        return text

    def _spellings(self) -> Iterator[str]:
        if self.secret is None:
            return
        secret = self.secret.reveal()
        yield secret
        yield quote(secret, safe="")
        yield quote_plus(secret)
        for text in (secret, f"{self.user}:{secret}", f"\0{self.user}\0{secret}"):
            yield base64.b64encode(text.encode()).decode()


def config_path() -> Path:
    """Where the file is."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / FILE


def read_file(path: Path) -> Mapping[str, Any]:
    """The file's tables; nothing where there is no file. Raises SettingsError where others may read or write it."""
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            if about.st_uid not in (os.geteuid(), 0) or stat.S_IMODE(about.st_mode) & 0o077:
                raise SettingsError(f"{path} is open to others, and credentials may be in it; chmod 600 {path}")
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # what the parser says may quote the line, and the line may hold a secret
        raise SettingsError(f"{path} is no TOML") from None
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from None


def settings_of(name: str | None, url: str | None, ca: str | None, kinds: Mapping[str, object]) -> Settings:
    """What is told of the tracker ``name``: by the file, and beside it the address and certificates given."""
    path = config_path()
    told = read_file(path)
    chosen = name or _default(told, path)
    table = told.get(chosen, {})
    if not isinstance(table, Mapping):
        raise SettingsError(f"{path}: [{chosen}] is to be a table")
    _check(table, f"{path}: [{chosen}]")
    kind = table.get("kind", chosen)
    if kind not in kinds:
        known = ", ".join(sorted(kinds))
        raise SettingsError(f"{kind!r} is neither a tracker of {path} nor a kind; kinds are {known}")
    address = table.get("url", "")
    if url and address and url.rstrip("/") != address.rstrip("/"):
        raise SettingsError(f"{path} has the address {address} for {chosen}; --url gives another")
    address = (url or address).rstrip("/")
    if not address:
        raise SettingsError(f"where is {chosen}? Give --url, or url in {path}")
    _check_address(address)
    if "@" in urlsplit(address).netloc:
        raise SettingsError("an address with credentials in it is not taken; they come from elsewhere, see --help")
    secret = _secret(chosen, table, path)
    if secret is not None and not (secret.reveal().isascii() and secret.reveal().isprintable()):
        raise SettingsError(f"the secret of {chosen} {secret.source} has characters that no request can carry")
    settings = Settings(
        name=chosen,
        kind=kind,
        url=address,
        user=os.environ.get(variable(chosen, "USER")) or table.get("user", ""),
        secret=secret,
        ca=ca or table.get("ca", ""),
        limit=table.get("limit"),
        timeout=table.get("timeout", TIMEOUT_S),
        plaintext=table.get("plaintext", False),
        mail={key: table[key] for key in ("from", "to", "subject") if key in table},
    )
    if settings.ca and not Path(settings.ca).is_file():
        raise SettingsError(f"{settings.ca} is no file of certificates")
    _in_clear(settings)
    return settings


def _default(told: Mapping[str, Any], path: Path) -> str:
    tables = [key for key, value in told.items() if isinstance(value, Mapping)]
    default = told.get("default")
    if isinstance(default, str):
        return default
    if len(tables) == 1:
        return tables[0]
    there = f"one of {', '.join(tables)}" if tables else f"or a table in {path}"
    raise SettingsError(f"which tracker? Give --tracker, {there}")


def _check(table: Mapping[str, Any], where: str) -> None:
    """Every key is known and of its type; values are not repeated in messages."""
    for key, value in table.items():
        if key in _TEXTS:
            right, wanted = isinstance(value, str), "a text"
        elif key in _NUMBERS:
            right, wanted = type(value) is int and value > 0, "a positive number"
        elif key == "plaintext":
            right, wanted = isinstance(value, bool), "true or false"
        else:
            raise SettingsError(f"{where}: unknown key {key!r}")
        if not right:
            raise SettingsError(f"{where}: {key} is to be {wanted}")


def _check_address(address: str) -> None:
    """Raises SettingsError for what no client could ask."""
    try:
        parts = urlsplit(address)
        known = parts.hostname and parts.port != 0 and parts.hostname.encode("idna")
    except ValueError:
        known = None
    if not known or not address.isprintable() or " " in address:
        raise SettingsError(f"{address!r} is no address, such as https://tickets.example.com")


def variable(name: str, what: str) -> str:
    """The variable of the environment for a tracker's ``USER`` or ``SECRET``."""
    return f"PCAPDX_{re.sub('[^A-Z0-9]', '_', name.upper())}_{what}"


def _secret(name: str, table: Mapping[str, Any], path: Path) -> Secret | None:
    """From the environment, else the keyring, else the file."""
    told = variable(name, "SECRET")
    if value := os.environ.get(told):
        return Secret(value, f"from {told} in the environment")
    if value := _from_keyring(name):
        return Secret(value, f"from the keyring, service {SERVICE}, user {name}")
    if value := table.get("secret"):
        return Secret(value, f"from {path}")
    return None


def _from_keyring(name: str) -> str | None:
    """What the keyring has; nothing where there is none, or where it is locked."""
    try:
        import keyring
        import keyring.errors
    except ImportError:
        return None
    try:
        return keyring.get_password(SERVICE, name)
    except (keyring.errors.KeyringError, RuntimeError, OSError):
        return None


def _in_clear(settings: Settings) -> None:
    """Refuses to send credentials over the network unencrypted, unless the file allows it."""
    if urlsplit(settings.url).scheme == "http" and not settings.is_local and not settings.plaintext:
        allowed = f"plaintext = true for {settings.name} in {config_path()} allows it"
        raise SettingsError(f"{settings.url} would carry the credentials unencrypted; {allowed}")
