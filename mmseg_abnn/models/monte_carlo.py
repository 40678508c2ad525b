"""Predicting with a mean over members and noise draws: what segmentors and classifiers share."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from ..member_state import members_in
from .ensemble_functions import ensemble_functions, noise_of
from .layers import DrawMemory, bayesian_layers, noise_off
from .member_bank import MemberBank, applied, bank_for, check_member
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
        self.members = nn.ModuleList(bank_for(network, tensors) for tensors in members)

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
        network = cast(nn.Module, self)
        banks = [cast(MemberBank, bank) for bank in self.members]
        if self.prediction.draws == 'noise':
            self._check_converted()
        for function in ensemble_functions(self.prediction, banks, images):
            noise = noise_of(network, self.prediction, function, self._memory)
            with noise, applied(network, function.bank):
                drawn = self._logits(inputs, data_samples)
            yield function.weight, drawn

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

    def _check_converted(self) -> None:
        if not bayesian_layers(cast(nn.Module, self)):
            raise RuntimeError(
                f'{type(self).__name__} draws noise, but holds no Bayesian normalization layer: '
                'whatever built it did not convert it. Call mmseg_abnn.apis.init_model or '
                'ABNNInferencer, which do, or tools/test.py of mmseg_abnn'
            )
