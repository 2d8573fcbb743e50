"""Conditions in CEL: compiled once, checked before they are used, evaluated on one prepared context per lead.

A condition sees the lead's facts and its score by flat names. Every name has a typed default, so a fact that is
absent is `""` or `0`, never a surprise; what senders add stands under `extra` and is asked for with `has(extra.x)`.
Refused at load time: unknown names, unknown functions, loops (`all`, `exists`, `map`, `filter`: they have no cost
limit), results that are not yes or no. What is not here: where conditions stand in the file (`compiling`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import cel

from bot.domain.agreement import Condition, RuleFault, RuleInput
from bot.domain.lead import LeadFacts
from bot.playbook.faults import did_you_mean, shown

#: The names that conditions may use: `occurred_at` is left out, times have no place in these rules.
_TEXTS = (
    "source", "external_id", "email", "first_name", "last_name", "title", "company", "phone", "country",
    "language", "industry", "message", "campaign", "account_owner", "url", "email_domain",
)  # fmt: skip
_NUMBERS = ("employees", "source_score", "visits")
NAMES: frozenset[str] = frozenset({*_TEXTS, *_NUMBERS, "score", "score_reasons", "extra"})

_FUNCTIONS = frozenset(
    {"size", "contains", "startsWith", "endsWith", "matches", "int", "double", "string"}
)
_OPERATORS = frozenset(
    {
        "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_&&_", "_||_", "!_", "-_", "_+_", "_-_", "_*_", "_/_",
        "_%_", "_?_:_", "@in", "_[_]",
    }
)  # fmt: skip
_LOOP = re.compile(r"\.\s*(all|exists|exists_one|existsOne|map|filter)\s*\(")
_QUOTED = re.compile(
    r'[rR]"[^"]*"|'
    r"[rR]'[^']*'|"
    r'"""(?:\\.|[^\\])*?"""|'
    r"'''(?:\\.|[^\\])*?'''|"
    r'"(?:\\.|[^"\\])*"|'
    r"'(?:\\.|[^'\\])*'|//[^\n]*",
    re.DOTALL,
)
_STRING = r"""(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
#: What an error of the engine quotes.
_IN_QUOTES = re.compile(r"'([^']*)'")
#: `row["x"]`, `row.x`, or `row` in any other use, outside of quoted text.
_ROW = re.compile(
    _QUOTED.pattern
    + r"|(?<![\w.])(?P<row>row)\b(?:\s*\[\s*(?P<quoted>"
    + _STRING
    + r")\s*\]|\s*\.\s*(?P<bare>[A-Za-z_]\w*)\b(?!\s*\())?",
    re.DOTALL,
)
_MAX_LENGTH = 2000
_MAX_INT = 2**63 - 1
_MAX_EXTRA_DEPTH = 6


class ConditionFault(Exception):
    """A condition that cannot be used; the text says why, in words for the playbook's author."""


def compile_condition(source: str, *, without: frozenset[str] = frozenset()) -> Condition:
    """The condition `source` as a callable.

    `without`: names that have no value yet where the condition stands. Raises ConditionFault.
    The callable returns True or False and raises only RuleFault.
    """
    program = _compiled(source)
    _check_functions(program, source)
    _check_names(program, source, without)
    condition = _condition(program, source)
    _rehearse(program)
    return condition


def compile_over_row(source: str) -> tuple[cel.Program, tuple[str, ...]]:
    """An expression over `row`, the columns of an export by name, and the names that it asks for.

    The same language with the same limits as conditions; the result may be text or a number, too. Raises
    ConditionFault.
    """
    program = _compiled(source)
    _check_functions(program, source)
    for name in program.references()["variables"]:
        if name != "row":
            raise ConditionFault(
                f'`{name}` is not known{did_you_mean(name, ["row"])}; a column is `row["its name"]`, text needs quotes'
            )
    return program, _columns(source)


def _columns(source: str) -> tuple[str, ...]:
    names: list[str] = []
    for found in _ROW.finditer(source):
        if not found.group("row"):
            continue  # quoted text or a comment
        if found.group("bare") is None and found.group("quoted") is None:
            raise ConditionFault(
                'write `row["name of the column"]`: one column, its name in quotes'
            )
        quoted = found.group("quoted")
        names.append(str(cel.compile(quoted).execute({})) if quoted else found.group("bare"))
    return tuple(dict.fromkeys(names))


def _compiled(source: str) -> cel.Program:
    if len(source) > _MAX_LENGTH:
        raise ConditionFault(
            f"this condition has {len(source)} characters; {_MAX_LENGTH} is the most"
        )
    try:
        return cel.compile(source)
    except ValueError as error:
        raise ConditionFault(_syntax(source, str(error))) from error


def rule_input(facts: LeadFacts, score: int = 0) -> RuleInput:
    """Facts and score with the context that all conditions of one decision share. Never raises."""
    values: dict[str, Any] = {name: _text(getattr(facts, name)) for name in _TEXTS}
    values.update({name: _int(getattr(facts, name)) for name in _NUMBERS})
    values["score"] = _int(score)
    values["score_reasons"] = [_text(reason) for reason in facts.score_reasons]
    values["extra"] = _plain(facts.extra, 0)
    return RuleInput(facts, score, cel.Context(values))


def with_score(given: RuleInput, score: int) -> RuleInput:
    """The same lead now that its score is known; `given` is used up. A new context costs more than most rules."""
    if not isinstance(given.context, cel.Context):
        return rule_input(given.facts, score)
    given.context.update({"score": _int(score)})
    return RuleInput(given.facts, score, given.context)


def _condition(program: cel.Program, source: str) -> Condition:
    def condition(given: RuleInput) -> bool:
        context = given.context
        if not isinstance(context, cel.Context):
            context = rule_input(given.facts, given.score).context
        try:
            result = program.execute(context)
        except (
            Exception
        ) as error:  # the engine's own kinds are KeyError, TypeError, RuntimeError and more
            raise RuleFault(f"{shown(source)}: {_reason(error, source)}") from error
        if not isinstance(result, bool):
            raise RuleFault(f"{shown(source)}: is neither true nor false for this lead")
        return result

    return condition


def _check_names(program: cel.Program, source: str, without: frozenset[str]) -> None:
    for name in program.references()["variables"]:
        if name in without:
            raise ConditionFault(f"`{name}` is not known here: it is what these rules work out")
        if name not in NAMES:
            raise ConditionFault(
                f"`{name}` is not a name of a lead{did_you_mean(name, NAMES)}; text needs quotes, "
                "and what a sender adds is `extra.…`"
            )


def _check_functions(program: cel.Program, source: str) -> None:
    used = program.references()
    loop = _LOOP.search(_QUOTED.sub('""', source))
    if loop or "@not_strictly_false" in used["functions"]:
        raise ConditionFault(
            f"`{loop.group(1) if loop else 'all'}` is a loop, and conditions have none; use `in` or `contains`"
        )
    for function in used["functions"]:
        if function not in _OPERATORS | _FUNCTIONS:
            raise ConditionFault(
                f"`{function}` is not known{did_you_mean(function, _FUNCTIONS)}; there are "
                f"{', '.join(sorted(_FUNCTIONS))} and has"
            )


def _rehearse(program: cel.Program) -> None:
    """Run it on an empty lead: what compares text with numbers, or is no yes-or-no question, shows here."""
    try:
        result = program.execute(rule_input(LeadFacts("", "")).context)
    except TypeError as error:
        raise ConditionFault(_reason(error, "")) from error
    except RuntimeError as error:
        if "regex" in str(error):
            raise ConditionFault("`matches` has a pattern that is no regular expression") from error
        if "Undefined" in str(error):  # all functions are known ones, so it is what they were given
            raise ConditionFault("uses a function on something it does not work on") from error
        return  # a text that is no number, for this lead
    except Exception:  # an absent key of `extra`, a division by zero: depends on the lead
        return
    if not isinstance(result, bool):
        raise ConditionFault(
            f"must ask something that is true or false; this gives {shown(result)}"
        )


def _syntax(source: str, message: str) -> str:
    found = re.search(r"<input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)", message)
    if not source.strip():
        return "is empty; leave the whole line out, or write `true`"
    if re.search(r"(?<![=!<>])=(?!=)", _QUOTED.sub('""', source)):
        return "to compare, write `==` (two signs)"
    words = re.search(r"\b(and|or|not|AND|OR|NOT)\b", _QUOTED.sub('""', source))
    if words:
        sign = {"and": "&&", "or": "||", "not": "!"}[words.group(1).lower()]
        return f"write `{sign}` for `{words.group(1)}`"
    if not found:
        return "cannot be read as a condition"
    detail = found.group(3).split(" expecting ")[0]
    return f"cannot be read at its character {found.group(2)}: {detail[:120]}"


def _reason(error: Exception, source: str) -> str:
    """Why, in words of ours or of the condition: what a lead said stands in no journal."""
    if isinstance(error, KeyError):
        key = str(error.args[0]) if error.args else ""
        if key not in source:
            return "a key that the lead names is absent; ask has(…) first"
        return f"`{key}` is absent; ask has(…) first"
    if isinstance(error, TypeError):
        return "compares or joins things of different kinds (text and number?)"
    text = " ".join(str(error).split())
    if "regex" in text:
        return "has a pattern that is no regular expression"
    kept = _IN_QUOTES.sub(lambda m: m[0] if m[1] in source else "'…'", text)
    return kept[:160] or type(error).__name__


def _text(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return text.encode("utf-8", "replace").decode("utf-8")


def _int(value: int) -> int:
    return max(-_MAX_INT, min(_MAX_INT, int(value)))


def _plain(value: Any, depth: int) -> Any:
    """JSON values as the engine takes them; whatever else a sender found becomes text or null."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        if abs(value) <= _MAX_INT:
            return value
        return float(value) if abs(value) < 10**300 else None
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if depth >= _MAX_EXTRA_DEPTH:
        return None
    if isinstance(value, Mapping):
        return {_text(str(key)): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    return _text(str(value))
