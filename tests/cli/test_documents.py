"""Documents on standard output and a step of GitHub Actions, from the command line."""

import json
from pathlib import Path

import pytest
from junitparser import JUnitXml

from vmtiming_tui.report.export import NAMED


def test_a_document_has_standard_output_for_itself_and_the_report_goes_beside(run, arguments):
    code, out, err = run(*arguments(2, "", "-o", "-", "--format", "json", "--name", "first"))

    assert code == 0
    assert json.loads(out)["summary"]["booted"] == 2
    assert "VM 0 booted in: " in err
    assert "It took " in err

    again = run("export", "first", "-", "--format", "json")
    assert (again[0], json.loads(again[1])["summary"]) == (0, json.loads(out)["summary"])
    (suite,) = JUnitXml.fromstring(run("export", "first", "-", "--format", "junit")[1].encode())
    assert suite.tests == 2


def test_the_images_format_and_that_of_the_document_may_both_be_given(run, arguments):
    words = ("--format", "raw", "-o", "-", "--format", "md", "--label", "branch=main")
    code, out, _ = run(*arguments(1, "", *words))

    assert (code, out.startswith("# Run ")) == (0, True)
    assert "| labels | branch=main |" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-o", "-"), f"-o -: say as what with --format, one of {', '.join(NAMED)}"),
        (("-o", "-", "-o", "-", "--format", "md"), "-o - twice: standard output holds one"),
        (("-o", "-", "--format", "md", "--json"), "--json and -o -: standard output holds one"),
        (("--format", "junit"), "as in -o run.junit.xml"),
        (("-o", "github"), "-o github: GITHUB_STEP_SUMMARY is not set"),
        (("-o", "run.xml"), ".junit.xml .prom, - or github"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_starts(
    run, arguments, words, told, the_tool
):
    the_tool.extra = {"GITHUB_STEP_SUMMARY": ""}
    code, out, err = run(*arguments(1, "", *words))

    assert (code, out) == (2, "")
    assert told in err
    assert "Nothing was started." in err


def test_a_format_without_a_dash_is_refused_in_an_export(run):
    for words in (("x.json", "--format", "json"), ("-",), ("-", "--format", "pdf")):
        code, out, err = run("export", "last", *words)
        assert (code, out) == (2, "")
        assert "--format goes with - as the file, and is one of json, " in err


def test_a_step_of_github_gets_a_summary_and_annotations(run, arguments, the_tool, lab):
    summary = Path(lab.folder / "summary.md")
    summary.write_text("before\n")
    the_tool.extra = {"GITHUB_STEP_SUMMARY": str(summary)}

    words = ("-o", "github", "--fail-over", "max=0.001", "--name", "50 %")
    code, out, _ = run(*arguments(2, "", *words))

    assert code == 3
    assert summary.read_text().startswith("before\n# 50 %\n")
    assert "| booted | 2 |" in summary.read_text()
    lines = out.splitlines()
    token = lines[0].removeprefix("::stop-commands::")
    end = lines.index(f"::{token}::")
    assert len(token) == 32
    assert [line for line in lines[1:end] if line.startswith("::")] == []
    assert lines[end + 1].startswith("::error title=50 %25::the boot max is ")
