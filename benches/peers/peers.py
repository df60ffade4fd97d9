"""The same work in PyTorch, JAX and onnxruntime, for benches/peers/main.rs: `python3 peers.py WORK FOLDER`.

WORK is one of train-128, train-1024, many, oracle. The folder holds the data that Absolve was given. Prints one JSON
document: the seconds of each repeat, of the work alone, after one repeat to warm up.
"""

import json
import sys
import time

import numpy as np

ROUNDS = 3


def timed(work, warm=True):
    if warm:
        work()
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def weights(widths, rng):
    """Weights and biases of a net, as PyTorch draws them."""
    return [
        (
            rng.uniform(-(a**-0.5), a**-0.5, (b, a)).astype(np.float32),
            rng.uniform(-(a**-0.5), a**-0.5, b).astype(np.float32),
        )
        for a, b in zip(widths[:-1], widths[1:])
    ]


def train(folder, batch):
    import torch
    import torch.nn as nn

    torch.set_num_threads(2)
    x = np.fromfile(f"{folder}/pixels.u8", np.uint8).reshape(-1, 784).astype(np.float32) / 255
    y = np.fromfile(f"{folder}/classes.u8", np.uint8).astype(np.int64)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    torch.manual_seed(1)
    net = nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)

    def epoch():
        order = torch.randperm(len(x))
        for i in range(0, len(x), batch):
            rows = order[i : i + batch]
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
            loss.backward()
            optimizer.step()

    return torch.__version__, timed(epoch)


def many(_):
    import jax
    import jax.numpy as jnp

    nets, n, batch, steps, widths = 64, 1024, 64, 256, [20, 64, 32, 1]
    rng = np.random.default_rng(1)
    x = (2 * rng.integers(0, 2, (nets, n, 20)) - 1).astype(np.float32)
    y = (x[:, :, 0] * x[:, :, 1])[:, :, None]
    drawn = [weights(widths, rng) for _ in range(nets)]
    start = [
        tuple(jnp.stack([drawn[k][layer][part] for k in range(nets)]) for part in (0, 1))
        for layer in range(3)
    ]

    def loss(p, x, y):
        for i, (w, b) in enumerate(p):
            x = x @ w.T + b
            if i < 2:
                x = jax.nn.relu(x)
        return ((x - y) ** 2).mean()

    def step(state, i, x, y):
        p, m, v, t = state
        at = (i * batch) % n
        xb = jax.lax.dynamic_slice(x, (at, 0), (batch, 20))
        yb = jax.lax.dynamic_slice(y, (at, 0), (batch, 1))
        value, g = jax.value_and_grad(loss)(p, xb, yb)
        t = t + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        one, two = 1 / (1 - 0.9**t), 1 / (1 - 0.999**t)
        p = jax.tree.map(lambda p, m, v: p - 1e-3 * m * one / (jnp.sqrt(v * two) + 1e-8), p, m, v)
        return (p, m, v, t), value

    @jax.jit
    def run(state, x, y):
        body = lambda state, i: jax.vmap(lambda s, x, y: step(s, i, x, y))(state, x, y)
        return jax.lax.scan(body, state, jnp.arange(steps))

    zeros = jax.tree.map(jnp.zeros_like, start)
    state = (start, zeros, zeros, jnp.zeros(nets))
    x, y = jnp.asarray(x), jnp.asarray(y)
    return jax.__version__, timed(lambda: jax.block_until_ready(run(state, x, y)))


def oracle(folder):
    import onnx
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    block, blocks = 65536, 16
    bits = np.unpackbits(np.fromfile(f"{folder}/signs.bits", np.uint8)).reshape(block, 100)
    x = 2 * bits.astype(np.float32) - 1
    nodes, tensors, at = [], [], "x"
    drawn = weights([100, 256, 128, 1], np.random.default_rng(1))
    for i, (w, b) in enumerate(drawn):
        tensors += [numpy_helper.from_array(w, f"w{i}"), numpy_helper.from_array(b, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [at, f"w{i}", f"b{i}"], [f"z{i}"], transB=1))
        at = f"z{i}"
        if i < 2:
            nodes.append(helper.make_node("Relu", [at], [f"h{i}"]))
            at = f"h{i}"
    row = lambda name, width: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])
    graph = helper.make_graph(nodes, "mlp", [row("x", 100)], [row(at, 1)], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    best = None
    # The batch that suits it best, of three.
    for rows in (1024, 8192, 65536):
        parts = [x[i : i + rows] for i in range(0, block, rows)]

        def million():
            for _ in range(blocks):
                for part in parts:
                    session.run(None, {"x": part})

        seconds = timed(million)
        if best is None or min(seconds) < min(best):
            best = seconds
    return ort.__version__, best


if __name__ == "__main__":
    work, folder = sys.argv[1:]
    kinds = {
        "train-128": lambda: train(folder, 128),
        "train-1024": lambda: train(folder, 1024),
        "many": lambda: many(folder),
        "oracle": lambda: oracle(folder),
    }
    version, seconds = kinds[work]()
    print(json.dumps({"version": version, "seconds": seconds}))
