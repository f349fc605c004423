"""Reinforcement learning: a recurrent controller draws one choice after another.

Zoph and Le 2017 (Neural architecture search with reinforcement learning, arXiv 1611.01578):
REINFORCE (Williams 1992) with a moving-average baseline, and an entropy bonus. The reward is the
share of all earlier candidates that one beats (by Pareto rank where there are several
objectives): it needs no scale, so errors that differ in the third digit teach as much.

There is no saved state: the controller is the result of replaying the trials in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from regime_nas_pipeline.networks.training import single_threaded
from regime_nas_pipeline.search.pareto import domination_ranks
from regime_nas_pipeline.search.random_search import tried_so_far
from regime_nas_pipeline.search.space import Interval, Options, Value
from regime_nas_pipeline.search.trials import (
    ControllerSettings,
    OuterSettings,
    Proposal,
    Trial,
    objective_values,
    own_generator,
)
from regime_nas_pipeline.search.tried import Candidates

_ATTEMPTS = 32


class Controller(nn.Module):
    """An LSTM cell over the dimensions of a space, one softmax head per dimension.

    The heads start at zero, so that the first policy is uniform.

    Args:
        sizes: Tokens of each dimension.
        hidden: Units of the cell.
    """

    def __init__(self, sizes: Sequence[int], hidden: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(hidden, hidden)
        self.start = nn.Parameter(0.1 * torch.randn(hidden))
        self.tokens = nn.ModuleList(nn.Embedding(size, hidden) for size in sizes[:-1])
        self.heads = nn.ModuleList(nn.Linear(hidden, size) for size in sizes)
        for weight in self.heads.parameters():
            nn.init.zeros_(weight)

    def sample(self, generator: np.random.Generator) -> list[int]:
        """One token per dimension, drawn from the policy."""
        drawn: list[int] = []
        with torch.no_grad():
            state = None
            for place, head in enumerate(self.heads):
                state = self._step(place, torch.tensor([drawn[-1:]]), state)
                weights = torch.softmax(head(state[0][0]).double(), dim=0).numpy()
                drawn.append(int(generator.choice(len(weights), p=weights / weights.sum())))
        return drawn

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probability and entropy of the policy along candidates.

        Args:
            tokens: Candidates × dimensions, (B, D).

        Returns:
            Sums over dimensions, (B,) each.
        """
        state = None
        log_probability = entropy = torch.zeros(len(tokens))
        for place, head in enumerate(self.heads):
            state = self._step(place, tokens[:, max(0, place - 1)][:, None], state)
            logs = torch.log_softmax(head(state[0]), dim=1)
            log_probability = log_probability + logs.gather(1, tokens[:, [place]])[:, 0]
            entropy = entropy - (logs.exp() * logs).sum(dim=1)
        return log_probability, entropy

    def _step(
        self, place: int, before: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        if place:
            return self.cell(self.tokens[place - 1](before[:, 0]), state)  # type: ignore[no-any-return]
        return self.cell(self.start.expand(len(before), -1), state)  # type: ignore[no-any-return]


class ReinforceProposer:
    """Samples candidates from a controller that has learned from every whole batch so far.

    Candidates that were tried already are drawn again. Uniform proposals (start-up, exploration)
    teach like its own, which biases the gradient a little towards what the policy already does.

    Args:
        candidates: Of the space.
        settings: Controller, batch and objectives.
        seed: Of the search.
    """

    def __init__(self, candidates: Candidates, settings: OuterSettings, seed: int) -> None:
        self._candidates, self._settings, self._seed = candidates, settings, seed
        self._grids = [
            _Grid(dimension, settings.controller.grid) for dimension in candidates.space.values()
        ]
        self._learner = self._untrained()
        self._replayed: list[Trial] = []

    def propose(
        self, number: int, history: Sequence[Trial], pending: Sequence[Proposal]
    ) -> dict[str, Any]:
        """See ``trials.Proposer``."""
        generator = own_generator(self._seed, number, 0)
        tried = tried_so_far(self._candidates, history, pending)
        with single_threaded(0):
            self._replay(history)
            for _ in range(_ATTEMPTS):
                choices = self._decoded(self._learner.controller.sample(generator))
                if tried.is_open(choices):
                    return choices
        return tried.nearest(choices, generator)

    def _replay(self, history: Sequence[Trial]) -> None:
        """Bring the controller up to the last whole batch; only what is new to it is replayed."""
        history = history[: len(history) - len(history) % self._settings.batch]
        done = len(self._replayed)
        if any(a is not b for a, b in zip(self._replayed, history, strict=False)) or done > len(
            history
        ):
            self._learner, done = self._untrained(), 0
        new = groupby(history[done:], lambda each: each.proposal.number // self._settings.batch)
        for _, batch in new:
            trials = list(batch)
            done += len(trials)
            costs = objective_values(history[:done], self._settings.objectives)
            tokens = [self._tokens(trial.proposal.choices) for trial in trials]
            self._learner.learn(tokens, rewards(costs)[-len(trials) :])
        self._replayed = list(history)

    def _untrained(self) -> _Learner:
        sizes = [len(grid.values) for grid in self._grids]
        return _Learner(sizes, self._settings.controller, self._seed)

    def _tokens(self, choices: dict[str, Any]) -> list[int]:
        return [grid.token(choices[name]) for grid, name in self._paired()]

    def _decoded(self, tokens: Sequence[int]) -> dict[str, Any]:
        return {
            name: grid.values[token]
            for (grid, name), token in zip(self._paired(), tokens, strict=True)
        }

    def _paired(self) -> list[tuple[_Grid, str]]:
        return list(zip(self._grids, self._candidates.space, strict=True))


def rewards(costs: np.ndarray) -> np.ndarray:
    """Share of the other candidates that each one beats, ties counting half, (N,).

    Args:
        costs: Candidates × objectives, less is better.
    """
    ranks = domination_ranks(costs)
    if len(ranks) == 1:
        return np.array([0.5])
    worse = np.sum(ranks[:, None] < ranks[None], axis=1)
    equal = np.sum(ranks[:, None] == ranks[None], axis=1) - 1
    share: np.ndarray = (worse + 0.5 * equal) / (len(ranks) - 1)
    return share


class _Learner:
    """A controller, its optimiser and its baseline."""

    def __init__(self, sizes: Sequence[int], settings: ControllerSettings, seed: int) -> None:
        with single_threaded(seed):
            self.controller = Controller(sizes, settings.hidden)
        self._settings = settings
        self._optimiser = torch.optim.Adam(self.controller.parameters(), lr=settings.learning_rate)
        self._baseline = 0.5

    def learn(self, tokens: Sequence[Sequence[int]], reward: np.ndarray) -> None:
        """One step of REINFORCE on a batch of candidates."""
        log_probability, entropy = self.controller(torch.tensor(tokens))
        advantage = torch.tensor(reward - self._baseline, dtype=torch.float32)
        gain = (advantage * log_probability + self._settings.entropy * entropy).mean()
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(-gain)
        self._optimiser.step()
        for each in reward:
            kept = self._settings.baseline
            self._baseline = kept * self._baseline + (1.0 - kept) * float(each)


class _Grid:
    """The values of a dimension that the controller chooses among."""

    def __init__(self, dimension: Options | Interval, cells: int) -> None:
        self._dimension = dimension
        self.values: tuple[Value, ...] = ()
        if isinstance(dimension, Options) or dimension.size() <= cells:
            self.values = dimension.values()
        else:
            middles = [dimension.decode((cell + 0.5) / cells) for cell in range(cells)]
            # Whole numbers on a log scale: two quantiles may be one value.
            self.values = tuple(dict.fromkeys(middles))

    def token(self, value: Value) -> int:
        """The grid value that lies closest to ``value``."""
        places = np.array([self._dimension.encode(each) for each in self.values])
        return int(((places - self._dimension.encode(value)) ** 2).sum(axis=1).argmin())
