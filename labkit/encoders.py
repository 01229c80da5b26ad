"""Small encoders, 32 x 32 pixels in, a feature vector out, and the shipped weights.

Every image encoder takes uint8 or float images (n, 3, h, w), returns features (n, dim), and has the
attribute `dim`. This lab's own are whole on this page; text encoders are in `labkit.text`.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkit import data
from labkit.augment import as_float
from labkit.inputs import check_choice, refused
from labkit.text import TextEncoder, WordEncoder
from labkit.torchvision_compat import import_torchvision
from labkit.weights import parse_tensors, write_tensors


def standardise(images: Tensor) -> Tensor:
    """uint8 in [0, 255] or float in [0, 1] -> float32 in [-1, 1], white being 1."""
    return as_float(images) * 2 - 1


class ResidualBlock(nn.Module):
    """x + conv(conv(x)) (He et al. 2016), halving the picture when `stride` is 2."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Identity()
        if stride > 1 or channels_in != channels:
            convolution = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(out)) + self.shortcut(x))


class ConvEncoder(nn.Module):
    """A small residual network; the stem's stride of 2 makes it five times as fast as without."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.dim = 4 * width
        # Channels last: 1.3 times faster. Torch 2.13's one-threaded backward crashes with so few.
        self.layout = torch.channels_last if width >= 8 else torch.contiguous_format
        self.stem = nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(
            ResidualBlock(width, width, stride=1),
            ResidualBlock(width, width, stride=1),
            ResidualBlock(width, 2 * width, stride=2),
            ResidualBlock(2 * width, 2 * width, stride=1),
            ResidualBlock(2 * width, 4 * width, stride=2),
            ResidualBlock(4 * width, 4 * width, stride=1),
        )

    def forward(self, images: Tensor) -> Tensor:
        x = standardise(images).to(self.stem.weight.dtype).contiguous(memory_format=self.layout)
        x = F.relu(self.norm(self.stem(x)))  # (n, width, 16, 16)
        return self.blocks(x).mean(dim=(2, 3))  # (n, 4 * width, 4, 4) -> (n, dim)


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        def split(x: Tensor) -> Tensor:  # (n, tokens, dim) -> (n, heads, tokens, dim / heads)
            return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).flatten(2))  # (n, tokens, dim)


class FeedForward(nn.Module):
    """Two linear layers, applied to each token alone."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.up = nn.Linear(dim, 4 * dim)
        self.down = nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x)))


class TransformerBlock(nn.Module):
    """Attention and feed-forward, each on normalised input and added to the residual stream."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(dim), Attention(dim, heads)
        self.norm2, self.feed_forward = nn.LayerNorm(dim), FeedForward(dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.feed_forward(self.norm2(x))


class VisionTransformer(nn.Module):
    """A small vision transformer (Dosovitskiy et al. 2021); features are the mean over patches.

    A block may be wrapped in one that puts more tokens before the patches (prompt tuning, Jia et
    al. 2022): what comes before the patches at the end is left out of the mean.
    """

    def __init__(
        self, dim: int = 128, depth: int = 6, heads: int = 4, patch: int = 4, size: int = 32
    ) -> None:
        super().__init__()
        self.dim = dim
        self.patches = nn.Conv2d(3, dim, patch, stride=patch)
        self.position = nn.Parameter(torch.empty((size // patch) ** 2, dim))
        self.reset_parameters()
        self.blocks = nn.Sequential(*(TransformerBlock(dim, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim)

    def reset_parameters(self) -> None:
        nn.init.normal_(self.position, std=0.02)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patches(standardise(images).to(self.position.dtype))
        x = self.blocks(x.flatten(2).transpose(1, 2) + self.position)  # (n, tokens, dim)
        patches = x[:, -len(self.position) :]
        return self.norm(patches).mean(dim=1)  # (n, dim)


class TinyEncoder(nn.Module):
    """One layer from `tasks.toy` to six features, the same weights every time: for quick checks."""

    def __init__(self, size: int = 4) -> None:
        super().__init__()
        self.dim = 6
        with torch.random.fork_rng(devices=[]):  # what nn.Linear draws is overwritten
            self.linear = nn.Linear(3 * size**2, self.dim)
        generator = torch.Generator().manual_seed(0)
        for parameter in self.linear.parameters():
            nn.init.normal_(parameter, std=0.3, generator=generator)

    def forward(self, images: Tensor) -> Tensor:
        pixels = as_float(images).flatten(1).to(self.linear.weight.dtype)
        return torch.tanh(self.linear(pixels))  # (n, dim)


ARCHITECTURES = {"conv": ConvEncoder, "vit": VisionTransformer}


class Clip(nn.Module):
    """An image and a text encoder with projections into one space (Radford et al. 2021)."""

    def __init__(self, image: nn.Module, text: TextEncoder | WordEncoder, dim: int = 128) -> None:
        super().__init__()
        self.image, self.text = image, text
        self.project_image = nn.Linear(image.dim, dim, bias=False)
        self.project_text = nn.Linear(text.dim, dim, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(1 / 0.07).log())

    @property
    def logit_scale(self) -> Tensor:
        return self.log_scale.clamp(max=torch.tensor(100.0).log().item()).exp()

    def embed_images(self, images: Tensor) -> Tensor:
        """(n, 3, h, w) -> unit vectors (n, dim)."""
        return F.normalize(self.project_image(self.image(images)), dim=1)

    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        """n captions -> unit vectors (n, dim)."""
        return F.normalize(self.project_text(self.text(captions)), dim=1)


class SimCLR(nn.Module):
    """An image encoder and the projection head that pretraining uses and transfer discards."""

    def __init__(self, image: nn.Module, dim: int = 128) -> None:
        super().__init__()
        self.image = image
        self.projector = nn.Sequential(
            nn.Linear(image.dim, image.dim), nn.ReLU(), nn.Linear(image.dim, dim)
        )

    def embed_images(self, images: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, dim), where the contrastive loss is taken."""
        return self.projector(self.image(images))


