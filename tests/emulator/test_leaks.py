"""The leaks that ``assert_nothing_leaked()`` reports."""

from __future__ import annotations

import socket
import threading

import pytest

from hf_text.emulator import assert_nothing_leaked


def test_a_clean_block_passes() -> None:
    with assert_nothing_leaked():
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
        socket.socket().close()


def test_earlier_resources_are_not_leaks() -> None:
    with socket.socket(), assert_nothing_leaked(timeout=0.01):
        pass


def test_a_socket_is_named() -> None:
    left: list[socket.socket] = []
    with pytest.raises(AssertionError, match=r"left behind:\n  file descriptor \d+: "), assert_nothing_leaked(0.01):
        left.append(socket.socket())
    left[0].close()


def test_a_reused_descriptor_number_is_a_leak() -> None:
    old = socket.socket()
    left: list[socket.socket] = []

    def reuse() -> None:
        with assert_nothing_leaked(timeout=0.01):
            old.close()
            left.append(socket.socket())

    with pytest.raises(AssertionError, match="file descriptor"):
        reuse()
    left[0].close()


@pytest.mark.parametrize("daemon", [True, False])
def test_a_thread_is_named(daemon: bool) -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait, name="left-over", daemon=daemon)
    with pytest.raises(AssertionError, match="thread left-over"), assert_nothing_leaked(timeout=0.01):
        thread.start()
    ended.set()
    thread.join()


def test_an_ending_thread_is_given_time() -> None:
    ended = threading.Event()

    def run() -> None:
        ended.wait()

    with assert_nothing_leaked(timeout=5):
        threading.Thread(target=run).start()
        threading.Timer(0.01, ended.set).start()


def test_a_closing_file_is_given_time() -> None:
    opened: list[socket.socket] = []
    filled = threading.Event()

    def close() -> None:
        filled.wait()
        opened[0].close()

    thread = threading.Thread(target=close)
    thread.start()
    with assert_nothing_leaked(timeout=5):
        opened.append(socket.socket())
        filled.set()
    thread.join()


def test_the_error_of_the_block_takes_precedence() -> None:
    left: list[socket.socket] = []

    def fail() -> None:
        with assert_nothing_leaked(timeout=0.01):
            left.append(socket.socket())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    left[0].close()
