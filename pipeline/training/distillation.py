"""The teacher of a run: what is known of how the old classes looked before, and what a student loses against it.

B rows of a micro-batch   K old classes   L labels   e inner features
"""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from .. import models
from ..common.config.sections import DistillationSection
from ..common.errors import ConfigError, RunError
from ..common.storage.any_path import fetched
from ..common.storage.copies import content_sha256
from ..common.storage.locations import Location
from ..common.storage.whole_files import sha256_of
from ..models.api import Output
from ..models.old_class_losses import FORMS, Confidence
from ..runs.trained_run import TrainedRun
from .answers import Answers


class Teacher(ABC):
    """Says something of rows, and how much a student loses by contradicting it.

    The loss is one of each row alone, so that the exact reduction stays exact. No gradient reaches a teacher.
    """

    @abstractmethod
    def teach(self, ids: np.ndarray, features: Tensor) -> Tensor:
        """Return what the teacher says of rows, under the autocast that is on.

        Args:
            ids: int64 (B,), row ids.
            features: (B, ...), the very inputs that the student sees, augmentation included.
        """

    @abstractmethod
    def row_losses(self, output: Output, taught: Tensor) -> Tensor:
        """Return what each row loses, float32 (B,).

        Args:
            output: the student's.
            taught: what ``teach`` returned.
        """


def teacher_of(section: DistillationSection, device: torch.device) -> Teacher:
    """Return the teacher that a run names.

    Raises:
        RunError: when it is not finished, or not the one that the run began with.
    """
    if section.loss == "logits":
        return StoredLogits(section, device)
    return (OldFeatures if section.loss == "features" else Distillation)(section, device)


def teacher_digest(section: DistillationSection) -> str:
    """Return the SHA-256 of what teaches: the weights of a finished run, or the file of answers.

    Raises:
        RunError: when there is no such run or file.
    """
    if section.answers is not None:
        Answers.load(section.answers)
        return content_sha256(Location.of(section.answers))
    assert section.teacher is not None
    with fetched(TrainedRun.open(section.teacher).folder.weights) as weights:
        return sha256_of(weights)


def _require_same(section: DistillationSection) -> None:
    """Raise RunError unless the teacher is the one that the run began with."""
    found = teacher_digest(section)
    if section.sha256 not in (None, found):
        raise RunError(
            f"{section.teacher or section.answers}: not the teacher that this run began with (SHA-256 {found}, "
            f"expected {section.sha256}); put it back, or train a new run"
        )


class Distillation(Teacher):
    """An immutable network in evaluation mode; its probabilities of the old classes are compared with the student's.

    Cost: a forward pass a micro-batch.

    Args:
        section: which teacher and which form.
        device: where to compute.

    Raises:
        RunError: when the teacher is not finished, or its weights are others than those that the run began with.
    """

    def __init__(self, section: DistillationSection, device: torch.device) -> None:
        _require_same(section)
        assert section.teacher is not None
        run = TrainedRun.open(section.teacher)
        self._network = models.create(run.config.model.name, run.data.context, **run.config.model.options)
        self._network.load_state_dict(run.weights())
        self._network.requires_grad_(False).to(device).eval()
        self._section, self._old = section, len(run.data.labels)

    @torch.no_grad()
    def teach(self, ids: np.ndarray, features: Tensor) -> Tensor:
        """Return the teacher's logits of the old classes, (B, K)."""
        return self._network(features).logits

    def row_losses(self, output: Output, taught: Tensor) -> Tensor:
        """Return what each row loses, float32 (B,): a sum over the old classes, over the number L of labels.

        An entry of the teacher weighs ``weight`` times as much as one of the labels, however many are old. [own]

        Args:
            output: the student's.
            taught: (B, K), the teacher's logits.
        """
        labels, old = output.logits.shape[1], taught.shape[1]
        with torch.autocast(output.logits.device.type, enabled=False):
            entries = FORMS[self._section.loss](
                output.logits[:, :old].float(),
                torch.sigmoid(taught.float()),
                Confidence(self._section.decay, old / labels),
            )
            return entries.sum(dim=1) * (self._section.weight / labels)


class OldFeatures(Distillation):
    """The same network, whose inner features are compared.

    Source: Douillard, Cord, Ollion, Robert and Valle, PODNet, ECCV 2020: the part "POD-flat", the squared distance of
    the L2-normalised final features, times sqrt(classes seen / new classes) [paper]; the maps within are not compared.
    """

    @torch.no_grad()
    def teach(self, ids: np.ndarray, features: Tensor) -> Tensor:
        """Return the teacher's embedding, (B, e)."""
        return self._network.embed(features)

    def row_losses(self, output: Output, taught: Tensor) -> Tensor:
        """Return ``weight sqrt(L / (L - K)) |f / |f| - f_old / |f_old||^2`` of each row, float32 (B,)."""
        labels = output.logits.shape[1]
        assert output.embedding is not None
        with torch.autocast(output.logits.device.type, enabled=False):
            gap = normalize(output.embedding.float(), dim=1) - normalize(taught.float(), dim=1)
            return gap.square().sum(dim=1) * (self._section.weight * (labels / max(labels - self._old, 1)) ** 0.5)


class StoredLogits(Teacher):
    """Logits that were stored with some rows; no network has to run.

    Source: Buzzega, Boschi, Porrello, Abati and Calderara, Dark Experience for General Continual Learning, NeurIPS 2020
    [paper]: the squared distance to the logits of that time.

    Args:
        section: which file.
        device: where to compute.

    Raises:
        RunError: when the file is gone, or another than that which the run began with.
    """

    def __init__(self, section: DistillationSection, device: torch.device) -> None:
        _require_same(section)
        assert section.answers is not None
        self._answers, self._section, self._device = Answers.load(section.answers), section, device

    @torch.no_grad()
    def teach(self, ids: np.ndarray, features: Tensor) -> Tensor:
        """Return the stored logits, float32 (B, K), NaN where there are none."""
        return torch.from_numpy(self._answers.of(ids)).to(self._device)

    def row_losses(self, output: Output, taught: Tensor) -> Tensor:
        """Return the squared distances of each row, summed over what is stored, over the number L of labels [own]."""
        labels, stored = output.logits.shape[1], ~taught.isnan()
        with torch.autocast(output.logits.device.type, enabled=False):
            gap = output.logits[:, : taught.shape[1]].float() - taught.nan_to_num()
            return (gap.square() * stored).sum(dim=1) * (self._section.weight / labels)


def require_features(name: str) -> None:
    """Raise ConfigError unless a network gives the features that ``loss: features`` compares."""
    if not models.get(name).embeds:
        able = models.names_with(lambda network: network.embeds)
        raise ConfigError(
            f"train.distillation.loss='features' needs a network that gives embeddings ({able}), but model.name is "
            f"{name!r}"
        )
