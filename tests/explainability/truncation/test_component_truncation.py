"""A network of which is known what it needs: three numbers of its six at the bottleneck say where the joint is."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.explainability.conftest import SIDE, crop_set
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
from posescope.explainability.truncation.truncation_curve import TruncationCurve
from posescope.models.base import Interventions, PoseNetwork
from posescope.models.hourglass import Hourglass, HourglassOptions

CELLS = 8
SMALL = {"channels": 4, "depth": 1, "bottleneck_residuals": 1}
COUNTS = (1, 2, 3, 4, 5)
NEEDED_FIRST, NEEDED_LAST = (1.0, 0.9, 0.8, 0.3, 0.25, 0.2), (0.3, 0.25, 0.2, 1.0, 0.9, 0.8)


class BitsNetwork(PoseNetwork):
    """The column of the joint is 4 a + 2 b + c; of the six numbers at the bottleneck the first three are a, b and c, scaled.

    The skip knows the column too; how loudly it speaks is the network's `skip_gain`.
    """

    def __init__(self, sizes: Sequence[float], skip_gain: float = 0.0) -> None:
        super().__init__()
        self.map_size = (CELLS, CELLS)
        self.layer_names = ("detail", "bottleneck")
        self.bottleneck_layer, self.skip_layers = "bottleneck", ("detail",)
        self.sizes = nn.Parameter(torch.tensor(sizes).reshape(1, 6, 1, 1))
        self.skip_gain = skip_gain

    def forward(self, images: Tensor, interventions: Interventions | None = None) -> list[Tensor]:
        def layer(name: str, value: Tensor) -> Tensor:
            return interventions[name](value) if interventions and name in interventions else value

        bits = images[:, 0, 0, :6].round().reshape(-1, 6, 1, 1)
        detail = layer("detail", (bits[:, :3, 0, 0] @ torch.tensor([4.0, 2.0, 1.0])).reshape(-1, 1, 1, 1))
        found = layer("bottleneck", bits * self.sizes) / self.sizes
        column = (found[:, :3, 0, 0] @ torch.tensor([4.0, 2.0, 1.0])).reshape(-1, 1, 1, 1)
        columns, rows = torch.arange(CELLS).reshape(1, 1, 1, -1), torch.arange(CELLS).reshape(1, 1, -1, 1)
        return [-((columns - column) ** 2) - self.skip_gain * (columns - detail) ** 2 - 0.01 * rows]


@pytest.fixture(scope="module")
def planted(model, tmp_path_factory) -> Callable[..., AnalysisInputs]:
    """Every combination of the six bits once: the components are the six numbers, the largest first."""

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
        return AnalysisInputs(own, crops, features, principal_components(features), batch_size=25)

    return make


@pytest.fixture(scope="module")
def found(planted) -> AnalysisResult:
    """The first three of six are needed; people keep their own skips, which are not listened to."""
    return run(planted())


def run(inputs: AnalysisInputs, **options) -> AnalysisResult:
    return Truncation(
        TruncationOptions(**{"counts": COUNTS, "control_counts": COUNTS, "skips": ("own",), "resamples": 200, **options})
    )(inputs)


def pck(found: AnalysisResult, kept: str, k: int, skips: str = "own") -> float:
    table = found.tables["truncation"]
    (value,) = table[(table["subset"] == kept) & (table["k"] == k) & (table["skips"] == skips)]["pck"]
    return value


def passed(found: AnalysisResult) -> list[bool]:
    return [finding.passed for finding in found.findings]


def test_exactly_the_needed_components_suffice(found) -> None:
    assert found.facts["components_sufficient_own"] == 3
    assert pck(found, "first", 3) == 1.0
    assert pck(found, "first", 2) <= 0.5  # the last bit is at its mean: half a column off, and the nearer cell wins by chance
    assert pck(found, "first", 0) == 0.125  # all in the middle, right for one column of eight
    assert pck(found, "first", 6) == found.facts["pck_intact_own"] == 1.0
    assert pck(found, "last", 3) == 0.125
    assert 0.125 < pck(found, "random", 3) < 0.8
    matters, suffice, _, _ = found.findings
    assert (matters.passed, matters.value, matters.control.value) == (True, 0.875, 0.0)
    assert (suffice.passed, suffice.value) == (True, 0.0)
    assert "the first 3 of 6 components suffice" in suffice.claim
    assert suffice.control.value == pytest.approx(1 - pck(found, "random", 3))


def test_the_useless_rest_is_noise(found) -> None:
    """Three components hold 76 % of the variance: as many as the study's 50, and the rest is there for nothing."""
    assert found.facts["noise_from"] == 4
    _, _, noise, rest = found.findings
    assert (noise.passed, noise.value) == (True, 0.0)
    assert "what comes after component 3 is noise" in noise.claim
    assert (rest.passed, rest.value, rest.control.value) == (False, 0.125, 0.125)


