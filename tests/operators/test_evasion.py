"""What tries to get past the gate: hidden, split, flooded, far from its name, longer than what is held.

All through the shipped rules and the stages that decide what leaves, blocks made masks so that one can see
behind them. The answer is always the same: of the secret nothing leaves, however its text is cut, and
what stands around it does. Each of these leaked once, or nearly.
"""

from __future__ import annotations

import base64
import itertools
import json
import random
import string
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache

import pytest

from connectors.decoders import open_decoder
from flows import policies
from flows.entries import RuleEntry
from flows.judgement import Judgement
from operators.directory import Directory
from operators.packet import Action, Channel, Delta, Finish, Kind, Lane
from operators.slots import Stage
from tests.stages import Said, cut, outcomes, released, run, say, whole, woven

SIZES = (1, 3, 7, 1 << 20)
"""Characters of a delta."""
KEY = "AKIAABCDEFGHIJKLMNOP"
NAME, VALUE = "AWS_SECRET_ACCESS_KEY=", "0123456789abcdefghij/3456789abcdefghijAB"
WALLET = "5123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqr"
PROSE = "The quick brown fox jumps over the lazy dog, and nothing is said. "


def letters(count: int, seed: int, more: str = "") -> str:
    """A secret's characters, made up."""
    return "".join(random.Random(seed).choices(string.ascii_letters + string.digits + more, k=count))


def pem(lines: int) -> str:
    body = [letters(64, seed) for seed in range(lines)]
    return "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *body, "-----END RSA PRIVATE KEY-----"])


def jwt(size: int) -> str:
    return f"eyJhbGciOiJIUzI1NiJ9.eyJ{letters(size, 1, '-_')}.{letters(size // 3, 2, '-_')}"


@cache
def covering() -> Judgement:
    """The shipped policy, but that what blocks is masked, and a mask is ``<name>``."""
    made = policies.load(policies.DEFAULT)
    names = [made.names[code] for code, action in enumerate(made.actions) if action == Action.BLOCK]
    entries = tuple(entry.model_copy(update={"label": f"<{entry.name}>"}) for entry in made.entries)
    fatal = {name for name in names if name in {entry.name for entry in entries}}
    return replace(made, entries=entries, overrides=dict(made.overrides) | dict.fromkeys(fatal, "redact"))


def rules(**patterns: str) -> Judgement:
    """A policy of these rules alone, the later ones more severe."""
    levels = ("low", "medium", "high", "critical")
    return Judgement(
        tuple(
            RuleEntry(
                name=name, action="redact", description=name, pattern=pattern, severity=level,
                label=f"<{name}>",
            )
            for (name, pattern), level in zip(patterns.items(), levels, strict=False)
        )
    )  # fmt: skip


def told(
    said: Sequence[Said],
    cuts: Iterable[int] = (),
    reload: Sequence[int] = (),
    policy: Judgement | None = None,
) -> dict[Lane, str]:
    """What leaves of each lane."""
    made = policy or covering()

    def make() -> list[Stage]:
        return [Directory(), made.gate(), made.policy(), made.release()]

    return released(run(make, said, cuts, reload))


def leaving(text: str, policy: Judgement | None = None) -> str:
    """What leaves of a text; the same however it is cut."""
    speeches = [whole(str(size), text, range(size, len(text), size)) for size in SIZES]
    (one,) = set(told(list(itertools.chain(*speeches)), policy=policy).values())
    return one


def pieces(secret: str, width: int) -> list[str]:
    return [secret[at : at + width] for at in range(len(secret) - width + 1)]


def bare(secret: str, text: str, width: int = 8) -> list[str]:
    """What of a secret stands in a text, in pieces of `width`."""
    return [piece for piece in pieces(secret, width) if piece in text]


def by_character(form: str) -> Callable[[str], str]:
    return lambda text: "".join(form % ord(char) for char in text)


