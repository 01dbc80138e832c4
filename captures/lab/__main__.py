"""``python -m captures.lab``: list and record scenarios, and write the table of captures."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import click

from captures.lab.namespaces import sweep
from captures.lab.readme import rewrite
from captures.lab.scenario import CAPTURES, scenarios


@click.group()
def lab() -> None:
    """Record labelled captures of real daemons in network namespaces."""


@lab.command("list")
def list_() -> None:
    """Name every scenario."""
    for one in scenarios().values():
        click.echo(f"{one.name:45} {one.story}")


@lab.command()
@click.argument("names", nargs=-1)
@click.option("--jobs", default=4, show_default=True, help="How many at once: most of the time is waiting.")
@click.option("--missing", is_flag=True, help="Only those whose truth file does not exist yet.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False, exists=True), default=CAPTURES)
def record(names: tuple[str, ...], jobs: int, missing: bool, folder: Path) -> None:
    """Record the scenarios whose names begin with NAMES (all without names)."""
    if os.geteuid():
        raise click.ClickException("namespaces need root")
    sweep()
    chosen = [one for one in scenarios().values() if not names or one.name.startswith(names)]
    if missing:
        chosen = [one for one in chosen if not (folder / f"{one.name}.toml").exists()]
    failed = 0
    with ThreadPoolExecutor(jobs) as pool:
        runs = {pool.submit(one.record, folder): one for one in chosen}
        for run in as_completed(runs):
            error = run.exception()
            failed += error is not None
            click.echo(f"{runs[run].name}: {error or 'recorded'}", err=error is not None)
    sys.exit(1 if failed else 0)


@lab.command()
def readme() -> None:
    """Rewrite the table of captures/README.md from the truth files."""
    rewrite(CAPTURES)


if __name__ == "__main__":
    lab()
