"""The switch of deep supervision that nnU-Net's trainer sets, for networks that have none."""

from wirsung.errors import ConfigError


class Switch:
    """Stands where nnU-Net looks for `network.decoder.deep_supervision`; setting it changes nothing."""

    deep_supervision: bool = False


def refuse_deep_supervision(network: str, asked: bool) -> None:
    """Do nothing where deep supervision is not asked for.

    Raises:
        ConfigError: It is, but the network answers at full resolution only.

    Example:
        >>> refuse_deep_supervision("UNETR", False)
    """
    if asked:
        msg = (
            f"{network} answers at full resolution only, so it has no deep supervision. "
            "In nnU-Net's own command line, train it with -tr nnUNetTrainerNoDeepSupervision."
        )
        raise ConfigError(msg)
