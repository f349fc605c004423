"""Parameters of the tests, the counting of trials and the economics of a result, typed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from regime_nas_pipeline.core.params import Strict
from regime_nas_pipeline.portfolio.economics.exposures import OTHER
from regime_nas_pipeline.verdict.trials.overfitting import MAX_BLOCKS
from regime_nas_pipeline.verdict.withdrawal import WITHDRAWABLE

Cost = Annotated[float, Field(ge=0.0, lt=5000.0)]
"""Basis points one way; a bar can trade twice the wealth, of which half would be all of it."""


class Capacity(Strict):
    """How much money is traded, and how much of the market's trading it may be.

    Attributes:
        portfolio_value: Size of the portfolio at every trade, in the currency of the prices.
        limit: Largest part of an asset's mean traded value per bar that one trade may be.
        window: Bars of that mean.
        volume_in: What the source's volume counts: ``units`` of the asset or ``currency``.
    """

    portfolio_value: float = Field(gt=0, allow_inf_nan=False)
    limit: float = Field(0.1, gt=0, le=1)
    window: int = Field(21, ge=1)
    volume_in: Literal["units", "currency"] = "units"


class Verdict(Strict):
    """How results are judged.

    Attributes:
        level: Of tests and confidence sets; a deflated Sharpe ratio passes at 1 - level.
        block_length: Bars per resampled block, at most a tenth of the sample; None chooses it
            from the data.
        resamples: Of every bootstrap.
        n_blocks: Blocks of the validation bars in the test for overfitting, even.
        costs_bps: Costs of the cost curve, one way, increasing; that of the run is added.
        capacity: For the participation in each asset's trading.
        withdrawn: Test to the reason why the report's sentences may not use it, as a placebo found;
            names as in docs/placebo.md.
        groups: Asset to group, for exposures; an asset that is left out belongs to "other".
    """

    level: float = Field(0.05, gt=0, lt=0.5)
    block_length: int | None = Field(None, ge=1)
    resamples: int = Field(5000, ge=1)
    n_blocks: int = Field(16, ge=2, le=MAX_BLOCKS, multiple_of=2)
    costs_bps: tuple[Cost, ...] = Field(min_length=1)
    capacity: Capacity
    withdrawn: dict[str, str] = Field(default_factory=dict)
    groups: dict[str, str] = Field(default_factory=dict)

    @field_validator("costs_bps")
    @classmethod
    def _increase(cls, costs: tuple[float, ...]) -> tuple[float, ...]:
        if list(costs) != sorted(set(costs)):
            raise ValueError(f"costs must increase; got {list(costs)}")
        return costs

    @field_validator("withdrawn")
    @classmethod
    def _are_tests(cls, withdrawn: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(withdrawn) - set(WITHDRAWABLE))
        if unknown:
            raise ValueError(
                f"no test of the report is called '{unknown[0]}'; there are: "
                f"{', '.join(WITHDRAWABLE)}"
            )
        return withdrawn

    @field_validator("groups")
    @classmethod
    def _leaves_other_free(cls, groups: dict[str, str]) -> dict[str, str]:
        if OTHER in groups.values():
            raise ValueError(f"'{OTHER}' is the group of assets without one; use another name")
        return groups
