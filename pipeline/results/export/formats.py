"""The two formats of an exported network, ONNX and PyTorch's ExportedProgram: one trace, for batches of any size."""

import importlib
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ...common.errors import ConfigError

OPSET = 18
"""Version of the ONNX operators: the one that PyTorch translates to itself; runtimes know it since 2023."""
METADATA_KEY = "d2ace"
"""Where both formats hold the metadata, as JSON text."""
OUTPUTS = ("probabilities", "labels")
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
_SHOWN = 400  # characters of an error of the exporter


def require_packages() -> None:
    """Raise ConfigError, with what to install, unless everything is there that an export needs."""
    for name in PACKAGES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ConfigError(
                f"d2ace export needs the packages {', '.join(PACKAGES)}: pip install 'd2ace[export]' ({error})"
            ) from None


def trace(module: nn.Module, example: Tensor, network: str) -> ExportedProgram:
    """Return a network as a program of PyTorch's operators that takes batches of any size.

    Args:
        module: in evaluation mode, with one input ``inputs``.
        example: an input of at least two rows.
        network: what messages call it.

    Raises:
        ConfigError: when the network cannot be exported.
    """
    with _refusal(network, "traced by torch.export"), torch.no_grad():
        return torch.export.export(module, (example,), dynamic_shapes={"inputs": {0: Dim("batch", min=1)}})


def write_onnx(program: ExportedProgram, path: Path, metadata: Mapping[str, Any], name: str, network: str) -> None:
    """Write a traced network as ONNX; weights above 2 GB go to a file beside it.

    Args:
        program: of ``trace``.
        path: of the file.
        metadata: kept in the file.
        name: of the input.
        network: what messages call it.

    Raises:
        ConfigError: when ONNX has no operators for it.
    """
    with _refusal(network, f"translated to ONNX operators of version {OPSET}"), _quiet():
        made = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=[name],
            output_names=list(OUTPUTS),
            dynamic_shapes={"inputs": {0: "batch"}},
            verbose=False,
        )
    assert made is not None
    made.model.metadata_props[METADATA_KEY] = json.dumps(metadata)
    made.save(path)


def write_program(program: ExportedProgram, path: Path, metadata: Mapping[str, Any]) -> None:
    """Write a traced network as PyTorch's own format, which ``torch.export.load`` reads."""
    with _quiet():
        torch.export.save(program, path, extra_files={METADATA_KEY: json.dumps(metadata)})


@contextmanager
def _refusal(network: str, what: str) -> Iterator[None]:
    """Turn whatever the exporters raise into a ConfigError that says why the network is refused."""
    try:
        yield
    except Exception as error:  # they raise whatever a network leads them to
        causes: list[BaseException] = [error]
        while (cause := causes[-1].__cause__) is not None:
            causes.append(cause)
        text = " ".join(str(causes[-1]).split()) or type(causes[-1]).__name__
        raise ConfigError(
            f"network {network!r} cannot be exported, nothing was written: it cannot be {what}: {text[:_SHOWN]}"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' advice to their own developers off the terminal."""
    loggers = {logger: logger.level for logger in map(logging.getLogger, ("torch.onnx", "onnxscript"))}
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in loggers.items():
            logger.setLevel(level)
