"""The teacher of a run: an earlier run's network, which says what the old classes looked like before.

B rows of a micro-batch   K old classes   L labels
"""

import torch
from torch import Tensor

from .. import models
from ..common.config.sections import DistillationSection
from ..common.errors import RunError
from ..common.storage.whole_files import sha256_of
from ..models.old_class_losses import FORMS, Confidence
from ..runs.trained_run import TrainedRun


def teacher_digest(folder: str) -> str:
    """Return the SHA-256 of the weights of a finished run; raises RunError when it is none."""
    return sha256_of(TrainedRun.open(folder).folder.weights)


class Distillation:
    """An immutable network in evaluation mode, and how much a student loses by contradicting it.

    Teacher and student see the same inputs, augmentation included; no gradient reaches the teacher. The loss is one of
    each row alone, so that the exact reduction stays exact. Cost: a forward pass a micro-batch.

    Args:
        section: which teacher and which form.
        device: where to compute.

    Raises:
        RunError: when the teacher is not finished, or its weights are others than those that the run began with.
    """

    def __init__(self, section: DistillationSection, device: torch.device) -> None:
        run = TrainedRun.open(section.teacher)
        found = sha256_of(run.folder.weights)
        if section.sha256 not in (None, found):
            raise RunError(
                f"{run.folder.weights}: not the teacher that this run began with (SHA-256 {found}, expected "
                f"{section.sha256}); put it back, or train a new run"
            )
        self._network = models.create(run.config.model.name, run.data.context, **run.config.model.options)
        self._network.load_state_dict(run.weights())
        self._network.requires_grad_(False).to(device).eval()
        self._section, self._form = section, FORMS[section.loss]

    @torch.no_grad()
    def teach(self, features: Tensor) -> Tensor:
        """Return the teacher's logits of the old classes, (B, K), under the autocast that is on."""
        return self._network(features).logits

    def row_losses(self, logits: Tensor, taught: Tensor) -> Tensor:
        """Return what each row loses, float32 (B,): a sum over the old classes, over the number L of labels.

        An entry of the teacher weighs ``weight`` times as much as one of the labels, however many are old. [own]

        Args:
            logits: (B, L), the student's.
            taught: (B, K), the teacher's.
        """
        labels, old = logits.shape[1], taught.shape[1]
        with torch.autocast(logits.device.type, enabled=False):
            entries = self._form(
                logits[:, :old].float(),
                torch.sigmoid(taught.float()),
                Confidence(self._section.decay, old / labels),
            )
            return entries.sum(dim=1) * (self._section.weight / labels)
