from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from regime_nas_pipeline.core.cache import code_version
from regime_nas_pipeline.core.cluster import (
    Cluster,
    answer,
    check_workers,
    connect,
    facts,
    refuse_other_code,
)
from regime_nas_pipeline.core.errors import ClusterError

WORKER = "tcp://10.0.0.7:4321"


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


class FewWorkers:
    """A client whose workers answer with what ``reply`` makes of an honest answer."""

    def __init__(self, *replies: Callable[[dict[str, Any]], Any]) -> None:
        self._replies = replies
        self.asked_for: list[Path] = []

    def run(self, function: Any, token: Any, questions: Any, *, on_error: str) -> dict[str, Any]:
        assert on_error == "return"
        if token is not None:
            self.asked_for.append(Path(token))
        worker = SimpleNamespace(state=SimpleNamespace(nthreads=1))
        honest = function(token, questions, dask_worker=worker)
        return {f"{WORKER}{n}": reply(dict(honest)) for n, reply in enumerate(self._replies)}


def _with_fact(name: str, value: str) -> Callable[[dict[str, Any]], Any]:
    return lambda honest: {**honest, "facts": {**honest["facts"], name: value}}


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (_with_fact("numpy", "1.26.0"), f"has numpy 1.26.0 (here {facts({})['numpy']})"),
        (_with_fact("Python", "3.10.1"), "has Python 3.10.1"),
        (_with_fact("torch", "none"), "has torch none"),
        (_with_fact("working directory", "/root"), "has working directory /root (here /job)"),
        (lambda honest: {**honest, "code": "other"}, "runs other source code"),
        (lambda honest: {**honest, "threads": 4}, "has 4 threads"),
        (lambda honest: {**honest, "limit": "8"}, "has OMP_NUM_THREADS=8"),
        (lambda honest: {**honest, "sees_folder": False}, "does not see the folder"),
        (lambda _: ModuleNotFoundError(name="torch"), "has no package 'torch'"),
        (lambda _: OSError("timed out"), "does not answer: OSError: timed out"),
    ],
)
def test_an_unfit_worker_is_named_with_its_fault(
    tmp_path: Path, reply: Callable[[dict[str, Any]], Any], told: str
) -> None:
    client = FewWorkers(lambda honest: honest, reply, reply)
    with pytest.raises(ClusterError) as caught:
        check_workers(client, folder=tmp_path, also={"working directory": lambda: "/job"})
    assert str(caught.value).startswith(f"worker {WORKER}1 {told}")
    assert str(caught.value).endswith("Nor are 1 more of 3 fit.")


def test_fit_workers_pass_and_nothing_stays_in_the_folder(tmp_path: Path) -> None:
    client = FewWorkers(lambda honest: honest)
    check_workers(client, folder=tmp_path)
    assert [path.parent for path in client.asked_for] == [tmp_path]
    assert list(tmp_path.iterdir()) == []
    check_workers(client, folder=None)


def test_a_folder_of_another_machine_is_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regime_nas_pipeline.core.cluster.FOLDER_APPEARS_WITHIN", 0.0)
    worker = SimpleNamespace(state=SimpleNamespace(nthreads=1))
    assert not answer(str(tmp_path / "absent"), {}, dask_worker=worker)["sees_folder"]


def test_a_cluster_without_workers_is_told(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="lost its workers"):
        check_workers(FewWorkers(), folder=tmp_path)


def test_work_of_other_code_is_refused() -> None:
    refuse_other_code(code_version())
    with pytest.raises(ClusterError, match="joined during the run"):
        refuse_other_code("other")


@pytest.mark.parametrize("place", ["tcp://127.0.0.1:{port}", "nowhere://x", "tcp://127.0.0.1:port"])
def test_a_scheduler_that_does_not_answer_is_named(place: str) -> None:
    pytest.importorskip("distributed")
    with socket.socket() as held:  # bound and not listening: nobody answers there
        held.bind(("127.0.0.1", 0))
        address = place.format(port=held.getsockname()[1])
        with pytest.raises(ClusterError) as caught:
            connect(Cluster(address, timeout=0.5))
    assert f"answers at '{address}' within 0.5 seconds" in str(caught.value)
    assert "dask scheduler" in str(caught.value)


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"regime_nas_pipeline\[dask\]"):
        connect(Cluster("tcp://127.0.0.1:1"))
