"""Every file and text that the program reads, as functions of bytes; only an error of ours is an answer."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import shipped_inputs

from ketamech.core import KetaMechError, unit
from ketamech.core.checkpoint import open_checkpoint
from ketamech.dosing.lexicon import MAX_TEXT_LENGTH
from ketamech.dosing.regimen import Regimen
from ketamech.simulation.load_scenario import load_scenario

ROOT = Path(__file__).parents[3]
PLACE = Path(tempfile.mkdtemp(prefix="ketamech-fuzz-"))
WORDS = [
    word
    for line in (
        "title: treatments: - racemic esketamine memantine mg mg/kg g kg IV nasal oral IM over min h days weeks",
        "weekly twice every daily for at day then drug: dose: route: over: person: weight: age: parameters:",
        "pathways: horizon: seed: arms: visits: scales: MADRS n: regimen: population: primary: dropout: .nan .inf",
        "-.inf 1e999 -1 0 1_000 0x10 ~ null true &a *a << !!python/object !!binary | > [ ] { } --- ... % ' \" # \\",
        "99999999999999999999 0.5 40 84 1e-300 <<: every 0.001 min for 2 years; 1000000000 times; made_by KetaMech",
        "files finished outputs zarr_format chunk_grid ID TIME AMT EVID MDV ADDL II SS CMT RATE DRUG <sbml>",
        "<species </math> <apply/> &lt; <!DOCTYPE x [<!ENTITY a 'aa'>]> -1 -2 1e-320",
    )
    for word in line.split(" ")
]


TABLES = [
    b"ID TIME AMT DUR CMT EVID SS MDV DV DRUG ROUTE\n1 0 40 0.6667 1 1 0 1 . racemic IV\n1 2 . . . 0 0 0 31 . .\n",
    b"id,time,amt,rate,evid,addl,ii,lag,f\n1,0,100,-1,4,3,24,0.5,0.9\n2,0,1e400,-2,1,1000000000,1e-9,.,.\n",
]
SBML = b"""<?xml version="1.0"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1"><model id="m">
<listOfCompartments><compartment id="c" size="1" constant="true" spatialDimensions="3"/></listOfCompartments>
<listOfSpecies><species id="s" compartment="c" initialAmount="1" hasOnlySubstanceUnits="true" boundaryCondition="false"
constant="false"/></listOfSpecies><listOfParameters><parameter id="k" value="0.1" constant="true"/></listOfParameters>
<listOfReactions><reaction id="r" reversible="false" fast="false"><listOfReactants><speciesReference species="s"
stoichiometry="1" constant="true"/></listOfReactants><kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML"><apply>
<times/><ci>k</ci><ci>s</ci></apply></math></kineticLaw></reaction></listOfReactions></model></sbml>"""


GIVEN = b"""<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1"><model id="ketamech">
<listOfParameters><parameter id="expectancy__belief" value="1" constant="false"/>
<parameter id="mood__pace" value="0.4" constant="true"/>
<parameter id="pharmacokinetics__central_s" value="100" constant="false"/></listOfParameters><listOfRules>
<rateRule variable="expectancy__belief"><math xmlns="http://www.w3.org/1998/Math/MathML"><cn>0</cn></math></rateRule>
<rateRule variable="pharmacokinetics__central_s"><math xmlns="http://www.w3.org/1998/Math/MathML"><cn>0</cn></math>
</rateRule></listOfRules><listOfEvents><event useValuesFromTriggerTime="true"><trigger initialValue="false"
persistent="true"><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><geq/><csymbol encoding="text"
definitionURL="http://www.sbml.org/sbml/symbols/time">t</csymbol><cn>24</cn></apply></math></trigger>
<listOfEventAssignments><eventAssignment variable="pharmacokinetics__central_s"><math
xmlns="http://www.w3.org/1998/Math/MathML"><apply><plus/><ci>pharmacokinetics__central_s</ci><cn>50</cn></apply></math>
</eventAssignment></listOfEventAssignments></event></listOfEvents></model></sbml>"""
SEDML = b"""<?xml version="1.0" encoding="UTF-8"?>
<sedML xmlns="http://sed-ml.org/sed-ml/level1/version4" level="1" version="4"><listOfSimulations><uniformTimeCourse
id="s" initialTime="0" outputStartTime="0" outputEndTime="48" numberOfSteps="48"><algorithm kisaoID="KISAO:0000019"/>
</uniformTimeCourse></listOfSimulations><listOfModels><model id="m" language="urn:sedml:language:sbml"
source="given.xml"><listOfChanges><changeAttribute newValue="0.5"
target="/sbml:sbml/sbml:model/sbml:listOfParameters/sbml:parameter[@id='mood__pace']/@value"/></listOfChanges></model>
</listOfModels></sedML>"""
REPORT = b"""<listOfTasks><task id="t" modelReference="m" simulationReference="s"/></listOfTasks><listOfDataGenerators>
<dataGenerator id="g"><listOfVariables><variable id="y" taskReference="t"
target="/sbml:sbml/sbml:model/sbml:listOfParameters/sbml:parameter[@id='pharmacokinetics__central_s']"/>
</listOfVariables><listOfParameters><parameter id="p" value="10"/></listOfParameters><math
xmlns="http://www.w3.org/1998/Math/MathML"><apply><times/><ci> p </ci><ci> y </ci></apply></math></dataGenerator>
</listOfDataGenerators><listOfOutputs><report id="r"><listOfDataSets><dataSet id="a" label="ten" dataReference="g"/>
</listOfDataSets></report></listOfOutputs></sedML>"""
FOREIGN = {
    "parameters.tsv": b"parameterId\tlowerBound\tupperBound\tnominalValue\testimate\nmood__pace\t0\t9\t0.5\ttrue\n",
    "conditions.tsv": b"conditionId\ttargetId\ttargetValue\nc\tpharmacokinetics__central_s\t2*mood__pace\n",
    "experiments.tsv": b"experimentId\ttime\tconditionId\ne\t-inf\t\ne\t0\tc\ne\t3\tc\n",
    "observables.tsv": b"observableId\tobservableFormula\tnoiseFormula\no\tpharmacokinetics__central_s^2\t1\n",
    "measurements.tsv": b"observableId\texperimentId\ttime\tmeasurement\no\te\t1\t0\no\te\tinf\t0\n",
}
OWN = {
    **FOREIGN,
    "conditions.tsv": b"conditionId\ttargetId\ttargetValue\nc\tpharmacokinetics__central_s\t100.0\n",
    "experiments.tsv": b"experimentId\ttime\tconditionId\ne\t0.0\tc\n",
    "measurements.tsv": b"observableId\texperimentId\ttime\tmeasurement\no\te\t24.0\t0\n",
}


FITTED = {
    **OWN,
    "parameters.tsv": b"parameterId\tlowerBound\tupperBound\tnominalValue\testimate\tpriorDistribution\tprior"
    b"Parameters\nmood__rate_constant\t0.1\t9\t1.5\ttrue\tlog-normal\t0.4;0.5\n",
    "observables.tsv": b"observableId\tobservableFormula\tnoiseFormula\tnoisePlaceholders\no\t33 - mood__madrs\tn\tn\n",
    "measurements.tsv": b"observableId\texperimentId\ttime\tmeasurement\tnoiseParameters\no\te\t24.0\t0\t1.5\n",
}
REPEATED = b"""<listOfTasks><repeatedTask id="t" range="i" resetModel="false"><listOfRanges><vectorRange id="i">
<value>1</value><value>2</value></vectorRange><uniformRange id="u" start="1"
end="2" numberOfSteps="3" type="log"/><functionalRange
id="f" range="i"><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><plus/><ci>i</ci><ci>u</ci></apply></math>
</functionalRange></listOfRanges><listOfChanges><setValue modelReference="m" range="f" target="/sbml:sbml/sbml:model/
sbml:listOfParameters/sbml:parameter[@id='mood__pace']"><math xmlns="http://www.w3.org/1998/Math/MathML"><ci>f</ci>
</math></setValue></listOfChanges><listOfSubTasks><subTask order="1" task="one"/></listOfSubTasks></repeatedTask>
<task id="one" modelReference="m" simulationReference="s"/></listOfTasks>"""


MANIFEST = b"""<?xml version="1.0" encoding="UTF-8"?>
<omexManifest xmlns="http://identifiers.org/combine.specifications/omex-manifest">
<content location="." format="http://identifiers.org/combine.specifications/omex"/>
<content location="./given.xml" format="http://identifiers.org/combine.specifications/sbml"/>
<content location="./run.sedml" format="http://identifiers.org/combine.specifications/sed-ml" master="true"/>
</omexManifest>"""
BAD = [
    b"",
    b"\x00",
    b"\xff\xfe\x00\x01",
    b"[" * 5000,
    b"{" * 5000,
    b"a: " * 3000,
    b"9" * 5000,
    b"\r\n" * 50,
    b'"' * 99,
    b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    b"1e999",
    b"nan,inf,-inf\n",
    "\u202eé\ud7ff".encode(),
]


def file(name: str, data: bytes) -> Path:
    """The bytes as a file."""
    path = PLACE / name
    path.write_bytes(data)
    return path


def scenario(data: bytes) -> None:
    load_scenario(file("scenario.yaml", data))


def trial(data: bytes) -> None:
    from ketamech.trials.trial_reader import load_trial

    load_trial(file("trial.yaml", data))


def sentence(data: bytes) -> None:
    words = data.decode("utf-8", "replace")
    found = Regimen.parse(words)
    if len(again := found.sentence()) <= MAX_TEXT_LENGTH:
        assert Regimen.parse(again).sentence() == again


def scenario_sentence(data: bytes) -> None:
    load_scenario(data.decode("utf-8", "surrogateescape"))


def unit_text(data: bytes) -> None:
    unit(data.decode("utf-8", "replace"))


def posterior(data: bytes) -> None:
    from ketamech.trials.posterior_draws import load_posterior

    load_posterior(file("posterior.csv", data))


def connectome(data: bytes) -> None:
    from ketamech.parameters.connectome import load_connectome

    load_connectome(file("connectome.csv", data))


def receptors(data: bytes) -> None:
    from ketamech.parameters.connectome import load_connectome

    load_connectome(receptors=file("receptors.csv", data))


def table(data: bytes) -> None:
    from ketamech.core.csv_table import read_table

    for row in read_table(file("table.csv", data), ("parameter", "prior_spread", "why")):
        row.required("parameter", "a name")
        row.number("prior_spread")


def dose_table(data: bytes) -> None:
    """A NONMEM-style table, and the scenario of every person in it."""
    from ketamech.nonmem.read import read_doses
    from ketamech.nonmem.subjects import scenario_of

    found = read_doses(file("doses.csv", data), known(), drug="esketamine")
    for subject in found.subjects:
        try:
            scenario_of(found, subject, known())
        except KetaMechError:
            continue


def sbml(data: bytes) -> None:
    import numpy as np

    from ketamech.exchange.sbml.importer import import_sbml
    from ketamech.exchange.sbml.simulate import simulate_imported

    simulate_imported(import_sbml(file("model.xml", data)), np.array([0.5, 1.0]))


def sbml_doses(data: bytes) -> None:
    """Doses of a model, and the regimen that puts them in."""
    from ketamech.exchange.import_scenarios import read_scenarios

    read_scenarios(file("doses.xml", data), known())


def sedml(data: bytes) -> None:
    from ketamech.exchange.import_scenarios import read_scenarios

    file("given.xml", GIVEN)
    read_scenarios(file("run.sedml", data), known())


def sedml_reports(data: bytes) -> None:
    from ketamech.exchange.sedml_simulation import SedmlFile

    file("given.xml", GIVEN)
    SedmlFile(file("run.sedml", data)).reports()


def _problem(data: bytes, tables: dict[str, bytes]) -> Path:
    """A PEtab problem of which one table, or the file that names them, is anything."""
    file("model.xml", GIVEN)
    names = {f"{name.removesuffix('s.tsv')}_files": [name] for name in tables}
    models = {"model_files": {"m": {"location": "model.xml", "language": "sbml"}}}
    tables = {**tables, "problem.yaml": json.dumps({"format_version": "2.0.0", **models, **names}).encode()}
    changed = next((name for name, usual in tables.items() if data[:14] == usual[:14]), "problem.yaml")
    for name, usual in tables.items():
        file(name, data if name == changed else usual)
    return PLACE / "problem.yaml"


def petab_problem(data: bytes) -> None:
    from ketamech.exchange.petab_simulation import simulate_petab

    with warnings.catch_warnings(action="ignore"):
        simulate_petab(_problem(data, FOREIGN))


def petab_doses(data: bytes) -> None:
    from ketamech.exchange.import_scenarios import read_scenarios

    with warnings.catch_warnings(action="ignore"):
        read_scenarios(_problem(data, OWN), known())


def petab_fit(data: bytes) -> None:
    from ketamech.exchange.petab_fit import read_fit_problem

    with warnings.catch_warnings(action="ignore"):
        problem = read_fit_problem(_problem(data, FITTED), model())
        problem.predictions(np.log([[one.nominal for one in problem.parameters]]))


def estimates_hdf(data: bytes) -> None:
    from ketamech.exchange.petab_fit import read_estimates

    read_estimates(file("estimates.hdf5", data))


def estimates_table(data: bytes) -> None:
    from ketamech.exchange.petab_fit import read_estimates

    for suffix in (".tsv", ".csv"):
        with suppress(KetaMechError):
            read_estimates(file(f"estimates{suffix}", data))


@cache
def estimates() -> bytes:
    """A result of pyPESTO with two starts."""
    import h5py

    held = io.BytesIO()
    with h5py.File(held, "w") as made:
        made["problem/x_names"], made["problem/x_scales"] = ["mood__rate_constant"], ["log10"]
        for start in ("0", "1"):
            made[f"optimization/results/{start}/x"] = np.array([0.2])
            made[f"optimization/results/{start}"].attrs["fval"] = 3.0
    return held.getvalue()


def kinetics(data: bytes) -> None:
    from ketamech.exchange.custom_pk import read_kinetics
    from ketamech.exchange.population_pk import is_population_pk, read_population_pk

    path = file("kinetics.yaml", data)
    (read_population_pk if is_population_pk(path) else read_kinetics)(path)


def results(suffix: str, data: bytes) -> None:
    from ketamech.exchange.result_io import metadata_of, open_results

    path = file(f"results{suffix}", data)
    for read in (metadata_of, open_results):
        try:
            read(path)
        except KetaMechError:
            continue


def results_csv(data: bytes) -> None:
    results(".csv", data)


def results_parquet(data: bytes) -> None:
    results(".parquet", data)


def results_netcdf(data: bytes) -> None:
    results(".nc", data)


def archive(data: bytes) -> None:
    from ketamech.exchange.omex import read_archive, write_extended_archive

    path = file("a.omex", data)
    read_archive(path)
    write_extended_archive(path, path, {"report.csv": "time\n0\n"})


def people(data: bytes) -> None:
    """A table of persons."""
    from ketamech.population.population_tables import marginal

    marginal(data.decode("utf-8", "replace"))


def omex_doses(data: bytes) -> None:
    from ketamech.exchange.import_scenarios import read_scenarios

    read_scenarios(file("b.omex", data), known())


def suite_settings(data: bytes) -> None:
    from benchmarks.semantic_suite import read_settings

    read_settings(file("00001-settings.txt", data))


def suite_results(data: bytes) -> None:
    from benchmarks.semantic_suite import read_results

    read_results(file("00001-results.csv", data))


@cache
def saved(suffix: str) -> Path:
    """A small file of results as the program writes it."""
    import xarray as xr

    from ketamech.exchange.result_io import save_results, with_attributes

    dims = ("replicate", "arm", "patient", "time")
    values = (dims, np.full((1, 1, 2, 2), 30.0), {"units": "points"})
    coords = {"replicate": [0], "arm": ["treated"], "patient": [0, 1], "time": [0.0, 24.0]}
    made = xr.Dataset({"mood.madrs": values}, coords, {"seed": 1})
    return save_results(with_attributes(made), PLACE / f"saved{suffix}")


@cache
def zipped() -> bytes:
    """A small OMEX archive."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        for name, data in (("manifest.xml", MANIFEST), ("given.xml", GIVEN), ("run.sedml", SEDML)):
            made.writestr(name, data)
    return held.getvalue()


