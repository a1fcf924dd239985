"""What a run's selector is made from: labels, schedule, options, and what neighbours are looked for in."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import ray
from scipy import sparse

from ..selectors import api as selectors
from ..selectors.neighbour_cache import neighbour_ids
from ..selectors.reference import reference_losses
from ..selectors.settings import whole
from ..selectors.sharded import ShardedD2ACE
from . import models
from .config import Config
from .errors import ConfigError, RunError
from .files import replacing
from .inputs import make_inputs
from .neighbourhood import selection_features
from .row_store import RowStore
from .run_data import RunData
from .run_folder import RunFolder
from .scoring import losses_of_run
from .sharded_selection import RayRanges


@dataclass(frozen=True)
class Blueprint:
    """Everything to make a selector again; values may be object references, so it is cheap to keep and to send.

    Attributes:
        method: name of a registered selection method.
        arguments: constructor arguments of the method.
        row_ids: int64 (N,), ascending global ids of the training rows; position i of the selector is row_ids[i].
        log_folder: the run folder for order files and selection records, or None to keep none.
        record: write every epoch's observations there, too.
        embed_after: the epoch at whose end neighbours are looked for in the model's embeddings, or None.
        ranges: row ranges that the state is split into, each an actor of its own; only for ``d2ace``.
        neighbour_cache: folder of neighbours found earlier, by content, or None.
    """

    method: str
    arguments: dict[str, Any]
    row_ids: np.ndarray | ray.ObjectRef
    log_folder: str | None = None
    record: bool = False
    embed_after: int | None = None
    ranges: int = 1
    neighbour_cache: str | None = None

    def make_selector(self, neighbour_features: np.ndarray | None = None) -> selectors.Selector:
        """Make the selector; raises SelectionError when the method refuses its arguments.

        Args:
            neighbour_features: float (N, e), what neighbours are looked for in instead of the blueprint's features.
        """
        arguments = {key: fetch(value) for key, value in self.arguments.items()}
        features = arguments.pop("features", None) if neighbour_features is None else neighbour_features
        if features is not None:
            default = selectors.options(self.method)["neighbours"].default
            k = whole("neighbours", arguments.get("neighbours", default))
            if k:
                arguments["neighbour_ids"] = neighbour_ids(features, k, cache=self.neighbour_cache)
        if self.ranges > 1:
            return ShardedD2ACE(ranges=self.ranges, make_ranges=RayRanges, **arguments)
        return selectors.create(self.method, **arguments)

    def by_reference(self) -> "Blueprint":
        """Return it with all arrays in the object store."""
        arguments = {key: _put_array(value) for key, value in self.arguments.items()}
        return replace(self, arguments=arguments, row_ids=_put_array(self.row_ids))

    def embeds_before(self, epoch: int) -> bool:
        """Return whether embeddings are there already when ``epoch`` starts."""
        return self.embed_after is not None and epoch > self.embed_after

    def save_embeddings(self, embeddings: np.ndarray) -> None:
        """Keep float32 (N, e) in the run folder, for a selector that is made again later."""
        if self.log_folder is not None:
            with replacing(self._embeddings_file()) as temporary, temporary.open("wb") as file:
                np.save(file, embeddings)

    def load_embeddings(self) -> np.ndarray:
        """Return what ``save_embeddings`` kept; raises RunError when it is gone."""
        try:
            return np.load(self._embeddings_file())
        except (OSError, ValueError) as error:
            raise RunError(f"{self._embeddings_file()}: the run's embeddings cannot be read: {error}") from None

    def _embeddings_file(self) -> Path:
        return Path(self.log_folder or ".") / "neighbour_features.npy"


def check_neighbour_features(config: Config) -> None:
    """Raise ConfigError unless the run's ``selector.neighbour_features`` can work."""
    wanted = config.selector.neighbour_features
    if wanted == "embeddings":
        if not models.get(config.model.name).embeds:
            able = ", ".join(name for name in models.names() if models.get(name).embeds)
            raise ConfigError(
                f"selector.neighbour_features='embeddings' needs a network that gives them ({able}), "
                f"but model.name is {config.model.name!r}"
            )
        if _warmup(config) < 1:
            raise ConfigError("selector.neighbour_features='embeddings' needs a warm-up of at least 1 epoch")
    elif wanted != "inputs" and not Path(wanted).is_file():
        raise ConfigError(
            f"selector.neighbour_features must be 'inputs', 'embeddings' or a .npy file, got {wanted!r}, no such file"
        )


def selection_blueprint(
    config: Config, folder: RunFolder | None, labels: sparse.csr_array, rows: RowStore, data: RunData
) -> Blueprint:
    """Return what the run's selector is made from; ``labels`` are those of all rows; no folder keeps nothing."""
    ids = data.splits.train
    arguments: dict[str, Any] = {
        "labels": labels[ids],
        "batch_size": config.train.batch_size,
        "epochs": config.train.epochs,
        "seed": config.run.seed,
        **config.selector.options,
    }
    if isinstance(arguments.get("reference"), str):
        arguments["reference"] = _reference(arguments["reference"], rows, labels, ids)
    embed_after = None
    if selectors.get(config.selector.name).uses_neighbours:
        wanted = config.selector.neighbour_features
        if wanted == "embeddings":  # until these are there, every row is its only neighbour
            embed_after, arguments["neighbour_ids"] = _warmup(config) - 1, np.arange(len(ids))[:, None]
        elif wanted == "inputs":
            arguments["features"] = selection_features(rows, make_inputs(config, rows.manifest, data.scaler), ids)
        else:
            arguments["features"] = _features_from_file(Path(wanted), rows.manifest.rows)[ids]
    return Blueprint(
        method=config.selector.name,
        arguments=arguments,
        row_ids=ids,
        log_folder=str(folder.path) if folder else None,
        record=config.run.record_observations,
        embed_after=embed_after,
        ranges=config.selector.ranges,
        neighbour_cache=str(folder.path.parent / ".neighbours") if folder else None,
    )


def _warmup(config: Config) -> int:
    default = selectors.options(config.selector.name).get("warmup")
    return int(config.selector.options.get("warmup", default.default if default else 0))


def _features_from_file(path: Path, rows: int) -> np.ndarray:
    try:
        features = np.load(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"selector.neighbour_features: {path} cannot be read: {error}") from None
    if features.ndim != 2 or len(features) != rows:
        raise ConfigError(f"selector.neighbour_features: {path} holds {features.shape}, expected ({rows}, e)")
    return features


def _reference(source: str, rows: RowStore, labels: sparse.csr_array, ids: np.ndarray) -> np.ndarray:
    """Return the reference losses of the training rows, float32 (N, L), from a run folder or a Parquet file."""
    if Path(source).is_dir():
        return losses_of_run(source, rows, ids)
    return reference_losses(source, ids, labels.shape[1], others=True)


def fetch(value: Any) -> Any:
    """Return a value that may be a reference into the object store."""
    return ray.get(value) if isinstance(value, ray.ObjectRef) else value


def _put_array(value: Any) -> Any:
    return ray.put(value) if isinstance(value, np.ndarray) or sparse.issparse(value) else value
