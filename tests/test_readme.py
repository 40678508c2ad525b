"""README.md and docs/inference.md, as a reader follows them: one block of code after the other."""

import re
import sys

import cv2
import numpy as np
import torch
from mmengine.config import Config

from helpers.abnn_files import PIPELINE, picture, save_abnn, section_config
from helpers.networks import TINY, build_segmentor
from helpers.pages import code_blocks, write_files
from helpers.preparation_samples import muad, write_tree
from helpers.tool_runner import ROOT, run, run_tool, succeeded
from mmseg_abnn.apis import expand_abnn_section
from mmseg_abnn.command import main
from mmseg_abnn.evaluation.metrics.segmentation import uncertainty_metric
from mmseg_abnn.evaluation.score_maps import read_score_map

README = (ROOT / 'README.md').read_text(encoding='utf-8')
FRAMES = 2


def blocks_of(text, folder):
    """Return the fenced blocks of a text, which may stand in a list."""
    page = folder / 'page.md'
    page.write_text(re.sub(r'^ {3}', '', text, flags=re.MULTILINE), encoding='utf-8')
    return code_blocks(page)


def indented_lines(text):
    """Return the lines of the blocks that are set off by four spaces, without their remarks."""
    found = re.findall(r'(?<=\n\n)((?: {4}\S.*\n)+)', text)
    return [line.split(' #')[0].strip() for block in found for line in block.splitlines()]


def write_inputs(folder):
    """Write the image, the folder and the video that the pages speak of."""
    cv2.imwrite(str(folder / 'street.png'), picture(0))
    (folder / 'images').mkdir()
    cv2.imwrite(str(folder / 'images/a.jpg'), picture(1))
    video = cv2.VideoWriter(
        str(folder / 'drive.mp4'), cv2.VideoWriter.fourcc(*'mp4v'), 10, (64, 48)
    )
    for index in range(FRAMES):
        video.write(picture(index))
    video.release()


def write_segmentor(folder):
    """Write a trained network and its config, with test labels whose OOD pixels are 254."""
    network = build_segmentor(**TINY)
    torch.save(dict(state_dict=network.state_dict()), folder / 'my_segmentor.pth')
    rng = np.random.default_rng(0)
    for name, ids in (('train', range(5)), ('test', (0, 1, 2, 3, 4, 254))):
        for part in ('images', 'labels'):
            (folder / 'data' / part / name).mkdir(parents=True)
        for index in range(2):
            cv2.imwrite(str(folder / f'data/images/{name}/{index}.jpg'), picture(index))
            label = rng.choice(ids, (48, 64)).astype(np.uint8)
            cv2.imwrite(str(folder / f'data/labels/{name}/{index}.png'), label)

    def loader(name, sampler):
        dataset = dict(
            type='BaseSegDataset',
            data_root='data',
            data_prefix=dict(img_path=f'images/{name}', seg_map_path=f'labels/{name}'),
            metainfo=dict(classes=list('abcde'), palette=[[40 * i, 0, 0] for i in range(5)]),
            pipeline=[PIPELINE[0], dict(type='LoadAnnotations'), PIPELINE[-1]],
        )
        return dict(
            batch_size=1,
            num_workers=0,
            sampler=dict(type=sampler, shuffle=False),
            dataset=dataset,
        )

    evaluator = dict(type='UncertaintyMetric', ood_ids=[254], histogram_bits=10)
    cfg = section_config().to_dict()
    for name in ('abnn', 'load_from', 'work_dir'):
        cfg.pop(name)
    cfg.update(
        train_dataloader=loader('train', 'InfiniteSampler'),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        val_dataloader=loader('test', 'DefaultSampler'),
        val_cfg=dict(type='ValLoop'),
        val_evaluator=evaluator,
        test_dataloader=loader('test', 'DefaultSampler'),
        test_cfg=dict(type='TestLoop'),
        test_evaluator=evaluator,
    )
    Config(cfg, format_python_code=False).dump(folder / 'my_segmentor.py')


def run_commands(text, monkeypatch, **options):
    """Run the lines ``mmseg-abnn ...`` of a block, with other settings for a subcommand."""
    lines = text.splitlines()
    assert lines
    for line in lines:
        program, subcommand, *arguments = line.split()
        assert program == 'mmseg-abnn'
        main([subcommand, *arguments, *options.get(subcommand.replace('-', '_'), ())])


