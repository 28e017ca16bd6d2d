"""SED-ML files and archives of other programs: reported values against closed forms, and what is refused."""

import io
import zipfile

import antimony
import libcombine
import libsedml
import numpy as np
import pandas as pd
import pytest

from benchmarks.conformance import judge
from command_line import run
from ketamech.core import InputError
from ketamech.exchange.omex import read_archive
from ketamech.exchange.sedml_simulation import SedmlFile

MODEL = "compartment c = 2; species A in c; A = 3; k = 0.5; J: A -> ; c*k*A*h; h = 1"
SEDML = """<?xml version="1.0" encoding="UTF-8"?>
<sedML xmlns="http://sed-ml.org/sed-ml/level1/version3" level="1" version="3" xmlns:sbml="http://www.sbml.org/sbml/level3">
 <listOfSimulations>
  <uniformTimeCourse id="s" initialTime="1" outputStartTime="2" outputEndTime="4" numberOfPoints="4">
   <algorithm kisaoID="KISAO:0000019"/>
  </uniformTimeCourse>
 </listOfSimulations>
 <listOfModels>
  <model id="m" language="urn:sedml:language:sbml.level-3.version-1" source="model.xml">
   <listOfChanges>
    <changeAttribute newValue="4" target="/sbml:sbml/sbml:model/sbml:listOfSpecies/sbml:species[@id='A']/@initialConcentration"/>
   </listOfChanges>
  </model>
  <model id="n" language="urn:sedml:language:sbml" source="#m">
   <listOfChanges>
    <changeAttribute newValue="0.25" target="/sbml:sbml/sbml:model/sbml:listOfParameters/sbml:parameter[@id='k']/@value"/>
   </listOfChanges>
  </model>
 </listOfModels>
 <listOfTasks><task id="t" modelReference="n" simulationReference="s"/></listOfTasks>
 <listOfDataGenerators>
  <dataGenerator id="time">
   <listOfVariables><variable id="x" taskReference="t" symbol="urn:sedml:symbol:time"/></listOfVariables>
   <math xmlns="http://www.w3.org/1998/Math/MathML"><ci> x </ci></math>
  </dataGenerator>
  <dataGenerator id="g">
   <listOfVariables><variable id="y" taskReference="t" target="/sbml:sbml/sbml:model/sbml:listOfSpecies/sbml:species[@id='A']"/></listOfVariables>
   <listOfParameters><parameter id="p" value="10"/></listOfParameters>
   <math xmlns="http://www.w3.org/1998/Math/MathML"><apply><times/><ci> p </ci><ci> y </ci></apply></math>
  </dataGenerator>
 </listOfDataGenerators>
 <listOfOutputs><report id="r"><listOfDataSets>
  <dataSet id="a" label="hours" dataReference="time"/><dataSet id="b" label="ten A" dataReference="g"/>
 </listOfDataSets></report></listOfOutputs>
</sedML>
"""  # noqa: E501
TIMES = np.linspace(2, 4, 5)
WANTED = 10 * 4 * np.exp(-0.25 * (TIMES - 1))


def written(folder, text=SEDML, model=MODEL):
    antimony.clearPreviousLoads()
    assert antimony.loadAntimonyString(f"model m\n{model}\nend") >= 0, antimony.getLastError()
    (folder / "model.xml").write_text(antimony.getSBMLString("m"))
    (folder / "run.sedml").write_text(text)
    return folder / "run.sedml"


def archive(folder, extra):
    """An archive with the simulation in a folder, under a name without .sedml, and other files."""
    path = written(folder)
    formats = {"sim/run.xml": "sed-ml", "sim/model.xml": "sbml", **dict.fromkeys(extra, "png")}
    content = "".join(
        f'<content location="./{place}" format="http://identifiers.org/combine.specifications/{kind}"/>'
        for place, kind in formats.items()
    )
    manifest = (
        f'<omexManifest xmlns="http://identifiers.org/combine.specifications/omex-manifest">{content}</omexManifest>'
    )
    with zipfile.ZipFile(folder / "x.omex", "w") as held:
        held.writestr("manifest.xml", f'<?xml version="1.0" encoding="UTF-8"?>\n{manifest}')
        held.write(path, "sim/run.xml")
        held.write(folder / "model.xml", "sim/model.xml")
        for name, data in extra.items():
            held.writestr(name, data)
    return folder / "x.omex"


def test_reports_follow_changes_times_and_formulas(tmp_path):
    (report,) = SedmlFile(written(tmp_path)).reports().values()
    assert report["hours"].to_numpy() == pytest.approx(TIMES)
    assert report["ten A"].to_numpy() == pytest.approx(WANTED, rel=1e-7)


