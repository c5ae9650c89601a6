"""Descents on surfaces over the plane: what momentum does, and where small batches go and a full one does not."""

from batchlab.claims import At, AtStep, Claim, Compare, Exceeds, Ratio
from batchlab.studies.base import Document, Size, Study

MOMENTA = [0.0, 0.5, 0.9, 0.99]


def _surface(
    name: str, surface: Document, lr: float, start: list[float] | None = None, scatter: float = 0.02
) -> Document:
    """A variant that descends a surface from about one place, which differs a little from seed to seed."""
    place = {} if start is None else {"start": start}
    return {"name": name, "model": {"surface": surface, "scatter": scatter, **place}, "lr": {"base": lr}}


SADDLE = {"kind": "saddle", "bound": 0.25}


def _momentum(size: Size) -> Document:
    network = {
        "dataset": {"kind": "digits", "rows": None, "spread": None},
        "model": {"kind": "mlp", "widths": [32], "surface": None},
        "batch_sizes": [32],
        "lr": {"base": 0.02},
        "budget": {"epochs": {"smoke": 1, "small": 8, "full": 30}[size], "steps": None},
        "probes": [{"kind": "momentum_parts"}, {"kind": "grad_norm"}, {"kind": "distance"}],
        "evaluate": {"every_steps": None, "every_epochs": 1},
    }
    return {
        "dataset": {"kind": "slopes", "rows": 1},
        "model": {"kind": "surface"},
        "batch_sizes": ["full"],
        "lr": {"rule": "fixed", "base": 0.05},
        "momentum": MOMENTA,
        "budget": {"steps": {"smoke": 60, "small": 100, "full": 200}[size]},
        "seeds": 1 if size == "smoke" else 5,
        "evaluate": {"every_steps": 20},
        "probes": [{"kind": "position"}, {"kind": "momentum_parts"}, {"kind": "distance", "radius": 1.0}],
        "variants": [
            _surface("quadratic", {"kind": "quadratic"}, 0.05),
            _surface("ravine", {"kind": "ravine"}, 0.02),
            _surface("saddle", SADDLE, 0.05, [1.5, 0.0], 0.001),
            _surface("plateau", {"kind": "plateau"}, 0.1),
            _surface("local minima", {"kind": "local_minima"}, 0.05),
            {"name": "network", **network},
        ],
    }


TRIANGLES = {"kind": "triangular", "step_size": 25, "unit": "steps", "base": 0.25}
WELL = {"kind": "local_minima", "tilt": 0.0}


def _saddle_full_vs_mini(size: Size) -> Document:
    return {
        "dataset": {"kind": "slopes", "rows": 16, "spread": 1.0},
        "model": {"kind": "surface", "surface": SADDLE, "start": [0.0, 0.0]},
        "batch_sizes": [1, 4, "full"],
        "lr": {"rule": "fixed", "base": 0.05},
        "budget": {"steps": 200 if size == "smoke" else 400},
        "seeds": {"smoke": 2, "small": 8, "full": 50}[size],
        "evaluate": {"every_steps": 50},
        "probes": [{"kind": "distance", "radius": 1.0}, {"kind": "position"}],
        "variants": [
            {"name": "saddle"},
            {"name": "local minimum", "model": {"surface": WELL | {"bound": None}, "start": [1.0, 0.0]},
             "lr": {"base": 0.1}},
            {"name": "local minimum, raised rate", "model": {"surface": WELL | {"bound": None}, "start": [1.0, 0.0]},
             "lr": {"base": 0.2}},
            {"name": "local minimum, cyclic rate", "model": {"surface": WELL | {"bound": None}, "start": [1.0, 0.0]},
             "lr": {"base": 0.4}, "schedule": TRIANGLES},
        ],
    }  # fmt: skip


def _stays(variant: str) -> Exceeds:
    at = At(variant=variant, batch_size="full")
    return Exceeds(quantity="mean_distance", at=at, number=0.0, direction="equal", smallest=1e-6)


