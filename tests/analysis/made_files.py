"""Files as bytes, made so that a test holds exactly what it is about; .xlsx is written part by part."""

import base64
import gzip
import os
import sqlite3
import tempfile
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import duckdb
import pandas as pd

Cell = str | int | float | bool | None | tuple[str, str]
"""A tuple is a formula with the value that was stored with it; text that begins with # is an error."""
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PLAIN = b"a,b\n1,x\n2,y\n"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
SALES: list[list[Cell]] = [
    ["Report of 2024", None, None, None, None],
    [],
    ["Region", "Sales", None, "Cost", None],
    [None, 2023, 2024, 2023, 2024],
    ["North", 1, 2.5, 3, 4],
    ["South", 5, 6.5, 7, 8],
    ["Total", 6, 9, 10, 12],
]


def workbook(sheets: dict[str, list[list[Cell]]], *, hidden: tuple[str, ...] = (), merged: str = "") -> bytes:
    """An .xlsx file; `merged` is a range of the first sheet such as B1:C1.

    A cell "day 45292" is that day, counted as Excel counts.
    """
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{KIND}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{KIND}.styles+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{KIND}.worksheet+xml"/>'
            for n in range(1, len(sheets) + 1)
        )
        + "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs count="2"><xf numFmtId="0"/>'
        '<xf numFmtId="14"/></cellXfs></styleSheet>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>'
        + "".join(
            f'<sheet name="{escape(name)}" sheetId="{n}" r:id="s{n}"'
            + (' state="hidden"' if name in hidden else "")
            + "/>"
            for n, name in enumerate(sheets, 1)
        )
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="s{n}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in range(1, len(sheets) + 1)
        )
        + f'<Relationship Id="st" Type="{RELATIONS}/styles" Target="styles.xml"/></Relationships>',
    }
    for n, rows in enumerate(sheets.values(), 1):
        merge = f'<mergeCells count="1"><mergeCell ref="{merged}"/></mergeCells>' if merged and n == 1 else ""
        body = "".join(
            f'<row r="{r}">{"".join(_cell(value, f"{chr(65 + c)}{r}") for c, value in enumerate(row))}</row>'
            for r, row in enumerate(rows, 1)
        )
        parts[f"xl/worksheets/sheet{n}.xml"] = (
            f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData>{merge}</worksheet>'
        )
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>' + text)
    return file.getvalue()


def _cell(value: Any, place: str) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return f'<c r="{place}"><f>{escape(value[0])}</f><v>{escape(value[1])}</v></c>'
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, (int, float)):
        return f'<c r="{place}"><v>{value}</v></c>'
    if value.startswith("#"):
        return f'<c r="{place}" t="e"><v>{value}</v></c>'
    if value.startswith("day "):
        return f'<c r="{place}" s="1"><v>{value[4:]}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'


def unpacked(text: str) -> bytes:
    """What was compressed and written in 85 letters."""
    return zlib.decompress(base64.b85decode(text))


def packed(**members: bytes) -> bytes:
    """A ZIP archive; two underscores in a name stand for a dot."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return file.getvalue()


def outside() -> bytes:
    """An archive whose member wants to be written somewhere else."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../../../tmp/escaped_from_the_archive.csv", b"a,b\n1,2\n")
    return file.getvalue()


def locked_archive() -> bytes:
    """An archive that says that its member is encrypted."""
    content = bytearray(packed(a__csv=b"a,b\n1,2\n"))
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def bomb() -> bytes:
    """200 MB of nothing in 200 kB."""
    return gzip.compress(b"a,b\n" + b"0" * 200_000_000)


def archive_bomb() -> bytes:
    """The same in a ZIP archive, which says how large it would be."""
    return packed(big__csv=b"a,b\n" + b"0" * 150_000_000)


