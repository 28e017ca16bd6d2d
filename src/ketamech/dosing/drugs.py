"""Drugs and other treatments: names, aliases, routes, enantiomers and compartments. No pharmacological numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ketamech.core import UnknownNameError
from ketamech.core.errors import misspelled

INJECTION_ROUTES = ("IV", "IM", "SC", "IP")


@dataclass(frozen=True)
class Drug:
    """One drug or other treatment. `enantiomers`: fractions of S and R. `is_session`: counted, without an amount.

    `molar_mass` and `maintenance_elimination` are names of parameters; the latter is the elimination of a level that is
    maintained for the duration of a session. `carries_expectancy` says whether a visit for it adds expectancy;
    `infused_session` whether a session enters evenly over its duration. `dose` names the amount (mass per body weight)
    that the model counts as one dose, for a substance that it does not follow in umol. `routes_of_brands`: the one
    route of an alias that is a brand. `nasal_f` names the share of a spray that the nose absorbs, for a drug without
    devices of 28 mg.
    """

    name: str
    aliases: tuple[str, ...]
    routes: tuple[str, ...]
    molar_mass: str | None = None
    enantiomers: Mapping[str, float] = field(default_factory=dict)
    is_session: bool = False
    compartment: str | None = None
    max_dose_parameter: Mapping[str, str] = field(default_factory=dict)
    maintenance_elimination: str | None = None
    carries_expectancy: bool = True
    infused_session: bool = False
    dose: str | None = None
    routes_of_brands: Mapping[str, str] = field(default_factory=dict)
    nasal_f: str | None = None

    def max_dose(self, route: str) -> str:
        """Name of the parameter above which a dose by this route is refused."""
        return self.max_dose_parameter.get(route, "drug.max_dose")


KETAMINE_MASS = "drug.ketamine_molar_mass"
DRUGS = (
    Drug(
        "racemic ketamine",
        ("racemic", "ketamine", "rac-ketamine", "(r,s)-ketamine", "(rs)-ketamine", "rs-ketamine", "ketalar"),
        (*INJECTION_ROUTES, "oral", "sublingual", "nasal"),
        KETAMINE_MASS,
        {"s": 0.5, "r": 0.5},
        nasal_f="pharmacokinetics.racemic_nasal_f",
    ),
    Drug(
        "esketamine",
        ("s-ketamine", "s ketamine", "(s)-ketamine", "s(+)-ketamine", "(+)-ketamine", "spravato", "ketanest s"),
        (*INJECTION_ROUTES, "oral", "sublingual", "nasal"),
        KETAMINE_MASS,
        {"s": 1.0, "r": 0.0},
        max_dose_parameter={"nasal": "drug.max_nasal_dose"},
        routes_of_brands={"spravato": "nasal"},
    ),
    Drug(
        "arketamine",
        ("r-ketamine", "r ketamine", "(r)-ketamine", "r(-)-ketamine", "(-)-ketamine"),
        (*INJECTION_ROUTES, "oral", "sublingual"),
        KETAMINE_MASS,
        {"s": 0.0, "r": 1.0},
    ),
    Drug(
        "memantine",
        (),
        ("oral", "IP"),
        "drug.memantine_molar_mass",
        compartment="memantine.memantine",
        max_dose_parameter={"oral": "drug.max_memantine_dose", "IP": "drug.max_memantine_dose"},
    ),
    Drug(
        "S-norketamine",
        ("(s)-norketamine",),
        ("IP", "IV"),
        "drug.norketamine_molar_mass",
        compartment="pharmacokinetics.norketamine_s",
    ),
    Drug(
        "R-norketamine",
        ("(r)-norketamine",),
        ("IP", "IV"),
        "drug.norketamine_molar_mass",
        compartment="pharmacokinetics.norketamine_r",
    ),
    Drug(
        "(2R,6R)-hydroxynorketamine",
        ("(2r,6r)-hnk", "2r,6r-hnk", "hnk", "hydroxynorketamine"),
        ("IP", "IV"),
        "drug.hydroxynorketamine_molar_mass",
        compartment="pharmacokinetics.hydroxynorketamine_r",
    ),
    Drug(
        "midazolam",
        (),
        ("IV",),
        "drug.midazolam_molar_mass",
        compartment="other_treatments.midazolam",
        max_dose_parameter={"IV": "drug.max_midazolam_dose"},
    ),
    Drug("placebo", ("saline", "sham", "vehicle"), ("IV", "nasal", "oral", "IP", "SC", "IM", ""), is_session=True),
    Drug(
        "antidepressant",
        ("ssri", "oral antidepressant", "citalopram", "escitalopram", "sertraline", "fluoxetine"),
        ("oral", ""),
        is_session=True,
        compartment="other_treatments.antidepressant",
    ),
    Drug(
        "psychotherapy",
        ("talk therapy", "cbt", "therapy"),
        ("",),
        is_session=True,
        compartment="other_treatments.psychotherapy",
    ),
    Drug("ECT", ("electroconvulsive therapy",), ("",), is_session=True, compartment="other_treatments.ect"),
    Drug(
        "TMS", ("rtms", "transcranial magnetic stimulation"), ("",), is_session=True, compartment="other_treatments.tms"
    ),
    Drug(
        "general anaesthesia",
        ("general anesthesia", "propofol", "sevoflurane"),
        ("",),
        is_session=True,
        compartment="sedation.anaesthetic",
        maintenance_elimination="sedation.anaesthetic_elimination",
        carries_expectancy=False,
    ),
    Drug(
        "endotoxin",
        ("lps", "lipopolysaccharide"),
        ("IV",),
        compartment="inflammation.endotoxin",
        max_dose_parameter={"IV": "drug.max_endotoxin_dose"},
        dose="drug.endotoxin_dose",
        carries_expectancy=False,
    ),
    Drug(
        "surgery",
        ("operation", "major surgery"),
        ("",),
        is_session=True,
        compartment="inflammation.tissue_damage",
        carries_expectancy=False,
        infused_session=True,
    ),
    Drug(
        "morphine",
        (),
        ("IV",),
        "drug.morphine_molar_mass",
        compartment="pain.morphine",
        max_dose_parameter={"IV": "drug.max_morphine_dose"},
        carries_expectancy=False,
    ),
)
ROUTES = {
    "iv": "IV",
    "intravenous": "IV",
    "intravenously": "IV",
    "im": "IM",
    "intramuscular": "IM",
    "intramuscularly": "IM",
    "sc": "SC",
    "sq": "SC",
    "subcutaneous": "SC",
    "subcutaneously": "SC",
    "ip": "IP",
    "intraperitoneal": "IP",
    "intraperitoneally": "IP",
    "oral": "oral",
    "orally": "oral",
    "po": "oral",
    "per os": "oral",
    "by mouth": "oral",
    "sublingual": "sublingual",
    "sublingually": "sublingual",
    "sl": "sublingual",
    "under the tongue": "sublingual",
    "nasal": "nasal",
    "nasally": "nasal",
    "intranasal": "nasal",
    "intranasally": "nasal",
    "spray": "nasal",
}
_BY_NAME = {word.lower(): drug for drug in DRUGS for word in (drug.name, *drug.aliases)}


def spellings() -> dict[str, tuple[Drug, str]]:
    """Every name and alias with its drug, and the route of a brand ("" for other names)."""
    return {word: (found, found.routes_of_brands.get(word, "")) for word, found in _BY_NAME.items()}


def drug(name: str) -> Drug:
    """The drug of a name or alias. Raises UnknownNameError with the nearest name."""
    found = _BY_NAME.get(name.strip().lower())
    if found is None:
        raise unknown_drug_error(name)
    return found


def unknown_drug_error(name: str) -> UnknownNameError:
    """The error about an unknown drug."""
    return UnknownNameError(
        f"'{name}' is not a known treatment",
        key="drug",
        expected=", ".join(d.name for d in DRUGS),
        nearest=misspelled(name, _BY_NAME),
    )


def route(drug: Drug, name: str) -> str:
    """The route in its usual spelling. Raises UnknownNameError if the drug has no such route, or needs one."""
    spelled = ROUTES.get(name.strip().lower().replace(".", ""), name.strip())
    if spelled not in drug.routes:
        raise UnknownNameError(
            f"{drug.name} cannot be given by route '{name}'" if name else f"no route is named for {drug.name}",
            key="route",
            expected=", ".join(r for r in drug.routes if r) or "no route",
            nearest=misspelled(name, [*drug.routes, *ROUTES]),
        )
    return spelled
