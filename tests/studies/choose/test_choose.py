"""A whole choice in this process: arms that are the runs they stand for, its cost, its folder, and going on."""

import json
from dataclasses import replace

import numpy as np
import pytest
from small_config import small_config

from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.data.manifest import SPLITS, Manifest
from d2ace.pipeline.data.rows import Rows
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.studies import saved_run
from d2ace.pipeline.studies.choose import Choice, choose, describe, execution
from d2ace.pipeline.studies.choose.arms import Arms, arm_configs
from d2ace.pipeline.studies.choose.candidates import DEFAULTS, Candidate, candidates_of
from d2ace.pipeline.training.local_run import LocalRun, Prepared
from d2ace.pipeline.training.metrics import METRICS
from d2ace.selectors import api as selectors
from d2ace.selectors.bases import LawSelector
from d2ace.selectors.common.label_matrix import LabelMatrix
from d2ace.selectors.history.row_losses import RowLosses
from d2ace.selectors.uniform import Uniform

METHODS = ("d2ace:neighbours=3,pressure=40", "class-feedback:every=1", "deferred-mixture", "loss-rank")


@pytest.fixture(scope="module")
def base(table, tmp_path_factory):
    storage = tmp_path_factory.mktemp("choice")
    return small_config(table, storage, "selector={name: uniform, options: {}}", "train.epochs=6", "train.monitor=map")


@pytest.fixture(scope="module")
def prepared(table):
    manifest = Manifest.load(table)
    return Prepared(ShardRows(manifest), read_labels(manifest))


