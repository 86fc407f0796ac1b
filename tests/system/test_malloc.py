import subprocess
import sys

import pytest

FREE_AND_TAKE = """
import resource, sys
if sys.argv[1] == "kept":
    from hairjax.system.malloc import keep_freed_memory
    keep_freed_memory()
def take():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = bytearray(200 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
take()
print(take())
"""


GIVE_BACK = """
import psutil
from hairjax.system.malloc import give_back_freed_memory, keep_freed_memory
keep_freed_memory()
resident = psutil.Process().memory_info
before = resident().rss
b'x' * (200 << 20)
kept = resident().rss - before
give_back_freed_memory()
print(kept >> 20, resident().rss - before >> 20)
"""


def page_faults(mode):
    command = [sys.executable, "-c", FREE_AND_TAKE, mode]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_memory_taken_again_is_the_process_s_own():
    if page_faults("returned") < 100:
        pytest.skip("this machine's malloc or page size does not show it")
    assert page_faults("kept") < 100


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_what_is_kept_can_be_given_back():
    command = [sys.executable, "-c", GIVE_BACK]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    kept, left = map(int, said.split())
    if kept < 180:
        pytest.skip("this machine's malloc does not keep it")
    assert left < 20
