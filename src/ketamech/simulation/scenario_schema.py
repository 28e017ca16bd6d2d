"""The keys of a scenario file as pydantic models, their JSON Schema, and errors about files of any such schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator
from pydantic.fields import FieldInfo

from ketamech.core import InputError, UnknownNameError, closest_match
from ketamech.core.deprecated_names import with_current_keys
from ketamech.core.errors import misspelled_key, nearest_key
from ketamech.core.yaml_lines import Path_, YamlSource, read_yaml_text, spelled

BRANCHES = ("str", "float", "int", "function-after")  # in the location of an error: the member of a union tried
EXAMPLE = re.compile(r"e\.g\. ([^;]+)")
UNIT = re.compile(r"^[\d.]+(\s*[^\s\d,]+)$")  # of an example such as "28 days"
PLAIN = re.compile(r"[\w.%/+-][\w .%/+-]*")  # a text that needs no quotes in YAML
MAX_SHOWN_CHARACTERS = 60
MAX_TYPED_CHARACTERS = 200
LARGEST_SHOWN = 1e300  # a number that is repeated in a message; larger integers have no float
KINDS = {
    "string_type": "text", "list_type": "a list, one item a line after '- '", "dict_type": "keys and values",
    "model_type": "keys and values", "bool_parsing": "on or off", "bool_type": "on or off",
    "int_parsing": "a whole number", "int_type": "a whole number", "float_parsing": "a number",
    "float_type": "a number", "too_short": "at least one",
}  # fmt: skip


@dataclass(frozen=True)
class FileSchema:
    """A kind of YAML file: its name in errors, and the model of its keys.

    `nested` are the models of the items of some keys; `items` says in words what an item of a key is.
    """

    name: str
    keys: type[BaseModel]
    nested: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    items: Mapping[str, str] = field(default_factory=dict)

    def model_at(self, where: Path_) -> type[BaseModel]:
        """The model that holds the last key of a location: of the nearest key above it that has one."""
        above = [str(part) for part in (*where[2:-1][::-1], *where[:1])] if len(where) > 1 else []
        return next((self.nested[part] for part in above if part in self.nested), self.keys)

    def place_of_key(self, word: str, elsewhere_than: type[BaseModel]) -> tuple[str, str] | None:
        """The key that `word` is, or is a misspelling of, in another place of the file, and this place in words."""
        places = [("at the top of the file", self.keys), *((f"in {key}", model) for key, model in self.nested.items())]
        for place, model in places:
            keys = keys_of(model)
            key = word if word in keys else misspelled_key(word, keys)
            if model is not elsewhere_than and key:
                return key, place
        return None

    def is_branch(self, part: str | int) -> bool:
        """Whether a part of a location names a member of a union that pydantic tried, and not a key."""
        models = {model.__name__ for model in self.nested.values()}
        return part in BRANCHES or part in models or str(part).startswith(("list[", "dict["))


def keys_of(model: type[BaseModel]) -> dict[str, str]:
    """The keys of a place in a file, and their descriptions."""
    return {field.alias or name: field.description or "" for name, field in model.model_fields.items()}


def validated(content: Mapping[str, object], source: YamlSource, schema: FileSchema) -> Any:
    """The keys of a file as the model of its schema; keys without a value are left out. Raises InputError."""
    try:
        return schema.keys.model_validate({key: value for key, value in content.items() if value is not None})
    except ValidationError as problem:
        raise to_input_error(problem.errors(), source.path, source.lines, schema) from None


def to_input_error(
    errors: Sequence[Any], path: Path | None, lines: Mapping[Path_, int], schema: FileSchema
) -> InputError:
    """The most specific of pydantic's errors, with file, line, key, expectation and nearest key.

    `path` is None and `lines` is empty where there is no file.
    """
    error = min(errors, key=_specificity)
    where = tuple(part for part in error["loc"] if not schema.is_branch(part))
    key = spelled(where)
    line = YamlSource(path, lines).line(where)
    if error["type"] == "extra_forbidden":
        return _unknown_key(error, where, schema).replace(file=path, line=line, key=key)
    if error["type"] == "missing":
        what, expected = f"'{where[-1]}' is missing", f"{where[-1]}: ..."
        return InputError(what, file=path, line=line, key=key, expected=expected, type_this=f"{where[-1]}:")
    value = repr(error.get("input"))
    shown = value if len(value) <= MAX_SHOWN_CHARACTERS else f"{value[:MAX_SHOWN_CHARACTERS]}..."
    what, expected = f"{shown} is not a valid value", _expected(error, where, schema)
    near = closest_match(str(error.get("input")), _choices(error))
    kind, type_this = UnknownNameError if near else InputError, near and f"{where[-1]}: {near}"
    type_this = type_this or _line_to_type(error, where, schema)
    return kind(what, file=path, line=line, key=key, expected=expected, nearest=near, type_this=type_this)


def _unknown_key(error: Any, where: Path_, schema: FileSchema) -> InputError:
    """The error about a key that does not exist in its place, with the key that may be meant and what to type."""
    word, model = str(where[-1]), schema.model_at(where)
    keys = keys_of(model)
    what, expected = f"'{word}' is not a key of a {schema.name} file", ", ".join(keys)
    if near := nearest_key(word, keys):
        name, keeps_value = near
        value = _short_value(error.get("input")) if keeps_value else _example(keys[name])
        return UnknownNameError(what, expected=expected, nearest=name, type_this=value and f"{name}: {value}")
    if found := schema.place_of_key(word, model):
        name, place = found
        what = f"'{word}' is not a key in this place of a {schema.name} file"
        value = _short_value(error.get("input"))
        example = value and f"{name}: {value}"
        return UnknownNameError(what, expected=expected, nearest=f"{name}, {place}", type_this=example)
    return UnknownNameError(what, expected=expected)


def _short_value(value: Any) -> str | None:
    """A word, number or yes or no as in a file; None for keys, lists and long texts."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return f"{value:g}" if abs(value) < LARGEST_SHOWN else None
    is_short = isinstance(value, str) and len(value) <= MAX_SHOWN_CHARACTERS
    return (value if PLAIN.fullmatch(value) else _flow(value)) if is_short else None


