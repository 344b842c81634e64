"""Comparison of a finished run with a network of others on the same persons.

run ----> persons that it scored, their annotated boxes or crop boxes ------> network of others ----> predictions
 |                                                                                                       |
 +-> its own predictions ------------------> scored by the run's metrics, on the joints of both <--------+
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import pandas as pd

from posescope.core.errors import DataError
from posescope.core.files import read_json
from posescope.core.origin import Origin, check_origins, origin_of_table
from posescope.core.skeleton import Skeleton
from posescope.core.tables import CropBoxes, Keypoints, Persons, box_sizes_of
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.results_writer import coco_results
from posescope.data.coco.sources import SourceList, combine_folders
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.evaluation.metric_evaluation import evaluate_persons
from posescope.evaluation.paired_comparison import JointComparison, RunComparison, compare_joints, compare_persons
from posescope.evaluation.per_joint import tabulate_joint_hits
from posescope.evaluation.scored_persons import gather_scored, keep_joints
from posescope.evaluation.scoring_options import ScoringOptions
from posescope.prediction.peers.peer_networks import PeerNetwork
from posescope.prediction.peers.peer_predictions import predict_persons
from posescope.runs.finished_runs import FinishedRun

__all__ = ["BOX_KINDS", "BoxKind", "PeerComparison", "compare_with_peer"]

BoxKind: TypeAlias = Literal["crops", "annotated"]
BOX_KINDS: tuple[str, ...] = get_args(BoxKind)


@dataclass(frozen=True)
class PeerComparison:
    """A run (A) and a network of others (B), compared on the persons that the run scored.

    Attributes:
        persons: metrics over persons.
        joints: metrics of each joint that both have, in the order of the run's skeleton.
        only_run, only_peer: names of the joints that the other lacks; they do not count.
        results: predictions of the network of others as COCO results; a joint that it lacks is at 0, 0.
        notes: what the reader must know of the comparison, one sentence each.
    """

    persons: RunComparison
    joints: tuple[JointComparison, ...]
    only_run: tuple[str, ...]
    only_peer: tuple[str, ...]
    results: list[dict[str, Any]]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Data:
    """The data of a run: tables of data engineering, and how the run scored persons."""

    persons: pd.DataFrame
    keypoints: pd.DataFrame
    crop_boxes: pd.DataFrame
    skeleton: Skeleton
    statistics: CropStatistics
    folder: CocoFolder
    source: SourceOptions
    scoring: ScoringOptions


@dataclass(frozen=True)
class _Scores:
    """A `PersonScores` and a `JointHits` table."""

    persons: pd.DataFrame
    joints: pd.DataFrame


def compare_with_peer(
    run: FinishedRun, network: PeerNetwork, boxes: BoxKind = "crops", seed: int = 0, resamples: int = 1000
) -> PeerComparison:
    """Predict the persons of a run by a network of others, and compare both.

    Every prediction is scored for the person whose box made it: no result is matched to another person.

    Args:
        run: run A, which scored validation persons.
        network: network B.
        boxes: what B is given. `crops`: the crop boxes of the run's own network; `annotated`: the annotated boxes, grown by the
            factor of network B.
        seed, resamples: of the bootstrap.

    Raises:
        DataError: if the data were made anew since the run, files are missing, or the network fails; if the run has joints that
            the network lacks, and its predictions were replaced by a later run.
        MetricError: if no joint has the same name in both.
    """
    data = _read_data(run)
    ours = run.person_scores()
    joints = data.skeleton.joints
    common = tuple(name for name in joints if name in network.joints)
    if not common:
        raise DataError(
            "The run and the network of others have no joint of the same name. "
            f"Joints of the run: {', '.join(joints)}. Joints of the network: {', '.join(network.joints)}."
        )
    persons = data.persons.set_index("person_id", drop=False).loc[ours["person_id"]].reset_index(drop=True)
    given = persons if boxes == "annotated" else _with_crop_boxes(persons, data.crop_boxes)
    predictions = predict_persons(network, given, data.folder, data.source, data.skeleton, None if boxes == "annotated" else 1.0)
    first = _scores_of_run(run, data, persons, common)
    second = _score(predictions, data, persons, common)
    compared = compare_joints(first.joints, second.joints, seed, resamples)
    return PeerComparison(
        persons=compare_persons(first.persons, second.persons, seed, resamples),
        joints=tuple(sorted(compared, key=lambda joint: joints.index(joint.joint))),
        only_run=tuple(name for name in joints if name not in common),
        only_peer=tuple(name for name in network.joints if name not in common),
        results=coco_results(predictions.fillna(0.0), persons, data.skeleton.category_id),
        notes=tuple(_notes(data, boxes, network)),
    )


def _read_data(run: FinishedRun) -> _Data:
    statistics = CropStatistics.from_dict(read_json(run.path_of("crop_statistics")))
    expected = run.data_fingerprint()
    if expected is not None and statistics.data_fingerprint != expected:
        raise DataError(
            f"Run {run.run_id} scored the data {expected}, but {run.data_dir} now holds the data {statistics.data_fingerprint}. "
            "Run the pipelines data_engineering and evaluation again."
        )
    sources = SourceList.model_validate(run.parameter("data_engineering", "sources") or [])
    return _Data(
        persons=pd.DataFrame(Persons.validate(pd.read_parquet(run.path_of("persons_read")))),
        keypoints=pd.DataFrame(Keypoints.validate(pd.read_parquet(run.path_of("keypoints")))),
        crop_boxes=pd.DataFrame(CropBoxes.validate(pd.read_parquet(run.path_of("crop_boxes")))),
        skeleton=Skeleton.from_dict(read_json(run.path_of("skeleton"))),
        statistics=statistics,
        folder=combine_folders(CocoFolder(run.path_of("raw_source")), sources),
        source=SourceOptions.model_validate(run.parameter("data_engineering", "source") or {}),
        scoring=ScoringOptions.model_validate(run.parameter("evaluation", "scoring") or {}),
    )


def _with_crop_boxes(persons: pd.DataFrame, crop_boxes: pd.DataFrame) -> pd.DataFrame:
    """Return the persons with their crop boxes as boxes; those without crop keep their annotated box."""
    sizes = box_sizes_of(crop_boxes)
    found = pd.DataFrame(
        {
            "bbox_x": crop_boxes["left"].to_numpy() - 0.5,
            "bbox_y": crop_boxes["top"].to_numpy() - 0.5,
            "bbox_w": sizes[:, 1],
            "bbox_h": sizes[:, 0],
        },
        index=crop_boxes["person_id"].to_numpy(),
    ).reindex(persons["person_id"])
    known = found["bbox_x"].notna().to_numpy()
    return persons.assign(**{name: persons[name].where(~known, found[name].to_numpy()) for name in found.columns})


def _scores_of_run(run: FinishedRun, data: _Data, persons: pd.DataFrame, common: tuple[str, ...]) -> _Scores:
    """Return the stored scores if all joints count, else those of the stored predictions."""
    hits = run.joint_hits()
    if common == data.skeleton.joints and hits is not None:
        return _Scores(run.person_scores(), hits)
    predictions = pd.read_parquet(run.path_of("predictions_val"))
    check_origins(run.origin or Origin(), {"predictions_val": origin_of_table(predictions)}, "evaluation")
    return _score(predictions, data, persons, common)


def _score(predictions: pd.DataFrame, data: _Data, persons: pd.DataFrame, common: tuple[str, ...]) -> _Scores:
    ids = persons["person_id"].to_numpy()
    known = predictions[predictions["person_id"].isin(ids)]
    tables = (persons, data.keypoints, data.crop_boxes, data.skeleton, data.statistics.crop_size)
    scored = keep_joints(gather_scored(known, *tables, ids), common)
    result = evaluate_persons(scored, data.scoring.metrics, data.scoring.seed, resamples=1)
    return _Scores(result.person_scores, tabulate_joint_hits(scored))


def _notes(data: _Data, boxes: BoxKind, network: PeerNetwork) -> list[str]:
    rule = data.statistics.crop.rule.name
    if boxes == "crops":
        return [f"A and B see the same crops, those of the crop rule {rule}."]
    return [
        f"A sees the crops of the crop rule {rule}, B the annotated boxes x {network.box_scale:g}. With "
        "--peer-boxes crops both see the same crops."
    ]
