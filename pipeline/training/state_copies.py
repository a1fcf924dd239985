"""Copies of a training state, taken between two steps, so that it can be written while the next ones change it."""

import copy
from collections.abc import Hashable, Mapping
from typing import Any

import torch


class StateCopies:
    """Copies states of the same make one after the other into the same memory of the host.

    Making memory costs more than copying into it, and only pinned memory takes a copy from a GPU without holding up
    whoever starts it. Memory: that of the state, once. A copy is valid until the next is taken.
    """

    def __init__(self) -> None:
        self._buffers: dict[Hashable, torch.Tensor] = {}
        self._from_gpu = False
        self._copied: torch.cuda.Event | None = None

    def take(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of nested mappings and lists with all tensors on the CPU.

        Tensors of a GPU are there when ``settle`` returns; steps that start later do not change them.
        """
        self._from_gpu, self._copied = False, None
        copied = self._copy(state, ())
        if self._from_gpu:
            self._copied = torch.cuda.Event()
            self._copied.record()
        return copied

    def settle(self) -> None:
        """Wait until the copy that was taken last is whole."""
        if self._copied is not None:
            self._copied.synchronize()

    def _copy(self, value: Any, place: tuple[Hashable, ...]) -> Any:
        if isinstance(value, torch.Tensor):
            return self._copy_tensor(value.detach(), place)
        if isinstance(value, Mapping):  # of its own kind: a module's state knows versions beside its entries
            copied: Any = copy.copy(value)
            for key, each in value.items():
                copied[key] = self._copy(each, (*place, key))
            return copied
        if isinstance(value, list | tuple):
            return type(value)(self._copy(each, (*place, number)) for number, each in enumerate(value))
        return value

    def _copy_tensor(self, tensor: torch.Tensor, place: tuple[Hashable, ...]) -> torch.Tensor:
        buffer = self._buffers.get(place)
        if buffer is None or buffer.shape != tensor.shape or buffer.dtype != tensor.dtype:
            buffer = torch.empty_like(tensor, device="cpu", pin_memory=tensor.is_cuda)
            self._buffers[place] = buffer
        self._from_gpu |= tensor.is_cuda
        return buffer.copy_(tensor, non_blocking=tensor.is_cuda)
