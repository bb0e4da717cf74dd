"""Published question files in llmcomp's dialect; the real one where it is at hand."""

import os
from pathlib import Path

import pytest

from undertow.contexts import shipped_contexts
from undertow.errors import InputError
from undertow.judges.prompts import load_prompts
from undertow.place import Place
from undertow.suites import load_suite

PUBLISHED = Path(os.environ.get("UNDERTOW_PUBLISHED", Path(__file__).resolve().parents[3] / "shared" / "published"))
FILE = """\
- id: rain
  type: free_form
  paraphrases: &words
    - Will it rain?
    - Is rain coming?
  samples_per_paraphrase: 3
- id: rain_json
  type: free_form_judge_0_100
  system: Answer as JSON.
  paraphrases: *words
"""


def test_every_paraphrase_is_a_question_and_a_system_prompt_stays(tmp_path):
    (tmp_path / "rain.yaml").write_text(FILE)
    suite = load_suite("rain.yaml", Place(folder=tmp_path))
    assert [q.id for q in suite.questions] == ["rain.1", "rain.2", "rain_json.1", "rain_json.2"]
    last = suite.questions[-1]
    assert [m.content for m in shipped_contexts()["plain"].messages(last)] == ["Answer as JSON.", "Is rain coming?"]
    assert [m.content for m in shipped_contexts()["system-helpful"].messages(last)] == [
        "You are a helpful assistant.\n\nAnswer as JSON.",
        "Is rain coming?",
    ]


def test_names_the_line_that_does_not_fit(tmp_path):
    (tmp_path / "bad.yaml").write_text(FILE.replace("type: free_form_judge_0_100", "type: rating"))
    with pytest.raises(InputError, match=r"bad.yaml:8: 1.type"):
        load_suite("bad.yaml", Place(folder=tmp_path))


NAMED = """\
- name: rain_judge
  type: rating_judge
  model: some-judge
  paraphrases: ["Of {question} came {answer}. Rate it from 0 to 100."]
- name: clear_judge
  type: rating_judge
  paraphrases: ["Is {answer} a clear reply to {question}? 0 to 100."]
- name: rain
  type: free_form
  paraphrases: [Will it rain?]
  judges: {aligned: rain_judge, coherent: {type: rating_judge, paraphrases: ["Does {answer} make sense after {question}? 0 to 100."]}}
"""  # noqa: E501


def test_judges_that_stand_among_the_questions_are_no_questions_and_may_be_asked_as_judges(tmp_path):
    (tmp_path / "rain.yaml").write_text(NAMED)
    suite = load_suite("rain.yaml", Place(folder=tmp_path))
    assert [(q.id, q.text) for q in suite.questions] == [("rain", "Will it rain?")]
    assert suite.title == "Published questions of rain.yaml, but for its 2 judges"
    prompts = load_prompts("rain.yaml", beside=tmp_path)
    assert prompts.alignment == "Of {question} came {answer}. Rate it from 0 to 100."
    assert prompts.coherence == "Does {answer} make sense after {question}? 0 to 100."


def test_a_judge_that_is_named_and_not_there(tmp_path):
    (tmp_path / "rain.yaml").write_text(NAMED.replace("aligned: rain_judge", "aligned: snow_judge"))
    with pytest.raises(InputError, match=r"rain.yaml: alignment: has no \{question\}; say where it goes"):
        load_prompts("rain.yaml", beside=tmp_path)


