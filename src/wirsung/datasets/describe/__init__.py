"""What a dataset is, on one page: tables, distributions, gaps, coverage, outliers, errata and data card."""
