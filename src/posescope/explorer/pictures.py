"""Pictures of persons for a page: crops with skeletons and heatmaps, encoded as JPEG or PNG bytes and as `data:` URIs.

Heatmaps are drawn at the size of the crop and enlarged with it. Skeletons are drawn afterwards, so that their lines stay crisp.
"""

import base64
from collections.abc import Sequence

import cv2
import numpy as np
import simplejpeg
from numpy.typing import ArrayLike, NDArray

from posescope.core.skeleton import Skeleton
from posescope.drawing.heatmap_overlays import dim_image, overlay_heatmaps
from posescope.drawing.image_grids import resize_to_height
from posescope.drawing.rgb_images import DrawingError, check_rgb
from posescope.drawing.skeletons import DRAW_THRESHOLD, draw_skeleton
from posescope.drawing.strokes import draw_stroke
from posescope.geometry.affine import apply_affine

__all__ = [
    "PANEL_PX",
    "brighten",
    "brighten_jpeg",
    "choose_heatmaps",
    "data_uri",
    "draw_heatmap_panel",
    "draw_reference",
    "draw_skeleton_panel",
    "encode_jpeg",
    "encode_png",
]

PANEL_PX = 384  # height of a picture of one person
_QUALITY = 88
_REFERENCE_RGB = (250, 250, 250)
_REFERENCE_OUTLINE_RGB = (60, 60, 60)
_OPACITY = 0.75
_BRIGHT, _MAX_FACTOR = 235.0, 12.0
_MIME_TYPES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PN": "image/png"}


def draw_skeleton_panel(
    crop: NDArray[np.uint8],
    joints: NDArray[np.floating],
    skeleton: Skeleton,
    *,
    scores: ArrayLike | None = None,
    min_score: float = DRAW_THRESHOLD,
    reference: NDArray[np.floating] | None = None,
    height_px: int = PANEL_PX,
) -> NDArray[np.uint8]:
    """Draw a skeleton on an enlarged crop, and another one below it as thin grey lines.

    Args:
        crop: (H, W, 3) uint8 RGB; not changed.
        joints: (K, 2) crop px; NaN: not drawn.
        skeleton: K joints and their limbs.
        scores: (K,) joint scores; None: all joints are drawn.
        min_score: joints with a lower score are not drawn.
        reference: (K, 2) crop px of the skeleton to compare with; None: there is none.
        height_px: height of the picture.

    Returns:
        (height_px, W', 3) uint8 RGB.

    Raises:
        DrawingError: if the crop is not RGB, or the joints do not match the skeleton.
    """
    panel, panel_from_crop = resize_to_height(crop, height_px)
    if reference is not None:
        panel = draw_reference(panel, apply_affine(panel_from_crop, reference), skeleton)
    placed = apply_affine(panel_from_crop, joints)
    return draw_skeleton(panel, placed, skeleton, thickness_px=3, scores=scores, min_score=min_score)


