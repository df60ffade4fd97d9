"""The sparse-transform package on the instances of examples/fourier_sweep: `python3 heavy_peer.py N K EPS TRIALS`.

Sums of K random characters of any degree on N bits, norm 1, and ±3 on a share EPS of inputs. The package needs the number of
bins b and the noise's size: both are chosen with hindsight, b the smallest at which it is exact in every trial. Prints one line
of CSV: n, k, share, b, queries, exact trials, trials, mean seconds.
"""

import sys
import time

import numpy as np


class Instance:
    def __init__(self, n, k, share, seed):
        rng = np.random.default_rng(seed)
        self.n, self.share = n, share
        self.sets = rng.integers(0, 2, (k, n), dtype=np.int64)
        values = rng.choice([-1.0, 1.0], k) * rng.uniform(1.0, 1.5, k)
        self.values = values / np.linalg.norm(values)
        self.sketch = rng.integers(0, 2, (n, 60), dtype=np.int64)
        self.salt = int(rng.integers(1 << 40))
        self.asked, self.seconds = 0, 0.0

    def __call__(self, points):
        start = time.perf_counter()
        points = np.asarray(points, dtype=np.int64)
        self.asked += len(points)
        truth = ((-1.0) ** ((points @ self.sets.T) % 2)) @ self.values
        if self.share > 0:
            words = ((points @ self.sketch) % 2) @ (1 << np.arange(60, dtype=np.int64))
            noise = (words ^ self.salt) * np.int64(0x5851F42D4C957F2D)
            noise ^= noise >> 29
            noise *= np.int64(0x14057B7EF767814F)
            uniform = ((noise >> 20) & ((1 << 40) - 1)) / float(1 << 40)
            truth = np.where(uniform < self.share, np.where(noise & (1 << 10), 3.0, -3.0), truth)
        self.seconds += time.perf_counter() - start
        return np.clip(truth, -3.0, 3.0)


def one(n, k, share, b, seed):
    from sparse_transform.qsft.qsft import transform
    from sparse_transform.qsft.signals.input_signal_subsampled import SubsampledSignal

    instance = Instance(n, k, share, seed)
    np.random.seed(seed)
    start = time.perf_counter()
    signal = SubsampledSignal(
        func=instance, n=n, q=2,
        query_args={"query_method": "complex", "num_subsample": 3, "b": b, "delays_method_source": "identity",
                    "delays_method_channel": "identity", "num_repeat": 1, "subsampling_method": "qsft"},
    )
    found = transform(signal, reconstruct_method_source="identity", reconstruct_method_channel="identity",
                      num_subsample=3, num_repeat=1, b=b, noise_sd=np.sqrt(share * 10.0))
    seconds = time.perf_counter() - start - instance.seconds
    tau = np.abs(instance.values).min()
    kept = {tuple(key) for key, value in found.items() if abs(value) >= tau / 2}
    return kept == {tuple(row) for row in instance.sets}, instance.asked, seconds


def main():
    n, k, share, trials = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    for b in range(2, 10):
        results = [one(n, k, share, b, seed) for seed in range(trials)]
        exact = sum(result[0] for result in results)
        if exact == trials:
            break
    print(f"{n},{k},{share},{b},{results[0][1]},{exact},{trials},{np.mean([r[2] for r in results]):.3f}")


if __name__ == "__main__":
    main()
