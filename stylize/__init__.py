"""What stands behind `neural_style_transfer.py`. Arrows run one way, from the bottom to the top:

cli, athalye, web     the programs that people start
terminal              what their command lines share
    (neural_style_transfer.py, the algorithm, hands `paint` to them and uses what is above it)
job                   a run, prepared once: pictures, settings, sizes, memory
progress              what a run says of itself as it goes on
records, films        what it leaves with its pictures
backend               TensorFlow, JAX or PyTorch, known here only
settings              SETTINGS and RECIPES
pictures              reading, sizes, colours, writing
download, weights     where VGG19's weights come from, and their files
errors                what a caller may have to catch
"""

__version__ = "1.0.0"