def _example(description: str) -> str | None:
    """The example in the description of a key, as its value."""
    match = EXAMPLE.search(description)
    example = match[1].strip() if match else None
    return f"{{{example}}}" if example and ":" in example and not example.startswith("{") else example


def _line_to_type(error: Any, where: Path_, schema: FileSchema) -> str | None:
    """The line with the user's value in the form that the example in the description of the key has."""
    fields, last, value = schema.model_at(where).model_fields, str(where[-1]), error.get("input")
    match = EXAMPLE.search((fields[last].description or "") if last in fields else "")
    example = match[1].strip() if match else ""
    if error["type"] == "string_type" and isinstance(value, int | float) and (unit := UNIT.match(example)):
        if not abs(value) < LARGEST_SHOWN:
            return None
        is_fraction = unit[1].strip() == "%" and 0 < value < 1
        return f"{last}: {100 * value if is_fraction else value:g}{unit[1]}"
    if error["type"] == "model_type" and (model := _model_of(error, schema)):
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        name, shown = _key_for(model, value), _flow(value) if isinstance(value, str) else _short_value(value)
        return f"{last}: {{{name}: {shown}}}" if name and shown else None
    texts = [_flow(form) for form in _forms(value, example.partition(":")[0], error["type"])]
    texts += [f"{{{example}}}"] if ":" in example else []
    typed = [f"{last}: {text}" for text in texts if len(text) <= MAX_TYPED_CHARACTERS]
    return next((line for line in typed if last in fields and _is_valid(line, last, fields[last])), None)


