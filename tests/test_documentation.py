"""Every Python block in README.md, CONTRIBUTING.md and docs/, and every example in a docstring of the package, runs.

The examples of one file run in order and share their names; a docstring's also see those of its module. Shell blocks
are not run. To leave a block out, put `<!-- skip: next "why" -->` before it; in a docstring, end the line with
`# doctest: +SKIP`.
"""

import doctest
import importlib
import inspect
import re
import unittest
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.doctest import DocTestParser
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).resolve().parent.parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = sorted(path for path in (ROOT / "vtrans").rglob("*.py") if path.name != "__main__.py")

MARKDOWN = Sybil(parsers=[PythonCodeBlockParser(doctest_optionflags=FLAGS), SkipParser()])
DOCSTRINGS = Sybil(parsers=[DocTestParser(FLAGS)], document_types={".py": PythonDocStringDocument})


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def run(sybil: Sybil, path: Path) -> None:
    """Run the examples of one file; a failure says which line of which file it comes from."""
    skipped = []
    for example in sybil.parse(path).examples():
        place = f"{name(path)}, line {example.line}"
        try:
            example.evaluate()
        except unittest.SkipTest as skip:
            skipped.append(f"{place}: {skip}")
        except Exception as error:
            error.add_note(f"in the example at {place}")
            raise
    for line in skipped:
        print("skipped", line)


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_the_blocks_of_a_page_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(MARKDOWN, path)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_the_examples_of_a_module_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(DOCSTRINGS, path)


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_no_python_block_escapes(path):
    """Only a fence whose first line ends in exactly `python` is run: other spellings would be left out in silence."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fence = re.match(r"\s*(?:```+|~~~+)\s*\{?\.?(py\S*.*)", line)
        assert not fence or re.fullmatch(r"\s*```python", line), f"{name(path)}, line {number}: write ```python"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_docstring_examples_are_doctests(path):
    """A fenced block in a docstring would not be run."""
    source = path.read_text(encoding="utf-8")
    for start, _, text in PythonDocStringDocument.extract_docstrings(source):
        line = source.count("\n", 0, start) + 1
        assert "```py" not in text, f"{name(path)}, docstring at line {line}: write the example with >>>"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_public_methods_have_docstrings(path):
    """Their own, or that of the method they override."""
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    bare = [
        f"{name(path)}: {kind.__name__}.{method}"
        for kind in vars(module).values()
        if inspect.isclass(kind) and kind.__module__ == module.__name__ and not kind.__name__.startswith("_")
        for method, value in vars(kind).items()
        if inspect.isroutine(value) or isinstance(value, property)
        if not method.startswith("_")
        and not any(vars(base)[method].__doc__ for base in kind.__mro__ if method in vars(base))
    ]
    assert not bare, "no docstring:\n" + "\n".join(bare)
