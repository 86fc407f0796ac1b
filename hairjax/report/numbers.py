"""Numbers as text, for pages, figures and the terminal."""

UNDEFINED = "–"


def number(value: float | None) -> str:
    """Format with three decimals and a true minus sign; None as `UNDEFINED`."""
    if value is None:
        return UNDEFINED
    # Adding 0 to a rounded −0.0001 drops the sign of zero.
    return f"{round(value, 3) + 0.0:.3f}".replace("-", "−")


def signed(value: float | None) -> str:
    """Format a difference as `number` does, with a plus sign where it is positive."""
    written = number(value)
    return f"+{written}" if value is not None and float(f"{value:.3f}") > 0 else written


def number_range(interval: tuple[float, float] | None) -> str:
    """Format both ends of an interval; None as ``no interval``."""
    if interval is None:
        return "no interval"
    return f"{number(interval[0])} – {number(interval[1])}"


def in_brackets(interval: tuple[float, float] | None) -> str:
    """Format a 95 % interval for the end of a sentence; None as ""."""
    return f" (95 % interval {number_range(interval)})" if interval else ""


def duration(seconds: float) -> str:
    """Format a duration: ``3.4 s``, ``3 min 5 s``, ``8 h 20 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
