"""The four ops of a forward. Each frames one step of `forwarder_core.services.steps`; there is no rule in here.

A run that may not carry its job (it was stopped, or another run has it) yields nothing: the ops after it are skipped
and the run ends successfully, having done nothing and saying so. (No postponed annotations here: Dagster reads the
class of `context` from its annotation.)
"""

from collections.abc import Callable, Iterator, Mapping

import dagster as dg
from dagster._core.definitions.metadata import RawMetadataValue

from forwarder_core.errors import AwaitingAnswer, ForwarderError
from forwarder_core.logs import redact
from forwarder_core.services import steps
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.steps import Done

_NEEDS = {"carrier"}
# For what never reached the job's row, such as a database that restarts during the claim. Failures of a step are
# rows, and tell Dagster not to retry. Publishing has none.
QUICK = dg.RetryPolicy(max_retries=2, delay=3.0)


@dg.op(
    required_resource_keys=_NEEDS,
    retry_policy=QUICK,
    out={"source_post": dg.Out(int, is_required=False), "fetched_media": dg.Out(int, is_required=False)},
)
def fetch_post(context: dg.OpExecutionContext) -> Iterator[dg.Output[int]]:
    """Bring the post's file from its source."""
    done = _carry(context, steps.fetch_post)
    if done is not None:
        yield dg.Output(done.job_id, "source_post", metadata=_links(done))
        yield dg.Output(done.job_id, "fetched_media", metadata=_metadata(done))


@dg.op(required_resource_keys=_NEEDS, out=dg.Out(int, is_required=False))
def transform_video(context: dg.OpExecutionContext, fetched_media: int) -> Iterator[dg.Output[int]]:
    """Make the rendition its destination takes."""
    done = _carry(context, steps.transform_video)
    if done is not None:
        yield dg.Output(done.job_id, metadata=_metadata(done))


@dg.op(required_resource_keys=_NEEDS, out=dg.Out(int, is_required=False))
def publish_video(context: dg.OpExecutionContext, rendition: int) -> Iterator[dg.Output[int]]:
    """Publish it, once."""
    done = _carry(context, steps.publish_video)
    if done is not None:
        yield dg.Output(done.job_id, metadata=_metadata(done))


@dg.op(required_resource_keys=_NEEDS, retry_policy=QUICK, out=dg.Out(int, is_required=False))
def verify_publication(context: dg.OpExecutionContext, published: int) -> Iterator[dg.Output[int]]:
    """Look at it there; the job is done when it shows."""
    done = _carry(context, steps.verify_publication)
    if done is not None:
        yield dg.Output(done.job_id, metadata=_metadata(done))


def _carry(context: dg.OpExecutionContext, step: Callable[[Carrier], Done]) -> Done | None:
    """Run the step as this job's carrier. Errors reach Dagster as their one redacted sentence, without their chain:
    Dagster stores and shows whatever it is given."""
    carrier: Carrier = context.resources.carrier
    if not carrier.claim():
        context.log.info(f"Nothing is done: {carrier.why_not()}")
        return None
    try:
        return step(carrier)
    except dg.DagsterExecutionInterruptedError:
        asked = context.instance.get_run_by_id(context.run_id)
        is_terminated = asked is not None and asked.status is dg.DagsterRunStatus.CANCELING
        carrier.interrupt(
            because="The run was terminated by hand." if is_terminated else "The worker was stopped.",
            cancel=is_terminated,
        )
        raise
    except AwaitingAnswer as e:
        context.log.info(e.message)
        return None
    except ForwarderError as e:
        told = {"code": e.code, "action": e.action}
        raise dg.Failure(redact(e.message), metadata=told, allow_retries=False) from None


def _links(done: Done) -> Mapping[str, RawMetadataValue]:
    return {name: dg.MetadataValue.url(url) for name, url in done.links.items() if url}


def _metadata(done: Done) -> Mapping[str, RawMetadataValue]:
    return {**done.facts, **_links(done)}
