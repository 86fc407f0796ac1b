"""What each kind of file comes to: one table, which docs/photographs.md repeats.

After a change of the table, `python -m tests.data.test_sources` rewrites it there.
"""

import io
import os
import shutil
import struct
import unicodedata
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms, ImageFile, ImageOps

from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.load import require_classes
from hairjax.data.prepare.read import prepare, read_photo
from hairjax.data.sources.formats import FORMATS
from hairjax.data.sources.photos import Search, find_photos
from hairjax.data.sources.problems import Problem
from hairjax.system.errors import UserError
from tests.data.reading import reading

pillow_heif.register_heif_opener()
WIDTH, HEIGHT = SIZE = (24, 16)
PAGE = Path(__file__).parents[2] / "docs/photographs.md"
HEADING = "## What each kind of file comes to\n"
_rng = np.random.default_rng(0)
# Soft colours, so that a JPEG of them is near them; every corner differs.
RGB = Image.fromarray(_rng.integers(0, 256, (4, 6, 3), np.uint8)).resize(SIZE)
OTHER = RGB.transpose(Image.Transpose.ROTATE_180)
GREY = RGB.convert("L")
RAMP = np.linspace(0, 255, WIDTH * HEIGHT).astype(np.uint8).reshape(HEIGHT, WIDTH)
ALPHA = Image.fromarray(RAMP)
RGBA = Image.merge("RGBA", [*RGB.split(), ALPHA])
WIDE = RAMP.astype(np.uint16) * 256 + 77
SHAPE = np.zeros((HEIGHT, WIDTH), np.uint8)
SHAPE[:10, 5:20] = 1
LABELS = 2 * SHAPE + RAMP // 200  # 0, 1, 2
MASK = Image.fromarray(SHAPE * 255)
FULL = Image.new("L", SIZE, 255)

Make = Callable[[Path], object]


@dataclass(frozen=True)
class Reads:
    """Every photograph is as Pillow itself reads it, but for `off` levels."""

    how: str = ""
    off: int = 0


@dataclass(frozen=True)
class Lays:
    """The photograph's mask is `mask`, but for `off` levels."""

    how: str = ""
    mask: np.ndarray = field(default_factory=lambda: SHAPE * 255)
    off: int = 0


@dataclass(frozen=True)
class Named:
    """The report of problems names the file with this kind, and `detail` in what follows."""

    kind: str
    detail: str = ""


@dataclass(frozen=True)
class Refused:
    """The command ends with a message of which this is a part."""

    sentence: str


@dataclass(frozen=True)
class PassedOver:
    """The file is neither read nor named."""


@dataclass(frozen=True)
class Case:
    """One row: what it is, how it is made in a folder, and what it comes to."""

    what: str
    make: Make
    outcome: Reads | Lays | Named | Refused | PassedOver


# How files are made ------------------------------------------------------------------------------


def encoded(image: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    # Copies: a picture remembers how it was saved.
    others = [other.copy() for other in options.pop("append_images", ())]
    image.copy().save(buffer, format, append_images=others, **options)
    return buffer.getvalue()


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def raw(name: str, data: bytes) -> Make:
    """A file of level_0 (or, with a folder in its name, of anywhere) with these contents."""
    return lambda folder: put(folder / (name if "/" in name else f"photos/level_0/{name}"), data)


def photo(name: str, image: Image.Image | np.ndarray = RGB, **options) -> Make:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    format = options.pop("format", None) or Image.registered_extensions()[Path(name).suffix.lower()]
    return lambda folder: raw(name, encoded(image, format, **options))(folder)


def mask(name: str, image: Image.Image | np.ndarray = MASK, **options) -> Make:
    """A photograph with its mask, and masks for the photographs that are always there."""
    return both(masks_of_the_rest, photo("a.png"), photo(f"masks/level_0/{name}", image, **options))


def coded(name: str, image: Image.Image | np.ndarray, **options) -> Make:
    """A photograph with its mask, and masks of the same coding for those that are always there."""
    suffix = Path(name).suffix
    rest = (photo(f"masks/level_{n}/plain{suffix}", image, **options) for n in range(2))
    return both(*rest, photo("a.png"), photo(f"masks/level_0/{name}", image, **options))


def masks_of_the_rest(folder: Path) -> None:
    both(*(photo(f"masks/level_{label}/plain.png", MASK) for label in range(2)))(folder)


def both(*makes: Make) -> Make:
    return lambda folder: [make(folder) for make in makes]


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def turned(suffix: str, **options) -> Make:
    return both(*(photo(f"{n}.{suffix}", exif=exif(n), **options) for n in range(1, 9)))


def cut(name: str, **options) -> Make:
    """A photograph of noise, which compresses badly, without its last third."""

    def make(folder: Path) -> None:
        noise = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        path = photo(name, noise, **options)(folder)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])

    return make