def test_quick_start(tmp_path, monkeypatch, capsys):
    text = README[README.index('## Quick start') : README.index('## The benchmarks')]
    blocks = blocks_of(text, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(uncertainty_metric, 'write_plots', lambda *arguments: None)
    write_inputs(tmp_path)
    write_segmentor(tmp_path)
    assert write_files(blocks, tmp_path) == ['my_abnn.py', 'my_measured_abnn.py']
    names = {'model': build_segmentor(**TINY), 'images': torch.rand(2, 3, 32, 32)}
    kinds = []
    for language, code in blocks:
        if language == 'bash':
            run_commands(
                code,
                monkeypatch,
                train=['--cfg-options', 'abnn.max_iters=1', 'abnn.num_members=2'],
                suggest_alpha=['--images', '1', '--alphas', '0.1'],
            )
            kinds.append('bash')
        elif not code.startswith('# my_'):
            exec(compile(code, 'README.md', 'exec'), names)
            kinds.append('python')
    assert kinds == ['bash', 'bash', 'python', 'bash', 'python']
    assert {path.name for path in tmp_path.glob('pictures/*/*/*')} == {'0.png', '1.png'}
    written = {path.relative_to(tmp_path / 'out').as_posix() for path in tmp_path.glob('out/*/*')}
    assert written >= {
        'pred/street_pred.png', 'pred/street_entropy.png', 'vis/street.png', 'vis/drive.mp4',
    }  # fmt: skip
    entropy = read_score_map(tmp_path / 'out/pred/street_entropy.png')
    np.testing.assert_allclose(
        names['prediction'].uncertainty['entropy'], entropy, atol=np.log(5) / 65535
    )
    assert names['mean'].probabilities.shape == (2, 5, 8, 8)  # as the network returns its logits
    # and the config that measures: OOD pixels by their id
    test = ['test', 'my_measured_abnn.py', 'work_dirs/my_abnn/abnn.pth']
    main([*test, '--cfg-options', 'test_evaluator.histogram_bits=10'])
    assert 'AUPR' in capsys.readouterr().out


def test_the_page_of_inference(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_inputs(tmp_path)
    cfg = section_config()
    cfg.dump(tmp_path / 'my_abnn.py')
    expand_abnn_section(cfg)
    save_abnn(tmp_path, cfg)
    text = (ROOT / 'docs/inference.md').read_text(encoding='utf-8')
    names = {}
    blocks = blocks_of(text, tmp_path)
    assert [language for language, _ in blocks] == ['python', 'python', 'bash', 'python']
    for language, code in blocks:
        if language == 'bash':
            run_commands(code, monkeypatch)
        else:
            exec(compile(code, 'inference.md', 'exec'), names)
    assert names['frame'].name == f'drive/{FRAMES - 1:06d}'
    assert names['result'].uncertainty.entropy.shape == (1, 48, 64)
    assert (tmp_path / 'out/pred/drive/000000_entropy.npy').is_file()
    assert (tmp_path / 'out/pred/images/a_mutual_information.png').is_file() or (
        tmp_path / 'out/pred/a_mutual_information.png'
    ).is_file()


def test_the_commands_that_prepare_a_benchmark(tmp_path):
    """What trains there for hours is run small elsewhere: its files and names are looked at."""
    lines = indented_lines(README[README.index('## The benchmarks') :])
    converter, browse, *trained = [line.split() for line in lines[:5]]
    write_tree(tmp_path / 'DOWNLOADS', muad())
    script = [sys.executable, ROOT / converter[1], *converter[2:], '--partial']
    succeeded(run(script, cwd=tmp_path))
    assert browse[:2] == ['python', 'tools/analysis_tools/browse_dataset.py']
    arguments = [ROOT / browse[2], *browse[3:]]
    shown = succeeded(run_tool('analysis_tools/browse_dataset.py', *arguments, cwd=tmp_path))
    assert 'train: counting 1 labels' in shown.stdout
    for words in [*trained, *(line.split() for line in lines[5:] if line.startswith('python'))]:
        tool, *arguments = [word for word in words if word != 'python']
        assert (ROOT / tool).is_file()
        for argument in arguments:
            if argument.startswith('configs/'):
                assert (ROOT / argument).is_file()
            if argument.startswith('work_dirs/'):
                assert argument.split('/')[1] in {path.stem for path in ROOT.glob('configs/abnn/*')}


def test_what_make_and_pip_are_called_with():
    """CI runs the targets themselves but the demo, which takes too long, and installs the rest."""
    makefile = (ROOT / 'Makefile').read_text(encoding='utf-8')
    setup = (ROOT / 'setup.py').read_text(encoding='utf-8')
    lines = indented_lines(README)
    targets = [line.split()[1] for line in lines if line.startswith('make ')]
    assert targets == ['demo', 'test', 'demo-classification']
    assert all(f'\n{target}: ' in makefile for target in targets)
    extras = re.findall(r'\[(\w+(?:,\w+)*)\]', ' '.join(x for x in lines if x.startswith('pip ')))
    assert extras
    for extra in {name for found in extras for name in found.split(',')}:
        assert f"'{extra}'" in setup