def database(kind: str) -> bytes:
    """A database of two tables with rows, an empty one, and a view."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        statements = [
            "CREATE TABLE people (id INTEGER, name VARCHAR, born VARCHAR, size DOUBLE)",
            "INSERT INTO people VALUES (1, 'Ann', '1990-01-31', 1.5), (2, '007', '1991-02-28', NULL)",
            "CREATE TABLE bare (a INTEGER)",
            "CREATE TABLE mixed (v VARCHAR)",
            "INSERT INTO mixed VALUES ('1')",
            "CREATE VIEW grown AS SELECT * FROM people WHERE size > 1",
        ]
        if kind == "sqlite":
            statements[3:5] = ["CREATE TABLE mixed (v)", "INSERT INTO mixed VALUES (1), (2), ('x')"]
            with sqlite3.connect(path) as plain:
                for statement in statements:
                    plain.execute(statement)
            plain.close()
        else:
            with duckdb.connect(str(path)) as engine:
                for statement in statements:
                    engine.execute(statement)
        return path.read_bytes()


def parquet(frame: pd.DataFrame) -> bytes:
    """A Parquet file."""
    file = BytesIO()
    frame.to_parquet(file, index=False)
    return file.getvalue()


def lying_parquet(spot: str) -> bytes:
    """A Parquet file whose footer or data is not what it says."""
    content = bytearray(parquet(pd.DataFrame({"n": range(1000), "s": [f"value {i}" for i in range(1000)]})))
    if spot == "footer":
        content[-60:-8] = os.urandom(52)
    elif spot == "data":
        content[8:2000] = b"\xff" * 1992
    elif spot == "length":
        content[-8:-4] = b"\xff\xff\xff\x7f"
    else:
        # The number of rows, 1000, as the footer has it (Thrift's zigzag varint), becomes 2000.
        place = content.rindex(b"\xd0\x0f")
        content[place : place + 2] = b"\xa0\x1f"
    return bytes(content)


# name, n: x, 1; y, 2.5 in a sheet called Old, as Excel 97 writes it.
OLD_XLS = (
    "c-rk)O=uHQ5dPk7()`$_o0<x3p@f1}YcJx(OS>v)PuA*15kXUvgEVd>c(5L{T5}WxPl}g9FJ7u%{6Pi1c@Qdk5CkF7V^4yDhc@fX"
    ">|0DVhXypLyl<I#vorJFo9vr6o42o*(v|u9y;b~#QP`;Y3AEMe6j36)aX@z8XEAK!M83g4g+!bdvMq`y9j{`%hP>WYShyE?K^*u<"
    "bR1_fKJ68<EyP}lA*VQo5#kEBNs~g4MAaqyl<<wh?~3PB;k!k1P521;R@5;px#L5-bQT}A2E>*EkNZ&iycf+5bmJvw@ull3@Qq?m"
    ">2$96cN+R5?N|V<+gQOXlyb!iGPHmT`08hYFX2voo;CW`>J>=;ZLL1mK!3xE0JHE<N`jZM0nco<*f?0sub>ZP4#~@%DbVVBMCXZS"
    "l3a{s^EzubZ-*pxJMla^MNUg<J5-)m?tFf8U~<AeA(~k!*g;v}%#pyyW$r<pQwZW<u<wxY?ZU6fsC^>$3eQkNQad=&t%dz_;&WB3"
    "gEY@h!CQAroxGLg^75fa{pC;YHj)>|suwbg@7#F|&}$}7{rQ^1uo_mkZZaObVXJfr_#nLJmvRud938u_-(8(pMN-7H@ZgT0j?(_B"
    "fxi-e9`T};lz7tel-b{E;BSe)t^I?izf8BIRu>+yk&4p~Bw=7+U|?WiU|?X-QYifg-_|FMs6Ix-^mm<AqMG?k^55bxrs+CI2h)A<"
    "s4Zcpsr=c5s0znY>+BPLFJv5{*-Mzhq{K1RbpFyYP}TpQb$4`r-xg|i{#r9}{^9w*16c#XRR"
)
# Encrypted with a password by Excel's method; what was encrypted is blanked.
ENCRYPTED = (
    "c-rk(ZERCj7(QbkY!h@K;P_DM)gQ*e`mug&xDL90Y#r<R-K~p6Z`<4UuI;_u{aD)>h)Y0ZCWd4tny4`lNmvXf1~JA!B=H9(5Cy^l"
    "34sXu0}U}MApT&?_qMmA9Rt^a3B>y}PfzbT_nhav@B7?yw-Y}s`EmE>t1hA$XhY@b)>I9uD(EW%F34Zh<*o(Znwpx*cTY)pq%a8-"
    ">Q@f6s}O4`)O;bZTD-1>_A%fh;9}t8z$bDRKuds2#rq^YddNS&<zhSE`acO=23!tY0elKr4_pac1zZhW1AH3z4DeaWGY<t^h=vb`"
    "WXOytXc?42rC<fBoIdkw?{d#;hfa(g&73dGx0OgV7eG)AW>u4*PM{ESARKyP@Ew8ce**?@q{4XSqF)1jmzU<os*nkkIG`JLASe@v"
    "Eg}ATcmw9OE9Mw~;g}Ef7*Hgk3KS|Gb!b6ZsqqVa-Qw7t(c7R+&RKsI=nH2@rTFfji@xwTMDnisR>(sbvN1QTL1o$a7iMc&dj8#6"
    "&kMPa%<y8aB6seu80vZCU+~FBam)jHIOwq1m>HBPJ^pF`RsRR^-?_h;@s~}<Uo#K=DtO)*&`N+xsb>$$zI#f~zu?vH&}`>VF6L4y"
    "@C@iL5dRJ?<^0)Qi5?2H0&Ng?FzW&q7=}DFB4aiag7Zmeg)^#g){`>-KS0?$^{d6X(SkK(b9gVP9>B9(sIQvmv(P8b7tYhykp(_2"
    "$bg!lRlxT;q(NF(%L2dD@JpHPYloegU_=--K)({Qt%M#0(!oB2`?jE-66!M7z22=>75Cwv3it?TS?h*$A}$*u7?z|dJ*I3_U^0RV"
    "(jk(H=rOOyvaT7Eu^di?@HkBodMrb**oL;+R=A1DBsrKRgB2)Nk3~5yxn3@3gHa-ZvyBNd$j~eu<{E=^LQaRnWRQ@n6bh~U_Eao4"
    "cYU&i*)bwx&MiPQ@+8i(DVho87YfdIp&-F<B#hx4fwk4j0Ie`?!Z}>V;&IMR4nyopEhY=Z>0s>kCEV0bauB^r16NU;jpoL*YAn0T"
    "G=gL@N-&0agl0%Cn$Tkgvl|n8jZvJWvI)=sve6;J*lx_NSTM=mY0xNDSawf7JkEns#G&qUq}z>_w8J<+rPY3WkJ{<f>oJ*J3?u|m"
    "SSgN(z#<u$n0+GDnZSdah>RX<i8-t>jlbO`_ec6nLm_W(Sl!_=ayCDyN-{c2%x7qFq$pR1+v?+-!)dz5+mY@{4w~t(H((5>hQnQf"
    "lv(X<@9xxSy1RQ)>WD>`5_V9eCGJ;l!ov!cKkmboLt3}3xyuvL+W8n8;Ddu^L)vd`NT!q?-Jowkkurpw@jx<=@S0N|)u4lscj6hf"
    "2PgV?jlaR6v*=V!8Dq?4PecmiEi5eCHeH6Iei_e@_iehiq7t_z*H6a_d6ltAk}}df#eq{40<aRSRBWCZD6-jub=Ey~3tTs(h9g1k"
    "H889?8g23PI1M)57b&W_k6_@5BA8APvQkMN^5CN~{XVY2gxh=ZZtZZp&eSU(G{CHT%Feo?xDS^z;jow!4ITK9Za_)8=qPFTZK4zb"
    "g{{Lwd0hQ&tH(`|34d3_Jghc))5ZqM6IW=R>Xv>(Sk5<h;4z!7A(A%JF~$}5NBak(iem3VEk!X8KWtYAyu7xXN(}LtZmq#%HBv3H"
    "UQN3uXrkP9bG%9J>hX2*!P|DsTBFE7qD|#9eA-%YFt*hq2@)hokRU;V1PKx(NRS{wf&>ZwXI#?s5@-D3_`5%wzqYmP9QlR$V(+JB"
    "_uCgnM)9T(zuM;A{=&=q`TmJ>yYXv__nq2s=nVg6)s5bRM-E;vdbbUnEL*;{?ySN)w#U1xe%Dy}<XPXh2i9Jh?E3wu_rI_Hz_Wd;"
    "lfS;8?wk7HsmV`vT8?emfAiPSE8`=tx=xQ*`u82!KVrH;|20NtqK8i`tDJal^Lu|@QhqkE<M2l--?+JG$FaTD$4{NyNS(iWls>K)"
    "4eh!1($XVqSJU#<r|o~>Yk!MQT;9>&aJ~6?`s(Pp(erPSM(5wBYrg#W%18&Zr+@sNixZ~J*LDrRIDS>C^z8Tt)|j7="
)
