"""Training on the workers of Ray Train, attempt by attempt.

Ray Train would try again whatever failed, and would wait for its workers' places without a word. Each attempt is
therefore a training of its own, which starts once, and what comes next is decided here.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from ..common.cluster.abandoned import give_back_places_of
from ..common.cluster.nodes import workers_in_words
from ..common.cluster.resources import worker_resources
from ..common.cluster.room import most_places, wait_for_room
from ..common.cluster.session import leaving_nodes_are_told
from ..common.cluster.usage import amounts_in_words
from ..common.config.sections import RunSection
from ..common.environment import variable_set
from ..common.errors import LostError, RunError
from ..common.stages import log
from ..common.storage.for_ray import ray_storage
from ..runs.checkpoints import CheckpointStore
from ..runs.events import Events
from .failures import Failures, causes_of
from .hooks.growing import RoomForMoreError

if TYPE_CHECKING:
    from .worker import WorkerSetup

ABORT_S = 5.0
"""Most seconds that the workers of an interrupted run have to end in good order."""
_STATE_API = "RAY_API_SERVER_ADDRESS"
_NOWHERE = "127.0.0.1:0"
"""An address that nobody can listen at: who asks there hears at once that no state is known, and goes on."""


def train_on_workers(setup: "WorkerSetup", build: Callable[[], None]) -> dict[str, Any]:
    """Train a run from its newest checkpoint to its end, again after failures that another try may spare.

    Args:
        setup: the run.
        build: makes the selection, which the workers must find there.

    Returns:
        its final numbers.

    Raises:
        ConfigError, DataError, SelectionError: as a worker raised them.
        RunError: when training fails for good, or the workers' places were waited for too long.
    """
    from ray.exceptions import RayActorError
    from ray.train import TrainingFailedError

    run, folder, events = setup.run.config.run, setup.run.folder, setup.run.events
    failures, each = Failures(run.max_failures, CheckpointStore(folder.checkpoints)), worker_resources(run)
    _build(build, failures, events)
    again, late_since = bool(run.wait_for_nodes_s), None
    while True:
        events.doing(None)  # the wait has words of its own
        workers = _workers_with_room(run, each, again)
        starting = _starting(workers, run, each)
        log.info(starting)
        events.doing(starting)
        try:
            return _attempt(setup, each, workers)
        except (TrainingFailedError, RayActorError) as error:  # the latter: Ray Train's controller has died
            if any(isinstance(cause, RoomForMoreError) for cause in causes_of(error)):
                events.tell(f"there is room for more than {workers} of {run.workers} workers")
            elif _came_too_late(error):
                late_since = late_since or time.monotonic()
                _judge_lateness(time.monotonic() - late_since, run.wait_limit_s)
            else:
                late_since = None
                events.tell(failures.judge(error))
        again = True  # a node that was lost may be replaced


def _build(build: Callable[[], None], failures: Failures, events: Events) -> None:
    """Have the selection made, again when a process ended meanwhile."""
    while True:
        try:
            return build()
        except LostError as error:
            events.tell(failures.judge(error))


def _workers_with_room(run: RunSection, each: Mapping[str, float], nodes_may_come: bool) -> int:
    """Wait until there is room for enough workers, and return how many to start."""
    least, labels = run.least_workers, run.worker_labels
    wait_for_room(each, least, workers_in_words(run), labels, limit_s=run.wait_limit_s, nodes_may_come=nodes_may_come)
    return run.workers if least == run.workers else max(least, most_places(each, labels, run.workers))


def _starting(workers: int, run: RunSection, each: Mapping[str, float]) -> str:
    """Return what is done, such as "starting 2 workers with 1 CPU each"."""
    several, of_most = workers > 1, f" of at most {run.workers}" * (run.min_workers is not None)
    return f"starting {workers}{of_most} worker{'s' * several} with {amounts_in_words(each)}{' each' * several}"


def _attempt(setup: "WorkerSetup", each: Mapping[str, float], workers: int) -> dict[str, Any]:
    """Train with one group of workers, which Ray Train starts once."""
    from ray.exceptions import RayActorError

    trainer = _trainer(setup, each, workers)
    # Ray's own handler of Ctrl-C would wait until all workers have started before it ends them.
    controllers: list[Any] = []
    trainer._register_sigint_handler = controllers.append
    try:
        with this_ray_named() as dashboard:
            if not dashboard:
                leave_places_to_us(trainer)
            result: Any = trainer.fit()
    except (KeyboardInterrupt, SystemExit):
        for controller in controllers:
            _end(controller)
        raise
    except RayActorError:  # without a dashboard nobody else takes away what a dead controller held
        for controller in controllers:
            give_back_places_of(controller)
        raise
    return result.return_value


def _trainer(setup: "WorkerSetup", each: Mapping[str, float], workers: int) -> Any:
    from ray.train import FailureConfig, LoggingConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    from .worker import train_loop

    run = setup.run.config.run
    return TorchTrainer(
        cast(Any, train_loop),
        train_loop_config={"setup": setup, "each": dict(each), "watched": leaving_nodes_are_told()},
        scaling_config=ScalingConfig(
            num_workers=workers,
            use_gpu=run.gpu,
            resources_per_worker=dict(each),
            label_selector=run.worker_labels or None,
        ),
        run_config=RunConfig(
            # A name of its own: Ray must not resume from its own bookkeeping, the run's checkpoints are the truth.
            name=f"attempt-{time.time_ns()}",
            **ray_storage(setup.run.folder.ray),
            failure_config=FailureConfig(max_failures=0, controller_failure_limit=0, max_preemption_failures=0),
            logging_config=LoggingConfig(log_level="ERROR"),
        ),
    )


def leave_places_to_us(trainer: Any) -> None:
    """Start no actor that would give back the places of a dead controller, for a Ray without a dashboard.

    It asks the dashboard whether the controller lives, hears nothing, and stays in the cluster for ever (Ray 2.60).
    """
    from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback

    made = trainer._create_default_callbacks
    trainer._create_default_callbacks = lambda: [
        each for each in made() if not isinstance(each, PlacementGroupCleanerCallback)
    ]


@contextmanager
def this_ray_named() -> Iterator[str]:
    """Let Ray Train's helpers know which Ray they belong to; gives its dashboard, "" where it has none.

    One of them takes the workers' places away when the dashboard does not know the controller. It asks the Ray that was
    started last on the machine, or the port that this Ray's dashboard would have (Ray 2.60). Where the dashboard of
    another Ray answers, it would end a healthy run; where none answers, a stopped trial of a sweep keeps its places.
    What ``ray.init`` says of the dashboard is no help: in a worker it is this machine's port 8265, wherever it listens.
    """
    from ray._private.services import get_webui_url_from_internal_kv
    from ray.train.v2._internal import constants

    dashboard = get_webui_url_from_internal_kv()
    constants.ENV_VARS_TO_PROPAGATE.add(_STATE_API)
    with variable_set(_STATE_API, f"http://{dashboard or _NOWHERE}"):
        yield dashboard or ""


def _end(controller: Any) -> None:
    """Have Ray Train's controller end its workers and give back their places; one that is busy for long is killed."""
    import ray

    done, _ = ray.wait([controller.abort.remote()], timeout=ABORT_S)
    if not done:
        ray.kill(controller)
        give_back_places_of(controller)


def _judge_lateness(seconds: float, limit_s: float | None) -> None:
    """Tell that the workers could not start though there was room, or raise RunError when that has gone on for long."""
    if limit_s is not None and seconds >= limit_s:
        raise RunError(
            f"there was room for the workers, but they did not start for {seconds:.0f} s (run.wait_limit_s={limit_s:g})"
        )
    log.warning("the workers did not start in time: others were faster to take their places, or a node is very busy")


def _came_too_late(error: BaseException) -> bool:
    """Return whether the workers' places, free a moment before, were not to be had."""
    return any(type(cause).__name__ == "WorkerGroupStartupTimeoutError" for cause in causes_of(error))
