"""Memory that is used again."""

from __future__ import annotations

import threading

import pytest
import torch

from regime_nas_pipeline.networks import workspace
from regime_nas_pipeline.networks.workspace import Workspace


def test_what_was_given_back_is_taken_again_in_any_shape_of_the_size() -> None:
    space, like = Workspace(), torch.zeros(1)
    first = space.take((3, 4), like=like)
    assert first.shape == (3, 4)
    space.give_back(first)
    again = space.take((2, 6), like=like)
    assert again.data_ptr() == first.data_ptr()
    assert again.shape == (2, 6)
    # It is taken now, so that the next one is another.
    assert space.take((2, 6), like=like).data_ptr() != again.data_ptr()


def test_size_and_type_must_fit() -> None:
    space, like = Workspace(), torch.zeros(1)
    held = space.take((3, 4), like=like)
    space.give_back(held)
    for shape, kind in (((3, 5), torch.float32), ((3, 4), torch.bfloat16)):
        other = space.take(shape, like=like, kind=kind)
        assert other.dtype == kind
        assert other.data_ptr() != held.data_ptr()


def test_no_more_is_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    space, like = Workspace(), torch.zeros(1)
    monkeypatch.setattr(workspace, "MOST_BYTES", 100)
    old, new = space.take((20,), like=like), space.take((21,), like=like)
    space.give_back(old, new)
    assert space.take((20,), like=like).data_ptr() != old.data_ptr()
    assert space.take((21,), like=like).data_ptr() == new.data_ptr()


def test_threads_share_nothing() -> None:
    space, like = Workspace(), torch.zeros(1)
    mine = space.take((8,), like=like)
    space.give_back(mine)
    found: list[int] = []

    def take() -> None:
        found.append(space.take((8,), like=like).data_ptr())

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    assert found[0] != mine.data_ptr()
    assert space.take((8,), like=like).data_ptr() == mine.data_ptr()


def test_a_lease_gives_back_when_it_is_held_no_longer() -> None:
    space, like = Workspace(), torch.zeros(1)
    held = space.take((9,), like=like)
    lease = space.lease([held])
    assert space.take((9,), like=like).data_ptr() != held.data_ptr()
    del lease
    assert space.take((9,), like=like).data_ptr() == held.data_ptr()
