"""From raw scans to a dataset: find, read, convert, align, measure, describe; and the audit of a dataset."""
