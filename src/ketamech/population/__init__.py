"""Virtual patients: covariates, parameter distributions, random streams, cohorts."""
