"""The JSON Schema of exports, and what of a document does not keep to it."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from vmtiming_tui.resources import resource

SCHEMA = json.loads(resource("assets", "export.schema.json").read_text())
_VALIDATOR = Draft202012Validator(SCHEMA)
_OF_COMPARISONS = _VALIDATOR.evolve(schema={"$ref": f"{SCHEMA['$id']}#/$defs/compared_runs"})


def faults_of(body, validator=_VALIDATOR):
    """Return where a document differs from the schema, each fault with its place."""
    inmost = (best_match([error]) for error in validator.iter_errors(body))
    return [f"{error.json_path}: {error.message[:300]}" for error in inmost]


def exported_body(text):
    """Return the document of an export's text, which keeps to the schema."""
    body = json.loads(text)
    assert faults_of(body) == []
    return body


def compared_body(text):
    """Return the document of a comparison's text, which keeps to the schema."""
    body = json.loads(text)
    assert faults_of(body, _OF_COMPARISONS) == []
    return body


def exported_file(path):
    """Return the document of an exported file, which keeps to the schema."""
    return exported_body(Path(path).read_text())
