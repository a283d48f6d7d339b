"""Everything behind `neural_style_transfer.py`. A room imports only those below it:

apps      the commands: one photo, folder, film, page, and the TensorFlow neural-style program
parallel  several processes of this machine, or of a Ray cluster
runs      what is asked for and what a run is: settings, recipes, sizes, memory, checkpoints
optimize  L-BFGS and Adam, and where they are between two steps
losses    the terms of the loss, for a whole picture or tile by tile
images    reading, resizing, recolouring and writing pictures and films
vgg       VGG19's layers and weights, and what it expects of a picture
backend   TensorFlow, JAX or PyTorch; the machine, its files and signals
errors    those that a caller may have to catch
"""

__version__ = "1.1.0.dev0"
