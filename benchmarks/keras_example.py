"""The Keras example's algorithm as it was published: what ours is compared with.

It shares no code with `neural_style_transfer.py` but the reading of weights and pictures: VGG19 is
`keras.applications.VGG19`, and every evaluation runs it on the concatenated base, style reference
and combination.
"""

import numpy as np
from scipy.optimize import fmin_l_bfgs_b

from neural_style_transfer import keras

assert keras.backend.backend() == "tensorflow", "the Keras example needs KERAS_BACKEND=tensorflow"
import tensorflow as tf  # after Keras, whose import is the silent one

STYLE_LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")


def vgg19(weights):
    """`keras.applications.VGG19` with `VGG19Weights`, giving all its layers' outputs by name."""
    model = keras.applications.VGG19(weights=None, include_top=False)
    for name, arrays in weights.layers.items():
        model.get_layer(name).set_weights(arrays)
    model.trainable = False
    wanted = {layer.name: layer.output for layer in model.layers if "conv" in layer.name}
    return keras.Model(
        model.input, {name: wanted[name] for name in ("block5_conv2", *STYLE_LAYERS)}
    )


def gram(features):
    flat = tf.reshape(tf.transpose(features, (2, 0, 1)), (features.shape[-1], -1))
    return tf.matmul(flat, flat, transpose_b=True)


def concatenated_loss_and_grads(
    weights, base, style, content_weight=0.025, style_weight=1.0, tv_weight=1.0
):
    """The function from a flat float64 picture to (loss, flat float64 gradient).

    Args:
        weights: a `VGG19Weights`.
        base, style: (rows, cols, 3), BGR minus mean, float32.
    """
    network = vgg19(weights)
    rows, cols, _ = base.shape
    base, style = tf.constant(base[None]), tf.constant(style[None])

    @tf.function
    def loss_and_grads(combination):
        with tf.GradientTape() as tape:
            tape.watch(combination)
            features = network(tf.concat([base, style, combination], axis=0))
            content = features["block5_conv2"]
            loss = content_weight * tf.reduce_sum((content[2] - content[0]) ** 2)
            for layer in STYLE_LAYERS:
                difference = tf.reduce_sum(
                    (gram(features[layer][1]) - gram(features[layer][2])) ** 2
                )
                scale = style_weight / len(STYLE_LAYERS) / (4.0 * 3**2 * (rows * cols) ** 2)
                loss += scale * difference
            a = (combination[:, :-1, :-1] - combination[:, 1:, :-1]) ** 2
            b = (combination[:, :-1, :-1] - combination[:, :-1, 1:]) ** 2
            loss += tv_weight * tf.reduce_sum((a + b) ** 1.25)
        return loss, tape.gradient(loss, combination)

    def flat(x):
        loss, grads = loss_and_grads(tf.constant(x.reshape(1, rows, cols, 3), tf.float32))
        return float(loss), grads.numpy().astype(np.float64).ravel()

    return flat


class Evaluator:
    """As published: the loss call computes both, the gradient call hands over what is there."""

    def __init__(self, loss_and_grads):
        self.loss_and_grads = loss_and_grads
        self.grad_values = None

    def loss(self, x):
        value, self.grad_values = self.loss_and_grads(x)
        return value

    def grads(self, x):
        return self.grad_values


def run(loss_and_grads, x, iterations):
    """The published loop. Yields (x, loss) after each iteration."""
    evaluator = Evaluator(loss_and_grads)
    for _ in range(iterations):
        x, loss, _ = fmin_l_bfgs_b(evaluator.loss, x.ravel(), fprime=evaluator.grads, maxfun=20)
        yield x, loss
