"""The reference holds what the program takes, and every example in a document is something the program takes."""

import ast
import inspect
import re
import shlex
import textwrap
from pathlib import Path
from types import MappingProxyType, ModuleType

import pytest
import typer
from document_texts import ROOT, documents

import ketamech
from ketamech.cli.main import app
from ketamech.cli.scenario_argument import settings
from ketamech.cli.suggestions import renamed_words
from ketamech.core import KetaMechError
from ketamech.simulation.load_scenario import load_scenario

TEXTS = documents()
PROGRAM = typer.main.get_command(app)
PLACES = re.compile(r"^([A-Z_]+|<.*>|.*\.(ya?ml|xml|sbml|csv|omex|zarr)|runs/.*)$")  # a file or a word for one


def whole_lines():
    """(document, line) of every command line that stands by itself."""
    for name, text in TEXTS.items():
        for line in dict.fromkeys(re.findall(r"^(?:\$ )?(ketamech [^\n]*)$", text, flags=re.M)):
            if "..." not in line:
                yield name, " ".join(line.split())


def mentions():
    """(document, words) of every command named in a sentence."""
    for name, text in TEXTS.items():
        found = re.findall(r"`(ketamech [a-z][^`]*)`", text.replace("\n# ", "\n"))
        yield from ((name, " ".join(words.split())) for words in dict.fromkeys(found))


LINES, MENTIONS = list(whole_lines()), list(mentions())


def leaf(words):
    """The command that these words reach, and the words left over."""
    command, rest = PROGRAM, list(words)
    while hasattr(command, "commands") and rest and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    return command, rest


def words_of(line):
    return shlex.split(line, comments=True)[1:]


def check_treatment(command, given, options=MappingProxyType({})):
    """A treatment in a command line is one that the program understands, a file one that is shipped.

    Options that change what a treatment may be (a species, say) go along where the program's own reader takes them.
    """
    treated = any(parameter.name == "scenario" for parameter in command.params)
    if treated and given and " " in given and not PLACES.match(given):
        known = inspect.signature(load_scenario).parameters
        options = {**options, "person": settings(options.get("person"), "--person")}
        load_scenario(given, **{name: value for name, value in options.items() if name in known and value})
    if given and given.startswith("examples/"):
        assert (ROOT / given).exists(), given


def test_there_are_examples():
    assert len(LINES) > 20
    assert len(MENTIONS) > 40
    assert {leaf(words_of(line))[0].name for _, line in LINES} >= {"simulate", "trial", "cite", "design"}


INSTALLATIONS = [
    (name, line) for name, text in TEXTS.items() for line in re.findall(r"^(?:\S*/)?pip install .*$", text, flags=re.M)
]


@pytest.mark.parametrize(("name", "line"), INSTALLATIONS, ids=lambda text: text[:60])
def test_a_page_installs_the_program_from_a_copy(name, line):
    """`pip install ketamech` would find nothing: the package is in no index."""
    assert re.fullmatch(r"\.(\[\w+\])?", words_of(line)[-1]), name


@pytest.mark.parametrize(("name", "line"), LINES, ids=lambda text: text[:60])
def test_a_command_line_in_a_page_is_one(name, line):
    command, rest = leaf(words_of(line))
    context = command.make_context(command.name, list(rest))
    check_treatment(command, context.params.get("scenario"), context.params)


@pytest.mark.parametrize(("name", "line"), MENTIONS, ids=lambda text: text[:60])
def test_a_command_in_a_sentence_exists_with_its_options(name, line):
    command, rest = leaf(words_of(line.replace("...", "")))
    assert command is not PROGRAM, f"{name}: no command in '{line}'"
    known = {text for p in command.params for text in (*p.opts, *p.secondary_opts)}
    assert {word for word in rest if word.startswith("--")} <= known, name
    check_treatment(command, next((word for word in rest[:1] if " " in word), None))


OTHERS = {"--strict", "--engines", "--max-patients", "--sample"}  # options of other programs that a page names
MOVED = {  # options of commands before they became scripts and benchmarks
    "--publish", "--write-tables", "--freeze-references", "--sbml-suite", "--biomodels", "--petab", "--archives",
    "--adopt", "--docs", "--markdown",
}  # fmt: skip
HISTORY = ("CHANGELOG.md", "docs/renamed.md")  # these also name former options
MORE = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")}


