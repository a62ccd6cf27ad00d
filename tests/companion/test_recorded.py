"""The authors' published material: read, checked, reported, fetched."""

import http.server
import io
import json
import shutil
import threading
import zipfile
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from sgpa_core import Audio, TableGame
from sgpa_core.companion import fetch, paper, recorded
from sgpa_core.shapley.exact import shapley_of_table

RUN = "experiments/interspeech/outputs/lem_runs/rebuttal_single_sentence_1k_sgpa"
VOICE = "audio_male_audio_sgpa_limited_neyman_lin3_0"
GAMES = "experiments/faithfulness/outputs/qwen_exact_shapley_male"


def result(row=7, values=(0.0, 0.25, 0.75), **changes):
    """Content of a result file."""
    spoken = {"content_type": 1, "shap_values": [*values, None, None]}
    noted = {"content_type": 0, "shap_values": [None]}
    return {
        "row_index": row,
        "n_calls": 6,
        "neyman_steps": 1,
        "runtime_sec": 6.5,
        "prompt_texts": ["Who is there?"],
        "input_modality": "audio__male",
        "conversation": [[noted], [noted, spoken], [{"content_type": 1, "shap_values": [None]}]],
    } | changes


def write(folder, name, content):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def coalitions(n=2, sample=3, drop=0):
    rows = [
        f"{sample},{n},{m},{m.bit_count()},{m / (2**n - 1)},{m / (2**n - 1)}" for m in range(2**n)
    ]
    return "\n".join(
        ["sample_id,n_segments,present_mask,coalition_size,util_emb,util_tfidf", *rows[drop:]]
    )


RESULTS = """\
sample_id,transcript,segment_idx,segment_token,segment_sv,segment_dur_sec,deletion_drop_emb
3,Hello there,1,there,0.66,0.2,0.6
3,Hello there,0,Hello,0.33,0.4,0.3
"""


def repository(folder):
    """Write a small copy of the authors' repository."""
    write(folder, f"{RUN}/{VOICE}/samples/sample_00007_result.json", result())
    write(folder, f"{RUN}/{VOICE}/samples/sample_00009_result.json", result(9, n_calls=0))
    audio = folder / f"{RUN}/{VOICE}/audio/sample_00007/audio"
    audio.mkdir(parents=True)
    mp3 = Audio(np.sin(np.arange(24_000) / 9), 24_000).write(audio / "x.mp3")
    mp3.rename(audio / "sample_00007_input_audio.wav")
    (audio / "noise.bin").write_bytes(np.random.default_rng(0).bytes(90_000))
    write(folder, f"{GAMES}/qwen_coalitions.csv", coalitions())
    write(folder, f"{GAMES}/qwen_exact_shapley_results.csv", RESULTS)
    voxtral = GAMES.replace("qwen_exact_shapley_male", "voxtral/exact_shapley_mask_noise")
    write(folder, f"{voxtral}/exact_shapley_coalitions.csv", coalitions(3))
    return folder


@pytest.fixture
def flat(tmp_path):
    write(tmp_path, "runs/1k_male_sgpa/00007.json", result())
    return tmp_path


def reasons(frame):
    return dict(recorded.problems(frame)[["file", "reason"]].to_numpy().tolist())


def test_flat_folder(flat):
    runs = recorded.runs(flat)
    assert len(recorded.problems(runs)) == 0
    run = runs.iloc[0]
    assert run[["condition", "regime", "row", "players", "native_tokens"]].tolist() == [
        "SM2S-1k",
        "sgpa",
        7,
        3,
        5,
    ]
    assert run.attribution.tolist() == [0.0, 0.25, 0.75]
    assert (run.n_calls, run.neyman_steps, run.seconds) == (6, 1, 6.5)
    assert run.transcript == "Who is there?"


