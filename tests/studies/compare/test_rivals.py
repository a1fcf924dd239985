"""Linear and plain rivals beside the networks of a study."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from small_study import synthetic_table, with_test_values

from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.results.report.study_source import StudySource
from d2ace.pipeline.studies.compare import compare_methods, summary
from d2ace.pipeline.studies.compare.rival_run import check_rival
from d2ace.pipeline.studies.compare.rivals import api as rivals
from d2ace.pipeline.studies.compare.study_run import load_prepared, train_run
from d2ace.pipeline.studies.compare.targets import epochs_to_target
from d2ace.pipeline.studies.compare.tuning import tuning_runs
from d2ace.pipeline.training.local_run import LocalRun
from d2ace.selectors.common.randomness import generator


@pytest.fixture(scope="module")
def rows():
    """Return features of 300 rows and three labels: a linear one, one that never comes, one that depends on it."""
    rng = generator(0, "rivals")
    features = rng.normal(size=(300, 5)).astype(np.float32)
    first = (features[:, 0] + 0.3 * rng.normal(size=300) > 0).astype(np.int8)
    second = np.where(rng.random(300) < 0.9, first, 1 - first)
    return features, np.stack([first, np.zeros(300, np.int8), second], axis=1)


@pytest.mark.parametrize("name", rivals.REGISTRY.names())
def test_a_rival_ranks_rows_by_their_labels_and_keeps_constant_ones(rows, name):
    features, labels = rows
    quick = {"trees": 20} if name == "gradient-boosting" else {}
    rival = rivals.create(name, 3, quick)
    rival.fit(features[:200], labels[:200])
    found = rival.predict(features[200:])
    assert found.shape == (100, 3) and found.dtype == np.float32 and (found[:, 1] == 0).all()
    assert ((found >= 0) & (found <= 1)).all()
    assert average_precision_score(labels[200:, 0], found[:, 0]) > 0.93
    again = rivals.create(name, 3, quick)
    again.fit(features[:200], labels[:200])
    np.testing.assert_array_equal(again.predict(features[200:]), found)


@pytest.mark.parametrize("name", rivals.REGISTRY.names())
def test_what_tuning_tries_can_be_made_and_keeps_the_budget(name):
    for size in (1, 5, 20):
        ((setting, values),) = rivals.get(name).grid(size).items()
        assert 1 <= len(values) <= size and list(values) == sorted(set(values))
        for value in values:
            rivals.create(name, 0, {setting: value})


@pytest.mark.parametrize("strength", [1e-4, 1.0])
def test_logistic_regression_expects_as_many_rows_of_a_rare_label_as_there_are(rows, strength):
    features, _ = rows
    labels = np.zeros((len(features), 1), np.int8)
    labels[np.argsort(features[:, 0])[-12:]] = 1
    rival = rivals.create("logistic-regression", 0, {"strength": strength})
    rival.fit(features, labels)
    assert rival.predict(features).mean() == pytest.approx(0.04, abs=1e-3)  # so it is where the intercept is free


def test_a_chain_lets_labels_see_those_before(rows):
    features, labels = rows
    hidden = np.concatenate([labels[:, :1], labels[:, 2:]], axis=1)
    noise = generator(1, "rivals").normal(size=features.shape).astype(np.float32)
    chain = rivals.create("classifier-chain", 0, {})
    chain.fit(noise[:200], hidden[:200])
    found = chain.predict(noise[200:])
    assert abs(np.corrcoef(found.T)[0, 1]) > 0.8  # nothing but the label before tells the second one


def test_a_run_has_the_rows_scaling_and_metrics_of_the_networks_run(make_study):
    study = make_study(rivals={"linear": {"name": "logistic-regression", "options": {"strength": 0.5}}})
    of = {run.method: run for run in study.runs() if run.fold == 1}
    columns = train_run(of["linear"])
    prepared = load_prepared(of["linear"].config.data.path, of["linear"].fingerprint)
    data = LocalRun(of["uniform"].config, prepared).data
    features, labels = data.scaler.transform(prepared.features), prepared.labels.dense()
    train, test = data.splits.train, data.splits.test
    for label in range(labels.shape[1]):
        model = LogisticRegression(C=0.5, solver="newton-cholesky", tol=1e-8).fit(features[train], labels[train, label])
        score = average_precision_score(labels[test, label], model.predict_proba(features[test])[:, 1])
        assert columns["test_label_ap"][label] == pytest.approx(score, abs=1e-3)
    assert columns["test/map"] == [pytest.approx(np.mean(columns["test_label_ap"]))]
    assert columns["best_epoch"] == 0 and len(columns["train_s"]) == 1
    untested = train_run(of["linear"], tested=False)
    assert untested["validation/map"] == columns["validation/map"] and "test/map" not in untested


def test_runs_are_known_by_what_a_rival_looks_at(make_study):
    def key(**changes):
        study = make_study(rivals={"linear": {"name": "logistic-regression"}}, **changes)
        return next(run.key for run in study.runs() if run.method == "linear")

    assert key() == key(networks={"other": {"options": {"hidden": [8]}}}) == key(config={"optimizer": {"lr": 1.0}})
    assert key() != key(seeds=[1]) and key() != key(config={"data": {"scale": "none"}})


def test_rivals_are_tuned_with_no_more_runs_than_the_networks(make_study):
    study = make_study(
        rivals={
            "linear": {"name": "logistic-regression"},
            "given": {"name": "logistic-regression", "options": {"strength": 2.0}},
        },
        tuning={"weight_decays": [0.0], "dropouts": [0.0]},
    )
    tried = {}
    for run in tuning_runs(study):
        tried.setdefault(run.method, []).append(run)
    assert {name: len(runs) for name, runs in tried.items()} == {"uniform": 5, "d2ace": 5, "linear": 5, "given": 1}
    strengths = [run.rival.options["strength"] for run in tried["linear"]]
    assert strengths == [json.loads(run.tuned)["strength"] for run in tried["linear"]] and len(set(strengths)) == 5


def test_a_network_below_a_linear_rival_is_named():
    table = synthetic_table(("uniform", "d2ace", "linear", "trees"), ("birds", "yeast"), noise=0.0)
    table["rival"] = table["method"].map({"linear": "linear", "trees": "plain"})
    levels = {"uniform": 0.5, "d2ace": 0.55, "linear": 0.6, "trees": 0.7}
    table = with_test_values(table, "map", lambda run: levels[run["method"]] + 0.2 * (run["data"] == "yeast"))
    strong = table.assign(rival=table["rival"].mask(table["data"] == "yeast"))
    strong = strong[(strong["method"] != "linear") | (strong["data"] != "yeast")]
    told = summary.text(compare_methods(strong, "map"))
    (line,) = [line for line in told.splitlines() if "linear model" in line]
    assert line.startswith("birds / mlp: the network is below a linear model: uniform 0.5000, linear 0.6000")
    assert "linear model" not in summary.text(compare_methods(table[table["method"] != "linear"], "map"))
    assert set(epochs_to_target(table, "map")["method"]) == {"uniform", "d2ace"}  # rivals have no epochs
    source = StudySource("s", table, None, "")
    assert [curve.name for curve in source.curves(table, "validation/map")] == ["uniform", "d2ace"]
    assert set(source.drawn_looks) == {"uniform", "d2ace"}


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"linear": {"name": "logistic-regresion"}}, "did you mean 'logistic-regression'"),
        ({"uniform": {"name": "logistic-regression"}}, "a method is called 'uniform', too"),
        ({"linear": {"nme": "logistic-regression"}}, "unknown key 'rivals.linear.nme'; did you mean 'name'"),
    ],
)
def test_wrong_rivals_are_told_when_the_study_is_read(make_study, named, message):
    with pytest.raises(ConfigError, match=message):
        make_study(rivals=named)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("logistic-regression", {"strenght": 1.0}, "did you mean 'strength'"),
        ("logistic-regression", {"strength": 0.0}, "strength must be a number above 0"),
        ("nearest-neighbours", {"neighbours": 2.5}, "neighbours must be a whole number"),
    ],
)
def test_wrong_settings_of_rivals_are_told_before_anything_runs(make_study, name, options, message):
    study = make_study(rivals={"r": {"name": name, "options": options}})
    run = next(run for run in study.runs() if run.method == "r")
    with pytest.raises(ConfigError, match=message):
        check_rival(run)


def test_rivals_take_no_images(make_study, tmp_path):
    digit_scenes.build(tmp_path / "digits", rows=100)
    study = make_study(
        data={"digits": {"path": str(tmp_path / "digits")}},
        networks={"cnn": {"name": "small-cnn"}},
        rivals={"linear": {"name": "logistic-regression"}},
    )
    with pytest.raises(ConfigError, match="'logistic-regression' takes tables"):
        check_rival(next(run for run in study.runs() if run.method == "linear"))
