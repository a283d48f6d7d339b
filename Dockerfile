# The program and its page, on the processor:
#     docker build -t neural-style-transfer .
#     docker run --rm -p 127.0.0.1:7860:7860 -v style-weights:/weights neural-style-transfer
#     docker run --rm --user "$(id -u)" -v style-weights:/weights -v "$PWD:/work" \
#         neural-style-transfer neural-style-transfer photo.jpg painting.jpg results/painted
# Options for the page, memory and a password: see docs/install.md.
# What it is built from is the same, to the byte, on every day: see CONTRIBUTING.md.
FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

WORKDIR /source
COPY constraints.txt ./
RUN pip install --no-cache-dir --require-hashes -r constraints.txt
COPY README.md LICENSE pyproject.toml requirements.txt neural_style.py neural_style_transfer.py ./
COPY img img
COPY stylize stylize
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

# Anybody may run it (--user "$(id -u)"), so that results belong to the one who asked for them.
RUN useradd --create-home painter \
    && mkdir --mode=1777 /weights /work \
    && chmod 1777 /home/painter
ENV HOME=/home/painter KERAS_HOME=/weights MPLCONFIGDIR=/tmp/matplotlib
USER painter
WORKDIR /work
VOLUME /weights
EXPOSE 7860
CMD ["neural-style-transfer-app", "--host", "0.0.0.0"]