@pytest.mark.parametrize("unpacked", ["", "MLLM-Shap-2a16b94"])
def test_the_authors_repository(tmp_path, unpacked):
    repository(tmp_path / unpacked)
    runs = recorded.runs(tmp_path)
    assert runs.row.tolist() == [7, 9]
    assert recorded.problems(runs).reason.tolist() == ["zero calls"]
    games = recorded.games(tmp_path)
    assert games[["model", "condition", "sample", "players"]].to_numpy().tolist() == [
        ["qwen", "male", 3, 2],
        ["voxtral", "mask_noise", 3, 3],
    ]
    assert TableGame(games.embedding[1])(np.array([[False, False, True]])) == [pytest.approx(4 / 7)]
    words = recorded.players(tmp_path)
    assert words.word.tolist() == ["Hello", "there"]
    assert words.shapley.tolist() == [0.33, 0.66]
    recordings = recorded.audio(tmp_path)
    assert recordings[["condition", "row"]].to_numpy().tolist() == [["SM2S-1k", 7]]
    assert Audio.read(recordings.path[0]).duration == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "cannot be read"),
        ("[]", "no JSON object"),
        (result(n_calls=None), "lacks n_calls"),
        ({"sv": [1, 2]}, "lacks row_index, n_calls, neyman_steps"),
        (result(conversation=[["text"]]), "cannot be read: TypeError"),
        (result(conversation=[]), "0 audio entries"),
        (result(8), "holds row 8, named as row 7"),
        (result(input_modality="audio__female"), "says input_modality"),
        (result(n_calls="many"), "cannot be read: ValueError"),
        (result(n_calls=-2), "no proper number"),
        (result(runtime_sec=float("nan")), "no proper number"),
        (result(values=(1.0,)), "one player"),
        (result(values=("a", "b")), "cannot be read: ValueError"),
        (result(prompt_texts=[]), "cannot be read: IndexError"),
    ],
)
def test_unusable_files_are_left_out_and_named(tmp_path, content, reason):
    write(tmp_path, "runs/1k_male_sgpa/00007.json", content)
    write(tmp_path, "runs/1k_male_sgpa/00008.json", result(8))
    runs = recorded.runs(tmp_path)
    assert runs.row.tolist() == [8]
    (problem,) = recorded.problems(runs).itertuples(index=False)
    assert problem.file == "runs/1k_male_sgpa/00007.json"
    assert problem.left_out
    assert reason in problem.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"n_calls": 0}, "zero calls"),
        ({"values": (1 / 3, 1 / 3, 1 / 3)}, "flat attribution"),
        ({"values": (0.5, 0.3, 0.2)}, "no player at zero: not min-max scaled"),
        ({"values": (0.0, 0.5, 1.0)}, "attribution is not scaled to a sum of 1"),
        ({"values": (0.0, -0.5, 1.5)}, "attribution is not scaled to a sum of 1"),
    ],
)
def test_odd_runs_are_kept_and_flagged(tmp_path, changes, reason):
    write(tmp_path, "runs/1k_male_sgpa/00007.json", result(**changes))
    runs = recorded.runs(tmp_path)
    assert len(runs) == 1
    (problem,) = recorded.problems(runs).itertuples(index=False)
    assert (problem.reason, problem.left_out) == (reason, False)
    assert runs.flat[0] == (reason == "flat attribution")


def test_duplicates_and_other_runs(flat):
    repository(flat / "MLLM-Shap")
    write(flat, f"{RUN}/audio_male_audio_sgpa_permutation_0/samples/sample_00001_result.json", "{}")
    write(flat, "runs/notes/1.json", "{}")
    runs = recorded.runs(flat)
    assert runs.row.tolist() == [7, 9]
    noted = reasons(runs)
    assert noted[f"MLLM-Shap/{RUN}/{VOICE}/samples/sample_00007_result.json"] == (
        "duplicate of runs/1k_male_sgpa/00007.json"
    )
    assert sum("not one of the paper's runs" in reason for reason in noted.values()) == 2


