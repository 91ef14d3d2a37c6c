"""Which part of a picture is trained on."""

from stackgan.data.records import Box

Window = tuple[int, int, int, int]  # left, upper, right, lower, in pixels, as PIL's crop takes it


def reference_crop(image_size: tuple[int, int], box: Box | None) -> Window:
    """The square around a bird that both StackGAN references cut out.

    With a box (x, y, width, height): R = int(0.75 max(width, height)); the square of side 2R on the box's centre,
    clipped to the picture (StackGAN-Pytorch `datasets.py`, StackGAN `misc/preprocess_birds.py`). A clipped square is no
    square any more and the references still resize it to one, squashing the bird; this is kept, because published
    scores rest on it.

    Without a box the references resize the whole picture, whatever its shape. Here it is the centred square: pictures
    in a folder of one's own come in all shapes, and a network taught on squashed ones draws squashed things.

    Args:
        image_size: width, height of the original.
        box: x, y, width, height, or None.
    """
    width, height = image_size
    if box is None:
        side = min(width, height)
        left, upper = (width - side) // 2, (height - side) // 2
        return left, upper, left + side, upper + side
    x, y, box_width, box_height = box
    radius = int(max(box_width, box_height) * 0.75)
    centre_x, centre_y = int((2 * x + box_width) / 2), int((2 * y + box_height) / 2)
    return (
        max(0, centre_x - radius),
        max(0, centre_y - radius),
        min(width, centre_x + radius),
        min(height, centre_y + radius),
    )
