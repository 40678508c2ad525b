"""Every model family of MMSegmentation can be converted."""

from dataclasses import replace

import pytest
import torch

from helpers.tool_loader import load_tool
from helpers.tool_runner import ROOT

tool = load_tool('analysis_tools/convert_families.py')
PAGE = (ROOT / 'docs/families.md').read_text(encoding='utf-8')


@pytest.fixture(autouse=True)
def _one_thread():
    """Compute as the tool does: on small images threads wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_every_installed_family_is_covered():
    assert set(tool.FAMILIES) == tool.installed_families()
    assert set(tool.NEEDS) <= set(tool.FAMILIES)


@pytest.mark.parametrize('name', tool.FAMILIES)
def test_family_is_converted(name):
    result = tool.check_family(name)  # raises if the converted network breaks a promise
    if result.not_built:
        assert tool.import_error(tool.NEEDS[name]) == result.not_built
        pytest.skip(f'{tool.NEEDS[name]} cannot be imported: {result.not_built}')
    assert sum(result.layers.values()) > result.idle
    assert result.row() in PAGE, 'docs/families.md is stale: run the tool with --out'


@pytest.mark.parametrize(
    ('used_alpha', 'broken'),
    [(lambda alpha: alpha + 1e-3, 'alpha = 0'), (lambda alpha: 0.0, 'noise moves')],
)
def test_check_finds_a_broken_promise(monkeypatch, used_alpha, broken):
    convert = tool.convert_to_abnn
    monkeypatch.setattr(
        tool, 'convert_to_abnn', lambda model, alpha: convert(model, alpha=used_alpha(alpha))
    )
    with pytest.raises(RuntimeError, match=broken):
        tool.check_family('cgnet')


def test_failed_building_is_excused_by_a_missing_package_only(monkeypatch):
    cannot_be_built = replace(tool.FAMILIES['cgnet'], overrides={'backbone.type': 'NoSuchType'})
    monkeypatch.setitem(tool.FAMILIES, 'cgnet', cannot_be_built)
    with pytest.raises(KeyError, match='NoSuchType'):
        tool.check_family('cgnet')
    monkeypatch.setitem(tool.NEEDS, 'cgnet', 'math')
    with pytest.raises(KeyError, match='NoSuchType'):
        tool.check_family('cgnet')
    monkeypatch.setitem(tool.NEEDS, 'cgnet', 'no_such_package')
    assert tool.check_family('cgnet').not_built == "No module named 'no_such_package'"
