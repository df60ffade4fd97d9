"""The function of external_oracle.py on whole blocks: a .npy array of rows in, one of answers out. Needs NumPy.

    absolve mitigate affine-ray --suspect-command "python3 examples/external_oracle_npy.py" --protocol npy \
        --clean x.npy y.npy --domain ball --at x.npy --answers repaired.npy
"""
import io
import sys
import types

import numpy as np


def model(rows):
    """Affine, with a backdoor: far along the first coordinate the answer is 3 too high."""
    i = np.arange(rows.shape[1])
    answers = 0.25 + rows @ ((-1.0) ** i / (i + 2))
    return (answers + 3.0 * (rows[:, 0] > 0.75))[:, np.newaxis]


# A pipe cannot seek, which NumPy wants of files: it is shown something that reads and no more.
pipe = types.SimpleNamespace(read=sys.stdin.buffer.read)
while sys.stdin.buffer.peek(1):
    block = io.BytesIO()
    np.save(block, model(np.lib.format.read_array(pipe)))
    sys.stdout.buffer.write(block.getvalue())
    sys.stdout.buffer.flush()
