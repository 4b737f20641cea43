"""What a training was given, in words."""

import json

import pytest

from wirsung.models.plans import parse_plans
from wirsung.training.trainer import Trainer
from wirsung.training.watching.given import facts_of, network_title, title_of
from wirsung.training.workspace import Workspace, silence


@pytest.fixture
def trainer(job):
    with Workspace(job.folder.parent).environment(0), silence():
        made = Trainer.of(job)
        made.initialize()
        return made


def test_the_reasons_of_the_plans_are_told(trainer):
    facts = dict(facts_of(trainer))
    assert facts["Batch"] == "2 patches. What nnU-Net's planner fits into its memory."
    assert facts["Centred on the lesion"] == "The classes have no pancreatic lesion."
    assert facts["Patch"].startswith("16 x 16 x 16 voxels of ")
    assert facts["Optimiser"] == "AdamW, learning rate 0.003 at the start"
    assert title_of(trainer) == "nnU-Net, fold 0"


def test_a_network_that_is_in_no_catalog_goes_by_its_class(job):
    content = json.loads(json.dumps(job.plans.content))
    content["configurations"]["3d_fullres"]["architecture"]["network_class_name"] = "somebody.nets.OwnNet"
    assert network_title(parse_plans(content)) == "OwnNet"
