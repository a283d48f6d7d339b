"""Writes docs/api.md from the docstrings: `python docs/make_api.py`."""

import dataclasses
import inspect
import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import neural_style_transfer as nst
from stylize.apps import functions, options
from stylize.backend import tensors
from stylize.runs import metadata, progress
from stylize.runs.recipe_values import Recipe
from stylize.vgg import preprocess

SECTIONS = {
    "The run": "style_transfer prepare paint Job",
    "Following a run": "Progress Evaluation Iterate Losses Stage Checkpoint",
    "Pictures and weights": "load_image save_image load_weights VGG19Weights build_network",
    "What the network sees, in `stylize.vgg.preprocess`": "preprocess_image rgb_values",
    "How a picture was made, in `stylize.runs.metadata`": "make_record to_text read_record "
    "recipe_of",
    "Losses": "gram_matrix style_loss content_loss total_variation_loss neighbor_loss "
    "mean_square_variation loss_terms stage_objective LossAndGrads Evaluator",
    "Folders and films, in `stylize.apps.functions`": "paint_folder paint_film Outcome",
    "Errors": "InputError WeightsError NonFiniteLoss",
}
NOTES = {
    "Losses": """\
`stage_objective` returns a `LossAndGrads`, in `stylize.backend.tensors`, or, for a stage in tiles,
what is called in the same way. Its losses are weighted, as those in `Losses.terms` are: they add up
to the total.

`precision="auto"`, the default of recipes `neighbors` and `pyramid`, is bfloat16 with TensorFlow on
a processor that computes in it, else float32. Give `precision="float32"` to compare losses between
machines, or to check gradients. Losses are sums in float32, in which the effect of a single pixel
is lost: compare the gradient with the difference of two losses along it, not pixel by pixel.""",
}
HEAD = """# From Python

    import neural_style_transfer as nst

Made from the docstrings by `python docs/make_api.py`. What is not named here may change.
From other languages and machines, there is the web page [over HTTP](http.md)."""
RECIPES_HEAD = """## `SETTINGS` and `RECIPES`

An empty cell is as in `{}`, the default. [Other names](options.md) of options and of their values,
such as `neighbours`, are for the command line only.

`size` may also be a pair, `(rows, cols)`: the result has exactly these, and the photo is stretched
to fit them, and so is a picture given as `init`. `content_layers` and `style_layers` take a
dictionary, or a string as on the command line: `"block4_conv1:3 block5_conv1"`."""
OWN_HEAD = """### What only a recipe can set

No option or argument sets these. To change one, make a recipe of your own and pass it as `recipe`:
`RECIPES["neighbors"] | {{"bounded": False}}`. The command line follows it
too, if you give `--like` a result that was saved with its record, unless `longer_side` is a
function of your own. An empty cell is as in `{}`."""


def stub(thing):
    """The head of a function or a class as its source has it, and its docstring."""
    head = textwrap.dedent(inspect.getsource(thing).partition('"""')[0]).rstrip()
    fields = f"\n({', '.join(thing._fields)})\n" if hasattr(thing, "_fields") else ""
    if "__init__" in vars(thing) and "\nArgs:" in inspect.getdoc(thing):
        signature = re.sub(r"[a-z.]+\.(?=[A-Z])", "", str(inspect.signature(thing)))
        fields = f"\n{textwrap.fill(signature, 92)}\n"
    return head + textwrap.indent(f"{fields}\n{inspect.getdoc(thing)}", "    ")


def members(cls):
    """A class's own public methods and properties, as functions."""
    for name, member in vars(cls).items():
        function = getattr(member, "fget", None) or getattr(member, "func", member)
        if inspect.isfunction(function) and function.__doc__ and not name.startswith("_"):
            yield function


def entry(name):
    """The Markdown of a public name."""
    modules = nst, progress, functions, metadata, preprocess, tensors
    (thing,) = {vars(module)[name] for module in modules if name in vars(module)}
    stubs = [stub(thing)]
    if inspect.isclass(thing):
        stubs += [textwrap.indent(stub(function), "    ") for function in members(thing)]
    return "\n\n".join([f"### {name}", "```python\n" + "\n\n".join(stubs) + "\n```"])


def settings():
    """The Markdown table of `SETTINGS` and what the recipes make of them."""
    default, names = nst.RECIPES[nst.DEFAULT_RECIPE], recipes()
    rows = [["setting", "values", "what it is", *names], ["---"] * (3 + len(names))]
    for name, setting in nst.SETTINGS.items():
        row = [f"`{name}`", f"`{setting.metavar}`", setting.help, options.as_typed(default[name])]
        for recipe in names[1:]:
            value = nst.RECIPES[recipe][name]
            row.append("" if value == default[name] else options.as_typed(value))
        rows.append([str(cell).replace("|", r"\|") for cell in row])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def own_values():
    """The Markdown table of what only recipes say, explained by the comments in its source."""
    default, *others = recipes()
    rows = [["value", "what it is", default, *others], ["---"] * (3 + len(others))]
    said = comments(inspect.getsource(Recipe))
    for field in dataclasses.fields(Recipe):
        name, comment = field.name, said[field.name]
        values = [shown(nst.RECIPES[recipe][name]) for recipe in (default, *others)]
        own = ["" if value == values[0] else value for value in values[1:]]
        rows.append([f"`{name}`", comment, values[0], *own])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def comments(source):
    """name -> the comment above each field of a class."""
    found, above = {}, []
    for line in source.splitlines():
        if line.strip().startswith("#"):
            above.append(line.strip("# "))
        elif field := re.match(r" {4}(\w+): ", line):
            found[field[1]], above = " ".join(above), []
    return found


def shown(value):
    """A value of a recipe as Python has it: of a function or a filter, its name."""
    name = getattr(value, "__name__", None) or getattr(value, "name", None)
    return f"`{name or repr(value)}`"


def recipes():
    """The names of the recipes, the default first."""
    return [nst.DEFAULT_RECIPE, *(name for name in nst.RECIPES if name != nst.DEFAULT_RECIPE)]


def examples():
    """The Markdown of docs/examples.py: a title and a program, one after another."""
    _, *blocks = (ROOT / "docs" / "examples.py").read_text().split("\n# ")
    for block in blocks:
        title, _, program = block.partition("\n")
        yield f"### {title}\n\n```python\n{program.strip()}\n```"


def api():
    """All of docs/api.md."""
    parts = [HEAD, "## Examples", *examples()]
    for title, names in SECTIONS.items():
        note = [NOTES[title]] if title in NOTES else []
        parts += [f"## {title}", *note, *map(entry, names.split())]
    parts += [RECIPES_HEAD.format(nst.DEFAULT_RECIPE), settings()]
    return "\n\n".join([*parts, OWN_HEAD.format(nst.DEFAULT_RECIPE), own_values()]) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "api.md").write_text(api())
