"""Pictures in idx files: MNIST and its relatives."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from batchlab import idx
from batchlab.datasets.base import Arrays, DatasetKind, Info
from batchlab.errors import DataError


class _Idx(DatasetKind):
    bundled: ClassVar[bool] = False
    source: ClassVar[idx.Source]

    def available(self, folder: Path) -> bool:
        return len(idx.find(folder, self.source)) == len(idx.PARTS)

    def fetch(self, folder: Path, mirrors: Sequence[str] = ()) -> None:
        idx.fetch(folder, self.source, mirrors)

    def load(self, folder: Path) -> Arrays:
        paths = idx.find(folder, self.source)
        missing = [part for part in idx.PARTS if part not in paths]
        if missing:
            raise DataError(
                f"{self.tag()} is not in {folder}: run `batchlab data fetch {self.tag()}`, or put "
                f"{', '.join(f'{part}.gz' for part in missing)} in {folder / self.source.folders[0]}"
            )
        x, y, x_test, y_test = (idx.read(paths[part], part, self.source) for part in idx.PARTS)
        return Arrays(pixels(x), y.astype(np.int64), pixels(x_test), y_test.astype(np.int64))


class Mnist(_Idx):
    """Handwritten digits, 28x28 pixels of 0 .. 1 (LeCun, Cortes & Burges); ships a test part."""

    kind: Literal["mnist"] = "mnist"
    facts: ClassVar[Info] = Info(
        60000, 10000, (1, 28, 28), 10, "55c41ac0f5a8c45648c69c8349247c8db8573ea50fafdc37b5123844f825fae0"
    )
    source: ClassVar[idx.Source] = idx.MNIST


class FashionMnist(_Idx):
    """Pictures of clothes, 28x28 pixels of 0 .. 1 (Xiao, Rasul & Vollgraf 2017); ships a test part."""

    kind: Literal["fashion_mnist"] = "fashion_mnist"
    facts: ClassVar[Info] = Info(60000, 10000, (1, 28, 28), 10)
    source: ClassVar[idx.Source] = idx.FASHION_MNIST


class Kmnist(_Idx):
    """Kuzushiji-MNIST: ten cursive Japanese characters, 28x28 pixels of 0 .. 1 (Clanuwat et al. 2018)."""

    kind: Literal["kmnist"] = "kmnist"
    facts: ClassVar[Info] = Info(60000, 10000, (1, 28, 28), 10)
    source: ClassVar[idx.Source] = idx.KMNIST


def pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pictures of bytes (n, height, width) as pixels of 0 .. 1: float32 (n, 1, height, width)."""
    return images[:, None].astype(np.float32) / np.float32(255)
