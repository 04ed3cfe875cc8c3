"""Mutation testing: puts small faults into a room of the package, one at a time; do the room's tests notice each?

    make mutants ROOM=algebra                                 all mutants of vtrans/algebra
    make mutants ROOM=algebra ARGS="--every 5"                every fifth mutant of each file: a score in a fifth of it
    make mutants ROOM=training ARGS="--files averages.py rates.py"
    make mutants ROOM=algebra ARGS="--again"                  only those that survived, after tests were changed

mutmut makes the faults and runs the tests: the package and the tests are imported once, each mutant is a fork that runs
only the tests that reach the changed function. Results are kept in build/mutants/ROOM, so a run that was stopped goes
on, and after a change of the package only changed functions are tested again. A survivor is shown there as a diff.

What mutmut leaves out is added here: functions under a decorator such as ``property``, calls that are dropped, and
conditions of ``if`` that always or never hold. Left out are the texts of errors and warnings.
"""

import argparse
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

for threads in ("OMP_NUM_THREADS", "VTRANS_TEST_THREADS"):
    os.environ[threads] = "1"  # a fork of a process with threads may hang

import libcst as cst  # noqa: E402

TOPS = ("vtrans", "tests", "benchmarks")  # some tests read a benchmark

CONFIGURATION = """
[tool.mutmut]
source_paths = ["vtrans"]
only_mutate = {files}
also_copy = ["benchmarks"]
do_not_mutate_patterns = ['\\brefusal\\(', '\\bunknown\\(', '^\\s*raise ', '^\\s*assert ', '\\bwarn(ings\\.warn)?\\(']
pytest_add_cli_args = ["-p", "no:cacheprovider", "-m", "not slow", "--ignore-glob=*test_compiled.py", "--durations=0"]
pytest_add_cli_args_test_selection = {tests}
timeout_constant = 2.0
timeout_multiplier = 4.0
use_git_change_detection = false
use_setproctitle = false
"""


class Undecorate(cst.CSTTransformer):
    """Writes ``@property def name`` as ``def _name_of`` and ``name = property(_name_of)``, which mutmut can mutate."""

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef | cst.FlattenSentinel[cst.BaseStatement]:
        empty = cst.Module([])
        decorators = [empty.code_for_node(decorator.decorator) for decorator in updated_node.decorators]
        left = ("staticmethod", "classmethod", "overload", "abstractmethod", "pytest", "triton", "setter")
        if not decorators or any(name in decorator for decorator in decorators for name in left):
            return updated_node
        name = updated_node.name.value
        value = inner = f"_{name.strip('_')}_of"
        for decorator in reversed(decorators):
            value = f"({decorator})({value})"
        plain = updated_node.with_changes(name=cst.Name(inner), decorators=[])
        return cst.FlattenSentinel([plain, cst.parse_statement(f"{inner}.__name__ = {name!r}; {name} = {value}\n")])


def _drop(node: cst.Expr) -> Iterator[cst.Pass]:
    """Drops a call whose result nobody takes, and a ``yield``."""
    if isinstance(node.value, cst.Call | cst.Yield):
        yield cst.Pass()


def _force(node: cst.If | cst.CompIf) -> Iterator[cst.If | cst.CompIf]:
    """Makes a condition hold always, and never."""
    test = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    for operator, literal in ((cst.And(), "False"), (cst.Or(), "True")):
        yield node.with_changes(test=cst.BooleanOperation(test, operator, cst.Name(literal)))


def copy(tree: Path, place: Path, mutated: Sequence[str]) -> None:
    """Copies the package and its tests; a file that has not changed keeps its date, by which mutmut knows it."""
    shutil.rmtree(place / "mutants" / "tests", ignore_errors=True)
    wanted = {path.relative_to(tree) for top in TOPS for path in (tree / top).rglob("*")}
    for path in [path for top in TOPS for path in (place / top).rglob("*")]:
        if path.is_file() and path.relative_to(place) not in wanted:
            path.unlink()
    for name in sorted(wanted):
        if (tree / name).is_dir() or name.suffix == ".pyc":
            continue
        data = (tree / name).read_bytes()
        if str(name) in mutated:
            data = cst.parse_module(data).visit(Undecorate()).bytes
        copied = place / name
        if not copied.exists() or copied.read_bytes() != data:
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.write_bytes(data)


