"""The synthetic abdomen: CT phases, T1, T2, tumours, centres and readers, with its truth known."""