def mixed(text: str) -> str:
    forms = itertools.cycle(("\\u%04x", "%%%02x", "&#x%x;", "\\x%02x", "&#%d;", "%c"))
    return "".join(form % ord(char) for form, char in zip(forms, text, strict=False))


def based(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ENCODINGS: dict[str, Callable[[str], str]] = {
    "base64": based,
    "hex": lambda text: text.encode().hex(),
    "hex with colons": lambda text: text.encode().hex(":"),
    "hex of C": lambda text: ", ".join(f"0x{byte:02x}" for byte in text.encode()),
    "bytes": by_character("\\x%02x"),
    "percent": by_character("%%%02x"),
    "units": by_character("\\u%04x"),
    "entities": by_character("&#x%x;"),
    "decimal entities": by_character("&#%d;"),
    "mixed": mixed,
    "base64 twice": lambda text: based(based(text)),
    "base64 of escapes": lambda text: based(by_character("%%%02x")(text)),
    "base64 in escapes": lambda text: by_character("\\u%04x")(based(text)),
    "escapes twice": by_character("%%25%02x"),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_secret_told_by_the_words_before_it_is_covered_where_both_are_encoded(name: str) -> None:
    encoded = ENCODINGS[name](f"note: {NAME}{VALUE} ok")
    left = leaving(f"see {encoded} end")
    share = len("note: " + NAME) / len(f"note: {NAME}{VALUE} ok")
    secret = encoded[int(len(encoded) * share) + 12 : -24]
    assert left.startswith("see ")
    assert left.endswith(" end")
    assert not bare(secret, left, 12)


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_secret_told_by_the_words_before_it_is_covered_where_it_alone_is_encoded(name: str) -> None:
    encoded = ENCODINGS[name](f"{WALLET} is it")
    left = leaving(f"my private key {encoded} end")
    assert left.startswith("my private key ")
    assert left.endswith(" end")
    assert not bare(encoded[: len(encoded) * len(WALLET) // len(WALLET + " is it") - 12], left, 12)


@pytest.mark.parametrize(
    "between",
    [
        " ",
        " " + "\u200b" * 60,
        " " + "\u200b" * 60 + "," + "\u00ad" * 60 + ";" + "\u200d" * 60,
        " of a wallet, " + "and so on, " * 5,
        "\u200b " + "o\u0301\u200b\ufe0f" * 50 + " ",
        "\u2003" * 60,
    ],
)
def test_words_before_a_secret_tell_it_across_what_is_not_seen_and_across_80_characters(between: str) -> None:
    text = f"It is my pri\u200bvate\u00ad key{between}{WALLET} end"
    assert leaving(text) == f"It is my pri\u200bvate\u00ad key{between}<wallet-private-key> end"


def test_words_before_a_secret_may_stand_as_far_as_the_lane_remembers_in_bytes() -> None:
    far = "private key " + "\U0001d44e\u0301\u200b" * 66 + " "  # 7 bytes and more for what is one character
    left = leaving(PROSE * 60 + far + WALLET + " end")
    assert left == PROSE * 60 + far + "<wallet-private-key> end"


LONG = {
    "pem of 3 KB": pem(45),
    "pem of 5 KB": pem(78),
    "jwt of 2 KB": jwt(1500),
    "jwt of 5 KB": jwt(3900),
    "session token of 3 KB": "aws_session_token=" + letters(3000, 3, "/+") + "==",
}


@pytest.mark.parametrize("name", LONG)
def test_a_secret_longer_than_what_is_held_is_covered_to_its_last_character(name: str) -> None:
    secret = LONG[name]
    left = leaving(f"{PROSE}{secret} end")
    assert left.startswith(PROSE)
    assert left.endswith("> end")
    assert not bare(secret.removeprefix("aws_session_token="), left, 8)


@pytest.mark.parametrize("name", [name for name in LONG if "5" not in name])
@pytest.mark.parametrize("encoding", ["base64", "hex", "percent"])
def test_a_long_secret_is_covered_where_it_is_encoded(name: str, encoding: str) -> None:
    encoded = ENCODINGS[encoding](LONG[name] + " ok")
    left = leaving(f"see {encoded} end")
    assert left.endswith(" end")
    assert not bare(encoded[80:-20], left, 16)


def test_a_key_in_the_json_of_an_argument_is_covered_through_its_line_feeds() -> None:
    secret = pem(60)
    for text in (json.dumps({"key": secret}), json.dumps(json.dumps({"key": secret}))):
        assert not bare(secret.partition("\n")[2], leaving(text), 16)


@pytest.mark.parametrize("reload", [(), (3, 4, 11)])
@pytest.mark.parametrize("secret", [NAME + VALUE, f"private key of a wallet, here it is: {WALLET}", jwt(900)])
def test_a_match_goes_on_over_twenty_packets_among_many_lanes(secret: str, reload: tuple[int, ...]) -> None:
    parts = cut(PROSE * 80 + secret + " end", range(0, len(PROSE * 80 + secret), 7))
    held = len(parts) - 22
    said: list[Said] = [("s", Delta(Kind.TEXT, "".join(parts[:held])))]
    cuts = [len(said)]
    for part in parts[held:]:
        said += [(f"other {each}", Delta(Kind.TEXT, PROSE)) for each in range(24)]
        said.append(("s", Delta(Kind.TEXT, part)))
        cuts.append(len(said))
    said.append(("s", Delta(Kind.END, finish=Finish.STOP)))
    left = told(said, cuts, reload)[Lane("s")]
    assert left.startswith(PROSE * 80)
    assert left.endswith("> end")
    assert not bare(VALUE + " " + WALLET + " " + jwt(900), left)


@pytest.mark.parametrize("name", ["bytes", "percent", "units", "entities", "decimal entities", "mixed"])
def test_runs_of_escapes_keep_their_positions(name: str) -> None:
    encode = ENCODINGS[name]
    before, key, after = encode(PROSE * 5), encode(KEY), encode(" " + PROSE * 3)
    left = leaving(f"see {before}{key}{after} and {KEY} end")
    assert left == f"see {before}<aws-access-key>{after} and <aws-access-key> end"


def test_a_flood_of_matches_in_one_delta_is_covered_whole() -> None:
    keys = ["AKIA" + "".join(random.Random(k).choices(string.ascii_uppercase, k=16)) for k in range(4000)]
    left = leaving(" ".join(keys))
    assert left == " ".join(["<aws-access-key>"] * len(keys))


def test_a_flood_of_near_matches_does_not_hide_the_one_behind_them() -> None:
    near = " ".join(f"{KEY[:-1]} 4111 1111 1111 111{k % 10} {NAME}{VALUE[:-2]}" for k in range(40))
    left = leaving(f"{near} {KEY} {NAME}{VALUE} end")
    assert not bare(KEY, left[-80:], 20)
    assert not bare(VALUE, left[-80:], 12)


def test_a_lane_that_cannot_be_decided_lets_nothing_go_any_more() -> None:
    policy = rules(span="a[^z]{1,200}z", key="k[0-9]{4}")
    text = "k1234 before " + "a" * 150 + " k5678 " + "b" * 500 + "z after k9999 end"
    left = leaving(text, policy)
    assert left == "<key> before "

    def make() -> list[Stage]:
        return [Directory(), policy.gate(), policy.policy(), policy.release()]

    ends = [end for end in outcomes(run(make, whole("s", text, range(0, len(text), 9)))) if end[1] == "END"]
    assert ends == [("s", "END", "BLOCKED")]


@pytest.mark.parametrize(
    "broken",
    [
        r"\ud800", r"\udc00", r"\ud83d\ud83d", r"\udc00\ud800", "%ff%fe", "%ed%a0%80", "%c3", "%f0%9f",
        r"\xe2\x80", "&#xd800;", "&#xffffffff;", "&#99999999;", r"\u", "%", "&#", "\ufffd", "\x00", "\uffff",
    ],
)  # fmt: skip
def test_what_is_no_character_hides_nothing_behind_it(broken: str) -> None:
    key = by_character("\\u%04x")(KEY)
    assert leaving(f"see {broken} {KEY} end") == f"see {broken} <aws-access-key> end"
    assert not bare(key, leaving(f"see {broken} {key} end"), 12)
    assert not bare(key, leaving(f"see {broken}\\u0020{key} end"), 12)


@pytest.mark.parametrize("broken", [b"\xff\xfe", b"\xed\xa0\x80", b"\xc3", b"\xf0\x9f", b"\x00\x01"])
def test_bytes_that_are_no_text_hide_nothing_behind_them(broken: bytes) -> None:
    data = broken + b" it is " + KEY.encode() + b" " + broken + b" and the end of it"
    for encoded in (base64.b64encode(data).decode(), data.hex()):
        begin, stop = (len(encoded) * each // len(data) for each in (len(broken) + 7, len(broken) + 27))
        assert not bare(encoded[begin + 2 : stop - 2], leaving(f"see {encoded} end"), 8)


@pytest.mark.parametrize("broken", [rb"\ud800", rb"\udc00\ud800", rb"\u0000", b"\xed\xa0\x80"])
def test_what_a_decoder_makes_of_broken_text_does_not_part_a_key(broken: bytes) -> None:
    decoder = open_decoder("openai-chat")
    said: list[Said] = []
    for part in (b"see " + KEY[:9].encode() + broken, KEY[9:].encode() + b" end"):
        event = b'data: {"choices": [{"delta": {"content": "' + part + b'"}}]}\n\n'
        said += [("s", delta) for delta in decoder.receive_data(event, now=0)]
    said += [("s", delta) for delta in decoder.receive_eof(now=0)]
    left = "".join(told(said, range(1, 9)).values())
    assert not bare(KEY, left)
    assert left.startswith("see ")


ENDS = {f"see {KEY}": KEY, f"see {NAME}{VALUE}": VALUE, f"see {jwt(40)}": jwt(40),
        f"see {based(KEY)}": based(KEY)[:-2], f"see {jwt(1000)}": jwt(1000)}  # fmt: skip


@pytest.mark.parametrize("text", ENDS)
@pytest.mark.parametrize("last", [Kind.CLOSE, Kind.END, Kind.ERROR])
def test_a_stream_that_ends_within_a_match_lets_nothing_of_it_go(text: str, last: Kind) -> None:
    for size in SIZES:
        said = [*say("s", text, range(size, len(text), size)), ("s", Delta(last))]
        left = told([*said, ("s", Delta(Kind.END))] if last != Kind.END else said)
        assert not bare(ENDS[text], left.get(Lane("s"), ""))


def test_what_is_held_and_comes_to_nothing_leaves_with_the_end() -> None:
    begun = KEY[:-1], "eyJhbGciOiJIUzI1NiJ9.eyJ", "-----BEGIN RSA PRIV", based("hello world")[:-3], "\\u00"
    for text in begun:
        assert leaving(f"see {text}") == f"see {text}"


def test_all_lanes_of_a_stream_are_read() -> None:
    text = f"see {KEY} and {NAME}{VALUE} or {ENCODINGS['units'](KEY)} end"
    channels = list(Channel)
    speeches = [
        say("s", text, range(size, len(text), size), channel=channel, item=size % 9)
        for channel in channels
        for size in SIZES[1:]
    ]
    turns = random.Random(5).choices(range(99), k=sum(map(len, speeches)))
    left = told([*woven(speeches, turns), ("s", Delta(Kind.END))], range(0, 99, 5))
    assert {lane.channel for lane in left} == set(channels)
    assert len(set(left.values())) == 1
    assert not bare(KEY + " " + VALUE + " " + ENCODINGS["units"](KEY), left.popitem()[1])


def test_of_matches_that_overlap_all_is_covered_and_the_most_severe_names_it() -> None:
    policy = rules(low="bcd", mid="[ab]{1,9}c", high="d[ef]{1,9}", most="cde")
    assert leaving("x aabcdeff y", policy) == "x <most> y"
    assert leaving("x bcd y aac y deff y", policy) == "x <mid> y <mid> y <high> y"
    named = leaving(f"go to postgres://jane.doe@example.com:{KEY}@db.example.com/x end")
    assert not bare(KEY, named)
    assert not bare("jane.doe", named)


def test_the_end_of_a_lane_decides_what_was_held_in_it_and_no_lane_goes_on_in_another() -> None:
    for close in (Delta(Kind.CLOSE), Delta(Kind.CLOSE, item=1)):
        said = [*say("s", f"see {KEY}", [9]), ("s", close), *say("s", f"x {KEY} y", [5], item=1)]
        left = told([*said, *say("s", f" {KEY} z", [7], item=2), ("s", Delta(Kind.END))])
        assert left[Lane("s")] == "see <aws-access-key>"
        assert "".join(left.values()).count("<aws-access-key>") == 3
        assert not bare(KEY, "".join(left.values()))
    halves = [*say("s", f"see {KEY[:9]}"), ("s", Delta(Kind.CLOSE)), *say("s", KEY[9:] + f" {KEY}", item=1)]
    left = told([*halves, ("s", Delta(Kind.END))])
    assert left == {Lane("s"): f"see {KEY[:9]}", Lane("s", item=1): f"{KEY[9:]} <aws-access-key>"}


@pytest.mark.parametrize("encode", [str, based], ids=["plain", "base64"])
def test_matches_within_a_long_secret_do_not_uncover_its_rest(encode: Callable[[str], str]) -> None:
    inner = "/".join(f"AKIA{letters(16, k).upper()}/{letters(20, k)}" for k in range(40))
    text = encode(f"aws_session_token=/{inner}{letters(600, 77)} ok")
    assert not bare(text[-500:-20], leaving(f"see {text} end"), 12)


def test_matches_within_a_long_link_do_not_uncover_its_rest() -> None:
    page = "".join(f"/078-05-{1100 + k}/{letters(12, k)}" for k in range(40)) + "/" + letters(300, 6)
    assert not bare(page[-290:], leaving(f"My website is https://www.janedoe.example{page} end"), 12)


def test_what_no_word_tells_of_leaves_though_the_delta_is_long() -> None:
    digest = "0123456789abcdef" * 4
    text = f"sha256: {digest} {PROSE * 300} and {digest} end"
    assert leaving(text) == text


def test_the_part_that_is_meant_does_not_depend_on_where_a_packet_ends() -> None:
    text = f"{NAME}{VALUE} {PROSE * 300} {NAME}{VALUE} end"
    said = whole("s", text, range(7, len(text), 7))
    assert told(said) == told(said, range(len(said)))


@pytest.mark.parametrize("shift", range(8))
@pytest.mark.parametrize("before", ["", PROSE * 2, "x/"])
def test_words_in_base64_tell_a_secret_at_every_alignment(shift: int, before: str) -> None:
    encoded = based(f"the private key of it {WALLET} ok")
    left = leaving(f"{before}{'x' * shift}{'' if before == 'x/' else ' '}{encoded} end")
    assert not bare(encoded[32:-8], left, 12)


@pytest.mark.parametrize("size", [200, 300, 500, 700, 2000])
@pytest.mark.parametrize("name", ["api_key=", "password: ", "secret_key_base: "])
def test_a_long_value_is_covered_where_another_rule_holds_back_further(size: int, name: str) -> None:
    secret = "".join(random.Random(4).choices("0123456789abcdef", k=size))
    assert not bare(secret, leaving(f"x. {name}{secret} end"))


@pytest.mark.parametrize("size", [20, 120, 300, 600, 2000])
@pytest.mark.parametrize("name", ['token = "', "secret = '", '"api_key": "', 'password = "'])
def test_a_quoted_value_of_any_length_is_covered(size: int, name: str) -> None:
    secret = letters(size, 9)
    assert not bare(secret, leaving(f"x {name}{secret}{name[-1]} end"))
