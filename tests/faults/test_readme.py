"""The README says what the rows say."""

from faults.readme import README, with_tables


def test_the_readme_has_every_row_as_it_is():
    text = README.read_text(encoding="utf-8")

    assert text == with_tables(text), "PYTHONPATH=tests python -m faults.readme"
