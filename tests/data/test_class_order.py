"""The order of classes: right orders of names that people have, and what tells none."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hairjax.data.sources.class_order import how_ordered, recognise_order
from hairjax.data.sources.classes import class_names, find_class, parse_classes
from hairjax.data.sources.severity import severity_places
from hairjax.system.errors import UserError

NUMBER, ROMAN, WORDS = "by number", "by Roman numeral", "by words of severity or amount"

# In their right order; `|` stands between names.
TOLD = [
    (NUMBER, "2|3|3v|10"),
    (NUMBER, "1|2|2a|3|3a|3v|4|4a|5|5a|6|7"),  # Hamilton and Norwood in Arabic numbers
    (NUMBER, "3|3a|3 vertex|4"),
    (NUMBER, "Stage 2|stage_10|STAGE-11"),
    (NUMBER, "level_-1|level_0|level_1"),
    (NUMBER, "0|0.5|1|1,5|2"),
    (NUMBER, "0.양호|1.경증|2.중등도|3.중증"),
    (NUMBER, "1단계|2단계|10단계"),
    (NUMBER, "0%|1-24%|25-49%|50-74%|75-99%|100%"),
    (NUMBER, "0-25|25-50|100-125"),
    (NUMBER, "1-1|1-2|2-1|10-1"),
    (NUMBER, "2-|2|2+|3-|3"),
    (NUMBER, "2 mild|2 moderate|2 severe|3 mild"),
    (NUMBER, "１|２|10"),
    (NUMBER, "normal_0|mild_1|moderate_2|severe_3"),
    (ROMAN, "I|II|III|IV|V|VI|VII|VIII|IX|X|XI|XIV|XIX|XX"),
    (ROMAN, "i|ii|iii|iv"),
    (ROMAN, "Stage 0|Stage I|Stage II|Stage IIIa|Stage IV"),
    (ROMAN, "0|I|II|III"),
    (ROMAN, "II|IIa|III|IIIa|IIIv|IV|IVa|V|Va|VI|VII"),  # Norwood 1975
    (ROMAN, "III|III vertex|IV"),
    (ROMAN, "Norwood II|norwood_IV|Norwood-V|Norwood IX"),
    (ROMAN, "stage_iii|stage_iv|stage_v|stage_ix"),
    (ROMAN, "typeI|typeII|typeIV|typeV"),
    (ROMAN, "Type I|Type V|Type X"),
    (ROMAN, "I-1|I-2|I-4|II-1|II-2|III"),  # Ludwig and Savin
    (ROMAN, "I-3|II-1|II-2"),
    (ROMAN, "Ⅰ|Ⅱ|Ⅳ|Ⅸ"),
    (ROMAN, "Grade I (mild)|Grade II (moderate)|Grade IV (severe)"),
    (WORDS, "none|mild|moderate|severe"),
    (WORDS, "Normal|MILD|Moderate|severe|very_severe"),
    (WORDS, "no hair loss|mild-hair-loss|moderate hair loss|severe hair loss"),
    (WORDS, "normal|mild alopecia|severe alopecia"),
    (WORDS, "none|minimal|slight|moderate|heavy|extreme|complete"),
    (WORDS, "clear|almost clear|mild|moderate|severe"),  # as the investigator's global assessment
    (WORDS, "none|mild|mild-moderate|moderate|moderate to severe|severe"),
    (WORDS, "acne mild|acne moderate|acne severe"),
    (WORDS, "low|medium|high"),
    (WORDS, "very low|low|medium|high|very high"),
    (WORDS, "small|medium|large"),
    (WORDS, "little|some|much"),
    (WORDS, "early|intermediate|advanced"),
    (WORDS, "mildly|moderately|severely"),
    (WORDS, "없음|경증|중등도|중증|최중증"),
    (WORDS, "정상|경미|보통|심각"),
    (WORDS, "양호|경증 탈모|중등도 탈모|중증 탈모"),
    (WORDS, "정상|약함|중간|심함|매우 심함"),
    (WORDS, "탈모없음|탈모 경증|탈모 중증"),
    (WORDS, "낮음|중간|높음"),
    (WORDS, "없음|약간|보통|심함"),
    (WORDS, "약|중|강"),
]  # fmt: skip
# Whose names tell nothing: alphabetical.
UNTOLD = [
    "A|B|C|D", "C|D|I", "C|D|M", "I|V|X", "I|J|K", "L|M0|M1|C0|C1|U1",
    "bald|full|thinning", "mild|slight|moderate", "none|normal|severe", "1|II|3", "0|1|II",
    "low|normal|high", "낮음|정상|높음", "small|normal|large", "level_1|level_2|other",
    "<25|25-50|>50", "2 red|2 blue|3", "no hair|mild hair loss|severe hair loss",
    "not severe|mild|severe", "ill|vivid|xray", "IIII|II|I", "a_1|b_1|c_2",
    "3|3 vertex|3 anterior", "benign|malignant|normal",
]  # fmt: skip


@pytest.mark.parametrize(("how", "names"), TOLD)
@pytest.mark.situation(
    "Classes and labels",
    "`none/mild/moderate/severe`, `I … IX`, `2, 3, 3v, 10`, `정상/경증/중증`, `0-25%/25-50%`",
    "ordered by words of severity or amount, Roman numerals, numbers with suffixes, and said",
)
def test_right_orders(how, names):
    ordered = tuple(names.split("|"))
    for seed in range(4):
        shuffled = random.Random(seed).sample(ordered, len(ordered))
        assert recognise_order(shuffled) == (ordered, how)
    assert how_ordered(ordered, given=False, own=False) == how


@pytest.mark.parametrize("names", UNTOLD)
@pytest.mark.situation(
    "Classes and labels",
    "`bald/full/thinning`, or numerals of two kinds",
    "alphabetical, said with what it means for kappa and stage error",
)
def test_what_tells_no_order_is_alphabetical_and_said_so(names):
    assert recognise_order(names.split("|")) == (tuple(sorted(names.split("|"))), "")


def test_who_gave_the_order_is_said():
    bald = ("full", "thin", "bald")
    assert how_ordered(bald, given=True, own=False) == "as data.classes gives it"
    assert how_ordered(bald, given=False, own=True) == "as the data set numbers them"
    assert how_ordered(bald, given=False, own=False) == ""
    # A run of before has them alphabetically.
    assert how_ordered(("mild", "none", "severe"), given=False, own=False) == ""


def roman(number: int) -> str:
    """The textbook's table."""
    values = [(10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]
    said = ""
    for value, letters in values:
        said, number = said + letters * (number // value), number % value
    return said


prefixes = st.sampled_from(["", "stage ", "Level_", "Norwood-", "단계 ", "type."])
letters = st.sampled_from(["", *"av"])


@given(
    st.sets(st.tuples(st.integers(0, 300), letters), min_size=2, max_size=12),
    prefixes,
    st.randoms(use_true_random=False),
)
def test_any_numbers_with_suffixes(found, prefix, rng):
    right = [f"{prefix}{number}{letter}" for number, letter in sorted(found)]
    assert recognise_order(rng.sample(right, len(right))) == (tuple(right), NUMBER)


@given(
    st.sets(st.tuples(st.integers(1, 20), letters), min_size=2, max_size=12),
    prefixes,
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_any_roman_numerals(found, prefix, small, rng):
    # I followed by v is four, X by v fifteen, unless it is parted.
    right = [f"{prefix}{roman(n)}{'-' * bool(letter)}{letter}" for n, letter in sorted(found)]
    right = [name.lower() if small else name for name in right]
    different = len({number for number, _ in found}) > 1
    sure = prefix or any(len(roman(number)) > 1 for number, _ in found)
    ordered, how = recognise_order(rng.sample(right, len(right)))
    if different and sure:
        assert (ordered, how) == (tuple(right), ROMAN)
    else:
        assert how == ""


@given(
    st.lists(
        st.sampled_from([("none", "no", "없음"), ("mild", "slight", "Mild_", "경증"),
                         ("moderate", "MEDIUM", "중등도"), ("severe", "heavy", "중증", " severe"),
                         ("very severe", "VERY-SEVERE", "extreme", "최중증")]),
        min_size=2, unique=True,
    ),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_any_words_one_of_each_place(places, rng):
    scale = ["none", "mild", "moderate", "severe", "very severe"]
    right = [rng.choice(words) for words in sorted(places, key=lambda p: scale.index(p[0]))]
    assert recognise_order(rng.sample(right, len(right))) == (tuple(right), WORDS)


@given(st.sets(st.text(string.printable + "가é①Ⅳ", max_size=8), max_size=6))
def test_every_set_of_names_has_one_order(names):
    ordered, how = recognise_order(names)
    assert set(ordered) == names and len(ordered) == len(names)
    assert recognise_order(reversed(ordered)) == (ordered, how)
    assert how or ordered == tuple(sorted(names))


def test_words_of_one_scale_only():
    assert severity_places(["none", "mild", "severe"]) == sorted([0, 2, 6])
    assert severity_places(["mild", "bald"]) is None
    assert severity_places(["low", "normal"]) is None


@pytest.mark.parametrize(
    ("text", "names"),
    [("", ()), ("none,mild,severe", ("none", "mild", "severe")), (" a , b c ", ("a", "b c")),
     ('"0,5",1', ("0,5", "1")), ("없음,중증", ("없음", "중증"))],
)  # fmt: skip
def test_names_given(text, names):
    assert parse_classes(text) == names


@pytest.mark.parametrize("text", ["one", "a,", ",", "a,,b", "a,a", '"a,b', "a\nb,c"])
def test_names_that_cannot_be_given(text):
    with pytest.raises(UserError, match=r"config\.data\.classes is "):
        parse_classes(text)


@pytest.mark.situation(
    "Classes and labels",
    "`data.classes` with a class that is not there, or without one that is",
    "refused with both lists",
)
def test_given_names_decide_and_must_be_those_there_are():
    given = ("full", "thin", "bald")
    assert class_names(["bald", "full", "thin"], given, "photos") == given
    assert class_names(["0", "2", "1.0"], ("2", "1", "0"), "m.csv") == ("2", "1", "0")
    both = r"has 'other' too and no photograph is of 'thin', 'bald'"
    with pytest.raises(UserError, match=both):
        class_names(["other", "full"], given, "photos")
    # Kept apart, one that is not given is not the one beside it that is.
    with pytest.raises(UserError, match="has 'Full' too"):
        class_names(["Full", "bald", "full", "thin"], given, "photos")


@pytest.mark.parametrize(
    ("label", "place"),
    [("level_1", 1), ("Level 1", 1), ("1", 1), ("1.0", 1), ("LEVEL-01", 1), ("level_11", None),
     ("1-1", None), ("-1", None), ("mild", None)],
)  # fmt: skip
def test_labels_of_a_run(label, place):
    assert find_class(label, ("level_0", "level_1", "level_2")) == place


@pytest.mark.parametrize("label", ["3a", "3 v", "stage 3v", "3 vertex", "3+", "3-"])
@pytest.mark.situation(
    "Classes and labels",
    "a label `3a` for a run of `2, 3, 10`",
    "refused, not taken for 3",
)
def test_a_stage_between_two_is_neither(label):
    assert find_class(label, ("2", "3", "10")) is None
    assert find_class("3", ("2", label, "10")) is None
    assert find_class(label, ("2", "3", label)) == 2


def test_a_name_that_fits_two_classes_is_neither():
    assert find_class("LEVEL_0", ("level_0", "Level_0")) is None
