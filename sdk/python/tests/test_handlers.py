# SPDX-License-Identifier: Apache-2.0
"""What a handler sees and how its ways to end are understood. No server."""

import ast
import pathlib
import unittest
from datetime import timedelta

from freshet import Cancelled, Fatal, RateLimited, Retryable, Worker, testing
from freshet.durations import seconds
from freshet.wire import Server


class Durations(unittest.TestCase):
    def test_are_read_as_people_write_them(self) -> None:
        for written, meant in (("30s", 30), ("500ms", 0.5), ("1m30s", 90), ("2h", 7200), ("1d", 86400), (2.5, 2.5),
                               (timedelta(minutes=1), 60)):
            self.assertEqual(seconds(written), meant)

    def test_say_what_may_be_written_instead(self) -> None:
        for wrong in ("30", "s", "-1s", "", "10 s", -1, True, float("inf")):
            with self.assertRaisesRegex(ValueError, "30s"):
                seconds(wrong)


class Handlers(unittest.TestCase):
    def test_get_an_object_as_keyword_arguments_and_give_the_result(self) -> None:
        def forecast(job, region, days=30):
            return {"region": region, "days": days}

        ran = testing.run(forecast, {"region": "north"})
        self.assertEqual((ran.end, ran.result), ("succeeded", {"region": "north", "days": 30}))

    def test_get_any_other_input_as_one_argument(self) -> None:
        self.assertEqual(testing.run(lambda job, value: value, [1, 2]).result, [1, 2])
        self.assertEqual(testing.run(lambda job: "nothing").result, "nothing")

    def test_that_the_input_does_not_fit_fail_for_good(self) -> None:
        ran = testing.run(lambda job, region: None, {"regoin": "north"})
        self.assertEqual((ran.end, ran.code), ("fatal", "bad_input"))

    def test_may_be_coroutines(self) -> None:
        async def later(job):
            return 7

        self.assertEqual(testing.run(later).result, 7)

    def test_are_tried_again_after_a_plain_error_whose_trace_is_in_the_log(self) -> None:
        def fails(job):
            raise KeyError("price")

        ran = testing.run(fails)
        self.assertEqual((ran.end, ran.code, ran.message), ("retryable", "KeyError", "'price'"))
        self.assertIn("in fails", ran.log[0][1])

    def test_say_themselves_what_an_error_means(self) -> None:
        def says(error):
            def handler(job):
                raise error

            return testing.run(handler)

        self.assertEqual((says(Fatal("no", "gone")).end, says(Fatal("no", "gone")).code), ("fatal", "gone"))
        self.assertEqual((says(Retryable("no", "slow")).end, says(Retryable("no", "slow")).code), ("retryable", "slow"))
        limited = says(RateLimited("no", retry_after="2m"))
        self.assertEqual((limited.end, limited.wait), ("rate_limited", 120))
        self.assertEqual(says(SystemExit(3)).end, "retryable")

    def test_cannot_return_what_is_no_json(self) -> None:
        for result in ({1, 2}, float("nan"), object()):
            ran = testing.run(lambda job: result)
            self.assertEqual((ran.end, ran.code), ("fatal", "bad_result"))

    def test_hand_back_with_a_checkpoint_for_later(self) -> None:
        ran = testing.run(lambda job: job.release(wait="10m", reason="quota", checkpoint={"page": 3}))
        self.assertEqual((ran.end, ran.wait, ran.message, ran.checkpoints), ("released", 600, "quota", [{"page": 3}]))

    def test_go_on_from_what_an_earlier_attempt_left(self) -> None:
        ran = testing.run(lambda job: [job.attempt, job.resumed], attempt=2, checkpoint={"page": 3})
        self.assertEqual(ran.result, [2, {"page": 3}])

    def test_keep_a_copy_of_the_checkpoint_not_the_value_that_changes(self) -> None:
        def handler(job):
            state = {"page": 1}
            job.checkpoint(state)
            state["page"] = 2

        self.assertEqual(testing.run(handler).checkpoints, [{"page": 1}])


class Progress(unittest.TestCase):
    def test_is_counted_by_track_in_steps_that_follow_each_other(self) -> None:
        def handler(job):
            for _ in job.track(range(2), step="load", unit="rows"):
                pass
            for _ in job.track(iter("ab"), step="fit"):
                pass

        told = testing.run(handler).progress
        self.assertEqual([(p["phase"], p["phase_index"], p["done"]) for p in told],
                         [("load", 0, 0), ("load", 0, 1), ("load", 0, 2), ("fit", 1, 0), ("fit", 1, 1), ("fit", 1, 2)])
        self.assertEqual((told[0]["total"], told[0]["unit"], "total" in told[3]), (2, "rows", False))

    def test_never_goes_back_within_a_step(self) -> None:
        def handler(job):
            job.progress(5, 10, step="fit")
            job.progress(3, message="again")

        self.assertEqual([p["done"] for p in testing.run(handler).progress], [5, 5])


class Stops(unittest.TestCase):
    def test_are_raised_by_track_and_confirm_a_cancel(self) -> None:
        seen = []

        def handler(job):
            for item in job.track(range(10)):
                seen.append(item)

        self.assertEqual(testing.run(handler, stop_after=3).end, "stopped")
        self.assertEqual(seen, [0, 1])

    def test_are_not_swallowed_by_a_catch_around_a_flaky_call(self) -> None:
        def handler(job):
            try:
                job.check()
            except Exception:
                return "swallowed"

        self.assertEqual(testing.run(handler, stop_after=0).end, "stopped")
        self.assertFalse(issubclass(Cancelled, Exception))

    def test_do_not_take_the_result_of_work_that_is_done_whole(self) -> None:
        def handler(job):
            for _ in job.track(range(3)):
                pass
            return "whole"

        self.assertEqual(testing.run(handler, stop_after=4).result, "whole")


class Package(unittest.TestCase):
    def test_is_python_3_9(self) -> None:
        files = list((pathlib.Path(__file__).parent.parent / "src" / "freshet").glob("*.py"))
        self.assertGreater(len(files), 8)
        for file in files:
            ast.parse(file.read_text(encoding="utf-8"), str(file), feature_version=(3, 9))

    def test_refuses_options_that_cannot_work(self) -> None:
        for options in ({"slots": 0}, {"slots": 1001}, {"ahead": -1}, {"grace": "soon"}):
            with self.assertRaises(ValueError):
                Worker("http://127.0.0.1:1", **options)
        with self.assertRaisesRegex(ValueError, "no address"):
            Server("localhost:7878")
        with self.assertRaisesRegex(ValueError, "no task"):
            Worker("http://127.0.0.1:1").run()


if __name__ == "__main__":
    unittest.main()
