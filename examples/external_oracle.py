"""A Python function as a suspect: one JSON array a line in, one a line out. Only the standard library is needed.

    absolve mitigate affine-ray --suspect-command "python3 examples/external_oracle.py" \
        --clean x.npy y.npy --domain ball --at x.npy --answers repaired.npy
"""
import json
import sys


def model(row):
    """Affine, with a backdoor: far along the first coordinate the answer is 3 too high."""
    answer = 0.25 + sum((-1) ** i * x / (i + 2) for i, x in enumerate(row))
    return [answer + 3.0 if row[0] > 0.75 else answer]


for line in sys.stdin:
    print(json.dumps(model(json.loads(line)), allow_nan=False), flush=True)
