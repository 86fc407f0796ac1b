"""Source, preparation and division of photographs: frozen specifications."""

from dataclasses import dataclass, replace

from hairjax.data.prepare.mask_values import AUTO, Hair
from hairjax.data.sources.manifest import Manifest
from hairjax.data.sources.mask_rule import TOLD, MaskFacts, MaskRule

VIEWS = ("top", "side")  # of synthetic photographs
FOLDERS = "folders"  # as a split: those that the class folders are in
TFDS = "tfds:"  # before the name of a set of tensorflow-datasets


@dataclass(frozen=True)
class View:
    """One view of the subjects.

    Attributes:
        name: name of a synthetic view, ``top`` or ``side``.
        photos: folder of the photographs; "" for synthetic ones.
        masks: folder of their masks, or a file of annotations; "" for none.
        mask_rule: how these are looked for.
    """

    name: str
    photos: str
    masks: str
    mask_rule: MaskRule = TOLD


@dataclass(frozen=True)
class SourceOptions:
    """Source of photographs.

    Attributes:
        kind: ``photos`` (folders), ``synthetic`` or ``tfds:NAME``.
        views: one view, or two of the same subjects.
        count: number of synthetic photographs.
        seed: seed of synthetic photographs.
        manifest: a CSV file with their labels, and how it is read; without a path there is a folder
            per class.
        subject: a regular expression that finds the subject in a path; "" for none.
        need_masks: True if a photograph without a mask cannot be used.
        on_conflict: ``refuse`` or ``allow`` training on identical files in different classes.
        classes: names of the classes, the lowest first; () to tell their order from the names.
        spelling: names that are nearly equal: ``refuse``, ``merge`` or ``apart``.
        ordered_by: the key and value that need ordered classes; "" for none.
        own_split: a split that people bring: a file, ``folders`` for those that class folders are
            in, "" for the manifest's column, if it has one.
        keep_test_aside: True to leave out the test photographs of that split, for folds of the
            others.
    """

    kind: str
    views: tuple[View, ...]
    count: int
    seed: int
    manifest: Manifest
    subject: str
    need_masks: bool
    on_conflict: str
    classes: tuple[str, ...]
    spelling: str
    ordered_by: str
    own_split: str
    keep_test_aside: bool

    @property
    def synthetic(self) -> bool:
        """True if the photographs are synthesised."""
        return self.kind == "synthetic"

    @property
    def two_views(self) -> bool:
        """True if every subject is seen from two sides at once."""
        return len(self.views) > 1

    @property
    def places(self) -> tuple[str, ...]:
        """Where the photographs and masks of every view lie; "" for none."""
        return tuple(path for view in self.views for path in (view.photos, view.masks))

    @property
    def data_set(self) -> str:
        """Name of the tensorflow-datasets set; "" for another kind of source."""
        return self.kind.removeprefix(TFDS) if self.kind.startswith(TFDS) else ""

    def holding(self, facts: MaskFacts) -> "SourceOptions":
        """The source, whose first view's masks are rather looked for as a run found its own."""
        first = self.views[0]
        rule = replace(first.mask_rule, held_name=facts.name, held_category=facts.category)
        return replace(self, views=(replace(first, mask_rule=rule), *self.views[1:]))

    def describe(self) -> str:
        """One phrase for every output: where the photographs are from."""
        if self.synthetic:
            views = " and ".join(view.name.upper() for view in self.views)
            return f"synthetic {views} photographs, drawn by hairjax"
        if self.data_set:
            return f"the tensorflow-datasets set {self.data_set}"
        if self.two_views:
            return f"{self.views[0].photos} and {self.views[1].photos}, paired by subject"
        return self.manifest.path or self.views[0].photos


@dataclass(frozen=True)
class PrepareOptions:
    """Decoding, resizing and caching of photographs.

    Attributes:
        side: height and width of the result in pixels.
        fit: ``squash`` (every side to the square) or ``pad`` (keep the aspect).
        on_bad: ``refuse`` raises when any photograph cannot be used, ``skip`` leaves such out.
        cache: folder of prepared sets; "" decodes anew and writes nothing.
        beam: options of Apache Beam, which then decodes; "" does without it.
        memory: GiB that photographs may take in memory, else they stay on disk; 0: half of what is
            free, shared by the processes of the run on this machine.
        workers: number of photographs decoded at the same time.
        hair: values of the masks that stand for hair.
        mask_coding: coding that the masks must have, as a run stores it; "" for any.
        white: white of 16-bit greys, as a run stores it; 0: as the set tells.
    """

    side: int
    fit: str
    on_bad: str
    cache: str
    beam: str
    memory: float
    workers: int
    hair: Hair = AUTO
    mask_coding: str = ""
    white: int = 0


@dataclass(frozen=True)
class SplitOptions:
    """Division of photographs into train, validation and test.

    Attributes:
        fractions: shares of train, validation and test.
        folds: number of equal parts, in place of fractions; 0: off.
        fold: index of the part that tests, from 0.
        seed: seed of the division.
        least: smallest number of training photographs: one batch.
        on_leak: ``refuse`` or ``allow`` photographs that are held out and copies of training ones,
            or that the weights have learnt from.
    """

    fractions: tuple[float, ...]
    folds: int
    fold: int
    seed: int
    least: int
    on_leak: str
