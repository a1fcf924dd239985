"""Pages without pictures, for tests of what pages say."""

import pytest


@pytest.fixture
def words_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures of pages empty: drawing takes nine tenths of a page's time, and other tests look at them."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    from d2ace.pipeline.results.report import svg

    class EmptyCanvas(FigureCanvasSVG):
        """A canvas whose figures are made and not drawn."""

        def print_svg(self, filename, **_):
            filename.write('<svg viewBox="0 0 1 1" xmlns="http://www.w3.org/2000/svg"></svg>')

    monkeypatch.setattr(svg, "FigureCanvasSVG", EmptyCanvas)
    monkeypatch.setattr(svg, "_add_tips", lambda *_: None)
