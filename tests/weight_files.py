"""Weight files of VGG19 in every layout that is read, as other programs write them."""

import h5py
import numpy as np
import scipy.io

from stylize.backend.tensors import keras
from stylize.vgg.weights import write_h5


def write_full_model_h5(weights, path):
    """The layout of a whole saved model, with an optimizer's arrays and a classifier beside it."""
    with h5py.File(path, "w") as file:
        for name, (kernel, bias) in weights.layers.items():
            file[f"model_weights/{name}/{name}/kernel"] = kernel
            file[f"model_weights/{name}/{name}/bias"] = bias
        file["model_weights/fc1/fc1/kernel"] = np.zeros((4, 4))
        file["optimizer_weights/block1_conv1/kernel"] = np.zeros((3, 3, 3, 4))


def write_old_names_h5(weights, path):
    """The layout of Keras's own notop file: block1_conv1/block1_conv1_W_1:0."""
    with h5py.File(path, "w") as file:
        for name, (kernel, bias) in weights.layers.items():
            file[f"{name}/{name}_W_1:0"] = kernel
            file[f"{name}/{name}_b_1:0"] = bias


def write_numbered_weights_h5(weights, path):
    """Early Keras 3's .weights.h5: layers by number, without their names."""
    with h5py.File(path, "w") as file:
        for index, (kernel, bias) in enumerate(weights.layers.values()):
            group = f"layers/conv2d_{index}" if index else "layers/conv2d"
            file[f"{group}/vars/0"], file[f"{group}/vars/1"] = kernel, bias


def write_keras_weights_h5(weights, path):
    """What this Keras's own `save_weights` writes."""
    inputs = x = keras.Input((None, None, 3))
    for name, (kernel, _) in weights.layers.items():
        x = keras.layers.Conv2D(kernel.shape[-1], 3, name=name)(x)
    model = keras.Model(inputs, x)
    for name, arrays in weights.layers.items():
        model.get_layer(name).set_weights(arrays)
    model.save_weights(path)


def matconvnet_layers(weights, record):
    """The `layers` cell array of a MatConvNet file, RGB and (width, height, in, out)."""
    cells = []
    for index, (name, (kernel, bias)) in enumerate(weights.layers.items()):
        if index == 0:
            kernel = kernel[:, :, ::-1]
        pair = np.empty((1, 2), object)
        pair[0, 0], pair[0, 1] = kernel.transpose(1, 0, 2, 3), bias[np.newaxis]
        cells += [record(name, pair), {"type": "relu", "name": name.replace("conv", "relu")}]
    layers = np.empty((1, len(cells)), object)
    layers[0, :] = cells
    return layers


def mean_image(weights):
    return np.tile(np.array(weights.mean_bgr[::-1]), (4, 4, 1))


def write_old_mat(weights, path):
    layers = matconvnet_layers(
        weights, lambda name, pair: {"weights": pair, "pad": 1, "type": "conv", "name": name}
    )
    normalization = {"averageImage": mean_image(weights), "keepAspect": 1}
    scipy.io.savemat(path, {"layers": layers, "normalization": normalization})


def write_new_mat(weights, path):
    layers = matconvnet_layers(
        weights, lambda name, pair: {"name": name, "type": "conv", "weights": pair, "pad": 1}
    )
    normalization = {"imageSize": [224, 224, 3], "averageImage": mean_image(weights)}
    scipy.io.savemat(path, {"layers": layers, "meta": {"normalization": normalization}})


def write_packed_mat(weights, path):
    """As MATLAB saves by default: each variable compressed."""
    write_new_mat(weights, path)
    variables = scipy.io.loadmat(path)
    scipy.io.savemat(
        path, {name: variables[name] for name in ("layers", "meta")}, do_compression=True
    )


FORMATS = {
    "ours.h5": write_h5,
    "model.h5": write_full_model_h5,
    "notop.h5": write_old_names_h5,
    "numbered.weights.h5": write_numbered_weights_h5,
    "keras.weights.h5": write_keras_weights_h5,
    "old.mat": write_old_mat,
    "new.mat": write_new_mat,
    "packed.mat": write_packed_mat,
}