def _forms(value: Any, name: str, kind: str) -> list[Any]:
    """The user's value in the forms that may have been meant; `name` is that of the key in the example."""
    if isinstance(value, dict):
        with suppress(ValidationError):
            return [TreatmentKeys.model_validate(value).sentence()]
    if kind == "list_type":
        return [[value]]
    if kind == "dict_type" and isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        names = [str(item.get("name", f"{name}_{i}")) for i, item in enumerate(value, 1)]
        contents = [{key: one for key, one in item.items() if key != "name"} for item in value]
        return [dict(zip(names, contents, strict=True))]
    is_named = kind == "dict_type" and isinstance(value, list) and name and not any(name in str(item) for item in value)
    return [{name: value}] if is_named else []


def _is_valid(line: str, key: str, field: FieldInfo) -> bool:
    """Whether a line of YAML gives a key a value that it may have."""
    with suppress(ValidationError, InputError):
        value = read_yaml_text(line, Path(key))[0][key]
        checked: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]
        return checked.validate_python(value) is not None
    return False


def _model_of(error: Any, schema: FileSchema) -> type[BaseModel] | None:
    """The model of which pydantic expected the keys."""
    name = error.get("ctx", {}).get("class_name")
    return next((model for model in schema.nested.values() if model.__name__ == name), None)


def _key_for(model: type[BaseModel], value: object) -> str | None:
    """The key of a model that may be meant where a value stands in place of the keys: one that needs no other key."""
    for name in keys_of(model):
        with suppress(ValidationError):
            model.model_validate({name: value})
            return name
    return next((name for name, field in model.model_fields.items() if field.is_required()), None)


def _specificity(error: Any) -> tuple[bool, bool, int]:
    """Sorting key, most specific first: a misspelled key, then the deeper of the members of a union that were tried."""
    is_mapping = isinstance(error.get("input"), dict) and error["type"] == "string_type"
    return error["type"] != "extra_forbidden", is_mapping, -len(error["loc"])


def _expected(error: Any, where: Path_, schema: FileSchema) -> str:
    if len(where) == 2 and str(where[0]) in schema.items:
        return schema.items[str(where[0])]
    kind = KINDS.get(error["type"]) or error["msg"].removeprefix("Input should be ")
    if model := _model_of(error, schema):
        kind = f"{kind}: {', '.join(keys_of(model))}"
    if choices := _choices(error):
        kind = f"{', '.join(choices[:-1])} or {choices[-1]}"
    fields, last = schema.model_at(where).model_fields, str(where[-1])
    described = fields[last].description if last in fields else None
    return f"{kind} ({described})" if described and described != kind else kind


def _choices(error: Any) -> list[str]:
    """The words of which a value must be one; none where its kind is wrong."""
    is_choice = error["type"] == "string_pattern_mismatch"
    return error["ctx"]["pattern"].strip("^$()").split("|") if is_choice else []


Quantity = float | str | None


class TreatmentKeys(BaseModel, extra="forbid"):
    """One treatment with a key for each property."""

    drug: str = Field(description="racemic ketamine, esketamine, memantine, midazolam, antidepressant, ECT, TMS ...")
    dose: str | None = Field(None, description="amount with unit, e.g. 0.5 mg/kg, 84 mg, 22 mg/h; none for sessions")
    route: str = Field(
        "", description="IV, IM, SC, oral, prolonged release, sublingual, nasal, nasal drops, rectal, inhaled"
    )
    over: str | None = Field(None, description="duration of an infusion, e.g. 40 min")
    at: str | None = Field(None, description="when it starts, e.g. 3 h, day 8")
    schedule: str | None = Field(None, description="e.g. twice weekly for 4 weeks, then weekly")
    lag: str | None = Field(None, description="time from administration to entry into the body, e.g. 10 min")
    missing: str | None = Field(None, description="doses that are not taken: '10 %', or by number: 'doses 2 and 5'")
    steady_state: bool = Field(False, description="the first dose is given at the steady state of its frequency (SS)")
    salt: str = Field("base", pattern="^(base|hydrochloride)$", description="the salt to which the mass refers")

    def sentence(self) -> str:
        """The treatment as a regimen sentence."""
        parts = (
            self.drug, self.dose, self.salt != "base" and f"as {self.salt}", self.route,
            self.over and f"over {self.over}", self.at and f"at {self.at}", self.schedule,
            self.lag and f"lag {self.lag}", self.missing and f"missing {self.missing}",
            self.steady_state and "at steady state",
        )  # fmt: skip
        return " ".join(part for part in parts if part)


