"""Pages for people: there is one for each code, and each command that a message names works."""

import re

import pytest
from typer.testing import CliRunner

from bridge.cli.explain import code_pages, topics
from bridge.cli.main import app
from tests.support.codes import CODES, ROOT, SOURCES


def run(*words: str):
    return CliRunner().invoke(app, list(words))


def test_every_code_has_a_page():
    assert code_pages().keys() == CODES


def test_every_topic_that_a_message_names_has_a_page():
    named = {word for text in SOURCES for word in re.findall(r"tagbridge explain ([a-z]+)", text)}
    assert named <= set(topics()), named - set(topics())


def test_every_command_that_a_message_names_exists():
    named = {word for text in SOURCES for word in re.findall(r"[\"'`]tagbridge ([a-z-]+)\b", text)}
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    groups = {group.name for group in app.registered_groups}
    said_not_to_exist = {"relay"}
    sentences = {"plant"}
    assert named - said_not_to_exist - sentences <= commands | groups
    assert {"check", "explain"} <= named


@pytest.mark.parametrize("word", ["E402", "e402", "addresses", "Addresses"])
def test_a_page_is_printed(word: str):
    ended = run("explain", word)
    assert ended.exit_code == 0
    assert "holding:100" in ended.output or "40101" in ended.output


def test_what_has_no_page_is_answered_with_what_was_meant():
    ended = run("explain", "adresses")
    assert ended.exit_code == 1
    assert "did you mean 'addresses'?" in ended.output
    assert run("explain", "E999").exit_code == 1
    assert "addresses" in run("explain").output


def test_pages_fit_a_terminal():
    for path in (ROOT / "mappings" / "explain").glob("*.md"):
        wide = [line for line in path.read_text().splitlines() if len(line) > 110]
        assert wide == [], path