class Supervised(nn.Module):
    """An image encoder and a linear classifier of upstream labels: the classical pretraining."""

    def __init__(self, image: nn.Module, labels: Sequence[str]) -> None:
        super().__init__()
        self.image, self.labels = image, tuple(labels)
        self.head = nn.Linear(image.dim, len(self.labels))

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, h, w) -> a logit for each label, (n, labels)."""
        return self.head(self.image(images))


def build(config: dict) -> Clip | SimCLR | Supervised:
    """Make the untrained network that `config` describes (the metadata of a weights file).

    config: {"method": "clip" | "simclr" | "supervised", "architecture": a key of ARCHITECTURES,
    "options": its keyword arguments, "vocabulary": for a CLIP that learns words by their letters,
    their pieces, "labels": for supervised, the names of the upstream labels}.
    """
    image = ARCHITECTURES[config["architecture"]](**config["options"])
    if config["method"] == "simclr":
        return SimCLR(image)
    if config["method"] == "supervised":
        return Supervised(image, config["labels"])
    vocabulary = config.get("vocabulary")
    return Clip(image, TextEncoder(vocabulary) if vocabulary else WordEncoder())


def save(model: nn.Module, config: dict, path: Path) -> None:
    """Write weights in half precision and `config` to a safetensors file; all of it or nothing.

    Raises FloatingPointError for weights that half precision cannot hold.
    """
    weights = model.state_dict()
    halves = {n: x.half() if x.is_floating_point() else x for n, x in weights.items()}
    lost = [name for name, value in halves.items() if not value.isfinite().all()]
    if lost:
        raise FloatingPointError(f"{lost[0]} is not finite in half precision: lower lr")
    write_tensors(halves, config, path)


def load(name: str) -> Clip | SimCLR | Supervised:
    """Return a pretrained network of data/weights, in evaluation mode, float32.

    `load("clip-conv").image` is the image encoder, `.text.unknown(caption)` tells which words it
    reads by their letters. Raises ValueError for an unknown name, DataError for a bad file.
    """
    path = f"weights/{name}.safetensors"
    if not (data.DATA / path).exists():  # else, if unknown, it is the list of files that is short
        check_choice("name", (name,), available())
    config, tensors = parse_tensors(data.read_bytes(path))
    with torch.random.fork_rng(devices=[]):  # what layers draw is overwritten
        model = build(config).float()
    model.load_state_dict(tensors)
    return model.eval()


def available() -> list[str]:
    """The names of the shipped weights."""
    files = (Path(name) for name in data.checksums())
    return sorted(f.stem for f in files if f.match("weights/*.safetensors"))


class TorchvisionEncoder(nn.Module):
    """Any torchvision classifier without its head, fed as its weights expect.

    For those who outgrow 32 pixels: `torchvision_encoder("resnet50", weights="DEFAULT")` downloads
    ImageNet weights. Raises ValueError for an unknown name or a network without a linear layer.
    Images are standardised as `weights.transforms()` does (with ImageNet's mean and deviation where
    there are no weights). They are not resized: `size` says on how many pixels the weights were
    tested (None without weights); most backbones take others too, if less well.
    """

    def __init__(self, name: str, weights: str | None = None) -> None:
        super().__init__()
        models = import_torchvision().models
        check_choice("name", (name,), models.list_models(module=models))  # classifiers only
        expected = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
        self.size = None
        if weights is not None:
            known = models.get_model_weights(name)
            check_choice("weights", (weights,), tuple(known.__members__))
            fed = known[weights].transforms()
            expected, self.size = {"mean": fed.mean, "std": fed.std}, fed.crop_size[0]
        self.backbone = models.get_model(name, weights=weights)
        for auxiliary in ("aux1", "aux2", "AuxLogits"):  # classifiers for ImageNet's training only
            if hasattr(self.backbone, auxiliary):
                setattr(self.backbone, auxiliary, None)
                self.backbone.aux_logits = False
        linear = [(n, m) for n, m in self.backbone.named_modules() if isinstance(m, nn.Linear)]
        if not linear:
            raise refused("name", name, "networks with a linear layer at the end")
        last, layer = linear[-1]
        self.backbone.set_submodule(last, nn.Identity())
        self.dim = layer.in_features
        for which, values in expected.items():
            self.register_buffer(which, torch.tensor(values)[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        images = (as_float(images) - self.mean) / self.std
        return self.backbone(images.to(self.mean.dtype))  # (n, dim)


torchvision_encoder = TorchvisionEncoder
