"""Text of ``launch.py --help``: verbs and flags, with an example of each."""

HELP = """\
hairjax: fine-tune a Swin Transformer to grade hair loss from photographs and hair masks

  python launch.py [train]  --config=FILE[:VARIANT] [--workdir=DIR] [--moved=OLD=NEW]
                            [--config.KEY=VALUE ...]
  python launch.py check    --photos=DIR [--masks=DIR] [--manifest=FILE] [--subject=REGEX]
                            [--columns=COLUMNS] [--prefix=START] [--classes=NAMES]
                            [--spelling=RULE] [--split=SPLIT] [--out=DIR]
  python launch.py show     --config=FILE[:VARIANT] [--out=DIR] [--config.KEY=VALUE ...]
  python launch.py rates    --config=FILE[:VARIANT] [--out=DIR] [--config.KEY=VALUE ...]
  python launch.py evaluate --workdir=DIR [--split=SPLIT] [--flips] [--moved=OLD=NEW] [--out=DIR]
  python launch.py evaluate --workdir=DIR --photos=DIR [--masks=DIR] [--manifest=FILE]
                            [--columns=COLUMNS] [--prefix=START] [--subject=REGEX]
                            [--spelling=RULE] [--flips] [--out=DIR]
  python launch.py report   --workdir=DIR [--moved=OLD=NEW]
  python launch.py folds    --config=FILE[:VARIANT] --config.data.folds=K [--workdir=DIR]
                            [--moved=OLD=NEW] [--config.KEY=VALUE ...]
  python launch.py predict  --workdir=DIR PHOTO_OR_FOLDER ... [--masks=DIR] [--flips]
                            [--out=FILE.csv] [--pictures=DIR] [--overwrite]
  python launch.py compare  RUN RUN ... [--split=SPLIT] [--moved=OLD=NEW] [--out=DIR]
                            [--thumbnails=false]
  python launch.py ensemble RUN RUN ... [--weights=WEIGHTS] [--by=subject] [--split=SPLIT]
                            [--moved=OLD=NEW] [--workdir=DIR]
  python launch.py soup     RUN RUN ... [--moved=OLD=NEW] [--workdir=DIR]
  python launch.py probe    RUN [--split=SPLIT] [--moved=OLD=NEW] [--workdir=DIR]
  python launch.py probe    --config=FILE[:VARIANT] [--split=SPLIT] [--workdir=DIR]
                            [--config.KEY=VALUE ...]
  python launch.py explain  --workdir=DIR [--split=SPLIT] [--masks=DIR] [--moved=OLD=NEW]
                            [--count=N] [--stage=N] [--out=DIR]
  python launch.py explain  --workdir=DIR --photos=DIR [--masks=DIR] [--manifest=FILE]
                            [--columns=COLUMNS] [--prefix=START] [--subject=REGEX]
                            [--spelling=RULE] [--count=N] [--stage=N] [--out=DIR]
  python launch.py convert  --weights=SOURCE --model=NAME --out=FILE.safetensors [--licence=TEXT]

train (the default): train, keep the best epoch, write a report; the same command resumes; see
docs/runs.md.
  python launch.py --config=configs/top.py:demo
  python launch.py --config=configs/top.py --config.data.photos=PHOTOS --config.data.masks=MASKS

  --config=configs/top.py:demo      a Python file with get_config, here in its variant demo
  --config=runs/top/config.json     or a run's configuration, to run it again
  --config.optim.peak.late=3e-4     any key of the configuration
  --workdir=runs/first              the run's directory; by default in runs/, named after --config
  --moved=/old=/new                 the photographs of the run that goes on: as for evaluate

check: photographs looked through without training: what is wrong, and what is there twice. A page
(check.html), a table (check.csv), and exit status 1 where something should stop the training.
  python launch.py check --photos=PHOTOS --masks=MASKS

  --photos=PHOTOS                   photographs, in a folder per class
  --masks=MASKS                     their masks
  --mask_value=17                   what is hair in them, where it is not told by itself: the number
                                    in a label map, a colour (#0000cc), soft or inverted
  --mask_name={name}_hair           how they are named, where several names fit
  --mask_category=hair              which category of annotations (.json) is hair
  --manifest=labels.csv             their labels, where the folders below --photos do not tell
  --columns=file=id,label=grade     which column of it says what, where their names do not tell
  --prefix=/data/old/photos/        what its paths begin with, and is not below --photos
  --subject='/([a-z]+)_'            a regular expression that finds the subject in a path
  --classes=none,mild,severe        the classes in order, the lowest first, where names do not tell
  --spelling=merge                  names that are nearly equal (P1, p01) are one; or apart; by
                                    default refuse: they are found
  --split=split.csv                 a split of your own or a run's; or folders: class folders are
                                    in train, valid and test; by default the manifest's column
                                    split, or else the one that the recipe would draw
  --out=checked                     where to write; by default in runs/, named after --photos

show: before training, pictures of the data as the model sees it and of the rates; and counts.
  python launch.py show --config=configs/top.py:demo

  --config=configs/top.py:demo      as for train, like --config.KEY
  --out=pictures                    where to write; by default in runs/, named after --config

rates: before training, a hundred steps at a rising rate (Smith 2017): a plot of the loss, and what
fastai's rules valley and steepest choose.
  python launch.py rates --config=configs/top.py:demo

  --config=configs/top.py:demo      as for train, like --config.KEY
  --out=rates                       where to write; by default in runs/, named after --config

evaluate: a run's best model on a split of its photographs, or on other photographs. Each look at
test photographs is a line in the run's looks.csv.
  python launch.py evaluate --workdir=runs/top --split=test
  python launch.py evaluate --workdir=runs/top --photos=PHOTOS --masks=MASKS

  --workdir=runs/top                the run
  --split=test                      validation (the default), test or train
  --photos=PHOTOS                   other photographs, in a folder per class; all are evaluated
  --masks=MASKS                     their masks
  --mask_value=17                   what is hair in them, where it is not told by itself: the number
                                    in a label map, a colour (#0000cc), soft or inverted
  --mask_name={name}_hair           how they are named, where several names fit
  --mask_category=hair              which category of annotations (.json) is hair
  --manifest=labels.csv             their labels, where the folders below --photos do not tell
  --columns=file=id,label=grade     which column of it says what, where their names do not tell
  --prefix=/data/old/photos/        what its paths begin with, and is not below --photos
  --subject='/([a-z]+)_'            whose they are, found in a path; by default the manifest's
                                    column, or else as config.data.subject of the run says
  --spelling=merge                  their names that are nearly equal: as for check
  --flips                           the mean over each photograph and its mirror image; in a folder
                                    of its own (test-flips)
  --moved=/old=/new                 the run's own photographs, masks or manifest have moved: what
                                    their paths began with, and what they begin with now; several
                                    with commas between. Compared by checksum and kept: told once
  --out=results                     where to write; by default inside the run

report: write a run's report.html and its figures (PNG and SVG) again, from the files of the run.
Looking at the test photographs (evaluate --split=test) does so too, and adds what they showed.
  python launch.py report --workdir=runs/top

  --workdir=runs/top                the run
  --moved=/old=/new                 its photographs have moved: as for evaluate

folds: cross-validation: train every fold that is not finished, judge what each held out, and put
the predictions of all together; the same command goes on.
  python launch.py folds --config=configs/top.py:demo --config.data.folds=5

  --config=configs/top.py:demo      as for train, like --config.KEY; data.folds says how many
  --workdir=runs/cv                 has a run in fold_0, fold_1 ...; by default in runs/, named
                                    after --config
  --moved=/old=/new                 the photographs of its runs: as for evaluate

predict: grade photographs that have no labels.
  python launch.py predict --workdir=runs/top new/ other/anna.jpg --masks=new_masks

  --workdir=runs/top                the run
  --masks=MASKS                     masks, under a photograph's path below the folder given (or its
                                    name, where it is given itself); or the mask of a single one
  --mask_value=17                   what is hair in them, where they are not as the run's own were
  --mask_name={name}_hair           how they are named, where not as the run's own were
  --mask_category=hair              which category of annotations (.json) is hair
  --out=predictions.csv             the file to write: file, label (empty), predicted, and of
                                    every class probability_CLASS and calibrated_CLASS
  --pictures=pages                  a folder for pages of photographs with what was predicted
  --flips                           the mean over each photograph and its mirror image; calibrated
                                    once evaluate --flips has judged the validation photographs
  --overwrite                       replace the file, and the pages, that are there

compare: runs that judged the same photographs, by the first; seeds of one configuration together.
A folder of folds counts as one run.
  python launch.py compare runs/top runs/rgb runs/again --split=test

  --split=test                      validation (the default) or test, once evaluate has judged it
  --moved=/old=/new                 the photographs of the runs: as for evaluate
  --out=comparison                  where to write; by default in runs/, named after the runs
  --thumbnails=false                no pictures of the photographs on which they differ

ensemble: finished runs judge together, by the weighted mean of what each says; compare, evaluate
and predict take it as a run. Of one folder of folds: its models, for new photographs.
  python launch.py ensemble runs/top runs/rgb runs/again
  python launch.py ensemble runs/top runs/side --by=subject --weights=0.6,0.4

  --weights=mean                    mean, one number for each run, or fitted (the default): the
                                    least log-loss on the validation photographs
  --by=photograph                   the runs judged the same photographs (the default); or subject:
                                    other views of the same people, each judged by those at hand
  --split=test                      validation (the default), or test: a look at those photographs
  --moved=/old=/new                 the photographs of the runs: as for evaluate
  --workdir=both                    where to write; by default in runs/, named after the runs

soup: one model whose parameters are the mean of runs' of the same model, best first, each kept if
validation gets no worse (soup.csv).
  python launch.py soup runs/top runs/again

  --moved=/old=/new                 the photographs of the runs: as for evaluate
  --workdir=mixed                   where to write; by default in runs/, named after the runs

probe: other classifiers (logistic regression, linear and RBF SVM, nearest neighbours) on the frozen
features of a run, or of pretrained weights; chosen on training photographs alone.
  python launch.py probe runs/top
  python launch.py probe --config=configs/top.py:demo

  --split=test                      validation (the default), or test: a look at those photographs,
                                    by the classifier taken
  --moved=/old=/new                 the photographs of the run: as for evaluate
  --workdir=probed                  where to write; by default in runs/, named after the run

explain: where a run's best model looks, and how much it relies on the mask: tables, figures, and a
section of the run's report. Each look at test photographs is a line in the run's looks.csv. A soup
is a run like any other.
  python launch.py explain --workdir=runs/top

  --workdir=runs/top                the run
  --split=test                      validation (the default), test or train
  --photos=PHOTOS                   other photographs, in a folder per class; not in the report
  --masks=MASKS                     their masks; or those of the run's, where its model sees RGB
  --mask_value=17                   what is hair in them, where they are not as the run's own were
  --mask_name={name}_hair           how they are named, where not as the run's own were
  --mask_category=hair              which category of annotations (.json) is hair
  --manifest=labels.csv             their labels, where the folders below --photos do not tell
  --columns=file=id,label=grade     which column of it says what, where their names do not tell
  --prefix=/data/old/photos/        what its paths begin with, and is not below --photos
  --subject='/([a-z]+)_'            whose they are, as for evaluate
  --spelling=merge                  their names that are nearly equal: as for check
  --moved=/old=/new                 the run's own photographs: as for evaluate
  --count=100                       photographs for deletion and insertion; by default 32
  --stage=-2                        a map of an earlier stage, finer but in a ViT; by default -1,
                                    the last
  --out=explained                   where to write, not for the report; by default inside the run

convert: pretrained weights, or a run's best, as one file that loads at once; see docs/weights.md.
  python launch.py convert --weights=SOURCE --model=NAME --out=FILE.safetensors

  --weights=best.pth                a file, a folder, a run, or hf://owner/name
  --model=swin_small_patch4_window7_224   what they are the weights of
  --out=swin_tiny.safetensors       the file to write
  --which=ema                       of a file with several models': raw, ema, or a name where they
                                    stand; by default auto, the raw
  --licence=MIT                     of the weights; by default what the source says

The keys of a configuration, their defaults and what they mean: docs/configuration.md
Several devices, several machines: docs/devices.md
"""
