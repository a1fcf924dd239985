"""Targets: what users prepare, in every format, and files that stand beside data."""

import csv
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hostile.cases import Target
from image_files import encode, jpeg, picture, write
from small_table import write_table

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.audited import audited
from d2ace.pipeline.data.from_images.cleaning import BadImageError, Cleaning, clean, plain
from d2ace.pipeline.data.from_images.options import SourceOptions
from d2ace.pipeline.data.from_images.prepare import list_source, prepare_images
from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels, read_shard, read_splits
from d2ace.pipeline.data.summary import read_summary
from d2ace.pipeline.data.verification import verify
from d2ace.pipeline.feeds.all_rows import AllRows
from d2ace.pipeline.feeds.images.decode import ImageError, decode
from d2ace.pipeline.feeds.shard_rows import ShardRows

CSV = "id,a,b,red,blue,split\n" + "".join(
    f"{i},{i / 7:.3f},-{i}.5,{i % 2},{i % 3 // 2},{'train' if i % 4 else 'test'}\n" for i in range(30)
)
LISTED = "a;b;tags\n1,5;2;red|blue\n2,5;3;\n-1;4;blue\n"
ARFF = (
    "% a set\n@relation 'digits: -C 2'\n@attribute red {0,1}\n@attribute 'blue sky' {0,1}\n@attribute x numeric\n"
    "@attribute kind {a,'b c',d}\n@attribute y REAL\n@data\n0,1,0.5,a,1e-3\n1,0,-2,'b c',7\n1,1,3,d,0\n"
)
SPARSE = (
    "@relation sparse\n@attribute x numeric\n@attribute y numeric\n@attribute k {u,v}\n@attribute red {0,1}\n"
    "@attribute blue {0,1}\n@data\n{0 1.5,3 1}\n{1 -2,2 v,4 1}\n{}\n{0 3,4 1}\n"
)
XML = '<?xml version="1.0" encoding="utf-8"?>\n<labels>\n<label name="red"/>\n<label name="blue"></label>\n</labels>\n'
CVAT = (
    '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta><task><labels>'
    "<label><name>car</name></label><label><name>night &amp; rain</name></label></labels></task></meta>\n"
    '<image id="0" name="b.jpg" width="24" height="16"><tag label="car" source="manual"></tag>\n'
    '<box label="car" xtl="2"><attribute name="age">7</attribute></box></image>\n'
    '<image id="1" name="a.jpg"/></annotations>\n'
)


def _prepared(**options: object) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        (file,) = folder.glob("data.*[!l]")
        prepare(file, folder / "out", overwrite=True, **options)  # type: ignore[arg-type]

    return read


def _text(**files: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for name, text in files.items():
            write(folder, name.replace("__", "/").replace("_DOT_", "."), text)

    return make


def _npz(folder: Path) -> None:
    rng = np.random.default_rng(0)
    dense = {"X": rng.normal(size=(9, 3)), "Y": rng.integers(0, 2, (9, 2))}
    names = {"label_names": np.array(["red", "blue"]), "split": np.array(["train"] * 8 + ["test"])}
    np.savez(folder / "data.npz", **dense, **names)


def _csr(folder: Path) -> None:
    parts = {
        "data": np.array([1.0, 2, 3]),
        "indices": np.array([0, 2, 1]),
        "indptr": np.array([0, 2, 2, 3]),
        "shape": np.array([3, 3]),
    }
    labels = {
        "data": np.ones(2),
        "indices": np.array([0, 1]),
        "indptr": np.array([0, 1, 2, 2]),
        "shape": np.array([3, 2]),
    }
    both = {f"X_{k}": v for k, v in parts.items()} | {f"Y_{k}": v for k, v in labels.items()}
    np.savez_compressed(folder / "data.npz", **both)


def _parquet(folder: Path) -> None:
    columns = {
        "a": np.arange(9.0),
        "n": np.arange(9),
        "tags": [["red"], [], ["blue", "red"]] * 3,
        "split": ["train", "test", ""] * 3,
    }
    pq.write_table(pa.table(columns), folder / "data.parquet")


def _masked(folder: Path) -> None:
    write(folder, "data.csv", "a,red,blue\n1,0,1\n2,1,0\n3,1,1\n")
    np.savez(folder / "mask.npz", known=np.array([[1, 0], [1, 1], [0, 1]]))
    write(folder, "mask.csv", "red,blue\n1,0\n1,1\n0,1\n")


def _read_masked(folder: Path) -> None:
    for mask in ("mask.npz", "mask.csv"):
        prepare(folder / "data.csv", folder / "out", labels=["red", "blue"], label_mask=folder / mask, overwrite=True)


def _pictures(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        write(folder, name, jpeg(number))


def _coco(folder: Path) -> None:
    _pictures(folder, "train2017/a.jpg", "train2017/b.jpg")
    content = {
        "images": [{"id": 5, "file_name": "b.jpg", "neg_category_ids": [3]}, {"id": 2, "file_name": "a.jpg"}],
        "categories": [
            {"id": 7, "name": "dog", "supercategory": "animal"},
            {"id": 3, "name": "cat"},
            {"id": 0, "name": "animal"},
        ],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 7, "bbox": [0, 0, 1, 1]},
            {"id": 2, "image_id": 2, "category_id": 3},
        ],
    }
    write(folder, "annotations/instances_train2017.json", json.dumps(content))


