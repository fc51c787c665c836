"""The command line keeps to the one table of ranges, and its help says so."""

import subprocess
import sys

import pytest
from typer import TyperException
from typer._coercion import build_runtime_param
from typer.main import get_command
from typer.testing import CliRunner

from rackecon.catalog.assumption_table import allowed_values
from rackecon.cli import OR_NONE, SAME_AS, _AsGiven, app
from rackecon.errors import InputError


def _commands() -> dict[tuple[str, ...], list[str]]:
    """Names of the options of every command that the table holds a range or choices of."""
    found = {}
    root = get_command(app)
    for name in root.commands:  # type: ignore[attr-defined]
        top = root.commands[name]  # type: ignore[attr-defined]
        for path, command in {(name,): top, **{(name, k): v for k, v in getattr(top, "commands", {}).items()}}.items():
            names = [x.name for x in command.params if x.param_type_name == "option"]
            known = [
                x for x in names if (one := allowed_values().get(SAME_AS.get(x, x))) and (one.numeric or one.choices)
            ]
            if known:
                found[path] = known
    return found


COMMANDS = _commands()


def test_commands_with_options_of_the_table_are_found() -> None:
    assert {
        ("frontier",),
        ("size",),
        ("plan",),
        ("crosscheck",),
        ("data", "add-measured"),
        ("data", "add-workload"),
    } <= set(COMMANDS)
    assert sum(map(len, COMMANDS.values())) >= 33


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_help_of_a_command_shows_the_ranges_of_the_table(path: tuple[str, ...]) -> None:
    for _ in range(2):  # asked twice, said once
        text = " ".join(CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "300"}).output.split())
        for name in COMMANDS[path]:
            one = allowed_values()[SAME_AS.get(name, name)]
            ends = f"One of {', '.join(x for x in one.choices if x)}." if one.choices else f"{one.range}."
            start = "" if one.choices else "0, or " if name in OR_NONE else "From "
            assert text.count(start + ends) >= 1, name
            assert f"{ends} {start}{ends}" not in text, name
        assert "[x>=" not in "".join(
            line for line in text.split("--") if line.split(" ")[0].replace("-", "_") in COMMANDS[path]
        )


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--isl", "0", "--osl", "5"], "--isl: isl_tokens 0 is out of range: allowed 1 to 1,048,576 tokens"),
        (
            ["--isl", "9", "--osl", "5", "--max-gpus", "0"],
            "--max-gpus: max_gpus 0 is out of range: allowed 1 to 100,000 GPUs",
        ),
        (
            ["--isl", "9", "--osl", "5", "--tpot-limit-ms", "1e9"],
            "--tpot-limit-ms: tpot_limit_ms 1e+09 is out of range",
        ),
    ],
)
def test_a_number_outside_the_table_is_refused_in_one_line(words: list[str], fault: str) -> None:
    given = ["frontier", "--accelerator", "h200-sxm", "--model", "gpt-oss-120b", *words]
    found = CliRunner().invoke(app, given)
    assert isinstance(found.exception, InputError)
    assert str(found.exception).startswith(fault)


@pytest.mark.parametrize("text", ["1024", " 1024 ", "1e3", "1_024", "+5", "abc", "", "1,5", "0x10", "٣", "nan", "-inf"])
def test_a_number_is_read_as_by_the_library_of_types(text: str) -> None:
    command = get_command(app).commands["frontier"]  # type: ignore[attr-defined]
    with command.make_context("frontier", [], resilient_parsing=True) as context:
        option = next(x for x in command.get_params(context) if x.name == "isl")
        quick, usual = option._runtime_param, build_runtime_param(option.type_descriptor)
        assert isinstance(quick, _AsGiven)
        assert _read(quick, text, option, context) == _read(usual, text, option, context)


@pytest.mark.parametrize("limit", ["-1e9", "0", "0.05", "1e-400"])
def test_ends_of_an_option_of_its_own_are_held(limit: str) -> None:
    found = CliRunner().invoke(app, ["plan", "site.yaml", "--time-limit", limit])
    assert "Input should be greater than or equal to 0.1" in f"{found.output}{found.exception}"


def _read(found, text: str, option, context) -> str:
    try:
        return repr(found.coerce(text, param=option, ctx=context))
    except (TyperException, InputError):
        return "refused"


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["frontier", "--isl", "8k"], "--isl: '8k' is not a number: allowed 1 to 1,048,576 tokens; write it in digits alone"),
        (["frontier", "--isl", "1,024"], "--isl: '1,024' is not a number: allowed 1 to 1,048,576 tokens; write it in digits alone"),
        (["frontier", "--isl", ""], "--isl: '' is not a number: allowed 1 to 1,048,576 tokens"),
        (["size", "--users", "many"], "--users: 'many' is not a number"),
        (["plan", "site.yaml", "--draws", "few"], "--draws: 'few' is not a number: allowed 64 to 65,536 draws, a power of two"),
        (["report", "--jobs", "2.5"], "--jobs: '2.5' is not a whole number"),
    ],
)  # fmt: skip
def test_words_for_a_number_are_told_with_what_is_allowed(words: list[str], fault: str) -> None:
    found = CliRunner().invoke(app, words)
    assert isinstance(found.exception, InputError)
    assert str(found.exception) == fault


def test_a_short_command_leaves_the_heavy_libraries_out() -> None:
    words = ["frontier", "--accelerator", "h200-sxm", "--model", "gpt-oss-20b", "--isl", "1000", "--osl", "500"]
    code = (
        f"import sys; sys.argv[1:] = {words}\nfrom rackecon.cli import main\n"
        "try: main()\nexcept SystemExit as ended: assert not ended.code\n"
        "assert not {'pydantic', 'pandas', 'scipy', 'altair'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
