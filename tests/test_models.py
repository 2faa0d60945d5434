"""Language models: sampling agrees with a plain forward pass, packing with single rows, text never with control."""

import socket

import numpy as np
import pytest
import torch
from tiny import EchoTask, tiny_hf_tokenizer, tiny_policy
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import (
    GemmaConfig,
    GemmaForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)
from transformers.utils import hub

from textgym.agents.packing import Episode, pack, to_rows
from textgym.agents.policy import ActorCritic
from textgym.envs.single import TextEnv
from textgym.models import places
from textgym.models.generate import generate
from textgym.models.language_model import (
    head,
    load_language_model,
    require_fit,
    require_split,
    save_language_model,
    trunk,
    turn_off_dropout,
)
from textgym.models.tokenizer import ChatTokenizer, load_tokenizer
from textgym.rewards.network import load_network
from textgym.rewards.simple import ConstantReward
from textgym.types import Example, Message

VOCABULARY = 60
SMALL = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
SHAPES = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SMALL, num_attention_heads=4, num_key_value_heads=2)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SMALL, num_attention_heads=4, num_key_value_heads=2)),
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=1)
    ),
    "gptneox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**SMALL, num_attention_heads=4)),
    "gemma": lambda: GemmaForCausalLM(
        GemmaConfig(**SMALL, num_attention_heads=4, num_key_value_heads=1, head_dim=8, bos_token_id=1, eos_token_id=1)
    ),
}
PROMPTS = [[5, 6, 7, 8, 9, 10, 11], [12], [13, 14, 15]]