def _cvat(folder: Path) -> None:
    _pictures(folder, "images/a.jpg", "images/b.jpg")
    write(folder, "annotations.xml", CVAT)


def _voc(folder: Path) -> None:
    _pictures(folder, "JPEGImages/01.jpg", "JPEGImages/02.jpg")
    body = (
        "<annotation><filename>x.jpg</filename><object><name>dog</name><difficult>1</difficult></object></annotation>"
    )
    for name in ("01", "02"):
        write(folder, f"Annotations/{name}.xml", body)
    write(folder, "ImageSets/Main/train.txt", "01\n02 1\n")


def _label_studio(folder: Path) -> None:
    _pictures(folder, "images/a.jpg", "images/b.jpg")
    result = {"from_name": "what", "to_name": "image", "type": "choices", "value": {"choices": ["dog", "cat"]}}
    tasks = [
        {"id": n, "data": {"image": f"/data/upload/3/0a1b2c3d-{name}"}, "annotations": [{"id": 1, "result": [result]}]}
        for n, name in enumerate(("a.jpg", "b.jpg"))
    ]
    write(folder, "export.json", json.dumps(tasks))


def _open_images(folder: Path) -> None:
    _pictures(folder, "train/a.jpg", "train/b.jpg")
    write(folder, "oidv7-class-descriptions.csv", "LabelName,DisplayName\n/m/9,Zebra\n/m/1,Dog\n")
    lines = "ImageID,Source,LabelName,Confidence\na,verification,/m/1,1\nb,machine,/m/9,0.7\nb,x,/m/1,0\n"
    write(folder, "train-annotations-human-imagelabels.csv", lines)


def _image_csv(folder: Path) -> None:
    _pictures(folder, "images/a.jpg", "images/sub/b.jpg")
    write(folder, "labels.csv", "file,red,blue\na.jpg,0,1\nsub/b.jpg,1,1\n")


def _webdataset(folder: Path) -> None:
    with tarfile.open(folder / "train-000.tar", "w") as tar:
        for number in range(3):
            for name, content in (
                (f"{number:04d}.jpg", jpeg(number)),
                (f"{number:04d}.json", b'{"labels": ["cat", "dog"]}'),
            ):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


def _huggingface(folder: Path) -> None:
    names = {"names": ["cat", "dog"], "_type": "ClassLabel"}
    features = {"image": {"_type": "Image"}, "tags": {"feature": names, "_type": "Sequence"}}
    images = [{"bytes": jpeg(row), "path": f"{row}.jpg"} for row in range(4)]
    table = pa.table({"image": images, "tags": [[0], [1, 0], [], [1]]})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, folder / "train.parquet", row_group_size=3)


def _listed(format: str, **options: object) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        list_source(folder, format, SourceOptions(**options), reject=False)  # type: ignore[arg-type]

    return read


