"""``export``: a run's network for programs that know nothing of this one, compared with the run's own answers."""

import json
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from ...common.errors import RunError
from ...common.stages import stage
from ...common.storage.any_path import AnyPath, address_of, is_there, place_of
from ...common.storage.locations import Location
from ...common.storage.whole_folders import new_folder
from ...models.huggingface import HuggingFace
from ...models.transformers_source import plain_attention
from ...runs.decisions import decisions_of
from ...runs.trained_model import TrainedModel
from ...runs.trained_run import open_to_score
from .agreement import Agreement, compare_onnx, compare_program, own_answer
from .card import model_card
from .formats import OPSET, require_packages, trace, write_onnx, write_program
from .metadata import Facts, example_rows, metadata
from .samples import Samples, find_data, samples
from .transformers_folder import FOLDER, write_transformers

_METADATA = "metadata.json"
"""In a bucket the last file of an export."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: where.
        agreements: how each file compares with the run's own network.
        origin: on what they were compared, in words.
        extra: what is said of the layout for transformers; None for networks of other kinds.
    """

    folder: AnyPath
    agreements: tuple[Agreement, ...]
    origin: str
    extra: str | None

    def __str__(self) -> str:
        lines = [f"compared on {self.origin}", *map(str, self.agreements), *([self.extra] if self.extra else [])]
        place = Location.of(self.folder)
        files = sorted([*place.files(recursive=False), *place.folders()])
        return "\n".join([*lines, f"ONNX opset {OPSET}", f"export: {address_of(self.folder)} ({', '.join(files)})"])


def export(run: "str | AnyPath", out: "str | AnyPath", *, data: str | Path | None = None) -> Exported:
    """Write a run's best network as ONNX and for ``torch.export.load``, with metadata and a model card.

    Args:
        run: a run's folder; of a run that was stopped the best epoch until then is taken.
        out: a folder that does not exist yet, a path or an address of a bucket.
        data: where the run's data lies now, if it was moved: the files are compared on its rows.

    Raises:
        ConfigError: when a package is missing, or the network cannot be exported; then nothing is written.
        RunError: when ``out`` exists, or a file does not give what the run's own network gives.
    """
    require_packages()
    target = place_of(out)
    if is_there(target):
        raise RunError(f"{target}: exists already; an export is not mixed with what is there")
    opened = open_to_score(run)
    manifest = find_data(opened, None if data is None else str(data))
    facts = Facts(opened, manifest, decisions_of(opened))
    compared = samples(opened, manifest)
    with new_folder(target, marker=_METADATA) as temporary:
        exported = _write(facts, compared, temporary)
    return Exported(target, exported.agreements, exported.origin, exported.extra)


def _write(facts: Facts, compared: Samples, folder: Path) -> Exported:
    """Write everything into a folder."""
    run, name = facts.run, facts.run.config.model.name
    network = TrainedModel(run, torch.device("cpu")).network
    deployed, about = facts.deployed(network), metadata(facts)
    plain = plain_attention(network.backbone) if isinstance(network, HuggingFace) else nullcontext()
    with stage(f"tracing network {name!r}"), plain:
        program = trace(deployed, example_rows(compared.inputs), name)
    onnx, pt2 = folder / "model.onnx", folder / "model.pt2"
    with stage("translating it to ONNX"):
        write_onnx(program, onnx, about, facts.input_name, name)
    write_program(program, pt2, about)
    with stage("comparing with the run's own network"):
        own = own_answer(deployed, compared.inputs)
        agreements = compare_onnx(onnx, compared.inputs, own), compare_program(pt2, compared.inputs, own)
    extra = None
    if isinstance(network, HuggingFace):
        extra = write_transformers(network, run.data.labels, run.data.scaler, compared.inputs, folder / FOLDER)
    (folder / _METADATA).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(model_card(facts, agreements, extra), encoding="utf-8")
    return Exported(folder, agreements, compared.origin, extra)
