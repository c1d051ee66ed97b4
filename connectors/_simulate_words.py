"""Made-up prose, sentence by sentence, that reads like an assistant's and hardly repeats itself.

Strategy. A small grammar: a sentence is a pattern, and each ``{name}`` in it is drawn from the list of
that name, which may hold patterns again. With some 60 patterns over lists of 20 to 60 entries, two
sentences of one stream are alike only by chance, so a detector of repetition finds none. It is no
language model and means nothing. Everything is drawn from the generator that the caller gives.
"""

from __future__ import annotations

import random
import re

__all__ = ["MULTILINGUAL", "paragraph", "phrase", "sentence"]

_SLOT = re.compile(r"\{(\w+)\}")

_WORDS = {
    "thing": (
        "the water supply|a small library|the night shift|the old bridge|the repair budget|"
        "a weekly report|the garden wall|the tram depot|a paper map|the harbour crane|the school kitchen|"
        "a spare battery|the ferry schedule|the seed bank|the north platform|a shared calendar|"
        "the village archive|the telescope mount|a wooden ladder|the bread oven|the wind turbine|"
        "a rain gauge|the customs office|the printing press|a local radio station|the ice rink|"
        "the grain silo|the storm drain|a bicycle workshop|the weather mast|the choir rehearsal|"
        "a glass roof|the sorting machine|the lighthouse keeper|a travelling exhibition|"
        "the river crossing|the pottery kiln|a borrowed projector|the compost heap|the signal box|"
        "the fishing quota|a loose floorboard|the town clock|the freight elevator|a hidden staircase|"
        "the soil sample|the evening course|a set of keys|the orchard fence"
    ),
    "people": (
        "the council|two engineers|our neighbours|a retired teacher|the volunteers|the archivist|"
        "most visitors|the crew|a young carpenter|the inspectors|several farmers|the night nurse|"
        "the translators|my colleague|the surveyors|the committee|a visiting botanist|the caretaker|"
        "both sisters|the apprentices|the station master|few residents"
    ),
    "act": (
        "repaired|measured|moved|questioned|replaced|sketched|inspected|photographed|borrowed|extended|"
        "painted|abandoned|described|catalogued|insured|dismantled|rented|surveyed|defended|redesigned|"
        "postponed|cleaned|rebuilt|admired|misread|relocated|tested|praised|ignored|documented|auctioned|"
        "widened|heated|weighed"
    ),
    "do": (
        "reduce noise|save fuel|attract attention|lower costs|prevent leaks|spread the load|"
        "shorten the queue|keep records|avoid delays|protect the foundation|explain the gap|"
        "store more grain|catch mistakes early|settle the dispute|hold the heat|share the risk|"
        "trace each order|spare the roots|calm the traffic|train newcomers|win back trust"
    ),
    "time": (
        "last spring|before dawn|on Thursday|after the flood|within a month|during the break|"
        "in the third year|by midsummer|over the weekend|since the merger|at low tide|before the vote|"
        "between two storms|around noon|late in October|every other winter|shortly after opening|"
        "long before anyone asked"
    ),
    "place": (
        "behind the mill|near the viaduct|on the upper floor|along the canal|outside the gates|"
        "under the arcade|in the valley|by the east entrance|across the square|beside the quarry|"
        "at the edge of town|in a rented hall|on the far bank|next to the bakery|below the ridge|"
        "in the back office"
    ),
    "how": (
        "quietly|with great care|in stages|almost by accident|without much debate|at their own expense|"
        "by hand|twice|against all advice|surprisingly fast|in good faith|for the first time|"
        "more cheaply than expected|reluctantly"
    ),
    "quality": (
        "practical|fragile|ordinary|expensive|remarkable|outdated|reliable|awkward|temporary|elegant|"
        "incomplete|generous|modest|unpopular|accurate|slow|flexible|visible|overlooked|sturdy|costly|"
        "promising|harmless|uneven"
    ),
    "number": "two|three|four|five|six|eight|nine|eleven|twelve|fourteen|twenty|thirty|forty|sixty|ninety",
    "unit": (
        "metres|hours|pages|kilograms|visits|windows|trees|samples|tickets|"
        "drawings|letters|barrels|steps|rooms"
    ),
    "link": (
        "However|Even so|As a result|In practice|For example|By contrast|"
        "More importantly|At the same time|Still|In short"
    ),
    "because": "because|although|while|even though|since|now that|unless|wherever|just as|until",
    "clause": (
        "{people} {act} {thing} {time}|nobody had {act} {thing}|{thing} looked {quality}|"
        "{people} wanted to {do}|{thing} needed {number} {unit}|it helped to {do}|"
        "{people} worked {place}|the plan seemed {quality} and {quality}"
    ),
    "sentence": (
        "{People} {act} {thing} {place}, {because} {clause}.|{Time}, {people} {act} {thing} {how}.|"
        "{Thing} took {number} {unit} more than planned, {because} {clause}.|{link}, {clause}.|"
        "{link}, {people} {act} {thing} to {do}.|It is {quality} to {do}, yet {clause}.|"
        "What made it {quality} was simple: {clause}.|{People} never {act} {thing}; {clause}.|"
        "There are {number} reasons to {do}, and the first is {quality}.|"
        "If {clause}, {people} can {do} {how}.|"
        "{Thing} stood {place} for {number} years before {people} {act} it.|"
        "Of {number} {unit}, only {number} were {quality}.|"
        "Some called it {quality}, others {quality}, {because} {clause}.|{Time} {clause}, and {clause}.|"
        "To {do}, start with {thing} and then look {place}.|{People} asked whether {thing} could {do}.|"
        "The answer depends on {thing}, which {people} {act} {time}.|"
        "Between {thing} and {thing} lay {number} {unit}.|"
        "One {quality} detail is easy to miss: {clause}.|{how_} {people} {act} {thing}, and {clause}.|"
        "Not everyone agreed, {because} {clause}.|"
        "{Thing} is {quality}, but rarely {quality} enough to {do}.|"
        "{People} kept {thing} {place}, where {clause}.|In the end {clause}, {because} {clause}.|"
        "A {quality} solution was to {do} {how}.|{Thing}, {quality} as it was, helped {people} to {do}.|"
        "The record mentions {thing} {number} times, always {place}.|"
        "{People} counted {number} {unit} {place} {time}."
    ),
    "question": (
        "how to {do}|why {thing} looked {quality}|whether {people} should {do}|"
        "what {people} {act} {time}|if {thing} could {do}|where {thing} stood {time}"
    ),
}
_LISTS = {name: tuple(words.split("|")) for name, words in _WORDS.items()}

