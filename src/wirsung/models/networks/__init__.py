"""The networks that plans may name, and no others."""

from wirsung.models.networks.building import NETWORKS, build_network

__all__ = ["NETWORKS", "build_network"]
