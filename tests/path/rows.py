"""Trails without captures: rows of packets that pass two points, with clocks, losses and copies as told."""

from collections.abc import Sequence

import numpy as np

from pcapdx.path.trail import TRAIL, UDP, Trail
from pcapdx.sieve.columns import Array

SECOND = 1_000_000_000
CLIENT, SERVER = 0x0201_0000_0016, 0x0201_0000_0001


def rows(
    times: Sequence[float],
    *,
    prints: Sequence[int] | None = None,
    back: Sequence[int] = (),
    first_number: int = 1,
    vlan: int = 0,
) -> Array:
    """UDP packets at these seconds; those at the places ``back`` go from server to client."""
    made = np.zeros(len(times), TRAIL)
    made["ts_ns"] = [round(one * SECOND) for one in times]
    made["number"] = np.arange(first_number, first_number + len(times))
    made["fingerprint"] = prints if prints is not None else np.arange(len(times)) * 7919 + 11
    away = np.isin(np.arange(len(times)), back)
    made["eth_src"] = np.where(away, SERVER, CLIENT)
    made["eth_dst"] = np.where(away, CLIENT, SERVER)
    made["src"] = np.where(away, 0x0A010101, 0x0A010139)
    made["dst"] = np.where(away, 0x0A010139, 0x0A010101)
    made["protocol"], made["service"], made["vlan"] = UDP, 53, vlan
    made["asks"] = ~away
    made["flow"], made["vni"], made["inner_vlan"] = 0, -1, -1
    made["wire_bytes"] = 90
    return made


def trail(made: Array) -> Trail:
    """A trail that holds these rows."""
    one = Trail()
    one.take(made)
    return one
