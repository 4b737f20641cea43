"""When a training stops before its end."""

import pickle
import signal
import threading

import pytest

from wirsung.training.stopping import Clock, Signals, TrainingStopped


class Time:
    """A clock that is set by hand."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


def test_there_is_no_end_without_hours():
    clock = Clock(now=lambda: 1e12)
    clock.took(1e6)
    assert not clock.is_over()


def test_what_took_longest_must_fit_in_twice_before_the_end():
    time = Time()
    clock = Clock(deadline_s=100.0, now=time)
    with clock.timed():
        time.seconds += 10.0
    clock.took(1.0)
    assert clock.longest_s == 10.0
    time.seconds = 79.9
    assert not clock.is_over()
    time.seconds = 80.0
    assert clock.is_over()


def test_a_checkpoint_is_due_when_the_last_one_is_old():
    time = Time()
    clock = Clock(checkpoint_s=60.0, now=time)
    assert not clock.is_checkpoint_due()
    clock.saved()
    time.seconds = 59.0
    assert not clock.is_checkpoint_due()
    time.seconds = 60.0
    assert clock.is_checkpoint_due()
    clock.saved()
    assert not clock.is_checkpoint_due()


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_the_second_one_is_the_callers(kind):
    seen = []
    before = signal.signal(kind, lambda number, _: seen.append(number))
    try:
        signals = Signals()
        with signals.watched():
            signal.raise_signal(kind)
            assert (signals.received, seen) == (kind, [])
            signal.raise_signal(kind)
            assert seen == [kind]
        signal.raise_signal(kind)
        assert seen == [kind, kind]
    finally:
        signal.signal(kind, before)


def test_a_patient_process_notes_the_first_signal_however_many_come():
    before = signal.getsignal(signal.SIGINT)
    signals = Signals(is_patient=True)
    with signals.watched():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert signals.received == signal.SIGTERM
    assert signal.getsignal(signal.SIGINT) is before


def test_outside_the_main_thread_signals_are_left_alone():
    seen = []

    def enter():
        with Signals().watched():
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]


def test_where_a_training_stopped_travels_between_processes():
    found = pickle.loads(pickle.dumps(TrainingStopped("interrupted", 3, 17, 15)))
    assert (found.reason, found.epoch, found.iteration, found.received) == ("interrupted", 3, 17, 15)
