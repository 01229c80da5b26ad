"""Notebook 02's panels: sinusoids, the objective over two parameters, and a few-shot episode."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import ipywidgets
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkit import data, encoders, meta, tasks
from labkit.meta import batched, fewshot, figures, landscape, sinusoids
from labkit.meta.figures import LETTERS, SINUSOIDS, letter_at
from labkit.ui.controls import Dice, menu
from labkit.ui.panel import Panel, panel
from labkit.ui.raster import Place

# ------------------------------------------------ sinusoids: A is a few steps from theta


class Adapted(NamedTuple):
    """One sinusoid before and after adaptation, and the mean error of tasks like it."""

    x: np.ndarray  # (points,)
    truth: np.ndarray  # (points,)
    functions: dict[str, np.ndarray]  # method -> (points,) after all steps
    support: tuple[np.ndarray, np.ndarray]  # x and y, each (shots,)
    errors: dict[str, np.ndarray]  # method -> (steps + 1,), the mean over tasks
    inside: bool  # whether theta was trained on such amplitudes and phases


TASKS_LIKE_IT = 12


def tasks_near(amplitude: float, phase: float, shots: int, noise: float, seed: int) -> list[Tensor]:
    """A `meta.TaskBatch` of a sin(x - b) itself, and of tasks like it."""
    exact = sinusoids.Sines((amplitude,) * 2, (phase,) * 2, noise)
    near = sinusoids.Sines((amplitude - 0.1, amplitude + 0.1), (phase - 0.1, phase + 0.1), noise)
    generator = torch.Generator().manual_seed(seed)
    like_it = sinusoids.sample(TASKS_LIKE_IT, shots, 40, generator, near)
    one = sinusoids.sample(1, shots, 40, generator, exact)
    return [torch.cat(pair) for pair in zip(one, like_it, strict=True)]


def compute_sinusoids(
    networks: Mapping[str, nn.Module], amplitude: float, phase: float, shots: int, steps: int,
    inner_lr: float, order: str = "second", noise: float = 0.0, seed: int = 0,
) -> Adapted:  # fmt: skip
    """Adapt every network to `shots` points of a sin(x - b), all at once: a frame is short.

    `networks`: the thetas of `sinusoids.THETAS`; `order` picks "maml" or "fomaml".
    """
    shown = {m: networks[m] for m in ("maml", "reptile", "joint", "random")}
    if order == "first":
        shown["maml"] = networks["fomaml"]
    batch = tasks_near(amplitude, phase, shots, noise, seed)
    tasks = meta.TaskBatch(*(part.repeat(len(shown), 1, 1) for part in batch))
    thetas = [batched.stack_weights(network, len(batch[0])) for network in shown.values()]
    start = {name: torch.cat([theta[name] for theta in thetas]) for name in thetas[0]}
    network, x = networks["random"], torch.linspace(*sinusoids.RANGE, 101)
    descent = meta.GradientDescent(network, inner_lr, steps, F.mse_loss, first_order=True)
    path = descent.path(*tasks[:2], start)
    with torch.no_grad():  # where a function left the numbers, it left the picture too
        own = {name: w[:: len(batch[0])] for name, w in path[-1].items()}
        y = batched.forward(network, own, x[:, None].expand(len(shown), -1, -1)).nan_to_num(1e6)
    found = sinusoids.errors_along(network, path, tasks).unflatten(1, (len(shown), -1))
    (low_a, high_a), (low_b, high_b) = sinusoids.AMPLITUDES, sinusoids.PHASES
    return Adapted(
        x.numpy(),
        amplitude * np.sin(x.numpy() - phase),
        dict(zip(shown, y[..., 0].numpy(), strict=True)),
        (batch[0][0, :, 0].numpy(), batch[1][0, :, 0].numpy()),
        dict(zip(shown, found[..., 1:].mean(dim=2).T.numpy(), strict=True)),
        low_a <= amplitude <= high_a and low_b <= phase <= high_b,
    )


def describe_sinusoids(result: Adapted) -> str:
    parts = [
        f"{SINUSOIDS[method].name} {error[0]:.3g} before and {error[-1]:.3g} after"
        for method, error in result.errors.items()
    ]
    where = "inside" if result.inside else "outside"
    return (
        f"Every θ sees the dots of one sinusoid {where} the trained range. Squared error on new "
        f"points, before and after {len(result.errors['maml']) - 1} steps on "
        f"{len(result.support[0])} points: {'; '.join(parts)}."
    )


def sinusoid_panel(networks: Mapping[str, nn.Module]) -> Panel:
    """Adapt `networks` (the thetas of `sinusoids.THETAS`) to any sinusoid, live."""
    slider, whole = ipywidgets.FloatSlider, ipywidgets.IntSlider
    return panel(
        partial(compute_sinusoids, networks),
        figures.draw_sinusoids,
        describe_sinusoids,
        size=(11, 4.6),
        columns=2,
        title="One task, few points: what does each θ make of them?",
        amplitude=slider(3.0, min=0.5, max=8.0, step=0.25, description="Amplitude (trained: to 5)"),
        phase=slider(1.0, min=0.0, max=6.25, step=0.25, description="Phase (trained: to 3.1)"),
        shots=whole(10, 1, 20, description="Points"),
        steps=whole(3, 0, 10, description="Inner steps"),
        inner_lr=slider(
            sinusoids.INNER_LR, min=0.0, max=0.1, step=0.005, readout_format=".3f",
            description="Inner rate",
        ),
        order=menu("MAML's order", ["second", "first"]),
        noise=slider(0.0, min=0.0, max=2.0, step=0.1, description="Noise"),
        seed=Dice(max=9, description="Other points"),
    )  # fmt: skip


# ------------------------------------------------ the whole objective, over two parameters


def compute_landscape(
    intercept: float, slope: float, steps: int, inner_lr: float
) -> landscape.Landscape:
    """The objective after `steps` inner steps, and what the tasks do from theta."""
    return landscape.landscape(np.array([intercept, slope]), steps, inner_lr)


def describe_landscape(result: landscape.Landscape) -> str:
    losses = ", ".join(f"{loss:.2f}" for loss in result.losses)
    steps = "1 step leaves" if result.steps == 1 else f"{result.steps} steps leave"
    return (
        "The star is θ̂, from where the three tasks together learn best. From theta "
        f"({result.theta[0]:.1f}, {result.theta[1]:.1f}), {steps} the three tasks losses "
        f"{losses}, in sum {result.losses.sum():.2f}. The best theta is "
        f"({result.best[0]:.2f}, {result.best[1]:.2f}), with {result.best_value:.2f}."
    )


def clicked_theta(_result: landscape.Landscape, place: Place) -> dict[str, float]:
    """A click on the plane moves theta there, to the sliders' steps."""
    if place.axes != 0:
        return {}
    return {"intercept": round(place.x, 1), "slope": round(place.y, 1)}


