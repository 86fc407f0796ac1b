"""Report of the class order before training; refusal of ordinal options without one."""

from collections.abc import Sequence

from hairjax.data.options import SourceOptions
from hairjax.data.sources.class_order import how_ordered
from hairjax.system.errors import UserError
from hairjax.system.wording import as_csv, flag

_SHOWN = 20
MEANINGLESS = (
    "what needs an order (quadratic kappa, mean stage error, within one stage) means nothing"
)


def tell_order(classes: Sequence[str], source: SourceOptions) -> str:
    """Sentence naming the classes in order, and the rule of the order.

    Raises:
        UserError: an option needs ordered classes and the order is unknown.
    """
    how = how_ordered(classes, given=bool(source.classes), own=bool(source.data_set))
    if how:
        return f"order of the classes: {_shown(classes, ' < ')} ({how})"
    if len(classes) == 2:
        return f"classes: {_shown(classes, ', ')}; no figure depends on the order of two"
    given = flag("config.data.classes", as_csv(classes))
    if source.ordered_by:
        raise UserError(
            f"{source.ordered_by} needs the order of the classes, which their names do not tell: "
            f"give it, the lowest first, with {given} put in order"
        )
    return (
        f"classes: {_shown(classes, ', ')}, alphabetical, for their names tell no order: "
        f"{MEANINGLESS} until {given} (of check --classes), put in order, gives it"
    )


def _shown(classes: Sequence[str], between: str) -> str:
    return between.join(classes[:_SHOWN]) + " …" * (len(classes) > _SHOWN)
