"""Render a scene: the image, and the mask and joints of each person."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from posescope.sample.backgrounds import paint_backdrop
from posescope.sample.canvas import sample_seed, textured
from posescope.sample.figure import PersonCutout, paint_figure
from posescope.sample.obstacles import paint_distractors, paint_obstacle
from posescope.sample.scene_layout import ImagePlan, PlacedPerson, Role, SceneLayout, lay_out_scene
from posescope.sample.solids import Bools, Bytes, Doubles, Floats, Indices

__all__ = ["Scene", "ScenePerson", "compose_scene"]

# Owner of a pixel: no person, or an obstacle in front of all persons.
_BACKGROUND, _OBSTACLE = -1, 10_000


@dataclass(frozen=True)
class ScenePerson:
    """A person in a scene.

    Attributes:
        mask: (h, w) bool: visible pixels of the body.
        joints: (K, 2) x, y, image px; may be outside the image.
        occluded: (K,) bool: joints with something in front of them, possibly the person's own arm.
        role: Whether the person gets keypoints, none, or belongs to the crowd.
        pose, view, things: Names of posture and view, of belongings, and of the obstacle in front.
    """

    mask: Bools
    joints: Doubles
    occluded: Bools
    role: Role
    pose: str
    view: str
    things: tuple[str, ...]


@dataclass(frozen=True)
class Scene:
    """A rendered image, (h, w, 3) uint8 RGB or (h, w) uint8, and its persons."""

    image: Bytes
    persons: Sequence[ScenePerson]
    backdrop: str


def compose_scene(seeds: Sequence[int], plan: ImagePlan, short_side: int, long_side: int) -> Scene:
    """Render an image.

    Args:
        seeds: Five seeds: layout, background, distractors, obstacle, camera.
        plan: Content of the image.
        short_side, long_side: Bounds of its size, px.
    """
    layout = lay_out_scene(seeds[0], plan, short_side, long_side)
    backdrop, kind = paint_backdrop(seeds[1], layout.height, layout.width, layout.horizon)
    image = paint_distractors(backdrop, seeds[2], layout.horizon).astype(np.float32)
    owner = np.full((layout.height, layout.width), _BACKGROUND, np.int16)
    body = owner.copy()
    painted: list[tuple[int, PersonCutout]] = []
    for index, placed in enumerate(layout.placed):
        figure = paint_figure(placed.figure, placed.frame, (layout.height, layout.width), layout.light)
        if figure is None:
            continue
        _draw_shadow(image, placed, layout)
        _draw_person(image, owner, body, figure, index)
        painted.append((index, figure))
    obstacle = ""
    if layout.obstacle_before is not None:
        before = layout.obstacle_before
        covered, obstacle = _draw_obstacle(image, dict(painted)[before], layout.placed[before].foot_y, seeds[3])
        owner[covered] = body[covered] = _OBSTACLE
    persons = [_describe(layout.placed[i], figure, owner, body, i) for i, figure in painted]
    if _OBSTACLE in owner:
        persons = [replace(p, things=(*p.things, obstacle)) if p.role == "person" else p for p in persons]
    return Scene(_develop(image, seeds[4], plan), persons, kind)


def _draw_shadow(image: Floats, placed: PlacedPerson, layout: SceneLayout) -> None:
    """Add a soft shadow on the floor, away from the light."""
    scale, (height, width) = placed.frame.scale, image.shape[:2]
    x = round(placed.frame.origin_x - layout.light[0][0] * 0.18 * scale)
    y = round(placed.foot_y - 0.01 * scale)
    half_width, half_height, soft = round(0.2 * scale), max(2, round(0.045 * scale)), max(3, int(0.06 * scale) | 1)
    patch = np.zeros((2 * (half_height + soft) + 1, 2 * (half_width + soft) + 1), np.float32)
    centre = (half_width + soft, half_height + soft)
    cv2.ellipse(patch, centre, (half_width, half_height), 0, 0, 360, 0.42, -1, cv2.LINE_AA)
    patch = np.asarray(cv2.blur(patch, (soft, soft)))
    left, top = x - centre[0], y - centre[1]
    y0, y1 = max(0, top), min(height, top + patch.shape[0])
    x0, x1 = max(0, left), min(width, left + patch.shape[1])
    if y0 < y1 and x0 < x1:
        image[y0:y1, x0:x1] *= 1 - patch[y0 - top : y1 - top, x0 - left : x1 - left, None]


def _draw_person(image: Floats, owner: Indices, body: Indices, figure: PersonCutout, index: int) -> None:
    """Draw a person in front, also on the maps of the visible persons (with belongings) and of the visible bodies."""
    height, width = figure.alpha.shape
    window = slice(figure.top, figure.top + height), slice(figure.left, figure.left + width)
    image[window] = image[window] * (1 - figure.alpha[..., None]) + figure.colour
    covers = figure.alpha > 0.5
    owner[window][covers] = index
    body[window][covers] = _BACKGROUND
    body[window][figure.body_alpha > 0.5] = index


def _draw_obstacle(image: Floats, figure: PersonCutout, foot_y: float, seed: int) -> tuple[Bools, str]:
    """Draw an obstacle in front of a person, on the same floor; return its mask and name."""
    height, width = image.shape[:2]
    (left, top), (right, bottom) = figure.joints.min(axis=0), figure.joints.max(axis=0)
    around = (max(0.0, left), max(0.0, top), min(width - 1.0, right), min(height - 1.0, max(bottom, foot_y)))
    obstacle, covered, name = paint_obstacle(seed, height, width, around)
    image[covered] = obstacle[covered]
    return covered, name


def _describe(placed: PlacedPerson, figure: PersonCutout, owner: Indices, body: Indices, index: int) -> ScenePerson:
    height, width = owner.shape
    columns = np.clip(np.round(figure.joints[:, 0]).astype(int), 0, width - 1)
    rows = np.clip(np.round(figure.joints[:, 1]).astype(int), 0, height - 1)
    return ScenePerson(
        mask=np.asarray(body == index),
        joints=figure.joints,
        occluded=figure.occluded | (owner[rows, columns] > index),
        role=placed.role,
        pose=placed.figure.pose,
        view=placed.figure.view,
        things=placed.figure.carried,
    )


def _develop(image: Floats, seed: int, plan: ImagePlan) -> Bytes:
    """Simulate the camera: exposure, tint, vignette, grain."""
    rng = np.random.default_rng(seed)
    height, width = image.shape[:2]
    gain = rng.uniform(0.82, 1.12) * (1 + rng.normal(0, 0.03, 3))
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    vignette = 1 - np.float32(rng.uniform(0, 0.14)) * (x * x + y * y)
    exposed = textured(image * (gain.astype(np.float32) * vignette[..., None]), sample_seed(rng), 2, rng.uniform(0.5, 5))
    if plan.colour_mode == "colour":
        return exposed
    grey: Bytes = np.asarray(cv2.cvtColor(exposed, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    return grey if plan.colour_mode == "grey_single" else np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
