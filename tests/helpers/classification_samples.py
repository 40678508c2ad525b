"""Made-up predictions of images, and what the classification metric should say about them."""

import numpy as np
import torch
from mmengine.evaluator import Evaluator
from mmengine.registry import METRICS
from mmengine.structures import BaseDataElement
from sklearn.metrics import accuracy_score, log_loss

import mmseg_abnn  # noqa: F401  registers the metric, in processes that a test starts too
from helpers.evaluation_samples import naive_gaps, sklearn_numbers

CLASSES = ('cat', 'dog', 'frog', 'ship')
META = dict(classes=CLASSES)
# the numbers of the in-distribution images and of two OOD sets
SIZES = {'': 40, 'svhn': 25, 'noise': 15}


def make_image(seed, ood_set='', element=BaseDataElement):
    """A data sample as a classifier returns it, with a mutual information that has ties."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, len(CLASSES))
    logits = rng.normal(size=len(CLASSES)) * (1 if ood_set else 2)
    if not ood_set:
        logits[label] += 2
    p = torch.from_numpy(logits).float().softmax(0)
    sample = element(metainfo=dict(img_path=f'data/{ood_set or "test"}/{seed:03d}.png'))
    sample.set_metainfo(dict(sample_idx=seed, ood_set=ood_set))
    sample.set_data(dict(pred_score=p, log_score=p.log(), pred_label=p.argmax(0, keepdim=True)))
    if not ood_set:
        sample.set_data(dict(gt_label=torch.tensor([label])))
    information = torch.tensor(round(rng.random() * 8 + 3 * bool(ood_set)) / 10)
    sample.set_data(dict(uncertainty={'mutual_information': information}))
    return sample


def make_images(sizes=SIZES, element=BaseDataElement):
    """In-distribution images, followed by those of the OOD sets."""
    sets = [name for name, size in sizes.items() for _ in range(size)]
    return [make_image(seed, name, element) for seed, name in enumerate(sets)]


def make_evaluator(meta=META, **arguments):
    """An evaluator with one ClassificationUncertaintyMetric."""
    evaluator = Evaluator(METRICS.build(dict(type='ClassificationUncertaintyMetric', **arguments)))
    evaluator.dataset_meta = meta
    return evaluator


def evaluate(samples, batch_size=16, size=None, meta=META, **arguments):
    """Run the samples through MMEngine's evaluator, as a test loop does."""
    evaluator = make_evaluator(meta, **arguments)
    for start in range(0, len(samples), batch_size):
        evaluator.process(samples[start : start + batch_size])
    return evaluator.evaluate(len(samples) if size is None else size)


def naive_in_distribution(samples, bins=15):
    """The numbers of the in-distribution images, by scikit-learn and by loops."""
    inside = [sample for sample in samples if not sample.ood_set]
    p = np.stack([sample.pred_score.double().numpy() for sample in inside])
    labels = np.array([sample.gt_label.item() for sample in inside])
    right = p.argmax(1) == labels
    gaps = naive_gaps(p.max(1), right, bins)
    brier = [
        sum((row[k] - (k == label)) ** 2 for k in range(len(row)))
        for row, label in zip(p, labels, strict=True)
    ]
    return {
        'accuracy': 100 * accuracy_score(labels, p.argmax(1)),
        'ECE': 100 * sum(share * gap for share, gap in gaps),
        'MCE': 100 * max(gap for _, gap in gaps),
        'NLL': log_loss(labels, p / p.sum(1, keepdims=True), labels=range(len(CLASSES))),
        'Brier': np.mean(brier),
        'num_images': len(inside),
    }


def naive_detection(samples, ood_set, score, prefix=''):
    """The numbers of one OOD set and score, by scikit-learn."""
    counted = [sample for sample in samples if sample.ood_set in ('', ood_set)]
    values = [naive_score(sample, score) for sample in counted]
    positives = [sample.ood_set == ood_set for sample in counted]
    names = [f'{ood_set}/{prefix}{name}' for name in ('AUPR', 'AUROC', 'FPR95')]
    numbers = sklearn_numbers(np.array(positives), np.array(values))
    return {name: 100 * value for name, value in zip(names, numbers, strict=True)}


def naive_score(sample, score):
    """The uncertainty of one image."""
    p = sample.pred_score.tolist()
    if score == 'msp':
        return 1 - max(p)
    if score == 'entropy':
        return -sum(x * np.log(x) for x in p)
    return sample.uncertainty[score].item()
