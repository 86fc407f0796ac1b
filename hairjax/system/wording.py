"""Numbers with their nouns, as messages say them."""


def counted(count: int, one: str, many: str = "") -> str:
    """E.g. ``1 device``, ``1,200 devices``; ``many`` where the plural has another ending."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
