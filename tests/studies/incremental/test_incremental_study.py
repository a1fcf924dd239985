"""Studies of sequences: what is trained, kept, resumed and refused."""

import json
from pathlib import Path

import pytest
import yaml
from page_reader import Page
from small_sequence import CLASSES, small_sequence, write_classes
from small_sequences import synthetic_outcome

from d2ace.pipeline.cli import main
from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.results.report import report
from d2ace.pipeline.studies.incremental import study_execution
from d2ace.pipeline.studies.incremental.folder import SequenceFolder
from d2ace.pipeline.studies.incremental.relabelling import Rule
from d2ace.pipeline.studies.incremental.study import SequenceStudy, ordered
from d2ace.pipeline.studies.incremental.study_execution import run_study
from d2ace.pipeline.studies.incremental.study_table import OutcomeTable
from d2ace.pipeline.studies.incremental.study_text import describe_study, verdict_rows


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_classes(tmp_path_factory.mktemp("classes") / "data")


@pytest.fixture
def make_study(data):
    def make(**changes):
        one = small_sequence(data, "er", protocol="B3-C2").model_dump(include={"data", "config", "memory"})
        given = {
            "name": "small",
            "data": {"zoo": {"protocols": ["B3-C2"], "sequence": {"data": one["data"]}}},
            "methods": {name: {"method": {"name": name}} for name in ("fine-tune", "er")},
            "reference": "er",
            "orders": ["alphabetical", 3],
            "sequence": {"config": one["config"], "memory": {"per_class": 2}, "relabelling": {"value": 0.7}},
        }
        return SequenceStudy.make(given | changes)

    return make


def test_members_are_all_combinations_the_reference_first(make_study):
    members = list(make_study(seeds=[4, 5]).members())
    assert [(m.method, m.order, m.sequence.seed) for m in members[:5]] == [
        ("er", "alphabetical", 4),
        ("fine-tune", "alphabetical", 4),
        ("er", "3", 4),
        ("fine-tune", "3", 4),
        ("er", "alphabetical", 5),
    ]
    assert len({member.key for member in members}) == 8
    assert members[2].sequence.class_order == members[6].sequence.class_order


def test_methods_leave_out_what_they_do_not_take(make_study):
    sequences = {member.method: member.sequence for member in make_study().members()}
    assert sequences["er"].memory is not None and sequences["fine-tune"].memory is None
    guessing = {name: {"method": {"name": name}} for name in ("er", "rebll", "pseudo-labels")}
    rules = {m.method: m.sequence.relabelling for m in make_study(methods=guessing).members()}
    assert rules["er"] == Rule() and rules["rebll"] == rules["pseudo-labels"] == Rule(value=0.7)
    own = {"fine-tune": {"method": {"name": "fine-tune"}, "memory": {"per_class": 1}}, "er": {"method": {"name": "er"}}}
    with pytest.raises(ConfigError, match=r"study small: zoo x fine-tune: .*keeps no exemplars"):
        list(make_study(methods=own).members())


def test_an_order_of_a_number_is_the_same_for_every_seed_and_moves_classes():
    assert ordered(CLASSES, "alphabetical") == "alphabetical"
    first, other = ordered(CLASSES, 1), ordered(CLASSES, 2)
    assert sorted(first) == sorted(CLASSES) and first == ordered(CLASSES, 1) != other


def test_names_and_paths_do_not_change_what_a_sequence_is(make_study, data):
    (one,) = make_study(orders=["alphabetical"], methods={"er": {"method": {"name": "er"}}}).members()
    methods = {"replay": {"method": {"name": "er"}}}
    (other,) = make_study(orders=["alphabetical"], methods=methods, reference="replay", name="x").members()
    (more,) = make_study(orders=["alphabetical"], methods={"er": {"method": {"name": "er"}}}, seeds=[1]).members()
    assert one.key == other.key != more.key


