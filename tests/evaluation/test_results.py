"""What an evaluation gives to read: the table, JSON and CSV, to the letter."""

import json
import math

import pytest

from vtrans.evaluation import Evaluation, Value
from vtrans.evaluation.results import check_output

TRUTH, TIME = "against the truth", "over time"


def example():
    sources = {
        "x": {"name": "/data/clips/day-long.mp4", "sequences": 1, "sizes": ["16x20"], "motion": "exact"},
        "y": {"name": "street/night", "sequences": 3, "sizes": ["16x16", "16x20"], "motion": "estimated by DIS"},
    }
    return Evaluation(
        (
            Value("psnr", "y", math.inf, "higher", "dB", 4, "frames", sequences=[math.inf, 20.0], group=TRUTH),
            Value("mean_iou", "y", 0.5, "higher", "", 4, "frames", parts={"way": 0.5, "sky": math.nan}, group=TRUTH),
            Value("flicker", "y", 0.123456, "", "of range 2", 3, "steps", group=TIME),
            Value("sharpness_ratio", "y", 0.75, "near 1", "", 4, "frames", group=TIME),
            Value("flicker", "x", 12345.6, "", "of range 2", 3, "steps", group=TIME),
            Value("fid", "x", 1.0, "lower", "", 4, "frames", features="tiny, of a file"),
        ),
        left_out={
            "kid/y": "there is no network",
            "psnr/x": "the true translation is not known, and this is wrapped at words, never within a well-known one",
            "fid/y": "there is no network",
        },
        settings={"run": "runs/a", "vtrans": "1.0", "paired": True, **sources},
        notes=("Features: tiny. Values of other feature networks, such as those of Inception, differ.", "Über α."),
    )


TABLE = """\
x: day-long.mp4, 1 sequence of 16x20, motion exact
y: street/night, 3 sequences of 16x16, 16x20, motion estimated by DIS

                                  in y          in x

against the truth
  psnr                             inf                ↑   dB
  mean_iou                         0.5                ↑

over time
  flicker                       0.1235     1.235e+04      of range 2
  sharpness_ratio                 0.75                ≈ 1

others
  fid                                              1  ↓

↑ higher is better, ↓ lower is better, ≈ 1 best near 1; others to compare with
Features: tiny. Values of other feature networks, such as those of Inception,
  differ.
Über α.
not measured: kid/y, fid/y: there is no network
not measured: psnr/x: the true translation is not known, and this is wrapped at
  words, never within a well-known one"""


def test_the_table():
    assert example().table() == TABLE


def test_lines_break_between_words_alone():
    """Paths and names with hyphens stay whole, even where they are longer than a line."""
    note = "The frames are in " + "a-very-long-folder/" * 6 + " of this machine."
    lines = Evaluation((), notes=(note,)).table().splitlines()
    assert lines[-3:] == ["The frames are in", "  " + "a-very-long-folder/" * 6, "  of this machine."]
    assert lines[:4] == [
        "",
        " " * 24,
        "",
        "↑ higher is better, ↓ lower is better, ≈ 1 best near 1; others to compare with",
    ]


def test_the_numbers_by_metric_and_domain():
    assert example().numbers == {
        **{"psnr/y": math.inf, "mean_iou/y": 0.5, "flicker/y": 0.123456, "sharpness_ratio/y": 0.75},
        **{"flicker/x": 12345.6, "fid/x": 1.0},
    }


def test_the_csv():
    header = "metric,to,value,better,unit,count,counted,features,run,vtrans,paired,x,sizes_x,y,sizes_y"
    facts = "runs/a,1.0,True,/data/clips/day-long.mp4,16x20,street/night,16x16 16x20"
    assert example().csv().split("\n") == [
        header,
        f"psnr,y,inf,higher,dB,4,frames,,{facts}",
        f"mean_iou,y,0.5,higher,,4,frames,,{facts}",
        f"flicker,y,0.123456,,of range 2,3,steps,,{facts}",
        f"sharpness_ratio,y,0.75,near 1,,4,frames,,{facts}",
        f"flicker,x,12345.6,,of range 2,3,steps,,{facts}",
        f'fid,x,1.0,lower,,4,frames,"tiny, of a file",{facts}',
        "",
    ]
    alone = Evaluation((Value("l1", "y", 0.5, "lower", "", 1, "frames"),)).csv()
    assert alone == f"{header}\nl1,y,0.5,lower,,1,frames,,,,,,,,\n"


def test_the_files_hold_all_of_it_and_are_never_replaced_unasked(tmp_path):
    folder, found = tmp_path / "some/new", example()
    found.write(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["evaluation.csv", "evaluation.json"]
    assert (folder / "evaluation.csv").read_text(encoding="utf-8") == found.csv()
    text = (folder / "evaluation.json").read_text(encoding="utf-8")
    content = json.loads(text)
    assert list(content) == ["format", "settings", "values", "left_out", "notes"] and content["format"] == 2
    assert content["settings"] == found.settings and content["left_out"] == found.left_out
    assert content["notes"] == list(found.notes) and len(content["values"]) == 6
    assert content["values"][0] == {
        **{"metric": "psnr", "to": "y", "value": None, "better": "higher", "unit": "dB", "count": 4},
        **{"counted": "frames", "features": None, "parts": None, "sequences": [None, 20.0], "group": TRUTH},
    }
    assert (
        content["values"][1]["parts"] == {"way": 0.5, "sky": None}
        and content["values"][5]["features"] == "tiny, of a file"
    )
    assert '\n  "notes": [\n    "Features: ' in text and '"Über α."' in text and text.endswith("}\n")

    with pytest.raises(ValueError, match="not JSON compliant"):
        Evaluation((), settings={"share": math.nan}).write(folder, overwrite=True)
    assert (folder / "evaluation.json").read_text(encoding="utf-8") == text

    (folder / "evaluation.json").unlink()
    for name in ("evaluation.csv", "evaluation.json"):
        with pytest.raises(FileExistsError, match=f"folder without an evaluation, got .*{name}. Pass another --out"):
            Evaluation(()).write(folder)
        assert (folder / "evaluation.csv").read_text(encoding="utf-8") == found.csv()
        found.write(folder, overwrite=True)
    with pytest.raises(FileExistsError, match="out: expected a folder, got the file .*evaluation.csv"):
        check_output(folder / "evaluation.csv", overwrite=True)
    check_output(tmp_path / "none", overwrite=False)
    check_output(tmp_path, overwrite=False)
