"""The code of docs/export.md, as a user runs it: one block after the other."""

import re

import pytest

from helpers.tool_runner import ROOT

pytestmark = pytest.mark.filterwarnings('ignore')


def test_the_blocks_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / 'docs/export.md').read_text(encoding='utf-8')
    blocks = re.findall(r'^```python\n(.*?)^```$', text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    names = {}
    for block in blocks:
        exec(compile(block, 'docs/export.md', 'exec'), names)
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {'abnn.onnx', 'one.onnx', 'one_functions.npz'}
