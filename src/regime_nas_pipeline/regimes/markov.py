"""Regimes as the hidden states of a Markov chain that sets mean and variance of the return."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.filtering import hamilton_filter
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.base import (
    Labeller,
    calm_first_names,
    label_frame,
    only_one_regime,
    positions,
    refuse_small_regimes,
)
from regime_nas_pipeline.regimes.criterion import bayes_information
from regime_nas_pipeline.regimes.markov_em import (
    Estimate,
    GaussianChain,
    chain_model,
    estimate,
    smooth,
)
from regime_nas_pipeline.regimes.scaling import scale_training


class HiddenMarkovLabeller(Labeller):
    """A hidden Markov chain over the market return, with switching mean and variance.

    The parameters are of maximum likelihood, by expectation-maximisation from several starts.
    The probabilities of a bar are those of Hamilton's filter from the first bar of the market up
    to this one (:func:`~regime_nas_pipeline.core.filtering.hamilton_filter`), never smoothed. Bars
    without a market return are passed over and have no label. Regimes are named by their
    variance, calmest first.

    Args:
        n_regimes: Number of states K, at least 2.
        n_starts: Starts of the estimation; the likeliest after a few steps is followed on.
        most_steps: Steps after which an estimation that has not converged is given up.
        seed: Seed of the starts.

    Attributes:
        transition_: P(state j at the next bar | state i) in row i, column j, (K, K).
        means_: Mean log return of a bar in each state, (K,), in the order of ``regime_names``.
        variances_: Its variance, (K,).

    Source: Hamilton, J. D. (1989). A New Approach to the Economic Analysis of Nonstationary Time
    Series and the Business Cycle. Econometrica 57(2).
    """

    def __init__(
        self, n_regimes: int = 2, n_starts: int = 5, most_steps: int = 2000, seed: int = 0
    ) -> None:
        self.n_regimes = n_regimes
        self.n_starts = n_starts
        self.most_steps = most_steps
        self.seed = seed

    @property
    def regime_names(self) -> tuple[str, ...]:
        """``calm`` and ``stressed``, with ``middle`` between them; else ``volatility_1`` …."""
        return calm_first_names(self.n_regimes)

    @property
    def named_by_rule(self) -> bool:
        """States are matched from refit to refit."""
        return False

    @property
    def signature_names(self) -> tuple[str, ...]:
        """Mean and volatility of the market return."""
        return ("mean", "volatility")

    def required_history(self) -> int:
        """Ten returns for each parameter of the chain, and one bar for the first return."""
        return 10 * self._n_parameters() + 1

    def _n_parameters(self) -> int:
        return self.n_regimes * (self.n_regimes - 1) + 2 * self.n_regimes

    def fit(self, market: Market) -> Self:
        """Estimate the chain on every bar that has a market return.

        Raises:
            ParameterError: Fewer than two regimes, or no start or step.
            DataError: The market is too short, the estimation does not converge, or the returns
                are those of one regime.
        """
        if self.n_regimes < 2 or min(self.n_starts, self.most_steps) < 1:
            raise ParameterError(
                "HiddenMarkovLabeller needs n_regimes >= 2, n_starts >= 1 and most_steps >= 1."
            )
        self.check_fit_input(market)
        returns = market.market_return
        known = returns[np.isfinite(returns)]
        scaling, scaled = scale_training(self, market, known[:, None], self.n_regimes)
        mean, scale = float(scaling.mean[0]), float(scaling.scale[0])
        # One thread: the order of the sums would change the bits.
        with threadpool_limits(limits=1):
            found = estimate(
                scaled[:, 0],
                self.n_regimes,
                n_starts=self.n_starts,
                most_steps=self.most_steps,
                seed=self.seed,
            )
        chain = self._checked(found, market, len(known)).chain
        self.transition_, self.means_ = chain.transition, mean + scale * chain.means
        self.variances_ = scale**2 * chain.variances
        self.year_ = market.bars_per_year
        self.signature_scale_ = scale * np.array([self.year_, np.sqrt(self.year_)])
        self._take(np.argsort(chain.variances, kind="stable"))
        return self

    def _checked(self, found: Estimate | None, market: Market, n_bars: int) -> Estimate:
        """The estimate, if it is one of K regimes of standardised returns."""
        if found is None:
            raise only_one_regime(
                self, market, f"each of {self.n_starts} starts collapsed onto a few bars"
            )
        if not found.converged:
            raise DataError(
                f"HiddenMarkovLabeller: the best of {self.n_starts} starts did not converge within "
                f"{self.most_steps} steps",
                source="prices",
                date=market.dates[-1],
                remedy="raise most_steps, lower n_regimes, or lengthen the burn-in.",
            )
        refuse_small_regimes(self, market, found.smoothed)
        one = -0.5 * n_bars * (1.0 + float(np.log(2.0 * np.pi)))
        several = bayes_information(found.log_likelihood, self._n_parameters(), n_bars)
        if not several < bayes_information(one, 2, n_bars):
            raise only_one_regime(
                self, market, f"one regime describes the returns as well as {self.n_regimes}"
            )
        return found

    def chain(self) -> GaussianChain:
        """The fitted chain."""
        return GaussianChain(self.transition_, self.means_, self.variances_)

    def predict_online(self, market: Market, dates: pd.DatetimeIndex) -> pd.DataFrame:
        """Filtered probability of each state at each date; no row without a market return."""
        rows = positions(market, dates)
        returns = market.market_return[: max(rows, default=-1) + 1]
        known = np.isfinite(returns)
        probabilities: np.ndarray = np.full((len(returns), self.n_regimes), np.nan)
        chain = self.chain()
        states = hamilton_filter(
            chain.log_densities(returns[known]), chain.transition, chain.stationary()
        )
        probabilities[known] = states.filtered
        return label_frame(self, dates, probabilities[rows])

    def _whole_sample(self, market: Market) -> pd.DataFrame:
        returns = market.market_return
        known = np.isfinite(returns)
        with threadpool_limits(limits=1):
            smoothed, _, _ = smooth(chain_model(returns[known], self.n_regimes), self.chain())
        return label_frame(self, market.dates[known], smoothed)

    def signature(self) -> np.ndarray:
        """Mean and volatility of the market return in each state, both a year, (K, 2)."""
        return np.column_stack([self.means_ * self.year_, np.sqrt(self.variances_ * self.year_)])

    def _take(self, order: np.ndarray) -> None:
        self.transition_ = self.transition_[np.ix_(order, order)]
        self.means_, self.variances_ = self.means_[order], self.variances_[order]

    def criterion(self, market: Market) -> float:
        """Schwarz's criterion of the chain on the returns of ``market``."""
        returns = market.market_return
        returns = returns[np.isfinite(returns)]
        chain = self.chain()
        states = hamilton_filter(chain.log_densities(returns), chain.transition, chain.stationary())
        likelihood = float(states.log_likelihood.sum())
        return bayes_information(likelihood, self._n_parameters(), len(returns))
