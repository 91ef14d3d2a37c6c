import numpy as np
import pytest

from stackgan.errors import UserError
from stackgan.text.attributes import AttributeEncoder, attribute_table

NAMES = ("has_wing_color::blue", "has_wing_color::red", "has_size::small_(5_-_9_in)")


def test_each_picture_has_one_vector_of_unit_mean_square(make_store):
    store = make_store(
        [["a", "b"], ["c"], ["d"]], attributes=[[1, 0, 1], [0, 0.5, 0], [0, 0, 0]], attribute_names=NAMES
    )
    table = attribute_table(store)
    assert table.starts.tolist() == [0, 1, 2, 3] and table.dim == 3 and table.encoder_name == "attributes"
    half = np.sqrt(1.5)
    np.testing.assert_allclose(table.vectors, [[half, 0, half], [0, np.sqrt(3), 0], [0, 0, 0]], rtol=1e-6)
    assert table.vectors.dtype == np.float32


def test_names_in_a_caption_make_the_same_vector(make_store):
    table = attribute_table(make_store([["a"]], attributes=[[1, 0, 1]], attribute_names=NAMES))
    encoder = AttributeEncoder(NAMES)
    vectors = encoder.encode(["has_size::small_(5_-_9_in), has_wing_color::blue", ""])
    np.testing.assert_allclose(vectors[0], table.vectors[0], rtol=1e-6)
    assert not vectors[1].any()
    assert table.encoder == encoder.fingerprint() != AttributeEncoder(NAMES[::-1]).fingerprint()


def test_unknown_names_are_met_with_the_nearest_known_one():
    with pytest.raises(UserError, match="did you mean has_wing_color::blue"):
        AttributeEncoder(NAMES).encode(["has_wing_colour::blue"])


def test_pictures_without_attributes_are_the_users_error(make_store):
    with pytest.raises(UserError, match="no attributes"):
        attribute_table(make_store([["a"]]))