def test_what_the_study_decides_is_refused_elsewhere(make_study):
    with pytest.raises(ConfigError, match=r"methods.er.seed is decided by the study"):
        make_study(methods={"er": {"method": {"name": "er"}, "seed": 3}})
    with pytest.raises(ConfigError, match="'err' is not one of the methods; did you mean 'er'"):
        make_study(reference="err")


def test_a_method_that_could_not_work_is_told_before_anything_is_trained(make_study, tmp_path):
    methods = {"er": {"method": {"name": "er"}, "memory": {"per_class": None, "total": 3}}}
    with pytest.raises(ConfigError, match=r"zoo B3-C2 x er.*memory.total=3: expected at least a row for each of 5"):
        run_study(make_study(methods=methods), tmp_path)
    assert not (tmp_path / "outcomes.jsonl").exists()


def test_paths_of_a_file_are_relative_to_it(make_study, data, tmp_path):
    values = make_study().model_dump(mode="json")
    values["data"]["zoo"]["sequence"]["data"]["path"] = "../data"
    (tmp_path / "study").mkdir()
    (tmp_path / "data").symlink_to(data)
    (tmp_path / "study" / "study.yaml").write_text(yaml.safe_dump(values))
    member = next(SequenceStudy.load(tmp_path / "study" / "study.yaml").members())
    assert Path(member.sequence.data.path) == data


@pytest.fixture
def pretended(monkeypatch):
    """Let sequences be learned in no time; returns what was asked for: names, and whether it went on."""
    asked = []

    def learned(sequence, folder, *, go_on, quiet):
        asked.append((sequence.name, go_on))
        folder.mkdir(parents=True, exist_ok=True)
        sequence.save(SequenceFolder(folder).sequence)
        return synthetic_outcome(skill=0.5 if sequence.name == "er" else 0.2)

    monkeypatch.setattr(study_execution, "incremental", learned)
    return asked


def test_sequences_are_learned_and_what_they_wrote_is_removed(make_study, tmp_path):
    (outcome,) = run_study(make_study(methods={"er": {"method": {"name": "er"}}}, orders=[3]), tmp_path)
    assert (outcome.name, outcome.data, outcome.order) == ("er", "zoo", "3")
    assert outcome.is_complete and list(outcome.classes) == list(ordered(CLASSES, 3))
    assert not list((tmp_path / "work").iterdir())


def test_a_study_is_trained_once_and_told_in_words_and_in_a_report(make_study, tmp_path, pretended, capsys):
    study = make_study()
    assert len(run_study(study, tmp_path, minutes=0)) == 1  # none starts after that time, but the first
    outcomes = run_study(study, tmp_path)
    names = [("er", "alphabetical"), ("fine-tune", "alphabetical"), ("er", "3"), ("fine-tune", "3")]
    assert [(outcome.name, outcome.order) for outcome in outcomes] == names
    assert "3/3 after" in capsys.readouterr().out
    assert len(run_study(study, tmp_path)) == len(pretended) == 4
    told = describe_study(outcomes, "er")
    assert "zoo, B0-C2" in told and "fine-tune" in told and "no significant difference" in told
    page = Page(report(tmp_path).read_text(encoding="utf-8"))
    assert not page.problems
    assert "Every method against er" in page.tables


@pytest.mark.usefixtures("words_only")
def test_a_single_pair_has_neither_interval_nor_test(make_study, tmp_path, pretended):
    outcomes = run_study(make_study(orders=["alphabetical"]), tmp_path)
    assert verdict_rows(outcomes, "er")[1][3:] == ["-", "0/0/1", "-", "-", "a single pair"]
    page = Page(report(tmp_path).read_text(encoding="utf-8"))
    assert page.tables["Every method against er"][1][4:] == ["-", "-", "-", "a single pair"]