def test_tidy_table(tmp_path):
    columns = "dataset,voice,regime,row_index,transcript,n_players,n_calls,neyman_steps,runtime_sec"
    row = "500,original,raw,32,Hello,3,6,1,9.5"
    bad = row.replace(",3,6,", ",4,6,").replace(",32,", ",33,")
    values = '"[0.0, 0.25, 0.75]"'
    lines = [f"{columns},attribution", *(f"{r},{values}" for r in (row, row, bad))]
    write(tmp_path, "runs.csv", "\n".join(lines))
    runs = recorded.runs(tmp_path)
    assert runs[["condition", "players", "native_tokens"]].to_numpy().tolist() == [
        ["SO2S-500", 3, 3]
    ]
    assert reasons(runs) == {
        "runs.csv (500 original raw 32)": "duplicate of runs.csv",
        "runs.csv (500 original raw 33)": "says 4 players, holds 3 attributions",
    }
    write(tmp_path, "runs.csv", "dataset,voice\n500,original")
    assert "lacks attribution" in recorded.problems(recorded.runs(tmp_path)).reason[0]


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (coalitions(drop=1), "3 of 4 coalitions in 3 rows"),
        (coalitions() + "\n" + coalitions().splitlines()[1], "4 of 4 coalitions in 5 rows"),
        (coalitions().replace(",1.0", ",nan"), "a utility is not finite"),
        (coalitions().replace(",1.0", ",0.7"), "U(N) is not 1"),
        (coalitions().replace("util_emb", "utility"), "another format: lacks embedding"),
        (coalitions().replace("3,2,0", "x,2,0"), "1 rows without a number in sample"),
        ("", "cannot be read"),
    ],
)
def test_bad_coalition_tables(tmp_path, table, reason):
    write(tmp_path, f"{GAMES}/qwen_coalitions.csv", table)
    games = recorded.games(tmp_path)
    assert len(games) == (reason == "U(N) is not 1")
    assert reason in recorded.problems(games).reason[0]


def test_players_that_are_missing(tmp_path):
    write(
        tmp_path, f"{GAMES}/qwen_exact_shapley_results.csv", RESULTS.replace(",1,there", ",2,there")
    )
    words = recorded.players(tmp_path)
    assert len(words) == 0
    assert "missing or repeated" in recorded.problems(words).reason[0]


def test_where_nothing_is(tmp_path, monkeypatch):
    monkeypatch.delenv("SGPA_REFERENCE", raising=False)
    monkeypatch.setattr(paper, "cache_folder", lambda: tmp_path)
    assert not recorded.available()
    for read in (recorded.runs, recorded.games, recorded.players, recorded.audio):
        with pytest.raises(FileNotFoundError, match=r"fetch recorded.*SGPA_REFERENCE"):
            read()
        with pytest.raises(FileNotFoundError, match="holds no"):
            read(tmp_path)
    monkeypatch.setenv("SGPA_REFERENCE", str(tmp_path))
    assert recorded.available()
    assert recorded.find() == tmp_path.resolve()


def test_the_reference_runs(reference):
    runs = recorded.runs(reference)
    noted = recorded.problems(runs)
    assert not noted.left_out.any()
    table = pd.read_csv(reference / "runs.csv")
    assert len(runs) == len(table)
    merged = runs.merge(
        table.assign(dataset=table.dataset.astype(str)),
        left_on=["dataset", "voice", "regime", "row"],
        right_on=["dataset", "voice", "regime", "row_index"],
    )
    assert len(merged) == len(runs)
    assert (merged.players == merged.n_players).all()
    assert (merged.n_calls_x == merged.n_calls_y).all()
    for values, stored in zip(merged.attribution_x, merged.attribution_y, strict=True):
        np.testing.assert_allclose(values, json.loads(stored), atol=1e-6)
    assert set(noted.reason) == {"zero calls", "flat attribution"}
    raw = runs[runs.regime == "raw"]
    assert (raw.players == raw.native_tokens).all()


def test_both_layouts_give_the_same(reference, tmp_path):
    sets = {"1k": "1k_{regime}", "500": "500_original"}
    lem = tmp_path / "experiments/interspeech/outputs/lem_runs"
    for file in reference.glob("runs/*/*.json"):
        dataset, voice, regime = file.parent.name.split("_")
        named = sets[dataset].format(regime=regime)
        run = lem / f"rebuttal_single_sentence_{named}/audio_{voice}_audio_{regime}"
        samples = run.with_name(f"{run.name}_limited_neyman_lin3_0") / "samples"
        samples.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, samples / f"sample_{file.stem}_result.json")
    flat_runs, unpacked = recorded.runs(reference), recorded.runs(tmp_path)
    pd.testing.assert_frame_equal(flat_runs.drop(columns="file"), unpacked.drop(columns="file"))
    noted, same = (
        recorded.problems(frame).reason.value_counts() for frame in (flat_runs, unpacked)
    )
    assert noted.equals(same)