@pytest.fixture(params=SHAPES)
def model(request):
    torch.manual_seed(0)
    made = SHAPES[request.param]()
    with torch.no_grad():  # far from uniform, so that mistakes show
        for parameter in made.parameters():
            parameter.mul_(3)
    turn_off_dropout(made)
    return made.eval()


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_sampled_logprobs_equal_a_fresh_forward_pass(model, temperature):
    forbidden = torch.zeros(VOCABULARY, dtype=torch.bool)
    forbidden[[3, 4]] = True

    def sample(end_of_turn):
        return generate(
            model,
            PROMPTS,
            max_new_tokens=12,
            end_of_turn=end_of_turn,
            forbidden=forbidden,
            samples_per_prompt=4,
            temperature=temperature,
            generator=torch.Generator().manual_seed(0),
        )

    end_of_turn = sample(-1).tokens[0][5]  # a token that this model is going to say
    said = sample(end_of_turn)
    assert len(said.tokens) == 12
    assert len({len(t) for t in said.tokens}) > 1, "rows of different lengths are the point"
    for i, (tokens, logprobs) in enumerate(zip(said.tokens, said.logprobs, strict=True)):
        prompt = PROMPTS[i // 4]
        logits = model(torch.tensor([prompt + tokens])).logits[0, len(prompt) - 1 : -1].float()
        expected = (logits.masked_fill(forbidden, -torch.inf) / temperature).log_softmax(-1)
        found = expected.gather(1, torch.tensor(tokens)[:, None]).squeeze(1)
        assert torch.allclose(found, torch.tensor(logprobs), atol=2e-5)
        assert not {3, 4} & set(tokens)
        assert end_of_turn not in tokens[:-1]


def test_greedy_is_the_argmax_and_sampling_follows_its_generator(model):
    greedy = generate(model, PROMPTS, max_new_tokens=5, end_of_turn=2, temperature=0)
    for prompt, tokens in zip(PROMPTS, greedy.tokens, strict=True):
        context = list(prompt)
        for token in tokens:
            assert token == model(torch.tensor([context])).logits[0, -1].argmax().item()
            context.append(token)
    runs = [
        generate(model, PROMPTS, max_new_tokens=8, end_of_turn=2, generator=torch.Generator().manual_seed(s)).tokens
        for s in (1, 1, 2)
    ]
    assert runs[0] == runs[1] != runs[2]


def test_sampling_has_the_model_s_frequencies():
    torch.manual_seed(0)
    model = SHAPES["llama"]().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
        expected = model(torch.tensor([[5, 6]])).logits[0, -1].softmax(-1)
    n = 20_000
    said = generate(
        model,
        [[5, 6]],
        max_new_tokens=1,
        end_of_turn=2,
        samples_per_prompt=n,
        generator=torch.Generator().manual_seed(0),
    )
    counts = torch.bincount(torch.tensor([t[0] for t in said.tokens]), minlength=VOCABULARY) / n
    assert (counts - expected).abs().max() < 5 * (0.25 / n) ** 0.5


def test_packed_statistics_equal_single_rows(model):
    episodes = [
        Episode([1, 2, 3], [4, 5, 6], [True, True, True]),
        Episode([1, 2, 3], [7, 8, 9, 10], [True, False, False, True]),  # a user's tokens between
        Episode([1, 2, 3], [11, 2], [True, True]),
        Episode([20, 21], [22, 23, 24, 25, 26], [True] * 5),
    ]
    policy = ActorCritic(model)
    torch.nn.init.normal_(policy.value_head.weight)
    with torch.no_grad():
        statistics = policy(packed := pack(episodes))
        logprobs, mask = to_rows(statistics.logprobs, packed, len(episodes))
        values, _ = to_rows(statistics.values, packed, len(episodes))
        assert mask.sum(1).tolist() == [3, 2, 2, 5]
        for i, episode in enumerate(episodes):
            alone = policy(one := pack([episode]))
            assert one.mask is None
            n = episode.num_chosen
            assert torch.allclose(alone.logprobs, logprobs[i, :n], atol=1e-5)
            assert torch.allclose(alone.values, values[i, :n], atol=1e-5)
        together = policy(many := pack(episodes, row_tokens=1))  # a row each, padded
        assert many.tokens.shape[0] == len(episodes)
        assert torch.allclose(together.logprobs, statistics.logprobs, atol=1e-5)


def test_bad_arguments_are_named(model):
    with pytest.raises(ValueError, match="temperature"):
        generate(model, PROMPTS, max_new_tokens=2, end_of_turn=2, temperature=-1)
    with pytest.raises(ValueError, match="prompts"):
        generate(model, [[]], max_new_tokens=2, end_of_turn=2)
    with pytest.raises(ValueError, match="dtype"):
        load_language_model(model, dtype="float8")
    with pytest.raises(ValueError, match="no/such/folder"):
        load_language_model("no/such/folder")
    with pytest.raises(TypeError, match="policy"):
        load_language_model(3)


def test_models_that_look_back_less_or_compute_otherwise_are_refused():
    """Sliding windows shorter than the context, ALiBi, recurrent states: by a word, not by wrong numbers."""
    from transformers import (
        BloomConfig,
        BloomForCausalLM,
        GraniteConfig,
        GraniteForCausalLM,
        MistralConfig,
        MistralForCausalLM,
        MptConfig,
        MptForCausalLM,
    )

    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    tokenizer = ChatTokenizer(tiny_hf_tokenizer())
    small = {**SMALL, "vocab_size": tokenizer.vocab_size}
    torch.manual_seed(0)
    mistral = MistralForCausalLM(MistralConfig(**small, **heads, sliding_window=16)).eval()
    require_fit(mistral, tokenizer, 16)
    with pytest.raises(ValueError, match="context_length must be at most the 16 tokens"):
        require_fit(mistral, tokenizer, 17)
    granite = GraniteForCausalLM(GraniteConfig(**small, **heads, logits_scaling=8.0)).eval()
    require_fit(granite, tokenizer, 64)
    tokens = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        ours = head(granite, trunk(granite, tokens, torch.arange(3)[None]))
        torch.testing.assert_close(ours, granite(tokens).logits)
    wrong = [
        MptForCausalLM(MptConfig(vocab_size=tokenizer.vocab_size, d_model=32, n_heads=4, n_layers=2)),
        BloomForCausalLM(BloomConfig(vocab_size=tokenizer.vocab_size, hidden_size=32, n_layer=2, n_head=4)),
    ]
    for made in wrong:
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        with pytest.raises(ValueError, match=f"policy of the kind {type(made).__name__} is not supported"):
            require_fit(made.eval(), tokenizer, 32)


def test_every_shape_is_whole_when_taken_apart(model):
    require_split(model)


def test_a_tokenizer_that_does_not_fit_is_refused(model):
    class Wide:
        vocab_size = VOCABULARY + 1

    with pytest.raises(ValueError, match=r"61 token ids.*vocabulary has 60"):
        require_fit(model, Wide())


def test_dropout_is_off_in_every_mode():
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=1, n_head=2, bos_token_id=1, eos_token_id=1)
    )
    load_language_model(model)
    tokens = torch.tensor([[1, 2, 3]])
    assert torch.equal(model.train()(tokens).logits, model.eval()(tokens).logits)


# -- text that spells control tokens ----------------------------------------------------------------

SPELLED = ("a </s> b", "</s>", "<s><unk></s>", "</</s>s>", "<s", "end</s></s>", "a\uff1c/s\uff1eb")  # the last by NFKC


def unigram_tokenizer(prepend_scheme: str) -> ChatTokenizer:
    """As SentencePiece makes them: control tokens are pieces of the model, which then spells text with them."""
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("\u2581", -2.0), ("\n", -5.0)]
    pieces += [(c, -5.0) for c in "abcdefghijklmnopqrstuvwxyz0123456789<>/."]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0))
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend_scheme)
    backend.decoder = decoders.Metaspace(prepend_scheme=prepend_scheme)
    return ChatTokenizer(
        PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    )


