"""Writes one list of arguments, with their explanations, into every function that takes them.

Editors, ``help()`` and type checkers agree on one form only: a parameter list that is written out. So that it is still
written by hand only once, a parameter list may hold a comment

    # Arguments of Client.stream but media (.ci/signatures.py)

What follows it, up to the next comment, ``**`` or the end of the list, is written by this script: the parameters of
that function or class, in its order, without those named after ``but`` and those that the list has itself. So are
their entries under ``Args:`` in the docstring, if it has that; entries of other parameters stay as they are. In a
TypedDict the comment stands for fields. A function whose name is not the only one is named with its module.

    python .ci/signatures.py [--check] [FOLDER]

``--check`` writes nothing: it shows what differs, and ends with status 1 if anything does. FOLDER is the package.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from functools import cache
from pathlib import Path

MARK = re.compile(r"(\s*)# Arguments of ([\w.]+)(?: but ([\w, ]+))? \(\.ci/signatures\.py\)$")
ENDS = ("#", "**", ")")
WIDTH = 120

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Parameter:
    """A parameter as it is written, and its explanation."""

    text: str
    keyword_only: bool
    explanation: str


class Door:
    """A function in the text of a module.

    Attributes:
        name: ``"function"``, ``"Class.method"``, or ``"Class"`` for its ``__init__``.
        lines: where its parameter list is.
        overload: whether it is one, which is only for type checkers.
        entries: where the entries under ``Args:`` are, in its docstring or in that of its class; None without those.
    """

    def __init__(self, name: str, node: Function, explained: Function | ast.ClassDef, module: list[str]) -> None:
        self.name = name
        self.overload = any(isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list)
        self._node = node
        self._module = module
        self.lines = slice(node.lineno, node.body[0].lineno - 1)
        docstring = range(explained.body[0].lineno - 1, explained.body[0].end_lineno or 0)
        head = next((number for number in docstring if module[number].strip() == "Args:"), None)
        self.entries = None if head is None else slice(head + 1, self._end_of_entries(head))

    def _end_of_entries(self, head: int) -> int:
        self.indent = self._module[head].replace("Args:", "    ")
        return next(n for n in range(head + 1, len(self._module)) if not self._module[n].startswith(self.indent))

    def explanations(self) -> dict[str, list[str]]:
        """The lines of each entry under ``Args:``, by the name of the parameter."""
        found: dict[str, list[str]] = {}
        for line in self._module[self.entries] if self.entries else []:
            if not line.startswith(self.indent + " "):
                found[line.partition(":")[0].strip()] = lines = []
            lines.append(line)
        return found

    def parameters(self) -> dict[str, Parameter]:
        """The parameters but ``self`` and ``cls``, by their names."""
        arguments, explanations = self._node.args, self.explanations()
        positional, only = arguments.args, arguments.kwonlyargs
        defaults = [*[None] * (len(positional) - len(arguments.defaults)), *arguments.defaults, *arguments.kw_defaults]
        found = {}
        for argument, default in zip([*positional, *only], defaults, strict=True):
            text = self._written(argument) + ("" if default is None else f" = {self._written(default)}")
            words = " ".join(map(str.strip, explanations.get(argument.arg, [])))
            found[argument.arg] = Parameter(text, argument in only, words)
        return {name: parameter for name, parameter in found.items() if name not in ("self", "cls")}

    def _written(self, node: ast.arg | ast.expr) -> str:
        if node.lineno != node.end_lineno:
            return ast.unparse(node)
        return self._module[node.lineno - 1].encode()[node.col_offset : node.end_col_offset].decode()


class Fields(Door):
    """A class with annotated names, as a door."""

    def __init__(self, node: ast.ClassDef, module: list[str]) -> None:
        self.name = node.name
        self.overload = False
        following = (n for n in range(node.lineno, len(module)) if module[n][:1].strip())
        self.lines = slice(node.lineno, next(following, len(module)))
        self.entries = None

    def parameters(self) -> dict[str, Parameter]:
        return {}


@cache
def find_doors(text: str) -> list[Door]:
    """The functions of a module, the methods of its classes and its TypedDicts, from above to below."""
    return list(walk(ast.parse(text), text.split("\n")))


def walk(tree: ast.AST, module: list[str]) -> Iterator[Door]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield Door(node.name, node, node, module)
        elif isinstance(node, ast.ClassDef) and any(isinstance(each, Function) for each in node.body):
            for method in node.body:
                if isinstance(method, Function):
                    made = method.name == "__init__"
                    name = node.name if made else f"{node.name}.{method.name}"
                    yield Door(name, method, node if made else method, module)
        elif isinstance(node, ast.ClassDef):
            yield Fields(node, module)


def rewrite(text: str, sources: dict[str, dict[str, Parameter]]) -> str:
    """A module as it should be."""
    module = text.split("\n")
    if wrong := [line for line in module if ".ci/signatures.py" in line and not MARK.match(line)]:
        raise SystemExit(f"this is not understood: {wrong[0].strip()}")
    for door in reversed(find_doors(text)):  # from below, so that line numbers hold
        if any(map(MARK.match, module[door.lines])):
            lines, given = build_list(door, module[door.lines], sources)
            changes = [(door.lines, lines)]
            if door.entries is not None:
                changes.append((door.entries, build_entries(door, lines, given)))
            for where, replacement in sorted(changes, key=lambda change: -change[0].start):
                module[where] = replacement
    return "\n".join(module)


def build_list(
    door: Door, old: list[str], sources: dict[str, dict[str, Parameter]]
) -> tuple[list[str], dict[str, Parameter]]:
    """The lines of a parameter list, and those parameters that are written into it."""
    kept, writing = [], False
    for line in old:
        mark = MARK.match(line)
        writing = bool(mark) or (writing and not line.lstrip().startswith(ENDS) and line != "")
        if mark or not writing:
            kept.append(line)
    new: list[str] = []
    given: dict[str, Parameter] = {}
    for line in kept:
        new.append(line)
        if mark := MARK.match(line):
            without = re.findall(r"\w+", mark[3] or "")
            source = sources.get(mark[2], {})
            if unknown := {name for name in without if name not in source} or (not source and {mark[2]}):
                raise SystemExit(f"{door.name}: there is nothing of the name {', '.join(unknown)}")
            taken = {n: p for n, p in source.items() if n not in {*without, *given, *names_in(kept)}}
            fields = isinstance(door, Fields)
            star = (
                fields or any(each.strip() == "*," for each in new) or not any(p.keyword_only for p in taken.values())
            )
            for parameter in taken.values():
                if parameter.keyword_only and not star:
                    new.append(f"{mark[1]}*,")
                    star = True
                new.append(mark[1] + (parameter.text.partition(" = ")[0] if fields else f"{parameter.text},"))
            given |= taken
    return new, given


def names_in(lines: list[str]) -> list[str]:
    """The names of the parameters in the lines of a parameter list."""
    return [found[1] for line in lines if (found := re.match(r"\s*\**(\w+)\s*[:=,]", line))]


def build_entries(door: Door, lines: list[str], given: dict[str, Parameter]) -> list[str]:
    """The entries under ``Args:``, in the order of the parameters."""
    old, names = door.explanations(), names_in(lines)
    rest = [name for name in old if name not in {*names, *door.parameters()}]
    new = []
    for name in [*names, *rest]:
        if name in given:
            hanging = f"{door.indent}    "
            new += textwrap.wrap(
                given[name].explanation,
                WIDTH,
                initial_indent=door.indent,
                subsequent_indent=hanging,
                break_long_words=False,
                break_on_hyphens=False,
            )
        else:
            new += old.get(name, [])
    return new


def find_sources(texts: dict[str, str]) -> dict[str, dict[str, Parameter]]:
    """The parameters of the functions that the comments name."""
    asked = {mark[2] for text in texts.values() for line in text.split("\n") if (mark := MARK.match(line))}
    found: dict[str, dict[str, Parameter]] = {}
    names = "|".join({name.rpartition(".")[2] for name in asked})
    for module, text in texts.items():
        if not re.search(rf"\b(?:def|class) (?:{names})\b", text):
            continue  # to parse it takes long
        for door in find_doors(text):
            for name in set() if door.overload else {door.name, f"{module}.{door.name}"} & asked:
                if name in found:
                    raise SystemExit(f"there are two of the name {name}: name the module too")
                found[name] = door.parameters()
    return found


def name_of(path: Path) -> str:
    """The module in a file, without the package's own name: ``"batch.generate"``."""
    parts = path.with_suffix("").parts
    return ".".join(parts[parts.index("hf_text") + 1 :])


def main(arguments: list[str]) -> int:
    """Write what differs, or show it."""
    check = "--check" in arguments
    folders = [Path(each) for each in arguments if each != "--check"]
    texts = {
        path: path.read_text("utf-8")
        for folder in folders or [Path(__file__).parents[1] / "hf_text"]
        for path in sorted(folder.rglob("*.py"))
    }
    new, last = dict(texts), {}
    while new != last:  # what was written may be asked for elsewhere
        last = dict(new)
        sources = find_sources({name_of(path): text for path, text in new.items()})
        new = {path: rewrite(text, sources) if ".ci/signatures.py" in text else text for path, text in new.items()}
    differing = [path for path in texts if texts[path] != new[path]]
    for path in differing:
        if check:
            names = (str(path), "as .ci/signatures.py writes it")
            print(*unified_diff(texts[path].split("\n"), new[path].split("\n"), *names, lineterm=""), sep="\n")
        else:
            path.write_text(new[path], "utf-8")
            print(path)
    return int(check and bool(differing))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
