"""The computing process: turns, stop, death."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Thread

import pytest

from deepdream.studio.worker import JobFailed, Worker
from tests.studio import jobs


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker(None)
    assert worker.result("start", jobs.count, 1) == "done"
    yield worker
    worker.close()


def test_a_job_reports_and_returns_and_fails_in_one_line(worker: Worker) -> None:
    assert list(worker.run("tab", jobs.count, 3)) == [0, 1, 2, "done"]
    with pytest.raises(JobFailed, match=r"^ValueError: there is no such layer$"):
        worker.result("tab", jobs.fail, ValueError("there is no such\nlayer"))


def test_tabs_take_turns(worker: Worker) -> None:
    times: dict[str, list[float]] = {"a": [], "b": []}

    def listen(tab: str) -> None:
        times[tab] += [time.monotonic() for _ in worker.run(tab, jobs.count, 40)]

    threads = [Thread(target=listen, args=(tab,)) for tab in times]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times["a"]) == len(times["b"]) == 41
    first, second = sorted(times.values(), key=lambda each: each[-1])
    assert second[0] < first[len(first) // 2], "the second tab waited for the first to end"


@pytest.mark.parametrize(("job", "argument"), [(jobs.count, 1000), (jobs.sleep, 30.0)])
def test_a_stop_takes_less_than_half_a_second(worker: Worker, job: object, argument: float) -> None:
    running = worker.run("tab", job, argument)
    next(running)
    start = time.monotonic()
    worker.stop("tab")
    assert len(list(running)) < 100
    assert time.monotonic() - start < 0.5
    assert worker.result("tab", jobs.count, 1) == "done"  # of a new process, where the old one was deaf


def test_a_stuck_job_leaves_those_of_other_tabs_alone(worker: Worker) -> None:
    before = worker.result("other", jobs.process)
    stuck = worker.run("tab", jobs.sleep, 1.0)
    next(stuck)
    others: list[object] = []
    thread = Thread(target=lambda: others.extend(worker.run("other", jobs.process)))
    thread.start()
    while len(worker._jobs) < 2:
        time.sleep(0.01)
    worker.stop("tab")
    assert list(stuck) == []
    thread.join()
    assert others == [before]


def test_a_new_job_replaces_the_earlier_one_of_its_seat(worker: Worker) -> None:
    first = worker.run("tab", jobs.count, 1000)
    next(first)
    assert worker.result("tab", jobs.count, 2) == "done"
    assert len(list(first)) < 999


def test_a_dead_process_is_started_again_with_a_line(worker: Worker, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(JobFailed, match=r"has ended .* was started again; try once more"):
        worker.result("tab", jobs.die)
    assert worker.result("tab", jobs.count, 1) == "done"
    assert "it is started again" in capsys.readouterr().out
