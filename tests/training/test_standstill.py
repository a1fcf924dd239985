"""A worker that trains no step says where it stands, from a thread that goes on meanwhile."""

import os
import sys
import time
from threading import Event, Thread

from d2ace.pipeline.feeds.gather import GatherFeed
from d2ace.pipeline.training.ranks import Ranks
from d2ace.pipeline.training.standstill import WAITS, Standstill, place_in


class Told:
    """The way to the driver; when ``heard`` is set something was said beside the beginning."""

    def __init__(self):
        self.heard, self.words = Event(), []

    def stands(self, *words):
        self.words.append(words)
        if len(self.words) > 1:
            self.heard.set()


def frames_of(code, module):
    """The frames of a thread whose innermost function is of this file and module, on top of ones of a test."""
    scope = {"__name__": module, "sys": sys}
    exec(compile("def reduce():\n    return sys._getframe()", code, "exec"), scope)
    return scope["reduce"]()


def test_the_place_is_the_innermost_function_of_the_package():
    package = GatherFeed.parts.__code__.co_filename
    assert place_in(frames_of(package, "d2ace.pipeline.feeds.gather")) == "at feeds/gather.py, reduce"
    assert place_in(sys._getframe()) == "outside of d2ace"


def test_who_waits_inside_of_a_collective_waits_for_others():
    assert place_in(frames_of("distributed_c10d.py", "torch.distributed.distributed_c10d")) == WAITS


def test_a_worker_without_a_step_says_so_until_it_has_one():
    told = Told()
    with Standstill(Ranks(1, 2), told, quiet_s=0.0, look_s=0.01):
        assert told.heard.wait(60)
    (first, second, *_), host = told.words, os.uname().nodename
    assert (first, second) == ((1, 2, host, "at the beginning"), (1, 2, host, "outside of d2ace"))


def test_nothing_is_said_soon_after_a_step_nor_by_a_worker_alone():
    told = Told()
    with Standstill(Ranks(1, 2), told, quiet_s=1e9, look_s=0.001) as standstill:
        standstill.after_batch(None, None, None)
        time.sleep(0.05)
    assert len(told.words) == 1
    with Standstill(Ranks(), told, quiet_s=0.0, look_s=0.001):
        time.sleep(0.05)
    assert len(told.words) == 1


def test_its_thread_ends_with_the_training():
    with Standstill(Ranks(0, 2), Told(), look_s=1e9) as standstill:
        thread = standstill._thread
        assert isinstance(thread, Thread) and thread.is_alive()
    assert not thread.is_alive()
