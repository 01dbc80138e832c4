"""How the process begins and ends: its signals, errors as one line, the exit status, and no time lost at the end."""

import atexit
import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

import click

from pcapdx.compiled import before_compiling
from pcapdx.errors import PcapdxError

COULD_NOT_RUN = 2
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


def run_to_end(command: Callable[[], object]) -> NoReturn:
    """Runs the command line; what goes wrong becomes one line on standard error and exit status 2."""
    # NumPy's linear algebra is not used; its threads would be started at import all the same
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # a run makes many values and hardly a circle; looking for circles would take a third of its time
    gc.disable()
    # as Ctrl-C does: whatever lies in temporary files, perhaps with its secrets, goes
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(TERMINATED))
    status = [0]
    atexit.register(_leave, status)  # the first to be registered is the last to be called
    said = "pcapdx: compiling the kernels for large captures, once on this machine (ten to twenty seconds)"
    before_compiling.append(lambda: click.echo(said, err=True))
    try:
        command()
    except SystemExit as wanted:
        status[0] = wanted.code if isinstance(wanted.code, int) else 0
    except click.exceptions.Abort:
        status[0] = INTERRUPTED
    except click.ClickException as error:
        error.show()
        status[0] = COULD_NOT_RUN
    except (PcapdxError, OSError) as error:
        from pcapdx.report.escape import plain

        click.echo(f"pcapdx: {plain(_told(error))}", err=True)
        status[0] = COULD_NOT_RUN
    sys.exit(status[0])


def _told(error: Exception) -> str:
    """What went wrong, in words; of a full disk or the like, where."""
    if not isinstance(error, OSError):
        return str(error)
    what = error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename else f"what was to be written could not be: {what}"


def _leave(status: list[int]) -> None:
    """Ends the process at once. To take hundreds of thousands of values apart one by one, as the interpreter would
    before it ends, takes a sixth of the time of a small run."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        status[0] = status[0] or COULD_NOT_RUN
    os._exit(status[0])