def _images(folder: Path) -> None:
    write(folder, "a.jpg", jpeg(0))
    write(folder, "b.png", encode(picture(1, mode="RGBA"), "PNG"))
    write(folder, "c.gif", encode(picture(2), "GIF"))
    write(folder, "d.webp", encode(picture(3), "WEBP"))
    write(folder, "e.bmp", encode(picture(4), "BMP"))
    write(folder, "f.tif", encode(picture(5), "TIFF", compression="tiff_lzw"))


def _read_images(folder: Path) -> None:
    rules = Cleaning(max_pixels=100_000)
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        try:
            clean(content, rules)
            plain(content, rules)
            decode(content, "RGB", lambda height, width: 1)
        except (BadImageError, ImageError) as error:  # whoever reads rows adds the name
            raise DataError(f"{path}: {error}") from None


def _set(folder: Path) -> None:
    write_table(folder / "set")


def _image_set(folder: Path) -> None:
    _image_csv(folder)
    prepare_images(folder, folder / "set", format="image-csv", quiet=True)


def read_set(folder: Path) -> None:
    """Read all of a prepared set, as a run does and as ``verify`` does; what the second finds is no news."""
    manifest = Manifest.load(folder / "set")
    read_summary(manifest)
    read_labels(manifest)
    read_splits(manifest)
    for number in range(len(manifest.shards)):
        read_shard(manifest, number)
    rows: AllRows = ShardRows(manifest)
    rows.open().gather(np.arange(min(manifest.rows, 10)))
    verify(manifest)


def _verdicts(folder: Path) -> None:
    write_table(folder / "set")
    with (folder / "verdicts.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["row", "label", "verdict"])
        lines.writerows([[3, "label0", "present"], [4, "label1", "absent"], [5, "label2", "unsure"]])


def _read_verdicts(folder: Path) -> None:
    audited(folder / "set", folder / "out", folder / "verdicts.csv", overwrite=True)


RED_BLUE = ["red", "blue"]
SOURCES = (
    Target("csv", _text(data_DOT_csv=CSV), ("data.csv",), _prepared(labels=RED_BLUE, split_column="split")),
    Target(
        *("csv-lists", _text(data_DOT_csv=LISTED), ("data.csv",)),
        _prepared(label_column="tags", label_delimiter="|", delimiter=";", decimal=","),
    ),
    Target(
        "csv-unknown",
        _text(data_DOT_csv=CSV),
        ("data.csv",),
        _prepared(labels=RED_BLUE, unknown=["", "?"], exclude=["split"], soft_labels=True),
    ),
    Target(
        "tsv", _text(data_DOT_tsv=CSV.replace(",", "\t")), ("data.tsv",), _prepared(label_prefix="r", exclude=["split"])
    ),
    Target("arff", _text(data_DOT_arff=ARFF), ("data.arff",), _prepared()),
    Target("arff-sparse", _text(data_DOT_arff=SPARSE, data_DOT_xml=XML), ("data.*",), _prepared()),
    Target("npz", _npz, ("data.npz",), _prepared()),
    Target("npz-csr", _csr, ("data.npz",), _prepared()),
    Target(
        "parquet",
        _parquet,
        ("data.parquet",),
        _prepared(label_column="tags", split_column="split", label_delimiter="list"),
    ),
    Target("label-mask", _masked, ("mask.*",), _read_masked),
    Target("coco", _coco, ("annotations/*",), _listed("coco")),
    Target("coco-unlisted", _coco, ("annotations/*",), _listed("coco", unlisted="unknown")),
    Target("cvat", _cvat, ("annotations.xml",), _listed("cvat")),
    Target("voc", _voc, ("Annotations/*", "ImageSets/*/*"), _listed("voc")),
    Target("label-studio", _label_studio, ("export.json",), _listed("label-studio")),
    Target("open-images", _open_images, ("*.csv",), _listed("open-images")),
    Target("image-csv", _image_csv, ("labels.csv",), _listed("image-csv")),
    Target("webdataset", _webdataset, ("*.tar",), _listed("webdataset")),
    Target("huggingface", _huggingface, ("*.parquet",), _listed("huggingface")),
    Target("images", _images, ("*",), _read_images),
    Target("prepared-table", _set, ("set/*",), read_set),
    Target("prepared-images", _image_set, ("set/*",), read_set),
    Target("verdicts", _verdicts, ("verdicts.csv",), _read_verdicts),
)
