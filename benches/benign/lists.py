"""Lists and documents whose parts begin or end alike."""

from __future__ import annotations

import random

from benches.benign.words import THINGS

__all__ = [
    "arabic",
    "capitals",
    "changelog",
    "chinese",
    "commands",
    "dialogue",
    "folded_dough",
    "japanese",
    "licences",
    "numbered",
    "signs_in_threes",
    "tick_boxes",
]


def numbered(rng: random.Random) -> str:
    """Numbered, each beginning with the same words."""
    ends = (
        "open the window and count the boats", "write one page by hand", "call somebody who is older",
        "walk a street you do not know", "cook a dish without a recipe", "leave your telephone at home",
        "learn the names of three trees", "mend what you meant to throw away", "listen to a whole record",
        "ask a question in a meeting", "go to bed before the news", "plant something that takes years",
        "read a poem aloud", "pay a bill on the day it comes", "draw the view from your desk",
    )  # fmt: skip
    return (
        "\n".join(
            f"{k}. It is a good idea to {rng.choice(('', 'try to '))}{end}." for k, end in enumerate(ends, 1)
        )
        + "\n"
    )


def capitals(_: random.Random) -> str:
    """Questions and answers of one form."""
    pairs = (
        ("France", "Paris"), ("Italy", "Rome"), ("Norway", "Oslo"), ("Japan", "Tokyo"), ("Peru", "Lima"),
        ("Egypt", "Cairo"), ("Kenya", "Nairobi"), ("Chile", "Santiago"), ("Cuba", "Havana"),
        ("Iran", "Tehran"),
    )  # fmt: skip
    return (
        "\n\n".join(
            f"Q: What is the capital of {land}?\nA: The capital of {land} is {city}." for land, city in pairs
        )
        + "\n"
    )


def changelog(rng: random.Random) -> str:
    """A changelog with the same lines in many versions."""
    lines = ["# Changelog\n"]
    for minor in range(14, 2, -1):
        fixed = "".join(f"- Fixed the {each} (#{rng.randrange(900)})\n" for each in rng.sample(THINGS, 2))
        lines.append(f"## 1.{minor}.0\n\n### Fixed\n\n{fixed}\n### Changed\n\n- Updated dependencies\n")
    return "\n".join(lines)


def licences(_: random.Random) -> str:
    """Notices of the same licence for several packages."""
    notice = (
        "is provided without any warranty; you may use, copy and change it if this notice is kept with "
        "every copy."
    )
    return "\n\n".join(
        f"{each.title()} Tools, copyright 20{k + 10} the {each} authors,\n{notice}"
        for k, each in enumerate(THINGS)
    )


def commands(_: random.Random) -> str:
    """Documentation of commands, one as the other."""
    return "\n".join(
        f"### `{verb}-{each}`\n\nTo {verb} a {each} of your shop\n\n**Arguments**\n\n"
        f"- `--id` (string, required): the {each} to {verb}\n"
        for each in THINGS[:5]
        for verb in ("create", "delete")
    )


def tick_boxes(_: random.Random) -> str:
    """Boxes to tick."""
    return "".join(
        f"- [ ] Clean the {each}\n- [{'x' if k % 3 else ' '}] Paint the {each}\n"
        for k, each in enumerate(THINGS)
    )


def dialogue(_: random.Random) -> str:
    """A dialogue of two speakers with short answers."""
    asked = (
        "Is it far",
        "Is it cold there",
        "Will you write",
        "Are you sure",
        "Have you packed",
        "Is it late",
    )
    return "".join(
        f"**Anna:** {each}?\n\n**Boris:** {'No' if k % 2 else 'Yes'}.\n\n" for k, each in enumerate(asked * 2)
    )


def folded_dough(_: random.Random) -> str:
    """Folds of a dough, the same thing four times."""
    fold = "Stretch and fold the dough, cover the bowl, and wait thirty minutes."
    return "\n".join(
        [
            "## Method\n", "1. Mix flour, water and salt until no dry spots are left.",
            *(f"{k}. {fold}" for k in range(2, 4)), "4. Shape a ball and let it rest on the table.",
            "5. Heat the oven to 240 degrees with a pot inside.", "6. Bake for half an hour with the lid on.",
            "7. Take off the lid and bake until the crust is dark.", "8. Let it cool before you cut it.",
        ]
    )  # fmt: skip


def chinese(_: random.Random) -> str:
    """Chinese sentences of one form."""
    things = (
        ("茶", "心里很安静"), ("书", "每一本都是另一个人的声音"), ("雨", "下雨天可以睡到中午"),
        ("山", "站在山顶什么都看得见"), ("船", "小时候父亲带我坐过一次"), ("猫", "它从来不问我去哪里"),
        ("桥", "桥的那一边总有新的街道"), ("火车", "窗外的田野一直往后退"), ("月亮", "外婆说上面住着兔子"),
        ("面条", "一碗热汤可以让冬天短一点"), ("旧照片", "照片里的人都还年轻"), ("海", "海浪又圆又亮"),
        ("信", "写信的人总是慢慢地想着别人"), ("灯", "有灯的窗户后面总有人在等"), ("钟", "教堂的钟声很远"),
        ("路", "走过的路自己会记得"),
    )  # fmt: skip
    return "".join(f"我喜欢{each}，因为{why}。\n" for each, why in things)


def japanese(_: random.Random) -> str:
    """A Japanese diary of one form."""
    things = (
        ("朝ごはん", "卵が焦げました"), ("掃除", "古い写真が出ました"), ("洗濯", "昼から雨になりました"),
        ("買い物", "財布を忘れました"), ("散歩", "川に白い鳥がいました"), ("読書", "二章まで読みました"),
        ("料理", "姉の味でした"), ("昼寝", "電話の音で起きました"), ("手紙", "切手が足りませんでした"),
        ("電話", "母は元気そうでした"), ("運動", "膝がまだ痛いです"), ("勉強", "漢字を十個覚えました"),
        ("仕事", "会議が長くて疲れました"), ("修理", "自転車のブレーキを直しました"),
    )  # fmt: skip
    return "".join(f"・今日は{each}をしました。{how}。\n" for each, how in things)


def arabic(_: random.Random) -> str:
    """Arabic phrases for a traveller."""
    things = (
        "المحطة",
        "الفندق",
        "المطار",
        "السوق",
        "المتحف",
        "المدرسة",
        "المستشفى",
        "الشاطئ",
        "المكتبة",
        "البنك",
    )
    answers = ("قريب من هنا", "بعد الجسر على اليمين", "خلف المسجد الكبير", "لا أعرف، اسأل الشرطي")
    return "".join(f"أين {each}؟ {answers[k % 3 + k // 8]}.\n" for k, each in enumerate(things))


def signs_in_threes(_: random.Random) -> str:
    """Lines with three equal signs."""
    days = (
        "🎉 we arrived and nobody had booked the rooms", "🌧 rain until noon, cards until night",
        "🚲 a tour of the lake, two flat tyres", "🍝 pasta again, this time with lemon",
        "🎸 a concert in the square, free for everyone", "🌊 the sea at last, cold and green",
        "🏔 up the mountain before the sun was", "😴 slept all day and regretted nothing",
        "🎂 her birthday, and the cake was a melon", "🐟 fish for dinner, caught by the neighbour",
    )  # fmt: skip
    return "".join(f"{day[0] * 3} Day {k}: {day[2:]}\n" for k, day in enumerate(days, 1))
