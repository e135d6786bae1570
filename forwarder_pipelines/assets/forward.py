"""The chain of assets a post becomes: source_post → fetched_media → rendition → published_post.

Built from a graph of ops, because `@graph_multi_asset` draws no edges between its outputs.
"""

import dagster as dg

from forwarder_pipelines import ops, partitions

CHAIN = ("source_post", "fetched_media", "rendition", "published_post")


@dg.graph(out={name: dg.GraphOut() for name in CHAIN})
def forward() -> dict[str, object]:
    source_post, fetched_media = ops.fetch_post()
    rendition = ops.transform_video(fetched_media)
    published_post = ops.verify_publication(ops.publish_video(rendition))
    return {
        "source_post": source_post,
        "fetched_media": fetched_media,
        "rendition": rendition,
        "published_post": published_post,
    }


chain = dg.AssetsDefinition.from_graph(
    forward,
    partitions_def=partitions.posts,
    group_name="forward",
    can_subset=False,
    internal_asset_deps={name: {dg.AssetKey(CHAIN[place - 1])} if place else set() for place, name in enumerate(CHAIN)},
    descriptions_by_output_name={
        "source_post": "The post as its source shows it.",
        "fetched_media": "Its video file, as fetched.",
        "rendition": "The file its destination gets.",
        "published_post": "The post at its destination, looked at and live.",
    },
)
