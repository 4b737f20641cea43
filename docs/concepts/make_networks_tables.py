"""Write the tables of networks.md anew from the catalog: python docs/concepts/make_networks_tables.py."""

from pathlib import Path

from wirsung.models.listing import markdown

START, END = "<!-- tables from the catalog -->\n", "<!-- end of the tables -->\n"


def main() -> None:
    """Replace what lies between the two comments."""
    page = Path(__file__).with_name("networks.md")
    before, _, rest = page.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{START}\n{markdown()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
