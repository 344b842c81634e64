"""What can be measured of a person's crop as a picture: a component that turns out to be brightness is no pose.

brightness    mean of all pixels and colours, 0 black, 1 white
contrast      standard deviation of the grey values, 0..0.5
detail        mean step of grey between neighbours in a row, 0..1
"""

import numpy as np
import pandas as pd
from tqdm import tqdm

from posescope.crops.crop_set import CropSet
from posescope.explain.attributes import PICTURE_ATTRIBUTES
from posescope.explain.taps import batches_of_rows

__all__ = ["measure_pictures"]


def measure_pictures(crops: CropSet, batch_size: int) -> pd.DataFrame:
    """A float64 column an attribute of the pictures, a row a person; reads each crop once, batch by batch."""
    parts = []
    for batch in tqdm(batches_of_rows(np.arange(len(crops)), batch_size), desc="pictures", leave=False):
        images = crops.read_images(batch).astype(np.float32) / 255
        grey = images.mean(axis=3)
        detail = np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2))
        parts.append(np.stack([grey.mean(axis=(1, 2)), grey.std(axis=(1, 2)), detail], axis=1))
    names = [attribute.name for attribute in PICTURE_ATTRIBUTES]
    return pd.DataFrame(np.concatenate([np.empty((0, len(names))), *parts]).astype(np.float64), columns=names)
