"""A search whose process is killed goes on from its journal, to the same result."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pandas as pd
import pytest
from project_runs import Case, stock_case

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("finished")]

STAGES = "--pipelines=ingestion,regime_labelling,nas_search"
TRIALS = 3
SEARCHES = 3


def journals(case: Case) -> list[Path]:
    return sorted((case.output / "cache" / "searches").glob("*.log"))


def finished_trials(journal: Path) -> int:
    """Trials in a journal: each is one line, which holds its outcome."""
    return sum(b'"outcome"' in line for line in journal.read_bytes().splitlines(keepends=True))


def killed_in_the_middle_of_a_search(case: Case) -> Path:
    """Kill a run while some search has finished one trial and not the last; its journal."""
    process = case.start(STAGES)
    try:
        for _ in range(6000):
            assert process.poll() is None, case.said  # it ended before it could be killed
            for journal in journals(case):
                # The first search may be over; a later one is where an unwary restart loses most.
                if len(journals(case)) > 1 and 1 <= finished_trials(journal) < TRIALS:
                    return journal
            time.sleep(0.02)
        raise AssertionError("no search got under way")
    finally:
        process.kill()
        process.wait()


def test_a_search_that_was_killed_goes_on_from_its_journal(
    finished: Case, bundled_prices: pd.DataFrame, tmp_path: Path
) -> None:
    case = stock_case(tmp_path, bundled_prices)
    interrupted = killed_in_the_middle_of_a_search(case)
    before = {journal: journal.read_bytes() for journal in journals(case)}
    done = sum(map(finished_trials, before))
    at_hand = finished_trials(interrupted)
    assert TRIALS < done < TRIALS * SEARCHES
    # Nothing but the journals can tell what the killed run had finished.
    for piece in (case.output / "cache").rglob("*.safetensors"):
        piece.unlink()

    said = case.process(STAGES)

    assert len(journals(case)) == SEARCHES
    assert {finished_trials(journal) for journal in journals(case)} == {TRIALS}
    for journal, content in before.items():
        # What was there stays as it was, but for a last line that the kill left half written.
        whole = content[: content.rfind(b"\n") + 1]
        assert journal.read_bytes().startswith(whole)
    evaluated = list((case.output / "cache").rglob("*.safetensors"))
    assert len(evaluated) == TRIALS * SEARCHES - done
    for name in ("architecture", "gru.tuned", "transformer.tuned"):
        assert case.load(name) == finished.load(name)
    columns = ["trial_id", "score", "choices", "parameters", "facts"]
    pd.testing.assert_frame_equal(
        case.load("search_trials")[columns], finished.load("search_trials")[columns]
    )
    # The bar starts at what was there, and says what is best, how fast it goes and how long still.
    assert f"{at_hand}/{TRIALS} trials" in said
    assert re.search(r"best 0\.\d{4} of no change, \d+\.\d trials/min, 00:\d\d left", said)


def test_a_damaged_journal_is_named(
    bundled_prices: pd.DataFrame, finished: Case, tmp_path: Path
) -> None:
    case = stock_case(tmp_path, bundled_prices)
    for source in journals(finished):
        copy = case.output / "cache" / "searches" / source.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        lines = source.read_bytes().splitlines(keepends=True)
        copy.write_bytes(b"".join([lines[0][: len(lines[0]) // 2] + b"\n", *lines[1:]]))
    result = case.command(STAGES)
    assert result.exit_code != 0
    message = result.output[result.output.index("Error:") :]
    assert any(path.name in message for path in journals(case))
    assert "damaged" in message
    assert "Traceback" not in result.output
