"""The audit of one case and of a dataset: every rule of `anatomy.standard`, one function each."""
