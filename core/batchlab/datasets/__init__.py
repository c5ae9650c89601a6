"""Data sets: rows and labels, with static facts known before anything is loaded (the api resolves "10%" with them)."""

from typing import Any

from batchlab.datasets.base import Arrays, DatasetKind, Info, Normalise, Validation
from batchlab.datasets.bundled import BreastCancer, Diabetes, Digits, Iris, Sectors, Wine
from batchlab.datasets.cifar import Cifar10, Cifar100
from batchlab.datasets.emnist import Emnist
from batchlab.datasets.inline import Inline
from batchlab.datasets.mnist import FashionMnist, Kmnist, Mnist
from batchlab.datasets.slopes import Slopes
from batchlab.datasets.splitting import Part, Split, moments, split
from batchlab.datasets.synthetic import Blobs, Curve, LinearRegression, Moons, Spirals, Teacher
from batchlab.datasets.user import User
from batchlab.kinds import members, union

__all__ = [
    "Arrays",
    "Blobs",
    "BreastCancer",
    "Cifar10",
    "Cifar100",
    "Curve",
    "Dataset",
    "DatasetKind",
    "Diabetes",
    "Digits",
    "Emnist",
    "FashionMnist",
    "Info",
    "Inline",
    "Iris",
    "Kmnist",
    "LinearRegression",
    "Mnist",
    "Moons",
    "Normalise",
    "Part",
    "Sectors",
    "Slopes",
    "Spirals",
    "Split",
    "Teacher",
    "User",
    "Validation",
    "Wine",
    "moments",
    "split",
    "standalone",
]

Dataset: Any = union(
    "datasets",
    *(Sectors, Digits, Iris, Wine, BreastCancer, Diabetes),
    *(Mnist, FashionMnist, Kmnist, Emnist, Cifar10, Cifar100),
    *(Blobs, Moons, Spirals, Teacher, LinearRegression, Curve, Inline, Slopes, User),
)


def standalone() -> tuple[type[DatasetKind], ...]:
    """The kinds that their name alone describes: those without a parameter that must be given."""
    kinds: tuple[Any, ...] = members(Dataset)
    return tuple(cls for cls in kinds if not any(field.is_required() for field in cls.model_fields.values()))
