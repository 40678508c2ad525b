"""Small trainings with MMEngine's Runner, on images that are made up; run as a script, too.

    python small_runs.py OUT '{"NAME": {"hook": {"alpha": 0.1}, ...}, ...}'

is one process of a distributed run that does several trainings in turn: each process writes what it
saw to OUT/NAME/<rank>.pth.
"""

import gc
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, init_default_scope
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch.nn.parallel import DistributedDataParallel

import mmseg_abnn  # noqa: F401  registers what the config names
from helpers.networks import NUM_CLASSES, build_segmentor, segmentor_config
from mmseg_abnn.checkpoint import use_safe_loading
from mmseg_abnn.compat import prepare_distributed
from mmseg_abnn.models.layers import bayesian_layers
from mmseg_abnn.models.wrappers import unwrapped


@DATASETS.register_module(force=True)
class MadeUpScenes(BaseDataset):
    """Eight random images of 32x32 pixels; some pixels are ignored, not equally many in each."""

    METAINFO = dict(classes=tuple('abcde'))  # noqa: RUF012

    def __init__(self, ignore=True, **kwargs):
        self.ignore = ignore
        super().__init__(**kwargs)

    def load_data_list(self):
        return [dict(index=index) for index in range(8)]

    def prepare_data(self, idx):
        generator = torch.Generator().manual_seed(int(self.get_data_info(idx)['index']))
        image = torch.randint(0, 256, (3, 32, 32), generator=generator, dtype=torch.uint8)
        label = torch.randint(0, NUM_CLASSES, (1, 32, 32), generator=generator)
        label[:, : (idx + 1) * self.ignore] = 255
        meta = dict(img_shape=(32, 32), ori_shape=(32, 32), img_path=f'{idx}.png')
        sample = SegDataSample(metainfo=meta, gt_sem_seg=PixelData(data=label))
        return dict(inputs=image, data_samples=sample)


class Observer(Hook):
    """Notes what happens in each iteration."""

    priority = 'LOWEST'

    def __init__(self):
        self.noise, self.logged, self.with_gradient = [], [], []

    def before_train(self, runner):
        model = unwrapped(runner.model)

        def note(optimizer, *_):
            # the gradients are there when the optimizer uses them, and gone afterwards
            named = model.named_parameters()
            self.with_gradient.append([n for n, p in named if p.grad is not None])

        runner.optim_wrapper.optimizer.register_step_pre_hook(note)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        state = torch.get_rng_state()
        self.noise.append(torch.randn(3))
        torch.set_rng_state(state)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.logged.append({key: float(value) for key, value in outputs.items()})


def base_checkpoint(path, **network):
    """Write the checkpoint of a network that passes for trained; see :func:`build_segmentor`."""
    init_default_scope('mmseg')
    torch.save({'state_dict': build_segmentor(**network).state_dict()}, path)
    return str(path)


def small_config(
    work_dir,
    load_from,
    batch_size=4,
    iterations=3,
    loss=None,
    hook=None,
    network=None,
    **changes,
):
    """Return the config of a short fine-tuning.

    ``network`` is what :func:`base_checkpoint` was given; ``changes`` are of the whole config.
    """
    loss = {'type': 'ABNNLoss', **(loss or {})}
    model = segmentor_config(**{**(network or {}), 'type': 'MCEncoderDecoder'})
    for head, factor in ((model.decode_head, 1.0), (model.auxiliary_head, 0.4)):
        if head is not None:
            head.loss_decode = dict(loss, loss_weight=factor)
            head.dropout_ratio = 0.0
    cfg = dict(
        default_scope='mmseg',
        model=model,
        work_dir=str(work_dir),
        load_from=load_from,
        custom_hooks=[dict(type='ABNNConversionHook', **(hook or {}))],
        train_dataloader=dict(
            batch_size=batch_size,
            num_workers=0,
            sampler=dict(type='InfiniteSampler', shuffle=False),
            dataset=dict(type='MadeUpScenes'),
        ),
        optim_wrapper=dict(
            type='OptimWrapper', optimizer=dict(type='SGD', lr=0.05, momentum=0.9, nesterov=True)
        ),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=iterations),
        randomness=dict(seed=3),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1, log_metric_by_epoch=False),
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1),
        ),
        log_processor=dict(by_epoch=False),
        env_cfg=dict(dist_cfg=dict(backend='gloo')),
        experiment_name=f'{work_dir}',
    )
    cfg = Config(cfg, format_python_code=False)  # it takes longer than the training
    cfg.merge_from_dict(changes)
    return cfg


def train(cfg):
    """Train; return the runner and what was observed."""
    init_default_scope('mmseg')
    use_safe_loading()  # as the tools do; MMEngine 0.10.7 cannot load its own checkpoints
    runner = Runner.from_cfg(cfg)
    observer = Observer()
    runner.register_hook(observer)
    runner.train()
    return runner, observer


def facts(cfg):
    """Train; return what became of it."""
    runner, observer = train(cfg)
    model = unwrapped(runner.model)
    return dict(
        state=model.state_dict(),
        trained=[n for n, p in model.named_parameters() if p.requires_grad],
        classes={type(layer).__name__ for layer in bayesian_layers(model).values()},
        eta=model.decode_head.loss_decode.offsets,
        noise=observer.noise,
        with_gradient=observer.with_gradient,
        loss=[logged['loss'] for logged in observer.logged],
    )


def allow_sync_bn():
    """Let DistributedDataParallel take SyncBN on a CPU, which cannot synchronize it.

    With fixed statistics there is nothing to synchronize.
    """
    name = '_passing_sync_batchnorm_handle'
    return mock.patch.object(DistributedDataParallel, name, return_value=None)


def main():
    out, trainings = Path(sys.argv[1]), json.loads(sys.argv[2])
    gc.freeze()  # each data set asks for a collection of garbage, which the imports are not
    for name, settings in trainings.items():
        sync_bn = settings.pop('sync_bn_on_cpu', False)
        cfg = small_config(out / name / 'run', **settings)
        cfg.launcher = 'pytorch'
        prepare_distributed(cfg, cfg.launcher)
        with allow_sync_bn() if sync_bn else nullcontext():
            torch.save(facts(cfg), out / name / f'{get_rank()}.pth')


if __name__ == '__main__':
    main()