def test_every_option_named_anywhere_is_one():
    known = {text for _, command in every_command() for p in command.params for text in (*p.opts, *p.secondary_opts)}
    former = {old for words in renamed_words().values() for old in words}
    for name, text in (TEXTS | MORE).items():
        lines = [line for line in text.splitlines() if not re.match(r"\s*(\$ )?(dask|pip|python|make|uv) ", line)]
        found = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", "\n".join(lines)))
        named = known | OTHERS | {"--help"} | (former | MOVED if name in HISTORY else set())
        assert found <= named, name


def test_every_variable_of_the_environment_is_in_a_page():
    sources = "\n".join(path.read_text(encoding="utf-8") for path in Path(ketamech.__file__).parent.rglob("*.py"))
    read = set(re.findall(r"""environ(?:\.get\(|\[)["'](\w+)""", sources))
    assert {"KETAMECH_CACHE", "SOURCE_DATE_EPOCH"} <= read
    assert {name for name in read if f"`{name}`" not in TEXTS["docs/how-to.md"]} == set()


def python_blocks():
    for name, text in TEXTS.items():
        yield from ((name, block) for block in re.findall(r"^```python\n(.*?)^```", text, flags=re.M | re.S))


@pytest.mark.parametrize(("name", "block"), list(python_blocks()), ids=lambda text: text[:40])
def test_python_in_a_page_names_what_exists(name, block):
    tree = ast.parse(textwrap.dedent(block) if block[0] != " " else f"if True:\n{block}")
    space = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            exec(compile(ast.Module([node], []), name, "exec"), space)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = space.get(node.value.id)
            assert not isinstance(module, ModuleType) or hasattr(module, node.attr), f"{node.value.id}.{node.attr}"


def test_a_wrong_option_or_sentence_is_caught():
    command, rest = leaf(["simulate", "placebo IV", "--patience", "9"])
    with pytest.raises(Exception, match="has no option '--patience'"):
        command.make_context("simulate", rest)
    with pytest.raises(KetaMechError):
        load_scenario("racemic 0.5 mg/kg by pigeon")


def every_command(command=PROGRAM, name=""):
    yield name, command
    for word, inner in getattr(command, "commands", {}).items():
        yield from every_command(inner, f"{name} {word}".strip())


@pytest.fixture(scope="module")
def reference():
    from makers.commands import command_pages

    return command_pages()["reference/commands"]


def sections(reference):
    parts = re.split(r"^## ", reference, flags=re.M)[1:]
    return {part.splitlines()[0].removeprefix("ketamech "): part for part in parts}


def test_every_command_and_option_is_in_the_reference_and_no_other(reference):
    found = sections(reference)
    wanted = {name or "Before the command": c for name, c in every_command() if not hasattr(c, "commands") or not name}
    assert found.keys() == wanted.keys()
    for name, command in wanted.items():
        spelled = {text for p in command.params if p.name != "help" for text in (*p.opts, *p.secondary_opts)}
        told = set(re.findall(r"^\| (`.*?`(?:, `.*?`)*) \|", found[name], flags=re.M))
        assert {text for cell in told for text in re.findall(r"`([^`]*)`", cell)} == spelled, name


def test_every_command_says_what_it_does_and_every_option_what_it_means():
    silent = []
    for name, command in every_command():
        silent += [name] if not (command.help or "").strip() else []
        silent += [f"{name} {p.name}" for p in command.params if not (getattr(p, "help", "") or "").strip()]
    assert silent == []


def test_every_command_stands_in_a_page_written_by_hand():
    everything = "\n".join(TEXTS.values())
    missing = [n for n, c in every_command() if n and not hasattr(c, "commands") and f"ketamech {n}" not in everything]
    assert missing == []


def test_files_named_as_proof_exist():
    for path in re.findall(r"`(tests/[\w/]+\.py)`", TEXTS["docs/credibility.md"]):
        assert Path(ROOT / path).exists(), path
