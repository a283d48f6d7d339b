"""What stands behind `neural_style_transfer.py`. A module imports those below it only:

batch                 the main command; folders, painted by several processes
video                 a film, frame by frame
processes             those of this machine that paint folders
cli, athalye, web     one photo; the TensorFlow neural-style program; the page
studio                what the page's events call: visitors and their turns
terminal              what their command lines share
cluster               workers on one machine or many, by Ray
worker                what each of them does
resume                the state of a run that did not finish
folders               the pictures in a folder, and the page that shows what became of them
records, films        what a run leaves with its pictures
job                   a run, prepared once: pictures, settings, sizes
flow                  the optical flow from one frame of a film to another
memory                the memory and disk that it needs, and tiles where there is less
neighbors             the term of the loss that compares place by place
formulas              what the recipes' losses differ in
wasserstein           how far apart two styles are, if they are Gaussians
tiles                 the loss of a picture that is too large for the network at once
sizes                 those that a run paints at, from the coarsest to the result
scratch               what memory has no room for, in files
optimizers            what the optimisers share, SciPy's L-BFGS, Adam
lbfgs                 an L-BFGS of our own, for values within bounds
backend               TensorFlow, JAX or PyTorch, known here only
progress              what a run says of itself as it goes on
settings, checks      the settings of a run; what each may be
recipes               named sets of settings
colors                the photo in the styles' colours, or the other way round
pictures, formats     reading, sizes, writing; the formats that are read
download              where VGG19's weights come from
weights, matfile      their files
errors                what a caller may have to catch
"""

__version__ = "1.1.0.dev0"
