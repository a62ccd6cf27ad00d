"""Small parquet files with the schemas of the corpora on the hub, laid out as they are there."""

import datasets


def write(rows, folder, config, file, audio=()):
    """Write rows as `folder`/`config`/`file`; columns in `audio` get datasets' Audio type."""
    table = datasets.Dataset.from_list(rows)
    for column in audio:
        table = table.cast_column(column, datasets.Audio(sampling_rate=16_000))
    path = folder / config / file
    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.disable_progress_bars()
    table.to_parquet(path)
    return folder


def voicebench(recordings, folder, config="alpacaeval_full", sound=lambda r: r.path.read_bytes()):
    rows = [
        {"prompt": r.text, "audio": {"bytes": sound(r), "path": f"{r.id}.wav"}, "output": "…"}
        for r in recordings
    ]
    return write(rows, folder, config, "test-00000-of-00001.parquet", ["audio"])


def mllm_shap(
    recordings, folder, config="single_sentence__voice_bench", voices=("original", "male")
):
    rows = [
        {
            "datasets": ["AlpacaEval"],
            "sentences": [r.text],
            "token_count": len(r.words),
            **{f"audio__{voice}": [r.path.read_bytes()] for voice in voices},
            **{f"audio__{voice}__duration": [r.audio.duration] for voice in voices},
        }
        for r in recordings
    ]
    return write(rows, folder, config, "test/0000.parquet")


def librispeech(recordings, folder):
    rows = [
        {
            "file": f"{r.id}.flac",
            "audio": {"bytes": r.path.read_bytes(), "path": f"{r.id}.flac"},
            "text": r.text.upper(),
            "speaker_id": 1,
            "chapter_id": 2,
            "id": f"1-2-{number:04d}",
        }
        for number, r in enumerate(recordings)
    ]
    return write(rows, folder, "clean", "test/0000.parquet", ["audio"])