@pytest.mark.parametrize("prepend_scheme", ["always", "first", "never"])
def test_text_never_becomes_a_control_token_of_a_unigram_model(prepend_scheme):
    tokenizer = unigram_tokenizer(prepend_scheme)
    backend = tokenizer._plain
    assert tokenizer.end_of_turn in backend.encode("a </s> b", add_special_tokens=False).ids, "the danger is there"
    control = set(tokenizer.hf.all_special_ids)
    assert tokenizer.encode_batch(SPELLED) == [tokenizer.encode(text) for text in SPELLED]
    for text in SPELLED:
        ids = tokenizer.encode(text)
        assert not control & set(ids), text
        if text.isascii():  # every character is said, the blank that begins a part aside
            assert tokenizer.decode(ids).replace(" ", "") == text.replace(" ", "")
        if prepend_scheme == "never" and text.isascii():
            assert tokenizer.decode(ids) == text
    assert tokenizer.encode("a b") == backend.encode("a b", add_special_tokens=False).ids, "other text is as it was"


@pytest.mark.parametrize("action", ["token", "response"])
def test_an_episode_with_spelled_control_tokens_under_a_unigram_model(action):
    """In the prompt and in the answer: neither ends a turn, and both doors say the same."""

    class Spelling(EchoTask):
        def __getitem__(self, index):
            return Example((Message("user", SPELLED[index % len(SPELLED)]),))

        judge = None

    tokenizer = unigram_tokenizer("always")
    sizes = {"context_length": 64, "max_new_tokens": 24}
    env = TextEnv(Spelling(), ConstantReward(1.0), tokenizer, action=action, **sizes)
    for index, text in enumerate(SPELLED):
        env.reset(options={"index": index})
        tokens = env._episodes.tokens[0]
        before = np.count_nonzero(tokens == tokenizer.end_of_turn)
        assert before == 0
        steps = [text] if action == "response" else [*tokenizer.encode(text), tokenizer.end_of_turn]
        for k, step in enumerate(steps):
            _, reward, terminated, _, info = env.step(step)
            assert terminated == (k == len(steps) - 1)
        assert (reward, info["ending"]) == (1.0, "eot")
        assert info["messages"][-1]["content"] == tokenizer.decode(tokenizer.encode(text))
        assert np.count_nonzero(env._episodes.tokens[0] == tokenizer.end_of_turn) == 1


# -- where models lie -------------------------------------------------------------------------------


def test_what_looks_like_a_path_never_goes_to_the_hub(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "is_reachable", lambda url: pytest.fail("the hub was asked"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "file").write_text("x")
    for name in ("./nope", "../nope", "/nope", "~/no such folder", "a/b/c", "runs/nope", "nope/", tmp_path / "nope"):
        with pytest.raises(ValueError, match=f"^policy={str(name)!r} is a path where no folder is$"):
            load_language_model(name)
        with pytest.raises(ValueError, match=f"^tokenizer={str(name)!r} is a path where no folder is$"):
            load_tokenizer(name)
        with pytest.raises(ValueError, match=f"^reward={str(name)!r} is a path where no folder is$"):
            load_network(name, torch.float32)
    with pytest.raises(ValueError, match="a file, a folder is needed"):
        load_language_model("./file")
    for name in ("gpt2", "org/model", "some-org/some.model-1"):
        assert not places.looks_like_path(name)


def test_a_hub_that_cannot_be_reached_is_said_at_once_in_one_line(monkeypatch):
    asked = []
    monkeypatch.setattr(hub, "is_offline_mode", lambda: False)
    monkeypatch.setattr(places, "is_reachable", lambda url: bool(asked.append(url)))
    with pytest.raises(
        ValueError, match=r"nobody/nothing.*no folder here and not in the cache.*cannot be reached"
    ) as told:
        load_language_model("nobody/nothing")
    assert "\n" not in str(told.value)
    assert len(asked) == 1
    monkeypatch.setattr(places, "is_cached", lambda name: True)
    assert places.find_model("nobody/nothing", "policy") == ("nobody/nothing", {"local_files_only": True})
    monkeypatch.setattr(places, "is_reachable", lambda url: True)
    assert places.find_model("nobody/nothing", "policy") == ("nobody/nothing", {})
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, but nobody listens
        monkeypatch.undo()
        assert not places.is_reachable(f"http://127.0.0.1:{closed.getsockname()[1]}")


def test_a_saved_policy_remembers_its_end_of_turn_and_its_owner_stays_as_it_was(tmp_path):
    tokenizer = ChatTokenizer(tiny_hf_tokenizer(), end_of_turn="<|system|>")
    save_language_model(tiny_policy(), tokenizer, tmp_path)
    assert load_tokenizer(tmp_path).end_of_turn == tokenizer.end_of_turn
    assert ChatTokenizer(tokenizer.hf).end_of_turn == tokenizer.hf.eos_token_id != tokenizer.end_of_turn
    loaded = load_language_model(tmp_path)
    assert loaded.generation_config.eos_token_id == loaded.config.eos_token_id == tokenizer.end_of_turn


def test_a_model_that_was_saved_without_its_tokenizer_is_told_so(tmp_path):
    """transformers makes an empty tokenizer from a GPT-2's config, which would encode every prompt to nothing."""
    from transformers import GPT2Config, GPT2LMHeadModel

    GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=32, n_embd=8, n_layer=1, n_head=1)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has no tokenizer files: save it beside the model"):
        load_tokenizer(tmp_path)
