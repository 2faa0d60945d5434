"""The fast ways to compute a pass give the numbers of the plain ones."""

import pytest
import torch
from test_models import SHAPES

from textgym.models.arithmetic import OneDNNLinear, arithmetic
from textgym.models.language_model import fuse_activations, turn_off_dropout

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="PyTorch was built without oneDNN")


@pytest.mark.parametrize("shape", SHAPES)
def test_onednn_layers_give_the_numbers_and_gradients_of_the_plain_ones(shape: str) -> None:
    torch.manual_seed(0)
    model = SHAPES[shape]().eval()
    turn_off_dropout(model)
    tokens = torch.randint(1, 60, (3, 9), generator=torch.Generator().manual_seed(1))
    found = []
    for fast in (False, True):
        model.zero_grad()
        with arithmetic(torch.device("cpu"), torch.float32, fast):
            logits = model(tokens).logits
            logits.square().sum().backward()
        found.append((logits.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}))
    torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-4, atol=1e-5)
    assert found[0][1].keys() == found[1][1].keys()
    for name, gradient in found[0][1].items():
        torch.testing.assert_close(found[1][1][name], gradient, rtol=1e-3, atol=1e-4)


def test_every_linear_layer_goes_that_way(monkeypatch: pytest.MonkeyPatch) -> None:
    from textgym.models import arithmetic as module

    calls: list[tuple[int, ...]] = []
    product = module._product
    monkeypatch.setattr(module, "_product", lambda x, w, b: (calls.append(tuple(w.shape)), product(x, w, b))[1])
    for shape, layers in (("llama", 2 * 7 + 1), ("gpt2", 2 * 4 + 1)):
        calls.clear()
        with torch.no_grad(), OneDNNLinear():
            SHAPES[shape]()(torch.tensor([[5, 6, 7]]))
        assert len(calls) == layers


def test_other_kinds_are_left_alone() -> None:
    layer = torch.nn.Linear(4, 3).to(torch.bfloat16)
    with OneDNNLinear():
        assert layer(torch.ones(2, 4, dtype=torch.bfloat16)).dtype == torch.bfloat16
        assert torch.nn.functional.linear(torch.ones(4), torch.ones(3, 4)).shape == (3,)
        assert torch.addmm(torch.ones(2, 3), torch.ones(2, 4), torch.ones(4, 3)).tolist() == [[5.0] * 3] * 2
        assert torch.nn.functional.linear(torch.ones(0, 4), torch.ones(3, 4)).shape == (0, 3)


def test_gpt2s_activation_is_fused_and_the_same() -> None:
    torch.manual_seed(0)
    model = SHAPES["gpt2"]().eval()
    tokens = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        before = model(tokens).logits
        fuse_activations(model)
        assert any(isinstance(m, torch.nn.GELU) for m in model.modules())
        torch.testing.assert_close(model(tokens).logits, before, rtol=1e-5, atol=1e-6)
