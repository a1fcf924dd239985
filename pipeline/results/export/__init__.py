"""``export``: a run's network for programs that know nothing of this one, compared with the run's own answers."""

import json
import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from ...common.errors import RunError
from ...common.stages import stage
from ...common.storage.any_path import AnyPath
from ...common.storage.local_paths import local_path
from ...common.storage.whole_files import temporary_beside
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


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: where.
        agreements: how each file compares with the run's own network.
        origin: on what they were compared, in words.
        extra: what is said of the layout for transformers; None for networks of other kinds.
    """

    folder: Path
    agreements: tuple[Agreement, ...]
    origin: str
    extra: str | None

    def __str__(self) -> str:
        lines = [f"compared on {self.origin}", *map(str, self.agreements), *([self.extra] if self.extra else [])]
        files = sorted(path.name for path in self.folder.iterdir())
        return "\n".join([*lines, f"ONNX opset {OPSET}", f"export: {self.folder} ({', '.join(files)})"])


def export(run: "str | AnyPath", out: str | Path, *, data: str | Path | None = None) -> Exported:
    """Write a run's best network as ONNX and for ``torch.export.load``, with metadata and a model card.

    Args:
        run: a run's folder; of a run that was stopped the best epoch until then is taken.
        out: a folder that does not exist yet.
        data: where the run's data lies now, if it was moved: the files are compared on its rows.

    Raises:
        ConfigError: when a package is missing, or the network cannot be exported; then nothing is written.
        RunError: when ``out`` exists, or a file does not give what the run's own network gives.
    """
    require_packages()
    target = local_path(out, "OUT")
    if target.exists():
        raise RunError(f"{target}: exists already; an export is not mixed with what is there")
    opened = open_to_score(run)
    manifest = find_data(opened, None if data is None else str(data))
    facts = Facts(opened, manifest, decisions_of(opened))
    temporary = temporary_beside(target.absolute())
    try:
        exported = _write(facts, samples(opened, manifest), temporary)
        temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Exported(target, exported.agreements, exported.origin, exported.extra)


def _write(facts: Facts, compared: Samples, folder: Path) -> Exported:
    """Write everything into a folder that is made when the network has been translated."""
    run, name = facts.run, facts.run.config.model.name
    network = TrainedModel(run, torch.device("cpu")).network
    deployed, about = facts.deployed(network), metadata(facts)
    plain = plain_attention(network.backbone) if isinstance(network, HuggingFace) else nullcontext()
    with stage(f"tracing network {name!r}"), plain:
        program = trace(deployed, example_rows(compared.inputs), name)
    folder.mkdir(parents=True)
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
    (folder / "metadata.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(model_card(facts, agreements, extra), encoding="utf-8")
    return Exported(folder, agreements, compared.origin, extra)
