"""Molar masses (g/mol) from the formulas C13H16ClNO and C12H14ClNO, independent of the parameter tables."""

KETAMINE, NORKETAMINE = 237.73, 223.70
