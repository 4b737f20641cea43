from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from wirsung.compute.connections import held, one_cluster


class Switchboard:
    """Notes who was connected and let go."""

    def __init__(self):
        self.log = []

    @contextmanager
    def connect(self, address):
        self.log.append(f"connect {address}")
        try:
            yield SimpleNamespace(status="running")
        finally:
            self.log.append(f"let go {address}")


@pytest.fixture
def board():
    return Switchboard()


def test_alone_each_use_has_a_connection_of_its_own(board):
    for _ in range(2):
        with held("a", board.connect):
            pass
    assert board.log == ["connect a", "let go a"] * 2


def test_a_stage_reaches_each_cluster_once_and_lets_go_at_its_end(board):
    with one_cluster():
        assert board.log == []
        for address in "aba":
            with held(address, board.connect):
                board.log.append(f"use {address}")
        board.log.append("last words")
    assert board.log == [
        *("connect a", "use a", "connect b", "use b", "use a", "last words"),
        *("let go b", "let go a"),
    ]


def test_a_stage_within_a_stage_leaves_the_connection_to_the_outer_one(board):
    with one_cluster():
        for _ in range(2):
            with one_cluster(), held("a", board.connect):
                pass
        assert board.log == ["connect a"]
    assert board.log == ["connect a", "let go a"]


def test_it_decorates_a_function_that_is_called_again(board):
    @one_cluster()
    def stage(word):
        with held("a", board.connect), held("a", board.connect):
            return word

    assert [stage("x"), stage("y")] == ["x", "y"]
    assert board.log == ["connect a", "let go a"] * 2


def test_a_stage_that_fails_lets_go_too(board):
    def stage():
        with one_cluster(), held("a", board.connect):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stage()
    assert board.log == ["connect a", "let go a"]


def test_a_connection_that_was_lost_is_made_anew(board):
    with one_cluster():
        with held("a", board.connect) as client:
            client.status = "closed"
        with held("a", board.connect) as client:
            assert client.status == "running"
    assert board.log.count("connect a") == 2
