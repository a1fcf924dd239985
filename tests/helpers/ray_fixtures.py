"""One Ray for all tests of a process; those that need several nodes add them for their own time."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from forked_workers import PROJECT, started_by, worker_servers

if TYPE_CHECKING:
    from ray._private.node import Node as ClusterNode
    from ray.cluster_utils import Cluster

ROLES = ("trainer", "trainer", "trainer", "data")
"""Label ``role`` of the nodes of ``more_nodes``, each with one CPU."""


SHARED_LAUNCHERS = "D2ACE_TEST_LAUNCHERS"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Start the servers of workers once for all processes of a parallel run, whose environment names them."""
    servers = contextlib.ExitStack()
    config.add_cleanup(servers.close)
    os.environ[SHARED_LAUNCHERS] = str(servers.enter_context(worker_servers()))


@pytest.fixture(scope="session")
def launchers() -> Iterator[Path]:
    """The folder of the launchers, see ``forked_workers``."""
    if SHARED_LAUNCHERS in os.environ:
        yield Path(os.environ[SHARED_LAUNCHERS])
    else:
        with worker_servers() as folder:
            yield folder


@pytest.fixture(scope="session")
def ray_launcher(launchers) -> str:
    """What starts the workers of the suite's nodes."""
    return str(launchers / PROJECT / "python")


@pytest.fixture(scope="session")
def ray_cluster(ray_launcher) -> "Iterator[Cluster]":
    """A Ray of one node."""
    with light_nodes(ray_launcher):
        cluster = started_cluster()
    yield cluster
    cluster.shutdown()


@contextlib.contextmanager
def light_nodes(launcher: str) -> Iterator[None]:
    """Start nodes meanwhile that fork their workers, and whose agents report nothing, as without Ray's dashboard."""
    from ray._private import utils  # here: most tests need no Ray

    with started_by(launcher), pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "get_dashboard_dependency_error", lambda: ImportError("nobody looks at it"))
        yield


def started_cluster() -> "Cluster":
    """Return a head with more logical CPUs than cores, so that three workers and their actor fit."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 6, "object_store_memory": 100_000_000, "include_dashboard": False}
    head |= {"include_log_monitor": False, "no_monitor": True}  # nobody reads what they tell
    for attempt in range(3):
        try:
            return Cluster(initialize_head=True, head_node_args=head)
        except Exception:  # Ray gives a head half a minute, which is little on a busy machine
            if attempt == 2:
                raise
    raise AssertionError


@pytest.fixture(scope="session")
def ray_session(ray_cluster) -> Iterator[str]:
    """Ray in this process; gives its address."""
    import ray

    ray.init(address=ray_cluster.address, logging_level=logging.ERROR, log_to_driver=False)
    yield ray_cluster.address
    ray.shutdown()


@pytest.fixture(scope="module")
def added_nodes(ray_cluster, ray_session, ray_launcher) -> Iterator[dict[str, "ClusterNode"]]:
    """Four more nodes for the tests of a module, by their ids; a test may end one."""
    with light_nodes(ray_launcher):
        added = [ray_cluster.add_node(num_cpus=1, labels={"role": role}) for role in ROLES]
    ray_cluster.wait_for_nodes()
    yield {node.node_id: node for node in added}
    for node in added:
        if node in ray_cluster.worker_nodes:
            ray_cluster.remove_node(node)


@pytest.fixture(scope="module")
def more_nodes(added_nodes) -> dict[str, str | None]:
    """The label ``role`` of every node of the suite's Ray, by its id."""
    import ray

    return {node["NodeID"]: node["Labels"].get("role") for node in ray.nodes() if node["Alive"]}
