"""Worker processes of several frameworks, alternating on one device."""

import importlib
import multiprocessing as mp
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

ROUNDS, BLOCK_SECONDS = 9, 0.25


def work(connection: Connection, module_name: str) -> None:
    """Process loop: execute requests and answer (success, result)."""
    blocks: dict[str, Any] = {}
    while message := connection.recv():
        verb, *arguments = message
        try:
            module = importlib.import_module(module_name)
            answer = None
            if verb == "prepare":
                blocks = module.prepare(*arguments)
            elif verb == "matmul":
                blocks = {"matmul": module.matmul(*arguments)}
            elif verb == "run":
                kind, times = arguments
                answer = blocks[kind](times)
            elif verb == "trace":
                answer = module.trace(blocks["training"])
            else:
                answer = {"peak_memory_bytes": module.peak_memory(), **module.describe()}
            connection.send((True, answer))
        except Exception:
            connection.send((False, traceback.format_exc()[-2000:]))


class Worker:
    """Handle of a worker process running functions of ``module_name``."""

    def __init__(self, module_name: str):
        context = mp.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=work, args=(other, module_name))
        self.process.start()
        other.close()

    def tell(self, *message: Any) -> None:
        """Send a request without waiting."""
        self.connection.send(message)

    def answer(self, deadline: float) -> Any:
        """Wait for the answer.

        Raises:
            RuntimeError: the request failed or timed out.
        """
        if not self.connection.poll(max(deadline - time.monotonic(), 0.01)):
            raise RuntimeError("no answer within the time limit")
        try:
            done, answer = self.connection.recv()
        except EOFError as error:
            self.process.join(10)
            raise RuntimeError(f"it ended with status {self.process.exitcode}") from error
        if not done:
            raise RuntimeError(answer)
        return answer

    def ask(self, deadline: float, *message: Any) -> Any:
        """Send a request and wait for the answer."""
        self.tell(*message)
        return self.answer(deadline)

    def close(self) -> None:
        """End the process, releasing its memory."""
        self.process.terminate()
        self.process.join(30)


def in_turns(workers: dict[str, Worker], kind: str, deadline: float) -> dict[str, Any]:
    """Seconds of one repetition of each worker, alternating; an error for failed ones."""
    times, seconds, failed = {}, {name: list[float]() for name in workers}, {}
    for round_number in range(ROUNDS + 2):
        for name, worker in workers.items():
            if name in failed:
                continue
            try:
                if round_number < 2:  # warm-up; determines the repetitions of a block
                    each = worker.ask(deadline, "run", kind, 2) / 2
                    times[name] = max(round(BLOCK_SECONDS / each), 2)
                else:
                    done = worker.ask(deadline, "run", kind, times[name])
                    seconds[name].append(done / times[name])
            except (RuntimeError, OSError) as error:
                failed[name] = str(error)
    return {name: failed.get(name) or found for name, found in seconds.items()}
