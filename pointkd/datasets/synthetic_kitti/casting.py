"""Which surface does a ray meet? A scene's meshes in open3d's ray caster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointkd.datasets.synthetic_kitti.meshes import join
from pointkd.datasets.synthetic_kitti.scene import Scene
from pointkd.io.open3d import import_open3d

NOTHING = -1


@dataclass(frozen=True)
class Hits:
    """What R rays meet first.

    Attributes:
        distance: (R,) metres along the ray, inf where it meets nothing.
        material: (R,) numbers of `materials.PALETTE` (0 where nothing).
        item: (R,) number of the scene's object, -1 for scenery and nothing.
        normal: (R, 3) unit normal of the surface, on the side of the ray's origin.
        incidence: (R,) cosine between the ray and the normal, 0..1.
    """

    distance: np.ndarray
    material: np.ndarray
    item: np.ndarray
    normal: np.ndarray
    incidence: np.ndarray


class Caster:
    """A scene, ready for rays. One thread, so that equal scenes give equal answers."""

    def __init__(self, scene: Scene) -> None:
        open3d = import_open3d()
        meshes = [item.mesh for item in scene.objects] + scene.scenery
        items = list(range(len(scene.objects))) + [NOTHING] * len(scene.scenery)
        whole = join(meshes)
        self.materials = whole.materials
        self.items = np.repeat(items, [len(mesh.triangles) for mesh in meshes])
        self._tensor = open3d.core.Tensor.from_numpy
        self._scene = open3d.t.geometry.RaycastingScene(nthreads=1)
        self._scene.add_triangles(
            self._tensor(whole.vertices.astype(np.float32)), self._tensor(whole.triangles.astype(np.uint32))
        )

    def cast(self, origin: np.ndarray, directions: np.ndarray) -> Hits:
        """Return what rays from one origin (3,) meet first; directions (R, 3) are unit vectors."""
        answer = self._scene.cast_rays(self._rays(origin, directions), nthreads=1)
        distance = answer['t_hit'].numpy().astype(np.float64)
        met = np.isfinite(distance)
        triangle = np.where(met, answer['primitive_ids'].numpy(), 0)
        normal = answer['primitive_normals'].numpy().astype(np.float64)
        facing = -np.einsum('rc,rc->r', normal, directions)
        return Hits(
            distance=distance,
            material=np.where(met, self.materials[triangle], 0),
            item=np.where(met, self.items[triangle], NOTHING),
            normal=normal * np.where(facing < 0, -1.0, 1.0)[:, None],
            incidence=np.abs(facing),
        )

    def seen_share(self, origin: np.ndarray, directions: np.ndarray, targets: np.ndarray, count: int) -> np.ndarray:
        """Return how much of each object is in sight.

        Args:
            origin: (3,) of the eye.
            directions: (R, 3) unit vectors, each aimed at one object.
            targets: (R,) the number of that object.
            count: number of objects.

        Returns:
            (count,) rays that meet the object first, as a share of the rays that would if nothing else were there;
            0 where no ray meets it.
        """
        answer = self._scene.list_intersections(self._rays(origin, directions), nthreads=1)
        ray, distance = answer['ray_ids'].numpy().astype(np.int64), answer['t_hit'].numpy()
        item = self.items[answer['primitive_ids'].numpy()]
        first = np.full(len(directions), np.inf)
        first_own = np.full(len(directions), np.inf)
        np.minimum.at(first, ray, distance)
        own = item == targets[ray]
        np.minimum.at(first_own, ray[own], distance[own])
        alone = np.isfinite(first_own)
        seen = alone & (first_own <= first + 1e-4)
        total = np.bincount(targets[alone], minlength=count)
        return np.bincount(targets[seen], minlength=count) / np.maximum(total, 1)

    def _rays(self, origin: np.ndarray, directions: np.ndarray) -> object:
        """Return rays as open3d wants them: (R, 6) float32 origin and direction."""
        rays = np.empty((len(directions), 6), dtype=np.float32)
        rays[:, :3], rays[:, 3:] = origin, directions
        return self._tensor(rays)