@cache
def kept() -> bytes:
    """A piece of a job as it is kept."""
    held = io.BytesIO()
    np.savez(held, x=np.zeros(3))
    return held.getvalue()


@cache
def model() -> Any:
    """The model as it ships."""
    from ketamech.simulation.model import load_model

    return load_model()


@cache
def known() -> object:
    """The parameter table."""
    from ketamech.parameters import load_parameters

    return load_parameters()


def run_manifest(data: bytes) -> None:
    """A run folder whose manifest is anything."""
    from ketamech.exchange.curves_io import read_run
    from ketamech.report.bibliography import cite

    file("manifest.json", data)
    (PLACE / "curves.zarr").mkdir(exist_ok=True)
    for read in (read_run, cite):
        try:
            read(PLACE)
        except KetaMechError:
            continue


def run_papers(data: bytes) -> None:
    """A run folder whose list of papers is anything."""
    from ketamech.report.bibliography import cite

    file("manifest.json", b'{"made_by": "KetaMech", "files": {}}')
    file("bibliography.json", data)
    cite(PLACE)


def cohort_state(data: bytes) -> None:
    from ketamech.exchange.cohort_store import read_cohort

    file("cohort.json", data)
    read_cohort(PLACE)


def store(data: bytes) -> None:
    """A cohort whose Zarr metadata is anything."""
    from ketamech.exchange.cohort_store import read_cohort

    file("cohort.json", b'{"finished": 1, "outputs": ["a"]}')
    (PLACE / "cohort.zarr").mkdir(exist_ok=True)
    file("cohort.zarr/zarr.json", data)
    read_cohort(PLACE)


