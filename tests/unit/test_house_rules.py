"""The rules of the house that no linter knows, checked on the source itself.

Each rule is a function from a module's syntax tree to its offences, and is first shown to catch one.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOUSE = ("bot", "handlers", "storage")
MOST_LINES = 400

Rule = Callable[[ast.Module], Iterator[str]]


def modules(*folders: str) -> list[str]:
    """The modules below `folders`, relative to the root; written migrations are history, not house."""
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path.relative_to(ROOT).as_posix() for path in found if "migrations" not in path.parts]


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


_NOW = {"now", "utcnow", "today", "time", "time_ns", "current_timestamp"}


def reads_the_clock(tree: ast.Module) -> Iterator[str]:
    """Time comes from `bot/clock.py`, or as an argument."""
    for call in _calls(tree):
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in _NOW:
            continue  # taking a name apart is slow
        name = ast.unparse(call.func)
        last_two = ".".join(name.split(".")[-2:])
        if last_two in {
            *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
            *("time.time", "time.time_ns", "func.now", "func.current_timestamp"),
        }:
            yield f"line {call.lineno}: {name}()"


def imports_in_functions(tree: ast.Module) -> Iterator[str]:
    """What a module needs stands at its top."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield f"line {node.lineno}: {ast.unparse(node)}"


def has_no_docstring(tree: ast.Module) -> Iterator[str]:
    """A module says what is in it and what is not."""
    if tree.body and not ast.get_docstring(tree):
        yield "no docstring"


def compares_secrets_with_equals(tree: ast.Module) -> Iterator[str]:
    """Digests, signatures and tokens are compared in constant time."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(
            isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in node.ops
        ):
            for side in (node.left, *node.comparators):
                if not isinstance(side, ast.Name | ast.Attribute | ast.Call):
                    continue
                name = ast.unparse(side).lower()
                if any(word in name for word in ("digest", "hmac", "signature", "token", "secret")):
                    yield f"line {node.lineno}: {ast.unparse(node)}"
                    break


def builds_sql_from_strings(tree: ast.Module) -> Iterator[str]:
    """Values reach SQL as bound parameters."""
    for call in _calls(tree):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if name in {"text", "exec_driver_sql"} and call.args:
            argument = call.args[0]
            built = isinstance(argument, ast.JoinedStr | ast.BinOp) or (
                isinstance(argument, ast.Call) and ast.unparse(argument.func).endswith(".format")
            )
            if built:
                yield f"line {call.lineno}: {ast.unparse(call)}"


def names_a_button_itself(tree: ast.Module) -> Iterator[str]:
    """Action ids are constants of `bot.rendering`: a listener and its button cannot drift apart."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if (
                    isinstance(key, ast.Constant)
                    and key.value in {"action_id", "callback_id"}
                    and isinstance(value, ast.Constant | ast.JoinedStr)
                ):
                    yield f"line {node.lineno}: {ast.unparse(value)}"
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"action", "block_action", "view", "view_submission"}
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield f"line {node.lineno}: {ast.unparse(node)}"


def imports_beyond_the_standard_library(tree: ast.Module) -> Iterator[str]:
    """The domain is pure Python: it can be read, tested and moved on its own."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and not name.startswith("bot.domain"):
                yield f"imports {name}"


OFFENCES: list[tuple[Rule, str]] = [
    (reads_the_clock, "import datetime as dt\nx = dt.datetime.now(dt.UTC)"),
    (reads_the_clock, "from datetime import date\nx = date.today()"),
    (reads_the_clock, "import time\nx = time.time()"),
    (reads_the_clock, "q = select(func.now())"),
    (imports_in_functions, "def f():\n    import os"),
    (imports_in_functions, "async def f():\n    from os import path"),
    (has_no_docstring, "x = 1"),
    (compares_secrets_with_equals, "ok = expected_digest == given"),
    (compares_secrets_with_equals, "ok = given != h.hexdigest()"),
    (compares_secrets_with_equals, "ok = token in tokens"),
    (builds_sql_from_strings, 'c.execute(text(f"SELECT {x}"))'),
    (builds_sql_from_strings, 'c.execute(sa.text("SELECT " + x))'),
    (builds_sql_from_strings, 'c.exec_driver_sql("SELECT {}".format(x))'),
    (names_a_button_itself, 'b = {"type": "button", "action_id": "accept"}'),
    (names_a_button_itself, '@app.action("accept")\ndef f(): ...'),
    (imports_beyond_the_standard_library, "import sqlalchemy"),
    (imports_beyond_the_standard_library, "from bot.clock import Clock"),
]


@pytest.mark.parametrize(("rule", "source"), OFFENCES)
def test_each_rule_catches_its_offence(rule: Rule, source: str) -> None:
    assert list(rule(ast.parse(source)))


@cache
def parsed(module: str) -> ast.Module:
    """The rules are many, the modules hundreds: each is read once."""
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


def offenders(rule: Rule, among: list[str]) -> dict[str, list[str]]:
    """Module -> offences, for those that have any."""
    assert among, "a rule over no modules proves nothing"
    found = {module: list(rule(parsed(module))) for module in among}
    return {module: offences for module, offences in found.items() if offences}


def test_only_the_clock_reads_the_time() -> None:
    among = [module for module in modules(*HOUSE) if module != "bot/clock.py"]

    assert offenders(reads_the_clock, among) == {}
    assert offenders(reads_the_clock, ["bot/clock.py"])


@pytest.mark.parametrize("rule", [imports_in_functions, has_no_docstring], ids=lambda r: r.__name__)
def test_modules_introduce_themselves_and_import_at_the_top(rule: Rule) -> None:
    assert offenders(rule, modules(*HOUSE, "sandbox", "tests")) == {}


def test_no_module_is_too_long_to_read() -> None:
    lengths = {
        module: len((ROOT / module).read_text(encoding="utf-8").splitlines())
        for module in modules(*HOUSE, "sandbox", "tests")
    }

    assert {module: n for module, n in lengths.items() if n > MOST_LINES} == {}


def test_secrets_are_compared_in_constant_time() -> None:
    assert offenders(compares_secrets_with_equals, modules("handlers")) == {}


def test_sql_is_never_built_from_values() -> None:
    assert offenders(builds_sql_from_strings, modules(*HOUSE)) == {}


def test_only_rendering_names_buttons() -> None:
    among = [module for module in modules(*HOUSE) if not module.startswith("bot/rendering/")]

    assert offenders(names_a_button_itself, among) == {}


def test_the_domain_needs_nothing_but_python() -> None:
    assert offenders(imports_beyond_the_standard_library, modules("bot/domain")) == {}


def test_the_bot_package_itself_is_empty() -> None:
    assert (ROOT / "bot" / "__init__.py").read_text() == ""


def imported(tree: ast.Module) -> Iterator[str]:
    """What a module needs, by the first part of its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def test_what_we_import_is_declared_and_what_is_declared_is_few() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    declared = {re.split(r"[\[<>=~! ;]", each)[0].lower().replace("_", "-") for each in listed}
    assert len(declared) <= 22
    # Each comes with one that is declared, and is part of its interface.
    declared |= {"slack-sdk", "markupsafe"}
    packages = packages_distributions()
    undeclared = {
        name
        for path in modules(*HOUSE, "sandbox")
        for name in imported(parsed(path))
        if name not in sys.stdlib_module_names and name not in (*HOUSE, "sandbox")
        and not declared & {dist.lower().replace("_", "-") for dist in packages.get(name, [])}
    }  # fmt: skip
    assert undeclared == set()
