"""The workers of a Ray cluster: processes, on one machine or many, that paint pictures or tiles.

    connect            joins a cluster, or starts one on this machine, and places workers on it
    connect_for_tiles  does so for the tiles of one large picture
    Cluster.run        has a worker paint a photo, with files
    Cluster.call       has a worker call a function, without
    Cluster.passes     has all of them run tiles

Files travel with the work: what the options name is sent to the worker, and what the worker has
written comes back and is written here, completely or not at all. So machines need no shared folder,
only the same version of this program.
"""

import argparse
import contextlib
import errno
import itertools
import math
import os
import queue
import secrets
import signal
import socket
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import ray
from ray.exceptions import (
    GetTimeoutError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from stylize.backend.files import replacing
from stylize.backend.machine import THREADS
from stylize.backend.tensors import chosen_backend, keras
from stylize.errors import InputError, is_full, one_line
from stylize.parallel.ray_worker import Worker, input_files, versions
from stylize.runs.checkpoint import state_path
from stylize.runs.job import Job
from stylize.runs.memory import SHARE
from stylize.vgg.weights import VGG19Weights

TILE = 1024  # rows and columns, where nothing else is asked for
START_SECONDS = 60  # that a worker may take to start
STOP_SECONDS = 5  # that one may take to remove its files
DEATHS = 3  # of workers that one photo may cost
AHEAD = 2  # tiles that are sent to a worker before it has answered
STORE_BYTES = 2**30  # for what travels, in the memory of a cluster of our own
# Of a Ray cluster's head: who is answered this without a token may run programs there, too.
ANYBODY_MAY_ASK = "/ray.rpc.InternalKVGcsService/GetInternalConfig"
DEAD = (RayActorError, ObjectLostError, OutOfMemoryError)  # a worker, or its machine


class Place(NamedTuple):
    """Where a worker goes.

    Attributes:
        node: the machine's number in the cluster.
        host: its address.
        cores, gpus: that the worker has for itself.
        memory_mib: that it may take; infinite on a GPU.
    """

    node: str
    host: str
    cores: int
    gpus: int
    memory_mib: float


def place_workers(
    nodes: Sequence[Mapping], needed_mib: float, cores_each: int, most: int
) -> list[Place]:
    """As many workers as machines have room for: one for each GPU, or for so many cores.

    Those of a machine share its cores and memory.

    Args:
        nodes: the machines, as `ray.nodes` has them.
        needed_mib: by a worker; a machine with less has none, unless all have less.
        cores_each: for a worker on a machine without GPUs, at least.
        most: workers that are wanted; where there could be more, all machines get their part.
    """
    machines = []
    for node in nodes:
        has = node["Resources"]
        cores, gpus = int(has.get("CPU", 0)), int(has.get("GPU", 0))
        if not node["Alive"] or not cores:
            continue
        memory = math.inf if gpus else SHARE * has.get("memory", math.inf) / 2**20
        machines.append(Place(node["NodeID"], node["NodeManagerAddress"], cores, gpus, memory))
    ranked: list[tuple[int, Place]] = []
    for machine in [m for m in machines if m.memory_mib >= needed_mib] or machines:
        room = min(machine.cores // cores_each, machine.memory_mib / needed_mib)
        ranked += [(rank, machine) for rank in range(machine.gpus or max(1, int(room)))]
    taken = [machine for _, machine in sorted(ranked, key=lambda entry: entry[0])[:most]]
    numbers = Counter(taken)
    return [_part(machine, numbers[machine]) for machine in taken]


def _part(machine, number):
    """What one of so many workers has of a machine."""
    cores, memory = max(1, machine.cores // number), machine.memory_mib / number
    return machine._replace(cores=cores, gpus=min(machine.gpus, 1), memory_mib=memory)


class Cluster:
    """The workers that are there.

    Args:
        workers: the actors, and where each is.
        on_death: is told in a line that one has died, or can do no more.

    Attributes:
        alive: those that have not died and whose disk is not full.
        executor: threads, one for each, in which to call `run`.
        memory_mib: that each of them may take.
    """

    def __init__(self, workers: Mapping[Any, Place], on_death: Callable[[str], None]):
        self.alive = list(workers)
        self.executor = _started_threads(len(self.alive))
        self.memory_mib = min(place.memory_mib for place in workers.values())
        self._places, self._on_death = dict(workers), on_death
        self.numbers = itertools.count()  # of pictures in tiles
        self._sent: dict[str, Any] = {}
        self._idle: queue.SimpleQueue = queue.SimpleQueue()
        self._lock = threading.Lock()
        for worker in workers:
            self._idle.put(worker)

    def keep_weights(self, weights: VGG19Weights) -> None:
        """Has all workers keep these weights, which travel once to each machine, for `run`."""
        given = ray.put(weights)
        for worker in self.alive:
            worker.keep_weights.remote(given)

    def run(
        self,
        function: Callable,
        args: argparse.Namespace,
        make_room: Callable[[Any], Any] = lambda outcome: outcome,
    ) -> Any:
        """Has a worker call `function`, see `Worker.run`, and returns its outcome.

        Waits for an idle one. May be called in several threads, for several photos. Before the
        files that the worker wrote are written here, `make_room` is called with the outcome, which
        it returns, with its own say in it.

        Raises:
            ChildProcessError: this photo has cost too many workers, or one could not run it.
            ConnectionError: no worker is left.
            OSError: a file cannot be read or written.
        """
        prefix = Path(args.result_prefix)
        state = state_path(prefix)
        files = {path: self._send(path) for path in input_files(args) if path != args.base}
        files[args.base] = ray.put(Path(args.base).read_bytes())
        kept = state.read_bytes() if state.exists() else None
        outcome, written = self._call(args.base, "run", function, args, files, kept)
        outcome = make_room(outcome)
        for name, content in written.items():
            with replacing(prefix.with_name(name)) as path:
                path.write_bytes(content)
        if state.name not in written:
            state.unlink(missing_ok=True)
        return outcome

    def _send(self, path):
        """A reference to what is in a file, which travels once to each machine."""
        with self._lock:
            if path not in self._sent:
                self._sent[path] = ray.put(Path(path).read_bytes())
            return self._sent[path]

    def share(self, value: Any) -> Any:
        """A reference to a value, which travels once to each machine, for `call`."""
        return ray.put(value)

    def call(self, name: str, function: Callable, *arguments: Any) -> Any:
        """What a worker's call of `function` returns, with the weights and these arguments.

        Waits for an idle one. May be called in several threads. Errors are those of `run`.

        Args:
            name: of what it is done for, which errors begin with.
            function, arguments: for `Worker.call`; references of `share` are resolved there.
        """
        return self._call(name, "call", function, *arguments)

    def _call(self, done_for, name, *arguments):
        """What a method of an idle worker returns; of another, where that one is lost meanwhile."""
        for _ in range(DEATHS):
            worker = self._idle.get()
            if worker is None:
                self._idle.put(None)  # for those who wait, too
                raise self._none_left()
            try:
                return ray.get(getattr(worker, name).remote(*arguments))
            except RayTaskError as error:  # first: it may be of the others' kinds, too
                if not is_full(error.cause):
                    raise ChildProcessError(errno.ECHILD, _cause(error), done_for) from None
                self.bury(worker, "has no space left on its disk")
            except DEAD:
                self.bury(worker)
            finally:
                if worker in self.alive:
                    self._idle.put(worker)
        reason = f"has cost {DEATHS} workers, perhaps for lack of memory or disk"
        raise ChildProcessError(errno.ECHILD, reason, done_for)

    def bury(self, worker: Any, reason: str = "has died") -> None:
        """Takes note that a worker has died, or why else it is given nothing more to do."""
        with self._lock:
            if worker not in self.alive:
                return
            self.alive.remove(worker)
            left = len(self.alive)
        if not left:
            self._idle.put(None)
        self._on_death(f"a worker on {self._places[worker].host} {reason}; workers left: {left}")

    def living(self, number: int) -> Any:
        """A worker, the same for the same number as long as all live. Raises ConnectionError."""
        with self._lock:
            if not self.alive:
                raise self._none_left()
            return self.alive[number % len(self.alive)]

    def _none_left(self):
        return ConnectionError(errno.ECONNABORTED, "no worker is left", "--ray")

    def passes(self, *given: Any) -> "ClusterPasses":
        """Runs tiles on the workers; arguments as for `TilePasses`."""
        return ClusterPasses(self, *given)

    def stop(self) -> None:
        """Ends all workers, whatever they do."""
        self._on_death = lambda line: None  # they are told to
        stop_at_once = {"concurrency_group": "control"}
        ends = [worker.stop.options(**stop_at_once).remote() for worker in self._places]
        ray.wait(ends, num_returns=len(ends), timeout=STOP_SECONDS)
        for worker in self._places:
            ray.kill(worker)
        self.executor.shutdown(cancel_futures=True)  # before Ray, which a call would start anew


def _started_threads(number):
    """Threads that are all there: one that Ctrl-C finds starting would not be waited for."""
    executor, barrier = ThreadPoolExecutor(number), threading.Barrier(number)
    for _ in range(number):
        executor.submit(barrier.wait)
    return executor


class ClusterPasses:
    """`TilePasses` on the workers, each of which keeps the targets of its own tiles.

    Args:
        cluster: the workers.
        network, terms, tiles, targets: as for `TilePasses`.
    """

    def __init__(self, cluster: Cluster, network: Any, terms: Any, tiles: Any, targets: Any):
        self._cluster, self._number = cluster, next(cluster.numbers)
        self._tiles, self._targets = tiles, targets
        given = ray.put((network, terms, tiles))
        for worker in cluster.alive:
            worker.begin_tiles.remote(self._number, given)
        self._owners = [self._give(index) for index in range(len(tiles))]

    def _give(self, index):
        """Has a worker keep a tile. Returns the worker."""
        worker = self._cluster.living(index)
        worker.keep_tile.remote(self._number, index, _as_numpy(self._targets[index]))
        return worker

    def map(self, name: str, picture: np.ndarray, *others: Any) -> Iterator:
        """As that of `TilePasses`. Raises ConnectionError: no worker is left."""
        shared = [ray.put(_as_numpy(other)) for other in others]

        def submit(index):
            part = np.ascontiguousarray(picture[self._tiles[index].outer])
            return self._owners[index].run_tile.remote(self._number, name, index, part, *shared)

        def result(index, reference):
            while True:
                try:
                    return ray.get(reference)
                except DEAD:
                    self._cluster.bury(self._owners[index])
                    self._owners[index] = self._give(index)
                    reference = submit(index)

        sent: deque = deque()
        for index in range(len(self._tiles)):
            sent.append((index, submit(index)))
            while len(sent) >= AHEAD * len(self._cluster.alive) > 0:
                yield result(*sent.popleft())
        while sent:
            yield result(*sent.popleft())


def _as_numpy(nested):
    """The tensors in nested lists, dictionaries and tuples as NumPy's arrays; None stays."""
    return keras.tree.map_structure(
        lambda x: None if x is None else keras.ops.convert_to_numpy(x), nested
    )


@contextlib.contextmanager
def connect(
    address: str,
    needed_mib: float,
    cores_each: int,
    most: int,
    on_death: Callable[[str], None] = lambda line: None,
) -> Iterator[Cluster]:
    """A cluster with workers, of which none is left behind, however it is left.

    Args:
        address: HOST:PORT or "auto" of a cluster that this machine is part of; "local": one of this
            machine alone, for as long as it is needed.
        needed_mib, cores_each, most: as for `place_workers`.
        on_death: as for `Cluster`.

    Raises:
        InputError: there is no such cluster, or it has no room, takes orders from anybody, or has
            other versions of this program and of what it computes with.
    """
    _join(address)
    cluster = None
    try:
        _require_token(address)
        places = place_workers(ray.nodes(), needed_mib, cores_each, most)
        cluster = Cluster(_start(places, address), on_death)
        yield cluster
    finally:
        if cluster:
            cluster.stop()
        ray.shutdown()


def _join(address):
    """Starts Ray, or joins what is there, without a word. Raises InputError."""
    quiet = {"log_to_driver": False, "logging_level": "CRITICAL"}
    where: dict[str, Any] = {"address": address}
    if address == "local":
        where |= {"include_dashboard": False, "object_store_memory": STORE_BYTES}
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex())  # else Ray keeps one in a file
    elif address != "auto":
        _require_reachable(address)
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**where, **quiet)
    except (RayError, RuntimeError, ValueError, OSError) as error:
        raise InputError(f"--ray {address}: {one_line(error)}") from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)  # Ray has put its own there


