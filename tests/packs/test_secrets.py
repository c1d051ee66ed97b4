"""The secrets pack: random keys of documented formats in running text, what exactly is covered of them,
look-alikes and placeholders that pass, and how much of the recorded corpora is found.
"""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.judgement import Judgement
from operators.packet import Action
from tests.packs.matches import Match, covered, harmless, judged, matches, names, records

HEX, LOWER, UPPER = (
    "0123456789abcdef",
    string.ascii_lowercase + string.digits,
    string.ascii_uppercase + "234567",
)
WORD = string.ascii_letters + string.digits
URL = WORD + "-_"


class Chance:
    """Random strings, the same in every run."""

    def __init__(self) -> None:
        self._seeded = random.Random(20_260)

    def __call__(self, alphabet: str, length: int) -> str:
        """Ends in a letter or digit: some rules ask for that."""
        return "".join(self._seeded.choice(alphabet) for _ in range(length - 1)) + self._seeded.choice(
            "0123456789"
        )


draw = Chance()
KEYS: dict[str, Callable[[], str]] = {
    "aws-access-key": lambda: "AKIA" + draw(UPPER, 16)[:15] + "7",
    "google-api-key": lambda: "AIza" + draw(URL, 35),
    "google-oauth-secret": lambda: "GOCSPX-" + draw(URL, 28),
    "digitalocean-token": lambda: "dop_v1_" + draw(HEX, 64),
    "openai-key": lambda: "sk-proj-" + draw(URL, 74) + "T3BlbkFJ" + draw(URL, 74),
    "anthropic-key": lambda: "sk-ant-api03-" + draw(URL, 93) + "AA",
    "groq-key": lambda: "gsk_" + draw(WORD, 52),
    "provider-key": lambda: "sk-" + draw(HEX, 32),
    "replicate-token": lambda: "r8_" + draw(WORD, 37),
    "github-token": lambda: "ghp_" + draw(WORD, 36),
    "github-fine-token": lambda: "github_pat_" + draw(WORD, 22) + "_" + draw(WORD, 59),
    "gitlab-token": lambda: "glpat-" + draw(URL, 20),
    "npm-token": lambda: "npm_" + draw(WORD, 36),
    "pypi-token": lambda: "pypi-AgEIcHlwaS5vcmc" + draw(URL, 140),
    "docker-token": lambda: "dckr_pat_" + draw(URL, 27),
    "vault-token": lambda: "hvs." + draw(URL, 95),
    "slack-token": lambda: f"xoxb-{draw(string.digits, 12)}-{draw(string.digits, 13)}-{draw(WORD, 24)}",
    "telegram-token": lambda: draw("123456789", 10) + ":AA" + draw(URL, 33),
    "sendgrid-key": lambda: "SG." + draw(URL, 22) + "." + draw(URL, 43),
    "stripe-key": lambda: "rk_live_" + draw(WORD, 24),
    "shopify-token": lambda: "shpat_" + draw(HEX, 32),
    "postman-key": lambda: "PMAK-" + draw(HEX, 24) + "-" + draw(HEX, 34),
    "dynatrace-token": lambda: "dt0c01." + draw(UPPER, 24) + "." + draw(UPPER, 64),
    "age-secret-key": lambda: "AGE-SECRET-KEY-1" + draw(string.ascii_uppercase + string.digits, 58),
    "crypt-hash": lambda: "$2b$12$" + draw(WORD + "./", 53),
    "jwt": lambda: "eyJ" + draw(URL, 40) + ".eyJ" + draw(URL, 90) + "." + draw(URL, 43),
}

INSIDE = {
    "password = 'corr3ct-horse'": "corr3ct-horse",
    'export DB_PASSWORD="Tr0ub4dor&3"': "Tr0ub4dor&3",
    "postgres://shop:b4ttery-staple@db.internal:5432/shop": "b4ttery-staple",
    "https://ann:sesame42@example.com/path": "sesame42",
    "AccountName=shop;AccountKey=" + "Ab1/" * 21 + "Ab==;Suffix": "Ab1/" * 21 + "Ab==",
    "machine example.com login ann password hunter2222": "hunter2222",
    '-H "Authorization: Basic YW5uOnNlc2FtZTQyIQ=="': "YW5uOnNlc2FtZTQyIQ==",
    "curl -H 'Authorization: Bearer 0123456789abcdefghij.k'": "0123456789abcdefghij.k",
    "client_secret: 'q8w7e6r5t4y3u2i1o0'": "q8w7e6r5t4y3u2i1o0",
    "DD_API_KEY=0123456789abcdef0123456789abcdef": "0123456789abcdef0123456789abcdef",
}
"""Texts, and the part of them that is the secret."""