STUDIES = (
    Study(
        name="momentum",
        title="Momentum on surfaces and on a network",
        source="figures 3.14 to 3.17",
        question="What does momentum do where plain gradient descent is slow or stops?",
        doc="Heavy-ball momentum 0, 0.5, 0.9 and 0.99 on five surfaces and on a network. A step is minus the rate "
        "times the gradient, plus momentum times the previous step. The start differs a little from seed to seed. "
        "A saddle with slopes of 1 is left at the rate z, the largest root of z^2 - (1 + m + lr) z + m = 0.",
        plots=("paths", "step-parts", "escape-times", "accuracy-vs-momentum"),
        claims=(
            Claim("plain-on-plateau", "On the plateau plain descent is still far from the minimum.", "figure 3.15",
                  Exceeds(quantity="val_loss", at=At(variant="plateau", momentum=0.0), number=0.5)),
            Claim("momentum-on-plateau", "Momentum 0.9 crosses the plateau meanwhile.", "figure 3.17",
                  Compare(quantity="val_loss", a=At(variant="plateau", momentum=0.9),
                          b=At(variant="plateau", momentum=0.0), direction="less", smallest=0.25)),
            Claim("plain-in-minimum", "Plain descent stops in the local minimum.", "figure 3.14",
                  Exceeds(quantity="final_param/x", at=At(variant="local minima", momentum=0.0), number=0.5)),
            Claim("momentum-past-minimum", "Momentum 0.9 rolls past it.", "figure 3.17",
                  Exceeds(quantity="final_param/x", at=At(variant="local minima", momentum=0.9), number=-0.5,
                          direction="less")),
            Claim("escape-rate", "With momentum 0.9 and the rate 0.05 a saddle is left at 1.2 for each update.",
                  "the recurrence of heavy ball",
                  Exceeds(quantity=Ratio(of=AtStep(metric="param/y", step=21), over=AtStep(metric="param/y", step=20)),
                           at=At(variant="saddle", momentum=0.9), number=1.2, direction="equal", smallest=0.005)),
            Claim("network", "On a network, momentum 0.9 ends at a lower training loss than none.", "figure 3.17",
                  Compare(quantity="train_loss", a=At(variant="network", momentum=0.9),
                          b=At(variant="network", momentum=0.0), direction="less", scale="log_ratio", smallest=0.1)),
        ),
        build=_momentum,
    ),
    Study(
        name="saddle-full-vs-mini",
        title="Where a full batch stays and small batches leave",
        source="figures 6.7.6 and 3.12",
        question="Do small batches leave a saddle or a local minimum in which the full batch rests?",
        doc="The loss of each row is a surface and a slope of its own; the slopes of all rows cancel. The full batch "
        "starts where the surface is level, and stays. A row drawn alone has a slope there. A run has left when it is "
        "farther than 1 from the start. Beside it: a higher rate, and a cyclic one, in the local minimum.",
        plots=("escape-times", "paths"),
        claims=(
            Claim("full-stays", "On the saddle, the full batch does not move.", "figure 6.7.6",
                  _stays("saddle")),
            Claim("full-stays-in-minimum", "In the local minimum, the full batch does not move.", "figure 3.12",
                  _stays("local minimum")),
            Claim("single-rows-leave", "Batches of one leave the saddle.", "figure 6.7.6",
                  Exceeds(quantity="mean_distance", at=At(variant="saddle", batch_size=1), number=0.5)),
            Claim("smaller-sooner", "The smaller the batch, the sooner it leaves.", "figure 6.7.6",
                  Compare(quantity="escape_step", a=At(variant="saddle", batch_size=1),
                          b=At(variant="saddle", batch_size=4), direction="less", scale="log_ratio", smallest=0.1)),
            Claim("raised-rate-leaves", "A higher rate takes batches of one out of the local minimum.", "figure 6.7.6",
                  Compare(quantity="mean_distance", a=At(variant="local minimum, raised rate", batch_size=1),
                          b=At(variant="local minimum", batch_size=1), direction="greater", smallest=0.1)),
        ),
        build=_saddle_full_vs_mini,
    ),
)  # fmt: skip
