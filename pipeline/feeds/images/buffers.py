"""Arrays that are used again once nobody holds them any more."""

import sys
from threading import Lock

import numpy as np

_FREE = 3
"""References to an array that only the list holds: the list's, the loop's, and that of asking."""


class Buffers:
    """Hands out arrays of any content; one that nobody else refers to is handed out again.

    A batch of images is some ten megabytes, and fresh memory of that size comes from the operating system page by page:
    that took most of the time of scaling them. It never holds more than were in use at one time.
    """

    def __init__(self) -> None:
        self._held: list[np.ndarray] = []
        self._lock = Lock()

    def take(self, shape: tuple[int, ...], dtype: type[np.generic] = np.float32) -> np.ndarray:
        """Return an array of this shape; it, or what looks at it, belongs to the caller for as long as it is kept."""
        with self._lock:
            for array in self._held:
                if array.shape == shape and array.dtype == dtype and sys.getrefcount(array) == _FREE:
                    return array
            array = np.empty(shape, dtype)
            self._held = [kept for kept in self._held if kept.shape == shape and kept.dtype == dtype] + [array]
            return array

    def __reduce__(self) -> tuple[type["Buffers"], tuple[()]]:
        """Go to another process empty."""
        return Buffers, ()
