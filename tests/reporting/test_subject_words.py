"""Tests of posescope.reporting.subject_words."""

import pytest

from posescope.reporting.subject_words import PERSONS, SubjectWords, name_subjects


@pytest.mark.parametrize(
    ("category", "joints", "one", "many"),
    [
        ("person", ("nose",), "person", "persons"),
        ("mouse", ("snout",), "mouse", "mice"),
        ("Fruit_Fly", (), "fruit fly", "fruit flys"),
        ("fox", (), "fox", "foxes"),
        ("person", ("nose", "tail_base"), "animal", "animals"),
        ("0", (), "subject", "subjects"),
    ],
)
def test_words_follow_from_category_and_joints(category, joints, one, many):
    assert name_subjects(category, joints) == SubjectWords(one, many)


def test_text_on_persons_becomes_one_on_mice():
    text = "Persons: each person of 3 persons in personal photographs."
    assert SubjectWords("mouse", "mice").adapt(text) == "Mice: each mouse of 3 mice in personal photographs."
    assert PERSONS.adapt(text) == text