def test_a_plot_is_reported_where_there_is_no_report(tmp_path):
    curve = '<curve id="c" logX="false" logY="false" xDataReference="time" yDataReference="g"/>'
    plot = f'<plot2D id="p"><listOfCurves>{curve}</listOfCurves></plot2D>'
    begin, end = SEDML.index("<report"), SEDML.index("</listOfOutputs>")
    (report,) = SedmlFile(written(tmp_path, SEDML[:begin] + plot + SEDML[end:])).reports().values()
    assert report["g"].to_numpy() == pytest.approx(WANTED, rel=1e-7)


def test_archives_of_other_programs_may_hold_pictures(tmp_path):
    path = archive(tmp_path, {"figure.png": b"\x89PNG\r\n\x1a\n\x00\xff"})
    assert set(read_archive(path)) == {"sim/run.xml", "sim/model.xml"}
    (report,) = SedmlFile(path).reports().values()
    assert report["ten A"].to_numpy() == pytest.approx(WANTED, rel=1e-7)


def entries(path):
    with zipfile.ZipFile(path) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def test_an_archive_is_saved_again_with_its_reports_and_every_entry_of_other_programs(tmp_path):
    picture, unlisted = b"\x89PNG\r\n\x1a\n\x00\xff", bytes(range(256))
    theirs = archive(tmp_path, {"a/figure.png": picture, "ketamech/s.csv": b"no report of this archive"})
    with zipfile.ZipFile(theirs, "a") as held:
        held.writestr("unlisted.bin", unlisted)  # not in the manifest
    for source, target in (("x.omex", "y.omex"), ("y.omex", "y.omex")):  # the second time over itself
        ended = run("import", source, "--to", target, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        before, after = entries(theirs), entries(tmp_path / target)
        assert after.keys() - before.keys() == {"ketamech/r.csv"}
        assert {name for name in before if before[name] != after[name]} == {"manifest.xml"}
        assert after["a/figure.png"] == picture
        assert after["unlisted.bin"] == unlisted
        contents = libcombine.readOMEXFromString(after["manifest.xml"].decode())
        formats = {
            one.getLocation(): one.getFormat() for one in map(contents.getContent, range(contents.getNumContents()))
        }
        assert formats["./a/figure.png"].endswith("/png")
        assert formats["./ketamech/r.csv"].endswith("text/csv")
        assert len(formats) == contents.getNumContents() == 5
    report = pd.read_csv(io.BytesIO(after["ketamech/r.csv"]))
    assert report["ten A"].to_numpy() == pytest.approx(WANTED, rel=1e-7)
    pd.testing.assert_frame_equal(SedmlFile(tmp_path / "y.omex").reports()["r"], SedmlFile(theirs).reports()["r"])


def test_an_archive_is_written_from_an_archive_only(tmp_path):
    written(tmp_path)
    assert "cannot write 'y.omex' from 'run.sedml'" in run("import", "run.sedml", "--to", "y.omex", cwd=tmp_path).stderr
    assert not (tmp_path / "y.omex").exists()


@pytest.mark.parametrize(("old", "new", "message"), [
    ("KISAO:0000019", "KISAO:0000029", "stochastic"),
    ("KISAO:0000019", "KISAO:0000437", "'t' is a flux balance"),
    ("sbml.level-3.version-1", "cellml", "model in urn:sedml:language:cellml"),
    ('source="model.xml"', 'source="https://x.org/m.xml"', "at an address"),
    ('source="model.xml"', 'source="../m.xml"', "not beside this file"),
    ('source="model.xml"', 'source="#n"', "no model 'n'"),
    ('newValue="4"', 'newValue="four"', "sets .* to 'four'"),
    ("@id='k']/@value", "@id='k']/@units", "changes more than a value"),
    ("species[@id='A']\"/>", "species[@id='B']\"/>", "reads B"),
    ('numberOfPoints="4"', 'numberOfPoints="2000000000"', "2000000000 steps"),
    ('outputEndTime="4"', 'outputEndTime="1"', "do not rise"),
    ('simulationReference="s"', 'simulationReference="z"', "is missing"),
    (SEDML[SEDML.index("<report") : SEDML.index("</listOfOutputs>")], "", "nothing is reported"),
    ("<sedML", "<sed", "no SED-ML with a model"),
])  # fmt: skip
def test_what_is_not_read_is_named(old, new, message, tmp_path):
    text = SEDML.replace(old, new)
    assert text != SEDML
    with pytest.raises(InputError, match=message):
        SedmlFile(written(tmp_path, text)).reports()


def test_archives_are_judged_and_written_by_the_command(tmp_path):
    assert judge("archives", written(tmp_path, repeated())) == ("passed", "")
    path = written(tmp_path, SEDML.replace('initialTime="1"', 'initialTime="0"'))
    assert judge("archives", path) == ("passed", "")
    ended = run("import", "run.sedml", "--to", "curves.csv", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert pd.read_csv(tmp_path / "curves.csv")["ten A"].to_numpy() == pytest.approx(
        10 * 4 * np.exp(-0.25 * TIMES), rel=1e-7
    )


def test_a_file_saved_again_by_libsedml_reads_the_same(tmp_path):
    path = written(tmp_path)
    before = SedmlFile(path).reports()["r"]
    path.write_text(libsedml.writeSedMLToString(libsedml.readSedMLFromFile(str(path))))
    pd.testing.assert_frame_equal(before, SedmlFile(path).reports()["r"])


REPEATED = """
<repeatedTask id="rep" range="i" resetModel="{reset}"><listOfRanges>
 <vectorRange id="i"><value>0.25</value><value>0.5</value></vectorRange>
 <functionalRange id="f" range="i"><listOfVariables><variable id="w" modelReference="m"
 target="/sbml:sbml/sbml:model/sbml:listOfParameters/sbml:parameter[@id='h']"/></listOfVariables>
 <math xmlns="http://www.w3.org/1998/Math/MathML"><apply><times/><ci> w </ci><cn> 2 </cn><ci> i </ci></apply></math>
 </functionalRange></listOfRanges>
 <listOfChanges><setValue modelReference="m" range="f"
 target="/sbml:sbml/sbml:model/sbml:listOfParameters/sbml:parameter[@id='k']">
 <math xmlns="http://www.w3.org/1998/Math/MathML"><ci> f </ci></math></setValue></listOfChanges>
 <listOfSubTasks><subTask order="2" task="single"/><subTask order="1" task="single"/></listOfSubTasks></repeatedTask>
<task id="single" modelReference="m" simulationReference="s"/></listOfTasks>"""
STEP = '<oneStep id="s" step="2"><algorithm kisaoID="KISAO:0000019"/></oneStep></listOfSimulations>'


def repeated(reset="false", simulation=STEP, **other):
    """The file with a repeated task of single steps: A is halved by exp(-2 k) in each of four steps."""
    text = SEDML[: SEDML.index("<uniform")] + simulation + SEDML[SEDML.index("</listOfSimulations>") + 20 :]
    text = text.replace("</listOfTasks>", REPEATED.format(reset=reset)).replace(
        'taskReference="t"', 'taskReference="rep"'
    )
    for old, new in other.items():
        assert old in text
        text = text.replace(old, new)
    return text


def test_repeated_tasks_continue_or_begin_again(tmp_path):
    rates = np.array([0.5, 0.5, 1.0, 1.0])  # twice the range
    report = SedmlFile(written(tmp_path, repeated())).reports()["r"]
    assert report["ten A"].to_numpy() == pytest.approx(40 * np.exp(-2 * np.cumsum(rates)), rel=1e-7)
    assert list(report["hours"]) == [2, 4, 6, 8]
    report = SedmlFile(written(tmp_path, repeated("true"))).reports()["r"]
    assert report["ten A"].to_numpy() == pytest.approx(40 * np.exp([-1, -2, -2, -4]), rel=1e-7)
    assert list(report["hours"]) == [2, 4, 2, 4]


def test_an_event_that_has_fired_does_not_fire_again_when_the_model_continues(tmp_path):
    event = f"{MODEL}; E: at time >= 3: A = 5"
    report = SedmlFile(written(tmp_path, repeated(), event)).reports()["r"]
    assert report["ten A"].to_numpy() == pytest.approx([40 * np.exp(-1), *50 * np.exp([-0.5, -2.5, -4.5])], rel=1e-7)


def test_a_range_may_be_logarithmic(tmp_path):
    vector = '<vectorRange id="i"><value>0.25</value><value>0.5</value></vectorRange>'
    log = '<uniformRange id="i" start="0.125" end="0.5" numberOfPoints="2" type="log"/>'
    report = SedmlFile(written(tmp_path, repeated("true", **{vector: log}))).reports()["r"]
    assert report["ten A"].to_numpy() == pytest.approx(40 * np.exp([-0.5, -1, -1, -2, -2, -4]), rel=1e-7)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</vectorRange>", '</vectorRange><vectorRange id="j"><value>1</value></vectorRange>', "fewer values"),
        ('range="i" resetModel', 'range="z" resetModel', "no range 'z'"),
        ('order="2" task="single"', 'order="2" task="rep"', "repeats itself"),
        ("@id='k']\">\n <math", "@id='B']\">\n <math", "a repeated task sets"),
        ('step="2"', 'step="0"', "a step of 0"),
        ('<subTask order="2" task="single"/><subTask order="1" task="single"/>', "", "runs nothing"),
        ("<vectorRange id=\"i\"><value>0.25</value><value>0.5</value></vectorRange>",
         '<uniformRange id="i" start="0" end="1" numberOfPoints="99999999" type="linear"/>', "99999999 steps"),
    ],
)  # fmt: skip
def test_what_a_repeated_task_cannot_be_is_named(old, new, message, tmp_path):
    with pytest.raises(InputError, match=message):
        SedmlFile(written(tmp_path, repeated(**{old: new}))).reports()


