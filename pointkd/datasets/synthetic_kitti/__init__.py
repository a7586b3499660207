"""Street scenes in KITTI format, made by ray casting: practice data that may be shipped and whose labels are exact.

`settings` (what is asked for) -> `layout` (puts `vehicles`, `people`, `surroundings` on a `street`: a `scene`) ->
`casting` (open3d) -> `sensor` (the LiDAR's points), `labels`, `render` (the image) -> `frame` (one frame's files) ->
`generate`.
"""

from pointkd.datasets.synthetic_kitti.generate import generate
from pointkd.datasets.synthetic_kitti.settings import SceneSettings

__all__ = ['SceneSettings', 'generate']
