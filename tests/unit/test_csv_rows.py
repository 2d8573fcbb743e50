"""Exports as companies really have them: written in any way, with broken rows in the middle."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.past import BadRow
from handlers import csv_recognition
from handlers.csv_rows import CsvFault, CsvFile, Record, open_csv, write_refused

Export = Callable[..., CsvFile]
HEADER = "id,company,country\n"


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """Write an export and open it."""

    def made(content: str | bytes, written: str = "utf-8", **options: str) -> CsvFile:
        path = tmp_path / "leads.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(written))
        return open_csv(path, **options)

    return made


def told(csv_file: CsvFile, start: int = 0) -> list[tuple[int, list[str] | str]]:
    """Line and cells of good rows, line and reason of bad ones."""
    return [
        (row.line, row.reason if isinstance(row, BadRow) else row.cells)
        for row in csv_file.records(start)
    ]


def good(csv_file: CsvFile) -> list[list[str]]:
    return [row.cells for row in csv_file.records() if isinstance(row, Record)]


def test_rows_come_with_the_line_where_they_begin(export: Export) -> None:
    file = export(
        HEADER
        + '1,Acme,DE\n\n2,"Globex\nVienna ""office""",AT\n\r,\n3,5" pipes,FR\n4,Initech,GB,,\n'
    )

    assert told(file) == [
        (2, ["1", "Acme", "DE"]),
        (4, ["2", 'Globex\nVienna "office"', "AT"]),
        (7, ["3", '5" pipes', "FR"]),
        (8, ["4", "Initech", "GB"]),
    ]
    assert told(file, 2) == told(file)[2:]
    assert (file.header, file.lines, file.size) == (("id", "company", "country"), 8, 94)


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(
        st.lists(cells, min_size=3, max_size=3).filter(lambda row: any(c.strip() for c in row)),
        max_size=6,
    ),
    separator=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be"]),
    end=st.sampled_from(["\r\n", "\n"]),
)
def test_what_a_csv_writer_writes_comes_back(
    tmp_path: Path, rows: list[list[str]], separator: str, encoding: str, end: str
) -> None:
    text = io.StringIO(newline="")
    writer = (
        csv.writer(text, delimiter=separator)
        if end == "\r\n"
        else csv.writer(text, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    )
    writer.writerows([["id", "company", "country"], *rows])
    path = tmp_path / "any.csv"
    path.write_bytes(text.getvalue().encode(encoding))

    file = open_csv(path, encoding=encoding, separator=separator)

    assert [row.cells for row in file.records() if isinstance(row, Record)] == rows
    assert sum(1 for _ in file.records()) == len(rows)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    content=st.lists(
        st.sampled_from([b'"', b'""', b",", b"\n", b"\r", b"a", b"\xff", b"\x00", b"\xc3\xa4", b"1,b,c\n"]),
        max_size=40,
    )
)  # fmt: skip
def test_no_bytes_stop_the_reader(tmp_path: Path, content: list[bytes]) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(HEADER.encode() + b"".join(content) + b"\nlast,row,here\n")

    rows = list(open_csv(path, encoding="utf-8", separator=",").records())

    lines = [row.line for row in rows]
    assert lines == sorted(set(lines))
    assert all(len(row.cells) == 3 for row in rows if isinstance(row, Record))


@pytest.mark.parametrize(
    "broken",
    [
        '2,"Globex,AT',  # never closed
        '2,"Globex, the "big" one",AT',  # quotes that are not doubled
        '2,"Globex" Inc,AT',
        "2,Globex",
        "2,Globex,AT,Vienna",
    ],
)
def test_a_broken_row_costs_no_other(export: Export, broken: str) -> None:
    file = export(f'{HEADER}1,Acme,DE\n{broken}\n3,"Initech",GB\n4,"Hooli\nLondon",GB\n')

    rows = told(file)

    assert [line for line, _ in rows] == [2, 3, 4, 5]
    assert isinstance(rows[1][1], str)
    assert "Globex" not in rows[1][1]
    assert [row[0] for row in good(file)] == ["1", "3", "4"]


