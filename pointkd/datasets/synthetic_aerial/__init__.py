"""Aerial images in VisDrone's format, drawn from a fitted file of statistics: practice data that may be shipped.

`settings` (what is asked for) -> `statistics` and `copula` (how many objects of which class, how large) -> `camera`
-> `plan` (roads and areas) -> `scene` (puts `vehicles`, `cycles`, `people` and `scenery`, made of `shapes`, where
`placing` finds room by the `ways` of each class) -> `render` (`ground`, `light`, `canvas`: the image and what each
object covers) -> `labels` -> `frame` (one image's files) -> `generate` (all of them, and `coco`). `measure` describes
a set of annotations, real or generated.
"""

from pointkd.datasets.synthetic_aerial.generate import generate
from pointkd.datasets.synthetic_aerial.settings import AerialSettings

__all__ = ['AerialSettings', 'generate']
