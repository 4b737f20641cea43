"""One engine on one folder of images, in a process of its own; called by `inference.py`."""

import contextlib
import copy
import io
import json
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Predict, and write the seconds of each stage."""
    engine, model, images, out, told = sys.argv[1], *map(Path, sys.argv[2:])
    seconds = ours(model, images, out) if engine == "ours" else theirs(model, images, out)
    told.write_text("\n".join(f"{name} {value:.3f}" for name, value in seconds.items()))


def ours(model: Path, images: Path, out: Path) -> dict[str, float]:
    """The verb, but for the command line."""
    from wirsung.inference.run import predict
    from wirsung.inference.settings import PredictSettings

    started = time.perf_counter()
    outcomes = predict(PredictSettings(images, out, model=model, device="cpu"))
    total_s = time.perf_counter() - started
    failed = [outcome.message for outcome in outcomes if outcome.status == "failed"]
    if failed:
        raise RuntimeError(failed[0])
    parts: dict[str, float] = {}
    for outcome in outcomes:
        for name, value in outcome.value.seconds.items():  # type: ignore[union-attr]
            parts[f"{name}_s"] = parts.get(f"{name}_s", 0.0) + value
    return {"total_s": total_s, **parts}


def theirs(model: Path, images: Path, out: Path) -> dict[str, float]:
    """`predict_from_files`, with its own processes for preprocessing and export."""
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    network_s = 0.0

    class Timed(nnUNetPredictor):
        def predict_logits_from_preprocessed_data(self, data: torch.Tensor) -> torch.Tensor:
            nonlocal network_s
            began = time.perf_counter()
            made = super().predict_logits_from_preprocessed_data(data)
            network_s += time.perf_counter() - began
            return made

    started = time.perf_counter()
    plans, table = (json.loads((model / name).read_text()) for name in ("plans.json", "dataset.json"))
    checkpoint: dict[str, Any] = torch.load(model / "fold_0" / "checkpoint_final.pth", weights_only=False)
    manager = PlansManager(copy.deepcopy(plans))
    configuration = manager.get_configuration("3d_fullres")
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        1,
        manager.get_label_manager(table).num_segmentation_heads,
        deep_supervision=False,
    )
    network.load_state_dict(checkpoint["network_weights"])
    predictor = Timed(use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
    predictor.manual_initialization(
        network, manager, configuration, [checkpoint["network_weights"]], table, "nnUNetTrainer", None
    )
    with contextlib.redirect_stdout(io.StringIO()):
        predictor.predict_from_files(
            str(images), str(out), num_processes_preprocessing=1, num_processes_segmentation_export=1
        )
    return {"total_s": time.perf_counter() - started, "network_s": network_s}


if __name__ == "__main__":
    main()