def journal(data: bytes) -> None:
    """A journal that is anything, also with a seal that fits."""
    place = PLACE / "job"
    (place / "pieces").mkdir(parents=True, exist_ok=True)
    body = data.decode("utf-8", "replace").split("\n")[0]
    seal = hashlib.sha256(("{}" + body).encode()).hexdigest()[:16].encode()
    for text in (data, seal + b" " + body.encode() + b"\n"):
        (place / "pieces" / "journal.txt").write_bytes(text)
        try:
            with open_checkpoint(place, {"seed": 1}, resume=True) as pieces:
                list(pieces)
        except KetaMechError:
            continue


def piece(data: bytes) -> None:
    """A piece of a job that was exchanged for anything."""
    place = PLACE / "pieced"
    (place / "pieces" / "journal.txt").unlink(missing_ok=True)
    with open_checkpoint(place, {"seed": 1}) as pieces:
        pieces.save("u0", {"x": np.zeros(3)})
        (place / "pieces" / "u0.npz").write_bytes(data)
        pieces.read("u0")


def page_scenario(data: bytes) -> None:
    """A scenario uploaded to the page."""
    from ketamech.app.scenarios import parse_uploaded

    parse_uploaded(data.decode("utf-8", "replace"), "mine.yaml", model())


def page_doses(data: bytes) -> None:
    """A dose table uploaded to the page."""
    from ketamech.app.routes.scenario import subjects_of_table
    from ketamech.app.schemas import DoseTableRequest

    subjects_of_table(DoseTableRequest(text=data.decode("utf-8", "replace"), name="mine.csv"), model())


