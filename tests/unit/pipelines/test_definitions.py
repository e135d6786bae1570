"""What Dagster loads: the chain of assets, one process per run, ids and nothing else in what it stores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from forwarder_core.domain.jobs import Dispatch
from forwarder_core.errors import NetworkFailed
from forwarder_core.services import steps
from forwarder_core.services.steps import Done
from forwarder_pipelines import hooks, ops, partitions, sensors
from forwarder_pipelines.assets.forward import CHAIN
from forwarder_pipelines.build import build_definitions
from forwarder_pipelines.resources import DISPATCH_TAG, JOB_TAG, JobIdIOManager

DISPATCH = Dispatch(
    job_id=7,
    dispatch_no=2,
    connection_id=3,
    source_post_id=9,
    priority=5,
    source_account_id=1,
    destination_account_id=2,
)


class FakeCarrier:
    """A run's carrier that may or may not carry. The steps themselves are the core's, and not this test's."""

    def __init__(self, *, may_carry: bool) -> None:
        self._may_carry = may_carry
        self.claims = 0

    def claim(self) -> bool:
        self.claims += 1
        return self._may_carry

    def why_not(self) -> str:
        return "it was stopped"


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    made = build_definitions()
    dg.Definitions.validate_loadable(made)
    return made


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        made.add_dynamic_partitions("posts", [DISPATCH.partition_key])
        yield made


def run(carrier: FakeCarrier, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    resource = dg.ResourceDefinition.hardcoded_resource(carrier)
    job = build_definitions(carrier=resource).resolve_job_def("forward_job")
    asked = sensors.run_request(DISPATCH)
    return job.execute_in_process(
        partition_key=asked.partition_key, tags=dict(asked.tags), instance=instance, raise_on_error=False
    )


def test_the_assets_are_a_chain_in_one_group_with_one_partition_per_post(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    edges = {
        key.to_user_string(): {p.to_user_string() for p in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }
    assert {name: edges[name] for name in CHAIN} == {
        "source_post": set(),
        "fetched_media": {"source_post"},
        "rendition": {"fetched_media"},
        "published_post": {"rendition"},
    }
    for name in CHAIN:
        node = graph.get(dg.AssetKey(name))
        assert node.group_name == "forward" and node.partitions_def == partitions.posts
    assert partitions.posts.name == "posts"


def test_a_run_is_one_process_and_no_failure_goes_unnoticed(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def("forward_job")
    assert job.executor_def.name == "in_process"
    assert hooks.close_attempt_hook in job.hook_defs
    assert {node.name for node in job.graph.node_defs[0].node_defs} == {
        "fetch_post",
        "transform_video",
        "publish_video",
        "verify_publication",
    }


def test_publishing_is_never_retried_by_dagster() -> None:
    assert ops.publish_video.retry_policy is None and ops.transform_video.retry_policy is None
    for op in (ops.fetch_post, ops.verify_publication):
        assert op.retry_policy is not None
        assert (op.retry_policy.delay or 0) * op.retry_policy.max_retries <= 10


def test_the_number_of_sensors_does_not_grow_with_the_connections(definitions: dg.Definitions) -> None:
    names = {sensor.name for sensor in definitions.sensors or ()}
    assert {"watch_0_sensor", "watch_1_sensor", "dispatch_sensor", "run_failure_sensor"} <= names
    assert len(names) < 10
    assert all(s.default_status is dg.DefaultSensorStatus.RUNNING for s in definitions.sensors or ())


def test_a_run_request_carries_ids_and_nothing_else() -> None:
    asked = sensors.run_request(DISPATCH)
    assert (asked.run_key, asked.partition_key) == ("job:7:2", "3|9")
    assert asked.run_config == {} and asked.tags[JOB_TAG] == "7" and asked.tags[DISPATCH_TAG] == "2"
    own = {name: value for name, value in asked.tags.items() if name.startswith("fwd/")}
    assert all(value.isdigit() for value in own.values())


def test_between_steps_passes_only_the_id_of_the_job(instance: dg.DagsterInstance) -> None:
    context = dg.build_output_context()
    assert JobIdIOManager().handle_output(context, object()) is None


def test_a_stale_claim_ends_the_run_well_having_done_nothing(instance: dg.DagsterInstance) -> None:
    carrier = FakeCarrier(may_carry=False)
    result = run(carrier, instance)
    assert result.success and carrier.claims == 1
    assert result.get_asset_materialization_events() == []
    skipped = {event.step_key for event in result.all_events if event.is_step_skipped}
    assert {key.rpartition(".")[2] for key in skipped if key} == {
        "transform_video",
        "publish_video",
        "verify_publication",
    }


def test_a_run_that_carries_materializes_the_chain_in_order(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = {"source_post": "https://x.example/1", "published_post": ""}
    for step in ("fetch_post", "transform_video", "publish_video", "verify_publication"):
        monkeypatch.setattr(steps, step, lambda carrier: Done(7, {"bytes": 5}, links))
    result = run(FakeCarrier(may_carry=True), instance)
    assert result.success
    made = [event.asset_key for event in result.get_asset_materialization_events()]
    assert [key.to_user_string() for key in made if key] == list(CHAIN)
    shown = result.get_asset_materialization_events()[-1].step_materialization_data.materialization.metadata
    assert shown["bytes"].value == 5 and "published_post" not in shown


def test_what_dagster_is_told_of_a_failure_has_no_secret_and_no_chain(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(carrier: Any) -> Done:
        raise NetworkFailed("Cut at http://user:hunter22@10.0.0.1:1") from ValueError("access_token=hunter33hunter")

    monkeypatch.setattr(steps, "fetch_post", fail)
    monkeypatch.setattr("forwarder_pipelines.hooks.recovery.run_ended", lambda *said, **options: False)
    monkeypatch.setattr("forwarder_pipelines.hooks.this_core", lambda: None)
    result = run(FakeCarrier(may_carry=True), instance)
    assert not result.success
    told = repr([(event.message, event.event_specific_data) for event in result.all_events])
    assert "Cut at" in told and "network_error" in told
    assert "hunter22" not in told and "hunter33" not in told
