"""The manual's files: which topics there are, how each begins, and tables that follow the code."""

import re

import pytest

from manual.tables import MADE, MANUAL, with_tables
from vmtiming_tui.errors import ConfigError
from vmtiming_tui.manual.topics import ORDER, read_topic, read_topics, topic_named
from vmtiming_tui.model.attempt import Phase, VmState
from vmtiming_tui.tui.drawing.glyphs import ASCII, UNICODE

PACKAGE = MANUAL.parents[1] / "vmtiming_tui"
WIDEST = 76  # what a terminal of 80 columns shows of code, and a man page indents by 4


@pytest.mark.parametrize("name", MADE)
def test_a_table_says_what_the_code_says(name):
    text = (MANUAL / f"{name}.md").read_text(encoding="utf-8")

    assert text == with_tables(name, text), "PYTHONPATH=tests python -m manual.tables"


def test_every_file_is_a_topic_once():
    assert sorted(ORDER) == sorted(path.stem for path in MANUAL.iterdir())


@pytest.mark.parametrize("name", ORDER)
def test_a_topic_has_a_title_a_sentence_and_code_that_fits(name):
    topic = read_topic(MANUAL, name)

    assert topic.summary.endswith(".")
    assert "<!--" not in topic.text
    code = topic.text.split("```")[1::2]
    assert [line for block in code for line in block.splitlines() if len(line) > WIDEST] == []


def test_the_topics_that_topics_speak_of_are_there():
    text = "\n".join(topic.text for topic in read_topics(MANUAL))
    told = set(re.findall(r"vm-timing-report manual ([a-z]+)", text))

    assert told
    assert told <= set(ORDER)


def test_the_dashboards_glyphs_are_those_it_draws():
    text = read_topic(MANUAL, "dashboard").text

    for state in VmState:
        assert f"| `{UNICODE.states[state]}` | `{ASCII.states[state]}` | {state}" in text


def test_the_dashboards_marks_of_what_booted_vms_are_at_are_those_it_draws():
    text = read_topic(MANUAL, "dashboard").text

    for phase in Phase:
        assert f"| `{UNICODE.phases[phase]}` | `{ASCII.phases[phase]}` | {phase}: " in text
    assert f"(`{UNICODE.resumed}`, with `--ascii` `{ASCII.resumed}`)" in text


def test_what_is_told_of_the_inside_is_there():
    text = read_topic(MANUAL, "inside").text
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*(?:/|\.py))`", text))
    missing = {
        name for name in named
        if not (PACKAGE / name).exists() and not (PACKAGE.parent / name).exists()
    }  # fmt: skip
    packages = {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}

    assert missing == set()
    assert packages <= named


def test_a_file_without_a_title_and_a_sentence_is_no_topic(tmp_path):
    (tmp_path / "odd.md").write_text("Words.\n")

    with pytest.raises(ValueError, match=r"odd\.md does not begin"):
        read_topic(tmp_path, "odd")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("image", "there is no topic 'image'; did you mean images? The topics are: start, "),
        ("Keys", "'Keys'; did you mean keys?"),
        ("zzz", "there is no topic 'zzz'. The topics are: start, "),
    ],
)
def test_a_name_of_no_topic_is_answered_with_those_there_are(name, words):
    with pytest.raises(ConfigError) as caught:
        topic_named(read_topics(MANUAL), name)

    assert words in str(caught.value)
