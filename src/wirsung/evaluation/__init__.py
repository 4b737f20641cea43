"""References and predictions to scores: exact metrics, honest statistics, one report. Knows no torch."""
