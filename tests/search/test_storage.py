from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from outer_samples import CONTINUOUS, FINITE, cost, evaluate, outcome, settings

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.search.outer import Outcome, Proposal, Trial, run_search
from regime_nas_pipeline.search.space import Interval, Options, Space
from regime_nas_pipeline.search.storage import STUDY_NAME

SETTINGS = settings("evolutionary", 7, batch=3)


class KilledError(Exception):
    pass


def rich(proposal: Proposal) -> Outcome:
    """An outcome with everything that an outcome may hold."""
    value = cost(proposal.choices)
    return Outcome(
        score=value / 3.0,
        parameters={"blocks": {"trend": [1, None]}, "rate": 0.1 + 0.2},
        gradient_samples=10**9 + proposal.number,
        returns=np.array([value, np.nan, 1e-300], dtype="float32"),
        facts={"text": "é", "epochs": 2},
        objectives={"parameters": 1.0 / 3.0, "lipschitz": None, "latency": np.inf},
    )


class Evaluator:
    """Yields outcomes one by one and dies before one of them."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.dies_at = dies_at
        self.calls = 0
        self.evaluated: list[Proposal] = []

    def __call__(self, proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        self.calls += 1
        for proposal in proposals:
            if proposal.number == self.dies_at:
                raise KilledError
            self.evaluated.append(proposal)
            yield rich(proposal)


def search(path: Path | None, evaluator: Any, chosen: Any = SETTINGS, **more: Any) -> list[Trial]:
    space: Space = more.pop("space", CONTINUOUS)
    return run_search(space, evaluator, chosen, seed=more.pop("seed", 3), storage=path, **more)


def same(first: Sequence[Trial], second: Sequence[Trial]) -> bool:
    for a, b in zip(first, second, strict=True):
        assert a.proposal == b.proposal
        assert list(a.proposal.choices) == list(b.proposal.choices)
        empty = np.zeros(0)
        assert replace(a.outcome, returns=empty) == replace(b.outcome, returns=empty)
        assert a.outcome.returns.dtype == b.outcome.returns.dtype
        np.testing.assert_array_equal(a.outcome.returns, b.outcome.returns)
    return True


@pytest.mark.parametrize("strategy", ["bayesian", "evolutionary", "reinforce", "random"])
@pytest.mark.parametrize("dies_at", [0, 1, 4, 6])
def test_a_killed_search_goes_on_as_if_nothing_had_happened(
    strategy: Any, dies_at: int, tmp_path: Path
) -> None:
    chosen = replace(SETTINGS, strategy=strategy)
    whole = search(None, Evaluator(), chosen)
    file = tmp_path / "folder" / "gru.log"
    with pytest.raises(KilledError):
        search(file, Evaluator(dies_at), chosen)
    goes_on = Evaluator()
    found = search(file, goes_on, chosen)
    assert same(found, whole)
    # The one that was running is asked again; nothing before it is.
    assert goes_on.evaluated == [trial.proposal for trial in whole[dies_at:]]
    # And once it is over, nothing is evaluated at all.
    again = Evaluator()
    assert same(search(file, again, chosen), whole)
    assert again.calls == 0


def test_optuna_reads_the_file(tmp_path: Path) -> None:
    file = tmp_path / "gru.log"
    chosen = replace(SETTINGS, objectives=("error", "lipschitz", "parameters"))
    trials = search(file, Evaluator(), chosen, search_id="ab12")
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(file)))
    study = optuna.load_study(study_name=STUDY_NAME, storage=storage)
    assert [trial.number for trial in study.trials] == list(range(7))
    for stored, trial in zip(study.trials, trials, strict=True):
        assert stored.params == trial.proposal.choices
        assert stored.values == [trial.outcome.score, np.inf, 1.0 / 3.0]
        assert stored.duration is not None
        assert stored.duration.total_seconds() >= 0
    assert study.user_attrs["search_id"] == "ab12"
    assert study.user_attrs["seed"] == 3
    assert study.user_attrs["settings"]["objectives"] == ["error", "lipschitz", "parameters"]
    assert [name for name, _ in study.user_attrs["space"]] == list(CONTINUOUS)
    for name, dimension in study.user_attrs["space"]:
        assert type(CONTINUOUS[name]).model_validate(dimension) == CONTINUOUS[name]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("whole") / "gru.log"
    search(file, Evaluator())
    return file.read_bytes()


@given(data=st.data())
@hypothesis_settings(max_examples=25, deadline=None)
def test_a_file_cut_off_anywhere_is_resumed(
    image: bytes, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever a kill in the middle of a write leaves: the beginning of the file, to the byte."""
    file = tmp_path_factory.mktemp("cut") / "gru.log"
    end = data.draw(st.integers(0, len(image)))
    file.write_bytes(image[:end])
    goes_on = Evaluator()
    whole = search(None, Evaluator())
    assert same(search(file, goes_on), whole)
    lines = image[:end].splitlines(keepends=True)
    kept = sum(b'"outcome"' in line and line.endswith(b"\n") for line in lines)
    assert [p.number for p in goes_on.evaluated] == list(range(kept, 7))
    assert same(search(file, Evaluator(dies_at=0)), whole)


