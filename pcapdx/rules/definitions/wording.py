"""How rules speak of times, numbers and frames, and how they cite evidence."""

from collections.abc import Iterable

from pcapdx.case import View
from pcapdx.model import Evidence

MOST_CITED = 12


def cite(view: View, frames: Iterable[int], what: str) -> Evidence:
    """Evidence from this view; of many frames the first few and the last are cited."""
    numbers = sorted(set(frames))
    if len(numbers) > MOST_CITED:
        numbers = [*numbers[: MOST_CITED - 1], numbers[-1]]
    return Evidence(capture=view.name, frames=tuple(numbers), what=what)


def frames_filter(frames: Iterable[int]) -> str:
    """A display filter for exactly these frames."""
    numbers = sorted(set(frames))[:100]
    return f"frame.number in {{{', '.join(map(str, numbers))}}}" if numbers else ""


def duration(ns: int) -> str:
    """A length of time as people say it: ``8 ms``, ``0.4 s``, ``14 s``, ``5 min``, ``12 h``, ``3 d``."""
    if ns < 1_000_000:
        return f"{ns / 1000:.0f} µs"
    if ns < 100_000_000:
        return f"{ns / 1e6:.0f} ms"
    if ns < 10_000_000_000:
        return f"{ns / 1e9:.1f} s"
    if ns < 120_000_000_000:
        return f"{ns / 1e9:.0f} s"
    if ns < 7_200_000_000_000:
        return f"{ns / 60e9:.0f} min"
    return f"{ns / 3_600e9:.3g} h" if ns < 172_800_000_000_000 else f"{ns / 86_400e9:.3g} d"


def times(count: int) -> str:
    """``once``, ``twice``, ``five times``, ``14 times``."""
    words = (
        "never",
        "once",
        "twice",
        "three times",
        "four times",
        "five times",
        "six times",
        "seven times",
        "eight times",
    )
    return words[count] if count < len(words) else f"{count:,} times"


def at_least(view: View, count: int, dissector: str) -> str:
    """As :func:`times`, with "or more" where frames like these that a dissector would read were only counted."""
    return f"{times(count)} or more" if dissector in view.left_out else times(count)


def in_vlan(vlan: int) -> str:
    """``in VLAN 101``, or ``untagged``."""
    return f"in VLAN {vlan}" if vlan else "untagged"


def listed(items: Iterable[object], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    words = [str(item) for item in items]
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
