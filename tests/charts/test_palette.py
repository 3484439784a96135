"""Colors can be told from the paper: WCAG 2.2's contrasts, by the standard's formula."""

import pytest

from asmrisk.charts.palette import DARK, LIGHT, contrast


def test_contrast_is_that_of_the_standard():
    # Mid gray #777777 on white is the standard's known example just below 4.5.
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert contrast("#0072b2", "#0072b2") == 1.0


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_labels_in_the_color_of_their_marks_reach_four_and_a_half_to_one(palette):
    assert {tone for tone in palette if contrast(palette[tone], palette["paper"]) < 4.5} == {"paper", "grid"}
