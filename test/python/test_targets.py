"""The registry of targets: names, entry points of other packages, and what goes wrong with them."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from typing import Any

import pytest

import acc
from acc import targets
from acc.cli import main
from acc.compiler import resolve_targets
from acc.targets.base import Target
from acc.targets.cpu import Cpu
from acc.targets.vta import Vta, VtaOptions


class Elsewhere(Target):
    name = "elsewhere"
    title = "a target of another package"

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Elsewhere:
        return cls()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Entry points of a package: a good target, one that fails to import, one that is none, one with another name."""
    module = types.ModuleType("acc_elsewhere")
    module.Elsewhere = Elsewhere  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "acc_elsewhere", module)
    values = {
        "elsewhere": "acc_elsewhere:Elsewhere",
        "broken": "acc_broken:Broken",
        "none": "acc_elsewhere:sys",
        "alias": "acc_elsewhere:Elsewhere",
    }
    entries = [EntryPoint(name, value, targets.GROUP) for name, value in values.items()]
    monkeypatch.setattr(targets, "entry_points", lambda group: entries if group == targets.GROUP else [])
    targets._installed.cache_clear()
    yield
    targets._installed.cache_clear()


def test_own_targets_are_known() -> None:
    assert {"cpu", "vta"} <= set(targets.names())
    assert (targets.find("cpu"), targets.find("vta")) == (Cpu, Vta)


def test_targets_of_other_packages_are_found(installed: None) -> None:
    assert targets.find("elsewhere") is Elsewhere
    assert set(targets.names()) == {"alias", "broken", "c", "cpu", "elsewhere", "none", "vta"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "there is no target 'missing': installed are alias, broken, c, cpu, elsewhere, none, vta"),
        ("broken", r"target 'broken' \(acc_broken:Broken\) cannot be loaded: ModuleNotFoundError: .*acc_broken"),
        ("none", r"target 'none' \(acc_elsewhere:sys\) cannot be loaded: AttributeError"),
        ("alias", "calls itself 'elsewhere'"),
    ],
)
def test_targets_that_cannot_be_used(installed: None, name: str, message: str) -> None:
    with pytest.raises(acc.CompileError, match=message):
        targets.find(name)
    assert targets.find("cpu") is Cpu


def test_info_lists_the_installed_targets(installed: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["cpu"] == Cpu.title
    assert lines["elsewhere"] == Elsewhere.title
    assert "cannot be loaded" in lines["broken"]


def test_targets_are_chosen_by_name_or_as_objects() -> None:
    small = Vta(VtaOptions({"LOG_WGT_BUFF_SIZE": 17}))
    assert resolve_targets(small) == (small,)
    by_name = resolve_targets("vta", {"LOG_WGT_BUFF_SIZE": 17})[0]
    assert isinstance(by_name, Vta)
    assert by_name.config == small.config


@pytest.mark.parametrize(
    ("target", "config", "error", "message"),
    [
        ("cpu", {}, acc.CompileError, "not for 'cpu'"),
        ([], None, acc.CompileError, "no target is given"),
        (["vta", "vta"], None, acc.CompileError, "twice"),
        (3, None, acc.CompileError, "a target is a name or a Target, not int"),
        (Vta(), {}, acc.CompileError, "holds its own"),
        ("vta", {"LOG_BLOCKS": 3}, acc.ConfigError, "LOG_BLOCKS"),
        (Vta(VtaOptions({"LOG_BLOCKS": 3})), None, acc.ConfigError, "LOG_BLOCKS"),
    ],
)
def test_choices_that_are_refused(target: Any, config: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        resolve_targets(target, config)
