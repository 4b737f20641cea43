"""The verbs: where each one's settings and function are. Only names here, so that --help stays fast."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from wirsung.errors import MissingDependencyError

# Optional packages and the extra that brings them.
_EXTRAS = {
    "torch": "train",
    "nnunetv2": "train",
    "safetensors": "train",
    "blosc2": "train",
    "monai": "zoo",
    "fastapi": "server",
    "uvicorn": "server",
}


@dataclass(frozen=True)
class Verb:
    """One verb of the command line."""

    name: str
    summary: str
    settings: str
    """module:dataclass of the stage's settings; importing it must be fast."""
    function: str
    """module:function that takes the settings."""
    saves_in: str | None = None
    """The settings' field that names the folder in which the resolved settings are kept."""

    def load_settings(self) -> type[Any]:
        """The dataclass of the settings."""
        loaded: type[Any] = _load(self.settings)
        return loaded

    def load_function(self) -> Any:  # noqa: ANN401 - each stage has its own result
        """The stage's function."""
        return _load(self.function)


_ALL = (
    Verb(
        "demo",
        "the whole way on a phantom cohort, verb by verb, with pictures",
        "wirsung.cli.demo:DemoSettings",
        "wirsung.cli.demo:demo",
    ),
    Verb(
        "phantom",
        "write a synthetic cohort whose truth is known",
        "wirsung.phantom.settings:PhantomSettings",
        "wirsung.phantom.cohort:phantom",
        "out",
    ),
    Verb(
        "curate",
        "turn raw DICOM or NIfTI into a dataset in the PanTS layout",
        "wirsung.curation.settings:CurateSettings",
        "wirsung.curation.run:curate",
        "out",
    ),
    Verb(
        "check",
        "audit a dataset and list what is wrong with it",
        "wirsung.curation.settings:CheckSettings",
        "wirsung.curation.check:check",
    ),
    Verb(
        "verify",
        "read every voxel of a dataset again and compare its checksums",
        "wirsung.curation.settings:VerifySettings",
        "wirsung.curation.verify:verify",
    ),
    Verb(
        "fetch",
        "download a public dataset: resumed, checked, unpacked",
        "wirsung.datasets.fetching.fetch:FetchSettings",
        "wirsung.datasets.fetching.fetch:fetch",
    ),
    Verb(
        "import",
        "make a dataset of a public source's folder, by links; import list lists them",
        "wirsung.datasets.importing.settings:ImportSettings",
        "wirsung.datasets.importing.run:import_source",
        "out",
    ),
    Verb(
        "describe",
        "write what a dataset is: Table 1, distributions, gaps, outliers, data card",
        "wirsung.datasets.describe.settings:DescribeSettings",
        "wirsung.datasets.describe.run:describe",
        "out",
    ),
    Verb(
        "catalog",
        "measure a dataset's images and masks into tables",
        "wirsung.datasets.catalog:CatalogSettings",
        "wirsung.datasets.catalog:catalog",
    ),
    Verb(
        "query",
        "ask a dataset's tables in SQL",
        "wirsung.datasets.query:QuerySettings",
        "wirsung.datasets.query:query",
    ),
    Verb(
        "split",
        "divide a dataset's patients into folds and a test set",
        "wirsung.datasets.splits:SplitSettings",
        "wirsung.datasets.splits:split",
        "dataset",
    ),
    Verb(
        "compare-datasets",
        "find the scans and patients that are in two datasets",
        "wirsung.datasets.comparing:CompareDatasetsSettings",
        "wirsung.datasets.comparing:compare_datasets",
        "out",
    ),
    Verb(
        "train",
        "train a network on one fold of a dataset",
        "wirsung.training.settings:TrainSettings",
        "wirsung.training.run:train",
        "out",
    ),
    Verb(
        "experiment",
        "run a paper's comparison arm by arm, and show its table beside ours",
        "wirsung.training.experiments.settings:ExperimentSettings",
        "wirsung.training.experiments.run:experiment",
        "out",
    ),
    Verb(
        "predict",
        "predict label maps with a trained model",
        "wirsung.inference.settings:PredictSettings",
        "wirsung.inference.run:predict",
        "out",
    ),
    Verb(
        "serve",
        "answer predictions over HTTP with a warm model, for programs and 3D Slicer",
        "wirsung.web.settings:ServeSettings",
        "wirsung.web.serve:serve",
    ),
    Verb(
        "evaluate",
        "score predictions against references and write the report",
        "wirsung.evaluation.settings:EvaluateSettings",
        "wirsung.evaluation.run:evaluate",
        "out",
    ),
    Verb(
        "compare",
        "compare methods scored on the same cases, every pair",
        "wirsung.evaluation.compare_settings:CompareSettings",
        "wirsung.evaluation.compare:compare",
        "out",
    ),
    Verb(
        "models list",
        "the networks: parameters, licence, paper, and what is needed to use them",
        "wirsung.models.settings:ListSettings",
        "wirsung.models.listing:list_models",
    ),
    Verb(
        "models cost",
        "what a network needs before it is built: memory, operations, seconds",
        "wirsung.models.settings:CostSettings",
        "wirsung.models.cost:cost",
    ),
    Verb(
        "models import",
        "make a model folder of a model from elsewhere, without running anything of it",
        "wirsung.models.transfer_settings:ImportSettings",
        "wirsung.models.importing:run",
    ),
    Verb(
        "models embed",
        "write class embeddings for the Universal Model, with an installed CLIP",
        "wirsung.models.networks.class_embeddings_clip:EmbedSettings",
        "wirsung.models.networks.class_embeddings_clip:embed_classes",
    ),
    Verb(
        "models export",
        "write a model for nnU-Net's own command line, or as ONNX",
        "wirsung.models.transfer_settings:ExportSettings",
        "wirsung.models.exporting:run",
    ),
    Verb(
        "export",
        "write a dataset as nnU-Net, BIDS, the Decathlon or Croissant",
        "wirsung.datasets.exports.settings:ExportSettings",
        "wirsung.datasets.exports.export:export",
    ),
    Verb(
        "doctor",
        "check this installation and this machine",
        "wirsung.cli.doctor:DoctorSettings",
        "wirsung.cli.doctor:doctor",
    ),
    Verb(
        "info",
        "what this installation knows: version, schemes, extras",
        "wirsung.cli.info:InfoSettings",
        "wirsung.cli.info:info",
    ),
)

VERBS = {verb.name: verb for verb in _ALL}


def group(name: str) -> list[Verb]:
    """The verbs of two words that begin with this one.

    Example:
        >>> group("models")[0].name
        'models list'
    """
    return [verb for verb in _ALL if verb.name.startswith(f"{name} ")]


def missing_extra(error: ModuleNotFoundError) -> MissingDependencyError | None:
    """What to tell the user where an optional package is missing; None where the package is none of ours."""
    extra = _EXTRAS.get(str(error.name).split(".")[0])
    if extra is None:
        return None
    return MissingDependencyError(
        f"this needs {error.name}, which is not installed. Install it with: pip install 'wirsung[{extra}]'"
    )


def _load(path: str) -> Any:  # noqa: ANN401 - a class or a function
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
