"""Room in a cluster that others use, too: refused where no node could ever give it, waited for where others hold it."""

import time
from collections.abc import Mapping
from types import MappingProxyType

from ..stages import wait_until
from .nodes import above_zero, has_labels, places_of, require_places
from .resources import living_nodes
from .usage import amounts_in_words, free_and_held

_ASK_S = 1.0
_SETTLE_S = 3.0
"""A worker that has just ended holds its place a moment longer."""
_ANYWHERE: Mapping[str, str] = MappingProxyType({})


def wait_for_room(
    each: Mapping[str, float],
    wanted: int,
    what: str,
    labels: Mapping[str, str] = _ANYWHERE,
    *,
    limit_s: float | None = None,
    nodes_may_come: bool = False,
) -> None:
    """Return as soon as the cluster has room for all of some tasks or actors at the same time.

    A placement group asks for it, and is given back at once: Ray's own scheduler judges, and an autoscaler sees the
    demand.

    Args:
        each: what one of them asks for, by resource; 0 for nothing.
        wanted: how many.
        what: they are, for the messages.
        labels: of the nodes that may hold them.
        limit_s: most seconds to wait, from ``run.wait_limit_s``; None for ``D2ACE_WAIT_LIMIT_S``, see
            ``wait_until``, or else a day, with a line every 30 s.
        nodes_may_come: wait also for what the nodes of now could not hold if nobody else used them.

    Raises:
        RunError: when the nodes could never hold it, or the limit is reached: with what is free and who holds the rest.
    """
    from ray.util import placement_group, remove_placement_group

    asked = above_zero(each)
    if not asked:
        return
    if not nodes_may_come:
        require_places(living_nodes(), asked, wanted, what, labels)
    group = placement_group([asked] * wanted, bundle_label_selector=[dict(labels)] * wanted if labels else None)
    try:
        of_each = f"{amounts_in_words(asked)}{' each' if wanted > 1 else ''}"
        described = f"room for {what} with {of_each}"
        wait_until(lambda: group.wait(_ASK_S), described, free_and_held, limit_s=limit_s, poll_s=0)
    finally:
        remove_placement_group(group)


def places_now(each: Mapping[str, float], labels: Mapping[str, str], most: int) -> int:
    """Return how many tasks or actors the nodes have room for at this moment, ``most`` at most.

    Args:
        each: what one of them asks for, by resource; 0 for nothing.
        labels: of the nodes that may hold them.
        most: how many are wanted.
    """
    from ray._private.state import available_resources_per_node

    asked = above_zero(each)
    if not asked:
        return most
    free = available_resources_per_node()
    usable = [node["NodeID"] for node in living_nodes() if has_labels(node, labels)]
    return min(most, sum(places_of(free.get(node, {}), asked) for node in usable))


def most_places(each: Mapping[str, float], labels: Mapping[str, str], most: int) -> int:
    """Return ``places_now``, or what it is a little later, when what has just ended has given its places back."""
    deadline = time.monotonic() + _SETTLE_S
    while (places := places_now(each, labels, most)) < most and time.monotonic() < deadline:
        time.sleep(0.1)
    return places
