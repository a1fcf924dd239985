"""What is tried again when workers fail, and what is not; Ray Train's errors are made by hand."""

import os
import pickle
from types import SimpleNamespace

import pytest
from ray._private import services
from ray.dashboard import utils as dashboard
from ray.exceptions import ActorDiedError, RayActorError, RayTaskError
from ray.train import ControllerError, PreemptionError, PreemptionInfo, WorkerGroupError
from ray.train.torch import TorchTrainer
from ray.train.v2._internal.constants import get_env_vars_to_propagate
from ray.train.v2._internal.exceptions import (
    UserExceptionWithTraceback,
    WorkerGroupStartupFailedError,
    WorkerGroupStartupTimeoutError,
    WorkerHealthCheckFailedError,
)
from ray.train.v2._internal.state.util import is_actor_alive
from ray.util.state.exception import RayStateApiException

from d2ace.pipeline.common.errors import ConfigError, DataError, DivergedError, LostError, RunError, SelectionError
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.training import attempts
from d2ace.pipeline.training.failures import Failures, causes_of
from d2ace.pipeline.training.hooks.growing import RoomForMoreError
from d2ace.pipeline.training.hooks.leaving import NodeLeavesError


def raised(*errors):
    """Return what ``fit`` raises for errors that workers raised; it has travelled between processes."""
    wrapped = {rank: UserExceptionWithTraceback(error, "Traceback ...") for rank, error in enumerate(errors)}
    return pickle.loads(pickle.dumps(WorkerGroupError("...", wrapped)))


def killed(others=()):
    died = WorkerHealthCheckFailedError("A worker health check failed.", ActorDiedError())
    wrapped = {rank: UserExceptionWithTraceback(error, "...") for rank, error in enumerate(others)}
    return WorkerGroupError("...", {**wrapped, len(wrapped): died})


@pytest.fixture
def store(tmp_path):
    return CheckpointStore(tmp_path / "checkpoints", keep=99)


def reach(store, epoch, step=0):
    store.save(epoch, step, {}, {})


@pytest.mark.parametrize("kind", [ConfigError, DataError, DivergedError, SelectionError])
def test_what_would_happen_again_is_raised_as_it_was(store, kind):
    failures = Failures(3, store)
    with pytest.raises(kind, match=r"^rows are odd$"):
        failures.judge(raised(RuntimeError("Connection closed by peer"), kind("rows are odd")))


def test_what_the_selection_actor_raised_is_found_within_what_ray_made_of_it(store):
    inner = RayTaskError("f", "Traceback ...", SelectionError("no such label")).as_instanceof_cause()
    with pytest.raises(SelectionError, match=r"^no such label$"):
        Failures(3, store).judge(WorkerGroupError("...", {0: UserExceptionWithTraceback(inner, "...")}))


def test_a_death_is_tried_again_from_the_checkpoint_up_to_the_limit(store):
    failures = Failures(2, store)
    told = failures.judge(killed([RuntimeError("Connection closed by peer")]))
    assert told.startswith("a training worker has died (")
    assert told.endswith(
        "failure 1 of at most 2; the workers start again and go on from the beginning, without a checkpoint"
    )
    reach(store, 3, 8)
    assert failures.judge(killed()).endswith(
        "failure 2 of at most 2; the workers start again and go on from epoch 4, step 9"
    )
    with pytest.raises(RunError, match=r"training failed 3 times, the last time: .* \(run\.max_failures=2\)"):
        failures.judge(killed())


def test_no_failure_is_borne_with_a_limit_of_0(store):
    with pytest.raises(RunError, match="training failed: a training worker has died"):
        Failures(0, store).judge(killed())


def test_any_number_is_borne_without_a_limit(store):
    failures = Failures(-1, store)
    for number in range(1, 6):
        assert f"failure {number}; " in failures.judge(killed())


TAKEN_AWAY = {
    "told in time": lambda: raised(*[NodeLeavesError("node ab is taken away in 9 s")] * 2),
    "gone before the workers": lambda: PreemptionError(PreemptionInfo(0, {"ab": [1]}), drain_timed_out=True),
    "gone unheard": lambda: WorkerGroupError(
        "...",
        {
            0: UserExceptionWithTraceback(RuntimeError("Connection closed by peer"), "..."),
            1: WorkerHealthCheckFailedError("...", RayActorError(preempted=True)),
        },
    ),
}


@pytest.mark.parametrize("error", TAKEN_AWAY.values(), ids=TAKEN_AWAY)
def test_a_node_that_is_taken_away_is_no_failure_however_often(store, error):
    failures = Failures(0, store)
    reach(store, 3, 8)
    for number in range(1, 5):
        told = failures.judge(error())
        assert ("node ab is taken away in 9 s" in told) != ("before its workers had made way" in told)
        assert told.endswith(
            f"interruption {number} of this kind, which is no failure; the workers start again and go on from "
            "epoch 4, step 9"
        )
    with pytest.raises(RunError, match="training failed: a training worker has died"):
        failures.judge(killed())


