"""paraphrase-multilingual-MiniLM-L12-v2 (Reimers and Gurevych 2020): captions in some fifty languages.

Captions that mean the same are near each other in whichever language. Its layers are BERT's, so MiniLM's code computes them; the
words come from XLM-R's vocabulary of 250,000 pieces (unigram), which has letters of every script. Its own vectors have no fixed
length; here they have MiniLM's, like all that this project trains on.
"""

from pathlib import Path

from stackgan.text.minilm import MiniLM
from stackgan.text.minilm_files import find_multilingual


class MultilingualMiniLM(MiniLM):
    """Sentence vectors: the mean of the twelfth layer's token states, 384 numbers. See MiniLM for the arguments.

    Raises:
        UserError: the weights are not in the Hugging Face cache, and the hub does not give them.
    """

    name = "multilingual"
    LIMIT = 128
    UNKNOWN = "<unk>"
    LATIN_ONLY = False

    @staticmethod
    def find() -> Path:
        return find_multilingual()
