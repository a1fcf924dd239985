"""Where a run looks for no neighbours, so that features for them would do nothing; imports neither PyTorch nor Ray."""

from ...selectors import api as selectors
from ..common.config.config import Config
from ..common.config.selector_section import SelectorSection
from .selection_start import option


def without_idle_embeddings(config: Config) -> Config:
    """Return the configuration without embeddings as neighbour features where nobody looks for neighbours in them."""
    selector = config.selector
    if selector.neighbour_features != "embeddings" or why_no_neighbours(selector) is None:
        return config
    return config.model_copy(update={"selector": selector.model_copy(update={"neighbour_features": "inputs"})})


def why_no_neighbours(selector: SelectorSection) -> str | None:
    """Return why a run's method looks for no neighbours; None where it does."""
    if not selectors.get(selector.name).uses_neighbours:
        return f"method {selector.name!r} has none"
    for name, off in (("neighbours", 0), ("correlation", False)):
        if name in selectors.options(selector.name) and option(selector, name) == off:
            return f"selector.options.{name} is {str(off).lower()}"
    return None
