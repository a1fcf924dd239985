"""The contract finds what is wrong with a method, and says it in a line."""

import numpy as np
import pytest

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.contract.suite import CASES, Subject, verdicts
from d2ace.selectors.loss_rank import LossRank
from d2ace.selectors.uniform import Uniform


class NamedLikeAnother(LossRank):
    name = "d2ace"


class Nameless(Uniform):
    name = ""


class UsesTheGlobalGenerator(LossRank):
    name = "global-generator"

    def _rng(self, epoch):
        return np.random.default_rng()


class PlansFromWhatItSeesNow(LossRank):
    name = "sees-now"

    def plan(self, epoch):
        self._freeze(self._rescore(epoch))
        return super().plan(epoch)


class ForgetsTheScore(LossRank):
    name = "forgetful"

    def state_dict(self):
        return {**super().state_dict(), "score": np.zeros(self.n_rows)}


class HandsOutItsArrays(LossRank):
    name = "hands-out"

    def summary(self):
        return {**super().summary(), "visits": self._seen.visits}


class TakesAnything(Uniform):
    name = "takes-anything"

    def __init__(self, labels, *, colour="red", **run):
        super().__init__(labels, **run)


class Crashes(LossRank):
    name = "crashes"

    def observe(self, ids, probabilities, losses):
        super().observe(ids, probabilities, losses)
        return 1 // (len(ids) - 1)


def place_of(cls):
    return f"{__name__}:{cls.__name__}"


@pytest.mark.parametrize(
    ("cls", "case", "words"),
    [
        (NamedLikeAnother, "it has a name of its own", "has the name of another method, 'd2ace'"),
        (Nameless, "it has a name of its own", "has no name"),
        (
            UsesTheGlobalGenerator,
            "plans are determined by the seed",
            "plan 0, made twice from seed 3: .* values differ",
        ),
        (PlansFromWhatItSeesNow, "a plan is pure", "ids of plan 3, asked for twice"),
        (
            ForgetsTheScore,
            "a run resumed from its file continues bit for bit (after 0 batches)",
            "plan of the epoch that was resumed",
        ),
        (HandsOutItsArrays, "summaries are small and part of the diagnostics", "visits has 61 values"),
        (TakesAnything, "settings of the wrong kind are refused by name", "colour='nonsense' was taken"),
    ],
)
def test_what_is_wrong_is_found(cls, case, words):
    (one,) = (each for each in CASES if each.name == case)
    with pytest.raises(Exception, match=words):
        one.check(Subject(place_of(cls)))


def test_whatever_a_method_does_is_an_answer_in_a_line():
    found = {verdict.case: verdict.trouble for verdict in verdicts(Subject(place_of(Crashes)))}
    assert list(found) == [case.name for case in CASES] and found["a plan is pure"] is None
    crashed = found["edge cases run through (one row, B = 1)"]
    assert crashed == "ZeroDivisionError: integer division or modulo by zero"


def test_a_method_that_cannot_be_made_is_no_verdict():
    with pytest.raises(SelectionError, match="did you mean 'Crashes'"):
        list(verdicts(Subject(f"{__name__}:Crahses")))
