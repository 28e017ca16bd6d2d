"""Tables for the tests of fits."""

HEADER = "ID,TIME,AMT,ROUTE,DUR,DRUG,DVID,DV,CENS"
DOSE = "{0},0,35,IV,0.6667,racemic,.,.,."
LEVELS = ((0.4, 150), (0.7, 165), (1, 80), (2, 45), (4, 24), (8, 9))
UNIT = "venous.ketamine [ng/mL]"


def table(*rows, header=HEADER):
    return "\n".join([header, *rows]) + "\n"


def person(name="1", levels=LEVELS, dvid="venous.ketamine"):
    return [DOSE.format(name), *(f"{name},{time:g},0,.,.,.,{dvid},{value:g},0" for time, value in levels)]