MULTILINGUAL = (
    "今天早上港口的雾很大,渡船晚了四十分钟才出发。🌫️",
    "工程师们重新测量了桥墩,发现水位比去年高了三厘米。",
    "图书馆把旧地图扫描成高清图像,任何人都可以免费查看。📚",
    "如果明天不下雨,我们就去山谷里采集土壤样本。",
    "駅前の時計は十年前から五分遅れているが、誰も直そうとしない。⏰",
    "古い窯を修理するには、職人が三人と春までの時間が必要です。",
    "市場では朝早くから魚と野菜が並び、近所の人々が挨拶を交わす。🐟",
    "新しい風車は静かで、夜でもほとんど音が聞こえません。",
    "أعاد المهندسون قياس الجسر القديم بعد العاصفة مباشرة. 🌉",
    "تحتفظ المكتبة الصغيرة بخرائط لم ينشرها أحد من قبل.",
    "وصل التقرير الأسبوعي متأخرا لأن الطريق كان مغلقا.",
    "زرع المتطوعون ثلاثين شجرة على طول القناة. 🌳",
    "새벽 시장은 비가 와도 언제나 붐빈다. ☔",
    "등대지기는 매일 밤 바람의 방향을 공책에 적었다.",
    "마을 사람들은 낡은 다리를 직접 고치기로 했다. 🔧",
    "Старый мост закрыли на ремонт до конца октября. 🚧",
    "Смотритель маяка записывает направление ветра каждую ночь.",
    "Библиотека открыла читальный зал у реки.",
    "Η γέφυρα άνοιξε ξανά μετά από δύο χρόνια. 🎉",
    "नदी का पानी इस साल जल्दी उतर गया। 🌾",
    "गाँव की घड़ी अब भी पाँच मिनट पीछे है।",
    "Die Brücke über den Kanal wird im Frühjahr saniert.",
    "À marée basse, on voit encore l’ancien quai. 🌊",
    "El faro volvió a encenderse la noche de San Juan. ✨",
    "👩‍🔬👨🏽‍🚒 Équipe mixte: 3 mètres, 12 °C, ½ litre – ça suffit.",
)
"""Sentences in a dozen scripts and languages, some with emoji, one with joined ones."""


def phrase(rng: random.Random, name: str) -> str:
    """Something from the list `name`, its slots filled; capitalised if `name` is."""

    def fill(slot: re.Match[str]) -> str:
        return phrase(rng, slot[1])

    key = name.rstrip("_").lower()
    text = _SLOT.sub(fill, rng.choice(_LISTS[key]))
    return text[0].upper() + text[1:] if name[0].isupper() or name.endswith("_") else text


def sentence(rng: random.Random) -> str:
    """A sentence with its full stop."""
    return phrase(rng, "sentence")


def paragraph(rng: random.Random, least: int = 3, most: int = 6) -> str:
    """So many sentences, joined by spaces."""
    return " ".join(sentence(rng) for _ in range(rng.randint(least, most)))
