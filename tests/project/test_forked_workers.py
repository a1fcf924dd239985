"""The suite's Ray has its workers from a process that has loaded torch."""

import ray


@ray.remote
def loaded(names):
    import os
    import sys

    return [name in sys.modules for name in names], os.environ.get("TOLD"), ray.get_runtime_context().get_job_id()


@ray.remote
class Drawing:
    def draw(self):
        return ray.NodeID.from_random().hex()


def test_workers_have_loaded_what_a_run_needs(ray_session):
    names = ["torch._dynamo", "ray.train.torch", "d2ace.pipeline.training.worker", "nowhere"]
    plain = loaded.remote(names)
    told = loaded.options(runtime_env={"env_vars": {"TOLD": "yes"}}).remote(names)  # Ray starts these by two programs
    job = ray.get_runtime_context().get_job_id()
    assert ray.get([plain, told]) == [([True, True, True, False], None, job), ([True, True, True, False], "yes", job)]


def test_workers_do_not_draw_the_same_ids(ray_session):
    actors = [Drawing.remote() for _ in range(2)]
    assert len(set(ray.get([actor.draw.remote() for actor in actors]))) == 2
    for actor in actors:
        ray.kill(actor)
