"""Component truncation of a network in which three of the six bottleneck values determine the joint position."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.explainability.conftest import SIDE, analysis_inputs, crop_set
from torch import Tensor, nn

from posescope.codecs.gaussian import GaussianCodec, GaussianOptions
from posescope.core.skeleton import Skeleton
from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.components.pca import principal_components
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.feature_extraction import FeatureStore, extract_features
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.paired_pck import PairedPck
from posescope.explainability.truncation.component_subsets import INTACT, ComponentSubset
from posescope.explainability.truncation.component_truncation import Truncation, TruncationOptions
from posescope.explainability.truncation.person_spans import draw_person_spans
from posescope.explainability.truncation.subset_scoring import SubsetScorer
from posescope.explainability.truncation.truncation_curve import TruncationCurve
from posescope.models.base import PoseNetwork
from posescope.models.hourglass import Hourglass, HourglassOptions

CELLS = 8
SMALL = {"channels": 4, "depth": 1, "bottleneck_residuals": 1}
COUNTS = (1, 2, 3, 4, 5)
NEEDED_FIRST, NEEDED_LAST = (1.0, 0.9, 0.8, 0.3, 0.25, 0.2), (0.3, 0.25, 0.2, 1.0, 0.9, 0.8)


class BitsNetwork(PoseNetwork):
    """The column of the joint is 4 a + 2 b + c; the first three of the six numbers at the bottleneck are a, b and c, scaled.

    The skip connection carries the column too, with the weight `skip_gain`.
    """

    def __init__(self, sizes: Sequence[float], skip_gain: float = 0.0) -> None:
        super().__init__()
        self.map_size = (CELLS, CELLS)
        self.detail, self.bottleneck = nn.Identity(), nn.Identity()
        self.bottleneck_layer, self.skip_layers = "bottleneck", ("detail",)
        self.sizes = nn.Parameter(torch.tensor(sizes).reshape(1, 6, 1, 1))
        self.skip_gain = skip_gain

    def forward(self, images: Tensor) -> list[Tensor]:
        bits = images[:, 0, 0, :6].round().reshape(-1, 6, 1, 1)
        detail = self.detail((bits[:, :3, 0, 0] @ torch.tensor([4.0, 2.0, 1.0])).reshape(-1, 1, 1, 1))
        found = self.bottleneck(bits * self.sizes) / self.sizes
        column = (found[:, :3, 0, 0] @ torch.tensor([4.0, 2.0, 1.0])).reshape(-1, 1, 1, 1)
        columns, rows = torch.arange(CELLS).reshape(1, 1, 1, -1), torch.arange(CELLS).reshape(1, 1, -1, 1)
        return [-((columns - column) ** 2) - self.skip_gain * (columns - detail) ** 2 - 0.01 * rows]


@pytest.fixture(scope="module")
def planted(model, tmp_path_factory) -> Callable[..., AnalysisInputs]:
    """Each combination of the six bits once: the components are the six numbers, largest first."""

    def make(sizes: Sequence[float] = NEEDED_FIRST, skip_gain: float = 0.0, shuffled: bool = False) -> AnalysisInputs:
        bits = np.array(np.meshgrid(*[[0, 1]] * 6)).reshape(6, -1).T
        images = np.zeros((len(bits), SIDE, SIDE, 3), np.uint8)
        images[:, 0, :6, 0] = 255 * bits
        columns = bits[:, :3] @ [4, 2, 1]
        if shuffled:
            columns = np.random.default_rng(0).permutation(columns)
        joints = np.stack([4 * columns + 1.5, np.full(len(bits), 1.5)], axis=-1)[:, None]
        crops = crop_set(images)
        visibility = np.full((len(bits), 1), 2, np.uint8)
        crops = replace(
            crops, targets=replace(crops.targets, joints=joints.astype(np.float32), visibility=visibility, joint_names=("dot",))
        )
        own = replace(
            model,
            network=BitsNetwork(sizes, skip_gain),
            codec=GaussianCodec(GaussianOptions(decoder="argmax"), crop_size=(SIDE, SIDE), joint_count=1),
            skeleton=Skeleton(joints=("dot",), limbs=(), oks_sigmas=(0.1,)),
        )
        features = extract_features(own, crops, None, FeatureStore(tmp_path_factory.mktemp("bits") / "features"), dtype="float16")
        return analysis_inputs(own, crops, features, batch_size=25)

    return make


@pytest.fixture(scope="module")
def found(planted) -> AnalysisResult:
    """The first three of six components are needed; skip activations have no weight."""
    return run(planted())


def run(inputs: AnalysisInputs, **options) -> AnalysisResult:
    return Truncation(
        TruncationOptions(**{"counts": COUNTS, "control_counts": COUNTS, "skips": ("own",), "resamples": 200, **options})
    )(inputs)


def pck(found: AnalysisResult, subset: str, k: int, skips: str = "own") -> float:
    table = found.tables["truncation"]
    (value,) = table[(table["subset"] == subset) & (table["k"] == k) & (table["skips"] == skips)]["pck"]
    return value


def verdicts(found: AnalysisResult) -> dict[str, str]:
    return {finding.id: finding.verdict for finding in found.findings}


def test_exactly_the_needed_components_suffice(found) -> None:
    assert (found.facts["components_sufficient_own"], found.facts["components_asked"]) == (3, 3)
    assert pck(found, "first", 3) == 1.0
    assert pck(found, "first", 2) <= 0.5  # the last bit is at its mean: half a column off
    assert pck(found, "first", 0) == 0.125  # all in the middle, correct for one column of eight
    assert pck(found, "first", 6) == found.facts["pck_intact_own"] == 1.0
    assert 0.125 < pck(found, "persons", 3) < 0.9
    enough, better, noise = found.findings
    assert (enough.verdict, enough.effect, enough.id) == ("supported", 0.0, "components-are-enough")
    assert enough.control.value == pytest.approx(1 - pck(found, "persons", 3))
    assert (better.verdict, better.effect) == ("supported", 1.0)
    assert better.control.value == pck(found, "persons", 3)
    assert "first 3 of 6" in enough.statement
    # Three components explain 76 % of the variance, as the 50 of the study do; the others have no effect.
    assert found.facts["noise_from"] == 4
    assert (noise.verdict, noise.effect) == ("supported", 0.0)
    assert all(finding.control.can_fail for finding in found.findings)


def test_needed_components_with_little_variance_are_not_noise(planted) -> None:
    found = run(planted(NEEDED_LAST))
    assert (found.facts["components_sufficient_own"], found.facts["components_asked"]) == (6, 5)
    assert pck(found, "first", 3) == 0.125
    assert verdicts(found)["components-are-enough"] == "refuted"
    assert verdicts(found)["later-components-are-noise"] == "refuted"
    assert found.findings[2].effect == 0.875


def test_components_without_more_variance_are_no_better_than_random_persons(planted) -> None:
    """All six numbers vary alike, so the components are any directions and those of random persons are as good."""
    found = run(planted((1.0,) * 6), counts=(3,), control_counts=(3,))
    assert verdicts(found)["components-beat-random-persons"] != "supported"


def test_no_finding_is_supported_for_shuffled_joints_but_that_the_rest_is_enough(planted) -> None:
    """Without any information the first component is as good as all of them, and no better than a random person."""
    found = verdicts(run(planted(shuffled=True), skips=("own", "mean")))
    assert found["components-beat-random-persons"] != "supported"


def test_number_of_components_is_chosen_on_the_fitted_persons(planted) -> None:
    inputs = planted()
    rows = np.flatnonzero(np.arange(64) % 2 == 0)  # in every second person the last of the three bits is 0
    fitted = replace(inputs.fitted.subset(rows), groups=inputs.fitted.groups[rows])
    found = run(replace(inputs, fitted=fitted))
    assert found.facts["fitted_persons"] == 32
    assert found.facts["persons"] == 64


def test_uncertain_number_of_components_does_not_suffice() -> None:
    """Of 100 persons one is lost with one component, and five with none."""
    right = np.ones((100, 1), dtype=bool)
    hits = {INTACT: right, ComponentSubset("first", 2): right}
    hits |= {ComponentSubset("first", count): np.arange(100)[:, None] >= lost for count, lost in ((0, 5), (1, 1))}
    curve = TruncationCurve("own", hits, PairedPck(right, np.arange(100), 0, 200), axes=2, tolerance=0.01)
    assert curve.drop(ComponentSubset("first", 1)).low == 0
    assert (curve.sufficient, curve.insufficient) == (2, 1)


def test_informative_skips_make_the_bottleneck_unnecessary(planted) -> None:
    found = run(planted(skip_gain=10.0), skips=("own", "mean"))
    assert found.facts["pck_no_components_own"] == 1.0
    assert found.facts["components_sufficient_own"] == 0
    assert verdicts(found)["components-are-enough"] == "supported"  # one of them, as none is needed
    assert verdicts(found)["components-beat-random-persons"] == "refuted"
    assert found.facts["pck_intact_own"] == 1.0
    # Mean skip activations give the middle, with ten times the weight.
    assert found.facts["pck_intact_mean"] < 0.5


def test_mean_skips_leave_the_bottleneck_to_determine_the_joint(planted) -> None:
    found = run(planted(skip_gain=0.01), skips=("mean",))
    assert found.facts["pck_intact_mean"] == 1.0
    assert found.facts["components_sufficient_mean"] == 3
    assert "components_sufficient_own" not in found.facts


def test_missing_control_of_the_asked_number_is_measured(planted) -> None:
    found = run(planted(), control_counts=())
    table = found.tables["truncation"]
    assert set(table[table["subset"] == "persons"]["k"]) == {3}
    assert found.findings[0].control.value > 0.1


def test_directions_beyond_the_axes_are_at_their_mean(planted) -> None:
    inputs = planted()
    found = run(replace(inputs, components=replace(inputs.components, axes=inputs.components.axes[:2])))
    assert found.facts["components"] == 2
    assert found.facts["components_sufficient_own"] is None
    assert pck(found, "first", 2) <= 0.5
    assert found.facts["pck_intact_own"] == 1.0


def test_intervals_are_over_images(planted, found) -> None:
    """For persons of one image the interval is a point."""
    row = found.tables["truncation"].set_index(["subset", "k"]).loc[("first", 0)]
    inputs = planted()
    together = run(replace(inputs, judged=replace(inputs.judged, groups=np.zeros(64, np.int64))))
    assert row["low"] < row["pck"] < row["high"]
    row = together.tables["truncation"].set_index(["subset", "k"]).loc[("first", 0)]
    assert row["low"] == row["pck"] == row["high"]


def test_tables_images_and_plot(planted) -> None:
    found = run(planted(), skips=("own", "mean"))
    table = found.tables["truncation"]
    assert list(table.columns) == ["skips", "subset", "k", "pck", "low", "high", "drop", "drop_low", "drop_high"]
    # Intact, none to all six, five numbers of persons and the last three; the second mode has the controls of one claim only.
    assert len(table) == (1 + 7 + 5 + 1) + (1 + 7 + 1 + 1)
    assert table[table["subset"] == "intact"]["k"].isna().all()
    joints = found.tables["truncation_joints"]
    assert len(joints) == 2 * 7
    (own,) = joints[(joints["k"] == 2) & (joints["skips"] == "own")]["pck"]
    assert own == pck(found, "first", 2)
    assert set(found.images) == {"truncation_joints"}
    assert all(image.dtype == np.uint8 and image.ndim == 3 for image in found.images.values())
    names = {trace.name for trace in found.plots["truncation_curve"].data}
    assert {"first components", "random persons", "whole network"} <= names
    assert set(found.captions) == {*found.images, *found.plots, *found.tables}


def test_tables_are_enough_to_compute_the_curve_again(planted, found) -> None:
    hits, persons, draws = (found.tables[f"truncation_{name}"] for name in ("hits", "persons", "draws"))
    again = (hits["correct"] / hits["labelled"]).groupby([hits["subset"], hits["k"]]).mean()
    for row in found.tables["truncation"].dropna(subset="k").itertuples():
        assert again[row.subset, row.k] == pytest.approx(row.pck)
    assert persons["draw"].between(0, 19).all()
    assert draws.groupby("draw")["person_id"].nunique().tolist() == [5] * 20
    inputs = planted()
    spans = draw_person_spans(inputs.fitted.features, inputs.components.mean, 20, 5, inputs.seed)
    assert inputs.fitted.person_ids[spans.rows].ravel().tolist() == draws["person_id"].tolist()


def test_number_of_persons_is_limited(planted) -> None:
    assert run(planted(), persons=10).facts["persons"] == 10


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        TruncationOptions(counts=(-1,))


def test_pooled_features_give_a_note_and_no_findings(planted) -> None:
    inputs = planted()
    features = FeatureSet(
        inputs.judged.features.person_ids, np.asarray(inputs.judged.features.values)[:, :3], "bottleneck", (3, 1, 1)
    )
    fitted, judged = (replace(persons, features=features) for persons in (inputs.fitted, inputs.judged))
    pooled = replace(inputs, fitted=fitted, judged=judged, components=principal_components(features))
    found = run(pooled)
    assert (found.findings, found.facts, found.tables) == ((), {}, {})
    assert "pooled" in found.note


def test_persons_without_labelled_joints_are_refused(inputs_of, shifting_crops) -> None:
    with pytest.raises(ExplainabilityError, match="labelled"):
        run(inputs_of(shifting_crops))


@pytest.mark.parametrize(
    "options", [HourglassOptions(stacks=2, **SMALL), HourglassOptions(skip="none", **SMALL)], ids=["two stacks", "no skips"]
)
def test_all_components_of_an_hourglass_give_the_intact_heatmaps(model, tmp_path, options) -> None:
    torch.manual_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (10, SIDE, SIDE, 3)).astype(np.uint8)
    own = replace(model, network=Hourglass(options, (SIDE, SIDE), 2))
    crops = crop_set(images)
    features = extract_features(own, crops, None, FeatureStore(tmp_path / "f"), dtype="float32")
    inputs = analysis_inputs(own, crops, features, batch_size=6)
    modes = Truncation(TruncationOptions())._modes(inputs)
    assert modes == (("none",) if options.skip == "none" else ("own", "mean"))
    scorer = SubsetScorer(inputs, draw_person_spans(inputs.fitted.features, inputs.components.mean, 2, 3, 0), 10)
    for mode in modes:
        for _, patcher, truncated in scorer.batches(inputs.judged, np.arange(10), mode):
            intact, whole, none = (
                patcher.heatmaps(truncated.reconstruct(subset))
                for subset in (INTACT, ComponentSubset("first", 9), ComponentSubset("first", 0))
            )
            torch.testing.assert_close(whole, intact, rtol=1e-3, atol=1e-4)
            assert (none - intact).abs().max() > 1e-3
            if mode != "mean":
                torch.testing.assert_close(patcher.heatmaps(), intact, rtol=1e-3, atol=1e-4)