def test_a_failed_sequence_is_told_and_tried_again(make_study, tmp_path, pretended, monkeypatch):
    learned = study_execution.incremental

    def failing(sequence, folder, **settings):
        if sequence.name == "fine-tune":
            raise RunError("lost")
        return learned(sequence, folder, **settings)

    monkeypatch.setattr(study_execution, "incremental", failing)
    study = make_study(orders=["alphabetical"])
    assert [outcome.name for outcome in run_study(study, tmp_path)] == ["er"]
    (failure,) = [json.loads(line) for line in (tmp_path / "failures.jsonl").read_text().splitlines()]
    assert failure["error"] == "RunError: lost" and "zoo B3-C2 x fine-tune" in failure["sequence"]
    with pytest.raises(RunError, match="every sequence failed, the first with: RunError: lost"):
        run_study(make_study(methods={"fine-tune": {"method": {"name": "fine-tune"}}}, reference="fine-tune"), tmp_path)
    monkeypatch.setattr(study_execution, "incremental", learned)
    assert len(run_study(study, tmp_path)) == 2


def test_a_killed_study_goes_on_with_the_sequence_it_was_at(make_study, tmp_path, pretended, monkeypatch):
    study = make_study(orders=["alphabetical"])
    learned = study_execution.incremental

    def killed(sequence, folder, **settings):
        learned(sequence, folder, **settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(study_execution, "incremental", killed)
    with pytest.raises(KeyboardInterrupt):
        run_study(study, tmp_path)
    monkeypatch.setattr(study_execution, "incremental", learned)
    assert len(run_study(study, tmp_path)) == 2
    assert pretended == [("er", False), ("er", True), ("fine-tune", False)]


def test_a_line_that_a_kill_cut_off_is_no_outcome(make_study, tmp_path, pretended):
    study = make_study()
    run_study(study, tmp_path, minutes=0)
    path, failures = tmp_path / "outcomes.jsonl", tmp_path / "failures.jsonl"
    path.write_bytes(path.read_bytes() + '{"key": "half of ß'.encode()[:-1])
    failures.write_bytes('{"key": "one"}\n{"error": "ß'.encode()[:-1])
    assert len(OutcomeTable(tmp_path).outcomes()) == 1
    assert len(run_study(study, tmp_path)) == 4
    assert len(OutcomeTable(tmp_path).outcomes()) == 4
    assert failures.read_text() == '{"key": "one"}\n'


def test_of_outcomes_of_one_name_the_newest_counts_and_the_report_says_so(make_study, tmp_path, pretended):
    run_study(make_study(), tmp_path)
    path = tmp_path / "outcomes.jsonl"
    first, *others = [json.loads(line) for line in path.read_text().splitlines()]
    again = {**first, "key": "of another version", "seconds": [9.0] * len(first["seconds"])}
    path.write_text("".join(json.dumps(record) + "\n" for record in (first, *others, again)))
    table = OutcomeTable(tmp_path)
    assert len(table.outcomes()) == 4 and table.replaced() == 1
    assert list(table.outcomes()[0].seconds) == again["seconds"]
    page = report(tmp_path).read_text(encoding="utf-8")
    assert "4 sequences of tasks" in page and "1 older ones with the names of newer ones are left out" in page


def test_the_command_learns_a_study_and_prints_what_it_came_to(make_study, tmp_path, pretended, capsys):
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(make_study(orders=[1]).model_dump(mode="json")))
    assert main(["incremental", str(tmp_path / "study.yaml"), str(tmp_path / "out"), "--minutes", "5"]) == 0
    told = capsys.readouterr().out
    assert "last mAP against er" in told and "report.html" in told
    assert [name for name, _ in pretended] == ["er", "fine-tune"]


@pytest.mark.parametrize(
    ("file", "option", "message"),
    [
        ("study", ["--resume"], "is a study, which goes on by itself: leave out --resume"),
        ("sequence", ["--minutes", "3"], "--parallel and --minutes go with a study"),
    ],
)
def test_options_that_do_not_go_with_the_file_are_refused(make_study, data, tmp_path, capsys, file, option, message):
    given = make_study() if file == "study" else small_sequence(data)
    (tmp_path / "given.yaml").write_text(yaml.safe_dump(given.model_dump(mode="json")))
    assert main(["incremental", str(tmp_path / "given.yaml"), str(tmp_path / "out"), *option]) != 0
    assert message in capsys.readouterr().err
