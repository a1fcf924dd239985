"""What to change: one rule a function, each from findings to a sentence or two, or None where it does not apply.

The thresholds are shares of an epoch beyond which a change is worth the trouble [own].
"""

import math

from .findings import Findings

SELECTION_SHARE = 0.05
EVALUATION_SHARE = 0.25
CHECKPOINT_SHARE = 0.10
READING_SHARE = 0.10
GB = 1e9


def advise(findings: Findings) -> list[str]:
    """Return all advice, what bounds the run first, then memory; empty when there is nothing to gain."""
    rules = (feed, cores, step, observing, rescoring, evaluation, checkpoint, reading, state_memory, data_memory)
    return [told for rule in rules if (told := rule(findings))]


def feed(findings: Findings) -> str | None:
    """Rows come slower than the steps take them."""
    if findings.bound != "feed":
        return None
    step, decode = findings.rates["step"].per_s, findings.rates["decode"].per_s
    if findings.seconds("decode") < findings.feed_s / 2:
        return (
            f"Taking rows out of the object store is slower than the steps ({step:,.0f} rows/s). Put the workers on "
            "nodes whose object store holds the whole data set, or use more workers."
        )
    setting = findings.setting
    workers = "use more workers, each with a GPU of its own" if setting.gpu else "use more workers"
    if not setting.images:
        return (
            f"A worker trains {step:,.0f} rows/s, but the thread that feeds it scales {decode:,.0f}: {workers} or "
            "prepare fewer features."
        )
    threads = setting.decode_threads
    makers = f"{threads} decoding threads make" if threads > 1 else "1 decoding thread makes"
    return (
        f"A worker trains {step:,.0f} rows/s, but its {makers} {decode:,.0f}: {math.ceil(threads * step / decode)} on "
        "as many cores would keep up with it. Raise images.threads, let all CPUs of a cluster decode "
        f"(run.feed=stream), {workers}, or prepare smaller images."
    )


def cores(findings: Findings) -> str | None:
    """Feed and steps take each other's time."""
    if findings.bound != "cores":
        return None
    return (
        "Feed and steps are each fast enough but slow each other down: a worker needs one core more than run.threads "
        f"({findings.setting.threads}). Use fewer workers on a machine, fewer threads, or more cores."
    )


def step(findings: Findings) -> str | None:
    """The arithmetic is what takes the time, as it should be."""
    if findings.bound != "step":
        return None
    setting = findings.setting
    if not setting.gpu and setting.idle_gpus:
        return f"The steps bound the run, and the cluster has GPUs ({setting.idle_gpus}): set run.gpu=true."
    if not setting.gpu:
        return "The steps bound the run, as they should. More workers on more cores, or a GPU, make it faster."
    if setting.precision == "fp32":
        return "The GPU's steps bound the run, as they should. train.precision=bf16 makes them faster."
    if setting.idle_gpus:
        return f"The GPU's steps bound the run, and {setting.idle_gpus} more GPUs are there: raise run.workers."
    return "The GPU's steps bound the run, as they should. A larger train.batch_size or more GPUs make it faster."


def observing(findings: Findings) -> str | None:
    """The actor takes observations slower than workers make them."""
    if findings.bound != "observe":
        return None
    return f"The selection actor observes slower than the workers train.{_lighter(findings)}"


def rescoring(findings: Findings) -> str | None:
    """Workers wait for the next plan."""
    share = findings.share("rescore")
    if share <= SELECTION_SHARE:
        return None
    return f"Rescoring and planning take {share:.0%} of an epoch, and the workers wait for them.{_lighter(findings)}"


def evaluation(findings: Findings) -> str | None:
    """Validation takes long."""
    share, size = findings.share("evaluation"), findings.size
    if share <= EVALUATION_SHARE:
        return None
    return (
        f"Evaluating {size.validation:,} validation rows after every epoch takes {share:.0%} of it: a smaller "
        "validation split (data.validation_fraction, where the source gives none) would do."
    )


def checkpoint(findings: Findings) -> str | None:
    """Checkpoints take longer than the epoch in which they are written."""
    share, setting = findings.share("checkpoint"), findings.setting
    if share <= CHECKPOINT_SHARE:
        return None
    change = (
        f"write fewer with a larger run.checkpoint_steps (now {setting.checkpoint_steps}), or only at the end of each "
        "epoch with 0"
        if 0 < setting.checkpoint_steps < findings.size.steps
        else "put run.storage on faster storage"
    )
    seconds = findings.seconds("checkpoint")
    return f"Writing checkpoints takes {seconds:.1f} s an epoch, and training waits for {share:.0%} of it: {change}."


def reading(findings: Findings) -> str | None:
    """The start of the run takes long."""
    seconds, run = findings.seconds("storage"), findings.epoch_s * findings.size.epochs
    if seconds <= READING_SHARE * run:
        return None
    return (
        f"Reading the shards at the start takes {seconds:.0f} s on one node, {seconds / (seconds + run):.0%} of the "
        "run: nodes for data tasks read side by side, storage nearby reads faster."
    )


def state_memory(findings: Findings) -> str | None:
    """The selection state does not fit."""
    memory = findings.memory
    if not memory.head or memory.state <= memory.head:
        return None
    return (
        f"The selection state takes {memory.state / GB:.1f} GB, but the head node has {memory.head / GB:.1f} GB for it."
        f"{_lighter(findings)}"
    )


def data_memory(findings: Findings) -> str | None:
    """The data set does not fit."""
    memory = findings.memory
    if not memory.store or memory.data <= memory.store:
        return None
    return (
        f"The data set takes {memory.data / GB:.1f} GB in the object store of each node that trains, the smallest has "
        f"{memory.store / GB:.1f} GB: what does not fit is spilled to disk and read back. Give nodes more memory "
        "(ray start --object-store-memory)."
    )


def _lighter(findings: Findings) -> str:
    if findings.setting.can_split:
        return (
            " selector.ranges splits the state over actors on several nodes, and "
            "selector.options.history_dtype=float16 makes it smaller."
        )
    if findings.setting.splits:
        return " More nodes with more selector.ranges carry more."
    return f" A lighter method than {findings.setting.method}, or fewer labels, costs less."