@pytest.fixture(scope="module")
def finished(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "choice"
    return folder, choose(base, folder, methods=METHODS, quiet=True)


def numbers(history):
    return [[record[name] for name in METRICS] for record in history]


@pytest.fixture(scope="module")
def parted(base, prepared, tmp_path_factory):
    """The arms of all candidates after a shared part of two epochs, and the configurations that they have."""
    configs = arm_configs([Candidate.of(name) for name in METHODS], base, 2)
    arms = Arms(base, prepared, tmp_path_factory.mktemp("parted"), 2, lambda line: None)
    return arms, configs, arms.train_shared(configs)


@pytest.mark.parametrize("name", METHODS)
def test_an_arm_is_the_run_with_that_warm_up(name, parted, prepared):
    arms, configs, _ = parted
    found = arms.train(name, configs[name], 0, 4)
    whole = LocalRun(configs[name], prepared)
    wanted = [whole.epoch(epoch) | whole.metrics(*whole.predict("validation")) for epoch in range(4)]
    assert numbers(found.history) == numbers(wanted)
    assert configs[name].selector.options[{"deferred-mixture": "uniform"}.get(name, "warmup")] == 2


def test_repeats_share_split_and_first_epochs_only(base, parted):
    arms, _, shared = parted
    first, second = (arms.train(f"uniform {number}", base, number, 5) for number in range(2))
    assert numbers(first.history[:2]) == numbers(second.history[:2]) == numbers(shared.history)
    assert numbers(first.history[2:]) != numbers(second.history[2:])
    np.testing.assert_array_equal(first.labels, second.labels)
    values = [record["map"] for record in first.history]
    assert first.best_epoch == values.index(max(values)) and first.value("map") == max(values)
    assert first.value_since("map", 2) == max(values[2:]) and first.value_since("map", 4) == values[4]
    assert first.probabilities.shape == first.labels.shape
    earlier = arms.train("uniform 0", base, 0, 3)  # as a choice that goes on asks for rounds that are over
    assert numbers(earlier.history) == numbers(first.history[:3])
    assert earlier.value("map") == max(values[:3]) and earlier.best_epoch == values.index(max(values[:3]))


def test_a_choice_costs_what_its_schedule_says(finished, base):
    _, choice = finished
    schedule = choice.schedule
    assert [arm.name for arm in choice.arms] == ["uniform 1", "uniform 2", "uniform 3", *METHODS[: schedule.candidates]]
    own = sum(arm.epochs - schedule.shared for arm in choice.arms)
    assert schedule.shared + own == schedule.cost <= 2.5 * 6
    assert choice.left_out == METHODS[schedule.candidates :]
    assert all(len(arm.curve) == arm.epochs and arm.value == max(arm.curve) for arm in choice.arms)
    ended = {arm.name: arm.epochs for arm in choice.arms}
    assert ended[choice.finalist] == 6 and min(ended.values()) == schedule.round_ends()[0]


def test_the_folder_holds_the_outcome_and_a_configuration_to_train(finished, base):
    folder, choice = finished
    assert Choice.read(folder) == choice
    chosen = Config.load(folder / "chosen.yaml")
    assert chosen.selector.name == ("uniform" if choice.chosen == "uniform" else choice.chosen.partition(":")[0])
    assert chosen.train == base.train and chosen.data == base.data
    told = describe(choice)
    assert told.startswith(f"Chosen: {choice.chosen}") and choice.decision.reason in told
    assert f"Trained {choice.schedule.cost} epochs" in told


def test_chance_is_told_by_the_epochs_since_the_repeats_parted(finished):
    _, choice = finished
    best = [max(arm.curve[choice.schedule.shared :]) for arm in choice.arms if arm.method == "uniform"]
    assert len(best) == choice.schedule.repeats and choice.decision.spread == pytest.approx(np.std(best, ddof=1))


def test_what_is_chosen_is_written_with_the_warm_up_it_had(finished, base, tmp_path):
    _, choice = finished
    won = replace(choice, chosen=choice.finalist, decision=replace(choice.decision, better=True))
    configs = arm_configs([Candidate.of(name) for name in METHODS], base, choice.schedule.shared)
    execution._write(tmp_path, configs[choice.finalist], won)
    chosen = Config.load(tmp_path / "chosen.yaml").selector
    arm = next(arm for arm in choice.arms if arm.name == choice.finalist)
    assert (chosen.name, chosen.options) == (
        arm.method,
        arm.options,
    ) and choice.schedule.shared in chosen.options.values()
    assert describe(won).startswith(f"Chosen: {choice.finalist}: ")


class SoundRows(LawSelector):
    """Draws nearly only the rows whose labels are right, which nobody can know: the winner that is planted."""

    name = "sound-rows"

    def __init__(self, labels, *, pressure=1e4, **settings):
        super().__init__(labels, pressure=pressure, **settings)
        self._begin(RowLosses(self.n_rows, self.n_labels, self.label_matrix))

    def _score_of(self, rows):
        return is_sound(self.n_rows)[rows].astype(float)


def is_sound(count):
    """Every fifth and second of five rows has wrong labels."""
    return ~np.isin(np.arange(count) % 5, (1, 3))


@pytest.fixture(scope="module")
def spoilt_table(tmp_path_factory):
    """A table whose training rows have the opposite labels in two of five rows, with sound validation rows."""
    rng, train, rows = np.random.default_rng(5), 300, 500
    features = rng.normal(size=(rows, 7)).astype(np.float32)
    labels = (features @ rng.normal(size=(7, 5)) + 0.3 * rng.normal(size=(rows, 5)) > 0.8).astype(int)
    wrong = np.flatnonzero(~is_sound(train))
    labels[wrong] = 1 - labels[wrong]
    split = np.repeat([SPLITS.index(name) for name in ("train", "validation", "test")], [train, 160, 40]).astype(
        np.int8
    )
    folder = tmp_path_factory.mktemp("spoilt") / "table"
    names = [f"label{j}" for j in range(5)]
    with ShardWriter(folder, kind="dense", labels=names, n_features=7, shard_rows=rows) as writer:
        writer.write(Rows(features, LabelMatrix.of(labels), split))
    return folder


def test_a_winner_that_is_planted_in_the_data_is_chosen(base, spoilt_table, tmp_path):
    config = base.with_overrides(
        [
            f"data.path={spoilt_table}",
            "train.epochs=10",
            "optimizer.lr=0.01",
            "model.options={hidden: [32], dropout: 0.0}",
        ]
    )
    found = choose(config, tmp_path / "choice", methods=[f"{__name__}:SoundRows", "loss-rank"], quiet=True)
    assert found.chosen == f"{__name__}:SoundRows" and found.decision.gain > found.decision.least_gain > 0
    chosen = Config.load(tmp_path / "choice" / "chosen.yaml").selector
    assert (chosen.name, chosen.options) == (f"{__name__}:SoundRows", {"warmup": found.schedule.shared})


class KilledError(Exception):
    pass


def test_a_killed_choice_goes_on_to_the_same_outcome(finished, base, tmp_path, monkeypatch):
    _, whole = finished
    monkeypatch.setattr("d2ace.pipeline.studies.choose.arms.KEEP_EVERY_S", 0.0)
    epoch, trained, limit = saved_run.SavedRun.epoch, [], [2]

    def counted(self, number):
        if len(trained) == limit[0]:
            raise KilledError
        trained.append(number)
        return epoch(self, number)

    monkeypatch.setattr(saved_run.SavedRun, "epoch", counted)
    while limit[0] < whole.schedule.cost:
        with pytest.raises(KilledError) as killed:
            choose(base, tmp_path / "choice", methods=METHODS, quiet=True)
        assert any("go on with: d2ace choose" in note for note in killed.value.__notes__)
        limit[0] += 7
    found = choose(base, tmp_path / "choice", methods=METHODS, quiet=True)
    assert len(trained) == whole.schedule.cost  # no epoch was trained twice
    assert [arm.curve for arm in found.arms] == [arm.curve for arm in whole.arms]
    assert (found.chosen, found.decision) == (whole.chosen, whole.decision)
    with pytest.raises(RunError, match="differs in candidates"):
        choose(base, tmp_path / "choice", methods=METHODS[:2], quiet=True)
    with pytest.raises(RunError, match="differs in config"):
        choose(base.with_overrides(["optimizer.lr=0.5"]), tmp_path / "choice", methods=METHODS, quiet=True)


@pytest.mark.parametrize(
    ("overrides", "methods", "words"),
    [
        ((), ["balanced"], "'balanced' is not uniform in epoch 1"),
        ((), ["d2ace:warmup=3"], "which the choice decides itself"),
        ((), ["uniform"], "takes part anyway"),
        ((), ["d2ace", "d2ace"], "named twice"),
        ((), ["loss-rank", "loss-rank:preset=paper"], "named twice"),
        ((), ["d2ace:presure=3"], "did you mean 'pressure'"),
        ((), ["d2ac"], "did you mean 'd2ace'"),
        ((), ["d2ace:pressure"], "after d2ace: expected settings, KEY=VALUE"),
        ((), ["d2ace:preset=papre"], "did you mean 'paper'"),
        ((), ["infobatch"], "take fewer steps"),
        (("train.patience=2",), ["d2ace"], "train all of them"),
        (("train.epochs=1",), ["d2ace"], "more epochs"),
        (("selector.entries.policy=correct",), ["d2ace"], "compares methods of drawing rows"),
        (("data.validation_fraction=0",), ["loss-rank"], "needs validation rows"),
    ],
)
def test_what_cannot_be_chosen_is_refused(base, tmp_path, overrides, methods, words):
    with pytest.raises(Exception, match=words):
        choose(base.with_overrides(list(overrides)), tmp_path / "choice", methods=methods, quiet=True)


class SuddenlyOthers(Uniform):
    """Is uniform until it has seen something, without a warm-up: no plan at its start tells."""

    name = "suddenly-others"

    def __init__(self, labels, **settings):
        super().__init__(labels, **settings)
        self._seen = False

    def observe(self, ids, probabilities, losses):
        self._seen = True

    def plan(self, epoch):
        return super().plan(epoch + 100 * self._seen)


def test_a_candidate_that_selects_as_soon_as_it_has_seen_rows_is_refused(base, tmp_path):
    with pytest.raises(ConfigError, match="SuddenlyOthers' is not uniform in epoch 2"):
        choose(base, tmp_path / "choice", methods=[f"{__name__}:SuddenlyOthers"], quiet=True)
    assert not (tmp_path / "choice").exists()  # the same command would end so again


def test_a_refusal_before_training_leaves_nothing_behind(base, tmp_path):
    with pytest.raises(ConfigError):
        choose(base, tmp_path / "choice", methods=["balanced"], quiet=True)
    assert not (tmp_path / "choice").exists()


def test_the_configured_method_is_a_candidate_by_itself(base):
    assert [candidate.name for candidate in candidates_of([], base)] == list(DEFAULTS)
    own = base.with_overrides(["selector={name: loss-rank, options: {warmup: 2, pressure: 9}}"])
    first, *others = candidates_of([], own)
    assert (first.method, first.options) == ("loss-rank", {"pressure": 9}) and len(others) == len(DEFAULTS)
    for options in ("{}", "{warmup: 2}"):  # nothing of its own but when it begins, which the choice decides
        plain = candidates_of([], base.with_overrides([f"selector={{name: loss-rank, options: {options}}}"]))
        assert [each.name for each in plain] == ["loss-rank", *DEFAULTS]
        assert plain[0] == Candidate("loss-rank", "loss-rank", {})
    among = candidates_of([], base.with_overrides(["selector={name: class-feedback}"]))
    assert [each.name for each in among] == ["class-feedback", *(name for name in DEFAULTS if name != "class-feedback")]
    paper = candidates_of([], base.with_overrides(["selector={name: d2ace, preset: paper}"]))
    assert [each.name for each in paper[:2]] == ["d2ace, as configured", "d2ace"]
    configs = arm_configs(paper[:2], base, 2).values()
    assert [config.selector.settings["draws"] for config in configs] == ["independent", "systematic"]
    assert [config.selector.preset for config in configs] == ["paper", "recommended"]
    assert Candidate.of("d2ace:preset=paper").does_as(paper[0]) and not paper[0].does_as(paper[1])
    strong = candidates_of([], base.with_overrides(["selector={name: d2ace, options: {pressure: 64, warmup: 3}}"]))
    assert [each.name for each in strong] == ["d2ace, as configured", *(name for name in DEFAULTS if ":" not in name)]
    restated = base.with_overrides(["selector={name: loss-rank, options: {pressure: 100.0}}"])
    assert candidates_of([], restated)[0].name == "loss-rank"
    assert Candidate.of("d2ace:pressure=64,draws=systematic").options == {"pressure": 64, "draws": "systematic"}
    assert Candidate.of("d2ace.selectors.loss_rank:LossRank:pressure=3").options == {"pressure": 3}
    assert Candidate.of("d2ace.selectors.loss_rank:LossRank").method == "d2ace.selectors.loss_rank:LossRank"


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ("a=[1,2],b=3", {"a": [1, 2], "b": 3}),
        ("a={x: [1, 2], y: 'z]'},b=3,", {"a": {"x": [1, 2], "y": "z]"}, "b": 3}),
        ("a='1,2',b=\"3,\\\",4\",c='it''s,it'", {"a": "1,2", "b": '3,",4', "c": "it's,it"}),
        ("a=it's,b=what's:that", {"a": "it's", "b": "what's:that"}),
        ("a=x=1,b.c=2", {"a": "x=1", "b": {"c": 2}}),
    ],
)
def test_commas_within_a_value_are_its_own(monkeypatch, settings, options):
    monkeypatch.setattr(type(selectors.REGISTRY), "check_settings", lambda *_: None)
    for method in ("loss-rank", "d2ace.selectors.loss_rank:LossRank"):
        found = Candidate.of(f"{method}:{settings}")
        assert (found.method, found.options) == (method, options)


@pytest.mark.parametrize("settings", ["a=[1,2", "a='1,2", "a=]1,b=2"])
def test_a_value_that_is_not_closed_is_told(settings):
    with pytest.raises(ConfigError, match="close its brackets and quotes"):
        Candidate.of(f"loss-rank:{settings}")


def test_names_that_differ_have_folders_that_differ(base, prepared, tmp_path):
    arms = Arms(base, prepared, tmp_path, 2, lambda line: None)
    names = [
        "d2ace",
        "my.mod:Class",
        "my.mod-Class",
        "d2ace:a=[1,2]",
        "d2ace:a=[1-2]",
        *(100 * "x" + end for end in "ab"),
    ]
    folders = [arms._run_folder(name, base).path.name for name in names]
    assert len(set(folders)) == len(names) and max(map(len, folders)) <= 109
    assert folders[0] == "d2ace" and folders[2] == "my.mod-Class"


def test_the_outcome_of_another_version_is_refused(tmp_path):
    with pytest.raises(RunError, match="no finished choice"):
        Choice.read(tmp_path)
    (tmp_path / "choice.json").write_text(json.dumps({"schema": 99}))
    with pytest.raises(RunError, match="another version"):
        Choice.read(tmp_path)
