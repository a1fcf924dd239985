"""Label correlations as a heat map whose labels are clustered, and the strongest pairs.

L labels.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from scipy.cluster.hierarchy import dendrogram, linkage
from scipy.spatial.distance import squareform

from .markup import Html
from .svg import WIDTH, canvas, inline
from .theme import MAIN, MUTED
from .wording import shortened

_NAMED = 30


def cosines(correlation: np.ndarray) -> np.ndarray:
    """Return the cosines that D2ACE's correlations were made from, float64 (L, L), symmetric.

    D2ACE divides each row of the cosines by its sum; as a cosine with itself is 1, dividing each row by its diagonal
    gives them back [own]. Labels without positives have rows of zeros, and stay so.
    """
    diagonal = np.diagonal(correlation)[:, None]
    return np.divide(correlation, diagonal, out=np.zeros_like(correlation), where=diagonal > 0)


def cluster_tree(cosine: np.ndarray) -> np.ndarray:
    """Return the linkage matrix of labels, float64 (L - 1, 4): average linkage of the distance 1 - cosine."""
    distance = np.clip(1 - (cosine + cosine.T) / 2, 0, None)
    np.fill_diagonal(distance, 0)
    return linkage(squareform(distance, checks=False), method="average", optimal_ordering=len(cosine) <= 300)


def strongest_pairs(cosine: np.ndarray, most: int) -> list[tuple[int, int, float]]:
    """Return up to ``most`` pairs of different labels with a cosine above 0, the largest first."""
    left, right = np.triu_indices(len(cosine), 1)
    values = cosine[left, right]
    best = np.argsort(-values, kind="stable")[:most]
    return [(int(left[i]), int(right[i]), float(values[i])) for i in best if values[i] > 0]


def heat_map(cosine: np.ndarray, names: Sequence[str]) -> Html:
    """Return the matrix in the order of its cluster tree, the tree above; darker is more alike.

    The colour is one hue whose strength runs from 0 to the largest cosine of two different labels; the diagonal is
    left empty. Names stand beside up to 30 labels.

    Args:
        cosine: float (L, L), of at least two labels.
        names: of the labels.
    """
    tree = cluster_tree(cosine)
    drawn = dendrogram(tree, no_plot=True)
    order = drawn["leaves"]
    apart = ~np.eye(len(cosine), dtype=bool)
    highest = float(cosine[apart].max())
    pixels = np.empty((*cosine.shape, 4))
    pixels[..., :3] = to_rgb(MAIN)
    pixels[..., 3] = np.where(apart, cosine / (highest or 1.0), 0)[np.ix_(order, order)]
    named = len(names) <= _NAMED
    with canvas(WIDTH + (60 if named else 20)) as (figure, axes):
        axes.remove()
        top, below = figure.subplots(2, 1, height_ratios=(1, 6), sharex=True)
        _draw_tree(top, drawn)
        count = len(order)
        below.imshow(pixels, interpolation="none", extent=(0, 10 * count, 10 * count, 0), aspect="auto")
        _name_labels(below, [names[i] for i in order] if named else [])
        told = f"Heat map of {count} labels in the order of their clusters; cosines from 0 to {highest:.3g}"
        return inline(figure, told)


def _draw_tree(axes: Axes, drawn: dict) -> None:
    for x, y in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        axes.plot(x, y, color=MUTED, linewidth=0.9)
    axes.set_axis_off()
    axes.set_ylim(bottom=0)


def _name_labels(axes: Axes, names: Sequence[str]) -> None:
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    places = 10 * np.arange(len(names)) + 5
    size = min(10.5, 260 / max(len(names), 1))
    shown = [shortened(name, 14) for name in names]
    axes.set_xticks(places, shown, rotation=90, fontsize=size)
    axes.set_yticks(places, shown, fontsize=size)
    axes.tick_params(length=0)