def _require_token(address):
    """Raises InputError where the cluster that has been joined answers those without a token, too.

    With a token here, Ray joins such a cluster without a word. One that wants TLS does not answer.
    """
    import grpc  # not at the top: it takes a while

    head = ray.get_runtime_context().gcs_address
    with grpc.insecure_channel(head, [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(ANYBODY_MAY_ASK)(b"", timeout=STOP_SECONDS)
        except grpc.RpcError:
            return
    raise InputError(
        f"--ray {address}: whoever reaches {head} can run programs on this cluster, for it asks "
        "for no token; start it anew with RAY_AUTH_MODE=token and RAY_AUTH_TOKEN set on all "
        "machines, see docs/cluster.md"
    )


def _require_reachable(address):
    """Raises InputError unless something listens there; Ray would wait for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=STOP_SECONDS).close()
    except (ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or "nothing is there"
        raise InputError(
            f"--ray {address}: {reason}; give local, auto, or the HOST:PORT that "
            "ray start has printed"
        ) from None


def _start(places, address):
    """The workers that could be started, actor -> place. Raises InputError: none, or not alike."""
    actors = ray.remote(concurrency_groups={"control": 1})(Worker)
    starting = {}
    for place in places:
        worker = actors.options(
            num_cpus=place.cores,
            num_gpus=place.gpus,
            scheduling_strategy=NodeAffinitySchedulingStrategy(place.node, soft=False),
        ).remote(_environment(place))
        starting[worker.versions.remote(_backend())] = worker, place
    deadline, workers, here = time.monotonic() + START_SECONDS, {}, versions(_backend())
    for reference, (worker, place) in starting.items():
        try:
            there = ray.get(reference, timeout=max(0, deadline - time.monotonic()))
        except GetTimeoutError:
            continue
        except RayError as error:
            raise InputError(f"--ray {address}: {place.host}: {_cause(error)}") from None
        if others := [name for name in here if here[name] != there[name]]:
            found = ", ".join(f"{name} {there[name]} (here {here[name]})" for name in others)
            raise InputError(
                f"--ray {address}: {place.host} has {found}; install the same on all machines"
            )
        workers[worker] = place
    if not workers:
        raise InputError(f"--ray {address}: none of the cluster's machines has a core free")
    return workers


def _environment(place):
    """The variables that a worker is to have: for the backend in use here, on the cores there."""
    return dict.fromkeys(THREADS, str(place.cores)) | {"KERAS_BACKEND": _backend()}


def _backend():
    """The backend in use here."""
    return keras.backend.backend() if "keras" in sys.modules else chosen_backend()


def _cause(error):
    """The last line of what Ray says, which tells most."""
    return one_line(str(error).strip().splitlines()[-1])


def connect_for_tiles(
    job: Job, address: str, cores_each: int, on_death: Callable[[str], None]
) -> contextlib.AbstractContextManager[Cluster]:
    """A cluster with workers for the tiles of one picture: paint the job with its `passes`.

    Args:
        job: of the picture.
        address, cores_each, on_death: as for `connect`.

    Raises:
        InputError: as `connect`, or the picture is too small to be cut.
    """
    tiles = [math.ceil(s.rows / s.tile) * math.ceil(s.cols / s.tile) for s in job.stages if s.tile]
    if not tiles:
        rows, cols = job.stages[-1][:2]
        raise InputError(
            f"--ray has nothing to share out: {cols}x{rows} pixels are one tile; "
            "give a folder, or a smaller --tile"
        )
    needed = max(job.needed_mib_at(stage) for stage in job.stages if stage.tile)
    return connect(address, needed, cores_each, max(tiles), on_death)
