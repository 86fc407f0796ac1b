"""Course of the training: the curves and the rates."""

from hairjax.report.contents import Report
from hairjax.report.html import Html, figure, html_table, tag


def training_section(report: Report) -> list[Html]:
    """The learning curves, and the learning rate of every group at three moments."""
    rates = [row["rate"] for row in report.history]
    (at_best,) = (row["rate"] for row in report.history if row["epoch"] == report.best_epoch)
    rows = [
        (
            group,
            *(
                f"{rate:.1e}" if rate else "frozen"
                for rate in (max(r[group] for r in rates), at_best[group], rates[-1][group])
            ),
        )
        for group in rates[0]
    ]
    curves = figure(
        report.curves_figure,
        f"Loss, accuracy and learning rates over {len(rates)} epochs.",
        "Training values are taken while the model learns, on augmented photographs and with "
        "dropout: they may well be worse than those of validation.",
    )
    content = [
        tag("div", curves, class_="figures"),
        tag("h3", "Learning rate of each group"),
        html_table(("Group", "highest", "at the best epoch", "at the end"), rows),
    ]
    if report.ended_early:
        content.insert(0, tag("p", _early_end(report)))
    if (decay := report.config["optim"]["layer_decay"]) != 1:
        said = f"Before layer decay: times {decay:g} for each layer up to the head."
        content.append(tag("p", said, class_="muted"))
    return content


def _early_end(report: Report) -> str:
    train, last = report.config["train"], report.history[-1]
    share = max(last["rate"].values()) / max(max(row["rate"].values()) for row in report.history)
    return (
        f"Training ended early, after epoch {last['epoch']} of {train['epochs']}: none since epoch "
        f"{report.best_epoch} was better by {report.chosen_by} (train.patience="
        f"{train['patience']}). The schedule was that of all epochs; at the end the highest rate "
        f"was at {share:.0%} of its peak."
    )
