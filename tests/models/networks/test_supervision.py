import pytest

from wirsung.errors import ConfigError
from wirsung.models.networks.supervision import Switch, refuse_deep_supervision


def test_deep_supervision_is_refused_with_the_trainer_that_does_without():
    refuse_deep_supervision("UNETR", asked=False)
    with pytest.raises(ConfigError, match=r"UNETR answers at full resolution only.*NoDeepSupervision"):
        refuse_deep_supervision("UNETR", asked=True)


def test_nnunets_trainer_has_the_variant_that_the_message_names():
    from nnunetv2.training.nnUNetTrainer.variants.network_architecture import nnUNetTrainerNoDeepSupervision

    assert hasattr(nnUNetTrainerNoDeepSupervision, "nnUNetTrainerNoDeepSupervision")


def test_the_switch_can_be_set():
    switch = Switch()
    assert not switch.deep_supervision
    switch.deep_supervision = True
    assert not Switch().deep_supervision
