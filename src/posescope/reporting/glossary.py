"""Terms of the report, one sentence each; docs/glossary.md has all terms of the project with their sources."""

from posescope.reporting.report_content import Fact
from posescope.reporting.subject_words import SubjectWords

__all__ = ["list_terms"]

_SKIP = "Skip connection"
_TERMS = {
    "Annotation": "the joints that people marked in a photograph; the network is compared with them.",
    "Bootstrap": "photographs are drawn again and again at random; the spread of the results gives the interval.",
    "Codec": "the rule that turns joints into heatmaps, and heatmaps back into joints.",
    "Component": "a direction along which the features differ much between persons (principal component).",
    "Control": "the same measurement where there is no effect, to compare with.",
    "Crop": "the square (or other rectangle) cut out around one person, which the network gets.",
    "Feature": "one of the numbers into which the network turns a picture in one of its layers.",
    "Heatmap": "a map of one joint that is bright where the network finds the joint.",
    "Interval (95 %)": "the range in which the value would lie for 95 of 100 other choices of photographs.",
    "K-means": "a method that sorts persons into groups with similar features.",
    "Latent space": "the space of all features; near points are persons that are alike to the network.",
    "OKS": "how near all joints of a person are to their marks, 0 to 1; what counts as near depends on the joint and the size.",
    "OKS AP, OKS AR": "the main scores of the COCO benchmark: precision and recall over several demands on OKS.",
    "Occluded": "marked although hidden, for example behind an object.",
    "PCA": "principal component analysis: finds the components, the strongest first.",
    "PCK": "the fraction of joints that are close enough to their mark: nearer than 5 % of the side of the crop, unless stated.",
    "Probe": "a simple prediction of an attribute, such as the facing, from features.",
    "R²": "the fraction of differences that a prediction explains, 0 to 1.",
    "Radius": "the circle around a predicted joint that contains its true place with a stated probability.",
    _SKIP: "a side path that carries detail past the narrow middle of the network.",
    "Split": "photographs for training, for judging (validation), for setting the radii (calibration), and for the end (test).",
    "Truncation": "components are left out to see how many are needed.",
}  # fmt: skip


def list_terms(subject: SubjectWords, *, has_skips: bool = True) -> tuple[Fact, ...]:
    """Return the terms with their meaning, sorted.

    Args:
        subject: words for the persons.
        has_skips: whether the network has skip connections.
    """
    terms = {term: meaning for term, meaning in _TERMS.items() if has_skips or term != _SKIP}
    return tuple(Fact(term, subject.adapt(meaning)) for term, meaning in sorted(terms.items(), key=lambda item: item[0].lower()))
