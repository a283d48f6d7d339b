"""What Keras and its backend are told before they are imported."""

import os

from stylize.backend import tensors


def test_tensorflow_takes_no_more_of_a_gpu_than_it_needs():
    tensors.import_keras()
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