def test_a_last_line_of_rubbish_is_cut_off_but_one_in_the_middle_is_an_error(
    image: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "gru.log"
    file.write_bytes(image + b"\0\0\0\0\n")
    assert len(search(file, Evaluator(dies_at=0))) == 7
    assert file.read_bytes() == image
    lines = image.splitlines(keepends=True)
    lines[5] = lines[5][:40] + b"\n"
    file.write_bytes(b"".join(lines))
    with pytest.raises(DataError, match=rf"gru\.log: line 6 of {len(lines)} is damaged"):
        search(file, Evaluator(dies_at=0))


WIDER: Space = {**CONTINUOUS, "layers": Interval(low=1, high=6, integer=True)}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"space": WIDER}, "dimension 'layers' differs"),
        ({"space": {**CONTINUOUS, "more": Options(options=(1,))}}, "dimension 'more' differs"),
        ({"space": {"rate": CONTINUOUS["rate"]}}, "dimension 'rate' differs"),
        ({"space": dict(reversed(CONTINUOUS.items()))}, "dimension 'head' differs"),
        ({"chosen": replace(SETTINGS, batch=2)}, "setting 'batch' differs"),
        ({"chosen": replace(SETTINGS, strategy="random")}, "setting 'strategy' differs"),
        (
            {"chosen": replace(SETTINGS, objectives=("error", "latency"))},
            "setting 'objectives' differs",
        ),
        ({"seed": 4}, "seed differs"),
        ({"search_id": "other"}, "search_id differs"),
    ],
)
def test_a_file_of_another_search_is_refused_before_any_evaluation(
    changes: dict[str, Any], complaint: str, image: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "gru.log"
    file.write_bytes(image)
    evaluator = Evaluator(dies_at=0)
    with pytest.raises(ParameterError, match=rf"gru\.log holds another search: {complaint}"):
        search(file, evaluator, **changes)
    assert evaluator.calls == 0
    assert file.read_bytes() == image


def test_a_study_of_somebody_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "gru.log"
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(file)))
    study = optuna.create_study(study_name=STUDY_NAME, storage=storage)
    study.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(ParameterError, match="dimension 'x' differs"):
        search(file, Evaluator())


def test_a_trial_of_somebody_else_is_refused(image: bytes, tmp_path: Path) -> None:
    file = tmp_path / "gru.log"
    file.write_bytes(image)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(file)))
    optuna.load_study(study_name=STUDY_NAME, storage=storage).ask()
    with pytest.raises(DataError, match=r"gru\.log: trial 7 was not written by a search"):
        search(file, Evaluator())


def test_a_search_can_be_carried_on_for_longer(tmp_path: Path) -> None:
    file = tmp_path / "gru.log"
    short = search(file, Evaluator(), replace(SETTINGS, trials=3))
    goes_on = Evaluator()
    assert same(search(file, goes_on), search(None, Evaluator()))
    assert len(goes_on.evaluated) == 4
    assert same(search(file, Evaluator(dies_at=0), replace(SETTINGS, trials=3)), short)


def test_two_searches_cannot_write_to_one_file(tmp_path: Path) -> None:
    file = tmp_path / "gru.log"
    with (
        FileLock(tmp_path / "gru.log.busy"),
        pytest.raises(ParameterError, match=r"gru\.log: another search is writing"),
    ):
        search(file, Evaluator())
    assert len(search(file, Evaluator())) == 7


def test_the_file_holds_lines_of_json_and_no_pickle(image: bytes) -> None:
    for line in image.splitlines():
        assert isinstance(json.loads(line), dict)


SCRIPT = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    from outer_samples import CONTINUOUS, evaluate, settings
    from regime_nas_pipeline.search.outer import run_search

    def dies(proposals):
        for proposal in proposals:
            if proposal.number >= 4:
                # What a kill in the middle of a write leaves: half a line and Optuna's lock.
                with Path(sys.argv[1]).open("ab") as file:
                    file.write(b'{"op_code": 4, "wor')
                os.symlink(sys.argv[1], sys.argv[1] + ".lock")
                os.kill(os.getpid(), signal.SIGKILL)
            yield from evaluate([proposal])

    run_search(CONTINUOUS, dies, settings("evolutionary"), seed=1, storage=Path(sys.argv[1]))
    """
)


def test_a_process_that_is_killed_leaves_a_file_that_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "gru.log"
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    killed = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(file)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    asked: list[int] = []

    def counts(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        for proposal in proposals:
            asked.append(proposal.number)
            yield outcome(cost(proposal.choices))

    chosen = settings("evolutionary")
    found = run_search(CONTINUOUS, counts, chosen, seed=1, storage=file)
    assert asked == [4, 5, 6, 7]
    assert same(found, run_search(CONTINUOUS, evaluate, chosen, seed=1))


def test_a_score_that_is_no_number_comes_back(tmp_path: Path) -> None:
    def fails(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        return (outcome(float("nan")) for _ in proposals)

    file = tmp_path / "gru.log"
    chosen = settings("random", 2)
    run_search(FINITE, fails, chosen, seed=0, storage=file)
    [first, _] = run_search(FINITE, fails, chosen, seed=0, storage=file)
    assert np.isnan(first.outcome.score)