def test_needed_components_of_little_variance_are_found_to_be_no_noise(planted) -> None:
    found = run(planted(NEEDED_LAST))
    assert found.facts["components_sufficient_own"] == 6
    assert pck(found, "first", 3) == 0.125
    assert pck(found, "last", 3) == 1.0
    matters, suffice, noise, rest = found.findings
    assert (matters.passed, suffice.passed, noise.passed, rest.passed) == (True, False, False, True)
    assert noise.value == 0.875
    assert "all 6 are needed, 5 do not" in suffice.claim
    assert (rest.value, rest.control.value) == (1.0, 0.125)


def test_where_joints_have_nothing_to_do_with_people_nothing_passes(planted) -> None:
    found = run(planted(shuffled=True), skips=("own", "mean"))
    assert passed(found) == [False] * 8


def test_what_few_persons_cannot_tell_from_nothing_does_not_suffice() -> None:
    """Of 100 persons one is lost with one component kept, and five with none."""
    right = np.ones((100, 1), dtype=bool)
    hits = {INTACT: right, ComponentSubset("first", 2): right}
    hits |= {ComponentSubset("first", count): np.arange(100)[:, None] >= lost for count, lost in ((0, 5), (1, 1))}
    curve = TruncationCurve("own", hits, PairedPck(right, np.arange(100), 0, 200), axes=2, tolerance=0.01)
    assert curve.drop(ComponentSubset("first", 1)).low == 0
    assert (curve.sufficient, curve.insufficient) == (2, 1)


def test_skips_that_know_the_answer_hide_the_bottleneck(planted) -> None:
    found = run(planted(skip_gain=10.0), skips=("own", "mean"))
    assert found.facts["pck_none_own"] == 1.0
    assert found.facts["components_sufficient_own"] == 0
    assert passed(found)[:4] == [False] * 4
    assert "none is needed" in found.note
    assert found.facts["pck_intact_own"] == 1.0
    # At their mean the skips say nothing but "the middle", ten times as loudly.
    assert found.facts["pck_intact_mean"] < 0.5


def test_with_skips_at_their_mean_the_bottleneck_alone_speaks(planted) -> None:
    found = run(planted(skip_gain=0.01), skips=("mean",))
    assert found.facts["pck_intact_mean"] == 1.0
    assert found.facts["components_sufficient_mean"] == 3
    assert "components_sufficient_own" not in found.facts


def test_the_control_for_what_suffices_is_measured_where_it_is_missing(planted) -> None:
    found = run(planted(), control_counts=())
    table = found.tables["truncation"]
    assert set(table[table["subset"] == "random"]["k"]) == {3}
    assert found.findings[1].control.value > 0.2


def test_axes_that_were_not_kept_stand_at_their_mean(planted) -> None:
    inputs = planted()
    found = run(replace(inputs, components=replace(inputs.components, axes=inputs.components.axes[:2])))
    assert found.facts["components"] == 2
    assert found.facts["components_sufficient_own"] is None
    assert pck(found, "first", 2) <= 0.5
    assert found.facts["pck_intact_own"] == 1.0
    assert "not even of all 2" in found.note


