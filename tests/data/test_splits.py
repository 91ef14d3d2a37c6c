from collections import Counter

import pytest

from stackgan.data.splits import class_list, split_by_class, split_by_hash, split_by_image
from stackgan.errors import UserError


def names_of(class_ids):
    return [f"{c}/{i}.jpg" for i, c in enumerate(class_ids)]


def test_test_and_validation_classes_are_disjoint_and_of_the_documented_number():
    test, validation = class_list("cub_test"), class_list("cub_validation")
    assert (len(test), len(validation)) == (50, 20)
    assert not test & validation
    assert 10 in validation
    assert not validation & {2, 3, 5, 7}
    assert min(validation) <= 10 and max(validation) >= 190


def test_classes_never_straddle_two_splits():
    class_ids = [c for c in range(1, 201) for _ in range(3)]
    splits, notes = split_by_class(names_of(class_ids), class_ids)
    assert notes == []
    assert len(set(zip(class_ids, splits, strict=True))) == 200
    assert Counter(splits) == {"train": 130 * 3, "validation": 20 * 3, "test": 50 * 3}


def test_without_validation_classes_the_last_of_three_training_classes_validates():
    class_ids = [1, 2, 2, 3, 3, 5, 5]
    splits, notes = split_by_class(names_of(class_ids), class_ids)
    assert splits == ["test", "train", "train", "train", "train", "validation", "validation"]
    assert "class 5 validates" in notes[0]


def test_with_two_training_classes_a_tenth_of_the_pictures_validates():
    class_ids = [2, 3] * 100
    splits, notes = split_by_class(names_of(class_ids), class_ids)
    assert 5 <= splits.count("validation") <= 40
    assert {c for c, s in zip(class_ids, splits, strict=True) if s == "train"} == {2, 3}
    assert any("a tenth" in note for note in notes) and any("test split is empty" in note for note in notes)
    assert split_by_class(names_of(class_ids), class_ids)[0] == splits


def test_test_classes_of_ones_own_take_the_place_of_stackgans():
    class_ids = [c for c in range(1, 11) for _ in range(2)]
    splits, notes = split_by_class(names_of(class_ids), class_ids, [8, 9])
    assert {c for c, s in zip(class_ids, splits, strict=True) if s == "test"} == {8, 9}
    assert {c for c, s in zip(class_ids, splits, strict=True) if s == "validation"} == {10}
    assert notes == []


@pytest.mark.parametrize(
    ("chosen", "words"), [([8, 12], r"data\.test_classes=\[12\].*1, 2, 3, .* 10\."), (range(1, 11), "nothing is left")]
)
def test_test_classes_that_do_not_exist_or_leave_nothing_are_refused(chosen, words):
    with pytest.raises(UserError, match=words):
        split_by_class(names_of(range(1, 11)), [*range(1, 11)], chosen)


def test_only_validation_classes_still_leave_something_to_train_on():
    splits, _ = split_by_class(names_of([10] * 30), [10] * 30)
    assert "train" in splits and "validation" in splits


def test_only_test_classes_is_the_users_error():
    with pytest.raises(UserError, match=r"data\.split=image"):
        split_by_class(names_of([1, 4]), [1, 4])


def test_image_split_keeps_the_official_test_pictures_and_holds_out_a_tenth_of_the_rest():
    official = [i % 2 == 0 for i in range(10_000)]
    splits = split_by_image([f"{i}.jpg" for i in range(10_000)], official)
    assert [s == "test" for s in splits] == [not train for train in official]
    assert splits.count("validation") == pytest.approx(500, abs=85)  # four standard deviations


def test_a_few_pictures_still_give_one_for_validation():
    assert split_by_image(["a", "b"], [True, True]).count("validation") == 1
    assert split_by_image(["a"], [True]) == ["train"]


def test_pictures_that_would_all_validate_still_leave_some_to_train_on():
    many = [f"{i}.jpg" for i in range(100)]
    few = [name for name, split in zip(many, split_by_image(many, [True] * 100), strict=True) if split == "validation"]
    assert len(few) > 2
    assert Counter(split_by_image(few, [True] * len(few))) == {"validation": 1, "train": len(few) - 1}


def test_hash_split_has_the_documented_shares():
    counts = Counter(split_by_hash(f"{i}.png") for i in range(20_000))
    assert counts["validation"] == pytest.approx(2000, abs=170)  # four standard deviations
    assert counts["test"] == pytest.approx(2000, abs=170)


def test_the_split_of_a_name_is_the_same_for_ever():
    """Another one would train earlier runs' successors on what those were tested on."""
    drawn = [split_by_hash(f"{i}.png") for i in range(24)]
    assert [i for i, split in enumerate(drawn) if split == "test"] == [2, 5, 8, 12, 13, 22]
    assert [i for i, split in enumerate(drawn) if split == "validation"] == []
    official = split_by_image([f"{i}.png" for i in range(60)], [True] * 60)
    assert [i for i, split in enumerate(official) if split == "validation"] == [30, 42, 49, 50, 56]
