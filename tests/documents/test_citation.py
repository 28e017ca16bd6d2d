"""The citation file says what the Citation File Format 1.2.0 asks for, and what the package says of itself."""

import re
import tomllib
from pathlib import Path

import yaml

import ketamech

ROOT = Path(ketamech.__file__).parents[2]
FORMAT = "1.2.0"
KEYS = {
    "abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi", "identifiers", "keywords",
    "license", "license-url", "message", "preferred-citation", "references", "repository", "repository-artifact",
    "repository-code", "title", "type", "url", "version",
}  # fmt: skip
PERSON = {"affiliation", "alias", "email", "family-names", "given-names", "name-particle", "orcid"}
ENTITY = {"name", "alias", "email", "website", "orcid"}


def test_the_citation_file_is_one():
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(found) <= KEYS
    assert found["cff-version"] == FORMAT
    assert found["type"] in ("software", "dataset")
    assert found["authors"]
    assert all(set(author) <= PERSON or ("name" in author and set(author) <= ENTITY) for author in found["authors"])
    assert len(set(found["keywords"])) == len(found["keywords"])
    assert all(isinstance(found[key], str) for key in ("title", "message", "version", "license"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert found["license"] == project["license"]


def test_changes_follow_semantic_versions():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    told = re.findall(r"^## (\S+)", text, flags=re.M)
    assert told[0] == "Unreleased" or told[0] == ketamech.__version__
    numbers = [tuple(map(int, version.split("."))) for version in told if version != "Unreleased"]
    assert numbers == sorted(set(numbers), reverse=True)
    assert all(len(number) == 3 for number in numbers)
    assert ketamech.__version__ in told
