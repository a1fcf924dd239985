"""A run in this process that a study keeps in a folder: its records say what those of a whole run say."""

from small_config import small_config
from small_table import write_table
from whole_runs import train_with

from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.studies.saved_run import SavedRun
from d2ace.pipeline.studies.tune.trial import TrialLog
from d2ace.pipeline.training.best_epoch import SETTLED, best_record
from d2ace.pipeline.training.local_run import LocalRun, Prepared


def test_with_a_policy_for_entries_the_best_epoch_is_the_one_that_a_whole_run_keeps(tmp_path):
    table, monitor = write_table(tmp_path / "table"), "hamming_loss"
    manifest = Manifest.load(table)
    prepared = Prepared(ShardRows(manifest), read_labels(manifest))
    entries = '{"policy": "correct", "options": {"release": 4, "ramp": 1, "expected": 0.6}}'
    overrides = ("run.name=whole", "train.epochs=6", f"train.monitor={monitor}", f"selector.entries={entries}")
    config = small_config(table, tmp_path / "runs", *overrides)
    kept = CheckpointStore(train_with(config, prepared).checkpoints).intact().training_state()["best"]["epoch"]

    saved, log = SavedRun(LocalRun(config, prepared), RunFolder(tmp_path / "saved")), TrialLog(tmp_path / "trial")
    told = [log.add([saved.epoch(epoch)], monitor) for epoch in range(6)]
    assert [record[SETTLED] for record in saved.history] == [entry["settled"] for entry in told] == [1, 1, 1, 1, 2, 2]
    assert best_record(monitor, saved.history) == kept >= 4
    assert told[-1]["best"] == saved.history[kept][monitor]
