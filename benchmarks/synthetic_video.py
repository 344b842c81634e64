"""Videos of persons of the sample's generator who walk to and fro, with known joints and identities.

Each person walks on its own line (a sine of the time) at its own distance: persons meet, and the nearer one covers the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.sample.backgrounds import paint_backdrop
from posescope.sample.body import BodyShape, Skeleton3D, pose_skeleton, sample_body_shape
from posescope.sample.body_solids import body_solids
from posescope.sample.figure import PosedPerson, paint_figure
from posescope.sample.outfits import Outfit, sample_outfit
from posescope.sample.poses import Arm, Leg, Pose
from posescope.sample.solids import ImageProjection
from posescope.sample.surfaces import Wearer

LIGHT = ((0.3, -0.4, 0.866), 0.45)
PITCH = 6.0  # degrees by which the camera looks down


@dataclass(frozen=True)
class Walker:
    """A person who walks to and fro."""

    body: BodyShape
    outfit: Outfit
    middle_px: float
    reach_px: float
    period_s: float
    phase: float
    foot_y: float
    scale: float
    steps_per_s: float

    def _turn(self, time_s: float) -> float:
        return 2 * np.pi * time_s / self.period_s + self.phase

    def skeleton(self, time_s: float) -> Skeleton3D:
        """Return the posed body."""
        swing = np.sin(np.pi * self.steps_per_s * time_s + self.phase)
        left = Leg(24 * swing, 3, 5, 12 + 22 * max(0.0, -swing), 15 * max(0.0, -swing))
        right = Leg(-24 * swing, 3, 5, 12 + 22 * max(0.0, swing), 15 * max(0.0, swing))
        arms = [Arm(-sign * 24 * swing, 10, -10, 28 + 14 * sign * swing) for sign in (1, -1)]
        pose = Pose("walking", arms[0], arms[1], left, right, spine_flexion=4, spine_turn=-6 * swing)
        yaw = 65 * np.tanh(3 * np.cos(self._turn(time_s)))  # faces the way it goes
        return pose_skeleton(self.body, pose, float(yaw), PITCH)

    def place(self, skeleton: Skeleton3D, time_s: float) -> ImageProjection:
        """Return the projection that puts the soles on the walker's line."""
        sole = float((skeleton.root @ np.array([0.0, skeleton.ground, 0.0]))[1])
        x = self.middle_px + self.reach_px * np.sin(self._turn(time_s))
        return ImageProjection(float(x), self.foot_y + sole * self.scale, self.scale)

    def joints(self, time_s: float) -> NDArray[np.float64]:
        """Return the joints (17, 2), px."""
        skeleton = self.skeleton(time_s)
        return self.place(skeleton, time_s).project(skeleton.joints)[:, :2]


def make_walkers(seed: int, count: int, size: tuple[int, int]) -> list[Walker]:
    """Return persons, from far to near, in an image of this size (height, width)."""
    rng = np.random.default_rng(seed)
    height, width = size
    walkers = []
    for foot in np.sort(rng.uniform(0.8, 0.97, count)):
        body = sample_body_shape(int(rng.integers(1 << 31)))
        walkers.append(
            Walker(
                body=body,
                outfit=sample_outfit(int(rng.integers(1 << 31)), body, can_wear_skirt=True),
                middle_px=width * rng.uniform(0.35, 0.65),
                reach_px=width * rng.uniform(0.15, 0.3),
                period_s=rng.uniform(5, 10),
                phase=rng.uniform(0, 2 * np.pi),
                foot_y=height * foot,
                scale=height * foot * rng.uniform(0.65, 0.75),
                steps_per_s=rng.uniform(1.6, 2.2),
            )
        )
    return walkers


def boxes_of(joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return boxes (n, 4) x, y, w, h around persons with joints (n, 17, 2): the head and the feet go beyond the joints."""
    low, high = joints.min(axis=1), joints.max(axis=1)
    height = high[:, 1] - low[:, 1]
    low -= np.stack([0.06 * height, 0.09 * height], axis=1)
    high += np.stack([0.06 * height, 0.05 * height], axis=1)
    return np.concatenate([low, high - low], axis=1)


def visible_fractions(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n,) the fraction of each box that no nearer box covers (the last one is the nearest), on a grid of 20 x 20."""
    grid = (np.arange(20) + 0.5) / 20
    visible = np.ones(len(boxes))
    for index, (x, y, w, h) in enumerate(boxes):
        xs, ys = (part.ravel() for part in np.meshgrid(x + w * grid, y + h * grid))
        covered = np.zeros(len(xs), dtype=bool)
        for left, top, width, height in boxes[index + 1 :]:
            # A body fills about the middle half of its box.
            covered |= (abs(xs - left - width / 2) < width / 4) & (ys > top) & (ys < top + height)
        visible[index] = 1 - covered.mean()
    return visible


def render(walkers: list[Walker], size: tuple[int, int], times_s: list[float], seed: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames (H, W, 3) uint8 RGB at these times, with the noise of a camera."""
    backdrop, _ = paint_backdrop(seed, *size, 0.7 * size[0])
    rng = np.random.default_rng(seed)
    for time_s in times_s:
        image = backdrop.astype(np.float32)
        for walker in walkers:
            skeleton = walker.skeleton(time_s)
            wearer = Wearer(skeleton, walker.body, walker.outfit, (120, 90, 60), (60, 90, 120))
            solids = body_solids(skeleton, walker.body, walker.outfit)
            figure = PosedPerson(wearer, solids, "walking", "side", ())
            cutout = paint_figure(figure, walker.place(skeleton, time_s), size, LIGHT)
            if cutout is not None:
                h, w = cutout.alpha.shape
                window = slice(cutout.top, cutout.top + h), slice(cutout.left, cutout.left + w)
                image[window] = image[window] * (1 - cutout.alpha[..., None]) + cutout.colour
        yield np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