def results_zarr(data: bytes) -> None:
    """A store of results whose metadata is anything."""
    from ketamech.exchange.result_io import metadata_of, open_results

    place = saved(".zarr")
    for file_ in (place / "zarr.json", place / "mood.madrs" / "zarr.json"):
        usual = file_.read_bytes()
        file_.write_bytes(data)
        for read in (metadata_of, open_results):
            with suppress(KetaMechError):
                read(place)
        file_.write_bytes(usual)


def trial_store(data: bytes) -> None:
    """A folder of a trial whose store, or whose manifest, is anything."""
    from ketamech.exchange.result_io import read_results

    place = PLACE / "trial"
    (place / "trial.zarr").mkdir(parents=True, exist_ok=True)
    seal = hashlib.sha256(data).hexdigest()[:16]
    honest = json.dumps({"made_by": "KetaMech", "files": {"trial.zarr/zarr.json": seal}}).encode()
    for store, manifest in ((data, honest), (b"{}", data)):
        (place / "trial.zarr" / "zarr.json").write_bytes(store)
        (place / "manifest.json").write_bytes(manifest)
        with suppress(KetaMechError):
            read_results(place)


def kept_code(data: bytes) -> None:
    """The seals of compiled code kept on disk: what they do not fit is made anew."""
    from ketamech.engine import kernel

    place = PLACE / "kernels"
    place.mkdir(exist_ok=True)
    (place / "checksums.json").write_bytes(data)
    assert kernel.cached_files(place, lambda: {"code": b"abc"}) == {"code": b"abc"}


