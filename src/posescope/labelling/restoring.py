"""Put corrected labels back into the annotation file that they came from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from posescope.labelling.label_set import Joint, LabelError, LabelledImage, LabelledPerson, LabelSet, Notes, check_unique_names

__all__ = ["RestoredLabels", "drop_repeated_ids", "restore"]


@dataclass(frozen=True)
class RestoredLabels:
    """Labels put back into their annotation file.

    Attributes:
        labels: all images of the file; those that were corrected have the new persons.
        images: number of corrected images.
        changed, added, removed: number of persons.
    """

    labels: LabelSet
    images: int
    changed: int
    added: int
    removed: int


def restore(corrected: LabelSet, base: LabelSet, *, keep_missing: bool = False) -> RestoredLabels:
    """Put corrected images into the labels that they came from.

    Images are matched by name. Of a matched image all persons are replaced: one that is missing was removed. Persons are
    matched by their id, else by equal joints or an equal box, and keep the fields that the tool cannot say (area, segmentation,
    ...).

    Args:
        corrected: labels of a tool.
        base: labels of the original annotation file.
        keep_missing: Keep the persons of a matched image that are missing in the corrected one, for labels of some persons only.

    Raises:
        LabelError: if the joints have other names, or an image is there twice.
    """
    check_unique_names(corrected, "labels")
    ordered = _in_order_of(corrected, base)
    new = {image.name: image for image in ordered}
    known = {image.name for image in base.images}
    strange = [name for name in new if name not in known]
    images, counts = [], Counter[str]()
    for image in base.images:
        if image.name not in new:
            images.append(image)
            continue
        merged = _merge(new[image.name], image, keep_missing=keep_missing)
        counts += Counter(images=1, removed=len(image.persons) - sum(one.id is not None for one in merged.persons))
        counts += Counter(added=sum(one.id is None for one in merged.persons), changed=_count_changes(merged, image))
        images.append(merged)
    others = [image for name, image in new.items() if name not in known]
    taken = {image.id for image in images} | {one.id for image in images for one in image.persons}
    for image in others:
        fresh = tuple(replace(one, id=None) for one in image.persons) if taken else image.persons
        images.append(replace(image, id=None, persons=fresh))
        counts += Counter(images=1, added=len(image.persons))
    line = f"{len(strange)} of {len(new)} images are new in the original file, such as {next(iter(strange), '')}."
    added = (f"{line} Is the name right?",) if strange else ()
    labels = LabelSet(base.skeleton, base.category, tuple(images), Notes((*base.notes.lines, *corrected.notes.lines, *added)))
    return RestoredLabels(labels, counts["images"], counts["changed"], counts["added"], counts["removed"])


def drop_repeated_ids(labels: LabelSet) -> LabelSet:
    """Return labels in which an id stands once: a copy of a person keeps its id in some tools, and gets a new one.

    Args:
        labels: the labels.
    """
    seen: set[int] = set()
    images, repeated = [], 0
    for image in labels.images:
        persons = []
        for person in image.persons:
            is_copy = person.id is not None and person.id in seen
            repeated += is_copy
            persons.append(replace(person, id=None) if is_copy else person)
            if person.id is not None:
                seen.add(person.id)
        images.append(replace(image, persons=tuple(persons)))
    if not repeated:
        return labels
    line = f"{repeated} persons had the id of another one, as copies have, and got new ids."
    return replace(labels, images=tuple(images), notes=Notes((*labels.notes.lines, line)))


def _in_order_of(corrected: LabelSet, base: LabelSet) -> list[LabelledImage]:
    """Return the images with the joints in the order of the original."""
    if sorted(corrected.skeleton.joints) != sorted(base.skeleton.joints):
        found, expected = (", ".join(one.skeleton.joints) for one in (corrected, base))
        raise LabelError(f"The joints of the labels differ from those of the original. Expected: {expected}. Found: {found}.")
    order = [corrected.skeleton.index(name) for name in base.skeleton.joints]
    return [
        replace(image, persons=tuple(replace(one, joints=tuple(one.joints[joint] for joint in order)) for one in image.persons))
        for image in corrected.images
    ]


def _merge(image: LabelledImage, base: LabelledImage, *, keep_missing: bool) -> LabelledImage:
    left = list(base.persons)
    persons = []
    for person in image.persons:
        found = _find(person, left)
        if found is None:
            persons.append(replace(person, id=None))
            continue
        left.remove(found)
        box = found.box if person.box is None else person.box
        persons.append(replace(person, id=found.id, box=box, side={**found.side, **_stated(person.side)}))
    return replace(base, persons=(*persons, *(left if keep_missing else ())))


def _stated(side: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in side.items() if value not in ([], None)}


def _find(person: LabelledPerson, candidates: Sequence[LabelledPerson]) -> LabelledPerson | None:
    if person.id is not None:
        return next((one for one in candidates if one.id == person.id), None)
    places = _places(person.joints)
    same = [one for one in candidates if (person.labelled_count and _places(one.joints) == places) or one.box == person.box]
    return same[0] if same else None


def _places(joints: Sequence[Joint]) -> list[tuple[float, float, int]]:
    return [(joint.x, joint.y, joint.visibility) for joint in joints]


def _count_changes(image: LabelledImage, base: LabelledImage) -> int:
    before = {person.id: (_places(person.joints), person.box) for person in base.persons}
    return sum(before.get(one.id) not in (None, (_places(one.joints), one.box)) for one in image.persons)
