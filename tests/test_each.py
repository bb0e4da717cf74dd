"""A loop over cases tries them all, names all that fail, and leaves fixtures to pytest."""

import inspect

import pytest

from .each import each  # isort: skip


def test_every_case_is_tried_and_every_failing_one_is_named() -> None:
    tried = []

    @each("a, b", [(1, 1), (1, 2), (2, 2), ("x", None)])
    def test(a, b):
        tried.append((a, b))
        assert a == b, "apart"

    with pytest.raises(
        AssertionError, match=r"(?s)^2 of 4 cases:\n\(1, 2\): .*apart.*\n\('x', None\): .*apart"
    ) as told:
        test()
    assert len(tried) == 4 and "(2, 2)" not in str(told.value)


def test_an_error_is_a_failure_of_its_case_too() -> None:
    @each("n", [1, 0])
    def test(n):
        assert 1 / n

    with pytest.raises(AssertionError, match=r"^1 of 2 cases:\n0: ZeroDivisionError"):
        test()


def test_one_loop_in_another_meets_every_pair_and_fixtures_are_passed_on() -> None:
    met = []

    @each("a", [1, 2])
    @each("b", [3, 4])
    def test(a, b, tmp_path):
        met.append((a, b, tmp_path))

    assert list(inspect.signature(test).parameters) == ["tmp_path"] and test.__name__ == "test"
    test(tmp_path="here")
    assert met == [(1, 3, "here"), (1, 4, "here"), (2, 3, "here"), (2, 4, "here")]


def test_no_cases_are_no_test() -> None:
    with pytest.raises(AssertionError, match="no cases"):
        each("a", [])
