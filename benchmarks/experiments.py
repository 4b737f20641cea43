"""What experiments found, of their results.json: as benchmarks/results/experiment_NAME.json, and as tables.

It measures nothing. Give it the OUT folders of wirsung experiment; the tables of docs/experiments/README.md
are made from all benchmarks/results/experiment_*.json, so that no number there is typed.

    .venv/bin/python benchmarks/experiments.py OUT...
    .venv/bin/python benchmarks/experiments.py OUT --attempt "480 steps"    beside what is there already
    .venv/bin/python benchmarks/experiments.py            the tables alone
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from recording import ROOT

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "experiments" / "README.md"
BEGIN, END = "<!-- begin: made by benchmarks/experiments.py -->", "<!-- end -->"


def main() -> None:
    """Bring results in, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, nargs="*")
    parser.add_argument("--attempt", default="", help="what was tried in other settings than the file's")
    asked = parser.parse_args()
    for folder in asked.out:
        content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        name = content["experiment"].replace("-", "_")
        suffix = "" if content["size"] == "cpu" else f"_{content['size']}"
        if asked.attempt:
            content["attempt"] = asked.attempt
            suffix += "_" + re.sub(r"[^a-z0-9]+", "_", asked.attempt.lower())
        path = RESULTS / f"experiment_{name}{suffix}.json"
        path.write_text(json.dumps(small(content), indent=1) + "\n", encoding="utf-8")
        print(path.relative_to(ROOT))
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    tables = "\n\n".join(section(json.loads(path.read_text(encoding="utf-8"))) for path in known())
    PAGE.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}", encoding="utf-8")
    print(PAGE.relative_to(ROOT))


def known() -> list[Path]:
    """The experiments in the order of the docs, others after them."""
    order = ("scaling", "classes", "networks", "cross_centre", "cross_modality", "attention")
    found = {
        path.stem.removeprefix("experiment_"): path for path in sorted(RESULTS.glob("experiment_*.json"))
    }
    place = {name: next((i for i, one in enumerate(order) if name.startswith(one)), 99) for name in found}
    made = (found[name] for name in sorted(found, key=lambda name: (place[name], name)))
    return [path for path in made if "title" in json.loads(path.read_text(encoding="utf-8"))]


def small(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Without more digits than mean something."""
    if isinstance(value, dict):
        return {key: small(item) for key, item in value.items()}
    if isinstance(value, list):
        return [small(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def section(found: dict[str, Any]) -> str:
    """One experiment: when, where, its table and its answers."""
    attempt = f" (another setting: {found['attempt']})" if "attempt" in found else ""
    lines = [f"## {found['title']}{attempt}", "", f"`{found['command']}`", "", when(found)]
    if "calls" in found:
        return "\n".join([*lines, "", *token_table(found), "", *(f"- {said}" for said in found["sentences"])])
    lines += ["", *arm_table(found), ""]
    lines += [f"- **{item['question']}** {item['sentence']}" for item in found["questions"]]
    lines += [f"- Failed: {run}: {why}" for run, why in found["failed"].items()]
    return "\n".join(lines)


def when(found: dict[str, Any]) -> str:
    """Date, machine, seeds and commits."""
    machine = found["machine"]
    threads = f", {machine['threads']} thread" if machine["threads"] else ""
    commits = ", ".join(found.get("run_commits") or [found["commit"] or "unknown"])
    seeds = f"{found['seeds']} seeds, " if "seeds" in found else ""
    where = f"{machine['processor']}{threads}, {machine['device']}"
    return f"{found['date']}, {where}, {seeds}size {found['size']}, commit {commits}."


def arm_table(found: dict[str, Any]) -> list[str]:
    """A row an arm and test, a column a measure; the paper's numbers below."""
    measures = list(dict.fromkeys(item["measure"] for item in found["measured"]))
    places = list(dict.fromkeys((item["arm"], item["test"]) for item in found["measured"]))
    arms = {arm["name"]: arm for arm in found["arms"]}
    several = len({test for _, test in places}) > 1
    head = ["arm", *(["tested on"] if several else []), "learnt from", "with tumour", *map(words, measures)]
    rows = [f"| {' | '.join([*head, 'training'])} |", "|---" * (len(head) + 1) + "|"]
    for arm, test in places:
        about = arms[arm]
        cells = [about["title"], *([test] if several else []), str(about["cases"]), number(about["tumours"])]
        for measure in measures:
            item = next(
                (i for i in found["measured"] if (i["arm"], i["test"], i["measure"]) == (arm, test, measure)),
                None,
            )
            cells.append(value(item))
        rows.append(f"| {' | '.join([*cells, number(about['train_s']) + ' s'])} |")
    paper = [item for item in found["paper"] if item["paper"] is not None]
    if paper:
        said = "; ".join(f"{item['label']}: {words(item['measure'])} {item['paper']:.3f}" for item in paper)
        rows += ["", f"The paper's: {said}."]
    return rows


def token_table(found: dict[str, Any]) -> list[str]:
    """A row a number of tokens."""
    kinds = list(dict.fromkeys(call["kind"] for call in found["calls"]))
    rows = [f"| tokens | {' | '.join(f'{kind}, ms | {kind}, MiB' for kind in kinds)} |"]
    rows.append("|---" * (1 + 2 * len(kinds)) + "|")
    for tokens in found["plan"]["tokens"]:
        cells = [str(tokens)]
        for kind in kinds:
            call = next((c for c in found["calls"] if (c["kind"], c["tokens"]) == (kind, tokens)), None)
            seconds = sorted(call["seconds"]) if call else []
            cells.append(f"{1000 * seconds[len(seconds) // 2]:.1f}" if seconds else "–")
            memory = call["memory_mib"] if call else None
            cells.append("–" if memory is None else f"{memory:.0f}")
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def value(item: dict[str, Any] | None) -> str:
    """Mean and spread over seeds."""
    if item is None or item["mean"] is None:
        return "–"
    spread = "" if item["sd"] is None else f" ± {item['sd']:.3f}"
    return f"{item['mean']:.3f}{spread}"


def number(value: float | None) -> str:
    """A count, with a decimal where it needs one."""
    return "–" if value is None else f"{value:.1f}".removesuffix(".0")


def words(measure: str) -> str:
    """Metric first.

    "pancreatic_lesion auc" becomes "AUC, pancreatic lesion".
    """
    structure, metric = measure.split()
    name = {"auc": "AUC", "dsc": "DSC", "hd95": "HD95"}.get(metric, metric.replace("nsd_", "NSD "))
    return f"{name}, {structure.replace('_', ' ')}"


if __name__ == "__main__":
    main()
