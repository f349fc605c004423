from __future__ import annotations

import pytest
from pydantic import ValidationError

from regime_nas_pipeline.walkforward.parameters import ClusterChoice, Compute

CLUSTER = {"address": "tcp://host:8786", "workers": 4}


def test_where_work_is_done_is_no_part_of_what_is_hashed() -> None:
    there = Compute.model_validate({"seed": 1, "cluster": CLUSTER})
    assert there.cluster == ClusterChoice(address="tcp://host:8786", workers=4, timeout=30.0)
    assert there.model_dump(mode="json") == Compute(seed=1).model_dump(mode="json")
    assert "cluster" not in there.model_dump()


@pytest.mark.parametrize(
    "cluster", [{}, {"address": ""}, {**CLUSTER, "workers": 0}, {**CLUSTER, "port": 1}]
)
def test_a_cluster_without_an_address_or_workers_or_with_more_is_refused(cluster: object) -> None:
    with pytest.raises(ValidationError):
        Compute.model_validate({"seed": 1, "cluster": cluster})
