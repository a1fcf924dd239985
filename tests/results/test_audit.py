"""``audit``: suspects of runs whose truth is known, with their evidence, in tables and on a page."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from audited_run import EPOCHS, LABELS, write_audited, write_damaged, write_digits
from page_reader import Page

from d2ace.pipeline import cli
from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.data.audited import audited
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.verdicts import read_verdicts
from d2ace.pipeline.results.audit import _gate, audit
from d2ace.pipeline.results.replay import SelectionOfRun

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    return write_damaged(tmp_path_factory.mktemp("data") / "table")


@pytest.fixture(scope="module")
def with_policy(damaged, tmp_path_factory):
    return write_audited(tmp_path_factory.mktemp("runs") / "judged", *damaged, method="d2ace")


@pytest.fixture(scope="module")
def found(with_policy):
    return audit(with_policy.path, top=1000)


def is_hidden(table, truth):
    """Return which suspects the row really has, bool (n,)."""
    return truth[table["row"].to_numpy(), [LABELS.index(name) for name in table["label"]]]


def test_the_hidden_labels_are_found_with_chances_that_fit(found, damaged, with_policy):
    table = found.suspects
    assert set(table["kind"]) == {"missing"} and len(table) == 1000 and found.out == with_policy.path / "audit"
    assert table["rank"].tolist() == list(range(1, 1001)) and (np.diff(table["mean"]) <= 0).all()
    hidden = is_hidden(table, damaged[1])
    assert hidden[:500].mean() > 0.95
    assert table["chance"].mean() == pytest.approx(hidden.mean(), abs=0.25)
    train = with_policy.data.load().splits.train
    assert set(table["row"]) <= set(train) and (table["given"] == "0").all()
    for _, mine in table.groupby("label"):
        assert mine["rank_in_label"].is_monotonic_increasing and mine["rank_in_label"].iloc[0] == 1
        assert (np.diff(mine["chance"]) <= 0).all()


def test_the_evidence_is_that_of_the_run(found, with_policy):
    table = found.suspects
    assert all(2 <= len(seen) <= 5 for seen in table["predictions"])
    first = table.iloc[0]
    assert first["flips"] == int((np.diff(np.array(first["predictions"]) >= 0.5) != 0).sum())
    assert first["last_loss"] == pytest.approx(-np.log(first["predictions"][-1]), rel=1e-4)
    assert (table["neighbours"] == 10).all() and table["neighbours_with_label"].between(0, 10).all()
    assert found.labels["expected"].sum() > 600 and found.labels["listed"].sum() == 1000
    assert "gate is open" in str(found) and "policy 'correct' in checkpoint epoch-00006" in str(found)


def test_a_share_that_was_given_leaves_no_gate_to_tell_of():
    summary = {"gate_open": True, "wrong_share": float("nan"), "skill": float("nan"), "flagged": 7}
    assert _gate(summary) == "The policy has no gate: how many entries are wrong was given (expected)."
    assert _gate({**summary, "wrong_share": 0.25}) == "The policy's gate is open (share of wrong entries 0.25)."


def test_the_tables_are_written_alike(found):
    csv = pd.read_csv(found.out / "suspects.csv", dtype={"given": str})
    parquet = pd.read_parquet(found.out / "suspects.parquet")
    assert csv.columns.tolist() == parquet.columns.tolist() == found.suspects.columns.tolist()
    assert csv["row"].tolist() == parquet["row"].tolist() and csv["label"].tolist() == parquet["label"].tolist()
    np.testing.assert_allclose(csv["chance"], parquet["chance"], rtol=1e-3)
    assert len(csv["predictions"].iloc[0].split()) == len(parquet["predictions"].iloc[0]) > 1
    assert pd.read_csv(found.out / "labels.csv")["label"].tolist() == list(LABELS)


def test_the_page_shows_a_card_for_each_suspect(found):
    source = (found.out / "audit.html").read_text(encoding="utf-8")
    page = Page(source)
    cards = [values for tag, values in page.elements if tag == "figure"]
    assert page.problems == [] and len(cards) == 500
    assert [int(card["data-row"]) for card in cards] == found.suspects["row"].tolist()[:500]
    assert [card["data-label"] for card in cards] == found.suspects["label"].tolist()[:500]
    assert "<b>dog" not in source and "http" not in source.replace("http://www.w3.org", "")
    assert "f0" in page.text and page.column("Suspects of each label", "listed")["cat"].isdigit()


def test_a_recording_gives_whole_trajectories_and_the_same_opinion(damaged, tmp_path):
    run = write_audited(tmp_path / "recorded", *damaged, record=True)
    told = audit(run.path, top=50).suspects
    assert all(len(seen) == EPOCHS for seen in told["predictions"])
    shutil.rmtree(run.checkpoints)
    replayed = audit(run.path, tmp_path / "again", top=50)
    assert "recorded observations of 6 epochs" in str(replayed) and (tmp_path / "again" / "audit.html").is_file()
    pd.testing.assert_frame_equal(replayed.suspects, told)


def test_a_run_without_a_policy_is_ranked_without_chances(damaged, tmp_path):
    run = write_audited(tmp_path / "plain", *damaged, method="uncertainty", policy=False)
    result = audit(run.path, top=80)
    table = result.suspects
    assert set(table["kind"]) == {"missing", "wrong"} and len(table) == 160 and table["chance"].isna().all()
    assert "they need a run with an entry policy" in str(result)
    missing = table[table["kind"] == "missing"]
    assert is_hidden(missing, damaged[1]).mean() > 0.9 and (np.diff(missing["mean"]) <= 0).all()
    wrong = table[table["kind"] == "wrong"]
    assert (wrong["given"] == "1").all() and (np.diff(wrong["mean"]) >= 0).all()
    alone = audit(run.path, top=80, suspects="missing", labels=["owl", "cat"])
    assert set(alone.suspects["label"]) == {"owl", "cat"} and set(alone.suspects["kind"]) == {"missing"}
    assert alone.labels["label"].tolist() == ["cat", "owl"]


def test_where_entries_are_unknown_they_alone_are_suspects_and_verdicts_make_them_known(tmp_path):
    data, truth = write_damaged(tmp_path / "table", unknown=True)
    run = write_audited(tmp_path / "run", data, truth)
    table = audit(run.path, top=60).suspects
    assert (table["given"] == "unknown").all() and is_hidden(table, truth).mean() > 0.95
    assert "given: unknown" in (run.path / "audit" / "audit.html").read_text(encoding="utf-8")
    file = tmp_path / "verdicts.csv"
    table.assign(verdict="absent")[["row", "label", "verdict"]][:9].to_csv(file, index=False)
    before, after = Manifest.load(data), audited(data, tmp_path / "new", file)
    assert sum(after.known_counts) == sum(before.known_counts) + 9 and after.label_counts == before.label_counts
    assert after.filters["verdicts"] == "9 of verdicts.csv: 9 unknown to negative"


def test_what_a_person_has_decided_is_not_listed_again(damaged, with_policy, tmp_path):
    listed = audit(with_policy.path, tmp_path / "before", top=60, suspects="both").suspects
    same = listed.assign(verdict=np.where(listed["kind"] == "missing", "absent", "present"))[::2]
    same[["row", "label", "verdict"]].to_csv(tmp_path / "verdicts.csv", index=False)
    data = audited(damaged[0], tmp_path / "new", tmp_path / "verdicts.csv")
    assert data.filters["verdicts"] == "60 of verdicts.csv: nothing changed"
    run = write_audited(tmp_path / "run", data.folder, damaged[1], method="d2ace")
    again = audit(run.path, tmp_path / "after", top=1000, suspects="both").suspects
    entries = [set(zip(table["row"], table["label"], strict=True)) for table in (same, listed, again)]
    assert not entries[2] & entries[0] and len(entries[2] & entries[1]) > 40


def test_before_the_release_there_are_no_chances(damaged, tmp_path):
    run = write_audited(tmp_path / "stopped", *damaged, epochs=2)
    result = audit(run.path, top=4000, suspects="both")
    assert "has not come to the policy's release yet" in str(result) and result.suspects["chance"].isna().all()
    listed = result.suspects[result.suspects["kind"] == "wrong"]
    assert len(listed) == SelectionOfRun(run.path).labels.positive_counts().sum() > 0


def test_a_run_that_saw_each_row_once_has_no_suspects_and_says_so(damaged, tmp_path):
    result = audit(write_audited(tmp_path / "short", *damaged, epochs=1).path)
    assert "No suspects: no row was seen twice" in str(result) and result.suspects.empty
    assert Page((result.out / "audit.html").read_text(encoding="utf-8")).problems == []
    assert pd.read_csv(result.out / "suspects.csv").columns.tolist() == result.suspects.columns.tolist()


def test_images_are_shown_small_and_lack_neighbours(tmp_path):
    data, truth = write_digits(tmp_path / "digits")
    run = write_audited(tmp_path / "run", data, truth)
    result = audit(run.path, top=7, suspects="both")
    assert "No neighbours: images have none" in str(result) and result.suspects["neighbours_with_label"].isna().all()
    assert "looked for missing ones" in str(result)
    source = (result.out / "audit.html").read_text(encoding="utf-8")
    assert source.count("data:image/jpeg;base64") == 14 and Page(source).problems == []


def test_what_cannot_be_audited_is_told(damaged, with_policy, tmp_path, capsys):
    run = write_audited(tmp_path / "nothing", *damaged, policy=False)
    with pytest.raises(RunError, match=r"kept nothing about single entries.*selector\.entries.*record_observations"):
        audit(run.path)
    with pytest.raises(ConfigError, match="no label 'catt'; did you mean 'cat'"):
        audit(with_policy.path, labels=["catt"])
    with pytest.raises(ConfigError, match="must be at least 1"):
        audit(with_policy.path, top=0)
    assert (
        cli.main(["audit", str(with_policy.path), "--top", "5", "--out", str(tmp_path / "out"), "--label", "owl"]) == 0
    )
    assert "page: " in capsys.readouterr().out and len(pd.read_csv(tmp_path / "out" / "suspects.csv")) == 5


def test_a_table_that_label_studio_exports_again_is_a_file_of_verdicts(found, damaged, tmp_path):
    """Its CSV has the columns that were imported, some of its own, and one for each control (labelstud.io)."""
    table = pd.read_csv(found.out / "suspects.csv", dtype=str, keep_default_na=False)[:3]
    own = {
        "id": range(3),
        "annotation_id": range(3),
        "annotator": 1,
        "lead_time": 2.5,
        "created_at": "2026-01-01T00:00Z",
    }
    exported = table.assign(**own, verdict=["present", "absent", "unsure"])
    exported[sorted(exported.columns)].to_csv(tmp_path / "project-1.csv", index=False)
    said = read_verdicts(tmp_path / "project-1.csv", Manifest.load(damaged[0]))
    assert said.rows.tolist() == found.suspects["row"][:2].tolist() and said.present.tolist() == [True, False]
    assert [LABELS[label] for label in said.labels] == found.suspects["label"][:2].tolist()


@pytest.mark.skipif(CHROMIUM is None, reason="needs a browser, chromium")
def test_a_person_decides_by_keys_and_buttons_and_downloads_the_verdicts(found, damaged, tmp_path):
    source = (found.out / "audit.html").read_text(encoding="utf-8")
    acts = """
    <script>
    const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
    let csv;
    URL.createObjectURL = (blob) => { csv = blob; return "#"; };
    press("ArrowRight"); press("y"); press("n"); press("u"); press("y"); press("ArrowLeft"); press("Backspace");
    document.querySelectorAll(".suspect")[5].querySelectorAll("button")[1].click();
    document.getElementById("download").click();
    csv.text().then((text) => {
      const told = document.createElement("pre");
      told.id = "told"; told.textContent = document.getElementById("progress").textContent + "\\n" + text;
      document.body.append(told);
    });
    </script>
    """
    page = tmp_path / "page.html"
    page.write_text(source.replace("</body>", f"{acts}</body>"), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [CHROMIUM, *flags, "--virtual-time-budget=5000", "--dump-dom", page.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    reader = Page(dom[dom.index('<pre id="told">') :].partition("</pre>")[0] + "</pre>")
    progress, header, *lines = reader.text.strip().splitlines()
    assert progress == "4 of 500 looked at" and header == "row,label,verdict,data"
    (tmp_path / "verdicts.csv").write_text("\n".join([header, *lines]))
    verdicts = pd.read_csv(tmp_path / "verdicts.csv")
    wanted = found.suspects.iloc[[0, 1, 2, 5]]
    assert verdicts["row"].tolist() == wanted["row"].tolist() and verdicts["label"].tolist() == wanted["label"].tolist()
    assert verdicts["verdict"].tolist() == ["present", "absent", "unsure", "absent"]
    said = read_verdicts(tmp_path / "verdicts.csv", Manifest.load(damaged[0]))
    assert said.rows.tolist() == wanted["row"].iloc[[0, 1, 3]].tolist() and said.present.tolist() == [
        True,
        False,
        False,
    ]
