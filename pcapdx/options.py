"""What several commands share: their options, where a report goes, and what is analysed in place of what was given."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pcapdx.errors import PcapdxError

if TYPE_CHECKING:
    from pcapdx.annotate.payload import Payload
    from pcapdx.anonymize.plain import Plain
    from pcapdx.plugins import Plugins
    from pcapdx.site import Site
    from pcapdx.vantage import CaptureArgument

FORMATS = ("text", "json", "html", "md", "jira", "sarif")

F = TypeVar("F", bound=Callable[..., Any])


def _options(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


report_options = _options(
    click.option("--site", "site_path", type=click.Path(dir_okay=False), help="Site profile (TOML)."),
    click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True),
    click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write the report to this file."),
    click.option(
        "--fail-on", type=click.Choice(["error", "warning", "info"]), help="Exit 1 on such a finding or worse."
    ),
)


disguise_options = _options(
    click.option("--anonymize", is_flag=True, help="Addresses, MACs and names by pseudonyms, in whatever is written."),
    click.option("--key", "key_path", type=click.Path(dir_okay=False), help="File with the key; made where missing."),
)
payload_option = click.option(
    "--payload",
    type=click.Choice(["none", "headers", "keep"]),
    help="Blank all payload, or what nothing here reads.  [default: keep; headers with --anonymize]",
)


def write(report: str, output: str | None) -> None:
    """Writes a report to a file, else to standard output."""
    if output is None:
        sys.stdout.write(report)
        sys.stdout.flush()
        return
    try:
        Path(output).write_text(report, encoding="utf-8")
    except OSError as error:
        raise PcapdxError(f"{output}: {error.strerror or error}") from None


def payload_of(asked: str | None, anonymize: bool) -> "Payload":
    """How much payload is written."""
    from pcapdx.annotate.payload import Payload

    return Payload(asked) if asked else Payload.HEADERS if anonymize else Payload.KEEP


@contextmanager
def disguise_of(
    arguments: "Sequence[CaptureArgument]",
    plugins: "Plugins",
    site: "Site | None",
    anonymize: bool,
    key_path: str | None,
    payload: "Payload | None" = None,
) -> "Iterator[Plain]":
    """What is analysed: what was given, or the same with pseudonyms."""
    from pcapdx.anonymize.plain import Plain

    if not anonymize:
        if key_path is not None:
            raise PcapdxError("--key goes with --anonymize")
        yield Plain(arguments=tuple(arguments), site=site)
        return
    from pcapdx.annotate.annotate import on_disk
    from pcapdx.annotate.payload import Payload
    from pcapdx.anonymize.disguise import disguised
    from pcapdx.anonymize.keyfile import load

    key = load(Path(key_path) if key_path else None, make=True)
    read = Payload.KEEP if payload is Payload.KEEP else Payload.HEADERS
    with (
        on_disk(arguments, sys.stdin.buffer) as given,
        disguised(given, plugins, key, site=site, payload=read) as disguise,
    ):
        yield disguise
        click.echo(f"pseudonyms by the key in {key.path}; pcapdx reveal translates back", err=True)
        if disguise.lost:
            lost = ", ".join(disguise.lost)
            click.echo(f"pcapdx: not found alike without pseudonyms: {lost}", err=True)
