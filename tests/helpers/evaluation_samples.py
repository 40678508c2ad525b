"""Made-up predictions with labels, and what the metric should say about them."""

import numpy as np
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.registry import METRICS
from mmseg.structures import SegDataSample
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

import mmseg_abnn  # noqa: F401  registers the metric, in processes that a test starts too

CLASSES = ('road', 'car', 'sky', 'tree')
META = dict(classes=CLASSES, ood_id=254)
OOD, IGNORED = 254, 255
SHAPE = (12, 17)


def make_sample(seed, split=None, ood=True, name=None, folder='images'):
    """A data sample as a segmentor returns it, with ignored and (if asked) OOD pixels.

    The scores of mutual information have ties.
    """
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, SHAPE)  # class 3 is predicted only
    logits = rng.normal(size=(4, *SHAPE))
    logits += 2 * np.eye(4)[label].transpose(2, 0, 1)
    if ood:
        label[rng.random(SHAPE) < 0.1] = OOD
    label[rng.random(SHAPE) < 0.1] = IGNORED
    meta = dict(img_path=f'data/{split}/{folder}/{name or f"{seed:06d}"}.png')
    if split is not None:
        meta['split'] = split
    sample = SegDataSample(metainfo=meta)
    logits = torch.from_numpy(logits).float()
    sample.gt_sem_seg = PixelData(data=torch.from_numpy(label)[None])
    sample.seg_logits = PixelData(data=logits)
    sample.pred_sem_seg = PixelData(data=logits.argmax(0, keepdim=True))
    information = torch.from_numpy(np.round(rng.random((1, *SHAPE)) * 20) / 20).float()
    sample.uncertainty = PixelData(mutual_information=information)
    return sample


def make_evaluator(meta=META, **arguments):
    """An evaluator with one UncertaintyMetric, with small histograms unless asked otherwise."""
    arguments.setdefault('histogram_bits', 18)
    evaluator = Evaluator(METRICS.build(dict(type='UncertaintyMetric', **arguments)))
    evaluator.dataset_meta = meta
    return evaluator


def evaluate(samples, batch_size=1, size=None, meta=META, **arguments):
    """Run the samples through MMEngine's evaluator, as a test loop does."""
    evaluator = make_evaluator(meta, **arguments)
    for start in range(0, len(samples), batch_size):
        evaluator.process(samples[start : start + batch_size])
    return evaluator.evaluate(len(samples) if size is None else size)


def table_rows(log, first):
    """The cells of the logged table rows that start with ``first``."""
    rows = [line for text in log for line in text.splitlines() if line.startswith('|')]
    cells = [[cell.strip() for cell in row.strip('|').split('|')] for row in rows]
    return [row for row in cells if row[0] == first]


def naive_segmentation(samples, scope='id', bins=15):
    """What is not OOD detection, in percent, by loops over classes, bins and images."""
    labels = np.stack([s.gt_sem_seg.data[0].numpy() for s in samples])
    predictions = np.stack([s.pred_sem_seg.data[0].numpy() for s in samples])
    is_id = labels < len(CLASSES)
    ious = []
    for k in range(len(CLASSES)):
        union = is_id & ((labels == k) | (predictions == k))
        if union.any():
            ious.append((is_id & (labels == k) & (predictions == k)).sum() / union.sum())

    confidence = np.stack(
        [s.seg_logits.data.softmax(0).max(0)[0].double().numpy() for s in samples]
    )
    right = labels == predictions
    result = {'mIoU': 100 * np.mean(ious), 'aAcc': 100 * right[is_id].mean()}
    other = 'all' if scope == 'id' else 'id'
    for name in (scope, other):
        counted = is_id if name == 'id' else labels != IGNORED
        suffix = '' if name == scope else f'_{name}'
        images = [
            naive_gaps(confidence[i][counted[i]], right[i][counted[i]], bins)
            for i in range(len(samples))
            if counted[i].any()
        ]
        pooled = naive_gaps(confidence[counted], right[counted], bins)
        result |= {
            f'ECE{suffix}': 100 * np.mean([sum(s * g for s, g in image) for image in images]),
            f'pooled/ECE{suffix}': 100 * sum(s * g for s, g in pooled),
        }
        if name == scope:
            result |= {
                'MCE': 100 * np.mean([max(g for _, g in image) for image in images]),
                'pooled/MCE': 100 * max(g for _, g in pooled),
            }
    log_p = torch.stack([s.seg_logits.data.double().log_softmax(0) for s in samples]).numpy()
    nll, brier = [], []
    for i in range(len(samples)):
        places = np.argwhere(is_id[i])
        nll.append([-log_p[i, labels[i, y, x], y, x] for y, x in places])
        right_class = np.eye(len(CLASSES))
        brier.append(
            [
                ((np.exp(log_p[i, :, y, x]) - right_class[labels[i, y, x]]) ** 2).sum()
                for y, x in places
            ]
        )
    for name, values in (('NLL', nll), ('Brier', brier)):
        result[name] = np.mean([np.mean(image) for image in values if image])
        result[f'pooled/{name}'] = np.mean(np.concatenate(values))
    order = np.argsort(-confidence[is_id], kind='stable')
    errors = np.cumsum(~right[is_id][order])
    result['pooled/AURC'] = 100 * np.mean(errors / np.arange(1, len(errors) + 1))
    return result


def naive_detection(samples, score, prefix=''):
    """Image means and pooled numbers of one score in percent, by scikit-learn."""
    images, all_positives, all_values = [], [], []
    for sample in samples:
        label = sample.gt_sem_seg.data[0].numpy()
        counted = label != IGNORED
        values = naive_score(sample, score)[counted]
        positives = label[counted] == OOD
        if 0 < positives.sum() < positives.size:
            images.append(sklearn_numbers(positives, values))
        all_positives.append(positives)
        all_values.append(values)
    mean = np.mean(images, axis=0)
    pooled = sklearn_numbers(np.concatenate(all_positives), np.concatenate(all_values))
    names = ('AUPR', 'AUROC', 'FPR95')
    result = {prefix + n: 100 * v for n, v in zip(names, mean, strict=True)}
    return result | {f'pooled/{prefix}{n}': 100 * v for n, v in zip(names, pooled, strict=True)}


def naive_score(sample, score):
    """An uncertainty map of shape (H, W)."""
    p = torch.softmax(sample.seg_logits.data, 0)
    if score == 'msp':
        return (1 - p.max(0)[0]).numpy()
    if score == 'entropy':
        return -torch.xlogy(p, p).sum(0).numpy()
    return sample.uncertainty.get(score)[0].numpy()


def naive_gaps(confidence, right, bins):
    """Share and |accuracy - confidence| of each bin that is not empty."""
    gaps = []
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            gaps.append((inside.mean(), abs(right[inside].mean() - confidence[inside].mean())))
    return gaps


def sklearn_numbers(positives, values):
    fpr, tpr, _ = roc_curve(positives, values, drop_intermediate=False)
    return (
        average_precision_score(positives, values),
        roc_auc_score(positives, values),
        fpr[np.argmax(tpr >= 0.95)],
    )
