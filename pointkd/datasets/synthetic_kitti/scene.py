"""A scene: a street, the objects on it, the scenery beside it; nothing stands in anything else."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pointkd.core.boxes import box_corners
from pointkd.datasets.synthetic_kitti.meshes import Mesh
from pointkd.datasets.synthetic_kitti.street import Street

BOX_MARGIN_M = 0.02  # a labelled box is this much larger than the mesh on every side, as hand-drawn ones are
SUNK_M = 0.05  # scenery goes this deep into the ground, so that no gap shows on a slope
SCENERY_GAP_M = 0.05
_EGO = np.array([[0.0, 0.0, 0.0, 5.2, 2.2, 0.0, 0.0]])  # the LiDAR's own car


@dataclass(frozen=True)
class SceneObject:
    """An object with a label.

    Attributes:
        name: class, as KITTI writes it.
        mesh: its surface, LiDAR frame.
        box: (7,) x, y, z of the bottom's centre, length, width, height, yaw.
    """

    name: str
    mesh: Mesh
    box: np.ndarray


@dataclass
class Scene:
    """Everything that a frame shows.

    Attributes:
        street: the ground.
        objects: what is labelled.
        scenery: what is not, ground included.
        taken: (K, 7) boxes of the places in use.
    """

    street: Street
    objects: list[SceneObject] = field(default_factory=list)
    scenery: list[Mesh] = field(default_factory=list)
    taken: np.ndarray = field(default_factory=lambda: _EGO)

    def add_object(self, name: str, mesh: Mesh, along: float, across: float, turn: float, gap: float) -> None:
        """Stand a labelled object on the street, unless something else is nearer to its place than the gap.

        Args:
            name: class.
            mesh: its surface, the middle of the base at the origin, nose towards x.
            along: place along the street in metres.
            across: place across it.
            turn: its direction relative to the street's, radians.
            gap: metres kept free around it.
        """
        position, yaw = self._stand(along, across, turn)
        size = mesh.size() + 2 * BOX_MARGIN_M
        box = np.array([position[0], position[1], position[2] - BOX_MARGIN_M, *size, yaw])
        if self._claim(box, gap):
            self.objects.append(SceneObject(name, mesh.moved(position, yaw), box))

    def add_scenery(self, mesh: Mesh, along: float, across: float, turn: float = 0.0) -> None:
        """Stand something without a label on the ground, unless its place is taken (see `add_object`)."""
        position, yaw = self._stand(along, across, turn)
        if self._claim(np.array([*position, *mesh.size(), yaw]), SCENERY_GAP_M):
            self.scenery.append(mesh.moved(position - [0.0, 0.0, SUNK_M], yaw))

    def _stand(self, along: float, across: float, turn: float) -> tuple[np.ndarray, float]:
        """Return the point (3,) on the ground at a place, and a direction there."""
        x, y, direction = self.street.place(along, across)
        return np.array([x, y, self.street.height(x, y, across)]), float(direction) + turn

    def _claim(self, box: np.ndarray, gap: float) -> bool:
        """Take a place on the ground, unless something else is nearer to it than the gap."""
        wide = box.copy()
        wide[3:5] += 2 * gap
        if rectangles_meet(wide, self.taken).any():
            return False
        self.taken = np.concatenate([self.taken, box[None]])
        return True


def rectangles_meet(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which boxes overlap one box as seen from above.

    Args:
        box: (7,) x, y, z, length, width, height, yaw.
        others: (K, 7).

    Returns:
        (K,) bool. By the separating axis theorem: rectangles are apart where a side of one of them tells them apart.
    """
    mine = box_corners(box[None])[0, :4, :2]  # (4, 2)
    theirs = box_corners(others)[:, :4, :2]  # (K, 4, 2)
    yaws = np.stack([np.full(len(others), box[6]), others[:, 6]], axis=1)  # (K, 2)
    yaws = np.concatenate([yaws, yaws + np.pi / 2], axis=1)
    axes = np.stack([np.cos(yaws), np.sin(yaws)], axis=-1)  # (K, 4, 2)
    shadow, other_shadow = axes @ mine.T, axes @ theirs.transpose(0, 2, 1)  # (K, 4 axes, 4 corners)
    apart = (shadow.min(-1) > other_shadow.max(-1)) | (other_shadow.min(-1) > shadow.max(-1))
    return ~apart.any(axis=1)
