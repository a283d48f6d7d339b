"""Everything behind `neural_style_transfer.py`. A module imports only those below it:

batch                 the main command; folders, painted by several processes
video                 a film, several scenes at once
ledger                what has become of a folder's pictures: said, logged, shown on a page
painters              what paints several pictures at once: processes, or a cluster's workers
processes             the processes that share this machine
cli, athalye, web     one photo; the TensorFlow neural-style program; the page
options               those of the main command
guard                 what the page takes from visitors, and from whom
keeping               the temporary folder of what visitors leave
studio                what the page's events call: visitors and their turns
watch                 a run in a thread of its own, which the page may stop
report                what the command line shows and saves as a run goes on
terminal              what the command lines share
cluster               workers on one machine or many, by Ray
worker                what each worker does
scenes                the frames of a film, scene by scene; those that are finished
resume                the state of a run that did not finish
folders               the pictures in a folder, and the page that shows what became of them
records               what is saved with a result: how it was made, its losses
clips                 a video or numbered frames, and their sound, read and written as streams
apart                 other programs that read what a stranger has sent
films                 the film of a growing picture
job                   a run, prepared once: pictures, settings, sizes
flow                  the optical flow from one frame of a film to another
memory                the memory and disk that a run needs; tiles and files if there is less
neighbors             the term of the loss that compares place by place
formulas              how the recipes' losses differ
wasserstein           the distance between two styles, taken as Gaussians
tiles                 the loss of a picture that is too large for the network at once
sizes                 those that a run paints at, from the coarsest to the result
remember              functions that remember their results
scratch               files for what does not fit into memory
optimizers            what the optimisers share, SciPy's L-BFGS, Adam
lbfgs                 an L-BFGS of our own, for values within bounds
preconditioner        coordinates of a picture in which L-BFGS needs fewer steps
arrays                what an optimiser computes with: NumPy, or the backend's tensors
backend               TensorFlow, JAX or PyTorch; no other module knows which
machine               cores, memory, which GPU a process sees
progress              what a run reports as it goes on
settings, checks      the settings of a run; what each may be
recipes               named sets of settings
colors                the photo in the styles' colours, or the other way round
pictures, formats     reading, sizes, writing; the formats that are read
download              where VGG19's weights come from
weights, matfile      the files that hold weights
errors                the errors that a caller may have to catch
"""

__version__ = "1.1.0.dev0"
