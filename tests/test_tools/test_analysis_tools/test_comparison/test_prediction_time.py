"""Prediction times, with Runners that take a time that is given."""

from types import SimpleNamespace

import pytest
from mmengine.config import Config

from comparison import measure_prediction_times, prediction_time

ROUNDS = 6  # with the one that warms up


class FakeRunner:
    """Notes what is called; a prediction takes the next of ``seconds``."""

    def __init__(self, cfg, clock, calls):
        self.cfg, self.clock, self.calls = cfg, clock, calls
        self.seconds = iter(cfg.seconds)
        loader = SimpleNamespace(dataset=cfg.images, collate_fn=self.collate)
        self.test_loop = SimpleNamespace(dataloader=loader, fp16=False)
        self.model = SimpleNamespace(eval=lambda: self.note('eval'), test_step=self.test_step)

    def collate(self, images):
        (image,) = images
        return {'data_samples': [SimpleNamespace(metainfo={'img_path': image})]}

    def note(self, call):
        self.calls.append((self.cfg.name, call))

    def call_hook(self, name):
        self.note(name)

    def load_or_resume(self):
        self.note('load')

    def test_step(self, batch):
        image = batch['data_samples'][0]
        assert not hasattr(image, 'predicted')  # each prediction starts from a fresh sample
        image.predicted = True
        self.note(image.metainfo['img_path'])
        self.clock.now += next(self.seconds)


@pytest.fixture
def calls(monkeypatch):
    clock, calls = SimpleNamespace(now=0.0), []
    monkeypatch.setattr(prediction_time.time, 'perf_counter', lambda: clock.now)
    monkeypatch.setattr(prediction_time, 'build_runner', lambda cfg: FakeRunner(cfg, clock, calls))
    return calls


def config(name, seconds, images=('x', 'y', 'z')):
    return Config(dict(name=name, seconds=seconds, images=list(images)))


def test_medians_of_interleaved_rounds(calls, tmp_path):
    slow, fast = [50.0, 60.0], [10.0, 20.0]  # warming up
    slow += [3.0, 4.0, 5.0, 9.0, 9.0, 3.0, 4.0, 5.0, 3.0, 3.0]
    fast += [1.0] * 6 + [8.0] * 4
    configs = {'slow': config('slow', slow), 'fast': config('fast', fast)}
    found = measure_prediction_times(configs, 2, tmp_path)
    assert found.seconds == {'slow': 4.0, 'fast': 1.0}
    assert found.images == 2
    ready = ['before_run', 'load', 'before_test', 'before_test_epoch', 'eval']
    one_round = [(name, image) for image in 'xy' for name in configs]
    assert calls == [(name, call) for name in configs for call in ready] + ROUNDS * one_round
    assert configs['slow'].to_dict().keys() == {'name', 'seconds', 'images'}  # is not changed


def test_fewer_images_than_wanted(calls, tmp_path):
    found = measure_prediction_times({'a': config('a', [1.0] * 18)}, 5, tmp_path)
    assert found.images == 3


def test_other_images(calls, tmp_path):
    configs = {'a': config('a', []), 'b': config('b', [], images=('x', 'z'))}
    with pytest.raises(ValueError, match=r"'a' and 'b' begin with different images: \['x', 'y'\]"):
        measure_prediction_times(configs, 2, tmp_path)
