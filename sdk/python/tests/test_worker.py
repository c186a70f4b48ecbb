# SPDX-License-Identifier: Apache-2.0
"""A worker against a scripted server: what it says on the wire, and when."""

import logging
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import unittest

from freshet import Client, LeaseLost, Refused, Worker
from tests.scripted_server import ScriptedServer, a_job

logging.getLogger("freshet").setLevel(logging.CRITICAL)


class Working(unittest.TestCase):
    def setUp(self) -> None:
        self.server = ScriptedServer()
        self.running = []

    def tearDown(self) -> None:
        for worker, thread, _ in self.running:
            worker.stop()
            worker.stop()
            thread.join(10)
        self.server.close()

    def start(self, handler, **options):
        """A worker of the queue `work` in a thread; gives it and a function that stops it and gives its exit code."""
        worker = Worker(self.server.url, **{"id": "w1", "wait": "5s", "grace": "5s", **options})
        worker.task("work")(handler)
        codes = []
        thread = threading.Thread(target=lambda: codes.append(worker.run()), daemon=True)
        thread.start()
        self.running.append((worker, thread, codes))

        def end():
            worker.stop()
            thread.join(10)
            return codes[0]

        return worker, end

    def test_claims_for_all_free_slots_at_once_and_tells_ends_together(self) -> None:
        self.server.offer(*[a_job(n, input=n) for n in range(40)])
        _, end = self.start(lambda job, value: value * 2, slots=20)
        self.server.wait_until(lambda: len(self.server.ended()) == 40)
        self.assertEqual(end(), 0)
        self.assertEqual(self.server.of("/v1/work/claim")[0].body["slots"], 20)
        self.assertEqual({job["id"]: (job["fence"], job["result"]) for job in self.server.ended()},
                         {f"j_{n}": (100 + n, n * 2) for n in range(40)})
        self.assertLess(len(self.server.of("/v1/work/complete")), 30)
        self.assertEqual(self.server.of("/v1/work/complete")[0].body["worker"], "w1")

    def test_claims_ahead_of_its_slots_and_gives_back_what_it_never_began(self) -> None:
        go, begun = threading.Event(), threading.Event()
        self.server.offer(*[a_job(n) for n in range(4)])
        _, end = self.start(lambda job: (begun.set(), go.wait(5)) and None, slots=1, ahead=3)
        begun.wait(5)
        self.assertEqual(self.server.of("/v1/work/claim")[0].body["slots"], 4)
        threading.Timer(0.3, go.set).start()
        self.assertEqual(end(), 0)
        self.assertEqual(len(self.server.ended()) + len(self.server.ended("release")), 4)
        self.assertGreaterEqual(len(self.server.ended("release")), 2)

    def test_hands_back_what_the_open_claim_brings_when_it_ends(self) -> None:
        asked, go = threading.Event(), threading.Event()

        def claim(call):
            asked.set()
            go.wait(5)
            return 200, {"jobs": [a_job(1)]}

        self.server.scripts["/v1/work/claim"] = claim
        worker, end = self.start(lambda job: None)
        asked.wait(5)
        worker.stop()
        go.set()
        self.running[0][1].join(10)
        self.assertEqual([job["id"] for job in self.server.ended("release")], ["j_1"])

    def test_beats_while_a_handler_is_busy(self) -> None:
        def busy(job):
            until = time.monotonic() + 1.8
            while time.monotonic() < until:
                pass

        self.server.offer(a_job(1, lease_ms=1200))
        self.start(busy)
        self.server.wait_until(lambda: self.server.ended())
        times = [call.at for call in self.server.of("/v1/work/beat")]
        self.assertGreaterEqual(len(times), 3)
        self.assertLess(max(b - a for a, b in zip(times, times[1:])), 1.2)

    def test_beats_as_often_as_it_is_told(self) -> None:
        # The lease is 30 s: by itself the first beat would leave after 8 s at the soonest.
        self.server.offer(a_job(1, lease_ms=30_000))
        self.start(lambda job: self.server.wait_until(lambda: len(self.server.of("/v1/work/beat")) >= 3), beat_every=0.05)
        self.server.wait_until(lambda: self.server.ended("complete"))

    def test_tells_progress_at_most_four_times_a_second_and_the_last_always(self) -> None:
        def hurry(job):
            started = time.monotonic()
            n = 0
            while time.monotonic() < started + 1.0:
                n += 1
                job.progress(n, step="count")
            job.progress(10**9, 10**9)

        self.server.offer(a_job(1))
        self.start(hurry)
        self.server.wait_until(lambda: self.server.ended())
        told = [job["progress"] for call in self.server.of("/v1/work/beat") for job in call.body["jobs"] if "progress" in job]
        self.assertLessEqual(len(told), 6)
        self.assertGreaterEqual(len(told), 3)
        self.assertEqual((told[-1]["done"], told[-1]["total"], told[-1]["phase"]), (10**9, 10**9, "count"))
        paths = [call.path for call in self.server.calls]
        last_beat = len(paths) - 1 - paths[::-1].index("/v1/work/beat")
        self.assertLess(last_beat, paths.index("/v1/work/complete"))

    def test_says_the_last_progress_only_when_no_beat_with_an_older_one_is_under_way(self) -> None:
        first, over, go = threading.Event(), threading.Event(), threading.Event()

        def hold(call):
            if any("progress" in job for job in call.body["jobs"]) and not first.is_set():
                first.set()
                go.wait(10)
            return 200, {"jobs": [{"id": job["id"], "answer": "ok"} for job in call.body["jobs"]]}

        def work(job):
            job.progress(1, 2)
            first.wait(10)
            job.progress(2, 2)
            over.set()

        self.server.scripts["/v1/work/beat"] = hold
        self.server.offer(a_job(1))
        self.start(work)
        self.assertTrue(over.wait(10))
        with self.assertRaises(AssertionError, msg="the server could hear the older one last"):
            self.server.wait_until(lambda: len(self.server.of("/v1/work/beat")) > 1, within=0.5)
        self.assertEqual(self.server.ended(), [])
        go.set()
        self.server.wait_until(lambda: self.server.ended())
        told = [job["progress"]["done"] for call in self.server.of("/v1/work/beat") for job in call.body["jobs"] if "progress" in job]
        self.assertEqual(told, [1, 2])

    def test_stops_a_cancelled_handler_and_confirms(self) -> None:
        self.server.words["j_1"] = "cancel"
        self.server.offer(a_job(1, lease_ms=300))

        def endless(job):
            while True:
                job.check()
                time.sleep(0.01)

        self.start(endless)
        self.server.wait_until(lambda: self.server.ended("fail"))
        self.assertEqual(self.server.ended("fail")[0]["error"]["class"], "cancelled")

    def test_stops_a_handler_whose_lease_is_lost_and_says_no_more_of_it(self) -> None:
        self.server.words["j_1"] = "lost"
        self.server.offer(a_job(1, lease_ms=300), a_job(2))
        raised = []

        def handler(job):
            if job.id == "j_2":
                return
            try:
                while True:
                    job.check()
                    time.sleep(0.01)
            except LeaseLost as lost:
                raised.append(lost)
                raise

        _, end = self.start(handler)
        self.server.wait_until(lambda: raised)
        self.assertEqual(end(), 0)
        said = self.server.ended() + self.server.ended("fail") + self.server.ended("release")
        self.assertEqual([job["id"] for job in said], ["j_2"])

    def test_sends_checkpoints_and_log_lines_while_it_works(self) -> None:
        go = threading.Event()

        def handler(job):
            job.checkpoint({"page": 3})
            job.log("page 3", "warning")
            go.wait(5)

        self.server.offer(a_job(1))
        self.start(handler)
        self.server.wait_until(lambda: self.server.of("/v1/work/j_1/log"))
        self.assertEqual(self.server.of("/v1/work/j_1/log")[0].body,
                         {"fence": 101, "lines": [{"level": "warn", "text": "page 3"}]})
        self.assertEqual(self.server.of("/v1/work/beat")[0].body["jobs"][0]["checkpoint"], {"page": 3})
        go.set()

    def test_tells_an_end_until_the_server_has_answered_and_beats_meanwhile(self) -> None:
        answers = [None, (503, {"code": "busy"}), None, (200, {})]
        self.server.scripts["/v1/work/complete"] = lambda call: answers.pop(0)
        self.server.offer(a_job(1, lease_ms=300))
        self.start(lambda job: "kept")
        self.server.wait_until(lambda: not answers)
        self.assertEqual({job["result"] for job in self.server.ended()}, {"kept"})
        self.assertGreaterEqual(len(self.server.of("/v1/work/beat")), 1)

    def test_beats_ever_more_rarely_once_its_lease_is_over_and_nobody_answers(self) -> None:
        self.server.scripts["/v1/work/beat"] = lambda call: None
        self.server.offer(a_job(1, lease_ms=300))
        gone = threading.Event()

        def handler(job, *_):
            for done in range(160):
                job.progress(done)
                time.sleep(0.025)
            gone.wait(10)

        self.start(handler)
        self.server.wait_until(lambda: len(self.server.of("/v1/work/beat")) > 0)
        first = self.server.of("/v1/work/beat")[0].at
        time.sleep(3.7)  # time itself: two seconds in which there may be next to no beat
        times = [call.at - first for call in self.server.of("/v1/work/beat")]
        self.assertGreaterEqual(len([at for at in times if at < 0.3]), 4, times)
        self.assertLessEqual(len([at for at in times if at > 1.7]), 4, times)
        del self.server.scripts["/v1/work/beat"]
        gone.set()

    def test_says_what_it_holds_when_the_answer_to_a_claim_was_lost(self) -> None:
        go = threading.Event()
        claims = []

        def claim(call):
            claims.append(call.body.get("holds"))
            if len(claims) == 2:
                return None
            if len(claims) > 3:
                go.wait(5)
            return 200, {"jobs": [a_job(1)] if len(claims) == 1 else []}

        self.server.scripts["/v1/work/claim"] = claim
        self.start(lambda job: go.wait(5))
        self.server.wait_until(lambda: len(claims) == 4)
        self.assertEqual(claims, [[], None, [{"id": "j_1", "fence": 101}], None])
        go.set()

    def test_sends_a_large_result_ahead_by_put(self) -> None:
        self.server.scripts["/v1/work/j_1/result?fence=101"] = lambda call: (200, {"payload": 9, "bytes": 600_002})
        self.server.offer(a_job(1))
        self.start(lambda job: "x" * 600_000)
        self.server.wait_until(lambda: self.server.ended())
        self.assertEqual(len(self.server.of("/v1/work/j_1/result?fence=101")[0].body), 600_000)
        self.assertNotIn("result", self.server.ended()[0])

    def test_fails_a_job_for_good_whose_result_the_server_refuses(self) -> None:
        def complete(call):
            if len(call.body["jobs"]) > 1 or call.body["jobs"][0]["id"] == "j_1":
                return 400, {"code": "bad_request", "detail": "no such result"}
            return 200, {}

        self.server.scripts["/v1/work/complete"] = complete
        self.server.offer(a_job(1), a_job(2))
        barrier = threading.Barrier(2)
        self.start(lambda job: barrier.wait(5) and None)
        self.server.wait_until(lambda: self.server.ended("fail") and any(
            [job["id"] for job in call.body["jobs"]] == ["j_2"] for call in self.server.of("/v1/work/complete")))
        failed = self.server.ended("fail")[0]
        self.assertEqual((failed["id"], failed["error"]["class"]), ("j_1", "fatal"))
        self.assertIn("no such result", failed["error"]["message"])

    def test_hands_back_with_the_checkpoint_what_cannot_finish_in_the_grace(self) -> None:
        begun = threading.Event()

        def handler(job):
            job.checkpoint({"page": 3})
            begun.set()
            while True:
                job.check()
                time.sleep(0.01)

        self.server.offer(a_job(1))
        _, end = self.start(handler, grace="100ms")
        begun.wait(5)
        self.assertEqual(end(), 0)
        self.assertEqual(self.server.ended("release"), [{"id": "j_1", "fence": 101, "checkpoint": {"page": 3}}])

    def test_hands_back_also_what_takes_no_notice(self) -> None:
        go, begun = threading.Event(), threading.Event()
        self.server.offer(a_job(1))
        _, end = self.start(lambda job: (begun.set(), go.wait(5)), grace="50ms", stop_wait="50ms")
        begun.wait(5)
        self.assertEqual(end(), 0)
        go.set()
        self.assertEqual([job["id"] for job in self.server.ended("release")], ["j_1"])
        self.assertEqual(self.server.ended(), [])

    def test_lets_running_work_finish_and_takes_no_more(self) -> None:
        go, begun = threading.Event(), threading.Event()
        self.server.offer(a_job(1))

        def handler(job):
            begun.set()
            go.wait(5)
            return job.stopping

        _, end = self.start(handler)
        begun.wait(5)
        threading.Timer(0.2, go.set).start()
        self.assertEqual(end(), 0)
        self.assertEqual([job["result"] for job in self.server.ended()], [True])

    def test_ends_with_4_when_the_server_does_not_let_it_in(self) -> None:
        self.server.scripts["/v1/work/claim"] = lambda call: (401, {"code": "unauthorized", "detail": "no such token"})
        worker, _ = self.start(lambda job: None, token="secret")
        self.running[0][1].join(10)
        self.assertEqual(self.running[0][2], [4])
        self.assertEqual(self.server.calls[0].headers["Authorization"], "Bearer secret")

    def test_stops_when_it_is_drained_and_lets_what_runs_end_however_often_it_is_told(self) -> None:
        self.server.scripts["/v1/work/beat"] = lambda call: (200, {"jobs": [], "drain": True})
        self.server.offer(a_job(1, lease_ms=200))

        def handler(job, *_):
            self.server.wait_until(lambda: len(self.server.of("/v1/work/beat")) >= 3)
            return job.stop_reason or "whole"

        self.start(handler)
        self.running[0][1].join(10)
        self.assertEqual(self.running[0][2], [0])
        self.assertEqual([job["result"] for job in self.server.ended()], ["whole"])

    def test_ends_on_sigterm_with_0(self) -> None:
        root = pathlib.Path(__file__).parent.parent
        program = ("from freshet import Worker\n"
                   "import sys\n"
                   f"w = Worker({self.server.url!r}, wait='30s')\n"
                   "@w.task('work')\n"
                   "def slow(job):\n"
                   "    job.log('begun')\n"
                   "    sys.stdin.readline()\n"
                   "    return 'finished'\n"
                   "raise SystemExit(w.run())\n")
        self.server.offer(a_job(1))
        child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE,
                                 env=dict(os.environ, PYTHONPATH=str(root / "src")))
        self.addCleanup(child.kill)
        self.server.wait_until(lambda: self.server.of("/v1/work/j_1/log"))
        child.send_signal(signal.SIGTERM)
        child.stdin.close()  # the handler goes on once the signal is there
        self.assertEqual(child.wait(10), 0)
        self.assertEqual([job["result"] for job in self.server.ended()], ["finished"])


