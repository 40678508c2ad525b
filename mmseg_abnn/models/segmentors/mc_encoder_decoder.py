"""A segmentor that averages the predictions of members and noise draws."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ...members import MemberBank, applied, check_member
from ..layers import Draw, hold_draw


class RunningPrediction:
    """Sums over draws for one image: all that the predictive distribution and its scores need."""

    def __init__(self) -> None:
        self.count = 0
        self.probabilities: Tensor | float = 0.0
        self.entropy: Tensor | float = 0.0

    def add(self, logits: Tensor) -> None:
        """Add one draw, given its logits of shape (C, H, W)."""
        log_p = logits.float().log_softmax(dim=0)
        p = log_p.exp()
        self.count += 1
        self.probabilities = self.probabilities + p
        # p log p -> 0 where p underflows and log p is -inf
        self.entropy = self.entropy - torch.special.xlogy(p, p).sum(dim=0)

    def log_mean(self) -> Tensor:
        """Return log(mean p) of shape (C, H, W); finite where p underflowed."""
        mean = torch.as_tensor(self.probabilities) / self.count
        return mean.clamp(min=torch.finfo(mean.dtype).tiny).log()

    def expected_entropy(self) -> Tensor:
        """Return the mean over draws of H[p_k], in nats, of shape (H, W)."""
        return torch.as_tensor(self.entropy) / self.count


@MODELS.register_module()
class MCEncoderDecoder(EncoderDecoder):
    """:class:`EncoderDecoder` whose prediction is a mean over members and noise draws.

        P(y | x) = 1 / (M L) * sum_m sum_l P(y | x, w_m, eps_l)

    (Franchi et al., "Make Me a BNN", CVPR 2024, Algorithm 1: a mean of probabilities, never of
    logits.) It trains as its base class does. ``test_cfg`` takes two more keys: ``num_samples``
    (L, draws per member, default 3) and ``seed`` (default 0), which with the member and the layer
    determines all noise. Each draw is one coherent function for all windows and images.

    The network's Bayesian layers come from ``convert_to_abnn`` (``ABNNConversionHook`` in a
    config); without them prediction raises. Until :meth:`set_members` is called the only member
    is the network itself.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.out_channels < 2:
            raise ValueError(
                'MCEncoderDecoder needs at least 2 output channels (softmax), got '
                f'`out_channels`={self.out_channels}'
            )
        test_cfg = ConfigDict({'mode': 'whole', **(self.test_cfg or {})})
        self.test_cfg: ConfigDict = test_cfg
        self.num_samples = self.test_cfg.get('num_samples', 3)
        self.noise_seed = self.test_cfg.get('seed', 0)
        for key, value, low in (('num_samples', self.num_samples, 1), ('seed', self.noise_seed, 0)):
            if not isinstance(value, int) or isinstance(value, bool) or value < low:
                raise ValueError(f'`test_cfg.{key}` must be an int >= {low}, got {value!r}')
        self.members = nn.ModuleList()

    def set_members(self, members: Sequence[Mapping[str, Tensor]]) -> None:
        """Set the members of the ensemble.

        Args:
            members: For each member the tensors in which it differs from the network, by name.

        Raises:
            ValueError: If a member does not fit the network.
        """
        for i, tensors in enumerate(members):
            check_member(self, tensors, f'member {i}')
        device = next(self.parameters()).device
        self.members = nn.ModuleList(MemberBank(t).to(device) for t in members)

    def _banks(self) -> list[MemberBank | None]:
        return [cast(MemberBank, bank) for bank in self.members] or [None]

    @contextmanager
    def _drawn(self, member: int, bank: MemberBank | None, index: int) -> Iterator[None]:
        with hold_draw(self, Draw(self.noise_seed, member, index)):
            if bank is None:
                yield
            else:
                with applied(self, bank):
                    yield

    def predict(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Predict a batch.

        Args:
            inputs: Images of shape (N, 3, H, W).
            data_samples: Their meta information and labels, or None.

        Returns:
            Data samples with ``seg_logits`` = log(mean p) of shape (C, H, W), ``pred_sem_seg`` =
            its argmax, and ``uncertainty`` with the maps ``expected_entropy`` (mean over draws of
            H[p_k]) and ``mutual_information`` (H[p] minus that), in nats.

        Raises:
            RuntimeError: If the network holds no Bayesian layer.
        """
        running = [RunningPrediction() for _ in range(inputs.shape[0])]
        for member, bank in enumerate(self._banks()):
            for index in range(self.num_samples):
                with self._drawn(member, bank, index):
                    # to the original image first, then softmax: a mean of full-size probabilities
                    drawn = super().predict(inputs, self._without_results(data_samples))
                for image, sample in zip(running, drawn, strict=True):
                    image.add(sample.seg_logits.data)
        if data_samples is None:
            data_samples = [SegDataSample() for _ in running]
        for image, sample in zip(running, data_samples, strict=True):
            self._store(image, sample)
        return data_samples

    @staticmethod
    def _without_results(samples: list[SegDataSample] | None) -> list[SegDataSample] | None:
        return samples and [SegDataSample(metainfo=sample.metainfo) for sample in samples]

    @staticmethod
    def _store(image: RunningPrediction, sample: SegDataSample) -> None:
        seg_logits = image.log_mean()
        p = seg_logits.exp()
        entropy = -torch.special.xlogy(p, p).sum(dim=0, keepdim=True)
        expected = image.expected_entropy()[None]
        sample.set_data(
            {
                'seg_logits': PixelData(data=seg_logits),
                'pred_sem_seg': PixelData(data=seg_logits.argmax(dim=0, keepdim=True)),
                'uncertainty': PixelData(
                    expected_entropy=expected,
                    mutual_information=(entropy - expected).clamp(min=0),
                ),
            }
        )