def test_what_would_happen_again_is_raised_also_when_a_node_is_taken_away(store):
    with pytest.raises(DataError, match="rows are odd"):
        Failures(3, store).judge(raised(NodeLeavesError("soon"), DataError("rows are odd")))


def test_the_same_error_at_the_same_place_is_not_tried_a_third_time(store):
    failures = Failures(3, store)
    assert "ValueError: odd shape; failure 1 of at most 3" in failures.judge(raised(ValueError("odd shape")))
    with pytest.raises(RunError, match="twice in the same way at the same place: ValueError: odd shape"):
        failures.judge(raised(ValueError("odd shape")))


def test_the_same_error_further_on_is_tried_again(store):
    failures = Failures(3, store)
    failures.judge(raised(ValueError("odd shape")))
    reach(store, 1)
    assert "failure 2" in failures.judge(raised(ValueError("odd shape")))


def test_workers_that_cannot_start_are_a_failure_too(store):
    error = ControllerError(WorkerGroupStartupFailedError("At least one of the worker actors failed to initialize."))
    failures = Failures(1, store)
    assert "failed to initialize" in failures.judge(error)
    with pytest.raises(RunError, match="failed to initialize"):
        failures.judge(error)


def test_the_ends_of_processes_come_before_what_they_do_to_others():
    assert isinstance(causes_of(killed([RuntimeError("Connection closed by peer")]))[0], ActorDiedError)


@pytest.fixture
def made_up(make_config, tmp_path, monkeypatch):
    """Return a function that trains with made-up attempts; gives what was waited for and told."""
    config = make_config("run.workers=2", "run.wait_limit_s=90", "run.worker_labels.zone=a")
    said: list = []
    events = SimpleNamespace(doing=lambda what: said.append(("doing", what)), tell=lambda line: said.append(line))
    folder = SimpleNamespace(checkpoints=tmp_path / "checkpoints")
    setup = SimpleNamespace(run=SimpleNamespace(config=config, folder=folder, events=events))

    def wait(each, wanted, what, labels, **settings):
        said.append((each, wanted, labels, settings["limit_s"], settings["nodes_may_come"]))

    monkeypatch.setattr(attempts, "worker_resources", lambda run: {"CPU": 0.5})
    monkeypatch.setattr(attempts, "wait_for_room", wait)

    def train(*outcomes, places=(), overrides=(), build=lambda: None):
        setup.run.config = config.with_overrides(overrides)
        free = list(places)
        monkeypatch.setattr(attempts, "most_places", lambda each, labels, most: min(most, free.pop(0)))
        left = list(outcomes)

        def attempt(setup, each, workers):
            outcome = left.pop(0)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        monkeypatch.setattr(attempts, "_attempt", attempt)
        return attempts.train_on_workers(setup, build), said

    return train


def test_no_actor_that_only_a_dashboard_could_end_is_started_without_one():
    trainer = TorchTrainer(lambda: None)
    names = [type(each).__name__ for each in trainer._create_default_callbacks()]
    attempts.leave_places_to_us(trainer)
    left = [type(each).__name__ for each in trainer._create_default_callbacks()]
    assert left == [name for name in names if name != "PlacementGroupCleanerCallback"] and len(left) == len(names) - 1


def test_room_is_waited_for_before_every_attempt_and_nodes_may_come_after_a_loss(made_up):
    result, said = made_up(killed(), {"epochs": 3})
    assert result == {"epochs": 3}
    starting = ("doing", "starting 2 workers with 0.5 CPUs each")
    room = [({"CPU": 0.5}, 2, {"zone": "a"}, 90.0, may) for may in (False, True)]
    assert said[:3] == [("doing", None), room[0], starting] and said[4:] == [("doing", None), room[1], starting]
    assert said[3].startswith("a training worker has died")


def test_the_end_of_the_controller_is_a_failure_like_that_of_a_worker(made_up):
    result, said = made_up(ActorDiedError(), {"epochs": 3})
    assert result == {"epochs": 3}
    assert said[3].startswith("Ray Train's controller has died (") and "failure 1 of at most 3" in said[3]


def build_after(*deaths):
    """Return what builds the selection after some deaths, and the deaths that have not come yet."""
    left = list(deaths)

    def build():
        if left:
            raise left.pop(0)

    return build, left