def test_intervals_are_over_images(planted, found) -> None:
    """All people of one photograph: there is nothing to draw, and the interval is a point."""
    alone = found.tables["truncation"].set_index(["subset", "k"]).loc[("first", 0)]
    together = run(replace(planted(), image_groups=np.zeros(64, np.int64)))
    assert alone["low"] < alone["pck"] < alone["high"]
    row = together.tables["truncation"].set_index(["subset", "k"]).loc[("first", 0)]
    assert row["low"] == row["pck"] == row["high"]


def test_tables_pictures_and_figure(planted) -> None:
    found = run(planted(), skips=("own", "mean"))
    table = found.tables["truncation"]
    assert list(table.columns) == ["skips", "subset", "k", "pck", "low", "high", "drop", "drop_low", "drop_high"]
    assert len(table) == 2 * (1 + 7 + 5 + 5)
    assert table[table["subset"] == "intact"]["k"].isna().all()
    joints = found.tables["truncation_joints"]
    assert len(joints) == 2 * 7
    (own,) = joints[(joints["k"] == 2) & (joints["skips"] == "own")]["pck"]
    assert own == pck(found, "first", 2)
    assert set(found.images) == {"truncation", "truncation_joints"}
    assert all(picture.dtype == np.uint8 and picture.ndim == 3 for picture in found.images.values())
    names = {trace.name for trace in found.plots["truncation_curve"].data}
    assert {"the first k", "k at random", "the last k", "intact"} <= names


def test_persons_are_limited(planted) -> None:
    assert run(planted(), persons=10).facts["persons"] == 10


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="from 0"):
        TruncationOptions(counts=(-1,))


def test_pooled_features_make_a_note_and_no_claim(planted) -> None:
    inputs = planted()
    features = FeatureSet(inputs.features.person_ids, np.asarray(inputs.features.values)[:, :3], "bottleneck", (3, 1, 1))
    pooled = replace(inputs, features=features, components=principal_components(features))
    found = run(pooled)
    assert (found.findings, found.facts, found.tables) == ((), {}, {})
    assert "(3, 1, 1) a person, where 'bottleneck' carries (6, 1, 1)" in found.note


def test_nobody_labelled_is_a_named_error(inputs_of, shifting_crops) -> None:
    with pytest.raises(ExplainabilityError, match="truncation: none of the persons has labelled joints"):
        run(inputs_of(shifting_crops))


@pytest.mark.parametrize(
    "options", [HourglassOptions(stacks=2, **SMALL), HourglassOptions(skip="none", **SMALL)], ids=["two stacks", "no skips"]
)
def test_all_components_of_an_hourglass_are_as_good_as_the_intact_network(model, tmp_path, options) -> None:
    torch.manual_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (10, SIDE, SIDE, 3)).astype(np.uint8)
    own = replace(model, network=Hourglass(options, (SIDE, SIDE), 2))
    # What the network says is declared right, so that the intact one scores 1 and every change shows.
    crops = crop_set(images, joints=own.predict(torch.from_numpy(images)).joints.numpy())
    features = extract_features(own, crops, None, FeatureStore(tmp_path / "f"), dtype="float32")
    inputs = AnalysisInputs(own, crops, features, principal_components(features), batch_size=6)
    analysis = Truncation(TruncationOptions(counts=(), control_counts=(), resamples=100))
    modes = analysis._modes(inputs)
    assert modes == (("none",) if options.skip == "none" else ("own", "mean"))
    for mode in modes:
        curve = analysis._measure(inputs, np.arange(10), mode, noise=None)
        assert curve.drop(ComponentSubset("first", curve.axes)).estimate == pytest.approx(0.0, abs=0.1)
        assert mode == "mean" or curve.pck(INTACT).estimate == 1.0