def png(pixels: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of uint16 [height, width, channels], which Pillow reads but does not write."""
    height, width, channels = pixels.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


def tiff16(pixels: np.ndarray) -> bytes:
    """An uncompressed TIFF of uint16 [height, width, 3], which Pillow reads but does not write."""
    height, width, _ = pixels.shape
    data = pixels.astype("<u2").tobytes()
    end = 8 + len(data)
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, end), (259, 3, 1, 1)]
    tags += [(262, 3, 1, 2), (273, 4, 1, 8), (277, 3, 1, 3), (278, 4, 1, height)]
    tags += [(279, 4, 1, len(data))]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", end + 6) + data + struct.pack("<3H", 16, 16, 16) + directory


def bomb(format: str) -> bytes:
    """A small file whose header promises 30,000 × 30,000 pixels."""
    data = bytearray(encoded(GREY, format))
    if format == "PNG":
        data[16:24] = struct.pack(">II", 30_000, 30_000)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif format == "JPEG":
        start = data.index(b"\xff\xc0") + 5
        data[start : start + 4] = struct.pack(">HH", 30_000, 30_000)
    elif format == "GIF":
        data[6:10] = struct.pack("<HH", 30_000, 30_000)
    elif format == "BMP":
        data[18:26] = struct.pack("<II", 30_000, 30_000)
    elif format == "TIFF":
        for tag in (256, 257):
            start = data.index(struct.pack("<HHI", tag, 4, 1)) + 8
            data[start : start + 4] = struct.pack("<I", 30_000)
    elif format == "PPM":
        data = bytearray(b"P5 30000 30000 255 ")
    elif format == "WEBP":
        data = bytearray(encoded(RGB, "WEBP", save_all=True, append_images=[OTHER]))
        data[24:30] = 2 * struct.pack("<I", 29_999)[:3]
    elif format == "HEIF":  # of sides that its encoder does not round up
        data = bytearray(encoded(GREY.resize((64, 64)), "HEIF"))
        start = data.index(b"ispe") + 8
        data[start : start + 8] = struct.pack(">II", 30_000, 30_000)
    elif format == "AVIF":  # libavif itself refuses more than 268 megapixels
        start = data.index(b"ispe") + 8
        data[start : start + 8] = struct.pack(">II", 14_000, 14_000)
    return bytes(data)


def heic_of_10_bits() -> bytes:
    """Colours, which Pillow does not hold in more than 8 bits."""
    wide = np.dstack([WIDE, WIDE // 2, WIDE // 3])
    buffer = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", SIZE, wide.tobytes()).save(buffer)
    return buffer.getvalue()


def pgm(values: np.ndarray, largest: int) -> bytes:
    """Greys as netpbm writes them, with the largest value that there can be."""
    head = f"P5\n# greys\n{values.shape[1]} {values.shape[0]}\n{largest}\n".encode()
    return head + values.astype(np.uint8).tobytes()


def in_palette(colours: Sequence[tuple[int, int, int]], index: np.ndarray = SHAPE) -> Image.Image:
    image = Image.fromarray(index)
    image.putpalette([value for colour in colours for value in colour])
    return image


def cmyk(adobe: int | None) -> bytes:
    """A JPEG of four colours with Adobe's mark (0: CMYK, 2: YCCK), inverted then, or without it."""
    data = bytearray(encoded(RGB.convert("CMYK"), "JPEG", quality=95))
    start = data.index(b"\xff\xee")
    if adobe is None:
        del data[start : start + 16]
    else:
        data[start + 15] = adobe
    return bytes(data)


def link(name: str, target: str, is_folder: bool = False) -> Make:
    def make(folder: Path) -> None:
        path = folder / "photos" / name
        path.symlink_to(target, target_is_directory=is_folder)

    return make


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "photos/level_0/a.jpg")


def closed(name: str, *makes: Make) -> Make:
    """Nobody may read `name`, which the makes have made."""

    def make(folder: Path) -> None:
        both(*makes)(folder)
        (folder / name).chmod(0)
        if os.access(folder / name, os.R_OK):
            pytest.skip("root may read everything")

    return make


def name_in_bytes(name: bytes) -> Make:
    def make(folder: Path) -> None:
        try:
            put(folder / os.fsdecode(b"photos/" + name), encoded(RGB, "PNG"))
        except OSError:
            pytest.skip("this file system holds only names in UTF-8")

    return make


def manifest(
    *rows: str, header: str = "file,label,subject,mask", encoding: str = "utf-8", end: str = "\n"
) -> Make:
    """A manifest of these rows after those of the two photographs that are always there."""
    lines = [header, "level_0/plain.png,mild,,", "level_1/plain.png,bald,,", *rows]
    return text("".join(line + end for line in lines), encoding)


def text(content: str, encoding: str = "utf-8") -> Make:
    return raw("./manifest.csv", content.encode(encoding))


def removed(*folders: str) -> Make:
    """These class folders, which are always there, are removed."""
    return lambda folder: [shutil.rmtree(folder / "photos" / name) for name in folders]


RED = np.array([255, 0, 0], np.uint8)
PAINTED = in_palette([(0, 0, 0), (128, 0, 0), (0, 128, 0)], SHAPE + SHAPE[::-1])
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
NFC, NFD = (unicodedata.normalize(form, "Zoé 머리.png") for form in ("NFC", "NFD"))
UNREAD = "{} is not read: save it as JPEG or PNG".format
UNREADABLE, NO_MASK = "cannot be read", "no mask"
FIRST = "its first picture"
WIDE_GREY, WIDE_COLOUR = "its 16-bit greys as 8", "its 16-bit colours as 8"
WHITE = "laid on white"

