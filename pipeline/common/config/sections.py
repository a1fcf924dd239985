"""The sections of a run's configuration but for the selector's, each typed and checked when it is made."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from .section import Folds, Fraction, NonNegativeInt, Place, PositiveInt, Section


class DataSection(Section):
    """Which rows. ``path`` is what ``d2ace prepare`` wrote: an address, or a folder, in a YAML file relative to it.

    ``split``: ``given`` takes the source's own split and carves out what is missing by stratification;
    ``stratified`` ignores it. ``fold`` of ``folds`` picks a cross-validation fold as the test rows.
    ``scale``: ``auto`` is min-max for tables and per-channel standardisation for images; ``imagenet`` standardises
    colour images with that data set's mean and deviation, as pretrained networks expect.
    ``cache_gb``: how much of the images that are read from a bucket a node keeps on its disk.
    """

    path: Place
    split: Literal["given", "stratified"] = "given"
    validation_fraction: Fraction = 0.1
    test_fraction: Fraction = 0.2
    fold: NonNegativeInt | None = None
    folds: Folds | None = None
    scale: Literal["auto", "none", "minmax", "standard", "imagenet"] = "auto"
    cache_gb: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _fold_within_folds(self) -> "DataSection":
        if (self.fold is None) != (self.folds is None):
            raise ValueError("fold and folds go together: give both or neither")
        if self.fold is not None and self.folds is not None and self.fold >= self.folds:
            raise ValueError(f"fold counts from 0 and must be below folds={self.folds}, got {self.fold}")
        return self


class ModelSection(Section):
    """Which network (``d2ace methods`` lists them) and its own options.

    ``initial``: a finished run to start from, with its weights and its scaling of the inputs. Its labels must be the
    first of the data's; the labels that follow start anew.
    """

    name: str = "mlp"
    options: dict[str, Any] = Field(default={})
    initial: Place | None = None


class OptimizerSection(Section):
    """Optimiser and learning-rate schedule.

    ``warmup_epochs`` of linear warm-up come first; ``onecycle`` rises by a half cosine during them.
    ``backbone_lr_factor`` and ``layer_decay``: learning rates of a backbone's layers (``optim.parameter_groups``).
    ``decay_biases``: whether weight decay acts on biases, and on scales and shifts of normalisation, too.
    """

    name: Literal["adam", "adamw", "sgd"] = "adam"
    lr: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    momentum: Fraction = 0.9
    schedule: Literal["constant", "cosine", "onecycle"] = "constant"
    warmup_epochs: Annotated[float, Field(ge=0)] = 1.0
    backbone_lr_factor: Annotated[float, Field(ge=0)] = 1.0
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    decay_biases: bool = True


class DistillationSection(Section):
    """A teacher whose opinion of the old classes, the first labels, is kept while others are learned.

    ``teacher``: a finished run; its labels are the old classes. ``answers``: in its place a file of logits of some
    rows, which a sequence of tasks writes. ``sha256``: of the weights or of the file; filled in when the run starts, so
    that the teacher of a run that goes on is the same.
    ``loss``: how its probabilities and the network's are compared (``models/old_class_losses.py``), ``decay`` the
    constant of the forms that decay; ``features`` compares embeddings, ``logits`` those of ``answers``. ``weight``: of
    an entry of the teacher against one of the labels.
    """

    teacher: Place | None = None
    answers: Place | None = None
    sha256: str | None = None
    loss: Literal["kd", "positive-decay", "full-decay", "task-adaptive", "features", "logits"] = "kd"
    weight: Annotated[float, Field(ge=0)] = 1.0
    decay: Annotated[float, Field(ge=0)] = 1.0

    @model_validator(mode="after")
    def _has_one_teacher(self) -> "DistillationSection":
        if (self.teacher is None) == (self.answers is None):
            raise ValueError("expected a teacher, the folder of a finished run, or a file of answers")
        if (self.loss == "logits") != (self.answers is not None):
            raise ValueError(f"loss 'logits' goes with answers, all others with a teacher; got {self.loss!r}")
        return self


class TrainSection(Section):
    """How to train.

    ``micro_batches`` cuts every global batch into a fixed number of parts, whatever the number of workers; with
    ``reduction="exact"`` their gradients are added exactly, so the run does not depend on the number of workers.
    ``reduction="ddp"`` is PyTorch's own (faster on GPUs; equal up to rounding). ``auto``: exact on CPU, ddp on GPU.
    With ``ddp`` a worker computes its share of a batch in one pass, or with ``accumulate`` micro-batch by micro-batch,
    in the memory of one. ``ema``: decay of a moving average of the weights; it is evaluated and kept as the best.
    ``patience``: end the run when the monitored validation metric has not improved for so many epochs; null trains all.
    Schedules follow ``epochs`` all the same.
    ``channels_last`` (memory layout) and ``compile`` (by ``torch.compile``) can make convolutions faster on GPUs.
    ``distillation``: keep what an earlier run says of its labels, see docs/incremental.md.
    """

    epochs: PositiveInt = 30
    batch_size: PositiveInt = 128
    loss: str = "bce"
    loss_options: dict[str, Any] = Field(default={})
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    grad_clip: Annotated[float, Field(gt=0)] | None = None
    micro_batches: PositiveInt = 4
    reduction: Literal["auto", "exact", "ddp"] = "auto"
    accumulate: bool = False
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    channels_last: bool = False
    compile: bool = False
    monitor: str = "macro_auc"
    patience: PositiveInt | None = None
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    distillation: DistillationSection | None = None


class RunSection(Section):
    """Where and with what the run happens.

    ``workers=0`` trains in the process that starts the run, without Ray unless ``feed`` or ``selector.ranges`` ask for
    it: it starts within seconds. The run is the same, bit for bit.
    ``min_workers``: train with as many workers as there is room for, from so many up to ``workers``: with fewer when
    nodes are lost, and with more again from the end of an epoch on when there is room. The batches stay the same. null:
    always with ``workers``.
    ``checkpoint_steps=0`` checkpoints at the end of every epoch, n > 0 also every n steps.
    ``keep_checkpoints``: how many of the newest stay, also when the run is finished; null keeps two while it trains and
    one when it is finished, from which it can get more epochs.
    ``message_steps``: steps whose observations travel to the actor in one message.
    ``record_observations`` writes what the method is told (8 bytes a drawn row and label, each epoch) to
    ``observations/``, for ``d2ace explain`` and ``d2ace simulate``.
    ``threads``: intra-operation threads of a CPU worker (the result depends on it, so it is not guessed).
    ``feed``: how images reach the workers, decoded by a worker's own threads out of the object store (``gather``) or by
    tasks on all CPUs, straight from storage (``stream``); see docs/feeds.md. The batches are the same.
    ``worker_labels``, ``data_labels``: workers, and tasks that read data, only on nodes with these Ray labels.
    ``wait_for_nodes_s``: when the cluster lacks CPUs or GPUs for the workers, ask its autoscaler and wait so many
    seconds before the run is refused.
    ``wait_limit_s``: give up after waiting so many seconds for CPUs or GPUs that others hold; null: those of
    ``D2ACE_WAIT_LIMIT_S`` in the environment, or else a day, with a line every 30 s.
    ``trackers``: who hears of every epoch: ``tensorboard`` (files in the run's folder), ``mlflow``, ``wandb``; see
    docs/trackers.md.
    ``max_failures``: how often workers that failed are started again; an error that would happen again ends the run.
    """

    name: str | None = None
    storage: Place = "runs"
    seed: NonNegativeInt = 0
    workers: NonNegativeInt = 1
    min_workers: PositiveInt | None = None
    gpu: bool = False
    cpus_per_worker: Annotated[float, Field(gt=0)] | None = None
    threads: PositiveInt = 1
    checkpoint_steps: NonNegativeInt = 0
    keep_checkpoints: PositiveInt | None = None
    max_failures: Annotated[int, Field(ge=-1)] = 3
    message_steps: PositiveInt = 8
    record_observations: bool = False
    feed: Literal["auto", "gather", "stream"] = "auto"
    worker_labels: dict[str, str] = Field(default={})
    data_labels: dict[str, str] = Field(default={})
    wait_for_nodes_s: Annotated[float, Field(ge=0)] = 0
    wait_limit_s: Annotated[float, Field(gt=0)] | None = None
    trackers: list[Literal["tensorboard", "mlflow", "wandb"]] = Field(default=["tensorboard"])

    @property
    def least_workers(self) -> int:
        """Without so many workers the run waits."""
        return self.min_workers or self.workers

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.least_workers > self.workers:
            raise ValueError(f"min_workers={self.min_workers} is more than workers={self.workers}")
        return self

    @field_validator("name")
    @classmethod
    def _a_folder_of_its_own(cls, value: str | None) -> str | None:
        if value is not None and (value in ("", ".", "..") or "/" in value):
            raise ValueError(f"expected the name of a folder inside run.storage, got {value!r}")
        return value

    @field_validator("trackers", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value
