"""SED-ML files and archives of other programs: reported values against closed forms, and what is refused."""

import zipfile

import antimony
import libsedml
import numpy as np
import pandas as pd
import pytest

from command_line import run
from ketamech.core import InputError
from ketamech.exchange.conformance import judge
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


def written(folder, text=SEDML):
    antimony.clearPreviousLoads()
    assert antimony.loadAntimonyString(f"model m\n{MODEL}\nend") >= 0, antimony.getLastError()
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


@pytest.mark.parametrize(("old", "new", "message"), [
    ("KISAO:0000019", "KISAO:0000029", "stochastic"),
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
