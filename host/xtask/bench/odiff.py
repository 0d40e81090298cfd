"""odiff on pairs of files: `odiff.py FOLDER server|processes IMAGES BASELINE COUNT WORKERS VALUES`, soft edges left out; FOLDER is where npm installed it.

`server`: so many servers, each given its share of the pairs in batches, so that it never waits for a question; the diff images that it
must write go to memory where there is a folder for that. `processes`: a process for each pair, so many at a time, without diff image.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from measured import answer

package, way, images, baseline, count, workers, values_path = sys.argv[1:]
count, workers = int(count), int(workers)
BATCH = 20


def files(index):
    return f"{baseline}/{index}.png", f"{images}/{index}.png"


def in_server(numbers, folder):
    counts = {}
    pipe = subprocess.PIPE
    with subprocess.Popen([program, "--server"], stdin=pipe, stdout=pipe, text=True) as server:
        server.stdout.readline()  # that it is ready
        for start in range(0, len(numbers), BATCH):
            batch = numbers[start : start + BATCH]
            for number in batch:
                base, compare = files(number)
                question = {"requestId": number, "base": base, "compare": compare, "output": f"{folder}/{number}.png"}
                server.stdin.write(json.dumps(question | {"options": {"antialiasing": True}}) + "\n")
            server.stdin.flush()
            for _ in batch:
                reply = json.loads(server.stdout.readline())
                if "match" not in reply:
                    raise SystemExit(f"odiff: {reply}")
                counts[reply["requestId"]] = reply.get("diffCount", 0)
        server.stdin.close()
    return counts


def in_process(number):
    done = subprocess.run([program, *files(number), "--aa", "--parsable-stdout"], stdout=subprocess.PIPE, text=True)
    if done.returncode not in (0, 22):
        raise SystemExit(f"odiff: {done.returncode} {done.stdout}")
    return int(done.stdout.split(";")[0])


# the command that npm installs would start node first, each time
find = "console.log(require(process.argv[1]).findBinary())"
module = os.path.join(os.path.abspath(package), "node_modules", "odiff-bin", "binary.js")
program = subprocess.run(["node", "-e", find, module], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
with tempfile.TemporaryDirectory(dir=memory) as folder, ThreadPoolExecutor(workers) as pool:
    started = time.perf_counter()
    if way == "server":
        shares = [list(range(worker, count, workers)) for worker in range(workers)]
        counts = {}
        for share in pool.map(lambda numbers: in_server(numbers, folder), shares):
            counts |= share
        counts = [counts[number] for number in range(count)]
    else:
        counts = list(pool.map(in_process, range(count)))
    seconds = time.perf_counter() - started
with open(values_path, "w") as file:
    json.dump(counts, file)
answer(seconds=seconds)
