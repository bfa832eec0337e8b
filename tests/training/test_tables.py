"""Tables as people read them."""

from training.tables import aligned


def test_numbers_are_right_aligned_with_commas() -> None:
    rows = [("reviews", 236, "as is"), ("generated", 25000, "")]
    assert aligned(("file", "rows", "notes"), rows, numbers=("rows",)) == (
        "file         rows  notes\nreviews       236  as is\ngenerated  25,000"
    )


def test_columns_beyond_the_width_continue_below() -> None:
    header = ["", "one", "two", "three"]
    rows = [["a", "1" * 8, "2" * 8, "3" * 8], ["bb", "1", "2", "3"]]
    assert aligned(header, rows, max_width=22) == (
        "    one       two\na   11111111  22222222\nbb  1         2\n\n    three\na   33333333\nbb  3"
    )


def test_a_column_wider_than_the_page_has_its_own_block() -> None:
    assert aligned(["", "one", "two"], [["a", "1" * 30, "2"]], max_width=10).count("\n\n") == 1