class Enqueueing(unittest.TestCase):
    def setUp(self) -> None:
        self.server = ScriptedServer()
        self.client = Client(self.server.url)

    def tearDown(self) -> None:
        self.client.close()
        self.server.close()

    def test_sends_lists_of_a_thousand_and_repeats_without_adding_twice(self) -> None:
        answers = [None]
        self.server.scripts["/v1/jobs"] = lambda call: answers.pop() if answers else (
            201, {"items": [{"id": f"j_{job['input']}"} for job in call.body]})
        made = self.client.enqueue("work", range(1500), priority=2)
        self.assertEqual([job["id"] for job in made], [f"j_{n}" for n in range(1500)])
        calls = self.server.of("/v1/jobs")
        self.assertEqual([len(call.body) for call in calls], [1000, 1000, 500])
        keys = [call.headers["Idempotency-Key"] for call in calls]
        self.assertEqual(keys[0], keys[1])
        self.assertNotEqual(keys[1], keys[2])
        self.assertEqual(calls[0].body[7], {"queue": "work", "input": 7, "priority": 2})

    def test_says_why_it_was_refused(self) -> None:
        self.server.scripts["/v1/jobs"] = lambda call: (422, {"code": "bad_input", "detail": "no", "try": "this"})
        with self.assertRaisesRegex(Refused, "no   try: this"):
            self.client.enqueue("work", [1])
        self.assertEqual(len(self.server.calls), 1)


if __name__ == "__main__":
    unittest.main()
