"""The lock that is released in a forked child."""

from __future__ import annotations

import os
import threading

import pytest

from hf_text.transport.locks import ForkSafeLock


def test_one_thread_at_a_time_holds_the_lock() -> None:
    lock, inside, order = ForkSafeLock(), threading.Event(), []

    def hold() -> None:
        with lock:
            inside.set()
            order.append("first")

    with lock:
        thread = threading.Thread(target=hold)
        thread.start()
        assert not inside.wait(0.05)
        order.append("main")
    thread.join(5)
    assert order == ["main", "first"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_lock_held_during_a_fork_is_free_in_the_child() -> None:
    lock, held, done = ForkSafeLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(5)
    child = os.fork()
    if child == 0:
        with lock:
            os._exit(7)
    try:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    finally:
        done.set()
        thread.join(5)
