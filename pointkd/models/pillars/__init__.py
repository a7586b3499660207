"""Pillar encoders. Importing this package registers them in the registries of mmdet3d and mmengine."""

from pointkd.ops import standin

standin.install()  # before mmdet3d is imported, here or in a module of this package

from pointkd.models.pillars.encoder import RealPointsPillarFeatureNet  # noqa: E402

__all__ = ['RealPointsPillarFeatureNet']