def test_a_quote_that_is_never_closed_does_not_swallow_a_long_file(export: Export) -> None:
    many = "".join(f"{n},Company {n},DE\n" for n in range(2000))

    file = export(f'{HEADER}x,"Globex,AT\n{many}')

    rows = told(file)
    assert (len(rows), len(good(file))) == (2001, 2000)
    assert rows[0] == (
        2,
        "The row has a quote that is not closed, or one inside a quoted text that is not doubled.",
    )


def test_pieces_of_a_broken_text_are_no_rows(export: Export) -> None:
    file = export(HEADER + '1,"He said "call me"\nnext week\nor then, maybe",DE\n2,Acme,DE\n')

    assert [line for line, _ in told(file)] == [2, 5]
    assert good(file) == [["2", "Acme", "DE"]]


def test_a_cell_of_a_million_characters_is_one_bad_row(export: Export) -> None:
    flat, deep, deeper = "x" * 1_000_000, "some text\n" * 15_000, f"{'y' * 199}\n" * 6_000
    file = export(f'{HEADER}1,{flat},DE\n2,"{deep}",DE\n3,"{deeper}",DE\n4,Acme,DE\n')

    rows = told(file)

    assert [line for line, _ in rows] == [2, 3, 15_004, 21_005]
    assert rows[0][1] == "The cell of “company” has 1000000 characters; 100000 is the most."
    assert good(file) == [["4", "Acme", "DE"]]


def test_bytes_that_are_no_text_and_nul_spoil_their_row_only(export: Export) -> None:
    file = export(
        HEADER.encode()
        + "1,Müller,DE\n".encode()
        + b'2,"M\xfcller",DE\n3,Acme\x00,DE\n4,"Gr\xc3\xb6\xc3\x9fe",AT\n'
    )

    assert told(file) == [
        (2, ["1", "Müller", "DE"]),
        (3, "The row has bytes that are no utf-8, the first at byte 5 of line 3."),
        (4, "The cell of “company” has a NUL character."),
        (5, ["4", "Größe", "AT"]),
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty."),
        (b"\n \r\n", "The file holds nothing but blank lines."),
        (b'id,"company\n1,Acme\n', "The header (line 1) has a quote that is not closed."),
    ],
)
def test_a_file_without_a_header_is_refused(export: Export, content: bytes, sentence: str) -> None:
    with pytest.raises(CsvFault) as refused:
        export(content)

    assert str(refused.value) == sentence


def test_a_header_alone_has_no_rows_and_odd_names_are_told(export: Export) -> None:
    file = export("id,,City,City, Name ,\n")

    assert told(file) == []
    assert file.header == ("id", "", "City", "City", "Name", "")
    assert file.notes == ("Columns without a name: number 2, 6.", "2 columns are called “City”.")


WORDS = {
    "cp1252": "Müller & Söhne;Zürich – „Größe“;José;Málaga;5 €",
    "cp1250": "Łódź;Spółka handlowa;Wiśniewski;dyrektor sprzedaży;Gdańsk",
    "cp1251": "Иванов;Москва;привет;Санкт-Петербург;директор",
    "cp932": "東京都;佐藤さん;株式会社;大阪;ありがとう",
    "gb18030": "北京;公司;你好;上海市;经理",
}


@pytest.mark.parametrize("encoding", [*WORDS, "utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_encodings_and_separators_are_recognised(export: Export, encoding: str) -> None:
    words = WORDS.get(encoding, "Müller;Łódź;Москва;東京都;5 €")
    text = "a;b;c;d;e\r\n" + f"{words}\r\n" * 30

    file = export(text, encoding)

    assert good(file) == [words.split(";")] * 30
    assert file.separator == ";"


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ('id|"name, first"|x\n1|"a,b,c"|d\n', "|"),
        ("id\tcompany\n1\tAcme; Globex, Inc\n", "\t"),
        ("sep=;\nid;note\n1;a,b\n", ";"),
        ("id\n1\n", ","),
        ("id,a\r1,x\r2,y\r", ","),
    ],
)
def test_the_separator_is_what_splits_header_and_rows_alike(
    export: Export, text: str, separator: str
) -> None:
    file = export(text)

    assert file.separator == separator
    assert file.header[0] == "id"
    assert [row[0] for row in good(file)] == ["1", "2"][: len(good(file))] != []


