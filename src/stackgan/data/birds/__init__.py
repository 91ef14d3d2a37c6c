"""The embedded data set: procedurally painted birds in the layout of CUB-200-2011 (`data=birds`)."""

from stackgan.data.birds.attributes import (
    ATTRIBUTES,
    HABITATS,
    POSES,
    SIZES,
    Individual,
    attribute_indices,
    attribute_names,
    attribute_vector,
    attributes_from_vector,
    random_individual,
)
from stackgan.data.birds.captions import write_captions
from stackgan.data.birds.layout import PAINTER_VERSION, check_birds, paint_birds
from stackgan.data.birds.painter import PARTS, Painting, paint
from stackgan.data.birds.species import SPECIES_COUNT, Species, all_species, draw_individual
from stackgan.data.birds.split import check_class_split

__all__ = [
    "ATTRIBUTES",
    "HABITATS",
    "PAINTER_VERSION",
    "PARTS",
    "POSES",
    "SIZES",
    "SPECIES_COUNT",
    "Individual",
    "Painting",
    "Species",
    "all_species",
    "attribute_indices",
    "attribute_names",
    "attribute_vector",
    "attributes_from_vector",
    "check_birds",
    "check_class_split",
    "draw_individual",
    "paint",
    "paint_birds",
    "random_individual",
    "write_captions",
]
