import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hairjax.parallel.supervisor import supervise

ROOT = Path(__file__).parents[2]
# As JAX 0.10 logs it where process 0 was killed, and where it is not to be found.
LOST = """\
E1121 00:53:59.955677    9169 coordination_service_agent.cc:289] Polled an error from coordination
of several lines
F1121 00:53:59.955684    9169 client.h:80] Terminating process because the JAX distributed service \
detected fatal errors. absl::Status: UNAVAILABLE: Failed to send RPC to coordination service. Either
:UNKNOWN:Error received from peer  {grpc_status:14, grpc_message:"Socket closed"}
*** Check failure stack trace: ***
    @     0x7f37c0c40634  absl::lts_20260107::log_internal::LogMessage::SendToLog()
"""
NOT_FOUND = """\
F1121 00:55:34.138389   10404 client.h:80] Terminating process because the JAX distributed service \
detected fatal errors. absl::Status: DEADLINE_EXCEEDED: Deadline Exceeded

RPC: /xla.coordination.CoordinationService/RegisterTask
*** Check failure stack trace: ***
"""


def ended(capfd, code):
    """The status and the messages of a child that runs this code."""
    status = supervise(["-c", f"import os, sys\n{code}"], "process 1")
    return status, capfd.readouterr().err


def dying(text):
    return f"sys.stderr.write({text!r}); sys.stderr.flush(); os.abort()"


def test_what_a_child_says_names_the_process(capfd):
    said = "print('shown'); print('error: no', file=sys.stderr); sys.exit(1)"
    status = supervise(["-c", f"import sys\n{said}"], "process 1")
    assert status == 1
    assert capfd.readouterr() == ("shown\n", "process 1: error: no\n")
    assert ended(capfd, "sys.exit(143)") == (143, "")


def test_what_jax_logs_behind_a_message_is_none_of_it(capfd):
    logged = "E1130 20:00:00.000000  123 coordination_service_agent.cc:289] Polled an error"
    said = f"error: gone; go on{logged}\nmore\n"
    status, text = ended(capfd, f"sys.stderr.write({said!r}); sys.exit(1)")
    assert (status, text) == (1, "process 1: error: gone; go on\n")


def test_an_abort_of_jax_is_told_in_one_sentence(capfd):
    status, text = ended(capfd, dying(LOST))
    assert status == 1
    assert text == (
        "process 1: error: another process of the run has ended or cannot be reached (UNAVAILABLE: "
        "Failed to send RPC to coordination service); the same commands resume from the last "
        "checkpoint\n"
    )
    status, text = ended(capfd, dying(NOT_FOUND))
    assert status == 1
    assert text.startswith("process 1: error: the processes have not found each other in time")
    assert text.count("\n") == 1


def test_what_the_child_itself_said_comes_before_the_abort_and_is_all(capfd):
    first = "Traceback (most recent call last):\n  File\nValueError: no\n"
    shown = "process 1: Traceback (most recent call last):\nprocess 1:   File\n"
    assert ended(capfd, dying(first + LOST)) == (1, f"{shown}process 1: ValueError: no\n")
    between = LOST.replace("*** Check", "error: gone\n*** Check")
    assert ended(capfd, dying(between)) == (1, "process 1: error: gone\n")


def test_any_other_death_is_told_whole(capfd):
    status, text = ended(capfd, dying("free(): invalid pointer\n"))
    assert status == 128 + signal.SIGABRT
    assert text.startswith("process 1: free(): invalid pointer\nprocess 1: error: ended by SIGABRT")
    status, text = ended(capfd, "os.kill(os.getpid(), 9)")
    assert status == 137
    assert "process 1: error: ended by SIGKILL; the same commands" in text


FOLLOWING = """
import signal, sys, time
from hairjax.parallel.supervisor import follow_parent, is_child, supervise
def told(*_):
    print("told", flush=True)
    sys.exit(143)
if is_child():
    signal.signal(signal.SIGTERM, told)
    follow_parent()
    print("ready", flush=True)
    time.sleep(30)
else:
    sys.exit(supervise([__file__], "process 0"))
"""


@pytest.fixture
def family(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(FOLLOWING)
    parent = subprocess.Popen(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout.readline() == "ready\n"
    yield parent
    parent.kill()
    parent.communicate()


def test_the_child_ends_when_its_parent_is_killed(family):
    family.kill()
    begun = time.monotonic()
    assert family.stdout.read() == ""  # the child holds the other end
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("number", [signal.SIGTERM])
def test_signals_are_handed_on(family, number):
    family.send_signal(number)
    assert family.wait(timeout=10) == 143
    assert family.stdout.read() == "told\n"
