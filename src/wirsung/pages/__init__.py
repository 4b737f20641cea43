"""How a page looks: one template, the figures and the slice montage, for the HTML of every stage."""
