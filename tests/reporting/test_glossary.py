"""Tests of posescope.reporting.glossary."""

from posescope.reporting.glossary import list_terms
from posescope.reporting.subject_words import PERSONS, SubjectWords


def test_terms_are_sorted_and_one_sentence_each():
    terms = list_terms(PERSONS)
    assert [term.name.lower() for term in terms] == sorted(term.name.lower() for term in terms)
    assert {"PCK", "Heatmap", "Component", "Skip connection"} <= {term.name for term in terms}
    assert all(term.value.endswith(".") and ". " not in term.value for term in terms)


def test_terms_are_of_the_subjects():
    meanings = " ".join(term.value for term in list_terms(SubjectWords("mouse", "mice")))
    assert "mice" in meanings
    assert "person" not in meanings


def test_terms_of_a_network_without_skip_connections():
    names = {term.name for term in list_terms(PERSONS)} - {term.name for term in list_terms(PERSONS, has_skips=False)}
    assert names == {"Skip connection"}
