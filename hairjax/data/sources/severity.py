"""Words of severity and amount, English and Korean, on ordinal scales."""

import re
from collections.abc import Sequence
from itertools import takewhile

from hairjax.data.sources.spelling import plain

# Severity in ascending order, synonyms together. `normal` is the lowest severity but may be a
# medium amount, hence two scales.
_SEVERITY = (
    "none no normal healthy absent negative clear unaffected without nil zero "
    "없음 없다 무 정상 양호",
    "minimal trace subclinical almostclear verymild veryslight verylight "
    "최경증 매우약함 매우경미 미미",
    "mild slight light weak minor early 경증 경미 경미함 경미한 경도 약함 약한 약간 약 가벼움 초기",
    "mildtomoderate",
    "moderate medium mid middle intermediate 중등도 중등증 중등 보통 중간 중기 중",
    "marked moderatetosevere moderatelysevere",
    "severe heavy strong serious major advanced late "
    "중증 심함 심한 심각 심각함 심각한 고도 강함 강한 강 후기 말기",
    "verysevere extreme profound veryheavy verystrong extremelysevere critical "
    "최중증 매우심함 아주심함 매우심각 극심 극심함 초고도",
    "complete total 완전",
)
_AMOUNT = (
    "none no absent without nil zero 없음 없다 무",
    "minimal trace tiny verylow verysmall verylittle veryfew veryslight verylight "
    "매우낮음 매우적음 매우작음 극소",
    "low small little few slight light 낮음 적음 작음 약간 소 하",
    "lowtomedium lowtomoderate",
    "medium mid middle moderate some average intermediate 보통 중간 중",
    "mediumtohigh moderatetohigh",
    "high large big many much strong heavy 높음 많음 큼 대 상",
    "veryhigh verylarge verybig verymany verymuch veryheavy verystrong extreme "
    "매우높음 매우많음 매우큼",
    "complete total all 완전 전부",
)
_SCALES = tuple(
    {word: place for place, words in enumerate(scale) for word in words.split()}
    for scale in (_SEVERITY, _AMOUNT)
)
# Graded nouns carry no order.
_GRADED = re.compile(
    r"\b(?:hair ?loss|hair ?thinning|loss|thinning|alopecia|baldness|balding|stage|grade|level|"
    r"class|degree|severity|type|disease|symptoms?)\b|탈모증?|단계|등급|정도|증상"
)


def severity_places(names: Sequence[str]) -> list[int] | None:
    """Places of names on a scale of severity or amount; None if any has none."""
    words = [_words(name) for name in names]
    for tried in (words, _without_common(words)):
        for scale in _SCALES:
            places = [_place(one, scale) for one in tried]
            known = [place for place in places if place is not None]
            if len(known) == len(places):
                return known
    return None


def _words(name: str) -> list[str]:
    spaced = re.sub(r"[\W_]+", " ", plain(name))
    return [word for word in _GRADED.sub(" ", spaced).split() if word != "to"]


def _without_common(words: list[list[str]]) -> list[list[str]]:
    """Remove common leading and trailing words."""
    for _ in range(2):  # from either end
        same = takewhile(lambda column: len({*column}) == 1, zip(*words, strict=False))
        begun = len(list(same))
        words = [one[begun:][::-1] for one in words]
    return words


def _place(words: list[str], scale: dict[str, int]) -> int | None:
    # `mildly` is mild, and `mild-moderate` is mild to moderate.
    bare = [word.removesuffix("ly") if word.removesuffix("ly") in scale else word for word in words]
    known = (scale.get(joined) for joined in ("".join(words), "".join(bare), "to".join(bare)))
    return next((place for place in known if place is not None), None)
