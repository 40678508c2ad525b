"""The functions of an ensemble: every member in each of its draws."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from torch import nn

from .layers import Draw, DrawMemory, hold_draw, hold_dropout, noise_off
from .member_bank import MemberBank
from .prediction_settings import PredictionSettings


@dataclass(frozen=True)
class EnsembleFunction:
    """One function of an ensemble.

    Attributes:
        weight: Its weight in the mean.
        bank: The member that it is a draw of, None for the network itself.
        draw: Its noise: one draw for all samples, or one for each; None for no noise.
    """

    weight: float
    bank: MemberBank | None
    draw: Draw | Sequence[Draw] | None


def ensemble_functions(
    settings: PredictionSettings,
    banks: Sequence[MemberBank],
    images: Sequence[str | None] = (),
) -> Iterator[EnsembleFunction]:
    """Yield the functions of the ensemble, a member after the other.

    Args:
        settings: How it predicts.
        banks: The members; without any, the network itself is the only one.
        images: The path of each image of the batch, for ``settings.draw_per_image``.

    Raises:
        ValueError: If a draw is wanted for each image and an image has no path.
    """
    for member, bank in enumerate(banks or [None]):
        for index in range(settings.draws_per_member):
            draw = Draw(settings.seed, member, index)
            yield EnsembleFunction(1.0, bank, _for_images(settings, draw, images))
    if settings.include_base:
        yield EnsembleFunction(float(settings.draws_per_member), None, None)


def _for_images(
    settings: PredictionSettings, draw: Draw, images: Sequence[str | None]
) -> Draw | Sequence[Draw] | None:
    if settings.draws == 'none':
        return None
    if not settings.draw_per_image:
        return draw
    unnamed = sum(image is None for image in images)
    if unnamed:
        raise ValueError(
            '`draw_per_image` needs the `img_path` of every image in its meta '
            f'information, {unnamed} of {len(images)} have none'
        )
    return [Draw(draw.seed, draw.member, draw.index, image) for image in images]


@contextmanager
def noise_of(
    network: nn.Module,
    settings: PredictionSettings,
    function: EnsembleFunction,
    memory: DrawMemory | None = None,
) -> Iterator[None]:
    """Hold the noise of a function in the network, whose weights stay what they are.

    Args:
        network: The network of the ensemble.
        settings: How it predicts.
        function: One of :func:`ensemble_functions`.
        memory: Where noise is looked up and kept.

    Raises:
        RuntimeError: If the network holds no Bayesian layer, or no dropout where that is what is
            drawn.
    """
    with ExitStack() as stack:
        if function.draw is not None and settings.draws == 'noise':
            stack.enter_context(hold_draw(network, function.draw, memory))
        else:
            stack.enter_context(noise_off(network))
        if function.draw is not None and settings.draws == 'dropout':
            stack.enter_context(hold_dropout(network, function.draw))
        yield
