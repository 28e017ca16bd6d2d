"""Help that teaches: a sentence and an example first; whatever is mistyped is answered with what to type."""

import re
import shlex

import pytest
import typer
from typer.testing import CliRunner

from ketamech.cli.main import app, command_line
from ketamech.core import InputError

PROGRAM = typer.main.get_command(app)


def every_command(command=PROGRAM, path=("ketamech",)):
    for name, one in getattr(command, "commands", {}).items():
        yield [*path, name], one
        yield from every_command(one, (*path, name))


COMMANDS = {" ".join(path): command for path, command in every_command()}


@pytest.mark.parametrize("path", COMMANDS)
def test_help_opens_with_one_sentence_and_one_example(path):
    sentence, example, *_ = re.split(r"\n\s*\n", COMMANDS[path].help)
    assert sentence.rstrip().endswith(".")
    assert not re.search(r"\.\s+[A-Z]", sentence), sentence
    shown = re.fullmatch(r"Example:  (ketamech .*)", example.strip())
    assert shown, example
    words = shlex.split(shown[1].split(" > ")[0])
    assert words[: len(path.split())] == path.split()
    command, rest = PROGRAM, words[1:]
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    command.make_context(command.name, rest)


@pytest.mark.parametrize("name", ["simulate", "vpc", "import", "site"])
def test_a_command_that_is_loaded_alone_is_that_of_the_whole_program(name):
    alone = typer.main.get_command(command_line(name))
    assert list(alone.commands) == [name]
    one, other = (program.commands[name].params for program in (alone, PROGRAM))
    assert [(p.name, p.opts, p.default) for p in one] == [(p.name, p.opts, p.default) for p in other]


def refused(*words):
    done = CliRunner().invoke(app, list(words))
    assert isinstance(done.exception, InputError), done.output
    return done.exception


@pytest.mark.parametrize(
    ("words", "nearest", "type_this"),
    [
        (["simulte", "x"], "simulate", "ketamech simulate x"),
        (["evidence", "lst", "--stage", "nmda"], "list", "ketamech evidence list --stage nmda"),
        (["frobnicate"], None, "ketamech --help"),
        (["exlpain", "x"], "attribute", "ketamech attribute x"),
        (["wirings"], "variants", "ketamech variants"),
        (["racemic 0.5 mg/kg IV"], None, 'ketamech simulate "racemic 0.5 mg/kg IV"'),
        (["trial", "ssri", "--replicate", "3"], "--replicates", "ketamech trial ssri --replicates 3"),
        (["simulate", "--patiens=3", "a b"], "--patients", 'ketamech simulate --patients=3 "a b"'),
        (["evidence", "list", "--stge", "x"], "--stage", "ketamech evidence list --stage x"),
        (["simulate", "x", "--zzzz"], None, "ketamech simulate --help"),
        (["--versoin"], "--version", "ketamech --version"),
        (["simulate"], None, 'ketamech simulate "racemic 0.5 mg/kg IV over 40 min"'),
        (["export", "x"], None, 'ketamech export "racemic 0.5 mg/kg IV over 40 min" --to infusion.xml'),
    ],
)
def test_what_is_mistyped_is_answered_with_what_to_type(words, nearest, type_this):
    problem = refused(*words)
    assert problem.nearest == nearest
    assert problem.type_this == type_this


def test_a_missing_argument_is_named():
    assert "'simulate' needs SCENARIO" in str(refused("simulate"))
    assert "'export' needs --to" in str(refused("export", "x"))
