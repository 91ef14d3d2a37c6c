"""Signals as wishes."""

import os
import signal
import subprocess
import sys
import time

import pytest

from stackgan.training.preemption import SIGNALS, Preempted, StopRequest


@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_waits_for_the_batch_and_the_handlers_before_come_back(signum):
    before = signal.getsignal(signum)
    with StopRequest() as stop:
        stop.deferred = True
        assert stop.signal is None and stop.reason == ""
        os.kill(os.getpid(), signum)
        assert stop.signal == signum and signal.Signals(signum).name in stop.reason
        with pytest.raises(Preempted):
            stop.no_longer_deferred()
    assert signal.getsignal(signum) == before


def test_outside_of_the_batches_it_stops_where_it_is():
    with pytest.raises(Preempted), StopRequest():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)


def test_one_wish_may_come_as_several_signals():
    with StopRequest() as stop:
        stop.deferred = True
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGTERM):  # a terminal, its launcher, a scheduler
            os.kill(os.getpid(), signum)
        assert stop.signal == signal.SIGINT


def test_a_second_wish_ends_the_process_and_its_other_ranks_at_once():
    script = """
import os, signal, time
from stackgan.training.preemption import StopRequest
with StopRequest() as stop:
    stop.deferred = True
    stop.pass_on = lambda signum: print("passed on", signum, flush=True)
    print("ready", flush=True)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(0.05)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    time.sleep(1.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == -signal.SIGINT
    assert process.stdout.read() == f"passed on {int(signal.SIGINT)}\n"


def test_a_handler_of_the_host_process_hears_of_it_once_all_is_saved():
    heard = []
    before = signal.signal(signal.SIGUSR2, lambda signum, frame: heard.append(signum))
    try:
        with StopRequest() as stop:
            stop.deferred = True
            os.kill(os.getpid(), signal.SIGUSR2)
            assert heard == []
            stop.tell_host()
            assert heard == [signal.SIGUSR2]
    finally:
        signal.signal(signal.SIGUSR2, before)