def objective_landscape() -> Panel:
    """Move theta by two sliders or a click; see the objective, every f_i, and theta^ follow."""
    slider = ipywidgets.FloatSlider
    return panel(
        compute_landscape,
        figures.draw_landscape,
        describe_landscape,
        size=(11, 4.8),
        columns=2,
        title="Move θ (or click the plane): how well does every task start from there?",
        click=clicked_theta,
        intercept=slider(-2.0, min=-3, max=3, step=0.1, description="θ₁ intercept"),
        slope=slider(-2.0, min=-3, max=3, step=0.1, description="θ₂ slope"),
        steps=ipywidgets.IntSlider(1, 0, 20, description="Inner steps k"),
        inner_lr=slider(0.3, min=0.05, max=0.5, step=0.05, description="Inner rate"),
    )


# ------------------------------------------------ an episode, to be guessed first


class Episode(NamedTuple):
    """One few-shot task as pictures, what the reader named, and what the model (if it may say)."""

    support: np.ndarray  # (ways, shots, 3, 64, 64) uint8
    query: np.ndarray  # (queries, 3, 64, 64)
    answers: list[str]  # letters, the truth
    guesses: list[str]  # letters, the model's
    mine: list[str]  # letters, the reader's; "" where none was given
    names: list[str]  # of the concepts
    model: str
    steps: int  # of its own, or -1 if it takes none
    revealed: bool

    def right(self, letters: Sequence[str]) -> int:
        return sum(letter == answer for letter, answer in zip(letters, self.answers, strict=True))

    @property
    def title(self) -> str:
        named, of = sum(map(bool, self.mine)), len(self.answers)
        if not self.revealed:
            first = f"You have named {named} of {of}" if named else "You first"
            return f"{first}, then {self.model}" + f", {self.steps} steps" * (self.steps >= 0)
        you = f"You {self.right(self.mine)}, {self.model}" if named else f"{self.model}:"
        return f"{you} {self.right(self.guesses)} of {of} right"

    @property
    def marks(self) -> list[str]:
        """Who said what of each query, once the model has answered."""
        ticks = [
            [f"{x} {'✓' if x == answer else '✗'}" if x else "–" for x in both]
            for *both, answer in zip(self.mine, self.guesses, self.answers, strict=True)
        ]
        if not any(self.mine):
            return [model for _, model in ticks]
        return [f"you {you}\nmodel {model}" for you, model in ticks]


Answer = Callable[[meta.TaskBatch, int], Tensor]  # episode, steps -> labels (queries,)
WAYS, LETTER = len(LETTERS), np.array(list(LETTERS))


