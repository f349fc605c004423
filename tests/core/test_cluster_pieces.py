from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("distributed")

from distributed import Client

from cluster_work import (
    Weighty,
    changed_in_place,
    end_worker,
    faulty,
    own_process,
    processes_within,
    rounded_sums,
    sums_of_a_lost_worker,
)
from dask_cluster import DaskCluster
from regime_nas_pipeline.core import cluster
from regime_nas_pipeline.core.cache import PieceCounts, take_counts
from regime_nas_pipeline.core.cluster import Cluster, check_workers, connected
from regime_nas_pipeline.core.cluster_place import use_cluster
from regime_nas_pipeline.core.errors import ClusterError, DataError
from regime_nas_pipeline.core.parallel import parallel_flow, parallel_map, parallel_stream

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    started = DaskCluster(tmp_path_factory.mktemp("cluster"), n_workers=2)
    yield started.address
    started.stop()


@pytest.fixture
def in_use(address: str) -> Iterator[Cluster]:
    chosen = Cluster(address, timeout=300.0)
    use_cluster(chosen)
    yield chosen
    use_cluster(None)


def test_workers_give_the_bits_order_and_counts_of_one_process(
    in_use: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weighty = Weighty(1)
    here = [(weighty, seed, str(tmp_path / "here")) for seed in range(7)]
    there = [(weighty, seed, str(tmp_path / "there")) for seed in range(7)]
    expected = parallel_map(rounded_sums, here, n_jobs=1)
    take_counts()
    packed = Weighty.packed
    found = parallel_map(rounded_sums, there, n_jobs=-1, description="sums", unit="piece")
    assert Weighty.packed == packed + 1
    assert "7/7" in capsys.readouterr().err
    assert take_counts() == PieceCounts(made=7)
    assert [each["sums"].tobytes() for each in found] == [e["sums"].tobytes() for e in expected]
    parallel_map(rounded_sums, there[:5], n_jobs=2)
    assert take_counts() == PieceCounts(reused=5)


@pytest.mark.parametrize("n_jobs", [-1, 2])
def test_pieces_may_be_made_of_earlier_results(in_use: Cluster, n_jobs: int) -> None:
    """The sum of 5,000 values of 1 + step, where the step is the mean two results before."""
    values = np.ones(5000)
    found: list[float] = []
    known: list[int] = []

    def tasks() -> Iterator[tuple[float]]:
        for place in range(6):
            known.append(len(found))
            yield (found[place - 2] / 5000.0,) if place >= 2 else (0.0,)

    flow = parallel_flow(changed_in_place, tasks(), ahead=2, shared=(values,), n_jobs=n_jobs)
    for result in flow:
        assert len(known) <= len(found) + 2
        found.append(result)
    assert found == [5000.0, 5000.0, 10000.0, 10000.0, 15000.0, 15000.0]
    assert known == [0, 0, 1, 2, 3, 4]
    assert values.sum() == 5000.0


def test_pieces_are_done_elsewhere_unless_one_process_is_asked_for(in_use: Cluster) -> None:
    assert os.getpid() not in parallel_map(own_process, [()] * 4, n_jobs=-1)
    assert parallel_map(own_process, [(), ()], n_jobs=1) == [os.getpid()] * 2
    use_cluster(None)
    assert parallel_map(own_process, [()], n_jobs=-1) == [os.getpid()]


def test_pieces_of_a_piece_stay_in_its_process(in_use: Cluster) -> None:
    (within,) = parallel_map(processes_within, [()], n_jobs=-1)
    assert len(within) == 1
    assert os.getpid() not in within


def test_shared_data_is_with_every_worker_before_the_first_piece(
    in_use: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected(replace(in_use, workers=2)):  # the second one may be late
        pass
    seen: list[str] = []
    submit, replicate = Client.submit, Client.replicate

    def submitted(client: Client, *arguments: Any, key: str, **options: Any) -> Any:
        seen.append(key.partition("-")[0])
        return submit(client, *arguments, key=key, **options)

    def replicated(client: Client, futures: list[Any]) -> None:
        replicate(client, futures)
        seen.extend(f"on {len(workers)}" for workers in client.who_has(futures).values())

    monkeypatch.setattr(Client, "submit", submitted)
    monkeypatch.setattr(Client, "replicate", replicated)
    values = np.full(5000, 3.0)
    parallel_map(changed_in_place, [(values, float(step)) for step in range(3)], n_jobs=-1)
    assert seen == ["argument", "on 2", *["changed_in_place"] * 3]


def test_pieces_cannot_change_what_others_read(in_use: Cluster) -> None:
    values = np.ones(5000)
    tasks = [(values, float(step)) for step in range(4)]
    assert parallel_map(changed_in_place, tasks, n_jobs=-1) == [5000.0, 10000.0, 15000.0, 20000.0]
    assert values.sum() == 5000.0


def test_an_error_of_a_worker_is_the_same_error_here(in_use: Cluster) -> None:
    stream = parallel_stream(faulty, [(number,) for number in range(5)], n_jobs=-1)
    assert [next(stream), next(stream)] == [0, 1]
    with pytest.raises(DataError) as caught:
        next(stream)
    assert (caught.value.asset, caught.value.remedy) == ("ACME", "mend it.")


def test_a_worker_that_is_lost_halfway_changes_no_bit(in_use: Cluster, tmp_path: Path) -> None:
    weighty = Weighty(2)
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (here / "ended").touch()
    tasks = [(weighty, seed, str(here), seed == 3) for seed in range(8)]
    expected = parallel_map(sums_of_a_lost_worker, tasks, n_jobs=1)
    tasks = [(weighty, seed, str(there), seed == 3) for seed in range(8)]
    found = parallel_map(sums_of_a_lost_worker, tasks, n_jobs=-1)
    assert (there / "ended").exists()
    assert [each["sums"].tobytes() for each in found] == [e["sums"].tobytes() for e in expected]


def test_a_worker_that_is_lost_while_it_gets_shared_data_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask's scheduler then draws more workers than it has left, and replication fails."""
    failures: list[str] = []
    replicate = Client.replicate

    def replicated(client: Client, futures: list[Any]) -> None:
        futures[0].result()
        ((holder,),) = client.who_has(futures).values()
        ((_, other),) = (each for each in client.run(os.getpid).items() if each[0] != holder)
        os.kill(other, signal.SIGSTOP)  # so that it is asked, and cannot answer
        threading.Timer(2.0, os.kill, (other, signal.SIGKILL)).start()
        try:
            replicate(client, futures)
        except Exception as error:
            failures.append(str(error))
            raise

    monkeypatch.setattr(Client, "replicate", replicated)
    values = np.ones(5000)
    started = DaskCluster(tmp_path, n_workers=2, COMM__TIMEOUTS__CONNECT="3s")
    use_cluster(Cluster(started.address, workers=2, timeout=300.0))
    try:
        tasks = [(values, float(step)) for step in range(2)]
        assert parallel_map(changed_in_place, tasks, n_jobs=-1) == [5000.0, 10000.0]
    finally:
        use_cluster(None)
        started.stop()
    assert failures  # else this says nothing


def test_a_piece_that_ends_every_worker_and_a_lost_scheduler_are_told(tmp_path: Path) -> None:
    started = DaskCluster(tmp_path, n_workers=3, SCHEDULER__ALLOWED_FAILURES="1")
    use_cluster(Cluster(started.address, workers=3, timeout=60.0))
    try:
        with pytest.raises(ClusterError, match="2 workers ended while they did the same piece"):
            parallel_map(end_worker, [()], n_jobs=-1)
        stream = parallel_stream(own_process, [()] * 9, n_jobs=-1)
        next(stream)
        started.scheduler.kill()
        with pytest.raises(ClusterError, match="the cluster dropped the work: its scheduler"):
            list(stream)
    finally:
        use_cluster(None)
        started.stop()


def test_workers_that_are_like_this_process_are_fit(in_use: Cluster, tmp_path: Path) -> None:
    with connected(in_use) as client:
        check_workers(client, folder=tmp_path, also={"working directory": os.getcwd})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("version", lambda name: "1.0", "has arch "),
        ("code_version", lambda: "other", "runs other source code of this project"),
    ],
)
def test_workers_with_other_releases_or_code_are_refused(
    in_use: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: object,
    told: str,
) -> None:
    monkeypatch.setattr(cluster, name, value)
    with connected(in_use) as client, pytest.raises(ClusterError, match=f"worker tcp.*{told}"):
        check_workers(client, folder=tmp_path)


def test_missing_workers_are_told(address: str) -> None:
    with pytest.raises(ClusterError, match=r"has \d of 9 workers after 0.3 seconds"):
        cluster.connect(Cluster(address, workers=9, timeout=0.3))
