"""Virtual trials: design, enrolment, dosing, ratings, decisions, dropout."""
