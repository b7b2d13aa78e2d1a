"""docs/cost.md says what the counts and the prices make."""

import re
from pathlib import Path

import cost

ROOT = Path(__file__).parents[2]


def counted(file, test):
    """The calls that a test of the function asserts, all together."""
    text = (ROOT / "tests/tests" / file).read_text()
    text = text[text.index(test):]
    text = text[:text.index("];")]
    return sum(int(number) for number in re.findall(r'"\w+", (\d+)\)', text))


def test_the_page_has_these_tables():
    assert cost.table() in (ROOT / "docs/cost.md").read_text()


def test_the_counts_are_those_that_are_asserted():
    assert counted("lambda/cost.rs", "const CALLS") == cost.PASSWORD[0]
    assert counted("github/cost.rs", "fn a_rotation_of_a_token") == cost.TOKEN[0]
    assert counted("github/cost.rs", "fn a_rotation_of_a_deploy_key") == cost.DEPLOY_KEY[0]
    assert f"signatures, {cost.TOKEN[1]}" in (ROOT / "tests/tests/github/cost.rs").read_text()
    assert f"signatures, {cost.DEPLOY_KEY[1]}" in (ROOT / "tests/tests/github/cost.rs").read_text()