def kept_system(data: bytes) -> None:
    """A layout and an outline kept on disk: a text that is none is a ValueError, upon which they are made anew."""
    from ketamech.core.atomic_files import read_checksummed
    from ketamech.model.expression_tree import ExpressionTrees
    from ketamech.model.layout import SystemLayout

    read_checksummed(file("sealed.json", data))
    for kind in (SystemLayout, ExpressionTrees):
        with suppress(ValueError):
            kind.from_json(data.decode("utf-8", "replace"))


TARGETS: dict[str, Callable[[bytes], None]] = {
    f.__name__: f
    for f in (
        scenario, trial, sentence, scenario_sentence, unit_text, posterior, connectome, receptors, table, run_manifest,
        run_papers, cohort_state, store, journal, piece, dose_table, sbml, kinetics, results_csv, results_parquet,
        results_netcdf, archive, sbml_doses, sedml, sedml_reports, petab_doses, petab_problem, petab_fit,
        estimates_hdf, estimates_table, people, omex_doses,
        suite_settings, suite_results, page_scenario, page_doses, results_zarr, trial_store, kept_code,
        kept_system,
    )
}  # fmt: skip
TARGETS |= {f"shipped_{table}": partial(shipped_inputs.read_with, table) for table in shipped_inputs.TABLES}