def episode_models() -> dict[str, Answer]:
    """Name -> how it answers an episode: the lab's encoder, and the meta-trained networks."""
    clip, maml = encoders.load("clip-conv").image, fewshot.load("maml")
    meta_trained = fewshot.load("prototypes").body

    def answer(algorithm: meta.Algorithm, task: meta.TaskBatch) -> Tensor:
        return algorithm(task.support_x, task.support_y)(task.query_x)[0].argmax(dim=1)

    return {
        "MAML": lambda task, steps: answer(fewshot.maml(maml, steps), task),
        "prototypes, meta-trained": lambda task, _: answer(meta.Prototypes(meta_trained), task),
        "prototypes, pretrained encoder": lambda task, _: answer(meta.Prototypes(clip), task),
        "logistic head, pretrained encoder": lambda task, _: answer(meta.LogisticHead(clip), task),
    }


def compute_episode(
    emoji: tuple[data.Emoji, data.Emoji], answer: Answer, model: str, episode: int, shots: int,
    setting: str, steps: int, guesses: str, reveal: bool,
) -> Episode:  # fmt: skip
    """Draw an episode twice, at 32 pixels for the model and at 64 for the reader.

    guesses: the reader's letters, in the queries' order; anything but A to E skips one.
    """
    # Five shots within the six colour styles leave one drawing to ask about.
    queries, styles = 1 if setting == "within" and shots > 4 else 2, fewshot.SETTINGS[setting]
    seeded = [torch.Generator().manual_seed(episode) for _ in range(3)]
    small, large = (
        tasks.sample_episode(part, WAYS, shots, queries, generator, *styles)
        for part, generator in zip(emoji, seeded[1:], strict=True)
    )
    order = torch.randperm(WAYS * queries, generator=seeded[0])
    batch = fewshot.stack([small._replace(query=small.query.at(order))])
    mine = [letter if letter in LETTERS else "" for letter in guesses.upper()[: len(order)]]
    return Episode(
        large.support.images.unflatten(0, (WAYS, shots)).numpy(),
        large.query.images[order].numpy(),
        LETTER[small.query.labels[order]].tolist(),
        LETTER[answer(batch, steps)].tolist(),
        mine + [""] * (len(order) - len(mine)),
        [data.concepts()[c].name for c in small.concepts.tolist()],
        model,
        steps if model == "MAML" else -1,
        reveal,
    )


def describe_episode(result: Episode) -> str:
    named = zip(LETTERS, result.names, strict=True)
    shown = ", ".join(f"{letter} {name}" for letter, name in named)
    base = f"The support set is above, the queries are below. {result.title}. Classes: {shown}."
    if not result.revealed:
        mine = " ".join(letter or "?" for letter in result.mine)
        return f"{base} {len(result.query)} queries, and your guesses: {mine}."
    pairs = zip(result.guesses, result.answers, strict=True)
    return f"{base} Answers and truth: {', '.join(f'{g} for {a}' for g, a in pairs)}."


def clicked_letter(result: Episode, place: Place) -> dict[str, str]:
    """A click on a letter below a query names it; a second one takes that back."""
    found = letter_at(result.support.shape[1], len(result.query), place.x, place.y)
    if result.revealed or found is None:
        return {}
    (query, letter), mine = found, list(result.mine)
    mine[query] = "" if mine[query] == letter else letter
    return {"guesses": "".join(letter or "?" for letter in mine).rstrip("?")}


def episode_viewer() -> Panel:
    """Draw a support set, see the queries, guess, then let a model answer."""
    large = data.load(parts="test", size=64)
    emoji = replace(large, images=data.half_size(large.images)), large
    models = episode_models()

    def compute(model: str, **values) -> Episode:
        return compute_episode(emoji, models[model], model, **values)

    whole = ipywidgets.IntSlider
    settings = {"within flat colour styles": "within", "colour to black and white": "across"}
    asks = {
        "episode": Dice(max=99, description="Another episode"),
        "shots": whole(1, 1, 5, description="Shots"),
        "setting": menu("Styles", settings),
    }
    said = {
        "guesses": ipywidgets.Text(description="Your letters: click, or type them in order"),
        "reveal": ipywidgets.Checkbox(False, description="Let the model answer"),
    }

    def forget(_change) -> None:  # before the panel hears of it: letters belong to one episode
        said["reveal"].value, said["guesses"].value = False, ""

    for control in asks.values():
        control.observe(forget, "value")
    return panel(
        compute,
        figures.draw_episode,
        describe_episode,
        size=(7, 6.9),
        title="Five concepts nobody has seen: guess before the model does",
        click=clicked_letter,
        model=list(models),
        **asks,
        steps=whole(3, 0, 10, description="MAML's steps"),
        **said,
    )
