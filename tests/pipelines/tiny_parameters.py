"""Parameters that a run must have and that pipelines without networks make no use of."""

from __future__ import annotations

from regime_nas_pipeline.walkforward.parameters import Compute, Training

TRAINING = Training(
    n_seeds=1,
    max_samples=10,
    batch_dates=1,
    sample_every=1,
    validation_fraction=0.2,
    patience=1,
    plateau_patience=1,
    gradient_clip=1.0,
)
COMPUTE = Compute(n_jobs=1, seed=1)
