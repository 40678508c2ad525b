"""Comparing an exported graph with what it was made from."""

import torch

from ..models.layers import evaluating
from .export import Exported


def onnx_differences(exported: Exported, seed: int = 0) -> dict[str, float]:
    """Run an exported ONNX file in onnxruntime on the CPU, on inputs of its own.

    Args:
        exported: As it was returned, of an ``.onnx`` file.
        seed: Seed of the input that takes the place of the example.

    Returns:
        The largest absolute difference to PyTorch of each output, by name; of ``labels`` the
        share of entries that differ.

    Raises:
        ImportError: If onnxruntime is not installed.
    """
    import onnxruntime

    inputs = dict(exported.inputs)
    example = inputs['image']
    noise = torch.rand(example.shape, generator=torch.Generator().manual_seed(seed))
    inputs['image'] = noise.to(example) * example.abs().max()
    with evaluating(exported.graph), torch.no_grad():
        expected = exported.graph(**inputs)
    session = onnxruntime.InferenceSession(exported.files[0], providers=['CPUExecutionProvider'])
    found = session.run(None, {name: tensor.cpu().numpy() for name, tensor in inputs.items()})
    differences = {}
    for output, values in zip(session.get_outputs(), found, strict=True):
        gap = torch.from_numpy(values) - expected[output.name].cpu()
        if output.name == 'labels':
            differences[output.name] = float((gap != 0).float().mean())
        else:
            differences[output.name] = float(gap.abs().max())
    return differences
