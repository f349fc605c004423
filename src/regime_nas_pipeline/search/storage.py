"""Finished trials on disk: one Optuna journal per search, which survives a kill.

A trial enters the journal as one line when its outcome is there, with everything that the outcome
holds, so the file is the one source of truth on resuming: what it holds is not evaluated again.
A trial that was running when the process was killed is not in it; it is asked again and, since
proposals depend on finished trials and the seed alone, has the same number and choices.

``optuna.load_study(study_name="search", storage=...)`` opens the file with Optuna's own tools.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.search.space import Space
from regime_nas_pipeline.search.trials import (
    Outcome,
    OuterSettings,
    Proposal,
    Trial,
    objective_values,
)

STUDY_NAME = "search"
_SPACE, _SETTINGS, _SEED, _SEARCH = "space", "settings", "seed", "search_id"


class TrialJournal:
    """The trials of one search in one file; made by ``open_journal``.

    Attributes:
        trials: What the file held when it was opened, in order of number.
    """

    def __init__(self, path: Path, space: Space, settings: OuterSettings) -> None:
        self._space, self._objectives = space, settings.objectives
        self._distributions = {name: each.distribution() for name, each in space.items()}
        self._study = _study(path, len(settings.objectives))
        self.trials: list[Trial] = []

    def identify(self, path: Path, identity: dict[str, Any]) -> None:
        """Write what the file belongs to, or check it, and read the trials.

        Raises:
            ParameterError: The file belongs to another search.
            DataError: The file holds a trial that this code did not write.
        """
        found = self._study.user_attrs
        started = bool(self._study.get_trials(deepcopy=False))
        for name, value in identity.items():
            if name in found or started:
                _check_same(path, name, found.get(name), value)
            else:
                self._study.set_user_attr(name, value)
        for number, stored in enumerate(self._study.get_trials(deepcopy=False)):
            if stored.state is not TrialState.COMPLETE or "outcome" not in stored.user_attrs:
                raise DataError(
                    f"trial {number} was not written by a search of this project",
                    source=path.as_posix(),
                    remedy="move the file away; the search then starts anew.",
                )
            self.trials.append(self._restored(stored))

    def add(self, proposal: Proposal, outcome: Outcome, started: dt.datetime) -> Trial:
        """Keep a finished trial.

        Args:
            proposal: The next number.
            outcome: Its ``parameters`` and ``facts`` are JSON values.
            started: When it was proposed, in local time.

        Returns:
            The trial as it will be read again, so that a search which was broken off and one which
            was not hold the same.
        """
        record = asdict(outcome)
        record["returns"] = {
            "dtype": str(outcome.returns.dtype),
            "values": outcome.returns.tolist(),
        }
        values = objective_values([Trial(proposal, outcome)], self._objectives)[0]
        frozen = create_trial(
            state=TrialState.COMPLETE,
            values=values.tolist(),
            params=proposal.choices,
            distributions=self._distributions,
            user_attrs={
                "seed": proposal.seed,
                "cut_off": proposal.cut_off,
                "outcome": json.loads(json.dumps(record)),
            },
        )
        frozen.number, frozen.datetime_start = proposal.number, started
        self._study.add_trial(frozen)
        return self._restored(frozen)

    def _restored(self, stored: FrozenTrial) -> Trial:
        record = dict(stored.user_attrs["outcome"])
        returns = np.array(record["returns"]["values"], dtype=record["returns"]["dtype"])
        choices = {name: stored.params[name] for name in self._space}
        attributes = stored.user_attrs
        return Trial(
            Proposal(stored.number, attributes["seed"], choices, attributes["cut_off"]),
            Outcome(**{**record, "returns": returns}),
        )


@contextmanager
def open_journal(
    path: Path, space: Space, settings: OuterSettings, *, seed: int, search_id: str
) -> Iterator[TrialJournal]:
    """Open or begin the journal of a search; no other process may meanwhile.

    A last line that a kill left half written is cut off: its trial had not finished. The number of
    trials is not part of what must agree, so a search can be carried on for longer.

    Args:
        path: The file; its folder is made.
        space: What may be chosen.
        settings: Of the outer search.
        seed: Of the search.
        search_id: Hash of whatever else the outcomes depend on.

    Raises:
        ParameterError: The file belongs to another search (it names the first dimension or
            setting that differs), or another process is writing to it.
        DataError: The file is damaged elsewhere than at its end.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(path.name + ".busy"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ParameterError(
            f"{path.as_posix()}: another search is writing to this file; wait for it to end."
        ) from error
    try:
        _mend(path)
        journal = TrialJournal(path, space, settings)
        journal.identify(path, _identity(space, settings, seed, search_id))
        yield journal
    finally:
        lock.release()


def _study(path: Path, n_objectives: int) -> optuna.Study:
    # Optuna's own lock on a write would outlive a process that was killed in the middle of it.
    # Nobody else writes while the journal is open.
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    storage = JournalStorage(JournalFileBackend(str(path)))
    if any(study.study_name == STUDY_NAME for study in optuna.get_all_study_summaries(storage)):
        return optuna.load_study(study_name=STUDY_NAME, storage=storage)
    return optuna.create_study(
        study_name=STUDY_NAME, storage=storage, directions=["minimize"] * n_objectives
    )


def _mend(path: Path) -> None:
    """Cut off a last line that is not whole.

    Raises:
        DataError: Another line is not whole.
    """
    if not path.exists():
        return
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        if _is_whole(line):
            continue
        if number < len(lines):
            raise DataError(
                f"line {number} of {len(lines)} is damaged",
                source=path.as_posix(),
                remedy="restore the file or move it away; the search then starts anew.",
            )
        with path.open("r+b") as file:
            file.truncate(sum(map(len, lines[:-1])))


def _is_whole(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _identity(space: Space, settings: OuterSettings, seed: int, search_id: str) -> dict[str, Any]:
    """What a file belongs to, as JSON values; dimensions in order, since proposals depend on it."""
    plain = {name: value for name, value in asdict(settings).items() if name != "trials"}
    identity = {
        _SPACE: [[name, each.model_dump(mode="json")] for name, each in space.items()],
        _SETTINGS: plain,
        _SEED: seed,
        _SEARCH: search_id,
    }
    return json.loads(json.dumps(identity))  # type: ignore[no-any-return]


def _check_same(path: Path, name: str, found: Any, wanted: Any) -> None:
    """Raise a ParameterError that says where two identities differ first, if they do."""
    if json.dumps(found) == json.dumps(wanted):
        return
    if name == _SPACE:
        place = _first_difference(found or [], wanted)
    elif name == _SETTINGS:
        differing = [key for key in wanted if (found or {}).get(key) != wanted[key]]
        place = f"setting '{differing[0]}'" if differing else "a setting"
    else:
        place = name
    raise ParameterError(
        f"{path.as_posix()} holds another search: {place} differs. Give this search a file of its "
        "own, or move that one away."
    )


def _first_difference(found: list[Any], wanted: list[Any]) -> str:
    for position in range(max(len(found), len(wanted))):
        pair = [side[position] if position < len(side) else None for side in (found, wanted)]
        if json.dumps(pair[0]) != json.dumps(pair[1]):
            [name, _] = pair[1] or pair[0] or ["", None]
            return f"dimension '{name}'"
    return "the space"
