"""Learned reward models: a score depends on the conversation alone, and only trained heads give any."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import SENTENCES, tiny_config, tiny_hf_tokenizer, tiny_reward, tiny_tokenizer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2ForTokenClassification,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    LlamaForTokenClassification,
    PreTrainedTokenizerFast,
)

from textgym.rewards.encoding import encode_conversations, load_reward_tokenizer
from textgym.rewards.learned import LearnedReward
from textgym.types import Message, Transcript

VOCABULARY = tiny_tokenizer().vocab_size


def make_network(family: str, kind: str):
    torch.manual_seed(1)
    if family == "llama":
        return {"token": LlamaForTokenClassification, "sequence": LlamaForSequenceClassification}[kind](
            tiny_config(num_labels=1, pad_token_id=7)  # as a checkpoint may have it, whatever the tokenizer pads with
        )
    if family == "gpt2":
        config = GPT2Config(
            vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=2, n_positions=256, num_labels=1, pad_token_id=None
        )
        return {"token": GPT2ForTokenClassification, "sequence": GPT2ForSequenceClassification}[kind](config)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=256,
        num_labels=1,
        pad_token_id=0,
    )
    return {"token": BertForTokenClassification, "sequence": BertForSequenceClassification}[kind](config)


@pytest.fixture(params=[(f, k) for f in ("llama", "gpt2", "bert") for k in ("token", "sequence")], ids="-".join)
def folder(request, tmp_path):
    """A reward model with weights far from nothing, so that mistakes show."""
    network = make_network(*request.param)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
    network.save_pretrained(tmp_path)
    tiny_hf_tokenizer().save_pretrained(tmp_path)
    return tmp_path


def conversations() -> list[Transcript]:
    """Lengths of all kinds; an empty response, a chat of two turns, a goodbye at the end, odd characters."""
    user, assistant = "user", "assistant"
    made = [Transcript((Message(user, s), Message(assistant, s[: 5 * i]))) for i, s in enumerate(SENTENCES * 3)]
    turns = (Message(user, "Hello"), Message(assistant, "A room?"), Message(user, "Yes"), Message(assistant, "Booked."))
    made.append(Transcript(turns, num_prompt_messages=1))
    made.append(Transcript((*turns, Message(user, "Bye")), num_prompt_messages=1))
    long = (Message(user, " ".join(SENTENCES)),)  # six samples of one prompt, which may share rows
    made += [Transcript((*long, Message(assistant, (SENTENCES[0] * 3)[: 9 * i]))) for i in range(6)]
    made.append(Transcript((Message(user, "🙂 <|end|> naïve"), Message(assistant, "日本 🙂 <|end|> ok"))))
    return made


def test_scores_depend_on_the_conversation_alone(folder):
    transcripts = conversations()
    reward = LearnedReward(folder)
    scores = reward.score(transcripts).values
    assert scores.dtype == np.float32
    assert np.ptp(scores) > 1e-2, "the scores must differ for this test to mean anything"
    alone = np.concatenate([reward.score([t]).values for t in transcripts])
    order = np.random.default_rng(0).permutation(len(transcripts))
    shuffled = reward.score([transcripts[i] for i in order]).values
    small = LearnedReward(folder, batch_tokens=100).score(transcripts).values
    left = tiny_hf_tokenizer()
    left.padding_side = "left"
    padded_left = LearnedReward(folder, left).score(transcripts).values
    for other in (alone, small, padded_left):
        assert np.abs(other - scores).max() <= 1e-4
    assert np.abs(shuffled - scores[order]).max() <= 1e-4


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert"])
def test_a_prompt_is_computed_once_for_its_samples_where_the_network_allows(family, tmp_path):
    make_network(family, "token").save_pretrained(tmp_path)
    reward = LearnedReward(tmp_path, tiny_hf_tokenizer())
    prompt = Message("user", " ".join(SENTENCES))
    samples = [Transcript((prompt, Message("assistant", "word " * i))) for i in range(8)]
    reward.score(samples[:3])  # where it finds out
    seen: list[int] = []
    hook = reward.model.register_forward_pre_hook(
        lambda model, args, kwargs: seen.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    reward.score(samples)
    hook.remove()
    num_prompt = len(reward.tokenizer.prompt_ids([prompt]))
    assert len(seen) == 1, "one forward pass"
    assert (seen[0] < 3 * num_prompt) == (family != "bert")


def test_saved_and_loaded_again_it_scores_the_same(folder, tmp_path):
    reward = LearnedReward(folder)
    scores = reward.score(conversations()).values
    again = tmp_path / "again"
    reward.model.save_pretrained(again)
    reward.tokenizer.hf.save_pretrained(again)
    assert np.abs(LearnedReward(again).score(conversations()).values - scores).max() <= 1e-4


def test_the_forward_pass_is_that_of_transformers(folder):
    """One conversation, no padding, no batching of ours: what the plain model says."""
    reward = LearnedReward(folder)
    for transcript in conversations():
        [encoded] = encode_conversations(reward.tokenizer, [transcript])
        extra = {}
        if reward.model.config.model_type == "bert":
            first = encoded.responses[0].start
            extra["token_type_ids"] = torch.tensor([[0] * first + [1] * (len(encoded.ids) - first)])
        with torch.no_grad():
            logits = reward.model(torch.tensor([encoded.ids]), **extra).logits
        if reward.kind == "token":
            expected = sum(logits[0, r.start : r.stop].sum().item() for r in encoded.responses)
        else:
            expected = logits.item()
        assert reward.score([transcript]).values[0] == pytest.approx(expected, abs=1e-4)


def test_spans_cover_the_responses_and_sum_to_the_score(tmp_path):
    reward = LearnedReward(tiny_reward(tmp_path))
    transcripts = conversations()
    scores = reward.score(transcripts)
    assert scores.spans is not None
    for transcript, spans, value in zip(transcripts, scores.spans, scores.values, strict=True):
        assert spans.value.sum() == pytest.approx(value, abs=1e-5)
        responses = [
            i
            for i, m in enumerate(transcript.messages)
            if m.role == "assistant" and i >= transcript.num_prompt_messages
        ]
        assert sorted(set(spans.message)) == responses
        for i in responses:
            start, end = spans.start[spans.message == i], spans.end[spans.message == i]
            length = len(transcript.messages[i].content)
            assert (start[:-1] == np.concatenate([[0], end[:-2]])[: len(start) - 1]).all()
            assert start[-1] == end[-1] == length, "the last span is the end-of-turn's"
            assert (end >= start).all()
            assert length == 0 or end[-2] == length


def test_a_causal_model_s_spans_do_not_depend_on_what_comes_later(tmp_path):
    reward = LearnedReward(tiny_reward(tmp_path))
    before, after = (
        reward.score([Transcript((Message("user", "x"), Message("assistant", text)))]).spans[0]
        for text in ("The mayor", "The mayor opened the bridge.")
    )
    n = len(before.value) - 1
    assert np.allclose(before.value[:n], after.value[:n], atol=1e-5)


def test_only_messages_count(tmp_path):
    reward = LearnedReward(tiny_reward(tmp_path))
    messages = (Message("user", "x"), Message("assistant", "y"))
    a, b = Transcript(messages), Transcript(messages, ("reference",), {"a": "meaning"}, "length")
    assert reward.score([a]).values[0] == reward.score([b]).values[0]


def test_text_never_becomes_a_control_token():
    tokenizer = tiny_tokenizer()
    written = Transcript((Message("user", "a <|end|><|assistant|> b"), Message("assistant", "<|end|>")))
    [encoded] = encode_conversations(tokenizer, [written])
    assert sum(i == tokenizer.end_of_turn for i in encoded.ids) == 2, "one for each message"


def test_a_long_conversation_keeps_its_responses_and_loses_prompt(tmp_path):
    reward = LearnedReward(tiny_reward(tmp_path, max_position_embeddings=64))
    response = "The mayor opened it."
    short = Transcript((Message("system", "Be brief."), Message("user", "Hello"), Message("assistant", response)))
    long = Transcript(
        (Message("system", "Be brief."), Message("user", "word 🙂 " * 90), Message("assistant", response))
    )
    [encoded] = encode_conversations(reward.tokenizer, [long], 64)
    assert len(encoded.ids) <= 64
    assert encoded.prompt_tokens_cut > 0
    [where] = encoded.responses
    assert reward.tokenizer.decode(encoded.ids[where.start : where.stop]) == response
    assert reward.tokenizer.decode(encoded.ids[: where.start]).startswith("Be brief.word 🙂 ")
    scores = reward.score([short, long])
    assert np.isfinite(scores.values).all()
    assert (reward.num_cut, reward.prompt_tokens_cut) == (1, encoded.prompt_tokens_cut)
    with pytest.raises(ValueError, match=r"transcripts\[0\].*64 positions"):
        reward.score([Transcript((Message("user", "x"), Message("assistant", "z" * 200)))])


def test_a_checkpoint_without_a_trained_head_is_refused(tmp_path):
    LlamaForCausalLM(tiny_config()).save_pretrained(tmp_path / "policy")
    with pytest.raises(ValueError, match=r"no trained reward head.*LlamaForCausalLM"):
        LearnedReward(tmp_path / "policy", tiny_hf_tokenizer())
    # a config that claims a head which the weights lack
    network = LlamaForTokenClassification(tiny_config(num_labels=1))
    weights = {k: v for k, v in network.state_dict().items() if not k.startswith("score.")}
    network.save_pretrained(tmp_path / "headless", state_dict=weights)
    with pytest.raises(ValueError, match=r"lacks trained weights for.*score\.weight"):
        LearnedReward(tmp_path / "headless", tiny_hf_tokenizer())
    with pytest.raises(ValueError, match="no folder is"):
        LearnedReward(tmp_path / "nowhere", tiny_hf_tokenizer())


def test_several_outputs_are_weighted_and_reported(tmp_path):
    labels = {0: "fluency", 1: "truth", 2: "length"}
    torch.manual_seed(0)
    LlamaForSequenceClassification(tiny_config(num_labels=3, id2label=labels)).save_pretrained(tmp_path)
    tiny_hf_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"weights.*fluency"):
        LearnedReward(tmp_path)
    with pytest.raises(ValueError, match=r"weights.*'humour'"):
        LearnedReward(tmp_path, weights={"humour": 1.0})
    scores = LearnedReward(tmp_path, weights={"truth": 2.0, "length": -0.5}).score(conversations())
    assert set(scores.components) == set(labels.values())
    expected = 2 * scores.components["truth"] - 0.5 * scores.components["length"]
    assert np.allclose(scores.values, expected, atol=1e-6)


def test_bad_arguments_are_named(tmp_path):
    folder = tiny_reward(tmp_path)
    with pytest.raises(ValueError, match=r"dtype.*float8"):
        LearnedReward(folder, dtype="float8")
    with pytest.raises(ValueError, match=r"tokenizer does not fit.*vocabulary has 300"):
        LearnedReward(LlamaForTokenClassification(tiny_config(num_labels=1, vocab_size=300)), tiny_hf_tokenizer())
    with pytest.raises(TypeError, match="reward model"):
        LearnedReward(3)
    reward = LearnedReward(folder)
    with pytest.raises(ValueError, match=r"transcripts\[1\] has no response"):
        reward.score([conversations()[0], Transcript((Message("user", "x"),))])
    two = (Message("user", "x"), Message("assistant", "a"), Message("assistant", "b"))
    with pytest.raises(ValueError, match=r"transcripts\[0\] must take turns"):
        reward.score([Transcript(two, num_prompt_messages=1)])
    assert reward.score([]).values.shape == (0,)


def test_encoders_read_prompt_and_response_as_their_tokenizer_pairs_them():
    words = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "how", "much", "ninety", "euros"])}
    backend = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    hf = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    transcript = Transcript((Message("user", "how much"), Message("assistant", "ninety euros")))
    [encoded] = encode_conversations(load_reward_tokenizer(hf), [transcript])
    assert encoded.ids == hf("how much", "ninety euros").input_ids
