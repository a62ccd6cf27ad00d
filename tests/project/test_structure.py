"""The structure of the package: three rings, no circles, no private imports, budgets of lines."""

import ast
import importlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "sgpa_core"
FILES = sorted(PACKAGE.rglob("*.py"))
CORE_LINES, PACKAGE_LINES, FUNCTION_LINES, FILE_LINES = 3_600, 8_450, 50, 400

RINGS = {"models": 1, "show": 1, "companion": 2}
"""Ring of each subpackage; everything else is the core, ring 0."""

HOOKS = {
    ("aligner", "models.whisper_ctc"),  # the embedded network
    ("answers", "models"),  # a model given by its name
    ("explanation", "show"),  # plot, to_html, _repr_html_
    ("utility", "models.encoder"),  # sentence embeddings
    ("segments", "show"),  # plot, write, read, _repr_html_
    ("pipeline", "models.recognise"),  # a transcript for a recording that has none
    ("show.widgets", "models.recognise"),  # the same for an upload
    ("__main__", "companion.cli"),
}
"""The only imports that point outward, all inside functions (but that of ``__main__``)."""


def module_of(file):
    """Name of a file's module below the package, ``""`` for the package itself."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in FILES}
TREES = {name: ast.parse(file.read_text("utf-8")) for name, file in MODULES.items()}


def ring(module):
    return RINGS.get(module.partition(".")[0], 0)


def typing_only(tree):
    """Line numbers under ``if TYPE_CHECKING:``."""
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.If)]
    lines = [
        range(n.lineno, n.end_lineno + 1)
        for n in blocks
        if getattr(n.test, "id", "") == "TYPE_CHECKING"
    ]
    return {line for block in lines for line in block}


def imports(name):
    """Yield (module of the package, name taken from it, alias, node) for each own import."""
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ImportFrom) and node.level:
            parts = package.split(".") if package else []
            base = parts[: len(parts) - node.level + 1]
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{source}.{alias.name}".strip(".")
                if whole in MODULES:
                    yield whole, None, alias.asname, node
                else:
                    yield source, alias.name, alias.asname, node


def code_lines(tree, text):
    """Numbers of the lines that are no blank, comment or docstring."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            skipped |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = enumerate(text.splitlines(), 1)
    return {n for n, line in lines if line.strip() and line.strip()[0] != "#"} - skipped


LINES = {name: code_lines(TREES[name], file.read_text("utf-8")) for name, file in MODULES.items()}


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_inward(name):
    for target, _, _, node in imports(name):
        if ring(target) > ring(name) or (
            ring(target) == ring(name) == 1 and target.partition(".")[0] != name.partition(".")[0]
        ):
            hook = any((name, t) in HOOKS for t in (target, target.partition(".")[0]))
            nested = node.col_offset > 0
            assert hook and (nested or name == "__main__"), f"{name} imports {target}"


def test_no_circles():
    """Type annotations and the hooks apart, modules can be put in a line."""
    graph = {}
    for name in MODULES:
        skipped = typing_only(TREES[name])
        graph[name] = {
            target
            for target, _, _, node in imports(name)
            if node.lineno not in skipped
            and not any((name, t) in HOOKS for t in (target, target.partition(".")[0]))
            and target not in ("", name)
        }
    while graph:
        free = {name for name, targets in graph.items() if not targets & graph.keys()}
        assert free, f"a circle among {sorted(graph)}"
        graph = {name: targets for name, targets in graph.items() if name not in free}


@pytest.mark.parametrize("name", MODULES)
def test_no_private_name_of_another_module(name):
    taken = [f"{t}.{n}" for t, n, _, _ in imports(name) if n and n[0] == "_" and n[:2] != "__"]
    modules = {alias or target.rpartition(".")[2] for target, n, alias, _ in imports(name) if not n}
    taken += [
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in modules
        and node.attr[0] == "_"
        and node.attr[:2] != "__"
    ]
    assert not taken


@pytest.mark.parametrize("file", sorted((ROOT / "tests").rglob("*.py")), ids=lambda f: f.stem)
def test_no_test_binds_to_a_private_name(file):
    tree = ast.parse(file.read_text("utf-8"))
    taken = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sgpa_core"):
            taken += [a.name for a in node.names if a.name[0] == "_" and a.name[:2] != "__"]
    assert not taken


@pytest.mark.parametrize("name", MODULES)
def test_modules_keep_their_names_and_parameters_do_not_hide_them(name):
    modules = {}
    for target, taken, alias, _ in imports(name):
        if taken is None:
            assert alias in (None, target.rpartition(".")[2]), f"{target} as {alias}"
            modules[target.rpartition(".")[2]] = target
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.arguments):
            arguments = [*node.posonlyargs, *node.args, *node.kwonlyargs]
            hidden = {argument.arg for argument in arguments} & modules.keys()
            assert not hidden, f"a parameter of line {arguments[0].lineno} hides {hidden}"


def test_budgets():
    core = sum(len(LINES[name]) for name in MODULES if ring(name) == 0)
    everything = sum(map(len, LINES.values()))
    assert core <= CORE_LINES
    assert everything <= PACKAGE_LINES


@pytest.mark.parametrize("name", MODULES)
def test_functions_and_files_stay_small_enough_to_read(name):
    assert len(MODULES[name].read_text("utf-8").splitlines()) <= FILE_LINES
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = range(node.body[0].lineno, node.end_lineno + 1)
            size = len(LINES[name].intersection(body))
            assert size <= FUNCTION_LINES, f"{node.name}: {size} lines"


def test_every_public_name_is_there_and_every_module_can_be_imported():
    import sgpa_core

    for name in sgpa_core.__all__:
        assert getattr(sgpa_core, name) is not None
    for name in MODULES:
        if name not in ("", "__main__"):
            module = importlib.import_module(f"sgpa_core.{name}")
            head = name.partition(".")[0]
            assert getattr(sgpa_core, head) is importlib.import_module(f"sgpa_core.{head}")
            assert module.__doc__


def test_every_public_module_is_in_the_reference():
    pages = "".join(page.read_text("utf-8") for page in (ROOT / "book/api").glob("*.md"))
    for name in MODULES:
        if not name or name in ("__main__", *RINGS, "shapley"):
            continue
        assert f"automodule:: sgpa_core.{name}\n" in pages, f"{name} is missing in book/api"