STEADY = '<steadyState id="s"><algorithm kisaoID="KISAO:0000282"/></steadyState></listOfSimulations>'
CYCLE = "compartment c = 1; species A in c, B in c; A = 3; B = 1; h = 1; J: A -> B; k*A; K: B -> A; h*B; k = 0.5"
OSCILLATOR = "species A, B; A = 3; B = 10; k = 1; h = 1; A' = 1 - (1 + 4*h)*A + A^2*B; B' = 4*h*A - A^2*B"


def test_steady_states_conserve_what_the_equations_conserve(tmp_path):
    report = SedmlFile(written(tmp_path, repeated("true", STEADY), CYCLE)).reports()["r"]
    k = np.array([0.5, 0.5, 1.0, 1.0])
    assert report["ten A"].to_numpy() == pytest.approx(10 * 5 / (1 + k), rel=1e-8)  # A + B = 5, the initial change


def test_the_steady_state_inside_a_cycle_is_found(tmp_path):
    """The Brusselator oscillates about A = 1; from this start Newton's method needs the mean of a time course."""
    far = repeated("true", STEADY, **{'newValue="4"': 'newValue="0.001"'})
    report = SedmlFile(written(tmp_path, far, OSCILLATOR)).reports()["r"]
    assert report["ten A"].to_numpy() == pytest.approx(10, rel=1e-8)