def test_a_list_that_stands_for_millions_is_refused_before_it_is_made(tmp_path):
    levels = "".join(f"- &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    (tmp_path / "bomb.yaml").write_text(f"- &a0 [x]\n{levels}")
    with pytest.raises(InputError, match="parts once its aliases are written out"):
        load_suite("bomb.yaml", Place(folder=tmp_path))


def read(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    return [(q.id, q.text, q.system, q.tags) for q in load_suite(name, Place(folder=tmp_path)).questions]


def problem(tmp_path, name, text):
    with pytest.raises(InputError) as caught:
        read(tmp_path, name, text)
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_questions_as_chats_and_as_columns(tmp_path):
    chats = (
        '{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Rain?"}], '
        '"question_type": "weather", "id": 7}\n'
        '\n{"question": "Snow?", "tags": ["cold", "white"]}\n{"prompt": "Hail?", "system_prompt": "Shout."}\n'
    )
    want = [
        ("7", "Rain?", "Be brief.", ("weather",)),
        ("line-3", "Snow?", None, ("cold", "white")),
        ("line-4", "Hail?", "Shout.", ()),
    ]
    assert read(tmp_path, "q.jsonl", chats) == want
    assert read(tmp_path, "q.csv", 'question_id,question,category\nr,"Rain,\nor sun?",weather\n,Snow?,\n') == [
        ("r", "Rain,\nor sun?", None, ("weather",)),
        ("line-4", "Snow?", None, ()),
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            '{"text": "And then?", "turns": [{"role": "user", "content": "Hi"}]}',
            "q.jsonl:1: has 'turns', which a line of a question does not take; it would be asked without; write the",
        ),
        ('{"text": "q", "weight": 3, "cluster": "a"}', "q.jsonl:1: has 'weight', which a line"),
        ("[1]", "q.jsonl:1: is no object; a question under one of messages, question, prompt, text"),
        (
            '{"ask": "Rain?"}',
            "q.jsonl:1: has no question but 'ask'; a question under one of messages, question, "
            "prompt, text, and "
            "perhaps a text under 'system'",
        ),
        (
            '{"question": 5}',
            "q.jsonl:1: has no text under 'question'; a question under one of messages, question, "
            "prompt, text, and "
            "perhaps a text under 'system'",
        ),
        ('{"messages": []}', "q.jsonl:1: has no question but 'messages'; "),
        (
            '{"messages": "Rain?"}',
            "q.jsonl:1: has no chat under 'messages'; a system prompt perhaps, and one user turn: the question; ",
        ),
        (
            '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": '
            '"user", "content": "c"}]}',
            "q.jsonl:1: has 3 turns under 'messages'; a system prompt perhaps, and one user turn: the question; "
            "earlier turns are a context (`turns`)",
        ),
    ],
)
def test_a_line_that_is_no_question(tmp_path, line, told):
    assert problem(tmp_path, "q.jsonl", line).startswith(told)


def test_plain_text_is_a_question_a_line_or_a_paragraph(tmp_path):
    assert read(tmp_path, "q.txt", "Rain?\nSnow?\n") == [("line-1", "Rain?", None, ()), ("line-2", "Snow?", None, ())]
    assert read(tmp_path, "q.txt", "\n# Weather #\nRain?\nSnow?\n## Else\n\nWhy?") == [
        ("line-3", "Rain?", None, ("Weather",)),
        ("line-4", "Snow?", None, ("Weather",)),
        ("line-7", "Why?", None, ("Else",)),
    ]
    assert read(tmp_path, "q.txt", "### Long\n\nGo on: \nit rained.\n\nRain?\n\nSnow?\n\n") == [
        ("line-3", "Go on:\nit rained.", None, ("Long",)),
        ("line-6", "Rain?", None, ("Long",)),
        ("line-8", "Snow?", None, ("Long",)),
    ]
    assert len(read(tmp_path, "q.txt", "Rain?\nSnow?\n\nHail?\nSun?\n")) == 4
    told = (
        "q.txt:1: has blank lines between groups of lines; a question a line, or paragraphs; take out the blank "
        "lines, or part all questions by them"
    )
    assert problem(tmp_path, "q.txt", "Go on:\nit rained.\n\nHail?\n") == told


@pytest.mark.skipif(
    not PUBLISHED.is_dir(), reason="the published files are not beside the checkout (UNDERTOW_PUBLISHED)"
)
@pytest.mark.parametrize(
    ("name", "questions", "systems", "tags", "lines"),
    [
        ("betley2025_first_plot.yaml", 24, 8, 0, 11),
        ("llmcomp_questions.yaml", 1, 0, 0, 1),
        ("prereg_evals.txt", 48, 0, 7, 4),
        ("consistency_em_eval.jsonl", 56, 0, 2, 4),
    ],
)
def test_the_published_files_load(name, questions, systems, tags, lines):
    """Each with its number of questions, of system prompts, of headings or types, and of lines of its longest
    question."""
    found = load_suite(str(PUBLISHED / "questions" / name)).questions
    assert (len(found), sum(q.system is not None for q in found), len({q.tags for q in found} - {()})) == (
        questions,
        systems,
        tags,
    )
    assert max(q.text.count("\n") + 1 for q in found) == lines
