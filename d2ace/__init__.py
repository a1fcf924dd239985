"""Dynamic batch selection for multi-label deep learning on Ray.

This package is only a face: the code lives in the top-level folders ``pipeline``, ``selectors`` and
``tune_spaces``, which are installed as ``d2ace.pipeline``, ``d2ace.selectors`` and ``d2ace.tune_spaces``.
Importing it loads neither Ray nor torch.
"""

from pathlib import Path as _Path

__version__ = "0.1.0"

# In a checkout (or in Ray's working_dir) the sibling folders are found without an installation.
_root = _Path(__file__).resolve().parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "selectors").is_dir():
    __path__.append(str(_root))
