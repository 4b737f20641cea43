"""One engine on one folder of images, in a process of its own; called by `inference.py`."""

import argparse
import contextlib
import copy
import functools
import io
import json
import resource
import threading
import time
from pathlib import Path
from typing import Any

import torch


def main() -> None:
    """Predict, and write the seconds of each stage."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("engine", choices=("ours", "theirs"))
    for name in ("model", "images", "out", "told"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--lesion", action="store_true", help="its probability too; ours only")
    parser.add_argument("--float32", action="store_true", help="tiles added up in float32; theirs only")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--limit-gb", type=float, help="memory of its own that the system grants")
    chosen = parser.parse_args()
    if chosen.limit_gb:
        granted = int(chosen.limit_gb * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (granted, granted))
    forward = Forward(chosen.device)
    seconds = (ours if chosen.engine == "ours" else theirs)(chosen)
    seconds["forward_s"] = forward.seconds()
    chosen.told.write_text("\n".join(f"{name} {value:.3f}" for name, value in seconds.items()))


class Forward:
    """Counts the seconds of forward passes alone, by the GPU's own clock where there is one."""

    def __init__(self, device: str) -> None:
        self.is_cuda, self.begun, self.spans = device == "cuda", {}, []  # type: ignore[var-annotated]
        torch.nn.modules.module.register_module_forward_pre_hook(self.before)
        torch.nn.modules.module.register_module_forward_hook(self.after)

    def now(self) -> "float | torch.cuda.Event":
        """A moment: an event in the GPU's queue, or seconds."""
        if not self.is_cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def before(self, module: torch.nn.Module, _: object) -> None:
        """A network begins."""
        if type(module).__name__ == "PlainConvUNet":
            self.begun[threading.get_ident()] = self.now()

    def after(self, module: torch.nn.Module, _: object, __: object) -> None:
        """It has ended."""
        if type(module).__name__ == "PlainConvUNet":
            self.spans.append((self.begun.pop(threading.get_ident()), self.now()))

    def seconds(self) -> float:
        """Of all passes; of those in several threads at a time, the sum."""
        if not self.is_cuda:
            return float(sum(end - start for start, end in self.spans))
        torch.cuda.synchronize()
        return float(sum(start.elapsed_time(end) for start, end in self.spans)) / 1000


def ours(chosen: argparse.Namespace) -> dict[str, float]:
    """The verb, but for the command line."""
    from wirsung.inference.run import predict
    from wirsung.inference.settings import PredictSettings

    started = time.perf_counter()
    settings = PredictSettings(
        chosen.images,
        chosen.out,
        model=chosen.model,
        device=chosen.device,
        lesion_probability=chosen.lesion,
    )
    outcomes = predict(settings)
    total_s = time.perf_counter() - started
    failed = [outcome.message for outcome in outcomes if outcome.status == "failed"]
    if failed:
        raise RuntimeError(failed[0])
    parts: dict[str, float] = {}
    for outcome in outcomes:
        for name, value in outcome.value.seconds.items():  # type: ignore[union-attr]
            parts[f"{name}_s"] = parts.get(f"{name}_s", 0.0) + value
    return {"total_s": total_s, **parts}


def theirs(chosen: argparse.Namespace) -> dict[str, float]:
    """`predict_from_files`, with its own processes for preprocessing and export."""
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

    model, started = chosen.model, time.perf_counter()
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
    predictor = Timed(use_mirroring=False, device=torch.device(chosen.device), allow_tqdm=False)
    predictor.manual_initialization(
        network, manager, configuration, [checkpoint["network_weights"]], table, "nnUNetTrainer", None
    )
    if chosen.float32:
        _add_up_in_float32()
    with contextlib.redirect_stdout(io.StringIO()):
        predictor.predict_from_files(
            str(chosen.images),
            str(chosen.out),
            num_processes_preprocessing=1,
            num_processes_segmentation_export=1,
        )
    return {"total_s": time.perf_counter() - started, "network_s": network_s}


def _add_up_in_float32() -> None:
    """Not as nnU-Net is shipped: its float16 is what keeps two exact predictors from agreeing to the end."""
    from nnunetv2.inference import predict_from_raw_data

    in_float32 = functools.partial(predict_from_raw_data.compute_gaussian, dtype=torch.float32)
    predict_from_raw_data.compute_gaussian = functools.lru_cache(in_float32)  # it is asked to clear its cache
    torch.half = torch.float32


if __name__ == "__main__":
    main()
