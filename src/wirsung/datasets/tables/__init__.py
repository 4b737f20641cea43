"""Tables of a paper: who is in a cohort, and how two cohorts differ."""
