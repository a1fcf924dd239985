"""The search for near rows on a torch device, for ``neighbours.py``, which certifies what comes back.

torch is imported only here, and only when a device is asked for. On a CPU NumPy's tiles are faster.
"""

import numpy as np

from ..common.errors import SelectionError

_BLOCK_ENTRIES = 1 << 28


def candidates_on(device: str, points: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row the largest distance among its nearest others, and their ids. Cost O(N^2 d).

    Args:
        device: of torch, for example "cuda", "cuda:1", "mps" or "cpu".
        points: float32 (N, d).
        size: M, how many others, at most N - 1.

    Returns:
        float32 (N,), squared distances in full float32 precision, never TF32; and int64 (N, M), in any order.

    Raises:
        SelectionError: if torch or the device is not there.
    """
    try:
        import torch

        everything = torch.from_numpy(np.ascontiguousarray(points)).to(device)
    except (ImportError, RuntimeError, AssertionError) as error:
        raise SelectionError(f"neighbours cannot be searched on device {device!r}: {error}") from error
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        norms = (everything * everything).sum(dim=1)
        limits, ids = [], []
        block = max(1, _BLOCK_ENTRIES // len(points))
        for start in range(0, len(points), block):
            rows = everything[start : start + block]
            distance = torch.addmm(norms[None], rows, everything.T, alpha=-2)
            distance += norms[start : start + block, None]
            distance.diagonal(offset=start).fill_(torch.inf)
            near = distance.topk(size, dim=1, largest=False, sorted=True)
            limits.append(near.values[:, -1].cpu())
            ids.append(near.indices.cpu())
        return torch.cat(limits).numpy(), torch.cat(ids).numpy()
    finally:
        torch.set_float32_matmul_precision(precision)
