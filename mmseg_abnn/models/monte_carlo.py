"""Predicting with a mean over members and noise draws: what segmentors and classifiers share."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, cast

from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from ..member_state import members_in
from .layers import Draw, DrawMemory, bayesian_layers, hold_draw, hold_dropout, noise_off
from .member_bank import MemberBank, applied, check_member
from .prediction_settings import PredictionSettings
from .running_prediction import MeanPrediction, RunningPrediction


class MonteCarlo:
    """Mixin for a network whose prediction is a mean over members and draws.

        P(y | x) = 1 / (M L) * sum_m sum_l P(y | x, w_m, eps_l)

    (Franchi et al., "Make Me a BNN", CVPR 2024, Algorithm 1: a mean of probabilities, never of
    logits.) It trains as its base class does. ``test_cfg`` takes the settings of
    :class:`PredictionSettings`.

    The network's Bayesian layers come from ``convert_to_abnn`` (``ABNNConversionHook`` in a
    config), or from its ``norm_cfg``; without them only ``draws='dropout'`` and ``draws='none'``
    predict. The members are part of the state dict, and come with it, or by :meth:`set_members`.
    Until then the only member is the network itself.
    """

    members: nn.ModuleList
    prediction: PredictionSettings
    """How it predicts; may be replaced by other settings."""

    def _set_up_sampling(self, test_cfg: Mapping[str, Any]) -> None:
        """Read and check the settings; to be called once the network is built.

        Raises:
            ValueError: If a setting is not allowed.
        """
        self.prediction = PredictionSettings.among(test_cfg)
        self.members = nn.ModuleList()
        self._memory = DrawMemory()

    def set_members(self, members: Sequence[Mapping[str, Tensor]]) -> None:
        """Set the members of the ensemble.

        Args:
            members: For each member the tensors in which it differs from the network, by name.

        Raises:
            ValueError: If a member does not fit the network.
        """
        network = cast(nn.Module, self)
        for i, tensors in enumerate(members):
            check_member(network, tensors, f'member {i}')
        device = next(network.parameters()).device
        self.members = nn.ModuleList(MemberBank(t).to(device) for t in members)

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        own = {
            key.removeprefix(prefix): tensor
            for key, tensor in state_dict.items()
            if key.startswith(prefix)
        }
        if members := members_in(own):
            if self.prediction.draws == 'noise':
                self._check_converted()
            self.set_members(members)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)  # type: ignore[misc]

    def draw_logits(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement] | None = None
    ) -> Iterator[tuple[float, Sequence[Tensor]]]:
        """Predict a batch by every function of the ensemble.

        Args:
            inputs: Images of shape (N, 3, H, W).
            data_samples: Their meta information and labels, or None.

        Yields:
            The weight of a function in the mean, and its logits of each image, without
            temperature: (C, H, W) of a segmentor, at the size of the original image; (C,) of a
            classifier.
        """
        samples = data_samples or [BaseDataElement() for _ in range(inputs.shape[0])]
        images = [sample.metainfo.get('img_path') for sample in samples]
        for weight, function in self._functions(images):
            with function:
                drawn = self._logits(inputs, data_samples)
            yield weight, drawn

    def mean_predictions(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement] | None = None
    ) -> list[MeanPrediction]:
        """Return the mean over the ensemble for each image.

        Raises:
            RuntimeError: If the network holds no Bayesian layer, or no dropout where that is what
                is drawn.
            ValueError: If a draw is wanted for each image and an image has no path.
        """
        running = [RunningPrediction() for _ in range(inputs.shape[0])]
        for weight, drawn in self.draw_logits(inputs, data_samples):
            for image, logits in zip(running, drawn, strict=True):
                image.add(logits / self.prediction.temperature, weight)
        return [image.mean() for image in running]

    def base_logits(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement] | None
    ) -> Sequence[Tensor | None]:
        """Return what each image's label is the argmax of, (C, ...), if not of the mean."""
        if self.prediction.labels_from == 'mean':
            return [None] * inputs.shape[0]
        with noise_off(cast(nn.Module, self)):
            return self._logits(inputs, data_samples)

    def _logits(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement] | None
    ) -> Sequence[Tensor]:
        """Return the logits of each image by the function that the network is at the moment."""
        raise NotImplementedError

    def _functions(
        self, images: Sequence[str | None]
    ) -> Iterator[tuple[float, AbstractContextManager[None]]]:
        """Name the functions of the ensemble.

        Args:
            images: The path of each image of the batch.

        Yields:
            The weight of a function in the mean, and the context in which the network is it.
        """
        banks: list[MemberBank | None] = [cast(MemberBank, bank) for bank in self.members]
        for member, bank in enumerate(banks or [None]):
            for index in range(self.prediction.draws_per_member):
                yield 1.0, self._drawn(bank, self._draw(member, index, images))
        if self.prediction.include_base:
            yield float(self.prediction.draws_per_member), noise_off(cast(nn.Module, self))

    @contextmanager
    def _drawn(self, bank: MemberBank | None, draw: Draw | Sequence[Draw]) -> Iterator[None]:
        network = cast(nn.Module, self)
        with ExitStack() as stack:
            if self.prediction.draws == 'noise':
                self._check_converted()
                stack.enter_context(hold_draw(network, draw, self._memory))
            else:
                stack.enter_context(noise_off(network))
            if self.prediction.draws == 'dropout':
                stack.enter_context(hold_dropout(network, draw))
            stack.enter_context(applied(network, bank))
            yield

    def _check_converted(self) -> None:
        if not bayesian_layers(cast(nn.Module, self)):
            raise RuntimeError(
                f'{type(self).__name__} draws noise, but holds no Bayesian normalization layer: '
                'whatever built it did not convert it. Call mmseg_abnn.apis.init_model or '
                'ABNNInferencer, which do, or tools/test.py of mmseg_abnn'
            )

    def _draw(self, member: int, index: int, images: Sequence[str | None]) -> Draw | Sequence[Draw]:
        draw = Draw(self.prediction.seed, member, index)
        if not self.prediction.draw_per_image or self.prediction.draws == 'none':
            return draw
        unnamed = sum(image is None for image in images)
        if unnamed:
            raise ValueError(
                '`test_cfg.draw_per_image` needs the `img_path` of every image in its meta '
                f'information, {unnamed} of {len(images)} have none'
            )
        return [Draw(self.prediction.seed, member, index, image) for image in images]