class ScenarioFile(BaseModel, extra="forbid", title="KetaMech scenario"):
    """A scenario file. For research and education only: not treatment or dosing advice."""

    title: Annotated[str, Field(max_length=200)] = "Untitled"
    description: Annotated[str, Field(max_length=5000)] = ""
    treatments: Annotated[list[str | TreatmentKeys], Field(min_length=1, max_length=500)]
    person: dict[str, Quantity] = Field({}, description="e.g. weight: 82 kg; names are those of person.* parameters")
    pathways: dict[str, bool] = Field({}, description="e.g. habenula: off")
    species: str = Field("human", description="human, rat or mouse")
    variant: str = Field(
        "", description="a model variant by name, e.g. habenula-parallel; `ketamech variants` lists them"
    )
    perturbations: list[str] | dict[str, float] = Field(
        [],
        description="e.g. [NBQX 10 mg/kg IP at -30 min]; or constant fractions, e.g. nbqx: 0.9",
    )
    parameters: dict[str, float | str] = Field({}, description="any parameter by its full name")
    connectome: str | None = Field(None, description="CSV file in the same folder: connection weights, area by area")
    receptors: str | None = Field(None, description="CSV file in the same folder: area, and any of nmda, glun2b, ampa")
    horizon: str | None = Field(None, description="simulated time, e.g. 28 days")
    control: bool = Field(True, description="also simulate the same patient with the same visits and without the drug")
    seed: int = Field(1, ge=0, description="recorded in the provenance; the typical patient has no random numbers")

    @model_validator(mode="before")
    @classmethod
    def _with_current_keys(cls, content: Any) -> Any:
        """The old key `wiring` is read as `variant`, with a warning, unless both are given."""
        return with_current_keys(content, ("wiring",))

    def text(self) -> str:
        """The keys as YAML text; default values are left out."""
        return keys_as_yaml(self.model_dump(exclude_defaults=True))


SCENARIO_FILE = FileSchema(
    "scenario", ScenarioFile, {"treatments": TreatmentKeys}, {"treatments": "a sentence, or drug:, dose:, route: ..."}
)


def keys_as_yaml(keys: Mapping[str, Any]) -> str:
    """The keys of a scenario file as YAML text, one line per item."""
    lines = []
    for key, value in keys.items():
        if isinstance(value, list):
            lines += [f"{key}:", *(f"  - {_flow(item)}" for item in value)]
        elif isinstance(value, dict):
            lines += [f"{key}:", *(f"  {_key(name)}: {_flow(item)}" for name, item in value.items())]
        else:
            lines.append(f"{key}: {_flow(value)}")
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    """A key, in quotes where YAML could read it as something else."""
    return name if re.fullmatch(r"[A-Za-z_]+\.[\w.]+", name) else json.dumps(name)


def _flow(value: Any) -> str:
    """A value on one line: JSON is YAML, and words as keys need no quotes."""
    if isinstance(value, dict):
        names = [key if PLAIN.fullmatch(str(key)) else json.dumps(key, ensure_ascii=False) for key in value]
        return f"{{{', '.join(f'{name}: {_flow(one)}' for name, one in zip(names, value.values(), strict=True))}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return json.dumps(value, ensure_ascii=False)


def schema() -> dict[str, Any]:
    """The JSON Schema of scenario files."""
    return ScenarioFile.model_json_schema()