def test_columns_of_measured_data_are_read(tmp_path):
    (tmp_path / "data.csv").write_text("# of a paper\ntime, A\n0, 3\n1, 2\n")
    source = (
        '<listOfDataDescriptions><dataDescription id="d" source="data.csv" format="urn:sedml:format:csv">'
        '<listOfDataSources><dataSource id="col"><listOfSlices><slice reference="ColumnIds" value="A"/></listOfSlices>'
        "</dataSource></listOfDataSources></dataDescription></listOfDataDescriptions>"
    )
    generator = (
        '<dataGenerator id="seen"><listOfVariables><variable id="v" target="#col"/></listOfVariables>'
        '<math xmlns="http://www.w3.org/1998/Math/MathML"><ci> v </ci></math></dataGenerator></listOfDataGenerators>'
    )
    text = SEDML.replace("<listOfSimulations>", source + "<listOfSimulations>", 1)
    text = text.replace("</listOfDataGenerators>", generator)
    text = text.replace('<dataSet id="a"', '<dataSet id="z" label="seen" dataReference="seen"/><dataSet id="a"')
    report = SedmlFile(written(tmp_path, text)).reports()["r"]
    assert report["seen"].dropna().tolist() == [3, 2]
    assert report["ten A"].to_numpy() == pytest.approx(WANTED, rel=1e-7)
    with pytest.raises(InputError, match="no column 'B'"):
        SedmlFile(written(tmp_path, text.replace('value="A"/>', 'value="B"/>'))).reports()


def test_a_model_of_biomodels_is_taken_from_beside(tmp_path):
    path = written(tmp_path, SEDML.replace('source="model.xml"', 'source="urn:miriam:biomodels.db:BIOMD0000000001"'))
    with pytest.raises(InputError) as refused:
        SedmlFile(path).reports()
    assert "BIOMD0000000001.xml" in str(refused.value)
    (tmp_path / "model.xml").rename(tmp_path / "BIOMD0000000001.xml")
    assert SedmlFile(path).reports()["r"]["ten A"].to_numpy() == pytest.approx(WANTED, rel=1e-7)
