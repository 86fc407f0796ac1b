"""Frozen specifications: source, preparation and division of images."""

from dataclasses import dataclass, replace

from hairjax.data.prepare.mask_values import AUTO, Hair
from hairjax.data.sources.manifest import Manifest
from hairjax.data.sources.mask_rule import TOLD, MaskFacts, MaskRule

VIEWS = ("top", "side")  # of synthetic photographs
FOLDERS = "folders"  # split given by the folders above the class folders
TFDS = "tfds:"  # prefix of a tensorflow-datasets name


@dataclass(frozen=True)
class View:
    """One view of the subjects."""

    name: str  # synthetic view, ``top`` or ``side``
    photos: str  # folder of images; "" if synthetic
    masks: str  # folder of masks, or annotation file; "" for none
    mask_rule: MaskRule = TOLD  # rule for matching masks to images


@dataclass(frozen=True)
class SourceOptions:
    """Source of the images."""

    kind: str  # ``photos`` (folders), ``synthetic`` or ``tfds:NAME``
    views: tuple[View, ...]  # one view, or two of the same subjects
    count: int  # number of synthetic images
    seed: int  # seed of synthetic images
    manifest: Manifest  # label CSV and its format; without a path, one folder per class
    subject: str  # regular expression for the subject in a path; "" for none
    need_masks: bool  # True if an image without a mask is unusable
    on_conflict: str  # identical files in different classes: ``refuse`` or ``allow``
    classes: tuple[str, ...]  # class names in order; () to infer the order
    spelling: str  # nearly equal names: ``refuse``, ``merge`` or ``apart``
    ordered_by: str  # configuration key and value requiring ordered classes; "" for none
    own_split: str  # user-defined split: a file, ``folders``, or "" for the manifest column, if any
    exclude_test: bool  # True to exclude the test images of that split from cross-validation

    @property
    def synthetic(self) -> bool:
        """True if the photographs are synthesised."""
        return self.kind == "synthetic"

    @property
    def two_views(self) -> bool:
        """True if each sample has two views."""
        return len(self.views) > 1

    @property
    def paths(self) -> tuple[str, ...]:
        """Folder of images and folder or annotation file of masks, per view; "" for none."""
        return tuple(path for view in self.views for path in (view.photos, view.masks))

    @property
    def data_set(self) -> str:
        """Name of the tensorflow-datasets set; "" for other sources."""
        return self.kind.removeprefix(TFDS) if self.kind.startswith(TFDS) else ""

    def holding(self, facts: MaskFacts) -> "SourceOptions":
        """Copy with the mask rule of the first view set to the findings of a run."""
        first = self.views[0]
        rule = replace(first.mask_rule, held_name=facts.name, held_category=facts.category)
        return replace(self, views=(replace(first, mask_rule=rule), *self.views[1:]))

    def describe(self) -> str:
        """Describe the source in one phrase."""
        if self.synthetic:
            views = " and ".join(view.name.upper() for view in self.views)
            return f"synthetic {views} photographs"
        if self.data_set:
            return f"the tensorflow-datasets set {self.data_set}"
        if self.two_views:
            return f"{self.views[0].photos} and {self.views[1].photos}, paired by subject"
        return self.manifest.path or self.views[0].photos


@dataclass(frozen=True)
class PrepareOptions:
    """Decoding, resizing and caching of images."""

    side: int  # height and width of the result in pixels
    fit: str  # ``squash`` (resize to the square) or ``pad`` (keep the aspect ratio)
    on_bad: str  # unusable images: ``refuse`` or ``skip``
    cache: str  # folder of prepared sets; "" to decode at every start
    beam: str  # options of Apache Beam; "" to decode without it
    # GiB of memory for images, else they stay on disk; 0: half of the free memory, shared by the
    # processes on this machine
    memory: float
    workers: int  # number of decoding threads
    hair: Hair = AUTO  # mask values of hair
    mask_coding: str = ""  # required mask coding, as stored by a run; "" for any
    white: int = 0  # white of 16-bit greys, as stored by a run; 0: inferred


@dataclass(frozen=True)
class SplitOptions:
    """Division of images into train, validation and test."""

    fractions: tuple[float, ...]  # fractions of train, validation and test
    folds: int  # number of cross-validation folds; 0: off
    fold: int  # index of the test fold, from 0
    seed: int  # seed of the division
    least: int  # minimum number of training images: one batch
    # held-out copies of training images, or held-out images that the weights were trained on:
    # ``refuse`` or ``allow``
    on_leak: str