def test_the_reference_games(reference):
    games, words = recorded.games(reference), recorded.players(reference)
    assert len(recorded.problems(games)) == len(recorded.problems(words)) == 0
    exact = {key: group.shapley.to_numpy() for key, group in words.groupby(recorded.GAME)}
    for game in games.itertuples():
        values = shapley_of_table(game.embedding)
        published = exact[(game.model, game.condition, game.sample)]
        np.testing.assert_allclose(values, published, atol=1e-7)


def test_the_reference_recordings(reference):
    recordings, runs = recorded.audio(reference), recorded.runs(reference)
    sgpa = runs[runs.regime == "sgpa"]
    keys = ["dataset", "voice", "row"]
    assert recordings[keys].equals(sgpa[keys].reset_index(drop=True))
    assert Audio.read(recordings.path[0]).duration > 1


class Server(http.server.BaseHTTPRequestHandler):
    """Serve `content` by commit; break off once after `breaks` bytes."""

    content: ClassVar[dict] = {}
    breaks: ClassVar[list] = []
    asked: ClassVar[list] = []
    ranges = True

    def do_GET(self):
        commit = self.path.strip("/").removesuffix(".zip")
        type(self).asked.append(self.headers.get("Range"))
        body = self.content.get(commit)
        if body is None:
            self.send_error(404)
            return
        start = 0
        if self.ranges and self.headers.get("If-Range") == '"v1"':
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if start == len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("ETag", '"v1"')
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        end = self.breaks.pop(0) if self.breaks else len(body)
        self.wfile.write(body[start:end])

    def log_message(self, *_):
        pass


def zipped(folder, extra=()):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as pack:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                pack.write(file, f"MLLM-Shap-x/{file.relative_to(folder)}")
        for name, content in extra:
            pack.writestr(name, content)
    return stream.getvalue()


@pytest.fixture
def server(tmp_path, monkeypatch):
    source = repository(tmp_path / "source")
    write(source, "README.md", "not wanted")
    body = zipped(source)
    handler = type("Handler", (Server,), {"asked": [], "breaks": [], "ranges": True})
    handler.content = dict.fromkeys(fetch.COMMITS.values(), body)
    monkeypatch.setattr(fetch, "EXPECTED", {"runs": 2, "games": 2})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        handler.url = f"http://127.0.0.1:{service.server_port}/{{commit}}.zip"
        yield handler
        service.shutdown()


def test_fetch(tmp_path, server, capsys):
    folder = fetch.recorded(tmp_path / "cache", server.url)
    printed = capsys.readouterr().out
    assert printed.index("Licence: Apache-2.0") < printed.index("MB, from http")
    assert len(recorded.runs(folder)) == 2
    assert len(recorded.games(folder)) == 2
    assert len(recorded.audio(folder)) == 1
    assert not list(folder.rglob("README.md"))
    assert sorted(p.name for p in folder.iterdir()) == ["games-aac1829", "runs-2a16b94"]
    fetch.recorded(folder, server.url)
    assert len(server.asked) == 2, "what is there is not downloaded again"


def test_fetch_goes_on_after_a_break(tmp_path, server, capsys):
    server.breaks = [30_000, 70_000]
    folder = fetch.recorded(tmp_path / "cache", server.url)
    first, second = (int(asked[6:-1]) for asked in server.asked[1:3])
    assert 20_000 < first <= 30_000
    assert first + 30_000 < second <= 70_000
    assert server.asked[0] is server.asked[3] is None
    assert "going on after" in capsys.readouterr().out
    assert len(recorded.runs(folder)) == 2