def test_what_somebody_says_of_the_file_counts(export: Export) -> None:
    file = export("id,b;c\n1,ä;x\n", "latin-1", separator="semicolon")
    assert file.header == ("id,b", "c")
    assert "cp1252" in file.notes[0]

    for options in ({"encoding": "klingon"}, {"separator": "ab"}, {"encoding": "base64"}):
        with pytest.raises(CsvFault):
            export(HEADER, **options)


def test_the_fault_of_a_refused_row_is_never_a_value(export: Export, tmp_path: Path) -> None:
    file = export(b"id,name,country\n1,Kim\n2,Lee,FR,x\n3,Sam,AT\n")
    bad = [(row.line, row.reason) for row in file.records() if isinstance(row, BadRow)]
    target = tmp_path / "refused.csv"

    write_refused(file, bad, target)

    short, long = target.read_text().splitlines()[1:]
    assert short.startswith("1,Kim,,")
    assert long.startswith("2,Lee,FR,x,")
    unmended = open_csv(target)
    assert [cells[:3] for cells in good(unmended)] == [["1", "Kim", ""]]

    # A spreadsheet makes all rows as long as the longest.
    target.write_text(f"id,name,country,baton_fault,\n{short},\n{long}\n")
    padded = open_csv(target)
    assert [cells[:3] for cells in good(padded)] == [["1", "Kim", ""]]
    write_refused(padded, [(2, "still wrong"), (3, "too long")], tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text().splitlines()[:2] == [
        "id,name,country,baton_fault",
        "1,Kim,,still wrong",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_refused_rows_are_written_to_be_mended(
    export: Export, tmp_path: Path, encoding: str
) -> None:
    middle = b"" if encoding == "utf-16" else b"3;caf\x81;FR\n"
    text = 'id;company;country\n1;Söhne;DE\n2;"Kö;ln"\n'.encode(encoding)
    after = '4;"Grö\nße";AT\n'.encode("utf-16-le" if encoding == "utf-16" else encoding)
    file = export(text + middle + after, **({} if encoding == "utf-16" else {"encoding": encoding}))
    bad = [(row.line, row.reason) for row in file.records() if isinstance(row, BadRow)]
    target = tmp_path / "refused.csv"

    count = write_refused(file, [*bad, (file.lines - 1, "wrong “country”")], target)

    assert count == len(bad) + 1
    again = target.read_bytes()
    assert middle[2:6] in again
    assert target.stat().st_mode & 0o077 == 0
    mended = open_csv(target, encoding=file.encoding)
    assert mended.header == ("id", "company", "country", "baton_fault")
    assert good(mended)[-1] == ["4", "Grö\nße", "AT", "wrong “country”"]
    write_refused(mended, [(2, "still wrong")], tmp_path / "again.csv")
    assert open_csv(tmp_path / "again.csv", encoding=file.encoding).header == mended.header


def test_lines_are_found_wherever_a_chunk_ends(
    export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    # U+0A05 U+0100: in UTF-16 a line end seems to stand between them
    text = HEADER + "".join(f'{n},"ਅĀ Łódź\n{n}",PL\r\n' for n in range(20))
    assert [row[1] for row in good(export(text, "utf-16"))][:2] == ["ਅĀ Łódź\n0", "ਅĀ Łódź\n1"]
    whole = [good(export(text, e)) for e in ("utf-8", "utf-16")]
    for size in (3, 7):
        monkeypatch.setattr(csv_recognition, "_CHUNK", size)

        assert [good(export(text, e)) for e in ("utf-8", "utf-16")] == whole


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_line_without_end_is_passed_over_in_little_memory(
    export: Export, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setattr(csv_recognition, "MAX_LINE_BYTES", 100_000)
    text = f"{HEADER}1,{'x' * 4_000_000},DE\n2,Acme,DE\n"
    file = export(text, encoding)

    tracemalloc.start()
    rows = told(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert rows == [(2, "The row is longer than 8 MiB."), (3, ["2", "Acme", "DE"])]
    assert peak < 3_000_000
