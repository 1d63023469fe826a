"""Text recognition: the model of the package rapidocr (PP-OCR) reads lines that Pillow renders.

Words and numbers in the fonts that matplotlib carries, in two colours, slightly turned, blurred, with noise and with
the traces of JPEG. A point is a hundredth of the characters: 100 less the character error rate in per cent.
"""

from __future__ import annotations

import io
import pathlib

import matplotlib
import numpy as np
import onnx
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from quantization_tasks import Run, Task, fix_sizes, package_folder

HEIGHT, WIDTH = 48, 320
CALIBRATION, TEST = 32, 600
FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSerif", "DejaVuSerif-Italic", "DejaVuSansMono"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "cmr10", "cmss10", "cmtt10"),
)
WORDS = """
ability account address afternoon agency answer apple area article autumn balance basket battery beach bicycle border
bottle branch bread breakfast bridge brother budget building burner cabin camera candle captain castle century chapter
cheese chemist church circle citizen climate clock coffee column comment concert copper corner cotton council country
courage cousin crystal culture custom damage daughter decision delivery desert diamond dinner distance doctor dragon
economy eleven empire engine evening evidence exchange factory failure family farmer feather festival finger flight
flower forest fortune freedom garden gasoline gentle giraffe glass golden grammar guitar hammer harbour harvest heaven
helmet history holiday honey hospital hotel hunter iceberg income industry insect island jacket journey judge jungle
justice kettle kitchen knife ladder language lawyer leader leather lemon letter library limit liquid lizard machine
magnet manager marble market meadow measure medicine member message metal middle million minister minute mirror model
moment monkey morning mountain museum music needle neighbour nephew network number object ocean office onion opinion
orange orchard origin oven owner oxygen package paint palace paper parade parent partner pencil people pepper picture
pilot planet pocket poem police potato powder prison problem profit pupil puzzle quality quarter queen question quick
rabbit railway reason receipt record region reply report result reward ribbon river rocket routine saddle salary sample
school science season secret sentence service shadow shelter signal silver sister society soldier spider spring square
station statue storm street student sugar summer supper surface system table teacher temple theatre thunder ticket
tiger timber tomato tourist tower traffic travel treasure tunnel turtle umbrella uncle valley vehicle victory village
violin visitor volcano voyage waiter wallet water weapon weather wedding window winter wisdom witness wonder yellow
""".split()  # noqa: SIM905


def _line(random: np.random.Generator) -> str:
    """Words, prices, dates and codes, of about 8 to 22 characters."""

    def word() -> str:
        chosen = str(random.choice(WORDS))
        return (chosen, chosen.capitalize(), chosen.upper())[random.choice(3, p=(0.5, 0.35, 0.15))]

    def number() -> str:
        digits = "".join(map(str, random.integers(0, 10, random.integers(2, 6))))
        return (digits, f"{digits}.{random.integers(10, 100)}", f"{digits[:2]}/{digits[2:] or '7'}")[random.choice(3)]

    kinds = (lambda: f"{word()} {word()}", lambda: f"{word()} {number()}", lambda: f"{word()}, {word()}")
    return kinds[random.choice(3, p=(0.5, 0.3, 0.2))]()


def _render(text: str, random: np.random.Generator) -> np.ndarray:
    """The line as the model takes it: float32 (3, HEIGHT, WIDTH) of -1..1, zero to the right of it."""
    folder = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf")
    font = ImageFont.truetype(str(folder / f"{random.choice(FONTS)}.ttf"), 40)
    left, top, right, bottom = font.getbbox(text)
    size = (int(right - left) + 24, int(bottom - top) + 20)
    ground = random.integers(150, 256, 3)
    ink = np.clip(ground - random.integers(55, 180), 0, 255)
    if random.random() < 0.3:
        ground, ink = ink, ground
    image = Image.new("RGB", size, tuple(map(int, ground)))
    ImageDraw.Draw(image).text((12 - left, 10 - top), text, font=font, fill=tuple(map(int, ink)))
    turned = image.rotate(random.uniform(-1.5, 1.5), Image.Resampling.BICUBIC, fillcolor=tuple(map(int, ground)))
    # Scans and photographs have fewer pixels than the model takes.
    height = int(random.integers(15, 36))
    small = turned.resize((max(8, size[0] * height // size[1]), height), Image.Resampling.BILINEAR)
    small = small.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.0)))
    pixels = np.asarray(small, np.float32)
    pixels = np.clip(pixels + random.normal(0, random.uniform(2, 25), pixels.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=int(random.integers(30, 95)))
    scanned = Image.open(file)
    width = min(WIDTH, -(-scanned.width * HEIGHT // scanned.height))
    array = np.asarray(scanned.resize((width, HEIGHT), Image.Resampling.BILINEAR), np.float32)
    result = np.zeros((3, HEIGHT, WIDTH), np.float32)
    # OpenCV, with which the model was trained, has blue first.
    result[:, :, :width] = array[:, :, ::-1].transpose(2, 0, 1) / 127.5 - 1
    return result


def _lines(count: int, seed: int) -> tuple[list[str], np.ndarray]:
    random = np.random.default_rng(seed)
    texts = [_line(random) for _ in range(count)]
    return texts, np.stack([_render(text, random) for text in texts])


def edits(a: str, b: str) -> int:
    """The Levenshtein distance: the fewest insertions, deletions and replacements that make b of a."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def prepare() -> Task:
    """The task."""
    model = onnx.load(next((package_folder("rapidocr") / "models").glob("*_rec_*.onnx")))
    name = model.graph.input[0].name
    characters = next(item.value for item in model.metadata_props if item.key == "character").splitlines()
    # Class 0 says that there is no character here, the last is the space.
    alphabet = ["", *characters, " "]
    # Weights per channel are known since opset 13.
    model = fix_sizes(onnx.version_converter.convert_version(model, 13), {name: (1, 3, HEIGHT, WIDTH)})
    texts, images = _lines(TEST, 1)

    def read(scores: np.ndarray) -> str:
        """The best class of every place, without repetitions."""
        best = scores.argmax(1)
        kept = np.concatenate([[True], best[1:] != best[:-1]])
        return "".join(alphabet[number] for number in best[kept])

    def score(run: Run) -> float:
        errors = sum(
            edits(read(np.asarray(run({name: image[None]})[0])[0]), text)
            for text, image in zip(texts, images, strict=True)
        )
        return 100 - 100 * errors / sum(map(len, texts))

    return Task(model, {name: _lines(CALIBRATION, 2)[1]}, score, "characters read right")
