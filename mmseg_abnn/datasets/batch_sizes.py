"""Whether the images of a batch are of one size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def check_equal_sizes(batch: Any) -> None:
    """Raise ValueError if the images of a batch differ in size.

    Those that are smaller would be padded to the size of the largest one, and what is predicted for
    them would depend on which images are in their batch.

    Args:
        batch: What a dataloader gives, with its images in ``inputs``; of test-time augmentation a
            list of views, each a list of images. Anything else is not judged.
    """
    inputs = batch.get('inputs') if isinstance(batch, Mapping) else None
    if not isinstance(inputs, Sequence) or not inputs:
        return
    for images in inputs if isinstance(inputs[0], Sequence) else [inputs]:
        sizes = sorted({tuple(image.shape[-2:]) for image in images if hasattr(image, 'shape')})
        if len(sizes) > 1:
            listed = ', '.join(f'{height}x{width}' for height, width in sizes[:5])
            raise ValueError(
                f'a batch holds images of different sizes ({listed}; height x width): they would '
                'be padded, and figures would depend on the batch size. Resize them to one size in '
                'the pipeline, or set `batch_size=1` of this dataloader'
            )
