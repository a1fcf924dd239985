"""``d2ace methods``: lists what can be chosen by name."""

import argparse
import inspect

from ..loading import loading
from ..parser import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    methods = subparsers.add_parser(
        "methods", help="list selection methods, entry policies, incremental methods and networks with their settings"
    )
    methods.set_defaults(call=run)


def run(_: argparse.Namespace) -> None:
    """List selection methods, entry policies and incremental methods with their settings, and networks."""
    with loading():
        from ....selectors import api as selectors
        from ....selectors.entries import api as policies
        from ... import models
        from ...common.config.selector_section import PRESETS
        from ...studies.incremental.methods import api as incremental

    for name in selectors.names():
        print(f"{name}: {(inspect.getdoc(selectors.get(name)) or '').splitlines()[0]}")
        presets = selectors.get(name).presets
        for key, parameter in selectors.options(name).items():
            print(f"    selector.options.{key} = {presets.get(PRESETS[0], {}).get(key, parameter.default)!r}")
        for preset, values in presets.items():
            told = ", ".join(f"{key}={value}" for key, value in values.items())
            print(f"    selector.preset={preset}{' (the default)' if preset == PRESETS[0] else ''}: {told}")
    for name in policies.names():
        print(f"{name}: {(inspect.getdoc(policies.REGISTRY.find(name)) or '').splitlines()[0]}")
        for key, parameter in policies.options(name).items():
            print(f"    selector.entries.options.{key} = {parameter.default!r}")
    for name in incremental.names():
        print(f"{name}: {(inspect.getdoc(incremental.REGISTRY.find(name)) or '').splitlines()[0]}")
        for key, parameter in incremental.options(name).items():
            print(f"    method.options.{key} = {parameter.default!r}")
    for name in models.names():
        print(f"{name}: {(inspect.getdoc(models.get(name)) or '').splitlines()[0]}")
