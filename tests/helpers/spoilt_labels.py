"""Labels with planted faults, what a network that learns the truth shows of them, and a policy that watches it."""

import numpy as np

from d2ace.selectors.common.label_matrix import LabelMatrix
from d2ace.selectors.entries import api

N, L, EPOCHS, RELEASE = 400, 3, 10, 4
HELD_OUT = 300
"""So many rows come after the training rows that nothing is trained on."""
FLAGGING = ("correct", "reject", "soft")


def everything():
    """The truth of the training rows, then of the held-out rows."""
    return (np.random.default_rng(0).random((N + HELD_OUT, L)) < [0.4, 0.3, 0.02]).astype(np.float32)


def truth():
    """The truth of the training rows."""
    return everything()[:N]


def spoilt(share=0.4):
    """Labels of which some positives are missing, of all rows."""
    labels = everything()
    labels[(np.random.default_rng(1).random(labels.shape) < share) & (labels == 1)] = 0
    return labels


def damaged(share=0.4):
    """Labels of which some positives are missing, of the training rows."""
    return spoilt(share)[:N]


def all_with_wrong(share=0.1):
    """Labels of which some positives are none, and which these are, of all rows."""
    labels = everything()
    added = (np.random.default_rng(1).random(labels.shape) < share) & (labels == 0)
    labels[added] = 1
    return labels, added


def with_wrong(share=0.1):
    """Labels of which some positives are none, and which these are, of the training rows."""
    labels, added = all_with_wrong(share)
    return labels[:N], added[:N]


def predicted(epoch, labels=None):
    """What a network shows of all rows that has learnt the truth, but for noise, and given labels a little."""
    rng = np.random.default_rng([2, epoch])
    given = everything()
    if labels is not None:
        given[:N] = labels
    return np.clip(0.1 + 0.5 * everything() + 0.1 * given + 0.08 * rng.normal(size=given.shape), 0.01, 0.99).astype(
        np.float32
    )


def make(name, labels, **options):
    """A policy for labels of the training rows."""
    return api.create(name, LabelMatrix.of(labels), epochs=EPOCHS, seed=3, release=RELEASE, **options)


def run(policy, epochs, first=0, labels=None, held_out=None):
    """Observe some epochs, all rows in two batches each, and the held-out rows when it is time; return what each of
    them was trained on. ``held_out`` are labels of all rows."""
    lists = []
    for epoch in range(first, first + epochs):
        lists.append(policy.targets())
        seen = predicted(epoch, labels)
        for ids in np.split(np.random.default_rng(epoch).permutation(N), 2):
            policy.observe(ids, seen[ids])
        if epoch == policy.held_out_after:
            policy.observe_held_out(seen[N:], (spoilt() if held_out is None else held_out)[N:])
        policy.end_epoch(epoch)
    return lists


def as_set(entries):
    """Entries as pairs of row and label; none for no list."""
    return set() if entries is None else set(zip(entries.rows.tolist(), entries.labels.tolist(), strict=True))