def seeds(name: str) -> list[bytes]:
    """Good files to begin from, and the classic bad ones."""
    if name.startswith("shipped_"):
        return [shipped_inputs.beginning(name.removeprefix("shipped_")), *BAD]
    binary = {
        "results_netcdf": lambda: saved(".nc").read_bytes(),
        "results_parquet": lambda: saved(".parquet").read_bytes(),
        "results_zarr": lambda: (saved(".zarr") / "zarr.json").read_bytes(),
        "archive": zipped,
        "omex_doses": zipped,
        "piece": kept,
        "estimates_hdf": estimates,
    }
    if name in binary:
        return [binary[name](), *BAD]
    good: dict[str, list[bytes]] = {
        "scenario": [p.read_bytes() for p in sorted(ROOT.glob("examples/*.yaml"))],
        "trial": [p.read_bytes() for p in sorted(ROOT.glob("src/ketamech/data/trials/*.yaml"))],
        "sentence": [b"racemic 0.5 mg/kg IV over 40 min", b"esketamine 84 mg nasal twice weekly for 4 weeks"],
        "unit_text": [b"umol/L", b"mg/kg", b"1/h", b"ng/mL*h", b"L**2/h^(1/2)"],
        "posterior": [b"mood.rate_constant,mood.expectancy_weight\n1.0,2.0\n1.1,2.1\n"],
        "connectome": [b"area,acc,amygdala\nacc,0,1\namygdala,1,0\n", b"acc,amygdala\n0,1\n1,0\n"],
        "receptors": [b"area,nmda,ampa,glun2b\nacc,1,1,0.5\namygdala,2,1,0.4\n"],
        "dose_table": [b"ID,TIME,AMT,EVID,II,ADDL\n1,0,84,1,84,7\n1,24,.,0,.,.\n", *TABLES],
        "sbml": [SBML],
        "sbml_doses": [GIVEN],
        "sedml": [SEDML],
        "sedml_reports": [
            SEDML.replace(b"</sedML>", REPORT),
            SEDML.replace(b"</sedML>", REPEATED + REPORT[REPORT.index(b"<listOfDataGenerators>") :]),
        ],
        "petab_problem": list(FOREIGN.values()),
        "petab_doses": list(OWN.values()),
        "petab_fit": list(FITTED.values()),
        "estimates_table": [b"parameterId\tnominalValue\na\t1\n", b"parameterId,nominalValue\na,1e999\n"],
        "people": [b"normal 33 5", b"normal 33 5 in 20 60", b"mixture 0.5 | normal 1 1 | normal 2 1"],
        "suite_settings": [b"start: 0\nduration: 5\nsteps: 50\nvariables: S1, S2\nabsolute: 1e-7\nrelative: 1e-4\n"],
        "suite_results": [b"time,S1\n0,1\n1,0.5\n"],
        "results_csv": [
            b"# seed: 1\nreplicate,arm,patient,time,variable,value,unit\n0,treated,0,0,mood.madrs,30,points\n"
        ],
        "kinetics": [p.read_bytes() for name in ("kinetics*", "otto*") for p in sorted(ROOT.glob(f"**/{name}.yaml"))],
        "page_scenario": [p.read_bytes() for p in sorted(ROOT.glob("examples/*.yaml"))],
        "page_doses": [b"ID,TIME,AMT,RATE,EVID,II,ADDL\n1,0,84,0,1,84,7\n1,24,.,.,0,.,.\n", *TABLES],
        "trial_store": [b'{"zarr_format": 3, "node_type": "group", "attributes": {}}', b'{"made_by": "KetaMech"}'],
        "kept_code": [b'{"code": "ba7816bf"}', b'["code"]', b'"code"'],
        "kept_system": [b'{"states": [], "watched": [], "parameter_names": [], "rested": [], "fingerprint": ""}'],
        "table": [b"parameter,prior_spread,why\nmood.pace,0.5,because\n"],
        "run_manifest": [b'{"made_by": "KetaMech", "files": {"a": "b"}}'],
        "run_papers": [b'[{"key": "zanos2016"}]'],
        "cohort_state": [b'{"finished": 8, "outputs": ["a.b"]}'],
        "store": [b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'],
        "journal": [json.dumps({"format": 1, "job": {"seed": 1}, "made_with": {}, "about": {}}).encode() + b"\n"],
    }
    return [*good.get(name, good.get(name.removeprefix("scenario_"), [])), *BAD]