def test_a_death_while_the_selection_is_built_is_a_failure_like_that_of_a_worker(made_up):
    build, left = build_after(*[LostError("the selection actor died 2 times")] * 2)
    result, said = made_up(killed(), {"epochs": 3}, build=build)
    assert result == {"epochs": 3} and not left
    told = [line for line in said if isinstance(line, str)]
    assert [line.partition(";")[0] for line in told[:2]] == ["the selection actor died 2 times"] * 2
    assert [f"failure {number} of at most 3" in line for number, line in enumerate(told, 1)] == [True] * 3


def test_it_is_borne_no_more_often_than_the_user_wants(made_up):
    build, _ = build_after(LostError("the selection actor died 2 times"))
    with pytest.raises(RunError, match=r"training failed: the selection actor died 2 times \(run.max_failures=0\)"):
        made_up({"epochs": 3}, overrides=["run.max_failures=0"], build=build)


def test_what_another_try_would_not_spare_ends_the_run_as_it_was_raised(made_up):
    build, _ = build_after(RunError("the cluster lacks memory"))
    with pytest.raises(RunError, match=r"^the cluster lacks memory$"):
        made_up({"epochs": 3}, build=build)


@pytest.mark.parametrize(("preempted", "told"), [(True, "no failure"), (False, "failure 1 of at most 3")])
def test_a_range_that_was_lost_with_a_node_that_was_taken_away_is_no_failure(store, preempted, told):
    lost = LostError.of("batch selection failed", RayActorError(error_msg="gone\nat once", preempted=preempted))
    judged = Failures(3, store).judge(raised(lost))
    assert told in judged and ("gone;" in judged) != preempted


def test_with_fewer_at_least_as_many_start_as_there_is_room_for_and_growing_is_no_failure(made_up):
    grown = raised(RoomForMoreError("there is room for more than 2 workers"))
    few = ("run.workers=4", "run.min_workers=2", "run.max_failures=0")
    result, said = made_up(grown, {"epochs": 3}, places=(1, 9), overrides=few)
    assert result == {"epochs": 3}
    starts = [line[1] for line in said if line[0] == "doing" and line[1]]
    assert starts == [f"starting {n} of at most 4 workers with 0.5 CPUs each" for n in (2, 4)]
    assert [line[1] for line in said if isinstance(line[0], dict)] == [2, 2]
    assert "there is room for more than 2 of 4 workers" in said


def test_places_that_others_took_first_are_no_failure(made_up):
    late = [ControllerError(WorkerGroupStartupTimeoutError(2)) for _ in range(9)]
    assert made_up(*late, {"epochs": 3})[0] == {"epochs": 3}


def test_workers_that_never_start_though_there_is_room_are_waited_for_no_longer_than_the_user_wants(
    made_up, monkeypatch
):
    clock = iter([1000.0, 1000.0, 1060.0, 1120.0])  # the limit is 90 s
    monkeypatch.setattr(attempts.time, "monotonic", lambda: next(clock))
    late = [ControllerError(WorkerGroupStartupTimeoutError(2)) for _ in range(9)]
    with pytest.raises(RunError, match=r"did not start for 120 s \(run.wait_limit_s=90\)"):
        made_up(*late)


def test_an_error_that_would_happen_again_ends_the_first_attempt(made_up):
    with pytest.raises(DataError, match="rows are odd"):
        made_up(raised(DataError("rows are odd")), {"epochs": 3})


def state_api(monkeypatch, dashboard):
    """Return what a helper of Ray Train asks for the state of actors when this run's Ray has this dashboard."""
    monkeypatch.setattr(services, "get_webui_url_from_internal_kv", lambda: dashboard)
    with attempts.this_ray_named():
        handed_on = get_env_vars_to_propagate()  # from the driver to the controller, and from there to its helpers
    return handed_on["RAY_API_SERVER_ADDRESS"]


@pytest.mark.parametrize("before", [None, "http://10.0.0.1:8265"])
def test_helpers_of_ray_train_ask_the_ray_of_the_run_and_not_the_newest_of_the_machine(before, monkeypatch):
    """One of them takes the places of a run away whose controller a Ray does not know."""
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
    if before:
        monkeypatch.setenv("RAY_API_SERVER_ADDRESS", before)
    asked = state_api(monkeypatch, "10.0.0.7:8265")
    assert os.environ.get("RAY_API_SERVER_ADDRESS") == before
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", asked)
    assert dashboard.get_address_for_submission_client(None) == "http://10.0.0.7:8265"


def test_helpers_of_ray_train_hear_that_nothing_is_known_where_the_ray_of_the_run_has_no_dashboard(monkeypatch):
    """Ray itself would name the port that a dashboard would have, where that of another Ray may listen."""
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", state_api(monkeypatch, ""))
    with pytest.raises(RayStateApiException):
        is_actor_alive("0" * 32, timeout=10)