TABLE: Mapping[str, Sequence[Case]] = {
    "Photographs": [
        Case("JPEG", photo("a.jpg", quality=90), Reads()),
        Case("JPEG, progressive", photo("a.jpeg", progressive=True), Reads()),
        Case("JPEG, grey", photo("a.jpe", GREY), Reads()),
        Case("JPEG, CMYK", raw("a.jpg", cmyk(None)), Reads()),
        Case("JPEG, CMYK inverted as Adobe does", raw("a.jpg", cmyk(0)), Reads()),
        Case("JPEG, YCCK inverted as Adobe does", raw("a.jpg", cmyk(2)), Reads()),
        Case("JPEG with a colour profile", photo("a.jpg", icc_profile=SRGB),
             Reads("without regard to the profile")),
        Case("JPEG with more pictures (MPO)",
             raw("a.jpg", encoded(RGB, "MPO", save_all=True, append_images=[OTHER])), Reads(FIRST)),
        Case("JPEG more than twice too large", photo("a.jpg", RGB.resize((1200, 800))),
             Reads("decoded at 1/2, 1/4 or 1/8, which differs by less than JPEG does", 3)),
        Case("PNG", photo("a.png"), Reads()),
        Case("PNG, 1 bit", photo("a.png", MASK.convert("1")), Reads()),
        Case("PNG, palette", photo("a.png", RGB.quantize(16)), Reads()),
        Case("PNG, palette with a transparent colour",
             photo("a.png", RGB.quantize(16), transparency=3), Reads(WHITE)),
        Case("PNG, palette with half-transparent colours",
             photo("a.png", RGB.quantize(16), transparency=bytes(range(0, 256, 16))), Reads(WHITE)),
        Case("PNG, colours with transparency (RGBA)", photo("a.png", RGBA), Reads(WHITE)),
        Case("PNG, grey with transparency (LA)", photo("a.png", RGBA.convert("LA")), Reads(WHITE)),
        Case("PNG, 16-bit grey", photo("a.png", WIDE), Reads(WIDE_GREY)),
        Case("PNG, 16-bit grey with transparency",
             raw("a.png", png(np.dstack([WIDE, WIDE.T.reshape(WIDE.shape)]))),
             Reads(f"{WIDE_GREY}, {WHITE}")),
        Case("PNG, 16-bit colours", raw("a.png", png(np.dstack([WIDE, WIDE // 2, WIDE // 3]))),
             Reads(WIDE_COLOUR)),
        Case("PNG, 16-bit grey with a transparent grey", photo("a.png", WIDE, transparency=300),
             Named(UNREADABLE, "16-bit greys is transparent")),
        Case("PNG, 16-bit colours with a transparent colour",
             raw("a.png", png(np.dstack([WIDE] * 3), (b"tRNS", struct.pack(">3H", 0, 300, 0)))),
             Named(UNREADABLE, "16-bit colours is transparent")),
        Case("PNG, animated", photo("a.apng", save_all=True, append_images=[OTHER]), Reads(FIRST)),
        Case("WebP, lossy", photo("a.webp"), Reads()),
        Case("WebP, lossless", photo("a.webp", lossless=True), Reads()),
        Case("WebP with transparency", photo("a.webp", RGBA, lossless=True), Reads(WHITE)),
        Case("WebP, animated", photo("a.webp", save_all=True, append_images=[OTHER]), Reads(FIRST)),
        Case("BMP", photo("a.bmp"), Reads()),
        Case("BMP, palette", photo("a.bmp", RGB.quantize(16)), Reads()),
        Case("TIFF", photo("a.tif"), Reads()),
        Case("TIFF, LZW", photo("a.tiff", compression="tiff_lzw"), Reads()),
        Case("TIFF, deflate", photo("a.tif", compression="tiff_adobe_deflate"), Reads()),
        Case("TIFF, JPEG inside", photo("a.tif", compression="jpeg"), Reads()),
        Case("TIFF, fax", photo("a.tif", MASK.convert("1"), compression="group4"), Reads()),
        Case("TIFF, CMYK", photo("a.tif", RGB.convert("CMYK")), Reads()),
        Case("TIFF with transparency", photo("a.tif", RGBA), Reads(WHITE)),
        Case("TIFF, 16-bit grey", photo("a.tif", WIDE), Reads(WIDE_GREY)),
        Case("TIFF, 16-bit colours", raw("a.tif", tiff16(np.dstack([WIDE, WIDE // 2, WIDE // 3]))),
             Reads(WIDE_COLOUR)),
        Case("TIFF, several pages", photo("a.tif", save_all=True, append_images=[OTHER]),
             Reads(FIRST)),
        Case("TIFF of fractions (32-bit float)", photo("a.tif", RAMP.astype(np.float32) / 255),
             Named(UNREADABLE, "its values have 32 bits")),
        Case("TIFF of 32-bit integers", photo("a.tif", RAMP.astype(np.int32)),
             Named(UNREADABLE, "its values have 32 bits")),
        Case("GIF", photo("a.gif"), Reads()),
        Case("GIF with a transparent colour", photo("a.gif", RGB.quantize(16), transparency=3),
             Reads(WHITE)),
        Case("GIF, animated", photo("a.gif", save_all=True, append_images=[OTHER]), Reads(FIRST)),
        Case("PPM, PGM, PBM", both(photo("a.ppm"), photo("b.pgm", GREY),
                                   photo("c.pbm", MASK.convert("1"))), Reads()),
        Case("JPEG that its EXIF turns (1 – 8)", turned("jpg"), Reads("turned")),
        Case("PNG that its EXIF turns", turned("png"), Reads("turned")),
        Case("WebP that its EXIF turns", turned("webp"), Reads("turned")),
        Case("TIFF that its orientation turns", turned("tif"), Reads("turned")),
        Case("HEIC, HEIF (.heic, .heif, .hif), with pillow-heif",
             both(photo("a.heic"), photo("b.HEIF"), photo("c.hif")), Reads()),
        Case("HEIC, grey", photo("a.heic", GREY), Reads()),
        Case("HEIC, 10 bits", both(photo("a.heic", WIDE), raw("b.heic", heic_of_10_bits())),
             Reads("its 10 bits as 8")),
        Case("HEIC with transparency", photo("a.heic", RGBA), Reads(WHITE)),
        Case("HEIC with a colour profile", photo("a.heic", icc_profile=SRGB),
             Reads("without regard to the profile")),
        Case("HEIC with more pictures",
             photo("a.heic", save_all=True, append_images=[OTHER], primary_index=1),
             Reads("its primary one")),
        Case("HEIC with a thumbnail", photo("a.heic", RGB.resize((240, 160)), thumbnails=[80]),
             Reads()),
        Case("HEIC that is turned (1 – 8)", turned("heic"), Reads("turned, once")),
        Case("AVIF", photo("a.avif"), Reads()),
        Case("AVIF, grey", photo("a.avif", GREY), Reads()),
        Case("AVIF with transparency", photo("a.avif", RGBA), Reads(WHITE)),
        Case("AVIF with a colour profile", photo("a.avif", icc_profile=SRGB),
             Reads("without regard to the profile")),
        Case("AVIF, animated", photo("a.avif", save_all=True, append_images=[OTHER]), Reads(FIRST)),
        Case("AVIF that is turned (1 – 8)", turned("avif"), Reads("turned")),
        Case("JPEG XL", raw("a.jxl", b"x"), Named(UNREAD(".jxl"))),
        Case("JPEG 2000", raw("a.jp2", b"x"), Named(UNREAD(".jp2"))),
        Case("Raw files of cameras (.dng, .cr2, .nef, …)", raw("a.dng", b"x"),
             Named(UNREAD(".dng"))),
        Case("PSD", raw("a.psd", b"x"), Named(UNREAD(".psd"))),
        Case("SVG", raw("a.svg", b"x"), Named(UNREAD(".svg"))),
        Case("DICOM (.dcm)", raw("a.dcm", b"x"), Named(UNREAD(".dcm"))),
    ],
    "Damaged, or another thing than its name says": [
        Case("A PNG, WebP or TIFF named .jpg",
             both(*(photo(f"{kind}.jpg", format=kind) for kind in ("PNG", "WEBP", "TIFF"))),
             Reads("by its content")),
        Case("An AVIF or HEIC named .jpg, or a JPEG named .heic",
             both(*(photo(f"{kind}.jpg", format=kind) for kind in ("AVIF", "HEIF")),
                  photo("a.heic", format="JPEG")),
             Reads("by its content")),
        Case("A film of a phone (MP4, MOV) named .heic",
             both(*(raw(f"{brand}.heic", f"\0\0\0\x18ftyp{brand}".encode() + bytes(90))
                    for brand in ("mp42", "qt  "))),
             Named(UNREADABLE, "none of JPEG, PNG, WEBP, BMP, TIFF, GIF, AVIF, HEIF")),
        Case("A text or web page named .jpg", raw("a.jpg", b"<html>not found</html>"),
             Named(UNREADABLE, "its content is none of")),
        Case("A suffix in capitals", both(photo("a.JPG"), photo("b.Tiff")), Reads()),
        Case("An empty file", raw("a.jpg", b""), Named(UNREADABLE, "a.jpg is empty")),
        Case("JPEG, cut short", cut("a.jpg", quality=100), Named(UNREADABLE, "truncated")),
        Case("PNG, cut short", cut("a.png"), Named(UNREADABLE)),
        Case("WebP, cut short", cut("a.webp", lossless=True), Named(UNREADABLE)),
        Case("BMP, cut short", cut("a.bmp"), Named(UNREADABLE, "truncated")),
        Case("TIFF, cut short", cut("a.tif"), Named(UNREADABLE)),
        Case("GIF, cut short", cut("a.gif"), Named(UNREADABLE, "truncated")),
        Case("HEIC, cut short", cut("a.heic"), Named(UNREADABLE)),
        Case("AVIF, cut short", cut("a.avif"), Named(UNREADABLE)),
        Case("A header that promises 900 megapixels (more than 178 are refused unread)",
             both(*(raw(f"{kind}.png", bomb(kind)) for kind in FORMATS if kind != "AVIF")),
             Named("too many pixels", "900000000 pixels")),
        Case("AVIF of 196 megapixels", raw("a.avif", bomb("AVIF")),
             Named("too many pixels", "196000000 pixels")),
        Case("EXIF that is not EXIF", photo("a.png", exif=b"Exif\0\0nonsense"),
             Named("EXIF orientation cannot be read")),
        Case("EXIF that ends too early", photo("a.jpg", exif=exif(6).tobytes()[:-6]),
             Reads("as far as its EXIF goes")),
        Case("A file that may not be read", closed("photos/level_0/a.jpg", photo("a.jpg")),
             Named(UNREADABLE, "Permission denied")),
        Case("A pipe", pipe, Named(UNREADABLE, "not a file")),
    ],
    "Names and links": [
        Case("Any letters, composed (NFC) or not (NFD)",
             both(photo(NFC), photo(NFD, OTHER)), Reads()),
        Case("Spaces, # and %", both(photo("crown 1 #2.png"), photo("100%20.png")), Reads()),
        Case("Commas and quotation marks",
             both(photo("a,b;c.png"), photo("\"a\" 'b'.png")), Reads()),
        Case("A line break", both(photo("a\nb.png"), photo("a\rb.png")), Reads()),
        Case("255 bytes", photo("x" * 251 + ".png"), Reads()),
        Case("A name that is not UTF-8", name_in_bytes(b"level_0/\xff.png"),
             Named("the name is not UTF-8")),
        Case("A class folder whose name is not UTF-8", name_in_bytes(b"\xff/a.png"),
             Refused("is not UTF-8, in which every output is written: rename it")),
        Case("Hidden files, ._a.jpg and .DS_Store",
             both(photo(".a.jpg"), raw("._b.jpg", b"x"), raw(".DS_Store", b"x")), PassedOver()),
        Case("Thumbs.db, text, tables, a name without suffix",
             both(*(raw(name, b"x") for name in ["Thumbs.db", "a.txt", "a.csv", "README"])),
             PassedOver()),
        Case("The folders __MACOSX and @eaDir",
             both(raw("photos/__MACOSX/level_0/a.jpg", b"x"), photo("photos/level_0/@eaDir/b.jpg")),
             PassedOver()),
        Case("A link to a photograph", both(photo("elsewhere/a.png"),
             link("level_0/a.png", "../../elsewhere/a.png")), Reads()),
        Case("A link to a folder", both(photo("elsewhere/a.png"),
             link("level_0/more", "../../elsewhere", True)), Reads()),
        Case("A link to a folder that it is in, or to another class",
             both(link("level_0/up", "..", True), link("level_0/other", "../level_1", True)),
             PassedOver()),
        Case("A link to nothing", both(link("level_0/a.png", "gone.png"), link("level_2", "gone")),
             Named("the link cannot be followed", "No such file or directory")),
        Case("Links to each other",
             both(link("level_0/a.png", "b.png"), link("level_0/b.png", "a.png")),
             Named("the link cannot be followed", "Too many levels of symbolic links")),
    ],
    "Folders": [
        Case("2 classes of one photograph each", both(),
             Reads("but a split needs two people of each")),
        Case("20 classes",
             both(*(photo(f"photos/level_{n}/a.png") for n in range(2, 20))), Reads()),
        Case("Folders inside a class folder", photo("photos/level_0/anna/2024/a.png"), Reads()),
        Case("A folder named a.jpg", photo("photos/level_0/a.jpg/b.png"), Reads("what is in it")),
        Case("A photograph in no class folder", photo("photos/a.png"), Named("in no class folder")),
        Case("A folder that may not be read",
             closed("photos/level_0/in", photo("photos/level_0/in/a.png")),
             Named("folder cannot be read", "Permission denied")),
        Case("A folder of photographs that may not be read", closed("photos"),
             Refused("cannot be read: Permission denied")),
        Case("A class folder without photographs", raw("photos/level_2/notes.txt", b"x"),
             Refused("level_2' holds no photograph")),
        Case("A class of which no photograph can be used",
             both(removed("level_1"), raw("photos/level_1/a.jpg", b"")),
             Refused("no photograph of level_1 can be used")),
        Case("A class folder named unknown", photo("photos/unknown/a.png"),
             Named("no label", "'unknown' means that there is none")),
        Case("One class", removed("level_1"),
             Refused("holds 1 class level_0: at least two are needed")),
        Case("The classes inside train, val and test",
             both(removed("level_0", "level_1"), *(photo(f"photos/{part}/level_{n}/a.png")
                  for part in ("test", "train", "val") for n in range(3))),
             Refused("(test, train, val) holds folders of the same names (level_0, level_1,")),
    ],
    "Masks": [
        Case("0 and 255", mask("a.png"), Lays()),
        Case("0 and 1", coded("a.png", SHAPE), Lays("1 as 255")),
        Case("0 and 1 among 0 and 255", mask("a.png", SHAPE),
             Named("the mask is of another coding", "the others are 0/255")),
        Case("1 bit", mask("a.png", MASK.convert("1")), Lays()),
        Case("16 bits, 0 and 65535", coded("a.png", SHAPE.astype(np.uint16) * 65535), Lays()),
        Case("16 bits, 0 and 255", mask("a.png", SHAPE.astype(np.uint16) * 255), Lays()),
        Case("Fractions, 0 … 1 (float TIFF)", coded("a.tif", SHAPE.astype(np.float32)), Lays()),
        Case("Soft values", mask("a.png", RAMP), Lays("as they are", RAMP)),
        Case("One colour on black", coded("a.png", SHAPE[..., None] * RED), Lays("the colour")),
        Case("One colour among greys", mask("a.png", SHAPE[..., None] * RED),
             Named("the mask is of another coding", "#ff0000")),
        Case("Alpha that varies", coded("a.png", Image.merge("LA", [GREY, MASK])),
             Lays("alpha is the mask")),
        Case("Alpha that does not vary", mask("a.png", Image.merge("LA", [MASK, FULL])),
             Lays("without the alpha")),
        Case("Palette, black and white",
             mask("a.png", in_palette([(0, 0, 0), (255, 255, 255)])), Lays()),
        Case("Palette, black and one colour", coded("a.png", in_palette([(0, 0, 0), (128, 0, 0)])),
             Lays("the colour as 255")),
        Case("Palette, three things painted", coded("a.png", PAINTED),
             Refused("the masks hold several things, and which is hair cannot be known: #")),
        Case("Label map of 0, 1 and 2", coded("a.png", SHAPE + SHAPE[::-1]),
             Refused("perhaps 2, as maps of background, skin and hair do: give "
                     "config.data.mask_value=NUMBER")),
        Case("Colours of two things", coded("a.png", np.asarray(PAINTED.convert("RGB"))),
             Refused("the masks hold several things")),
        Case("JPEG", mask("a.jpg", MASK, quality=95), Lays("soft as JPEG makes it", off=40)),
        Case("WebP, BMP, TIFF, GIF",
             both(mask("a.webp", lossless=True),
                  *(both(photo(f"{kind}.png"), photo(f"masks/level_0/{kind}.{kind}", MASK))
                    for kind in ("bmp", "tif", "gif"))), Lays()),
        Case("Of another size and the same aspect", mask("a.png", MASK.resize((48, 32), 0)),
             Lays("resized by area")),
        Case("Of another aspect", mask("a.png", MASK.resize((32, 32))),
             Named("the mask has another aspect ratio than the photograph",
                   "is 32 × 32, the photograph 24 × 16")),
        Case("Turned by its own EXIF",
             mask("a.png", MASK.transpose(Image.Transpose.ROTATE_180), exif=exif(3)),
             Lays("turned")),
        Case("Not turned, where EXIF turns the photograph",
             both(mask("a.png"), photo("a.png", exif=exif(6))),
             Named("the mask has the shape of the photograph before EXIF rotation: rotate the mask "
                   "too")),
        Case("PBM, also under the name .png",
             both(mask("a.pbm", MASK.convert("1")), photo("b.png"),
                  raw("masks/level_0/b.png", encoded(MASK.convert("1"), "PPM"))), Lays()),
        Case("PGM that states its largest value (0 … 1)",
             both(*(raw(f"masks/level_{n}/plain.pgm", pgm(SHAPE, 1)) for n in range(2)),
                  photo("a.png"), raw("masks/level_0/a.pgm", pgm(SHAPE, 2))), Lays()),
        Case("Label map of a PGM",
             both(*(raw(f"masks/level_{n}/plain.pgm", pgm(LABELS, 2)) for n in range(2)),
                  photo("a.png"), raw("masks/level_0/a.pgm", pgm(LABELS, 18))),
             Refused("perhaps 2, as maps of background, skin and hair do")),
        Case("With an affix: a_mask, mask_a, …",
             both(photo("a.png"), photo("masks/level_0/a_hair.png", MASK),
                  *(photo(f"masks/level_{n}/plain_hair.png", MASK) for n in range(2))),
             Lays("told for the whole set")),
        Case("With two affixes",
             both(photo("a.png"), *(photo(f"masks/level_{n}/plain_{kind}.png", MASK)
                                    for n in range(2) for kind in ("hair", "skin"))),
             Refused("and whose are of hair cannot be known")),
        Case("All zero", mask("a.png", SHAPE * 0), Lays("no hair", SHAPE * 0)),
        Case("All 255", mask("a.png", FULL), Lays("hair everywhere", np.asarray(FULL))),
        Case("Composed (NFC) where the photograph's name is not (NFD)",
             both(masks_of_the_rest, photo(NFD), photo(f"masks/level_0/{NFC}", MASK)), Lays()),
        Case("None", both(masks_of_the_rest, photo("a.png")), Named(NO_MASK, "a.*")),
        Case("None for any photograph", raw("masks/a.png", b"x"),
             Refused("no photograph has a mask below")),
        Case("Two of one name", both(mask("a.png"), photo("masks/level_0/a.bmp")),
             Named("several masks", "a.bmp, a.png")),
        Case("One for two photographs of one name", both(mask("a.png"), photo("a.jpg")),
             Named("one mask for several photographs", "a.png: level_0/a.jpg, level_0/a.png")),
        Case("The photograph itself",
             both(masks_of_the_rest, photo("a.png"), photo("masks/level_0/a.png")),
             Named("the mask is the photograph itself")),
        Case("Folders swapped: a photograph as the mask of a mask",
             both(masks_of_the_rest, photo("a.png", MASK.convert("1")),
                  photo("masks/level_0/a.png")),
             Named("the photograph is black and white, its mask in many colours: are they "
                   "swapped?")),
        Case("Damaged", both(masks_of_the_rest, photo("a.png"), raw("masks/level_0/a.png", b"x")),
             Named("mask cannot be read", "is damaged or its content is none of")),
        Case("A header that promises 900 megapixels",
             both(masks_of_the_rest, photo("a.png"), raw("masks/level_0/a.png", bomb("PNG"))),
             Named("too many pixels")),
        Case("In a folder that may not be read",
             closed("masks/level_0/in", masks_of_the_rest, photo("photos/level_0/in/a.png"),
                    photo("masks/level_0/in/a.png")),
             Named("masks cannot be read", "Permission denied")),
    ],
    "Manifests": [
        Case("CSV in UTF-8", both(photo(NFC), manifest(f"level_0/{NFC},bald,anna,")), Reads()),
        Case("With a byte-order mark", manifest(encoding="utf-8-sig"), Reads()),
        Case("With Windows' line ends", manifest(end="\r\n"), Reads()),
        Case("With old Macs' line ends", manifest(end="\r"), Reads()),
        Case("With blank lines", manifest("", ",,,", " , ,,"), Reads("without them")),
        Case("With more columns", manifest(header="file,label,age,notes"),
             Reads("and each gives a table of metrics")),
        Case("A comma in a name, in quotation marks",
             both(photo("a,b.png"), manifest('"level_0/a,b.png",bald,,')), Reads()),
        Case("A comma in a name, without them",
             both(photo("a,b.png"), manifest("level_0/a,b.png,bald,,")),
             Named("more cells than columns: put quotes around what has a comma in it")),
        Case("Names composed (NFC) where the files' are not (NFD)",
             both(photo(NFD), manifest(f"level_0/{NFC},bald,,")), Reads()),
        Case("A mask named in it",
             both(photo("masks/x/a.png", MASK),
                  text("file,label,mask\nlevel_0/plain.png,0,x/a.png\n"
                       "level_1/plain.png,1,./x/a.png\n")), Lays()),
        Case("A mask that is not there",
             both(masks_of_the_rest, photo("a.png"), manifest("level_0/a.png,bald,,gone.png")),
             Named(NO_MASK, "No such file or directory")),
        Case("A mask outside the masks' folder", both(masks_of_the_rest, photo("a.png"),
             manifest("level_0/a.png,bald,,../photos/level_0/a.png")),
             Named("the mask is not a path below config.data.masks")),
        Case("A photograph that is not there", manifest("level_0/gone.png,bald,,"),
             Named("no such file", "line 4: No such file or directory")),
        Case("A name longer than can be", manifest(f"level_0/{'x' * 300}.png,bald,,"),
             Named("no such file", "line 4: File name too long")),
        Case("Windows' separator", both(photo("a.png"), manifest("level_0\\a.png,bald,,")),
             Named("no such file", "(write / and not \\)")),
        Case("An absolute path, or one that leads outside with ..",
             manifest("/photos/a.png,bald,,", "../photos/level_0/plain.png,bald,,",
                      r"C:\photos\a.png,bald,,"),
             Named("not a path below config.data.photos")),
        Case("The same photograph twice", both(photo(NFD), manifest(
             f"level_0/{NFC},bald,,", f"./level_0/{NFD},mild,,")),
             Named("listed more than once in the manifest")),
        Case("No label", manifest("level_0/a.png,,,"), Named("no label")),
        Case("A label that means that there is none: nan, N/A, ?, unknown, -",
             both(*(photo(f"{i}.png") for i in range(5)),
                  manifest(*(f"level_0/{i}.png,{label},," for i, label in
                             enumerate(("nan", "N/A", "?", "unknown", "-"))))),
             Named("no label", "means that there is none; to make it a class name it in")),
        Case("None beside words of severity", text(
             "file,label\nlevel_0/plain.png,none\nlevel_1/plain.png,severe\n"), Reads("a class")),
        Case("Mean opinions",
             text("file,label\nlevel_0/plain.png,0.33\nlevel_1/plain.png,1.67\n"),
             Refused("look like mean opinions or measurements, and a class is one stage")),
        Case("No file", manifest(",bald,,"), Named("no file")),
        Case("Another file than a photograph",
             both(raw("a.txt", b"x"), manifest("level_0/a.txt,bald,,")),
             Named("not named like a photograph")),
        Case("Without the column file or label", manifest(header="where,label,subject,mask"),
             Refused("say which is which with --config.data.columns=file=where (of check, evaluate "
                     "and explain --columns=…)")),
        Case("Columns by other usual names, in capitals",
             text("Image Path,CLASS\nlevel_0/plain.png,0\nlevel_1/plain.png,1\n"),
             Reads("and said")),
        Case("A column for each class, one 1 in each row",
             text("image,mild,bald\nlevel_0/plain.png,1,0\nlevel_1/plain.png,0,1\n"),
             Reads("and said")),
        Case("A column for each class, and a row without a 1",
             text("image,mild,bald\nlevel_0/plain.png,1,0\nlevel_1/plain.png,0,0\n"),
             Refused("1 row has no 1 (line 3)")),
        Case("Names without suffix",
             text("file,label\nlevel_0/plain,0\nlevel_1/plain,1\n"), Reads("and said")),
        Case("Windows' separator in every path",
             text("file,label\nlevel_0\\plain.png,0\nlevel_1\\plain.png,1\n"), Reads("and said")),
        Case("Paths from another start",
             text("file,label\n/old/level_0/plain.png,0\n/old/level_1/plain.png,1\n"),
             Refused("2 of 2 are there without /old/ at their start: if these are the photographs, "
                     "give --config.data.prefix=/old/")),
        Case("A workbook, whatever its name", raw("./manifest.csv", b"\xd0\xcf\x11\xe0" + bytes(9)),
             Refused("is an old Excel workbook (.xls), or one with a password, and must be CSV")),
        Case("A column twice", manifest(header="file,label,label,mask"),
             Refused("has more than one column label: leave one of them")),
        Case("Separated by semicolons", text("file;label\nlevel_0/plain.png;0\n"),
             Refused("separated by ';', and commas are needed")),
        Case("Separated by tabs", text("file\tlabel\nlevel_0/plain.png\t0\n"),
             Refused("separated by '\\t', and commas are needed")),
        Case("In UTF-16", manifest(encoding="utf-16"),
             Refused("is in UTF-16, as a spreadsheet's “Unicode text” is, and must be in UTF-8")),
        Case("In UTF-16 without a byte-order mark", manifest(encoding="utf-16-le"),
             Refused("is in UTF-16")),
        Case("In another encoding than UTF-8", manifest("level_0/머리.png,0,,", encoding="cp949"),
             Refused("cannot be read as CSV in UTF-8")),
        Case("A quotation mark that is never closed", manifest('"level_0/a.png,bald,,'),
             Refused("cannot be read as CSV in UTF-8 (unexpected end of data)")),
        Case("One label only", text("file,label\nlevel_0/plain.png,0\nlevel_1/plain.png,0\n"),
             Refused("holds 1 class 0: at least two are needed")),
        Case("Empty", text(""), Refused("and names nothing")),
    ],
}  # fmt: skip
CASES = [pytest.param(case, id=f"{part}: {case.what}") for part in TABLE for case in TABLE[part]]


# What is checked ---------------------------------------------------------------------------------


def load(folder: Path, workers: int = 1) -> tuple[PhotoSet, list[Problem]]:
    def where(name: str) -> str:
        return str(folder / name) if os.path.lexists(folder / name) else ""

    index = find_photos(
        Search(
            photos=where("photos"),
            masks=where("masks"),
            manifest=where("manifest.csv"),
            subject="",
            classes=None,
            need_masks=False,
        )
    )
    photoset, unread = prepare(
        index, reading(WIDTH, fit="pad", workers=workers), lambda done, total: None
    )
    problems = [*index.problems, *unread]
    require_classes(photoset, range(len(index.classes)), problems)
    return photoset, problems


def pillows_own(path: Path) -> Image.Image:
    """The picture as Pillow alone reads it: 16-bit grey by its high byte, on white paper."""
    with warnings.catch_warnings(action="ignore"):
        image = ImageOps.exif_transpose(Image.open(path))
    if image.mode == "I;16":
        image = Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    picture = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def in_square(image: Image.Image, around: int | tuple[int, int, int]) -> np.ndarray:
    """The picture, made smaller where it is larger, in the middle of a square of WIDTH."""
    if max(image.size) > WIDTH:
        image = image.resize(SIZE, Image.Resampling.BICUBIC)
    square = Image.new(image.mode, (WIDTH, WIDTH), around)
    square.paste(image, ((WIDTH - image.width) // 2, (WIDTH - image.height) // 2))
    return np.asarray(square)


def assert_near(found: np.ndarray, expected: np.ndarray, off: int) -> None:
    assert np.abs(found.astype(int) - expected).max() <= off


def photographs(folder: Path) -> set[str]:
    """Every file below `photos`, as the outputs name it."""
    root = folder / "photos"
    walked = os.walk(root, followlinks=True)
    paths = (Path(parent, name) for parent, _, names in walked for name in names)
    return {path.relative_to(root).as_posix() for path in paths}


PLAIN = ("level_0/plain.png", "level_1/plain.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in PLAIN:
        photo(f"photos/{name}")(tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_table(folder, case):
    case.make(folder)
    match case.outcome:
        case Refused(sentence):
            with pytest.raises(UserError) as caught:
                load(folder)
            assert sentence in str(caught.value)
            str(caught.value).encode("utf-8")
        case PassedOver():
            photoset, problems = load(folder)
            assert photoset.files == PLAIN and not problems
        case Named(kind, detail):
            photoset, problems = load(folder)
            assert photoset.files == PLAIN
            assert problems and {problem.kind for problem in problems} == {kind}
            assert all(detail in problem.detail for problem in problems)
            assert not any("plain" in problem.path for problem in problems)
        case Reads(_, off):
            photoset, problems = load(folder)
            assert {*photoset.files} == photographs(folder) and not problems
            for file, pixels in zip(photoset.files, photoset.images, strict=True):
                expected = in_square(pillows_own(folder / "photos" / file), (124, 116, 104))
                assert_near(pixels[..., :3], expected, off)
        case Lays(_, values, off):
            photoset, problems = load(folder)
            assert {*photoset.files} == photographs(folder) and not problems
            images = [
                image
                for file, image in zip(photoset.files, photoset.images, strict=True)
                if file not in PLAIN or (folder / "manifest.csv").exists()
            ]
            assert images
            for pixels in images:
                assert_near(pixels[..., 3], in_square(Image.fromarray(values), 0), off)


def test_large_jpeg_is_decoded_smaller(tmp_path, monkeypatch):
    path = photo("a.jpg", RGB.resize((1200, 800), Image.Resampling.BICUBIC))(tmp_path)
    decoded = []
    load = ImageFile.ImageFile.load

    def spy(image: ImageFile.ImageFile):
        decoded.append(image.size)
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", spy)
    pixels, _ = read_photo(path, None, 96, "squash")
    # 800 / 192 allows a quarter and no eighth; every size asked for is of the decoded picture.
    assert {*decoded} == {(300, 200)}
    expected = np.asarray(Image.open(path).resize((96, 96), Image.Resampling.BICUBIC))
    assert_near(pixels[..., :3], expected, 3)


def test_a_pgm_of_16_bits_is_read_as_a_png_of_them(tmp_path):
    head = f"P5 {WIDTH} {HEIGHT} 65535 ".encode()
    pgm = put(tmp_path / "a.pgm", head + WIDE.astype(">u2").tobytes())
    found = [read_photo(path, None, WIDTH, "pad") for path in (pgm, photo("b.png", WIDE)(tmp_path))]
    np.testing.assert_array_equal(found[0].pixels, found[1].pixels)
    assert np.ptp(found[0].pixels[4:20]) > 200


def test_result_does_not_depend_on_the_threads(folder):
    for number in range(8):
        for name in ("jpg", "png", "webp", "bmp", "tif", "gif"):
            photo(f"{number}.{name}", RGB.rotate(number * 40))(folder)
        raw(f"{number} damaged.tif", b"II*\0" + bytes(number))(folder)
    one, many = load(folder), load(folder, workers=8)
    np.testing.assert_array_equal(one[0].images, many[0].images)
    assert one[0].files == many[0].files and len(one[0]) == 50
    assert one[1] == many[1] and len(one[1]) == 8


# What the page repeats ---------------------------------------------------------------------------


def described(outcome: Reads | Lays | Named | Refused | PassedOver) -> str:
    match outcome:
        case Reads(how) | Lays(how):
            return f"read{how and ', '}{how}"
        case Named(kind, detail):
            return f"named: {kind}{detail and f' (“… {detail} …”)'}"
        case Refused(sentence):
            return f"refused: “… {sentence} …”"
    return "passed over"


def as_markdown() -> str:
    return "".join(
        f"\n| {part} | |\n|---|---|\n"
        + "".join(f"| {case.what} | {described(case.outcome)} |\n" for case in cases)
        for part, cases in TABLE.items()
    )


def test_the_page_holds_the_table():
    assert PAGE.read_text(encoding="utf-8").partition(HEADING)[2] == as_markdown()


if __name__ == "__main__":
    before, _, _ = PAGE.read_text(encoding="utf-8").partition(HEADING)
    PAGE.write_text(before + HEADING + as_markdown(), encoding="utf-8")
