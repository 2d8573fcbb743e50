"""The sample leads of the sandbox's form."""

from __future__ import annotations

from sandbox.samples import SAMPLES, lead_from_form


def test_each_posting_of_a_sample_is_another_person() -> None:
    for sample in SAMPLES:
        addresses = {sample.values(turn)["email"] for turn in range(12)}
        assert len(addresses) == 12


def test_a_form_gives_numbers_as_numbers_and_leaves_empty_fields_out() -> None:
    lead = lead_from_form({"employees": "many", "source_score": " 18 ", "phone": " ", "x": "y"},
                          "id", "now")  # fmt: skip
    assert lead == {
        "external_id": "id",
        "occurred_at": "now",
        "employees": "many",
        "source_score": 18,
    }