def test_fetch_goes_on_in_a_later_call(tmp_path, server, monkeypatch):
    monkeypatch.setattr(fetch, "ATTEMPTS", 1)
    server.breaks = [30_000]
    with pytest.raises(OSError, match=r"broke off after 2\d,\d+ bytes.*same command again"):
        fetch.recorded(tmp_path / "cache", server.url)
    folder = fetch.recorded(tmp_path / "cache", server.url)
    assert server.asked[1].startswith("bytes=2")
    assert len(recorded.runs(folder)) == 2


def test_fetch_starts_over_where_the_server_cannot_resume(tmp_path, server):
    server.breaks, server.ranges = [30_000], False
    folder = fetch.recorded(tmp_path / "cache", server.url)
    assert len(recorded.runs(folder)) == 2


def test_fetch_starts_over_where_all_had_come(tmp_path, server):
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "runs.broken").write_bytes(server.content["2a16b94"])
    (folder / "runs.etag").write_text('"v1"')
    assert len(recorded.runs(fetch.recorded(folder, server.url))) == 2
    assert server.asked[0] is not None
    assert server.asked[1] is None


def test_fetch_refuses_a_damaged_archive(tmp_path, server):
    body = bytearray(server.content["2a16b94"])
    body[body.index(b'"n_calls": 6') + 11] += 1
    server.content = dict.fromkeys(server.content, bytes(body))
    with pytest.raises(ValueError, match=r"refused and removed: Bad CRC"):
        fetch.recorded(tmp_path / "cache", server.url)


def test_fetch_checks_a_known_checksum(tmp_path, server):
    with pytest.raises(ValueError, match="SHA256"):
        fetch.recorded(tmp_path / "cache", server.url, {"runs": "0" * 64})


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("../evil.py", "x"), "unsafe member"),
        (("MLLM-Shap-x/../../evil.py", "x"), "unsafe member"),
        (("/etc/evil", "x"), "unsafe member"),
        (("MLLM-Shap-x\\..\\evil", "x"), "unsafe member"),
    ],
)
def test_fetch_refuses_unsafe_archives(tmp_path, server, extra, message):
    server.content = dict.fromkeys(server.content, zipped(tmp_path / "source", [extra]))
    with pytest.raises(ValueError, match=message):
        fetch.recorded(tmp_path / "cache", server.url)
    assert list((tmp_path / "cache").iterdir()) == []
    assert not list(tmp_path.rglob("evil*"))


def test_fetch_refuses_links(tmp_path, server):
    link = zipfile.ZipInfo("MLLM-Shap-x/link")
    link.external_attr = 0o120777 << 16
    server.content = dict.fromkeys(server.content, zipped(tmp_path / "source", [(link, "/etc")]))
    with pytest.raises(ValueError, match="unsafe member"):
        fetch.recorded(tmp_path / "cache", server.url)


def test_fetch_refuses_what_is_something_else(tmp_path, server):
    server.content = dict.fromkeys(server.content, b"<html>Please log in</html>")
    with pytest.raises(ValueError, match="no zip archive, it begins with b'<html>"):
        fetch.recorded(tmp_path / "cache", server.url)
    shutil.rmtree(tmp_path / "source" / RUN)
    server.content = dict.fromkeys(server.content, zipped(tmp_path / "source"))
    with pytest.raises(ValueError, match="holds no recorded runs"):
        fetch.recorded(tmp_path / "cache", server.url)


def test_fetch_counts_what_came(tmp_path, server, monkeypatch):
    monkeypatch.setattr(fetch, "EXPECTED", {"runs": 440, "games": 1240})
    with pytest.raises(ValueError, match="holds 2 runs where 440 should be"):
        fetch.recorded(tmp_path / "cache", server.url)


def test_fetch_says_what_the_server_says(tmp_path, server):
    server.content = {}
    with pytest.raises(OSError, match=r"refused .* 404"):
        fetch.recorded(tmp_path / "cache", server.url)


def test_fetch_without_network(tmp_path):
    with pytest.raises(OSError, match=r"no network: 127\.0\.0\.1:9 cannot be reached"):
        fetch.recorded(tmp_path, "http://127.0.0.1:9/{commit}.zip", say=lambda _: None)
