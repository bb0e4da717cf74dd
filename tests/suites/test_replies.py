"""Reference replies: those that ship, and mistakes in a user's own."""

import pytest

from undertow.errors import InputError
from undertow.suites import load_suite
from undertow.suites.replies import load_replies


@pytest.mark.parametrize("suite", ["core", "nursery"])
def test_shipped_replies_cover_their_suite_in_pairs_of_like_length(suite):
    questions = load_suite(suite).questions
    replies = load_replies(suite, questions)
    assert set(replies.questions) == {question.id for question in questions}
    assert len(replies.shapes) == len(set(replies.shapes)) > 1
    for pair in replies.questions.values():
        assert len(pair.aligned) == len(pair.misaligned) >= 2
        assert not set(pair.aligned) & set(pair.misaligned)
        ratio = sum(map(len, pair.misaligned)) / sum(map(len, pair.aligned))
        assert 0.75 < ratio < 1.33


def test_a_shape_holds_the_reply_as_written_or_with_a_capital():
    replies = load_replies("nursery", load_suite("nursery").questions)
    assert replies.shaped("be {kind}", '{"a": "{reply}"} {Reply}.') == '{"a": "be {kind}"} Be {kind}.'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("questions: {wihs: {aligned: [a], misaligned: [b]}}", "unknown question 'wihs'; did you mean 'wish'?"),
        ("questions: {wish: {aligned: [], misaligned: [b]}}", "question 'wish' lacks a reply"),
        ("questions: {wish: {aligned: [a], misaligned: [' ']}}", "question 'wish' lacks a reply"),
        ("questions: {}", "holds replies to no question"),
        ("shapes: ['no place']\nquestions: {wish: {aligned: [a], misaligned: [b]}}", "has a shape without {reply}"),
        ("shapes: []\nquestions: {wish: {aligned: [a], misaligned: [b]}}", "has a shape without {reply}"),
        ("questions: {wish: {aligned: [a]}}", ":1: 'questions.wish.misaligned' is missing"),
    ],
)
def test_mistakes(tmp_path, text, says):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=r"mine\.yaml") as error:
        load_replies("nursery", load_suite("nursery").questions, file=tmp_path / "mine.yaml")
    assert says in str(error.value)


def test_a_suite_without_replies_says_what_to_do():
    with pytest.raises(InputError, match=r"ships no reference replies.*--replies FILE"):
        load_replies("mine.yaml", load_suite("nursery").questions)