def main() -> None:
    """Runs the mutants that the command line asks for and prints the score of each file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("room", help="a folder of vtrans/, or a module such as registry.py")
    parser.add_argument("--files", nargs="+", default=["*.py"], help="patterns of files of the room (default: all)")
    parser.add_argument("--tests", nargs="+", help="folders or files of tests/ (default: those of the room)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th mutant of each file")
    parser.add_argument("--again", action="store_true", help="only those that survived before")
    parser.add_argument("--only", default="", metavar="TEXT", help="only mutants whose name holds this text")
    parser.add_argument("--slowest", type=float, default=4.0, metavar="S", help="leave out tests of more seconds (4)")
    parser.add_argument("--tree", type=Path, default=Path(__file__).parents[1], help="the checkout (default: this one)")
    asked = parser.parse_args()

    tree = asked.tree.resolve()
    place = tree / "build" / "mutants" / asked.room.removesuffix(".py")
    room = tree / "vtrans" / asked.room
    paths = [room] if room.is_file() else sorted(path for pattern in asked.files for path in room.rglob(pattern))
    files = [str(path.relative_to(tree)) for path in paths]
    tests = [f"tests/{name}" for name in asked.tests or [f"test_{asked.room}" if room.is_file() else asked.room]]
    missing = [name for name in tests if not (tree / name).exists()]
    if missing or not files:
        parser.error(f"no {' '.join(missing) or 'such files'} in {tree}")
    place.mkdir(parents=True, exist_ok=True)
    copy(tree, place, files)
    settings = CONFIGURATION.format(files=json.dumps(files), tests=json.dumps(tests))
    (place / "pyproject.toml").write_text((tree / "pyproject.toml").read_text() + settings)
    (place / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)  # which test reaches what: found out anew
    os.chdir(place)
    run(asked)
    report(files, place / "survivors.diff")


def run(asked: argparse.Namespace) -> None:
    """Runs mutmut in the current folder with the operators added here, on the mutants asked for."""
    from mutmut import __main__ as mutmut
    from mutmut.mutation.mutators import mutation_operators
    from mutmut.runners.harness import PytestRunner
    from mutmut.state import state
    from mutmut.workers.isolation import ForkRunner

    mutation_operators.extend([(cst.Expr, _drop), (cst.If, _force), (cst.CompIf, _force)])  # type: ignore[attr-defined]
    collect, reach = mutmut.collect_source_file_mutation_data, mutmut.collect_or_load_stats

    def chosen(*, mutant_names: Sequence[str]) -> Any:  # noqa: ANN401
        mutants, by_path = collect(mutant_names=list(mutant_names))
        of_file = {path: [mutant for mutant in mutants if mutant[0] is data] for path, data in by_path.items()}
        sample = [mutant for found in of_file.values() for mutant in found[:: asked.every] if asked.only in mutant[1]]
        if asked.again:
            sample = [(data, name, None) for data, name, code in sample if code in (0, 33)]
        return sample, by_path

    class Failed:
        """The tests that fail on the copy, where every function is wrapped: those that trace or compile, say."""

        names: set[str] = set()

        def pytest_runtest_logreport(self, report: Any) -> None:  # noqa: ANN401
            if report.failed:
                self.names.add(report.nodeid)

    def watch(self: PytestRunner, params: list[str], **options: Any) -> int:  # noqa: ANN401
        if "plugins" not in options:
            return execute(self, params)
        status = execute(self, [*params, "--maxfail=1000"], plugins=[*options["plugins"], Failed()])
        return 0 if Failed.names else status

    def leave_out(*arguments: Any, **options: Any) -> None:  # noqa: ANN401
        reach(*arguments, **options)
        slow = {name for name, seconds in state().duration_by_test.items() if seconds > asked.slowest}
        for names in state().tests_by_mangled_function_name.values():
            names -= slow | Failed.names
        for why, names in (("slow", slow), ("failing on the copy", Failed.names)):
            print(f"    left out, {why}:", *sorted(names), sep="\n        ") if names else None

    mutmut.collect_source_file_mutation_data = chosen
    mutmut.collect_or_load_stats = leave_out
    execute, PytestRunner.execute_pytest = PytestRunner.execute_pytest, watch  # type: ignore[method-assign]
    ForkRunner.run_clean_tests = lambda self, tests: 0  # type: ignore[method-assign] # they have just been run
    if not sys.stdout.isatty():
        mutmut.print_status = mutmut.print_stats = lambda *_, **options: None  # type: ignore[attr-defined]
    mutmut._run((), 1)


def report(files: Sequence[str], survivors: Path) -> None:
    """Prints how many mutants of each file were noticed, and writes the diffs of the others."""
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code

    print(f"\n{'file':<44}{'mutants':>8}{'tried':>7}{'killed':>8}{'survived':>10}{'no test':>9}{'score':>8}")
    total: Counter[str] = Counter()
    with survivors.open("w") as out:
        for file in files:
            data = SourceFileMutationData(path=file)
            data.load()
            count: Counter[str] = Counter(all=len(data.exit_code_by_key))
            for name, code in data.exit_code_by_key.items():
                status = "not tried" if code is None else status_by_exit_code[code]
                count[status if status in ("not tried", "survived", "no tests") else "killed"] += 1
                if status in ("survived", "no tests"):
                    out.write(f"# {name}: {status}\n{get_diff_for_mutant(name, path=file)}\n")
            total += count
            _line(file, count)
        _line("all", total)
    print(f"\nThe survivors are in {survivors}")


def _line(name: str, count: Counter[str]) -> None:
    tried = count["killed"] + count["survived"] + count["no tests"]
    score = f"{count['killed'] / tried:.1%}" if tried else ""
    numbers = f"{count['all']:>8}{tried:>7}{count['killed']:>8}{count['survived']:>10}{count['no tests']:>9}"
    print(f"{name:<44}{numbers}{score:>8}")


if __name__ == "__main__":
    main()
