"""The table of captures in ``captures/README.md``, made from the truth files."""

import tomllib
from pathlib import Path
from typing import Any

_BEGIN, _END = "<!-- captures -->\n", "<!-- end of captures -->\n"
_FORMATS = {"pcap": "pcap", "pcapng": "pcapng", "gz": "gzip", "zst": "zstd", "lz4": "lz4", "xz": "xz"}


def rewrite(folder: Path) -> None:
    """Replace what stands between the two marks."""
    readme = folder / "README.md"
    before, rest = readme.read_text().split(_BEGIN)
    after = rest.split(_END)[1]
    readme.write_text(before + _BEGIN + table(folder) + _END + after)


def table(folder: Path) -> str:
    """One row a truth file, by name."""
    rows = [_row(path) for path in sorted(folder.glob("*.toml")) if not path.name.endswith(".site.toml")]
    head = "| capture | what was done | says | taken at | format |\n| --- | --- | --- | --- | --- |\n"
    return head + "".join(rows)


def _row(path: Path) -> str:
    truth = tomllib.loads(path.read_text())
    captures = truth.get("captures", [truth])
    places = ", ".join(one["taken_at"] + ("" if "role" in one else " (not told)") for one in captures)
    formats = ", ".join(dict.fromkeys(_format(one["file"]) for one in captures))
    return f"| `{path.stem}` | {truth['story']} | {_says(truth)} | {places} | {formats} |\n"


def _says(truth: dict[str, Any]) -> str:
    faults = [fault["code"] for fault in truth.get("faults", ())]
    proofs = [proof["code"] for proof in truth.get("proofs", ())]
    return ", ".join(dict.fromkeys([*(f"**{code}**" for code in faults), *proofs])) or "healthy"


def _format(file: str) -> str:
    return " ".join(_FORMATS[suffix] for suffix in file.split(".") if suffix in _FORMATS)
