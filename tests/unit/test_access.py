"""The whole table of rights against the same table written out by hand, in another shape."""

from __future__ import annotations

import itertools

import pytest

from bot.domain.access import ACCESS, Bond, Deed, may
from bot.domain.agreement import Role

#: One line a deed: who, by role, standing how to the lead. h holder, m manager of the holder,
#: o other, n no lead; `-` never.
EXPECTED = """
deed                   rep   manager  scrub  marketing  admin
accept                 h     h        -      -          -
pass_on                h     h        -      -          -
reject                 h     h        -      -          -
give_back              h     h        -      -          -
undo                   h     h        -      -          -
recycle                h     hm       -      -          -
log_touch              h     h        -      -          -
undo_log               h     h        -      -          -
qualify                h     h        -      -          -
close                  h     h        -      -          -
take                   -     m        -      -          -
reassign               -     m        -      -          -
nudge                  -     m        -      -          -
extend                 -     m        -      -          -
excuse                 -     m        -      -          -
review_take            -     -        -      hmo        -
review_offer           -     -        -      hmo        -
review_nurture         -     -        -      hmo        -
review_disqualify      -     -        -      hmo        -
reoffer                -     -        -      hmo        -
see_status             hmo   hmo      hmo    hmo        hmo
see_contact            h     hm       hmo    hmo        hmo
see_why                hmo   hmo      hmo    hmo        hmo
see_former_holders     h     hm       -      hmo        hmo
see_unavailable        -     m        -      -          -
see_queue              n     n        n      n          n
see_team               -     n        -      -          -
see_review_list        -     -        -      n          -
see_help               n     n        n      n          n
see_report             n     n        n      n          n
see_people_figures     h     hm       h      h          h
set_own_absence        n     n        n      n          n
say_absence_for_other  -     m        -      hmo        -
try_sample             n     n        n      n          n
make_challenge         -     m        -      n          n
cancel_challenge       -     m        -      n          n
join_board             h     h        h      h          h
answer_flag            h     h        h      h          h
settle_flag            -     m        -      -          -
"""
LETTERS = {"h": Bond.HOLDER, "m": Bond.MANAGER_OF_HOLDER, "o": Bond.OTHER, "n": Bond.NONE}


def written_out() -> dict[tuple[str, str], frozenset[Bond]]:
    head, *rows = [line.split() for line in EXPECTED.strip().splitlines()]
    return {
        (row[0], role): frozenset(LETTERS[c] for c in cell if c != "-")
        for row in rows
        for role, cell in zip(head[1:], row[1:], strict=True)
    }


TABLE = written_out()


@pytest.mark.parametrize("deed", list(Deed))
def test_every_role_and_bond_of_a_deed_is_as_written_out(deed: Deed) -> None:
    for role, bond in itertools.product(Role, Bond):
        allowed = may(frozenset({role}), frozenset({bond}), deed)
        assert allowed == (bond in TABLE[deed.value, role.value]), (deed, role, bond)


def test_a_deed_without_a_row_fails() -> None:
    assert {d.value for d in Deed} == {deed for deed, _ in TABLE}
    assert set(ACCESS) == set(Deed)


@pytest.mark.parametrize("deed", list(Deed))
def test_somebody_without_roles_may_nothing(deed: Deed) -> None:
    # Deactivated, guest, bot, another workspace, not in the playbook: all arrive here as no roles.
    assert not may(frozenset(), frozenset(Bond), deed)


@pytest.mark.parametrize("deed", list(Deed))
def test_no_bond_means_no_right(deed: Deed) -> None:
    assert not may(frozenset(Role), frozenset(), deed)


def test_rights_are_the_union_of_roles_and_of_bonds() -> None:
    for deed, roles, bonds in itertools.product(
        Deed,
        (frozenset(p) for p in itertools.combinations(Role, 2)),
        (frozenset(p) for p in itertools.combinations(Bond, 2)),
    ):
        expected = any(bond in TABLE[deed.value, role.value] for role in roles for bond in bonds)
        assert may(roles, bonds, deed) == expected, (deed, roles, bonds)


def test_a_manager_who_took_the_lead_has_both_the_managers_and_the_reps_rights() -> None:
    dana = frozenset({Role.MANAGER})
    bonds = frozenset({Bond.HOLDER, Bond.MANAGER_OF_HOLDER})
    assert may(dana, bonds, Deed.LOG_TOUCH)
    assert may(dana, bonds, Deed.REASSIGN)


def test_another_teams_manager_sees_status_and_nothing_more() -> None:
    dana, other = frozenset({Role.MANAGER}), frozenset({Bond.OTHER})
    allowed = {deed for deed in Deed if may(dana, other, deed)}
    assert allowed == {Deed.SEE_STATUS, Deed.SEE_WHY}
