"""A report is handed on: it names no folder of the machine, and no word in it is damaged by that."""

import html
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

import asmrisk
from asmrisk.pages import report as pages
from tests.pages.reports import cells_of, commands_of

CLINICIANS = """\
clinician_id,practice_id,performance_year,cohort,specialty,practice_size,part_b_payments,episodes
a,P,2025,heart_failure,cardiology,3,200000,60
b,P,2025,low_back_pain,neurosurgery,3,250000,90
"""
#: Names that no text has.
RUN, REFORM, ROSTER = "storeqa", "storeqb", "tableqc"


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("places")
    file = folder / "small.toml"
    file.write_text('title = "A title"\n[population]\nclinicians = 200\n')
    for name, some in ((RUN, ()), (REFORM, ("policy.redistribution_share=1.0",))):
        asmrisk.run(asmrisk.load_scenario(file, some), draws=5, out=folder / name, quiet=True)
    (folder / f"{ROSTER}.csv").write_text(CLINICIANS)
    return folder


def reported(stores, folder, results, exposure):
    """Report copies of the two stores and the roster, under names given from a folder."""
    for place, source in zip((*results, exposure), (RUN, REFORM, f"{ROSTER}.csv"), strict=True):
        target = Path(os.path.normpath(folder / place))
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (stores / source).is_dir() else shutil.copy)(stores / source, target)
    page, book = (folder.parent / f"{folder.name} written.{ending}" for ending in ("html", "xlsx"))
    with pytest.MonkeyPatch.context() as patch:
        # Charts take most of the time, and name no more places than this one.
        charts = {name: chart for name, chart in pages._CHARTS.items() if "given clinicians risk" in name}
        patch.setattr(pages, "_CHARTS", charts)
        patch.chdir(folder)
        return asmrisk.report(*results, exposure=exposure, out=page, excel=book)


@pytest.fixture(scope="module")
def plain(stores, tmp_path_factory):
    """What is written where no place has a folder."""
    folder = tmp_path_factory.mktemp("plain") / "here"
    return reported(stores, folder, (RUN, REFORM), f"{ROSTER}.csv")


def named(text, names):
    """Put names in place of those that no text has, in a call of Python as Python writes them."""

    def put(token):
        for neutral, name in names.items():
            token = token.replace(neutral, name)
        return token

    quoted = re.compile(rf"'([\w.=]*(?:{'|'.join(names)})[\w.]*)'")
    return put(quoted.sub(lambda found: repr(put(found[1])), text))


def outside_commands(page):
    return re.sub(r"<pre .*?</pre>|<wbr>", "", page.read_text("utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ([".", "{}/far/a way/x.zarr"], ["here", "x.zarr"]),
        (["r z/r", "a&b/x'y"], ["r", "x'y"]),
        (["base.zarr", "sub/base.zarr"], ["base.zarr", "sub/base.zarr"]),
    ],
)
def test_page_and_workbook_name_places_without_folders_and_damage_no_word(
    stores, plain, tmp_path, given, names
):
    given = [each.format(tmp_path) for each in given]
    exposure = str(tmp_path / "re ports" / "our & s.csv")
    page, book = reported(stores, tmp_path / "here", given, exposure)
    plain_page, plain_book = plain
    new = dict(zip((RUN, REFORM), names, strict=True)) | {ROSTER: "our & s"}

    expected = html.unescape(outside_commands(plain_page))
    assert named(expected, new).split() == html.unescape(outside_commands(page)).split()
    run, reform, report = map(shlex.split, commands_of(page))
    assert run[:3] + run[-2:] == ["asmrisk", "run", "small.toml", "--out", names[0]]
    assert reform[-1:] == names[1:]
    assert "policy.redistribution_share=1.0" in reform
    assert report == ["asmrisk", "report", *names, "--exposure", "our & s.csv"]

    known, found = cells_of(plain_book), cells_of(book)
    assert [named(each, new) for each in known] == list(found)
    for sheet, cells in known.items():
        assert [named(each, new) for each in cells] == found[sheet]

    for text in (page.read_text("utf-8"), *(cell for cells in found.values() for cell in cells)):
        for folder in (*tmp_path.parts[1:], "a way", "r z", "a&b", "a&amp;b", "re ports"):
            assert folder == "tmp" or folder not in text, folder