def brighten(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Multiply an image so that its bright pixels (98th percentile) reach 235, at most by 12. Bright images are unchanged.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.

    Example:
        >>> brighten(np.full((1, 1, 3), 30, dtype=np.uint8)).tolist()
        [[[235, 235, 235]]]
    """
    bright = float(np.percentile(image.max(axis=2), 98)) if image.size else 255.0
    factor = min(max(_BRIGHT / max(bright, 1.0), 1.0), _MAX_FACTOR)
    brightened: NDArray[np.uint8] = np.clip(np.rint(image * factor), 0, 255).astype(np.uint8)
    return brightened


def brighten_jpeg(encoded: bytes) -> bytes:
    """Return a JPEG file with `brighten` applied; a file of a bright image is returned as it is."""
    image = simplejpeg.decode_jpeg(encoded, "RGB")
    brightened = brighten(image)
    return encoded if np.array_equal(image, brightened) else encode_jpeg(brightened)


def draw_heatmap_panel(
    crop: NDArray[np.uint8], heatmaps: NDArray[np.floating], *, full_scale: float | None = None, height_px: int = PANEL_PX
) -> NDArray[np.uint8]:
    """Draw the maximum over heatmaps on a dimmed and enlarged crop.

    Args:
        crop: (H, W, 3) uint8 RGB; not changed.
        heatmaps: (K, h, w) that cover the crop (`choose_heatmaps`).
        full_scale: peak that is drawn with full opacity; lower peaks are paler. None: the peak of these heatmaps.
        height_px: height of the picture.

    Returns:
        (height_px, W', 3) uint8 RGB.

    Raises:
        DrawingError: if the crop is not RGB, or the heatmaps are not (K, h, w) finite numbers.
    """
    share = 1.0
    if full_scale is not None and heatmaps.size:
        share = float(np.clip(np.max(heatmaps) / max(full_scale, np.finfo(np.float32).tiny), 0.0, 1.0))
    overlaid = overlay_heatmaps(dim_image(crop), heatmaps, opacity=_OPACITY * share)
    return resize_to_height(overlaid, height_px)[0]


def choose_heatmaps(heatmaps: NDArray[np.floating], joint: int | None) -> NDArray[np.floating]:
    """Return the heatmap of one joint, (1, h, w), or all K heatmaps, whose maximum is drawn.

    Args:
        heatmaps: (K, h, w).
        joint: row of the joint; None: all joints.

    Raises:
        DrawingError: if there is no such joint.
    """
    if joint is None:
        return heatmaps
    if not 0 <= joint < len(heatmaps):
        raise DrawingError(f"joint: expected a number from 0 to {len(heatmaps) - 1}, found {joint}.")
    return heatmaps[joint : joint + 1]


def encode_jpeg(image: NDArray[np.uint8], quality: int = _QUALITY) -> bytes:
    """Encode an image as JPEG without reduced colour resolution, so that thin coloured lines stay sharp.

    Args:
        image: (H, W, 3) uint8 RGB.
        quality: 1..100.

    Raises:
        DrawingError: if the array is no RGB image.
    """
    check_rgb(image)
    encoded: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(image), quality=quality, colorspace="RGB", colorsubsampling="444"
    )
    return encoded


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Encode an image as PNG, without loss.

    Args:
        image: (H, W, 3) uint8 RGB.

    Raises:
        DrawingError: if the array is no RGB image.
    """
    check_rgb(image)
    succeeded, encoded = cv2.imencode(".png", cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR))
    if not succeeded:
        raise DrawingError(f"An image of shape {image.shape} could not be encoded as PNG by OpenCV.")
    return encoded.tobytes()


def data_uri(encoded: bytes) -> str:
    """Return a `data:` URI of JPEG or PNG bytes, for the source of an image on a page.

    Raises:
        DrawingError: if the bytes begin like neither.

    Example:
        >>> data_uri(encode_png(np.zeros((1, 1, 3), dtype=np.uint8)))[:22]
        'data:image/png;base64,'
    """
    mime_type = _MIME_TYPES.get(bytes(encoded[:3]))
    if mime_type is None:
        raise DrawingError(f"Image bytes: expected JPEG or PNG, found bytes that begin with {bytes(encoded[:3])!r}.")
    return f"data:{mime_type};base64,{base64.b64encode(encoded).decode('ascii')}"


def draw_reference(panel: NDArray[np.uint8], joints: NDArray[np.float64], skeleton: Skeleton) -> NDArray[np.uint8]:
    """Draw thin light limbs with a dark outline, which are visible on any photograph, on a copy of a picture.

    Args:
        panel: (H, W, 3) uint8 RGB; not changed.
        joints: (K, 2) px of the picture; NaN: not drawn.
        skeleton: K joints and their limbs.
    """
    canvas = np.ascontiguousarray(panel.copy())
    for radius, colour in ((1.8, _REFERENCE_OUTLINE_RGB), (1.0, _REFERENCE_RGB)):
        for start, end in _known_limbs(joints, skeleton.limbs):
            draw_stroke(canvas, joints[start], joints[end], radius, colour)
    return canvas


def _known_limbs(joints: NDArray[np.float64], limbs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    known = np.isfinite(joints[:, 0]) & np.isfinite(joints[:, 1])
    return [(start, end) for start, end in limbs if known[start] and known[end]]
