"""Cross-image relational distillation (CIRKD) of segmentors."""

from __future__ import annotations

import torch
from mmengine.dist import all_gather
from torch import Tensor

from pointkd.core.errors import ConfigError
from pointkd.core.seeds import derive_seed
from pointkd.distill.features import Feature, Map
from pointkd.distill.functional import memory_relations, nearest_labels, pixel_relations
from pointkd.distill.functional.checks import positive
from pointkd.distill.functional.precision import full_precision, widen
from pointkd.distill.functional.similarity import unit
from pointkd.distill.methods._label_maps import LabelReader
from pointkd.distill.methods._memory import ClassMemory, remember_pixels, remember_regions
from pointkd.distill.methods.base import Context, Contract, Method, Term, Widths
from pointkd.distill.methods.channel_wise import channels_last
from pointkd.distill.registry import METHODS


@METHODS.register_module()
class CrossImage(Method):
    """Makes pixels relate to other images' pixels as in the teacher; see docs/methods/cross_image.md.

    `L = batch · L_batch + pixel · L_pixel + region · L_region`: relations to the pixels of the batch, to remembered
    pixels and to remembered class means (both the teacher's). Memories are filled in training, by all processes
    together where there are several, and start empty.

    Args:
        widths: channels of both sides, equal behind the connector.
        classes: number of classes in the label maps.
        ignore: label of pixels without a class; None where there is none.
        tau: temperature of all three.
        batch: weight of the relations within the batch; 0 leaves it out, as with the following.
        pixel: weight of the relations to remembered pixels.
        region: weight of the relations to remembered regions.
        pool: side of the cells that are averaged for the relations within the batch.
        pixel_memory: pixels remembered a class.
        region_memory: regions remembered a class.
        pixel_keys: remembered pixels that a step looks at, all classes together.
        region_keys: remembered regions that a step looks at.
        pixels_per_image: pixels of a class that an image adds to the memory.
        seed: of what is drawn.

    Source: CIRKD (2204.06986), without its pixel-wise KL (`Logits` does that).
    """

    contract = Contract(features=(Map,), per_sample='pixels are compared with those of other images')

    def __init__(
        self,
        *,
        widths: Widths,
        classes: int,
        ignore: int | None = 255,
        tau: float = 0.1,
        batch: float = 1.0,
        pixel: float = 0.1,
        region: float = 0.1,
        pool: int = 2,
        pixel_memory: int = 2000,
        region_memory: int = 200,
        pixel_keys: int = 4096,
        region_keys: int = 1024,
        pixels_per_image: int = 16,
        seed: int = 0,
    ) -> None:
        super().__init__()
        positive(tau, 'tau')
        sizes = dict(
            classes=classes,
            pool=pool,
            pixel_memory=pixel_memory,
            region_memory=region_memory,
            pixel_keys=pixel_keys,
            region_keys=region_keys,
            pixels_per_image=pixels_per_image,
        )
        for name, value in sizes.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f'{name}: expected a whole number above 0, got {value!r}')
        if not min(batch, pixel, region) >= 0 or batch + pixel + region == 0:
            raise ConfigError('batch, pixel, region: expected weights of at least 0 and one above it')
        self.tau, self.pool, self.classes, self.seed = tau, pool, classes, seed
        self.weights = {'batch': batch, 'pixel': pixel, 'region': region}
        self.keys = {'pixel': pixel_keys, 'region': region_keys}
        self.pixels_per_image = pixels_per_image
        self.labels = LabelReader('cross_image', ignore)
        self.pixel = ClassMemory(classes, pixel_memory if pixel else 0, widths.teacher)
        self.region = ClassMemory(classes, region_memory if region else 0, widths.teacher)

    def forward(self, student: Feature, teacher: Feature, context: Context) -> Term:
        """Return the weighted sum of the parts; maps (N, C, H, W) of equal widths."""
        ours, theirs = student.values, teacher.values.detach()
        labels, _ = self.labels.read(context, ours, self.classes)
        labels = nearest_labels(labels, (ours.shape[2], ours.shape[3]))
        source = torch.Generator().manual_seed(derive_seed(self.seed, context.iteration))
        if self.training:
            self._remember(theirs, labels, source)
        losses = {}
        if self.weights['batch']:
            losses['batch'] = pixel_relations(ours, theirs, self.tau, self.pool)
        known = labels.flatten() < self.classes
        if self.labels.ignore is not None:
            known &= labels.flatten() != self.labels.ignore
        pixels = _rows(ours)[known], _rows(theirs)[known]
        for name in ('pixel', 'region'):
            if self.weights[name]:
                memory: ClassMemory = getattr(self, name)
                losses[name] = memory_relations(*pixels, memory.draw(self.keys[name], source), self.tau)
        loss = torch.stack([self.weights[name] * value for name, value in losses.items()]).sum()
        scalars = {name: value.detach() for name, value in losses.items()}
        return Term(loss, scalars, (channels_last(student), channels_last(teacher)))

    @torch.no_grad()
    def _remember(self, teacher: Tensor, labels: Tensor, source: torch.Generator) -> None:
        """Put the batch's teacher features into the memories, those of all processes in the same order."""
        with full_precision(teacher):
            features = torch.cat(all_gather(unit(widen(teacher), 1).contiguous()))
        maps = torch.cat(all_gather(labels.contiguous()))
        if self.labels.ignore is not None:
            maps = torch.where(maps == self.labels.ignore, self.classes, maps)
        for rows, label in zip(features.flatten(2).transpose(1, 2), maps.flatten(1), strict=True):
            if self.weights['region']:
                remember_regions(self.region, rows, label)
            if self.weights['pixel']:
                remember_pixels(self.pixel, rows, label, self.pixels_per_image, source)


def _rows(values: Tensor) -> Tensor:
    """Return the pixels of a map as rows (N*H*W, C)."""
    return values.flatten(2).transpose(1, 2).flatten(0, 1)
