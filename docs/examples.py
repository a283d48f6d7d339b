"""The examples of docs/api.md, which tests run. Each begins with a comment, its title."""

# Several pictures with one network: weights are loaded once
import neural_style_transfer as nst

weights = nst.load_weights("imagenet")
for name in ("coffee", "cat"):
    image = nst.style_transfer(
        f"img/{name}.jpg", "img/impasto.jpg", weights=weights, size=200, strength=0.4
    )
    image.save(f"results/{name}.jpg", quality=95)


# Two paintings, three parts of the first and one of the second
image = nst.style_transfer(
    "img/temple.jpg",
    ["img/woodcut.jpg", "img/ink.jpg"],
    weights=weights,
    size=200,
    style_blend=[3, 1],
)


# An array, such as a plot or a frame from a camera
import numpy as np

rows, cols = np.mgrid[:120, :160]
photo = np.stack([rows + 100, cols, 255 - cols], axis=-1).astype(np.uint8)
pixels = np.asarray(nst.style_transfer(photo, "img/ink.jpg", weights=weights, size=200))


# Progress, in your own words; what is raised here ends the run
class Told(nst.Progress):
    def on_evaluation(self, evaluation):
        super().on_evaluation(evaluation)
        print(f"{self.fraction:.0%}, loss {evaluation.losses.total:.4g}")


told = Told()
nst.style_transfer("img/cat.jpg", "img/ink.jpg", weights=weights, size=200, progress=told)
print(f"{told.evaluations} evaluations in {told.seconds:.0f} seconds")


# A result that says how it was made, as those of the command do: --show and --like can read it
from stylize.runs import metadata

base, styles = "img/coffee.jpg", ["img/stained_glass.jpg"]
job = nst.prepare(base, styles, size=200, strength=0.6)
iterate = nst.paint(job, weights)
record = metadata.make_record(job, weights, base, styles)
told_more = {"iteration": iterate.iteration, "losses": iterate.losses.as_dict()}
text = metadata.to_text(record, **told_more)
nst.save_image(iterate.image, "results/told.png", description=text)


# A picture made again from its record, even with a recipe of your own (give masks again)
record = metadata.read_record("results/told.png")
recipe, each = metadata.recipe_of(record), record["evaluations_per_iteration"]
again = nst.style_transfer(
    base, styles, recipe=recipe, weights=weights, evaluations_per_iteration=each
)
print(again == iterate.image)


# A run that another process can resume, from its last checkpoint, kept in a file
import pickle
from pathlib import Path

kept = Path("results/run.pickle")  # load only pickles that you wrote yourself: they can run code


def keep(checkpoint):  # comes after nearly every evaluation; of a large picture, write fewer
    kept.write_bytes(pickle.dumps(checkpoint))


nst.paint(job, weights, keep=keep)
resumed = nst.paint(job, weights, checkpoint=pickle.loads(kept.read_bytes()))


# The loss of a finished picture of the job's size, term by term, in a recipe of your own
from stylize.vgg.preprocess import preprocess_image

recipe = nst.RECIPES["keras"] | {"formula": "gatys"}
job = nst.prepare("img/coffee.jpg", "img/ink.jpg", recipe, size=200)
start = None  # of a run with neighbours: its last `Checkpoint.start`, which has the same ones
objective = nst.stage_objective(job, weights, job.stages[-1], start)
x = preprocess_image(nst.load_image("results/coffee.jpg"))  # BGR minus the mean pixel
losses, gradient = objective(x.ravel())
print(dict(zip(objective.names, losses, strict=True)), gradient.reshape(x.shape).std())


# An optimiser of your own, such as SciPy's, on the losses of the Keras example
from PIL import Image
from scipy.optimize import fmin_l_bfgs_b

job = nst.prepare("img/coffee.jpg", "img/ink.jpg", "keras", size=200)
(stage,) = job.stages  # recipes that paint at several sizes have more
objective = nst.stage_objective(job, weights, stage)
evaluator = nst.Evaluator(objective, lambda losses, x: print(losses.total, losses.terms))
x = job.start(stage).ravel().astype(float)
x, loss, _ = fmin_l_bfgs_b(evaluator.loss, x, evaluator.grads, maxfun=20)
optimised = Image.fromarray(job.to_pixels(stage)(x, 8))
print(f"{evaluator.evaluations} evaluations, loss {loss:.4g}, {optimised.size}")


# A folder of photos, two at a time; pictures that an earlier call painted are kept
from stylize.apps.functions import paint_folder

if __name__ == "__main__":  # the processes that paint import the program that started them
    outcomes = paint_folder("photos", "img/ink.jpg", "results/ink", jobs=2, size=200)
    print([path for path, outcome in outcomes.items() if outcome.status == "failed"])
