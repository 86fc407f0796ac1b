import pytest

from hairjax.training.timing import EpochTimer


@pytest.mark.parametrize(
    ("ticks", "seconds"),
    [([30.0], 30.0), ([30.0, 32.0], 2.0), ([30.0, 32.0, 36.0, 37.0], 2.0)],
)
def test_the_first_step_counts_only_while_there_is_no_other(ticks, seconds):
    clock = EpochTimer(batch_size=4)
    clock.begun, clock.ticks = 0.0, ticks
    assert clock.step_seconds == seconds
    assert clock.rate == 4 / seconds


@pytest.mark.parametrize(("seconds", "text"), [(0.01, "400 images/s"), (1.1, "3.6 images/s")])
def test_slow_rates_have_a_digit_more(seconds, text):
    clock = EpochTimer(batch_size=4)
    clock.begun, clock.ticks = 0.0, [seconds]
    assert clock.rate_text == text


def test_the_row_tells_of_seconds_and_bytes():
    clock = EpochTimer(batch_size=4)
    clock.tick()
    row = clock.row(3)
    assert row["epoch"] == 3
    assert row["seconds"] >= clock.ticks[0] - clock.begun
    assert row["peak_memory_bytes"] > 2**20
