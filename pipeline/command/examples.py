"""Examples that the help of each verb ends with; a test parses all of them."""

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "prepare": (
        ("d2ace prepare rows.csv data/rows --label-prefix tag_", "a table; columns named tag_... are labels"),
        ("d2ace prepare emotions data/emotions", "Mulan's emotions-train.arff, emotions-test.arff and emotions.xml"),
        ("d2ace prepare photos data/photos --format coco --files annotations.json", "photographs in the COCO format"),
        ("d2ace prepare new.csv data/new --labels-of data/rows", "new rows, whose labels nobody knows, for predict"),
        ("d2ace prepare data/rows data/checked --verdicts verdicts.csv", "what a person decided after d2ace audit"),
        ("d2ace prepare data/rows data/rows-hidden --hide-positives 0.5", "what do missing labels do here?"),
    ),
    "train": (
        ("d2ace train data/rows", "the default settings on prepared data"),
        ("d2ace train config.yaml train.epochs=20 run.name=long", "a configuration, with overrides"),
        ("d2ace train --resume runs/long", "go on after a kill, with the very next batch"),
        ("d2ace train --resume runs/long train.epochs=40", "more epochs for a finished run"),
    ),
    "evaluate": (
        ("d2ace evaluate runs/first", "metrics of the test rows"),
        ("d2ace evaluate runs/first --split validation", "of other rows"),
        ("d2ace evaluate runs/first --data data/other --split all", "on other data with the same labels"),
    ),
    "decide": (
        ("d2ace decide runs/first", "the threshold of each label that gives the best F1 on validation rows"),
        ("d2ace decide runs/first --rule precision=0.9 --calibration beta", "by another rule"),
    ),
    "predict": (
        ("d2ace predict runs/first photographs predictions --page", "a folder of images, with a page to look through"),
        ("d2ace predict runs/first new.csv new-labels.csv --top 3", "a table, into one CSV file"),
        ("d2ace predict runs/first data/new predictions/new", "prepared data, as Parquet"),
    ),
    "export": (
        ("d2ace export runs/first exported", "ONNX, torch.export and a model card"),
        ("d2ace export runs/first exported --data /mnt/data/rows", "compared on data that was moved"),
    ),
    "explain": (
        ("d2ace explain runs/first 17", "why row 17 was or was not drawn in the last epoch"),
        ("d2ace explain runs/first 17 --epoch 3", "in epoch 3, counted from 1"),
    ),
    "simulate": (
        ("d2ace simulate runs/first --method loss-rank", "what another method would have drawn"),
        ("d2ace simulate runs/first --method d2ace --option pressure=40", "or the same with other settings"),
    ),
    "audit": (
        ("d2ace audit runs/first", "the labels that are most likely missing or wrong"),
        ("d2ace audit runs/first --suspects missing --label dog --top 50", "one kind, of one label"),
    ),
    "choose": (
        ("d2ace choose config.yaml choices/first", "the method that is better than uniform beyond chance, or uniform"),
        ("d2ace choose data/rows choices/first train.epochs=40 --budget 4 --repeats 5", "at a larger budget"),
        ("d2ace choose config.yaml choices/two --method d2ace --method d2ace:pressure=64", "among these"),
    ),
    "compare": (
        ("d2ace compare study.yaml studies/first", "train what the study compares; a stopped one goes on"),
        ("d2ace compare study.yaml studies/first --parallel 2 --metric map", "two runs at a time, by another metric"),
    ),
    "tune": (
        ("d2ace tune sweep.yaml sweeps/first", "search the settings that sweep.yaml names"),
        ("d2ace tune --resume sweeps/first", "go on with a killed sweep"),
        ("d2ace tune report sweeps/first", "write its report anew"),
    ),
    "incremental": (
        ("d2ace incremental sequence.yaml sequences/first", "learn classes that arrive in tasks"),
        ("d2ace incremental sequence.yaml sequences/first --resume", "go on with a killed sequence"),
    ),
    "report": (
        ("d2ace report runs/first", "writes runs/first/report.html"),
        ("d2ace report studies/first --out comparison.html", "of a comparison"),
    ),
    "doctor": (
        ("d2ace doctor data/rows", "what bounds a run with the default settings here"),
        ("d2ace doctor config.yaml run.workers=4 --json", "with four workers, as JSON"),
    ),
    "submit": (
        (
            "d2ace submit --address http://localhost:8265 -- train /mnt/data/rows run.storage=/mnt/runs",
            "train as a job of a cluster; paths are the cluster's",
        ),
        ("d2ace submit --dry-run -- train /mnt/data/rows run.storage=/mnt/runs", "list what would be sent"),
        ("d2ace submit --follow raysubmit_1a2b3c", "follow a job that is there"),
    ),
    "methods": (("d2ace methods", "all that can be chosen by name, with settings and their defaults"),),
    "check-method": (
        ("d2ace check-method own_selector:CrowdedLoss", "a method of one's own, in a module that Python can import"),
        ("d2ace check-method own_selector:CrowdedLoss --option strength=2", "with a setting"),
    ),
    "demo": (("d2ace demo train.epochs=5", "digit-scenes with labels missing; four runs of five epochs"),),
    "errors": (
        ("d2ace errors runs/first", "the worst rows and labels; writes runs/first/errors.html"),
        ("d2ace errors runs/first --slice age", "also by a feature of the table"),
        ("d2ace errors runs/first --slice places.csv:city", "or by a column of a file with a column row"),
    ),
    "diff": (
        ("d2ace diff runs/first runs/second", "which labels and rows the second does better or worse"),
        ("d2ace diff runs/first runs/second --split validation", "on the validation rows"),
    ),
    "runs": (
        ("d2ace runs", "the runs below runs/"),
        ("d2ace runs /mnt/shared/runs", "below another folder"),
    ),
    "show": (("d2ace show runs/first", "one run on a page of text"),),
    "completion": (
        ('eval "$(d2ace completion bash)"', "in ~/.bashrc: TAB completes verbs, options, settings and paths"),
        ('d2ace completion zsh > "${fpath[1]}/_d2ace"', "for zsh, once; then start a new shell"),
    ),
}


def examples_of(verb: str) -> str:
    """Return the examples of a verb as the end of its help."""
    lines = [f"  {command}\n      {meaning}" for command, meaning in EXAMPLES[verb]]
    return "\n".join(["examples:", *lines])
