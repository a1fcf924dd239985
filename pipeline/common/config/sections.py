"""The sections of a run's configuration, each typed and checked when it is made."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ....selectors.common.errors import SelectionError
from ..errors import ConfigError, did_you_mean
from ..storage.addresses import refuse_keys
from ..storage.local_paths import address_problem
from .yaml_file import explain_problems

PositiveInt = Annotated[int, Field(ge=1, lt=2**63)]
"""What numbers of 64 bits hold."""
NonNegativeInt = Annotated[int, Field(ge=0)]
Folds = Annotated[int, Field(ge=2, le=10_000)]
"""Parts of a cross-validation; a study trains a run for each."""
Fraction = Annotated[float, Field(ge=0, lt=1)]
PRESETS = ("recommended", "paper")
"""Names under which methods have settings."""


def _no_address(text: str) -> str:
    if problem := address_problem(text):
        raise ValueError(problem)
    return text


LocalPath = Annotated[str, AfterValidator(_no_address)]
"""A path of a file system, no ``s3://`` address."""


def _without_keys(text: str) -> str:
    refuse_keys(text)
    return text


Place = Annotated[str, AfterValidator(_without_keys)]
"""A path of a file system or an address such as ``s3://bucket/x``, without keys."""


class Section(BaseModel):
    """Base of all sections: immutable, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
    called: ClassVar[str] = "configuration"
    """What messages call it when no source is named."""

    @classmethod
    def make(cls, values: Mapping[str, Any], source: str | None = None) -> Self:
        """Validate nested plain values; every problem is listed in one ConfigError naming ``source``."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(f"{source or cls.called}: " + "; ".join(explain_problems(error, cls))) from None


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
    cache_gb: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

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
    options: dict[str, Any] = {}
    initial: Place | None = None


class EntriesSection(Section):
    """Which policy decides what labels to believe, and its own options (see docs/missing-labels.md)."""

    policy: str
    options: dict[str, Any] = {}


class SelectorSection(Section):
    """Which selection method and its own options.

    ``preset``: where options that are not given are from, for methods with presets (``d2ace``): ``recommended``, or
    ``paper`` for those of its paper.
    ``entries``: a policy that leaves out or corrects entries whose label seems missing or wrong; null believes all.
    ``neighbour_features``: what methods with neighbours look for them in. ``inputs`` are the scaled features of a
    table, or coarse thumbnails of images; ``embeddings`` what the model makes of the rows at the end of the warm-up;
    else the path of a ``.npy`` file with one line for each row of the data set.
    ``allow_uniform``: train also when the method would choose no batch, since the run ends before its warm-up.
    ``inherit``: a file with what earlier runs saw of some rows, which goes on here (``selection/inherited.py``); a
    sequence of tasks writes one for the exemplars that come again.
    ``ranges``: split the state by rows over that many actors, on several nodes, for methods that can; the plans are
    the same.
    """

    name: str = "d2ace"
    preset: str = "recommended"
    options: dict[str, Any] = {}
    neighbour_features: LocalPath = "inputs"
    allow_uniform: bool = False
    ranges: PositiveInt = 1
    entries: EntriesSection | None = None
    inherit: Place | None = None

    @model_validator(mode="after")
    def _preset_is_there(self) -> Self:
        if self.preset not in PRESETS:
            raise ValueError(f"no preset is called {self.preset!r}{did_you_mean(self.preset, PRESETS)}")
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """The method's options, and those of the preset where they are not given."""
        from ....selectors import api as selectors

        return selectors.settings(self.name, self.preset, self.options)

    def require_known(self) -> None:
        """Raise ValueError for a method, a policy or a setting that does not exist.

        No validator of the section itself: the methods bring NumPy and SciPy, and problems elsewhere are told without.
        """
        from ....selectors import api as selectors
        from ....selectors.entries import api as policies

        try:
            selectors.REGISTRY.check_settings(self.name, self.options, selectors.options(self.name))
            if self.entries is not None:
                policies.check_options(self.entries.policy, self.entries.options)
        except SelectionError as error:
            raise ValueError(str(error)) from None
        if self.ranges > 1 and selectors.get(self.name).split is None:
            raise ValueError(f"the state of method {self.name!r} cannot be split into ranges")


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
    loss_options: dict[str, Any] = {}
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
    worker_labels: dict[str, str] = {}
    data_labels: dict[str, str] = {}
    wait_for_nodes_s: Annotated[float, Field(ge=0)] = 0
    wait_limit_s: Annotated[float, Field(gt=0)] | None = None
    trackers: list[Literal["tensorboard", "mlflow", "wandb"]] = ["tensorboard"]

    @property
    def least_workers(self) -> int:
        """Without so many workers the run waits."""
        return self.min_workers or self.workers

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.least_workers > self.workers:
            raise ValueError(f"min_workers={self.min_workers} is more than workers={self.workers}")
        return self

    @field_validator("trackers", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value
