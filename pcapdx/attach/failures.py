"""What a client's exception means: final, lost on the way, or no answer yet. Headers in it are never repeated."""

import logging
import re
from typing import NoReturn

from pcapdx.attach.settings import Settings
from pcapdx.attach.tracker import AttachError, LostError

GATEWAY_TIMEOUT = 504
GATEWAY = (429, 502, 503, 504)
"""Answers of something before the server, or of a server that cannot now."""
_UNTRUSTED = re.compile(r"certificate verify failed:?\s*([^()\[\]]*)", re.IGNORECASE)
_DEEPEST = 12


def quiet(*names: str) -> None:
    """Silences a client's log: some of them log headers, and with them credentials."""
    for name in names:
        log = logging.getLogger(name)
        log.setLevel(logging.CRITICAL + 1)
        log.propagate = False


def connection_failed(error: BaseException, settings: Settings) -> NoReturn:
    """Raises AttachError for a certificate that is not trusted, LostError for all else."""
    causes = _causes(error)
    for one in causes:
        if match := _UNTRUSTED.search(str(one)):
            why = match[1].strip(" ,.") or "not trusted"
            raise AttachError(
                f"the certificate of {settings.host} is not trusted ({why}); "
                "--ca gives the file of the authority that signed it"
            ) from None
    if any(type(one).__name__ in ("ReadTimeout", "WriteTimeout") for one in causes):
        raise LostError(f"no answer in {settings.timeout} s", waiting=True) from None
    system = [one for one in causes if isinstance(one, OSError) and isinstance(one.strerror, str)]
    raise LostError(str(system[-1].strerror) if system else "the connection was closed") from None


def status_failed(status: int | None, said: str, settings: Settings) -> NoReturn:
    """Raises for an answer that is no success; ``said`` are the server's words."""
    words = f": {' '.join(said.split())[:200]}" if said.strip() else ""
    if status in GATEWAY:
        raise LostError(f"{settings.host} answered {status}{words}", waiting=status == GATEWAY_TIMEOUT) from None
    if status == 401:
        raise AttachError(f"{settings.host} does not know these credentials ({_source(settings)})") from None
    if status == 413:
        raise AttachError(f"{settings.host} takes no such large files (413); set a smaller limit for it") from None
    if status is not None and 300 <= status < 400:
        raise AttachError(f"{settings.host} points to another address ({status}); give that one as url") from None
    raise AttachError(f"{settings.host} answered {status}{words}") from None


def _source(settings: Settings) -> str:
    return settings.secret.source if settings.secret else "none were given"


def _causes(error: BaseException) -> list[BaseException]:
    """The exception and all within it, outermost first."""
    found: list[BaseException] = []
    todo: list[object] = [error]
    while todo and len(found) < _DEEPEST:
        one = todo.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            todo += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found