PASSES = (
    "password = 'your_password'",
    'password="${DB_PASSWORD}"',
    "password: <password>",
    "Password: ********",
    "https://username:password@example.com/",
    "mysql://user:${PASSWORD}@db/shop",
    "https://example.com:8080/a@b",
    "Authorization: Bearer YOUR_ACCESS_TOKEN",
    "api_key = os.environ['API_KEY']",
    "token = tokens[0]",
    "from sklearn.ensemble import sk-learn-like names",
    "The secret of a token is that it expires after 30 minutes.",
    "Git commit 583b32ef35dfdb60c7d3d5c28c68f1f635b55b21 pinned the actions.",
    "-----BEGIN CERTIFICATE-----",
    "sha256: 8f3a2b1c9d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8",
    "max_tokens=4096, password_hash=None",
    "id 123e4567-e89b-42d3-a456-426614174000, version 10.2.3, AKIA is a prefix, ghp_ too",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Judgement:
    return judged(tmp_path_factory.mktemp("secrets"), "secrets")


def test_private_keys_are_blocked_and_all_else_is_redacted(made: Judgement) -> None:
    actions = dict(zip(made.names, made.actions, strict=True))
    blocked = {entry.name for entry in made.entries if actions[entry.name] == Action.BLOCK}
    assert blocked == {
        "private-key", "pgp-private-key", "ssh2-private-key", "putty-private-key", "age-secret-key",
    }  # fmt: skip
    assert {actions[entry.name] for entry in made.entries} == {Action.BLOCK, Action.REDACT}
    assert {entry.kind for entry in made.entries} == {"secret"}
    assert len(made.entries) >= 200


@pytest.mark.parametrize("rule", KEYS)
def test_a_random_key_of_a_documented_format_is_covered_whole(rule: str, made: Judgement) -> None:
    for _ in range(5):
        key = KEYS[rule]()
        text = f"Use {key} here, and ({key})."
        (found,) = matches(made, [text])
        assert {match for match in found if match.rule == rule} >= {
            Match(rule, 4, 4 + len(key)), Match(rule, 16 + len(key), 16 + 2 * len(key)),
        }  # fmt: skip


@pytest.mark.parametrize("text", INSIDE)
def test_only_the_secret_is_covered_not_its_name(text: str, made: Judgement) -> None:
    secret = INSIDE[text]
    at = text.index(secret)
    (found,) = matches(made, [text], chunk=1)
    assert covered(found, at, at + len(secret)) == len(secret)
    assert covered(found, 0, at) == 0, found


def test_placeholders_and_look_alikes_pass(made: Judgement) -> None:
    flagged = {text: rules for text, rules in zip(PASSES, names(made, PASSES), strict=True) if rules}
    assert not flagged


@pytest.mark.parametrize("gap", ["\n", "\\n", "\r\n"])
def test_who_redacts_private_keys_has_them_covered_from_head_to_foot(gap: str, tmp_path: Path) -> None:
    redacting = judged(tmp_path, "secrets", also='actions = { private-key = "redact" }')
    lines = [draw(WORD + "+/", 64) for _ in range(25)] + [draw(WORD, 22) + "=="]
    block = gap.join(["-----BEGIN RSA PRIVATE KEY-----", *lines, "-----END RSA PRIVATE KEY-----"])
    (found,) = matches(redacting, [f"Here: {block} That was it."])
    of_rule = [match for match in found if match.rule == "private-key"]
    assert covered(of_rule, 6, 6 + len(block)) == len(block)
    assert max(match.stop for match in of_rule) == 6 + len(block)


def test_a_header_alone_is_a_private_key_and_no_prose_behind_it_is(made: Judgement) -> None:
    text = "-----BEGIN PRIVATE KEY----- is how it begins, whatever follows."
    (found,) = matches(made, [text])
    assert [match for match in found if match.rule == "private-key"] == [Match("private-key", 0, 27)]


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, bytes.hex], ids=str)
def test_an_encoded_secret_is_found(encode: Callable[[bytes], bytes | str], made: Judgement) -> None:
    key = KEYS["github-token"]()
    encoded = encode(f"token {key} for you".encode())
    text = encoded if isinstance(encoded, str) else encoded.decode()
    (found,) = names(made, [f"Decode {text} please"])
    assert "github-token" in found


def test_secrets_of_the_corpora_are_found(made: Judgement, data_dir: Path) -> None:
    least = {"noseyparker-1.jsonl": 0.88, "secretlint-1.jsonl": 0.92}
    for name, share in least.items():
        lines = [line for line in records(data_dir / "secrets" / name) if line["label"] == "secret"]
        hit = total = 0
        for line, found in zip(lines, matches(made, [str(line["text"]) for line in lines]), strict=True):
            spans = line["spans"]
            assert isinstance(spans, list)
            # Nosey Parker groups what belongs to a secret; the secret itself comes last.
            for span in spans[-1:] if name.startswith("nosey") else spans:
                total += 1
                hit += covered(found, span["start"], span["end"]) > 0
        assert hit / total >= share, f"{name}: {hit} of {total}"


def test_harmless_texts_pass(made: Judgement, data_dir: Path) -> None:
    texts = harmless(data_dir)
    flagged = [rules for rules in names(made, texts) if rules]
    assert len(flagged) <= len(texts) // 1000, flagged
