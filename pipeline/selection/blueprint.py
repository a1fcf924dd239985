"""What a run's selector is made from, as its actor gets it.

The actor's process imports this: neither torch nor Ray Data here, which would double the seconds it takes to start.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import ray
from scipy import sparse

from ...selectors import api as selectors
from ...selectors.common.label_matrix import LabelMatrix
from ...selectors.common.settings import whole
from ...selectors.entries import api as policies
from ...selectors.with_entries import WithEntries
from ..common.errors import RunError
from ..common.storage.any_path import fetched, replacing
from .files import SelectionFiles
from .inherited import Inherited
from .neighbour_lists import neighbour_lists
from .ray_ranges import RayRanges
from .training_rows import TrainingRows


@dataclass(frozen=True)
class Blueprint:
    """Everything to make a selector again; values may be object references, so it is cheap to keep and to send.

    Attributes:
        method: name of a registered selection method.
        arguments: constructor arguments of the method.
        row_ids: int64 (N,), ascending, of the training rows; see ``TrainingRows``.
        files: where order files, selection records and embeddings are kept, or None to keep none.
        record: write every epoch's observations there, too.
        embed_after: the epoch at whose end neighbours are looked for in the model's embeddings, or None.
        held_out_after: the epoch at whose end the policy is shown the validation rows, or None.
        ranges: row ranges that the state is split into, each an actor of its own; only for methods with ``split``.
        file_order: go through the rows in order in epochs that draw each once, as the papers' released programs do.
        neighbour_cache: path or address of the folder of neighbours found earlier, by content, or None.
        entries: name and options of the policy that judges entries, or None.
        inherited: what the method saw of some rows in an earlier run, or None.
    """

    method: str
    arguments: dict[str, Any]
    row_ids: np.ndarray | ray.ObjectRef
    files: SelectionFiles | None = None
    record: bool = False
    embed_after: int | None = None
    held_out_after: int | None = None
    ranges: int = 1
    file_order: bool = False
    neighbour_cache: str | None = None
    entries: tuple[str, dict[str, Any]] | None = None
    inherited: Inherited | ray.ObjectRef | None = None

    def make_selector(self, neighbour_features: np.ndarray | None = None) -> selectors.Selector:
        """Make the selector; raises SelectionError when the method or the policy refuses its arguments.

        Args:
            neighbour_features: float (N, e), what neighbours are looked for in instead of the blueprint's features.
        """
        selector = self._make_rows(neighbour_features)
        if self.entries is not None:
            policy, options = self.entries
            run = {"epochs": selector.epochs, "seed": selector.seed}
            selector = WithEntries(selector, policies.create(policy, selector.label_matrix, **run, **options))
        self._hand_down(selector)
        return selector

    def restart(self, selector: selectors.Selector) -> None:
        """Put a selector back to the start of the run: nothing is seen but what it inherits."""
        selector.reset()
        self._hand_down(selector)

    def _hand_down(self, selector: selectors.Selector) -> None:
        inherited: Inherited | None = fetch(self.inherited)
        if inherited is not None and inherited.seen["method"] == self.method:  # a replay may try another method
            rows = TrainingRows(np.asarray(fetch(self.row_ids), np.int64))
            selector.inherit(*inherited.at_positions(rows))

    def _make_rows(self, neighbour_features: np.ndarray | None) -> selectors.Selector:
        arguments = {key: fetch(value) for key, value in self.arguments.items()}
        features = arguments.pop("features", None) if neighbour_features is None else neighbour_features
        if features is not None:
            default = selectors.options(self.method)["neighbours"].default
            k = whole("neighbours", arguments.get("neighbours", default))
            if k:
                arguments["neighbour_ids"] = neighbour_lists(features, k, self.neighbour_cache)
        if self.ranges > 1:
            return selectors.create_split(self.method, self.ranges, RayRanges, **arguments)
        return selectors.create(self.method, **arguments)

    def by_reference(self) -> "Blueprint":
        """Return it with all arrays in the object store."""
        arguments = {key: _put_array(value) for key, value in self.arguments.items()}
        inherited = self.inherited if self.inherited is None else ray.put(self.inherited)
        return replace(self, arguments=arguments, row_ids=_put_array(self.row_ids), inherited=inherited)

    def embeds_before(self, epoch: int) -> bool:
        """Return whether embeddings are there already when ``epoch`` starts."""
        return self.embed_after is not None and epoch > self.embed_after

    def save_embeddings(self, embeddings: np.ndarray) -> None:
        """Keep float32 (N, e) in the run folder, for a selector that is made again later."""
        if self.files is not None:
            with replacing(self.files.embeddings) as temporary, temporary.open("wb") as file:
                np.save(file, embeddings)

    def load_embeddings(self) -> np.ndarray:
        """Return what ``save_embeddings`` kept; raises RunError when it is gone."""
        if self.files is None:
            raise RunError("the run kept no embeddings: it has no folder")
        try:
            with fetched(self.files.embeddings) as file:
                return np.load(file, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise RunError(f"{self.files.embeddings}: the run's embeddings cannot be read: {error}") from None


def fetch(value: Any) -> Any:
    """Return a value that may be a reference into the object store."""
    return ray.get(value) if isinstance(value, ray.ObjectRef) else value


def _put_array(value: Any) -> Any:
    return ray.put(value) if isinstance(value, np.ndarray | LabelMatrix) or sparse.issparse(value) else value
