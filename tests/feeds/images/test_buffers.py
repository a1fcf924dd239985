"""Arrays come back when nobody holds them, and never before."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from d2ace.pipeline.feeds.images.buffers import Buffers


def test_an_array_comes_back_when_its_last_view_is_gone():
    buffers = Buffers()
    tensor = torch.from_numpy(buffers.take((4, 3)))
    place, view = tensor.data_ptr(), tensor[1:].flatten()
    del tensor
    assert torch.from_numpy(buffers.take((4, 3))).data_ptr() != place
    del view
    assert torch.from_numpy(buffers.take((4, 3))).data_ptr() == place
    assert buffers.take((2, 3)).shape == (2, 3)


def test_what_autograd_keeps_is_not_handed_out():
    buffers, weight = Buffers(), torch.ones(3, requires_grad=True)
    features = torch.from_numpy(buffers.take((2, 3)))
    features.fill_(5)
    loss = (features * weight).sum()
    del features
    torch.from_numpy(buffers.take((2, 3))).fill_(7)
    loss.backward()
    assert weight.grad is not None and weight.grad.tolist() == [10, 10, 10]


def test_threads_never_get_the_same_array():
    buffers = Buffers()

    def work(number: int) -> bool:
        for _ in range(300):
            array = buffers.take((50,))
            array[:] = number
            if not (array == number).all():
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_another_process_starts_without_arrays():
    buffers = Buffers()
    kept = buffers.take((3,))
    assert pickle.loads(pickle.dumps(buffers)).take((3,)) is not kept
    assert np.shape(kept) == (3,)
