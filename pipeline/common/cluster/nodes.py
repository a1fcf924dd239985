"""The nodes of the cluster that is there, and whether workers have room on them; asked before anything waits."""

from collections.abc import Mapping
from typing import Any

from ..config.sections import RunSection
from ..errors import RunError
from .resources import living_nodes

Node = Mapping[str, Any]


def amount(node: Node, resource: str) -> float:
    """Return how much of a resource a node has in all, used or not."""
    return float(node["Resources"].get(resource, 0.0))


def has_labels(node: Node, labels: Mapping[str, str]) -> bool:
    """Return whether a node has all of these Ray labels."""
    return all(node.get("Labels", {}).get(name) == value for name, value in labels.items())


def may_hold_workers(node: Node, run: RunSection) -> bool:
    """Return whether a node has what a worker of the run must have."""
    return has_labels(node, run.worker_labels) and (not run.gpu or amount(node, "GPU") > 0)


def require_room(run: RunSection) -> None:
    """Refuse at once what Ray would wait for without an end: labels that no node has, and workers that fit on none.

    Nothing is refused with ``run.wait_for_nodes_s``: nodes may come.

    Raises:
        RunError: with what is asked for, what there is, and what to change.
    """
    if run.wait_for_nodes_s:
        return
    nodes = living_nodes()
    for key, labels in (("worker_labels", run.worker_labels), ("data_labels", run.data_labels)):
        if not any(has_labels(node, labels) for node in nodes):
            raise RunError(
                f"run.{key}={labels}: no node of the cluster has these labels; there are {_labels_of(nodes)}"
            )
    if run.workers:
        each = {"CPU": run.cpus_per_worker or 0.0, "GPU": float(run.gpu)}
        require_places(nodes, each, run.least_workers, workers_in_words(run), run.worker_labels)


def workers_in_words(run: RunSection) -> str:
    """Return the setting that says how many workers a run must have."""
    return f"run.workers={run.workers}" if run.min_workers is None else f"run.min_workers={run.min_workers}"


def require_places(
    nodes: list[dict[str, Any]], each: Mapping[str, float], wanted: int, what: str, labels: Mapping[str, str]
) -> None:
    """Raise RunError unless ``wanted`` tasks that ask for ``each`` fit on the nodes with these labels, node by node.

    Args:
        nodes: of the cluster.
        each: what one of them asks for, by resource; 0 for nothing.
        wanted: how many run at a time.
        what: names the setting in the message.
        labels: of the nodes that may hold them.
    """
    asked = above_zero(each)
    usable = [node for node in nodes if has_labels(node, labels)]
    if not asked:
        return
    places = sum(places_of(node["Resources"], asked) for node in usable)
    if places >= wanted:
        return
    there = "; ".join(", ".join(f"{amount(node, name):g} {name}s" for name in asked) for node in usable)
    need = " and ".join(f"{value:g} {name}{'s' if value != 1 else ''}" for name, value in asked.items())
    on = f" with {dict(labels)}" if labels else ""
    raise RunError(
        f"{what} with {need} each: there is room for {places} on {len(usable)} nodes{on} ({there}); ask for fewer or "
        "smaller ones, or add nodes (run.wait_for_nodes_s waits for autoscaled ones)"
    )


def above_zero(amounts: Mapping[str, float]) -> dict[str, float]:
    """Return the amounts without those of 0, which ask for nothing."""
    return {name: value for name, value in amounts.items() if value}


def places_of(resources: Mapping[str, float], asked: Mapping[str, float]) -> int:
    """Return how many tasks that ask for amounts above 0, of at least one resource, fit into these."""
    return min(int(resources.get(name, 0.0) / value + 1e-9) for name, value in asked.items())


def _labels_of(nodes: list[dict[str, Any]]) -> str:
    own = [{name: v for name, v in node.get("Labels", {}).items() if not name.startswith("ray.io/")} for node in nodes]
    return "; ".join(str(labels) for labels in own if labels) or "none but Ray's own"
