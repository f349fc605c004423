from __future__ import annotations

import numpy as np
from kedro.pipeline import node
from threadpoolctl import threadpool_info, threadpool_limits

from regime_nas_pipeline.hooks import ProjectHooks


def test_a_node_begins_on_one_blas_thread() -> None:
    """Sums of more than some ten thousand numbers have other last bits on two threads."""
    np.ones((2, 2)) @ np.ones((2, 2))
    with threadpool_limits(limits=2):
        ProjectHooks().before_node_run(node(len, "prices", "length", name="count"))
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
