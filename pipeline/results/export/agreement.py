"""Whether what was written gives what the run gives: the files are read again and run.

n rows compared   L labels
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...common.errors import RunError
from .network import Deployed

TOLERANCE = 1e-4
"""The most that a probability may differ: ten times what rounding in another order comes to in deep networks."""
_SIZES = (1, 7)
"""Rows of the first batches that are asked for; all others follow as one. A network for one size only is found out."""

Answer = tuple[np.ndarray, np.ndarray]
"""Probabilities, float32 (n, L), and labels, bool (n, L)."""


@dataclass(frozen=True)
class Agreement:
    """How a written network compares with the run's own.

    Attributes:
        what: runtime and file.
        rows: n.
        difference: the largest between two probabilities.
        labels_apart: entries that got another label.
    """

    what: str
    rows: int
    difference: float
    labels_apart: int

    def __str__(self) -> str:
        apart = "all labels are the same" if not self.labels_apart else f"{self.labels_apart} labels differ"
        return (
            f"{self.what}: probabilities differ by at most {self.difference:.1e} (tolerance {TOLERANCE:.0e}), "
            f"{apart} on {self.rows} rows"
        )


def compare_onnx(path: Path, inputs: torch.Tensor, own: Answer) -> Agreement:
    """Run an ONNX file in onnxruntime; raises RunError when it gives something else."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def answer(piece: torch.Tensor) -> Answer:
        probabilities, labels = session.run(None, {name: piece.numpy()})
        return probabilities, labels

    return _compared("onnxruntime, model.onnx", answer, inputs, own)


def compare_program(path: Path, inputs: torch.Tensor, own: Answer) -> Agreement:
    """Run a program that torch.export saved; raises RunError when it gives something else."""
    module = torch.export.load(path).module()

    def answer(piece: torch.Tensor) -> Answer:
        probabilities, labels = module(piece)
        return probabilities.numpy(), labels.numpy()

    return _compared("torch.export, model.pt2", answer, inputs, own)


@torch.no_grad()
def own_answer(deployed: Deployed, inputs: torch.Tensor) -> Answer:
    """Return what the run's own network says."""
    probabilities, labels = deployed(inputs)
    return probabilities.numpy(), labels.numpy()


@torch.no_grad()
def _compared(what: str, answer: Callable[[torch.Tensor], Answer], inputs: torch.Tensor, own: Answer) -> Agreement:
    answers = [answer(piece) for piece in _cut(inputs)]
    probabilities, labels = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    difference = float(np.abs(probabilities - own[0]).max())
    found = Agreement(what, len(inputs), difference, int((labels != own[1]).sum()))
    if not difference <= TOLERANCE:  # NaN, too; a label can only differ where the threshold lies between the two
        raise RunError(f"the exported network does not agree with the run's own, nothing was written; {found}")
    return found


def _cut(inputs: torch.Tensor) -> list[torch.Tensor]:
    """Cut rows into batches of several sizes."""
    ends = np.cumsum(_SIZES).clip(max=len(inputs)).tolist()
    return [piece for piece in inputs.tensor_split(ends) if len(piece)]
