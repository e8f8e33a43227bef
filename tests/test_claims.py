"""One process at a time makes a file; another one takes over from a process that died."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from deepdream import claims


def test_a_claim_of_a_dead_process_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "LEASE", 1.5)
    monkeypatch.setattr(claims, "POLL", 0.1)
    for machine, least, most in ((socket.gethostname(), 0.0, 1.0), ("elsewhere", 1.5, 4.0)):
        dead = multiprocessing.get_context("fork").Process(target=_claim_and_die, args=(machine, tmp_path / "a.png"))
        dead.start()
        dead.join()
        assert [path.name for path in tmp_path.iterdir()] == [".a.png.claim"]
        start = time.monotonic()
        with claims.Claims() as own:
            taken = [piece for free in own.rounds([tmp_path / "a.png"], Path, lambda path: False) for piece in free]
        assert taken == [tmp_path / "a.png"]
        assert least <= time.monotonic() - start < most
        assert not list(tmp_path.iterdir())


def _claim_and_die(machine: str, path: Path) -> None:
    socket.gethostname = lambda: machine
    claims.LEASE = 1.5
    with claims.Claims() as own:
        for free in own.rounds([path], Path, lambda path: False):
            for _ in free:
                os.kill(os.getpid(), signal.SIGKILL)


def test_a_living_process_keeps_its_claim_and_others_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "LEASE", 0.6)
    monkeypatch.setattr(claims, "POLL", 0.1)
    names = ["a", "b", "c"]
    with claims.Claims() as one, claims.Claims() as other:
        first = next(one.rounds(names, tmp_path.joinpath, lambda name: (tmp_path / name).exists()))
        assert next(first) == "a"
        rounds = other.rounds(names, tmp_path.joinpath, lambda name: (tmp_path / name).exists())
        made = []
        for name in next(rounds):
            made.append(name)
            (tmp_path / name).touch()
            other.release(tmp_path / name)
        assert made == ["b", "c"]
        time.sleep(1.2)  # two leases
        assert list(next(rounds)) == []  # it is still the other's
        (tmp_path / "a").touch()
        one.release(tmp_path / "a")
        assert list(first) == []
        assert [name for free in rounds for name in free] == []
