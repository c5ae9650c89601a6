"""Curvature against closed forms, brute force and curvlinops."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from batchlab.analyses.base import Held, finish
from batchlab.analyses.edge import edge
from batchlab.analyses.lanczos import ends, lanczos
from batchlab.analyses.operators import Curvature, blocks
from batchlab.analyses.problem import Problem
from batchlab.analyses.spectrum import density
from batchlab.analyses.traces import hutch_plus_plus, hutchinson

TANH = {"model": {"kind": "mlp", "widths": [5], "activation": "tanh"}}


class Dense:
    """A matrix that is written down."""

    def __init__(self, matrix: torch.Tensor) -> None:
        self.matrix, self.n = matrix, len(matrix)

    def __call__(self, v: torch.Tensor) -> torch.Tensor:
        return self.matrix @ v


def symmetric(n: int, seed: int = 0) -> torch.Tensor:
    draws = torch.randn(n, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (draws + draws.T) / 2


def normal(n: int, seed: int = 0, signs: bool = False, dtype: torch.dtype = torch.float64) -> Any:
    def draw(i: int) -> torch.Tensor:
        values = torch.randn(n, generator=torch.Generator().manual_seed(1000 * seed + i), dtype=dtype)
        return values.sign() if signs else values

    return draw


def written(operator: Any) -> torch.Tensor:
    """All of a matrix, column by column."""
    return torch.stack([operator(e) for e in torch.eye(operator.n, dtype=torch.float64)], dim=1)


def rows_with_one(problem: Problem) -> torch.Tensor:
    x = problem.table.x.flatten(1)
    return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)


def test_the_hessian_of_linear_regression_is_that_of_its_rows(subjects: Any) -> None:
    (subject,) = subjects(dataset={"kind": "diabetes"}, model={"kind": "linear"}, lr={"rule": "fixed", "base": 0.01})
    problem = Problem.of(subject, precision="float64")
    problem.chunk = 100  # uneven parts
    x = rows_with_one(problem)
    closed = x.T @ x / len(x)
    for matrix in ("hessian", "gauss_newton"):
        torch.testing.assert_close(written(Curvature(problem, problem.weights, matrix)), closed, atol=1e-12, rtol=1e-12)


def test_the_hessian_of_logistic_regression_is_its_closed_form(subjects: Any) -> None:
    """X' (diag(p) - p p') X / N, one block for each pair of classes."""
    (subject,) = subjects(dataset={"kind": "breast_cancer"}, model={"kind": "softmax"})
    problem = Problem.of(subject, precision="float64")
    problem.chunk = 100
    x, w = rows_with_one(problem), problem.weights
    p = problem.outputs(w, problem.table.x).softmax(1)
    spread = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    closed = torch.einsum("nab,ni,nj->aibj", spread, x, x) / len(x)
    d = x.shape[1] - 1  # the weights of all classes come before their biases
    order = [a * (d + 1) + i for a in range(2) for i in range(d)] + [a * (d + 1) + d for a in range(2)]
    closed = closed.reshape(2 * (d + 1), -1)[order][:, order]
    for matrix in ("hessian", "gauss_newton"):
        torch.testing.assert_close(written(Curvature(problem, w, matrix)), closed, atol=1e-12, rtol=1e-9)


@pytest.fixture
def net(subjects: Any) -> Problem:
    """A network of two layers with its 43 weights, in double precision, its rows in uneven parts."""
    problem = Problem.of(subjects(**TANH)[0], precision="float64")
    problem.chunk = 32
    return problem


def brute(problem: Problem) -> torch.Tensor:
    def loss(w: torch.Tensor) -> torch.Tensor:
        return problem.row_losses(w, problem.table).mean()

    found: torch.Tensor = torch.autograd.functional.hessian(loss, problem.weights)
    return found


def test_the_hessian_of_a_network_is_what_brute_force_gives(net: Problem) -> None:
    torch.testing.assert_close(written(Curvature(net, net.weights)), brute(net), atol=1e-12, rtol=1e-9)


def test_a_layers_block_is_cut_from_the_whole(net: Problem) -> None:
    whole = {matrix: written(Curvature(net, net.weights, matrix)) for matrix in ("hessian", "gauss_newton")}
    assert blocks(net) == {"hidden1": slice(0, 25), "out": slice(25, 43)}
    for block in blocks(net).values():
        for matrix, full in whole.items():
            own = written(Curvature(net, net.weights, matrix, block))
            torch.testing.assert_close(own, full[block, block], atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("matrix", ["hessian", "gauss_newton"])
def test_products_over_uneven_parts_agree_with_curvlinops(net: Problem, matrix: str) -> None:
    with warnings.catch_warnings():  # it uses torch.jit, which torch has deprecated
        warnings.simplefilter("ignore")
        other = curvlinops(net, matrix) @ net.random(3, "direction")
    own = Curvature(net, net.weights, matrix)(net.random(3, "direction"))
    torch.testing.assert_close(own, other, atol=1e-12, rtol=1e-9)


def curvlinops(net: Problem, matrix: str) -> Any:
    from curvlinops import GGNLinearOperator, HessianLinearOperator

    torch.nn.utils.vector_to_parameters(net.weights, net.net.parameters())
    kind = {"hessian": HessianLinearOperator, "gauss_newton": GGNLinearOperator}[matrix]
    data = [(part.x, part.targets) for part in net.parts()]
    return kind(net.net, torch.nn.CrossEntropyLoss(), list(net.net.parameters()), data)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_lanczos_finds_both_ends_with_honest_residuals(dtype: torch.dtype) -> None:
    matrix = symmetric(60).to(dtype)
    ritz = finish(lanczos(Dense(matrix), normal(60, dtype=dtype), 60, Held({}), ends(3, 2, 1e-4)))
    exact = np.linalg.eigvalsh(matrix.double().numpy())
    assert len(ritz.values) < 60
    for i in (-1, -2, -3, 0, 1):
        nearest = np.abs(exact - ritz.values[i]).min()
        assert nearest <= ritz.residuals[i] + 1e-5
        assert ritz.residuals[i] <= 1e-4 * ritz.scale
    np.testing.assert_allclose(ritz.values[-3:], exact[-3:], rtol=1e-4)


def test_lanczos_goes_on_where_the_space_of_its_start_is_exhausted() -> None:
    matrix = torch.diag(torch.tensor([5.0, 5.0, 2.0, 2.0, 0.0, -1.0], dtype=torch.float64))
    ritz = finish(lanczos(Dense(matrix), normal(6), 50, Held({}), lambda _: False))
    np.testing.assert_allclose(ritz.values, [-1, 0, 2, 2, 5, 5], atol=1e-12)


def test_the_edges_of_stability_are_the_known_answers() -> None:
    assert edge(0.1) == pytest.approx(20)
    assert edge(0.1, 0.9) == pytest.approx(38)
    assert edge(0.1, 0.9, "ema") == pytest.approx(380)


@pytest.mark.parametrize("form", ["heavy_ball", "nesterov", "ema"])
def test_steps_beyond_the_edge_do_not_settle(form: Any) -> None:
    def final(curvature: float) -> float:
        w, v, m, lr = 1.0, 0.0, 0.8, 0.1
        for _ in range(3000):
            g = curvature * w
            v = m * v + (1 - m if form == "ema" else 1) * g
            w -= lr * (g + m * v if form == "nesterov" else v)
        return abs(w)

    limit = edge(0.1, 0.8, form)
    assert final(0.99 * limit) < 1
    assert final(1.01 * limit) > 1


def test_eigenvalues_of_a_network_whole_and_by_layer(subjects: Any, analyse: Any, net: Problem) -> None:
    given = subjects(**TANH, momentum=0.5)
    net.weights = Problem.of(given[0], precision="float64").weights
    finding = analyse(given, kind="eigenvalues", precision="float64", by_layer=True, bottom=3, tolerance=1e-8)
    full = brute(net)
    exact = torch.linalg.eigvalsh(full).numpy()
    np.testing.assert_allclose(finding.arrays["top"], exact[::-1][:10], rtol=1e-6)
    np.testing.assert_allclose(finding.arrays["bottom"], exact[:3], rtol=1e-6)
    assert finding.values["ratio"] == pytest.approx(abs(exact[0] / exact[-1]))
    assert finding.values["edge"] == pytest.approx(2 * 1.5 / 0.1)
    for layer, block in blocks(net).items():
        own = torch.linalg.eigvalsh(full[block, block])
        assert finding.values[f"lambda_max/{layer}"] == pytest.approx(float(own[-1]), rel=1e-6)
        assert finding.values[f"lambda_min/{layer}"] == pytest.approx(float(own[0]), abs=1e-8)
    assert finding.meta["converged"]
    assert finding.meta["residual"]["lambda_max"] < 1e-8 * exact[-1]


def test_too_few_steps_are_not_called_converged(subjects: Any, analyse: Any) -> None:
    finding = analyse(subjects(**TANH), kind="eigenvalues", steps=4)
    assert not finding.meta["converged"]
    assert finding.meta["products"] == 4


def test_converged_speaks_of_every_value_that_is_reported(subjects: Any, analyse: Any) -> None:
    given = subjects(**TANH)
    document = {"kind": "eigenvalues", "precision": "float64", "top": 1, "tolerance": 1e-3, "steps": 20}
    one, many = (analyse(given, **document, bottom=bottom) for bottom in (1, 15))
    assert one.meta["converged"]
    assert many.arrays["bottom_residual"].max() > 1e-3 * many.values["lambda_max"]
    assert not many.meta["converged"]
    whole = analyse(given, **document | {"steps": 43}, bottom=43, by_layer=True)
    assert whole.meta["converged"]
    assert {name for name in whole.values if name.startswith("lambda")} == whole.meta["residual"].keys()


@pytest.mark.parametrize("batch", [30, 120])
def test_under_a_sum_the_edge_is_nearer_by_the_batch_size(batch: int, subjects: Any, analyse: Any) -> None:
    """As the gradient is that many times as large: the same run by the mean at that many times the rate."""
    asked = {"batch_sizes": [batch], "momentum": 0.5, "probes": [{"kind": "top_eigenvalue"}], "precision": "float64"}
    mean = subjects(**TANH, **asked, lr={"rule": "fixed", "base": 0.12})
    total = subjects(**TANH, **asked, lr={"rule": "fixed", "base": 0.12 / batch}, reduction="sum")
    edges = [analyse(given, kind="eigenvalues", top=1).values["edge"] for given in (mean, total)]
    assert edges == pytest.approx([2 * 1.5 / 0.12] * 2)
    for key in ("edge", "edge_momentum", "lambda_max", "val_loss"):
        assert total[0].result[key] == pytest.approx(mean[0].result[key])


def test_hutchinson_is_exact_on_a_diagonal_and_right_within_its_error_elsewhere() -> None:
    exact = torch.diag(torch.arange(20.0, dtype=torch.float64))
    parts = [slice(0, 5), slice(5, 20)]
    terms = finish(hutchinson(Dense(exact), normal(20, signs=True), 3, Held({}), parts))
    np.testing.assert_allclose(terms, [[10, 180]] * 3)
    matrix = symmetric(40)
    totals = finish(hutchinson(Dense(matrix), normal(40, signs=True), 400, Held({}), [slice(0, 40)]))[:, 0]
    error = totals.std(ddof=1) / np.sqrt(400)
    off = matrix - torch.diag(matrix.diagonal())
    assert error == pytest.approx(float((2 * off.square().sum() / 400).sqrt()), rel=0.15)  # Hutchinson's variance
    assert abs(totals.mean() - float(matrix.trace())) < 3 * error


def test_hutch_plus_plus_is_exact_for_few_directions_and_right_within_its_error_elsewhere() -> None:
    thin = torch.randn(50, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    low = thin @ thin.T
    found = finish(hutch_plus_plus(Dense(low), normal(50, signs=True), 15, Held({})))
    assert found.value == pytest.approx(float(low.trace()), rel=1e-10)
    decaying = low + 0.1 * symmetric(50)
    found = finish(hutch_plus_plus(Dense(decaying), normal(50, signs=True), 90, Held({})))
    assert found.standard_error is not None
    assert abs(found.value - float(decaying.trace())) < 3 * found.standard_error


@pytest.mark.parametrize("method", ["hutchinson", "hutch++"])
def test_the_trace_of_a_network_is_right_within_its_error(
    subjects: Any, analyse: Any, net: Problem, method: str
) -> None:
    given = subjects(**TANH)
    full = brute(net)
    finding = analyse(given, kind="trace", method=method, precision="float64", probes=90)
    assert abs(finding.values["trace"] - float(full.trace())) < 3 * finding.meta["standard_error"]["trace"]
    if method == "hutchinson":
        for layer, block in blocks(net).items():
            error = finding.meta["standard_error"][f"trace/{layer}"]
            assert abs(finding.values[f"trace/{layer}"] - float(full[block, block].trace())) < 3 * error


def test_the_spectral_density_has_the_moments_of_the_spectrum(subjects: Any, analyse: Any, net: Problem) -> None:
    finding = analyse(subjects(**TANH), kind="spectral_density", precision="float64", starts=40, steps=43)
    exact = torch.linalg.eigvalsh(brute(net)).numpy()
    errors = finding.meta["standard_error"]
    assert abs(finding.values["mean_eigenvalue"] - exact.mean()) < 3 * errors["mean_eigenvalue"]
    assert abs(finding.values["share_negative"] - np.mean(exact < 0)) < 3 * errors["share_negative"] + 1e-3
    assert finding.values["lambda_max"] == pytest.approx(exact[-1])
    grid, curve = finding.arrays["grid"], finding.arrays["density"]
    assert np.trapezoid(curve, grid) == pytest.approx(1, rel=1e-3)
    np.testing.assert_allclose(np.nansum(finding.arrays["weights"], axis=1), 1)


def test_a_smoothed_density_is_a_normal_curve_at_each_node() -> None:
    drawn = density([np.array([0.0, 2.0])], [np.array([0.25, 0.75])], 0.1, 241)
    for node, weight in ((0.0, 0.25), (2.0, 0.75)):
        i = int(np.abs(drawn.grid - node).argmin())
        assert drawn.grid[i] == pytest.approx(node, abs=1e-12)
        assert drawn.mean[i] == pytest.approx(weight / (0.1 * np.sqrt(2 * np.pi)))
    assert drawn.standard_error is None


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "eigenvalues", "by_layer": True, "top": 3},
        {"kind": "trace", "probes": 9},
        {"kind": "trace", "probes": 9, "method": "hutch++"},
        {"kind": "spectral_density", "starts": 3, "steps": 6, "matrix": "gauss_newton"},
    ],
    ids=["eigenvalues", "hutchinson", "hutch++", "density"],
)
def test_curvature_killed_after_every_piece_ends_with_the_same_bits(
    document: dict[str, Any], subjects: Any, analyse: Any, torn: Any, equal: Any
) -> None:
    given = subjects(**TANH)
    finding, pieces = torn(given, **document)
    assert pieces > 8
    assert equal(finding, analyse(given, **document))
